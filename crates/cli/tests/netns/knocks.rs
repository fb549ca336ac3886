//! A source that never stops sending: datagrams to a port that is served, of which each that gets
//! through is counted and answered.
//!
//! One datagram in [`EVERY`], so that a moment without protection shows if it is longer than that.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::process::wait_until;

/// Between two datagrams.
const EVERY: Duration = Duration::from_micros(200);

/// Where they are served.
const PORT: u16 = 4000;

/// A source that sends until this goes.
pub struct Knocks {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    answered: AtomicU64,
}

impl Knocks {
    /// Begins: the scanner sends to the victim.
    pub fn begin(lab: &Lab, victim: IpAddr) -> Self {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let short = Some(Duration::from_millis(50));
        let served = lab.inside("victim", || {
            UdpSocket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))).unwrap()
        });
        served.set_read_timeout(short).unwrap();
        let socket = lab.inside("scanner", move || {
            let any = if victim.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).unwrap();
            socket.connect((victim, PORT)).unwrap();
            socket
        });
        let answers = socket.try_clone().unwrap();
        answers.set_read_timeout(short).unwrap();
        let mut threads = Vec::new();
        let (halt, count) = (Arc::clone(&stop), Arc::clone(&counts));
        threads.push(std::thread::spawn(move || {
            let mut bytes = [0; 16];
            while !halt.load(Ordering::Relaxed) {
                if let Ok((size, from)) = served.recv_from(&mut bytes) {
                    count.received.fetch_add(1, Ordering::Relaxed);
                    let _ = served.send_to(&bytes[..size], from);
                }
            }
        }));
        let (halt, count) = (Arc::clone(&stop), Arc::clone(&counts));
        threads.push(std::thread::spawn(move || {
            let mut bytes = [0; 16];
            while !halt.load(Ordering::Relaxed) {
                if answers.recv(&mut bytes).is_ok() {
                    count.answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
        let (halt, count) = (Arc::clone(&stop), Arc::clone(&counts));
        threads.push(std::thread::spawn(move || {
            let mut next = Instant::now();
            while !halt.load(Ordering::Relaxed) {
                if socket.send(b"knock").is_ok() {
                    count.sent.fetch_add(1, Ordering::Relaxed);
                }
                // The pace, also after a moment without a processor.
                next += EVERY;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        }));
        let knocks = Self { stop, counts, threads };
        knocks.flow();
        knocks
    }

    /// Waits until they are answered.
    pub fn flow(&self) {
        let before = self.answered();
        let limit = Duration::from_secs(5);
        wait_until("knocks are answered", limit, || self.answered() > before + 100);
    }

    /// Waits until so many more were sent.
    pub fn send(&self, more: u64) {
        let until = self.sent() + more;
        wait_until("knocks are sent", Duration::from_secs(30), || self.sent() >= until);
    }

    /// How many were sent.
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::Relaxed)
    }

    /// How many have come through.
    pub fn received(&self) -> u64 {
        self.counts.received.load(Ordering::Relaxed)
    }

    /// How many answers have come back.
    pub fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// What has come through when no more is on its way: what was sent before a ban may still wait
    /// to be read.
    pub fn settled(&self) -> (u64, u64) {
        self.send(250);
        (self.received(), self.answered())
    }
}

impl Drop for Knocks {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
