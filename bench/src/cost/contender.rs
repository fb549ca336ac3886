//! One contender of the cost measurement: its lab, what is switched, and its figures.

use std::net::IpAddr;

use crate::blaster::{Blaster, CALL};
use crate::contenders::{BENCH_TABLE, PortSentry, Programs, switch};
use crate::frames::{ACK, RST_ACK, Segment};
use crate::lab::{Lab, SCANNER};
use crate::statistics::{Tenths, median};
use crate::trouble::{Outcome, Trouble};

/// Bursts before each run, to fill the caches again after the switch.
const WARM_UP: usize = 5;

/// A port of the victim that nobody serves.
const CLOSED_PORT: u16 = 4_444;

/// What a packet meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The way in over IPv4.
    In4,
    /// The way in over IPv6.
    In6,
    /// The way in over IPv4, and that of its answer out.
    InOut4,
}

impl Way {
    /// A segment that the filter takes for one of an established connection, as it does any with
    /// ACK and without SYN, to a port where nobody is. No stack answers a reset, so that nothing
    /// but its way in is measured; any other segment is answered by one (RFC 9293 section
    /// 3.10.7.1).
    fn segment(self) -> Segment {
        let source = match self {
            Self::In4 | Self::InOut4 => IpAddr::V4(SCANNER),
            // Behind a router: such sources are known by their /64, and looked up twice.
            Self::In6 => IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, 9]),
        };
        let flags = if self == Self::InOut4 { ACK } else { RST_ACK };
        Segment { source, source_port: 40_000, port: CLOSED_PORT, flags }
    }
}

/// What is switched between the two runs of a pair.
pub enum Switch {
    /// Nothing, but by the same command: what is left of the difference is noise.
    Nothing,
    /// The hooks of these tables.
    Tables(Vec<String>),
    /// The hooks of one of two tables: the first without, the second with.
    Either([&'static str; 2]),
    /// A daemon, started and ended.
    PortSentry(Option<PortSentry>),
}

/// One of them.
pub struct Contender {
    /// For the table.
    pub name: String,
    /// What its packets meet.
    pub way: Way,
    lab: Lab,
    blaster: Blaster,
    switch: Switch,
    /// A pair in every so many rounds.
    every: usize,
    /// What it may add at most, where it is measured against another program.
    pub goal: Option<Tenths>,
    /// What came out, pair by pair.
    pub pairs: Vec<Pair>,
}

/// What a packet took in two runs next to each other.
#[derive(Clone, Copy)]
pub struct Pair {
    /// Without what is measured.
    pub without: Tenths,
    /// With it.
    pub with: Tenths,
}

impl Pair {
    /// What it took more.
    pub const fn added(&self) -> Tenths {
        self.with - self.without
    }
}

impl Contender {
    /// In a lab of its own.
    pub fn new(name: &str, way: Way, switch: Switch) -> Outcome<Self> {
        let lab = Lab::build()?;
        let blaster = Blaster::start(&lab, way.segment().frame());
        Ok(Self {
            name: name.into(),
            way,
            lab,
            blaster,
            switch,
            every: 1,
            goal: None,
            pairs: Vec::new(),
        })
    }

    /// Makes a pair only in every so many rounds.
    pub fn every(mut self, rounds: usize) -> Self {
        self.every = rounds;
        self
    }

    /// It may add so much.
    pub fn at_most(mut self, goal: Option<Tenths>) -> Self {
        self.goal = goal;
        self
    }

    /// Whether it is measured against another program, and not against none.
    pub fn is_comparison(&self) -> bool {
        matches!(self.switch, Switch::Either(_))
    }

    /// Does something on the victim before the first pair.
    pub fn prepared(self, what: impl FnOnce() -> Outcome<()> + Send) -> Outcome<Self> {
        self.lab.on_victim(what)?;
        Ok(self)
    }

    fn set(&mut self, on: bool, programs: &Programs) -> Outcome<()> {
        match &mut self.switch {
            Switch::Nothing => self.lab.on_victim(|| switch(BENCH_TABLE, false)),
            Switch::Tables(tables) => {
                self.lab.on_victim(|| tables.iter().try_for_each(|table| switch(table, on)))
            }
            Switch::Either([first, second]) => {
                let (first, second) = (*first, *second);
                self.lab.on_victim(|| {
                    // Never both.
                    let (off, on) = if on { (first, second) } else { (second, first) };
                    switch(off, false)?;
                    switch(on, true)
                })
            }
            Switch::PortSentry(held) => {
                *held = None;
                if on {
                    *held = Some(programs.portsentry(&self.lab)?);
                }
                Ok(())
            }
        }
    }

    /// One run: tenths of a nanosecond per packet, in the middle one of its bursts.
    fn slice(&mut self, on: bool, bursts: usize, programs: &Programs) -> Outcome<Tenths> {
        self.set(on, programs)?;
        self.blaster.blast(WARM_UP)?;
        let count = u128::try_from(CALL).unwrap_or(1);
        let times = self.blaster.blast(bursts)?.into_iter();
        let times: Vec<Tenths> = times
            .map(|time| Tenths::try_from(time.as_nanos() * 10 / count).unwrap_or(Tenths::MAX))
            .collect();
        Ok(median(&times))
    }

    /// Whether it is the one that shows the noise of its way.
    pub fn is_noise(&self) -> bool {
        matches!(self.switch, Switch::Nothing)
    }

    /// Makes a pair, if it is its turn, with and without in an order that alternates.
    pub fn take_turn(&mut self, round: usize, bursts: usize, programs: &Programs) -> Outcome<()> {
        if !round.is_multiple_of(self.every) {
            return Ok(());
        }
        let on_first = (round / self.every).is_multiple_of(2);
        let first = self.slice(on_first, bursts, programs)?;
        let second = self.slice(!on_first, bursts, programs)?;
        let (with, without) = if on_first { (first, second) } else { (second, first) };
        self.pairs.push(Pair { without, with });
        Ok(())
    }

    /// All runs without.
    pub fn without(&self) -> Vec<Tenths> {
        self.pairs.iter().map(|pair| pair.without).collect()
    }

    /// All differences.
    pub fn added(&self) -> Vec<Tenths> {
        self.pairs.iter().map(Pair::added).collect()
    }

    /// The middle one of the pairs' ratios, in thousandths.
    pub fn ratio(&self) -> i64 {
        let ratio = |pair: &Pair| pair.with.saturating_mul(1_000) / pair.without.max(1);
        median(&self.pairs.iter().map(ratio).collect::<Vec<_>>())
    }

    /// The quarter of the pairs that took least time: those that nobody disturbed.
    pub fn fastest(&self) -> Vec<Pair> {
        let mut pairs = self.pairs.clone();
        pairs.sort_by_key(|pair| pair.with + pair.without);
        pairs.truncate(pairs.len().div_ceil(4));
        pairs
    }

    /// Packets that the victim's IP layer received (proc_pid_net(5)).
    fn received(&self) -> Outcome<u64> {
        let v6 = self.way == Way::In6;
        self.lab.on_victim(move || {
            // IPv6: a name and a number a line. IPv4: a line of names, then one of numbers, the
            // third of which is InReceives.
            let (file, line, column) =
                if v6 { ("snmp6", "Ip6InReceives", 1) } else { ("snmp", "Ip:", 3) };
            let text = std::fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
            text.lines()
                .rfind(|candidate| candidate.starts_with(line))
                .and_then(|line| line.split_whitespace().nth(column)?.parse().ok())
                .ok_or(Trouble::new("the kernel does not say how much it received"))
        })
    }

    /// Whether all that was sent arrived; otherwise the figures are about something else.
    pub fn check(&self, bursts: usize) -> Outcome<()> {
        let sent =
            u64::try_from(self.pairs.len() * 2 * (bursts + WARM_UP) * CALL).unwrap_or(u64::MAX);
        let received = self.received()?;
        if received < sent - sent / 1000 {
            let name = &self.name;
            return Err(Trouble::new(format!("{name}: {received} of {sent} packets arrived")));
        }
        Ok(())
    }
}
