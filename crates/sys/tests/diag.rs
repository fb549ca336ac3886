//! Sockets of a namespace: what is served, what is connected, and ending connections.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]

mod namespace;

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use namespace::{Namespace, run};
use vauban_sys::diag::{Listener, destroy, has_connection, has_connection_on, listeners};
use vauban_sys::network::{NetworkSender, Outgoing};

/// A listener, both ends of a connection to it, and their addresses as seen from the listener.
struct Connection {
    _listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
}

fn connect(listen: &str, target: &str) -> Connection {
    let listener = TcpListener::bind(listen).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect((target, port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    let (local, peer) = (client.peer_addr().unwrap(), client.local_addr().unwrap());
    Connection { _listener: listener, client, server, local, peer }
}

/// Waits for what does not come at once: a socket that was closed lives on for the moment in which
/// a program that another test starts holds a copy of it.
fn eventually(condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(2);
    while !condition() {
        assert!(Instant::now() < limit, "not within two seconds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the owner of the socket is told that it was ended.
fn is_aborted(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0]) {
        Err(error) => error.kind() != ErrorKind::WouldBlock,
        Ok(_) => panic!("nothing was sent, and nobody closed"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A SYN from 192.0.2.9:4000 to a port of 192.0.2.1.
fn syn(port: u16) -> Vec<u8> {
    let sum = |bytes: &[u8]| {
        let sum: u32 = bytes.chunks(2).map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum();
        !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()
    };
    let mut ip = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1];
    let of_ip = sum(&ip);
    ip[10..12].copy_from_slice(&of_ip.to_be_bytes());
    let mut tcp = vec![0; 20];
    tcp[..2].copy_from_slice(&4000u16.to_be_bytes());
    tcp[2..4].copy_from_slice(&port.to_be_bytes());
    tcp[12..16].copy_from_slice(&[0x50, 2, 0xff, 0xff]);
    let of_tcp = sum(&[&ip[12..20], &[0, 6, 0, 20], &tcp[..]].concat());
    tcp[16..18].copy_from_slice(&of_tcp.to_be_bytes());
    [ip, tcp].concat()
}

fn index(interface: &str) -> u32 {
    let shown = run("ip", &["-o", "link", "show", interface]);
    shown.split(':').next().unwrap().parse().unwrap()
}

/// A link whose left end is 192.0.2.1; the index of its right end.
fn link() -> u32 {
    let ip = |arguments: &str| run("ip", &arguments.split(' ').collect::<Vec<_>>());
    ip("link add left address 02:00:00:00:00:01 type veth peer name right");
    ip("link set left up");
    ip("link set right up");
    ip("addr add 192.0.2.1/24 dev left");
    index("right")
}

#[test]
#[ignore = "needs root"]
fn ports_are_listed_once_for_each_address_they_are_bound_to() {
    let _namespace = Namespace::enter();
    assert_eq!(listeners().unwrap(), []);
    let _tcp = [
        TcpListener::bind("127.0.0.1:22").unwrap(),
        TcpListener::bind("[::1]:22").unwrap(),
        TcpListener::bind("[::]:80").unwrap(),
    ];
    let _udp = [UdpSocket::bind("0.0.0.0:53").unwrap(), UdpSocket::bind("[::1]:546").unwrap()];
    let connected = UdpSocket::bind("127.0.0.1:5000").unwrap();
    connected.connect("127.0.0.1:53").unwrap();
    let connection = connect("127.0.0.1:443", "127.0.0.1");
    let served = |protocol, port| Listener { protocol, port, address: None };
    let at = |protocol, port, address: &str| Listener {
        protocol,
        port,
        address: Some(address.parse().unwrap()),
    };
    let expected = [
        at(6, 22, "127.0.0.1"),
        at(6, 22, "::1"),
        served(6, 80),
        at(6, 443, "127.0.0.1"),
        served(17, 53),
        at(17, 546, "::1"),
    ];
    assert_eq!(listeners().unwrap(), expected);
    drop(connection);
    eventually(|| !listeners().unwrap().contains(&at(6, 443, "127.0.0.1")));
}

#[test]
#[ignore = "needs root"]
fn a_listener_is_no_connection_and_an_established_one_is() {
    let _namespace = Namespace::enter();
    for (listen, target) in
        [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1")]
    {
        let c = connect(listen, target);
        assert!(has_connection(c.local, c.peer).unwrap(), "{listen}");
        assert!(has_connection(c.peer, c.local).unwrap(), "{listen}"); // the client's own end
        assert!(has_connection_on(1, c.local, c.peer).unwrap());
        let other = SocketAddr::new(c.peer.ip(), c.peer.port() ^ 1);
        assert!(!has_connection(c.local, other).unwrap());
        let nobody = SocketAddr::new(c.local.ip(), c.local.port() ^ 1);
        assert!(!has_connection(nobody, other).unwrap());
        if let (IpAddr::V4(local), IpAddr::V4(peer)) = (c.local.ip(), c.peer.ip()) {
            let mapped = |ip: std::net::Ipv4Addr, port| (ip.to_ipv6_mapped(), port).into();
            let (local, peer) = (mapped(local, c.local.port()), mapped(peer, c.peer.port()));
            assert!(has_connection(local, peer).unwrap(), "{listen}");
            assert!(!has_connection(c.local, (Ipv6Addr::LOCALHOST, 9).into()).unwrap());
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_half_open_connection_is_one() {
    let _namespace = Namespace::enter();
    let index = link();
    // The SYN comes from a host that is not there, so nobody resets the answer.
    for listen in ["192.0.2.1:7000", "[::]:7001"] {
        let listener = TcpListener::bind(listen).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (local, peer) =
            (SocketAddr::new(ip("192.0.2.1"), port), (ip("192.0.2.9"), 4000).into());
        assert!(!has_connection(local, peer).unwrap());
        let packet = syn(port);
        let out = Outgoing { interface: index, link_address: &[2, 0, 0, 0, 0, 1], packet: &packet };
        assert_eq!(NetworkSender::open().unwrap().send(&[out]), 1);
        eventually(|| has_connection(local, peer).unwrap());
        assert_eq!(destroy((ip("192.0.2.9"), 32)).unwrap(), 1, "{listen}");
        assert!(!has_connection(local, peer).unwrap(), "{listen}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_connection_in_time_wait_is_one() {
    let _namespace = Namespace::enter();
    let c = connect("127.0.0.1:0", "127.0.0.1");
    drop(c.server); // who closes first, waits
    drop(c.client);
    eventually(|| run("ss", &["-tan"]).contains("TIME-WAIT"));
    assert!(has_connection(c.local, c.peer).unwrap());
    assert_eq!(destroy((ip("127.0.0.1"), 32)).unwrap(), 1);
    assert!(!has_connection(c.local, c.peer).unwrap());
}

#[test]
#[ignore = "needs root"]
fn a_connection_bound_to_an_interface_is_found_there() {
    let _namespace = Namespace::enter();
    link();
    run("ip", &["addr", "add", "fe80::77/64", "dev", "left", "nodad"]);
    let index = index("left");
    let scoped = |port| {
        SocketAddr::V6(std::net::SocketAddrV6::new("fe80::77".parse().unwrap(), port, 0, index))
    };
    let _listener = TcpListener::bind(scoped(7000)).unwrap();
    let client = TcpStream::connect(scoped(7000)).unwrap();
    let port = client.local_addr().unwrap().port();
    assert!(has_connection(scoped(7000), scoped(port)).unwrap());
    assert!(has_connection_on(index, scoped(7000), scoped(port)).unwrap());
    assert!(!has_connection_on(0, scoped(7000), scoped(port)).unwrap());
}

#[test]
#[ignore = "needs root"]
fn connections_of_a_prefix_are_ended_and_no_others() {
    let _namespace = Namespace::enter();
    let plain = connect("127.0.0.1:0", "127.0.0.1");
    let dual = connect("[::]:0", "127.0.0.1");
    let six = connect("[::1]:0", "::1");
    for (prefix, length) in [("0.0.0.0", 0), ("::", 0), ("::ffff:0:0", 96)] {
        assert_eq!(destroy((ip(prefix), length)).unwrap(), 0);
    }
    for (prefix, length) in [("127.0.0.2", 32), ("128.0.0.0", 1), ("::", 128), ("8000::", 1)] {
        assert_eq!(destroy((ip(prefix), length)).unwrap(), 0, "{prefix}/{length}");
    }
    assert_eq!(destroy((ip("127.0.0.1"), 33)).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert!(!is_aborted(&plain.server) && !is_aborted(&dual.server) && !is_aborted(&six.server));

    // An IPv6 prefix around the IPv4 addresses in IPv6 form does not cover them.
    assert!((1..=2).contains(&destroy((ip("::"), 64)).unwrap()));
    assert!(is_aborted(&six.server) && is_aborted(&six.client));
    assert!(!is_aborted(&plain.server) && !is_aborted(&dual.server));

    // Two connections of two ends each; to end one end may end the other before its turn.
    assert!((2..=4).contains(&destroy((ip("127.0.0.0"), 8)).unwrap()));
    for stream in [&plain.server, &plain.client, &dual.server, &dual.client] {
        assert!(is_aborted(stream));
    }
    assert!(!has_connection(plain.local, plain.peer).unwrap());
    assert!(!has_connection(dual.local, dual.peer).unwrap());
    // The listeners are still there.
    assert_eq!(listeners().unwrap().len(), 3);
}

#[test]
#[ignore = "needs root"]
fn a_look_up_takes_microseconds() {
    let _namespace = Namespace::enter();
    let c = connect("127.0.0.1:0", "127.0.0.1");
    let start = Instant::now();
    for _ in 0..1000 {
        assert!(has_connection(c.local, c.peer).unwrap());
    }
    let look_up = start.elapsed() / 1000;
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(destroy((ip("192.0.2.0"), 24)).unwrap(), 0);
    }
    println!("a look-up {look_up:?}; a filtered list {:?}", start.elapsed() / 20);
    assert!(look_up < Duration::from_millis(2), "{look_up:?}"); // generous: the host may be busy
}
