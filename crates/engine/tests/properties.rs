//! What holds whatever comes: no ban without proof, and none of the never-ban set.
//!
//! Sequences that look random and are the same each time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::net::IpAddr;
use std::time::Duration;

use vauban_engine::event::{
    Checksum, Command, Contact, Event, EventKind, Facts, Guess, Probe, Stage,
};
use vauban_engine::flags::TcpFlags;
use vauban_engine::output::{Block, BlockOp, Notice, Output};
use vauban_engine::policy::{Allowed, Unproven};
use vauban_engine::{Engine, Policy, Port, Prefix, Timestamp};

const SOURCES: [&str; 10] = [
    "192.0.2.9",
    "192.0.2.10",
    "192.0.2.254", // a gateway, at times
    "203.0.113.7", // allowed
    "198.51.100.1",
    "127.0.0.1",
    "2001:db8:2::1",
    "2001:db8:2::2",
    "2001:db8:5::8", // its /64 holds an allowed address
    "2001:db8:1::7", // on a link of this host, at times
];

const SAID: [&[u8]; 4] = [
    b"",
    b"SSH-2.0-Go\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: null\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn small(&mut self, sides: u16) -> u16 {
        u16::try_from(self.roll(u64::from(sides))).unwrap()
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::from(self.small(u16::try_from(items.len()).unwrap()))]
    }

    fn source(&mut self) -> IpAddr {
        self.one_of(&SOURCES).parse().unwrap()
    }

    fn port(&mut self) -> Port {
        let number = 80 + self.small(12);
        self.one_of(&[Port::tcp(number), Port::tcp(23), Port::tcp(993), Port::udp(number)])
    }

    /// Mostly soon, at times much later.
    fn span(&mut self) -> Duration {
        let most = self.one_of(&[10, 1_000, 1_000, 5_000, 100_000]);
        Duration::from_millis(self.roll(most))
    }

    fn probe(&mut self) -> EventKind {
        EventKind::Probe(Probe {
            source: self.source(),
            destination: self.source(),
            source_port: self.small(3),
            port: self.port(),
            flags: TcpFlags(u8::try_from(self.small(256)).unwrap()),
            checksum: self.one_of(&[Checksum::Good, Checksum::Bad, Checksum::Unknown]),
            stage: self.one_of(&[
                None,
                Some(Stage::Below),
                Some(Stage::Trigger),
                Some(Stage::Suspect),
            ]),
            decoy: self.roll(2) == 0,
            zone: None,
            bytes: vec![0x45],
        })
    }

    fn guess(&mut self) -> EventKind {
        EventKind::Guess(Guess { source: self.source(), port: self.port() })
    }

    fn contact(&mut self) -> EventKind {
        EventKind::Contact(Contact {
            source: self.source(),
            destination: self.source(),
            source_port: self.small(3),
            port: self.port(),
            flags: TcpFlags::ACK,
            said: self.one_of(&SAID).to_vec(),
            bytes: vec![0x45],
        })
    }

    fn command(&mut self) -> EventKind {
        let source = self.source();
        EventKind::Command(match self.roll(10) {
            0 => Command::UnbanAll,
            1..4 => Command::Unban(source),
            4 => Command::Allow {
                prefix: Prefix::new(source, self.one_of(&[24, 32])).unwrap(),
                length: (self.roll(2) == 0).then(|| self.span()),
                comment: String::new(),
            },
            5 => Command::Disallow(Prefix::host(source)),
            _ => Command::Ban {
                subject: Prefix::new(source, self.one_of(&[24, 32])).unwrap(),
                length: (self.roll(2) == 0).then(|| self.span().into()),
                reason: String::new(),
            },
        })
    }

    fn facts(&mut self) -> EventKind {
        let mut facts = Facts { own: vec!["198.51.100.1".parse().unwrap()], ..Facts::default() };
        if self.roll(2) == 0 {
            facts.gateways.push("192.0.2.254".parse().unwrap());
        }
        if self.roll(2) == 0 {
            facts.on_link.push("2001:db8:1::/64".parse().unwrap());
            facts.own.push("2001:db8:1::1".parse().unwrap());
        }
        EventKind::Facts(facts)
    }

    fn held(&mut self) -> EventKind {
        let subject = Prefix::host(self.source());
        EventKind::Held(vec![Block { subject, remaining: Some(self.span()) }])
    }

    fn anything(&mut self) -> EventKind {
        match self.roll(20) {
            0 => self.command(),
            1 => self.facts(),
            2 => self.held(),
            3..6 => self.guess(),
            6..11 => self.probe(),
            _ => self.contact(),
        }
    }
}

fn policy(unproven: Unproven) -> Policy {
    let allow = |text: &str| Allowed { prefix: text.parse().unwrap(), comment: None };
    let mut policy = Policy { unproven, ..Policy::default() };
    policy.allow = vec![allow("203.0.113.0/24"), allow("2001:db8:5::9")];
    policy
}

#[test]
fn no_probes_and_guesses_ever_ban_who_has_proven_nothing() {
    for unproven in [Unproven::Decoy, Unproven::Drop] {
        for seed in 0..50 {
            let mut dice = Dice(seed);
            let mut engine = Engine::new(policy(unproven));
            let mut suspects = 0;
            let mut at = Timestamp::default();
            for _ in 0..1_000 {
                at = at.plus(dice.span());
                let kind = if dice.roll(3) == 0 { dice.guess() } else { dice.probe() };
                engine.handle(Event { at, kind });
                while let Some(output) = engine.poll_output() {
                    match output {
                        Output::Announce(Notice::Suspected { .. }) => suspects += 1,
                        Output::Announce(Notice::Refused { .. }) => {}
                        other => panic!("{unproven:?}, seed {seed}: {other:?}"),
                    }
                }
            }
            assert!(suspects > 0 && engine.bans().next().is_none(), "seed {seed}");
        }
    }
}

#[test]
fn nothing_ever_blocks_or_cuts_off_the_never_ban_set() {
    for unproven in [Unproven::Decoy, Unproven::Drop, Unproven::Ban] {
        let (mut blocks, mut severed) = (0, 0);
        for seed in 0..50 {
            let mut dice = Dice(1_000 + seed);
            let mut engine = Engine::new(policy(unproven));
            let mut at = Timestamp::default();
            let mut check = |engine: &mut Engine| {
                while let Some(output) = engine.poll_output() {
                    let Output::Apply(batch) = output else { continue };
                    for op in &batch.ops {
                        let subject = match op {
                            BlockOp::Block(block) => block.subject,
                            BlockOp::Sever(subject) => *subject,
                            _ => continue,
                        };
                        blocks += u32::from(matches!(op, BlockOp::Block(_)));
                        severed += u32::from(matches!(op, BlockOp::Sever(_)));
                        let hit = engine.never().hit(&subject);
                        assert_eq!(hit, None, "{unproven:?}, seed {seed}: {op:?}");
                    }
                }
            };
            for _ in 0..1_000 {
                at = at.plus(dice.span());
                // What time brings is judged by the facts of before.
                engine.handle_timeout(at);
                check(&mut engine);
                engine.handle(Event { at, kind: dice.anything() });
                check(&mut engine);
            }
        }
        assert!(blocks > 100 && severed > 100, "{unproven:?}: {blocks} {severed}");
    }
}
