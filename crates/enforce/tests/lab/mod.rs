//! Two namespaces with a link: one holds the kernel program and listens to its copies, frames are
//! sent from the other.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use vauban_enforce::backends::{EnforcerKind, build};
use vauban_enforce::{Reply, Request, Service};
use vauban_engine::event::{Facts, Probe};
use vauban_engine::{Policy, Port, Protocol};
use vauban_sys::frame::FrameSender;
use vauban_sys::netns;
use vauban_sys::nflog::NflogSocket;

/// The address of the namespace with the program.
pub const TARGET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// A probe to send.
#[derive(Clone, Copy)]
pub struct Sent {
    pub source: Ipv4Addr,
    pub source_port: u16,
    pub port: Port,
    pub flags: u8,
}

impl Sent {
    pub fn tcp(source: Ipv4Addr, port: u16) -> Self {
        Self { source, source_port: 40_000, port: Port::tcp(port), flags: 2 }
    }

    pub fn udp(source: Ipv4Addr, port: u16) -> Self {
        Self { source, source_port: 45_000, port: Port::udp(port), flags: 0 }
    }

    /// As user space would read it.
    pub fn probe(&self) -> Probe {
        vauban_packet::probe(&self.packet(), None).unwrap()
    }

    pub fn packet(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        segment.extend(self.source_port.to_be_bytes());
        segment.extend(self.port.number.to_be_bytes());
        let (number, checksum_at) = match self.port.protocol {
            Protocol::Tcp => {
                segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, self.flags, 4, 0, 0, 0, 0, 0]);
                (6_u8, 16)
            }
            Protocol::Udp => {
                segment.extend([0, 12, 0, 0, b'p', b'i', b'n', b'g']);
                (17, 6)
            }
        };
        let length = u16::try_from(segment.len()).unwrap();
        let mut pseudo: Vec<u8> = [self.source.octets(), TARGET.octets()].concat();
        pseudo.extend([0, number]);
        pseudo.extend(length.to_be_bytes());
        pseudo.extend(&segment);
        segment[checksum_at..checksum_at + 2].copy_from_slice(&checksum(&pseudo).to_be_bytes());

        let mut packet = vec![0x45, 0];
        packet.extend((20 + length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, number, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(TARGET.octets());
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(segment);
        packet
    }
}

/// RFC 1071.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// A copy that came back.
#[derive(Debug)]
pub struct Copied {
    pub prefix: String,
    pub source: Ipv4Addr,
    pub port: Port,
}

/// The namespaces, the loaded program, and both ends.
pub struct Lab {
    names: [String; 2],
    sender: FrameSender,
    socket: NflogSocket,
    _service: Service,
    waiting: VecDeque<Copied>,
}

static LABS: AtomicU32 = AtomicU32::new(0);

impl Lab {
    pub fn new(policy: &Policy) -> Self {
        let id = format!("{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let names = [format!("vauban-agree-{id}-k"), format!("vauban-agree-{id}-s")];
        let [kernel, sender] = &names;
        for line in [
            format!("netns add {kernel}"),
            format!("netns add {sender}"),
            format!(
                "link add k0 netns {kernel} address 02:00:00:00:00:01 type veth \
                 peer name s0 netns {sender} address 02:00:00:00:00:02"
            ),
            format!("-n {kernel} addr add {TARGET}/24 dev k0"),
            format!("-n {kernel} link set lo up"),
            format!("-n {kernel} link set k0 up"),
            format!("-n {sender} link set s0 up"),
        ] {
            let status = Command::new("ip").args(line.split_whitespace()).status();
            assert!(
                status.expect("ip is missing: apt install iproute2").success(),
                "ip {line} (root needed)"
            );
        }
        let path = |name: &str| PathBuf::from("/run/netns").join(name);
        let group = policy.kernel.group;
        let (kernel, policy) = (path(kernel), policy.clone());
        let (socket, service) = std::thread::spawn(move || {
            netns::enter(&kernel).unwrap();
            let socket = NflogSocket::open(group).unwrap();
            let mut service = Service::new(build(EnforcerKind::Nftables).unwrap());
            let reply = service.handle(Request::Load(Box::new(policy), Facts::default()));
            assert_eq!(reply, Reply::Done);
            // Nobody answers here, but copies for decoys are what is looked at.
            let answering = Request::Answering(Duration::from_secs(600));
            assert_eq!(service.handle(answering), Reply::Done);
            (socket, service)
        })
        .join()
        .unwrap();
        let from = path(sender);
        let sender = std::thread::spawn(move || {
            netns::enter(&from).unwrap();
            FrameSender::open("s0").unwrap()
        })
        .join()
        .unwrap();
        Self { names, sender, socket, _service: service, waiting: VecDeque::new() }
    }

    pub fn send(&self, sent: &Sent) {
        self.send_packet(&sent.packet());
    }

    /// Runs something in the namespace with the program.
    pub fn inside<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> T {
        let place = PathBuf::from("/run/netns").join(&self.names[0]);
        let thread = std::thread::spawn(move || {
            netns::enter(&place).unwrap();
            run()
        });
        thread.join().unwrap()
    }

    /// ip(8) in the namespace with the program.
    pub fn ip(&self, line: &str) {
        let words = ["-n", &self.names[0]].into_iter().chain(line.split_whitespace());
        assert!(Command::new("ip").args(words).status().unwrap().success(), "ip {line}");
    }

    /// Sends a packet, from its IP header on.
    pub fn send_packet(&self, packet: &[u8]) {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend(packet);
        assert_eq!(self.sender.send(&[&frame]).unwrap(), 1);
    }

    /// The next copy; it must come within two seconds.
    pub fn next_copy(&mut self) -> Copied {
        let started = Instant::now();
        while self.waiting.is_empty() {
            assert!(started.elapsed() < Duration::from_secs(2), "no copy came");
            self.receive();
        }
        self.waiting.pop_front().unwrap()
    }

    /// All copies, until none has come for a while.
    pub fn copies(&mut self) -> Vec<Copied> {
        loop {
            let before = self.waiting.len();
            self.receive();
            if self.waiting.len() == before {
                return self.waiting.drain(..).collect();
            }
        }
    }

    fn receive(&mut self) {
        let waiting = &mut self.waiting;
        let _ = self
            .socket
            .recv(&mut |copy| {
                let probe = vauban_packet::probe(copy.payload, None).unwrap();
                let std::net::IpAddr::V4(source) = probe.source else { panic!("not IPv4") };
                let prefix = copy.prefix.to_owned();
                waiting.push_back(Copied { prefix, source, port: probe.port });
            })
            .unwrap();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}
