//! What the tests of decoys share: scanners' reports, suspects, and packets made by hand, from an
//! address without a stack of its own that would have a say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use vauban_packet::segment;
use vauban_replay::capture::Reader;
use vauban_sys::frame::FrameSender;

use crate::daemon::Vauban;
use crate::lab::{Lab, SCANNER_MAC, SILENCE, VICTIM, VICTIM_MAC};
use crate::process::{Running, wait_for, wait_until};

/// An address on the scanner's link that only crafted packets have.
pub const GHOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
pub const GHOST6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x77));
/// Another one.
pub const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 78));

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// nmap without questions and retries.
pub const NMAP: &str = "nmap -n -Pn -r -T4 --max-retries 0 --initial-rtt-timeout 300ms \
                        --max-rtt-timeout 300ms";

/// What a scanner says of ports.
#[derive(Debug)]
pub struct Report {
    listed: BTreeMap<u16, String>,
    /// That of all ports that are not listed.
    others: String,
}

impl Report {
    /// Runs nmap in a namespace, with options, ports and target.
    pub fn nmap(lab: &Lab, role: &str, line: &str) -> Self {
        let text = lab.run(role, &format!("{NMAP} {line} -oG -")).success();
        let after =
            |word: &str| text.split(word).nth(1).map(|rest| rest.split('\t').next().unwrap());
        let others =
            after("Ignored State: ").map(|rest| rest.split(' ').next().unwrap().to_owned());
        let listed = after("Ports: ").unwrap_or_default().split(", ").filter_map(|item| {
            let mut parts = item.trim().split('/');
            Some((parts.next()?.parse().ok()?, parts.next()?.to_owned()))
        });
        Self { listed: listed.collect(), others: others.unwrap_or_default() }
    }

    /// The state of a port.
    pub fn state(&self, port: u16) -> &str {
        self.listed.get(&port).unwrap_or(&self.others)
    }

    /// Those of these ports that are said to be in another state than this.
    pub fn except(&self, state: &str, ports: impl IntoIterator<Item = u16>) -> Vec<u16> {
        ports.into_iter().filter(|port| self.state(*port) != state).collect()
    }
}

/// Makes the scanner a suspect by a half-open scan of ports 101 to 103, which proves nothing.
pub fn suspect(lab: &Lab, vauban: &Vauban, victim: IpAddr, scanner: IpAddr) {
    let six = if victim.is_ipv6() { "-6" } else { "" };
    let report = Report::nmap(lab, "scanner", &format!("{six} -sS -p 101-103 {victim}"));
    assert_eq!(report.except("closed", 101..=102), [0; 0], "{report:?}");
    assert_eq!(report.state(103), "open", "{report:?}");
    vauban.settle();
    assert_is_suspect(vauban, scanner);
}

/// Fails unless an address is a suspect and not banned.
pub fn assert_is_suspect(vauban: &Vauban, address: IpAddr) {
    let explained = vauban.explain(address);
    assert_eq!(explained["state"], "suspect", "{explained:#}");
    assert_eq!(explained["ban"], serde_json::Value::Null, "{explained:#}");
}

/// The ports that an address has proven.
pub fn proven(vauban: &Vauban, address: IpAddr) -> Vec<String> {
    let explained = vauban.explain(address);
    let ports = explained["proven"].as_array().unwrap_or_else(|| panic!("{explained:#}"));
    ports.iter().map(|port| port.as_str().unwrap().to_owned()).collect()
}

/// Completes handshakes with these ports from a namespace, and keeps the connections.
pub fn shake(lab: &Lab, role: &str, victim: IpAddr, ports: &[u16]) -> Vec<TcpStream> {
    let open = |port: &u16| {
        let call = lab.connect(role, victim, *port);
        call.unwrap_or_else(|error| panic!("port {port}: {error}"))
    };
    ports.iter().map(open).collect()
}

/// Waits until every silent contact has been judged.
pub fn judged() {
    std::thread::sleep(Duration::from_millis(1300));
}

/// A TCP segment.
#[derive(Clone, Debug)]
pub struct Segment {
    pub from: IpAddr,
    pub to: IpAddr,
    pub ports: (u16, u16),
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u8,
    pub options: Vec<u8>,
    pub payload: Vec<u8>,
    /// What its checksum is changed by.
    pub damage: u16,
}

impl Segment {
    /// A SYN.
    pub fn syn(from: IpAddr, to: IpAddr, ports: (u16, u16)) -> Self {
        let (options, payload) = (vec![2, 4, 5, 0xb4], Vec::new());
        let sequence = 1_000_000 + u32::from(ports.1);
        Self {
            from,
            to,
            ports,
            sequence,
            acknowledgment: 0,
            flags: SYN,
            options,
            payload,
            damage: 0,
        }
    }

    /// The last part of the handshake that this SYN began, if `sequence` answered it.
    pub fn completing(&self, sequence: u32) -> Self {
        Self {
            sequence: self.sequence + 1,
            acknowledgment: sequence.wrapping_add(1),
            flags: ACK,
            options: Vec::new(),
            ..self.clone()
        }
    }

    /// The frame, from the scanner's link address to the victim's.
    pub fn frame(&self) -> Vec<u8> {
        self.frame_between(VICTIM_MAC, SCANNER_MAC)
    }

    pub fn frame_between(&self, to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.ports.0.to_be_bytes());
        tcp.extend(self.ports.1.to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        let words = 5 + u8::try_from(self.options.len() / 4).unwrap();
        tcp.extend([words << 4, self.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        tcp.extend(&self.options);
        tcp.extend(&self.payload);
        let length = u16::try_from(tcp.len()).unwrap();
        let mut covered = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
            (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
            _ => panic!("two families"),
        };
        covered.extend([0, 6]);
        covered.extend(length.to_be_bytes());
        covered.extend(&tcp);
        let sum = (checksum(&covered) ^ self.damage).to_be_bytes();
        tcp[16..18].copy_from_slice(&sum);

        let mut frame = [to, from].concat();
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = vec![0x45, 0];
                header.extend((20 + length).to_be_bytes());
                header.extend([0x12, 0x34, 0x40, 0, 64, 6, 0, 0]);
                header.extend([from.octets(), to.octets()].concat());
                let sum = checksum(&header).to_be_bytes();
                header[10..12].copy_from_slice(&sum);
                frame.extend([8, 0]);
                frame.extend(header);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(length.to_be_bytes());
                frame.extend([6, 64]);
                frame.extend([from.octets(), to.octets()].concat());
            }
            _ => panic!("two families"),
        }
        frame.extend(tcp);
        frame
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// Sends frames from an interface of a namespace.
pub fn send_from(lab: &Lab, role: &str, interface: &'static str, frames: Vec<Vec<u8>>) {
    lab.inside(role, move || {
        let sender = FrameSender::open(interface).unwrap();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert_eq!(sender.send(&frames).unwrap(), frames.len());
    });
}

/// A segment that came, with what its IP header says.
#[derive(Clone, Debug)]
pub struct Seen {
    pub to: IpAddr,
    pub ports: (u16, u16),
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u8,
    pub options: Vec<u8>,
    pub window: u16,
    /// TTL, or hop limit.
    pub ttl: u8,
    /// Of IPv4, the type of service, the identification and "don't fragment"; of IPv6, the
    /// traffic class and whether there is a flow label.
    pub header: (u8, u16, u16),
}

/// A capture of TCP that is read while it runs.
pub struct Tap {
    _tcpdump: Running,
    file: PathBuf,
}

impl Tap {
    /// Captures in a namespace.
    pub fn open(lab: &Lab, role: &str) -> Self {
        let place = |what: &str| lab.folder().join(format!("{role}-tap.{what}"));
        let (file, log) = (place("pcap"), place("log"));
        let how = "-i eth0 -U --immediate-mode -s 2048 -B 8192 -Z root";
        let mut command = lab.on(role, &format!("tcpdump {how} -w {} tcp", file.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut tcpdump = Running::start(command);
        wait_until("tcpdump listens", Duration::from_secs(10), || {
            let said = std::fs::read_to_string(&log).unwrap();
            assert_eq!(tcpdump.ended(), None, "{said}");
            said.contains("listening on")
        });
        Self { _tcpdump: tcpdump, file }
    }

    /// What has come so far.
    pub fn seen(&self) -> Vec<Seen> {
        let bytes = std::fs::read(&self.file).unwrap();
        let Ok(mut reader) = Reader::new(bytes.as_slice()) else { return Vec::new() };
        let mut seen = Vec::new();
        // The last one may not be whole yet.
        while let Ok(Some(frame)) = reader.frame() {
            seen.extend(frame.bytes.get(14..).and_then(read));
        }
        seen
    }

    /// What came to an address, of those after the first `after`.
    pub fn heard(&self, after: usize, by: IpAddr) -> Vec<Seen> {
        self.seen().into_iter().skip(after).filter(|seen| seen.to == by).collect()
    }

    /// Sends a segment from the scanner and waits for the answer to its ports.
    pub fn ask(&self, lab: &Lab, segment: &Segment) -> Seen {
        let before = self.seen().len();
        send_from(lab, "scanner", "eth0", vec![segment.frame()]);
        wait_for(&format!("an answer to {segment:?}"), Duration::from_secs(3), || {
            self.answer(before, segment)
        })
    }

    /// Sends a segment from the scanner and says what comes, if anything does.
    pub fn try_ask(&self, lab: &Lab, segment: &Segment) -> Option<Seen> {
        let before = self.seen().len();
        send_from(lab, "scanner", "eth0", vec![segment.frame()]);
        std::thread::sleep(SILENCE / 2);
        self.answer(before, segment)
    }

    fn answer(&self, before: usize, segment: &Segment) -> Option<Seen> {
        let ports = (segment.ports.1, segment.ports.0);
        self.heard(before, segment.from).into_iter().find(|seen| seen.ports == ports)
    }
}

fn read(packet: &[u8]) -> Option<Seen> {
    let tcp = segment(packet).ok()?;
    let four = packet.first()? >> 4 == 4;
    let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let header = if four { usize::from(packet.first()? & 15) * 4 } else { 40 };
    Some(Seen {
        to: tcp.destination,
        ports: (tcp.source_port, tcp.port),
        sequence: tcp.sequence,
        acknowledgment: tcp.acknowledgment,
        flags: tcp.flags.0,
        options: tcp.options.to_vec(),
        window: word(header + 14)?,
        ttl: *packet.get(if four { 8 } else { 7 })?,
        header: if four {
            (*packet.get(1)?, word(4)?, word(6)?)
        } else {
            let label = u16::from(*packet.get(1)? & 15 != 0 || word(2)? != 0);
            (u8::try_from(word(0)? >> 4 & 0xff).ok()?, label, 0)
        },
    })
}

/// Lets the victim know where the crafted addresses are.
pub fn ghosts(lab: &Lab) {
    for address in [GHOST, GHOST6, SECOND] {
        lab.ip("victim", &format!("neigh add {address} lladdr 02:00:00:00:00:02 dev eth0"));
    }
}

/// Makes a crafted address a suspect.
pub fn suspect_ghost(lab: &Lab, vauban: &Vauban, address: IpAddr) {
    let victim = if address.is_ipv4() { VICTIM } else { crate::lab::VICTIM6 };
    let syn = |port| Segment::syn(address, victim, (50_000, port)).frame();
    send_from(lab, "scanner", "eth0", [101, 102, 103].map(syn).to_vec());
    wait_until("it is a suspect", Duration::from_secs(3), || vauban.state(address) == "suspect");
}
