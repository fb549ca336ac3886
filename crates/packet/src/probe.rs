//! The whole way from bytes to the engine's [`Probe`].

use vauban_engine::event::{Probe, Stage};
use vauban_engine::net::canonical;

use crate::unreadable::Unreadable;
use crate::{ip, transport};

/// Reads one packet, from its IP header on, as the kernel's input hook sees it.
///
/// `packet` may be cut off at its end (the lengths in its headers tell) and may have a link's
/// padding behind it, which is ignored. To have the checksum judged, it must reach to the
/// packet's end. `stage` is passed on as it is.
///
/// Whether it was rightly taken for a probe is not asked here: any TCP or UDP packet is read.
///
/// # Errors
///
/// [`Unreadable`] when it is no TCP or UDP over IPv4 or IPv6, or when what is there does not tell
/// its ports (and control bits).
pub fn probe(packet: &[u8], stage: Option<Stage>) -> Result<Probe, Unreadable> {
    let datagram = ip::read(packet)?;
    let segment = transport::read(&datagram)?;
    let kept = datagram.packet.get(..Probe::KEPT).unwrap_or(datagram.packet);
    Ok(Probe {
        // Only now: the checksum was made over the addresses as they were sent.
        source: canonical(datagram.source),
        destination: canonical(datagram.destination),
        source_port: segment.source_port,
        port: segment.port,
        flags: segment.flags,
        checksum: segment.checksum,
        stage,
        decoy: false,
        zone: None,
        bytes: kept.to_vec(),
    })
}
