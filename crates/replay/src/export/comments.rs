//! An export as a capture: kept bytes as frames, and a remark at each of them,
//! `vauban: MEANING subject=SUBJECT`.

use std::io::Read;

use vauban_engine::event::{Checksum, Contact, EventKind, Probe};
use vauban_engine::{Engine, Notice};
use vauban_packet::{network_layer, probe, segment};

use super::{Packets, Wrong, plain};
use crate::capture::Reader;
use crate::replay::Replay;
use crate::source::Failure;

/// Whether this capture is an export of ours.
pub fn is_ours<R: Read>(reader: &Reader<R>) -> bool {
    reader.application().is_some_and(|name| name.starts_with("vauban "))
}

/// Replays it.
///
/// # Errors
/// [`Failure`] when it is damaged; what came before that has been judged.
pub fn capture<R: Read>(
    reader: &mut Reader<R>,
    replay: &mut Replay,
    each: &mut dyn FnMut(&Engine, &Notice),
) -> Result<(), Failure> {
    let mut packets = Packets::default();
    let outcome = read(reader, &mut packets);
    packets.replay(replay, each);
    outcome
}

fn read<R: Read>(reader: &mut Reader<R>, packets: &mut Packets) -> Result<(), Failure> {
    let mut number = 0_u64;
    while let Some(frame) = reader.frame()? {
        number += 1;
        let wrong = |what: String| Wrong(format!("packet {number} of the export: {what}"));
        let remark = String::from_utf8_lossy(frame.comment);
        let Some((meaning, subject)) =
            remark.strip_prefix("vauban: ").and_then(|remark| remark.split_once(" subject="))
        else {
            return Err(wrong(format!("no remark of ours: {}", plain(&remark))).into());
        };
        let packet = network_layer(frame.link, frame.bytes)
            .ok_or_else(|| wrong("no IP packet".to_owned()))?;
        // What is kept is the beginning; that its checksum was right is why it counted.
        let probe = probe(packet, None).map_err(|why| wrong(why.to_string()))?;
        let kind = match meaning {
            "closed-port" | "trap-port" | "impossible-flags" | "of-suspect" => {
                EventKind::Probe(Probe { checksum: Checksum::Good, ..probe })
            }
            "proven" | "proven-trap" => {
                let said = segment(packet).map_err(|why| wrong(why.to_string()))?.payload;
                EventKind::Contact(Contact {
                    source: probe.source,
                    destination: probe.destination,
                    source_port: probe.source_port,
                    port: probe.port,
                    flags: probe.flags,
                    said: said.to_vec(),
                    bytes: probe.bytes,
                })
            }
            "excused" => continue,
            other => return Err(wrong(format!("unknown meaning: {}", plain(other))).into()),
        };
        packets.add(frame.at, subject.trim(), kind).map_err(wrong)?;
    }
    Ok(())
}
