//! Frames out of a capture file, as they come: from a file, a pipe, memory.
//!
//! Reads the classic format of libpcap ([draft-ietf-opsawg-pcap]) and pcapng
//! ([draft-ietf-opsawg-pcapng]), in both byte orders. Never more than one frame is held, whatever
//! a file claims about its lengths; what is no frame is passed over without being held at all.
//!
//! It does not look into frames, does not decompress, and does not search for the next frame
//! behind damage: there is no way to find it.
//!
//! [draft-ietf-opsawg-pcap]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
//! [draft-ietf-opsawg-pcapng]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

use std::io::Read;

use vauban_engine::Timestamp;
use vauban_packet::LinkType;

mod classic;
mod damaged;
mod input;
mod ng;

pub use damaged::{Damaged, Defect};
use input::Input;

/// One captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// What it begins with.
    pub link: LinkType,
    /// How many bytes it had on the wire; more than `bytes` has when it was cut off.
    pub original_len: u32,
    /// Its bytes, from the link's header on.
    pub bytes: &'a [u8],
    /// Which way it went, where the file says so (pcapng's `epb_flags`).
    pub outbound: Option<bool>,
    /// The interface that it was captured at, where the file says so (pcapng's `if_name`).
    pub interface: Option<&'a str>,
    /// What the file remarks about it; empty in most.
    pub comment: &'a [u8],
}

/// A capture that is being read.
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
    over: bool,
}

enum Format {
    Classic(classic::Format),
    Ng(ng::Section),
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// [`Damaged`] when this is no capture, or of a link type that is not read here.
    pub fn new(input: R) -> Result<Self, Damaged> {
        let mut input = Input::new(input);
        let magic = input.peek::<4>()?;
        let format = match magic {
            Some(magic) if magic == ng::MAGIC => Format::Ng(ng::Section::default()),
            Some(magic) => Format::Classic(classic::Format::begin(magic, &mut input)?),
            None => return Err(input.damage(Defect::NotACapture)),
        };
        let mut reader = Self { input, format, over: false };
        if let Format::Ng(section) = &mut reader.format {
            section.begin(&mut reader.input)?;
        }
        Ok(reader)
    }

    /// The program that wrote the file, by its own word (pcapng's `shb_userappl`).
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        match &self.format {
            Format::Classic(_) => None,
            Format::Ng(section) => section.application.as_deref(),
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// [`Damaged`], once; after that, there are no more frames.
    pub fn frame(&mut self) -> Result<Option<Frame<'_>>, Damaged> {
        if self.over {
            return Ok(None);
        }
        // Until it is known that this one is whole.
        self.over = true;
        let frame = match &mut self.format {
            Format::Classic(format) => format.frame(&mut self.input)?,
            Format::Ng(section) => section.frame(&mut self.input)?,
        };
        self.over = frame.is_none();
        Ok(frame)
    }
}
