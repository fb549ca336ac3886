//! The sender: one thread on one processor that sends the same frame again and again.
//!
//! On a veth pair the receiver's half of the work is done on the sender's processor, within the
//! system call that sends: the time that sending takes is the time that sending and receiving
//! take together.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vauban_sys::cpu::pin_to_cpu;
use vauban_sys::frame::FrameSender;
use vauban_sys::netns;
use vauban_sys::timer::exact_sleeps;

use crate::frames::{SYN, Segment};
use crate::lab::{INTERFACE, Lab};
use crate::trouble::{Outcome, Trouble, go_on};

/// Frames per call of [`FrameSender::send`], and between two looks at the clock: some 0.5 ms, so
/// that an interruption spoils few of many.
pub const CALL: usize = 500;

/// A sender of one frame.
pub struct Blaster {
    jobs: Option<Sender<usize>>,
    times: Receiver<Outcome<Vec<Duration>>>,
    thread: Option<JoinHandle<()>>,
}

impl Blaster {
    /// Starts the thread in a lab's scanner.
    pub fn start(lab: &Lab, frame: Vec<u8>) -> Self {
        let (jobs, inbox) = mpsc::channel::<usize>();
        let (outbox, times) = mpsc::channel();
        let path = lab.scanner_path();
        let thread = std::thread::spawn(move || {
            let sender = netns::enter(&path)
                .and_then(|()| pin_to_cpu(0))
                .and_then(|()| FrameSender::open(INTERFACE));
            for count in inbox {
                let time = match &sender {
                    Ok(sender) => send(sender, &frame, count),
                    Err(error) => Err(Trouble::new(error.to_string())),
                };
                if outbox.send(time).is_err() {
                    return;
                }
            }
        });
        Self { jobs: Some(jobs), times, thread: Some(thread) }
    }

    /// Sends so many times [`CALL`] frames, and says how long each time took.
    pub fn blast(&self, count: usize) -> Outcome<Vec<Duration>> {
        let gone = || Trouble::new("the sender's thread ended");
        self.jobs.as_ref().ok_or_else(gone)?.send(count).map_err(|_| gone())?;
        self.times.recv().map_err(|_| gone())?
    }
}

impl Drop for Blaster {
    fn drop(&mut self) {
        // Without jobs the thread ends.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn send(sender: &FrameSender, frame: &[u8], count: usize) -> Outcome<Vec<Duration>> {
    let frames = vec![frame; CALL];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let mut rest = frames.as_slice();
        while !rest.is_empty() {
            let sent = sender.send(rest)?;
            rest = rest.get(sent.max(1)..).unwrap_or_default();
        }
        times.push(started.elapsed());
    }
    Ok(times)
}

/// A flood of SYNs from forged sources, each of which tries each of some ports.
pub struct Flood<'a> {
    /// How many sources.
    pub sources: u32,
    /// Which ports each of them tries, one after the other.
    pub ports: &'a [u16],
    /// Packets per second at most; `None` as fast as it goes.
    pub rate: Option<u32>,
    /// When to stop, done or not.
    pub patience: Duration,
}

impl Flood<'_> {
    /// Sends it from the calling thread's namespace. How many packets went, and in what time.
    pub fn send(&self) -> Outcome<(u64, Duration)> {
        let sender = FrameSender::open(INTERFACE)?;
        let started = Instant::now();
        let mut sent = 0;
        let mut batch: Vec<Vec<u8>> = Vec::with_capacity(CALL);
        for number in 0..self.sources {
            for &port in self.ports {
                // 10.0.0.0/8 in an order that is not that of the addresses.
                let host = number.wrapping_mul(0x9e_3779) & 0x00ff_ffff;
                let source = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | host));
                batch.push(Segment { source, source_port: 40_000, port, flags: SYN }.frame());
            }
            if batch.len() >= self.batch_size() || number + 1 == self.sources {
                let frames: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                let mut rest = frames.as_slice();
                while !rest.is_empty() {
                    let taken = sender.send(rest)?;
                    rest = rest.get(taken.max(1)..).unwrap_or_default();
                }
                sent += u64::try_from(batch.len()).unwrap_or(u64::MAX);
                batch.clear();
                go_on()?;
                if started.elapsed() > self.patience {
                    break;
                }
                if let Some(rate) = self.rate {
                    let due = Duration::from_micros(sent * 1_000_000 / u64::from(rate.max(1)));
                    std::thread::sleep(due.saturating_sub(started.elapsed()));
                }
            }
        }
        Ok((sent, started.elapsed()))
    }

    /// Small where a pace is kept, so that it is one.
    fn batch_size(&self) -> usize {
        if self.rate.is_some() { 20 } else { CALL }
    }
}

/// The same frames again and again, for a while.
pub struct Stream<'a> {
    /// One round of them.
    pub frames: &'a [Vec<u8>],
    /// Packets per second at most; `None` as fast as it goes.
    pub rate: Option<u32>,
    /// For how long.
    pub length: Duration,
}

impl Stream<'_> {
    /// Sends them from the calling thread's namespace, on processor 0. How many packets went, and
    /// in what time.
    pub fn send(&self) -> Outcome<(u64, Duration)> {
        pin_to_cpu(0)?;
        exact_sleeps()?;
        let sender = FrameSender::open(INTERFACE)?;
        let frames: Vec<&[u8]> = self.frames.iter().map(Vec::as_slice).collect();
        // Bursts as short as the sleep between them allows.
        let chunk = if self.rate.is_some() { 10 } else { CALL };
        let started = Instant::now();
        let mut sent = 0;
        loop {
            for batch in frames.chunks(chunk) {
                let mut rest = batch;
                while !rest.is_empty() {
                    let taken = sender.send(rest)?;
                    rest = rest.get(taken.max(1)..).unwrap_or_default();
                }
                sent += u64::try_from(batch.len()).unwrap_or(u64::MAX);
                go_on()?;
                if started.elapsed() >= self.length {
                    return Ok((sent, started.elapsed()));
                }
                if let Some(rate) = self.rate {
                    let due = Duration::from_micros(sent * 1_000_000 / u64::from(rate.max(1)));
                    std::thread::sleep(due.saturating_sub(started.elapsed()));
                }
            }
        }
    }
}
