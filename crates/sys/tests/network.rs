//! IP packets out of interfaces of every kind, and what is to be known of an interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]
#![allow(unsafe_code, reason = "a tun device is made by ioctl(2)")]

mod namespace;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use namespace::{Namespace, run};
use vauban_sys::interface::mtu;
use vauban_sys::network::{NetworkSender, Outgoing};
use vauban_sys::nflog::{NflogSocket, Received};

const GROUP: u16 = 4712;

/// The hook of the receiving device sees the packets before any protocol does, and the log gives
/// the sender's link-layer address; the rules' prefixes say the protocol, and that the address of
/// the receiver was right.
const RULES: &str = "table netdev t {
    chain in {
        type filter hook ingress device \"right\" priority 0;
        ether daddr 02:00:00:00:00:02 ether type ip log prefix \"four\" group 4712 drop
        ether daddr 02:00:00:00:00:02 ether type ip6 log prefix \"six\" group 4712 drop
        ether daddr 00:00:00:00:00:00 log prefix \"zeros\" group 4712 drop
    }
}";

const RIGHT: &[u8] = &[2, 0, 0, 0, 0, 2];

fn ip(arguments: &str) -> String {
    run("ip", &arguments.split(' ').collect::<Vec<_>>())
}

fn link() -> Namespace {
    let namespace = Namespace::enter();
    ip(
        "link add left address 02:00:00:00:00:01 type veth peer name right address 02:00:00:00:00:02",
    );
    ip("link set left up");
    ip("link set right up");
    namespace::nft(RULES);
    namespace
}

fn index(interface: &str) -> u32 {
    let shown = ip(&format!("-o link show {interface}"));
    shown.split(':').next().unwrap().parse().unwrap()
}

/// An IPv4 packet of this length with its header checksum, of a protocol for experiments.
fn four(length: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0];
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    let sum: u32 = packet.chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.resize(length.into(), 7);
    packet
}

fn six() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 4, 253, 64];
    packet.resize(44, 9);
    packet
}

/// Everything that was logged: prefix, sender's link-layer address, payload.
fn logged(log: &mut NflogSocket) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut seen = Vec::new();
    let wait = Duration::from_millis(50);
    while let Received::Copies(_) = log
        .recv_within(wait, &mut |copy| {
            let sender = copy.hardware_address.unwrap_or_default().to_vec();
            // Another protocol's chatter (neighbour discovery) is not ours.
            if copy.payload.get(9) == Some(&253) || copy.payload.get(6) == Some(&253) {
                seen.push((copy.prefix.to_owned(), sender, copy.payload.to_vec()));
            }
        })
        .unwrap()
    {}
    seen
}

#[test]
#[ignore = "needs root"]
fn both_families_get_their_link_header() {
    let _namespace = link();
    let mut log = NflogSocket::open(GROUP).unwrap();
    let sender = NetworkSender::open().unwrap();
    let (interface, four, six) = (index("left"), four(60), six());
    let to = |link_address, packet| Outgoing { interface, link_address, packet };
    assert_eq!(sender.send(&[to(RIGHT, &four), to(RIGHT, &six), to(&[], &four)]), 3);
    let left = vec![2, 0, 0, 0, 0, 1];
    assert_eq!(
        logged(&mut log),
        [
            ("four".into(), left.clone(), four.clone()),
            ("six".into(), left.clone(), six.clone()),
            ("zeros".into(), left, four.clone()),
        ]
    );
}

#[test]
#[ignore = "needs root"]
fn a_bridge_and_a_device_upon_a_device_write_their_own_addresses() {
    let _namespace = link();
    ip("link add bridge address 02:00:00:00:00:0b type bridge");
    ip("link set left master bridge");
    ip("link set bridge up");
    let mut log = NflogSocket::open(GROUP).unwrap();
    let sender = NetworkSender::open().unwrap();
    let packet = four(60);
    let send =
        |interface| sender.send(&[Outgoing { interface, link_address: RIGHT, packet: &packet }]);
    // The port of the bridge forwards as soon as the bridge has seen that it is up.
    let limit = Instant::now() + Duration::from_secs(5);
    while !ip("-d link show left").contains("state forwarding") && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(send(index("bridge")), 1);
    assert_eq!(logged(&mut log), [("four".into(), vec![2, 0, 0, 0, 0, 0x0b], packet.clone())]);

    ip("link set left nomaster");
    ip("link add link left name upper address 02:00:00:00:00:0c type macvlan mode bridge");
    ip("link set upper up");
    assert_eq!(send(index("upper")), 1);
    assert_eq!(logged(&mut log), [("four".into(), vec![2, 0, 0, 0, 0, 0x0c], packet.clone())]);
}

#[test]
#[ignore = "needs root"]
fn a_link_without_addresses_gets_no_link_header() {
    let _namespace = Namespace::enter();
    let mut tun = tun("tunnel");
    ip("link set tunnel up");
    let (four, six) = (four(60), six());
    let interface = index("tunnel");
    let to = |packet| Outgoing { interface, link_address: &[], packet };
    assert_eq!(NetworkSender::open().unwrap().send(&[to(&four), to(&six)]), 2);
    let mut seen = Vec::new();
    // The kernel's own neighbour discovery may come between.
    for _ in 0..20 {
        let mut buffer = [0; 2048];
        match tun.read(&mut buffer) {
            Ok(length) => seen.push(buffer[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    seen.retain(|packet| packet[6] == 253 || packet[9] == 253);
    assert_eq!(seen, [four, six]);
}

/// Makes a tun device, which is there as long as the file is open. Reading it does not wait.
fn tun(name: &str) -> File {
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open("/dev/net/tun").unwrap();
    // SAFETY: `ifreq` is integers, pointers and unions of them, for which all bits zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte.try_into().unwrap();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI).try_into().unwrap();
    // SAFETY: the pointer is to a live `ifreq`, whose name ends in a zero byte; `file` is open.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    file
}

#[test]
#[ignore = "needs root"]
fn packets_that_fail_do_not_stop_the_others() {
    let _namespace = link();
    ip("link add idle type veth peer name other");
    let mut log = NflogSocket::open(GROUP).unwrap();
    let sender = NetworkSender::open().unwrap();
    let (good, longer, odd) = (four(60), four(3000), [0x50; 40]);
    let (left, idle) = (index("left"), index("idle"));
    let to = |interface, packet| Outgoing { interface, link_address: RIGHT, packet };
    assert_eq!(sender.send(&[]), 0);
    let mut packets = vec![to(9999, &good[..]); 3]; // gone
    packets.push(to(left, &good));
    packets.push(to(idle, &good));
    packets.push(to(left, &longer));
    packets.push(to(left, &odd));
    packets.push(Outgoing { link_address: &[2; 20], ..to(left, &good) });
    packets.extend([to(left, &good[..]); 100]); // into the second chunk
    packets.push(to(0, &good));
    packets.push(to(left, &good));
    assert_eq!(sender.send(&packets), 102);
    assert_eq!(logged(&mut log).len(), 102);
}

#[test]
#[ignore = "needs root"]
fn the_mtu_is_that_of_the_interface_in_this_namespace() {
    let _namespace = link();
    ip("link set left mtu 1280");
    assert_eq!(mtu(index("left")).unwrap(), 1280);
    assert_eq!(mtu(index("lo")).unwrap(), 65_536);
    assert_eq!(mtu(9999).unwrap_err().raw_os_error(), Some(libc::ENODEV));
}
