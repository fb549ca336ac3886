//! Packets from `log group` rules, and frames to make them with.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime};

use namespace::{Namespace, run};
use vauban_sys::frame::FrameSender;
use vauban_sys::nflog::{Copy, NflogSocket, Received};

const GROUP: u16 = 4711;

const RULES: &str = "table inet t {
    chain raw {
        type filter hook prerouting priority -300;
        udp dport 9 log prefix \"to nine\" group 4711
        udp dport 10 log group 4711
        udp dport 19 log prefix \"framed\" group 4711 drop
        tcp dport 19 log prefix \"vauban: suspect \" group 4711 drop
    }
}";

/// A UDP datagram to port 19 in an Ethernet frame as loopback takes it, checksums left out (the
/// hook does not look at them).
fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend_from_slice(&[0x08, 0x00]);
    frame.extend_from_slice(&[0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend_from_slice(&[198, 51, 100, 1, 127, 0, 0, 1]);
    let sum: u32 = frame[14..34].chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend_from_slice(&[0x30, 0x39, 0, 19, 0, 12, 0, 0]);
    frame.extend_from_slice(&number.to_be_bytes());
    frame
}

#[test]
#[ignore = "needs root"]
fn a_logged_packet_arrives_whole_and_at_once() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let start = Instant::now();
    socket.send_to(b"hello", "127.0.0.1:9").unwrap();
    let mut seen = 0;
    let received = log
        .recv(&mut |copy| {
            seen += 1;
            assert_eq!(copy.prefix, "to nine");
            assert_eq!(copy.payload[0], 0x45);
            assert_eq!(copy.payload.len(), 20 + 8 + 5);
            assert_eq!(&copy.payload[28..], b"hello");
            assert_eq!(copy.in_interface, Some(1));
            assert_eq!(copy.hardware_address, Some(&[0; 6][..]));
            let stamp = copy.timestamp.unwrap();
            assert!(stamp.abs_diff(before) < Duration::from_secs(1), "{stamp:?}");
        })
        .unwrap();
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    assert_eq!((received, seen), (Received::Copies(1), 1));
}

#[test]
#[ignore = "needs root"]
fn a_rule_without_prefix_and_the_longest_packet() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let longest = vec![7; 65_507];
    socket.send_to(&longest, "127.0.0.1:10").unwrap();
    let mut length = 0;
    let received = log.recv(&mut |copy| {
        assert_eq!(copy.prefix, "");
        length = copy.payload.len();
    });
    assert_eq!(received.unwrap(), Received::Copies(1));
    assert_eq!(length, 0xffff - 4); // what an attribute can carry
}

#[test]
#[ignore = "needs root"]
fn long_packets_in_bulk_arrive_whole() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..70 {
        socket.send_to(&vec![number; 60_000], "127.0.0.1:10").unwrap();
    }
    let mut seen = Vec::new();
    let mut each = |copy: Copy<'_>| {
        assert_eq!(copy.payload.len(), 28 + 60_000);
        assert!(copy.payload[28..].iter().all(|byte| *byte == copy.payload[28]));
        seen.push(copy.payload[28]);
    };
    assert_eq!(log.recv(&mut each).unwrap(), Received::Copies(64));
    assert_eq!(log.recv_within(Duration::ZERO, &mut each).unwrap(), Received::Copies(6));
    assert_eq!(seen, (0..70).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs root"]
fn a_short_wait_is_short_and_ends_with_the_first_packet() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    for wait in [Duration::ZERO, Duration::from_micros(300)] {
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(log.recv_within(wait, &mut |_| panic!("?")).unwrap(), Received::Idle);
        }
        let each = start.elapsed() / 20;
        assert!(each >= wait && each < wait + Duration::from_millis(20), "{wait:?}: {each:?}");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let sender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        socket.send_to(b"hello", "127.0.0.1:9").unwrap();
    });
    let received = log.recv_within(Duration::from_secs(5), &mut |_| ()).unwrap();
    assert_eq!(received, Received::Copies(1));
    assert!(start.elapsed() < Duration::from_secs(2));
    sender.join().unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_group_has_one_reader_at_a_time() {
    let _namespace = Namespace::with_ruleset(RULES);
    let first = NflogSocket::open(GROUP).unwrap();
    let error = NflogSocket::open(GROUP).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    NflogSocket::open(GROUP + 1).unwrap();
    drop(first);
    NflogSocket::open(GROUP).unwrap();
}

#[test]
#[ignore = "needs root"]
fn nothing_to_read_is_said_after_a_quarter_of_a_second() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    let start = Instant::now();
    assert_eq!(log.recv(&mut |_| panic!("a packet?")).unwrap(), Received::Idle);
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(200) && waited < Duration::from_secs(2), "{waited:?}");
}

#[test]
#[ignore = "needs root"]
fn frames_are_sent_and_logged_in_order() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    let sender = FrameSender::open("lo").unwrap();
    let frames: Vec<_> = (0..200).map(frame).collect();
    let borrowed: Vec<_> = frames.iter().map(Vec::as_slice).collect();
    assert_eq!(sender.send(&borrowed).unwrap(), 200);
    let mut numbers = Vec::new();
    let mut most = 0;
    while let Received::Copies(copies) = log
        .recv(&mut |copy| {
            assert_eq!(copy.prefix, "framed");
            numbers.push(u32::from_be_bytes(copy.payload[28..32].try_into().unwrap()));
        })
        .unwrap()
    {
        most = most.max(copies);
    }
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    assert!(most <= 64, "one call handed out {most}");
}

/// A SYN as common stacks send it: 20 bytes of options.
fn syn() -> Vec<u8> {
    let mut frame = frame(0);
    frame[14 + 2..14 + 4].copy_from_slice(&60u16.to_be_bytes());
    frame[14 + 9] = 6;
    frame.resize(14 + 60, 0);
    frame[14 + 10..14 + 12].fill(0);
    let sum: u32 = frame[14..34].chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    frame[14 + 10..14 + 12].copy_from_slice(&sum.to_be_bytes());
    frame[14 + 20 + 12] = 0xa0;
    frame
}

/// What waits in the netlink sockets of this namespace, in the kernel's count of bytes.
fn waiting() -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().nth(4).unwrap());
    rows.map(|bytes| bytes.parse::<usize>().unwrap()).sum()
}

#[test]
#[ignore = "needs root"]
fn a_full_buffer_is_an_overrun_and_what_came_before_is_still_there() {
    let _namespace = Namespace::with_ruleset(RULES);
    let mut log = NflogSocket::open(GROUP).unwrap();
    let sender = FrameSender::open("lo").unwrap();
    let one = syn();
    let chunk = vec![one.as_slice(); 64];
    let mut sent = 0;
    while sent < 64 {
        sent += sender.send(&chunk).unwrap();
    }
    let each = waiting() / sent;
    let start = Instant::now();
    while sent < 200_000 {
        sent += sender.send(&chunk).unwrap();
    }
    let sending = start.elapsed();
    assert_eq!(log.recv(&mut |_| ()).unwrap(), Received::Overrun);
    let full = waiting();
    let Received::Copies(mut kept) = log.recv(&mut |_| ()).unwrap() else { panic!("nothing?") };
    sender.send(&chunk).unwrap(); // lost too, though there is room now
    let start = Instant::now();
    while let Received::Copies(copies) = log.recv(&mut |_| ()).unwrap() {
        kept += copies;
    }
    let reading = start.elapsed();
    println!(
        "of {sent} copies of {each} bytes, sent in {sending:?}, {kept} waited; read in {reading:?}"
    );
    // The promise that the module makes for small packets.
    assert!(kept >= 65_535, "{kept}");
    assert_eq!(kept, full / each);
    sender.send(&chunk).unwrap();
    assert_eq!(log.recv(&mut |_| ()).unwrap(), Received::Copies(64));
}

#[test]
#[ignore = "needs root"]
fn frames_need_an_interface_and_a_header() {
    let _namespace = Namespace::enter();
    assert_eq!(FrameSender::open("none").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    assert!(FrameSender::open("a\0b").is_err());
    let sender = FrameSender::open("lo").unwrap();
    assert_eq!(sender.send(&[]).unwrap(), 0);
    assert_eq!(sender.send(&[&[1, 2, 3]]).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    let good = frame(1);
    assert_eq!(sender.send(&[&good, &[1, 2, 3], &good]).unwrap(), 1);
    run("ip", &["link", "set", "lo", "down"]);
    assert_eq!(sender.send(&[&good]).unwrap_err().raw_os_error(), Some(libc::ENETDOWN));
}
