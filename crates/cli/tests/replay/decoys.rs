//! Captures of a host that ran Vauban, made by hand: who completes a decoy's handshake has proven
//! his address.

use crate::command::{objects, replay_from};

pub const PEER: [u8; 4] = [203, 0, 113, 9];
pub const HOME: [u8; 4] = [192, 0, 2, 1];

pub const SYN: u8 = 0x02;
const RST_ACK: u8 = 0x14;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const PSH_ACK: u8 = 0x18;

/// A capture that grows.
pub struct Capture {
    pub bytes: Vec<u8>,
    pub micros: u32,
}

pub fn checksum(bytes: &[u8]) -> u16 {
    let pairs =
        bytes.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(*two.get(1).unwrap_or(&0)));
    let mut sum: u32 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

impl Capture {
    /// Raw IP, version 2.4, from a time on that is early in a slot of 32 seconds.
    pub fn new() -> Self {
        let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        bytes.extend([0; 8]);
        bytes.extend([0, 0, 4, 0, 101, 0, 0, 0]);
        Self { bytes, micros: 0 }
    }

    pub fn wait(&mut self, seconds: u32) {
        self.micros += seconds * 1_000_000;
    }

    fn segment(
        &mut self,
        (from, source_port): ([u8; 4], u16),
        (to, port): ([u8; 4], u16),
        flags: u8,
        (sequence, acknowledgment): (u32, u32),
        said: &[u8],
    ) {
        let mut tcp = [source_port.to_be_bytes(), port.to_be_bytes()].concat();
        tcp.extend([sequence.to_be_bytes(), acknowledgment.to_be_bytes()].concat());
        tcp.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
        tcp.extend(said);
        let length = u16::try_from(tcp.len()).unwrap();
        let pseudo = [&from[..], &to, &[0, 6], &length.to_be_bytes(), &tcp].concat();
        tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
        let total = (length + 20).to_be_bytes();
        let mut packet = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 6, 0, 0];
        packet.extend([from, to].concat());
        let sum = checksum(&packet).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet.extend(tcp);
        self.packet(&packet);
    }

    /// A packet as it is.
    pub fn packet(&mut self, packet: &[u8]) {
        self.micros += 1_000;
        let seconds = 1_795_000_000 / 32 * 32 + 1 + self.micros / 1_000_000;
        let size = u32::try_from(packet.len()).unwrap();
        for number in [seconds, self.micros % 1_000_000, size, size] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(packet);
    }

    pub fn call(&mut self, peer: u16, port: u16) {
        self.segment((PEER, peer), (HOME, port), SYN, (1_000, 0), b"");
    }

    pub fn refuse(&mut self, peer: u16, port: u16) {
        self.segment((HOME, port), (PEER, peer), RST_ACK, (0, 1_001), b"");
    }

    fn accept(&mut self, peer: u16, port: u16) {
        self.segment((HOME, port), (PEER, peer), SYN_ACK, (u32::from(port) * 1_000, 1_001), b"");
    }

    fn complete(&mut self, peer: u16, port: u16, wrong: u32, said: &[u8]) {
        let flags = if said.is_empty() { ACK } else { PSH_ACK };
        let next = u32::from(port) * 1_000 + 1 + wrong;
        self.segment((PEER, peer), (HOME, port), flags, (1_001, next), said);
    }

    /// Two closed ports, then decoys that answer at these.
    fn scanned(decoys: &[u16]) -> Self {
        let mut capture = Self::new();
        for port in [81, 82] {
            capture.call(4_000, port);
            capture.refuse(4_000, port);
        }
        for port in decoys {
            capture.call(4_001, *port);
            capture.accept(4_001, *port);
        }
        capture
    }
}

fn kinds(capture: &Capture, options: &[&str]) -> Vec<String> {
    let home = ["--home", "192.0.2.1", "--json"];
    let outcome = replay_from(&[&home[..], options, &["-"]].concat(), &capture.bytes);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let word = |object: &serde_json::Value, key: &str| object[key].as_str().unwrap().to_owned();
    objects(&outcome.out)
        .iter()
        .map(|object| {
            format!("{} {} {}", word(object, "kind"), word(object, "class"), object["proven"])
        })
        .collect()
}

const BANNED: [&str; 2] = ["suspect syn false", "ban connect true"];

#[test]
fn completed_handshakes_with_ports_that_are_not_open_are_a_proof() {
    let mut silent = Capture::scanned(&[83, 84, 85]);
    let mut speaking = Capture::scanned(&[83, 84, 85]);
    let mut wrong = Capture::scanned(&[83, 84, 85]);
    let mut two = Capture::scanned(&[83, 84, 85]);
    let mut late = Capture::scanned(&[83, 84, 85]);
    late.wait(70);
    for port in [83, 84, 85] {
        silent.complete(4_001, port, 0, b"");
        speaking.complete(4_001, port, 0, b"SSH-2.0-Go\r\n");
        wrong.complete(4_001, port, 1, b"");
        late.complete(4_001, port, 0, b"");
        if port != 85 {
            two.complete(4_001, port, 0, b"");
        }
    }
    assert_eq!(kinds(&silent, &["--open", "tcp/22"]), BANNED);
    assert_eq!(kinds(&speaking, &["--open", "tcp/22"]), BANNED);
    for unproven in [&wrong, &two, &late] {
        assert_eq!(kinds(unproven, &["--open", "tcp/22"]), BANNED[..1]);
    }
    // One of them has a listener.
    assert_eq!(kinds(&silent, &["--open", "tcp/83"]), BANNED[..1]);
    // Whoever is answered by them alone has not become a suspect by what is known.
    assert_eq!(kinds(&silent, &[]), [""; 0]);
}

#[test]
fn a_browser_that_a_page_has_sent_proves_nothing() {
    let mut capture = Capture::scanned(&[83, 84, 85]);
    for port in [83, 84, 85] {
        let said = b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://b.example\r\n\r\n";
        capture.complete(4_001, port, 0, said);
    }
    assert_eq!(kinds(&capture, &["--open", "tcp/22"]), BANNED[..1]);
}

#[test]
fn many_unknown_ports_in_a_row_are_decoys() {
    let decoys = Capture::scanned(&[83, 84, 85, 86, 87, 88]);
    assert_eq!(kinds(&decoys, &[]), BANNED[..1]);
    // A client who has tried two wrong ports first finds four services, and one that is closed.
    assert_eq!(kinds(&Capture::scanned(&[83, 84, 85, 86]), &[]), [""; 0]);
    let mut services = Capture::scanned(&[83, 84]);
    services.call(4_002, 81);
    services.refuse(4_002, 81);
    for port in 85..90 {
        services.call(4_001, port);
        services.accept(4_001, port);
    }
    assert_eq!(kinds(&services, &[]), [""; 0]);
}

#[test]
fn a_port_that_has_refused_somebody_has_no_listener() {
    // 83 to 85 refuse another caller first.
    let mut capture = Capture::new();
    for port in [83, 84, 85] {
        capture.segment(([198, 51, 100, 7], 9), (HOME, port), SYN, (1_000, 0), b"");
        capture.segment((HOME, port), ([198, 51, 100, 7], 9), RST_ACK, (0, 1_001), b"");
        capture.wait(61);
    }
    for port in [81, 82] {
        capture.call(4_000, port);
        capture.refuse(4_000, port);
    }
    for port in [83, 84, 85] {
        capture.call(4_001, port);
        capture.accept(4_001, port);
        capture.complete(4_001, port, 0, b"");
    }
    assert_eq!(kinds(&capture, &[]), BANNED);
}
