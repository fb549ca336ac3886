//! Why a capture cannot be read, or not further.

use std::error::Error;
use std::fmt;

/// A capture cannot be read, or not further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where, in bytes from its start: the record or block.
    pub offset: u64,
    /// What is wrong there.
    pub defect: Defect,
}

/// What is wrong with a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// It does not begin like a capture.
    NotACapture,
    /// It is compressed, by the program of this name.
    Compressed(&'static str),
    /// It is of a version that is not read here.
    Version,
    /// Its frames are of this link type, which is not read here.
    LinkType(u32),
    /// It ends in the middle of a header or frame, as when the capturing program was killed.
    Cut,
    /// A frame claims to be this many bytes long, more than any capture program writes.
    TooLong(u32),
    /// A block's lengths contradict each other.
    Lengths,
    /// A frame is of an interface that the file has not described.
    Interface(u32),
    /// It describes more interfaces than any host has.
    Interfaces,
    /// Its time stamps are of a resolution that cannot be reckoned with.
    Resolution(u8),
    /// A time stamp before 1970 or after 2262, which no capture is of.
    Time,
    /// Reading failed, for this reason.
    Read(String),
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match &self.defect {
            Defect::NotACapture => f.write_str(
                "not a capture: it begins neither as pcap nor as pcapng nor as an export of evidence",
            ),
            Defect::Compressed(program) => {
                write!(f, "compressed; pipe it in: `{program} -dc FILE | vauban replay -`")
            }
            Defect::Version => {
                write!(f, "a capture of a version that is not read (at byte {offset})")
            }
            Defect::LinkType(number) => write!(
                f,
                "frames of link type {number} (at byte {offset}); Ethernet (1), raw IP (101), Linux \
                 cooked (113, 276) and loopback (0, 108) are read"
            ),
            Defect::Cut => write!(f, "cut off in the record that begins at byte {offset}"),
            Defect::TooLong(length) => {
                write!(f, "damaged: the record at byte {offset} claims {length} bytes")
            }
            Defect::Lengths => {
                write!(f, "damaged: the lengths of the block at byte {offset} contradict each other")
            }
            Defect::Interface(number) => write!(
                f,
                "damaged: the block at byte {offset} names interface {number}, which is not described"
            ),
            Defect::Interfaces => {
                write!(f, "describes too many interfaces (at byte {offset})")
            }
            Defect::Resolution(code) => {
                write!(f, "time stamps of an unknown resolution ({code}, at byte {offset})")
            }
            Defect::Time => {
                write!(f, "a time stamp that is not between 1970 and 2262 (at byte {offset})")
            }
            Defect::Read(why) => write!(f, "reading failed at byte {offset}: {why}"),
        }
    }
}

impl Error for Damaged {}
