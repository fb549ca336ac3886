//! What went over the scanner's link, by tcpdump in the scanner's namespace: the ports it probed,
//! in their order, and those that it heard of.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use vauban_replay::capture::Reader;

use crate::lab::{Lab, SCANNER};
use crate::process::{Running, wait_for, wait_until};

/// What the victim sends last, to a port that no test uses.
const MARK: &[u8] = b"the capture ends here";
const MARK_PORT: u16 = 1;

/// IP's numbers of protocols.
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// A capture that runs.
pub struct Wire<'lab> {
    lab: &'lab Lab,
    tcpdump: Running,
    file: PathBuf,
    log: PathBuf,
}

/// A captured packet, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub from: IpAddr,
    pub to: IpAddr,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// TCP; of a fragment that does not reach so far, the flags are unknown.
    Tcp {
        from: u16,
        to: u16,
        flags: Option<u8>,
    },
    Udp {
        from: u16,
        to: u16,
    },
    /// ICMP that says that a UDP port is closed.
    Unreachable {
        port: u16,
    },
    /// Anything else.
    Other,
}

impl<'lab> Wire<'lab> {
    /// Begins to capture.
    pub fn tap(lab: &'lab Lab) -> Self {
        let (file, log) = (lab.folder().join("wire.pcap"), lab.folder().join("wire.log"));
        // Room for thousands of whole packets: with its default snapshot length, what tcpdump
        // delivers at once has room for a dozen.
        let how = "-i eth0 -U --immediate-mode -s 2048 -B 8192 -Z root";
        let mut command = lab.on("scanner", &format!("tcpdump {how} -w {}", file.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut tcpdump = Running::start(command);
        wait_until("tcpdump listens", Duration::from_secs(10), || {
            let said = std::fs::read_to_string(&log).unwrap();
            assert_eq!(tcpdump.ended(), None, "{said}");
            said.contains("listening on")
        });
        Self { lab, tcpdump, file, log }
    }

    /// Ends the capture, when everything that the victim has sent so far is in it.
    pub fn packets(mut self) -> Vec<Packet> {
        self.lab.inside("victim", || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.send_to(MARK, (SCANNER, MARK_PORT)).unwrap();
        });
        let bytes = wait_for("the mark is captured", Duration::from_secs(5), || {
            let bytes = std::fs::read(&self.file).unwrap();
            bytes.windows(MARK.len()).any(|part| part == MARK).then_some(bytes)
        });
        self.tcpdump.signal("TERM");
        self.tcpdump.wait(Duration::from_secs(5));
        let said = std::fs::read_to_string(&self.log).unwrap();
        assert!(said.contains("\n0 packets dropped by kernel"), "{said}");
        let mut packets = Vec::new();
        let mut reader = Reader::new(bytes.as_slice()).unwrap();
        // The last one may not be whole yet; it comes after the mark.
        while let Ok(Some(frame)) = reader.frame() {
            packets.extend(read(frame.bytes));
        }
        packets
    }
}

/// The ports that `from` probed at `to`, each once, in the order of the first probes. Answers to
/// answers (a RST, an ACK) are no probes.
pub fn probed(packets: &[Packet], protocol: u8, from: IpAddr, to: IpAddr) -> Vec<u16> {
    let mut ports = Vec::new();
    for packet in packets.iter().filter(|packet| packet.from == from && packet.to == to) {
        let port = match packet.what {
            What::Tcp { to, flags, .. } if protocol == TCP => {
                let answer = flags.is_some_and(|flags| flags & 0x14 != 0);
                (!answer).then_some(to)
            }
            What::Udp { to, .. } if protocol == UDP => Some(to),
            _ => None,
        };
        ports.extend(port.filter(|port| !ports.contains(port)));
    }
    ports
}

/// The ports of `from` that `to` heard of in any way: SYN+ACK, RST, data, ICMP.
pub fn answered(packets: &[Packet], protocol: u8, from: IpAddr, to: IpAddr) -> BTreeSet<u16> {
    let answers = packets.iter().filter(|packet| packet.from == from && packet.to == to);
    answers
        .filter_map(|packet| match packet.what {
            What::Tcp { from, .. } if protocol == TCP => Some(from),
            What::Udp { to: MARK_PORT, .. } => None,
            What::Udp { from, .. } if protocol == UDP => Some(from),
            What::Unreachable { port } if protocol == UDP => Some(port),
            _ => None,
        })
        .collect()
}

/// Those of them that looked open: SYN+ACK.
pub fn opened(packets: &[Packet], from: IpAddr, to: IpAddr) -> BTreeSet<u16> {
    let answers = packets.iter().filter(|packet| packet.from == from && packet.to == to);
    answers
        .filter_map(|packet| match packet.what {
            What::Tcp { from, flags: Some(flags), .. } if flags & 0x12 == 0x12 => Some(from),
            _ => None,
        })
        .collect()
}

fn read(frame: &[u8]) -> Option<Packet> {
    let packet = frame.get(14..)?;
    match frame.get(12..14)? {
        [8, 0] => read4(packet),
        [0x86, 0xdd] => read6(packet),
        _ => None,
    }
}

fn read4(packet: &[u8]) -> Option<Packet> {
    let address = |at: usize| -> Option<IpAddr> {
        let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes).into())
    };
    let offset = word(packet, 6)? & 0x1fff;
    let total = usize::from(word(packet, 2)?);
    let payload = packet.get(usize::from(packet.first()? & 0xf) * 4..total)?;
    let what = if offset == 0 { content(*packet.get(9)?, payload) } else { What::Other };
    Some(Packet { from: address(12)?, to: address(16)?, what })
}

fn read6(packet: &[u8]) -> Option<Packet> {
    let address = |at: usize| -> Option<IpAddr> {
        let bytes: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(bytes).into())
    };
    let total = 40 + usize::from(word(packet, 4)?);
    let what = content(*packet.get(6)?, packet.get(40..total)?);
    Some(Packet { from: address(8)?, to: address(24)?, what })
}

/// What a payload is; what is too short for its protocol is something else.
fn content(protocol: u8, payload: &[u8]) -> What {
    let ports = || Some((word(payload, 0)?, word(payload, 2)?));
    match protocol {
        TCP => ports().map(|(from, to)| What::Tcp { from, to, flags: payload.get(13).copied() }),
        UDP => ports().map(|(from, to)| What::Udp { from, to }),
        // Behind the ICMP header, the IP header and the ports of what was refused.
        ICMP if payload.starts_with(&[3, 3]) => {
            word(payload, 8 + 20 + 2).map(|port| What::Unreachable { port })
        }
        ICMP6 if payload.starts_with(&[1, 4]) => {
            word(payload, 8 + 40 + 2).map(|port| What::Unreachable { port })
        }
        _ => None,
    }
    .unwrap_or(What::Other)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
