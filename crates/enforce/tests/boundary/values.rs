//! Messages of every kind: any of them, for properties, and one of each, for pinned bytes.

use std::net::IpAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vauban_enforce::boundary::{Answer, Ask, Begin, Configuration, Said, Tell};
use vauban_enforce::message::Counter;
use vauban_engine::Prefix;
use vauban_engine::event::Facts;
use vauban_engine::output::{Batch, Block, BlockOp};

/// Any address; an IPv4 one in IPv6's clothes too.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        any::<std::net::Ipv4Addr>().prop_map(|v4| IpAddr::V6(v4.to_ipv6_mapped())),
    ]
}

pub fn prefix() -> impl Strategy<Value = Prefix> {
    (address(), 0_u8..=128)
        .prop_map(|(addr, len)| Prefix::new(addr, len).unwrap_or_else(|| Prefix::host(addr)))
}

/// Spans as the boundary carries them: 584 years at most.
fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![any::<u64>(), 0..20_u64].prop_map(Duration::from_nanos)
}

fn block() -> impl Strategy<Value = Block> {
    (prefix(), proptest::option::of(span()))
        .prop_map(|(subject, remaining)| Block { subject, remaining })
}

fn op() -> impl Strategy<Value = BlockOp> {
    prop_oneof![
        block().prop_map(BlockOp::Block),
        prefix().prop_map(BlockOp::Unblock),
        prefix().prop_map(BlockOp::Sever),
        prefix().prop_map(BlockOp::Pardon),
        Just(BlockOp::Clear),
    ]
}

pub fn facts() -> impl Strategy<Value = Facts> {
    let addresses = || vec(address(), 0..4);
    (addresses(), addresses(), vec(prefix(), 0..4), any::<u16>(), any::<u16>()).prop_map(
        |(own, gateways, on_link, first, last)| Facts {
            own,
            gateways,
            on_link,
            ephemeral: first..=last,
        },
    )
}

fn configuration() -> impl Strategy<Value = Configuration> {
    (any::<String>(), any::<String>(), any::<u32>())
        .prop_map(|(text, file, drop_ins)| Configuration { text, file, drop_ins })
}

fn begin() -> impl Strategy<Value = Begin> {
    (any::<u32>(), any::<u32>(), configuration(), any::<String>(), any::<bool>(), facts()).prop_map(
        |(uid, gid, configuration, store, dry_run, facts)| Begin {
            uid,
            gid,
            configuration,
            dry_run,
            store,
            facts,
        },
    )
}

fn counter() -> impl Strategy<Value = Counter> {
    (any::<String>(), any::<u64>(), any::<u64>()).prop_map(|(name, packets, bytes)| Counter {
        name,
        packets,
        bytes,
    })
}

/// Any question.
pub fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        8 => vec(op(), 0..20).prop_map(|ops| Ask::Apply(Batch { ops })),
        2 => span().prop_map(Ask::Answering),
        1 => Just(Ask::List),
        1 => Just(Ask::Suspects),
        1 => Just(Ask::Count),
        1 => Just(Ask::Facts),
        1 => Just(Ask::Reload),
        1 => Just(Ask::Ready),
        2 => vec(prefix(), 0..9).prop_map(Ask::Allow),
    ]
}

/// Anything that the parent says.
pub fn said() -> impl Strategy<Value = Said> {
    let answer = prop_oneof![
        1 => Just(Answer::Done),
        2 => vec(prefix(), 0..9).prop_map(Answer::Guarded),
        2 => vec(block(), 0..9).prop_map(Answer::Held),
        2 => vec(block(), 0..9).prop_map(Answer::Suspects),
        2 => vec(counter(), 0..9).prop_map(Answer::Counted),
        2 => facts().prop_map(Answer::Facts),
        1 => Just(Answer::Lost),
        1 => any::<String>().prop_map(Answer::Failed),
        1 => any::<String>().prop_map(Answer::Refused),
    ];
    let tell = prop_oneof![
        4 => begin().prop_map(|begin| Tell::Begin(Box::new(begin))),
        2 => facts().prop_map(Tell::Facts),
        1 => Just(Tell::Loaded),
        1 => Just(Tell::Changed),
        1 => configuration().prop_map(Tell::Configuration),
        1 => Just(Tell::Stop),
    ];
    prop_oneof![answer.prop_map(Said::Answer), tell.prop_map(Said::Tell)]
}

/// The name of a question's kind. Whoever adds one is sent here by the compiler, and then to
/// [`asks`].
pub fn ask_name(ask: &Ask) -> &'static str {
    match ask {
        Ask::Apply(_) => "ask-apply",
        Ask::Answering(_) => "ask-answering",
        Ask::List => "ask-list",
        Ask::Suspects => "ask-suspects",
        Ask::Count => "ask-count",
        Ask::Facts => "ask-facts",
        Ask::Reload => "ask-reload",
        Ask::Ready => "ask-ready",
        Ask::Allow(_) => "ask-allow",
    }
}

/// The same for what the parent says, and [`saids`].
pub fn said_name(said: &Said) -> &'static str {
    match said {
        Said::Answer(answer) => match answer {
            Answer::Done => "answer-done",
            Answer::Guarded(_) => "answer-guarded",
            Answer::Held(_) => "answer-held",
            Answer::Suspects(_) => "answer-suspects",
            Answer::Counted(_) => "answer-counted",
            Answer::Facts(_) => "answer-facts",
            Answer::Lost => "answer-lost",
            Answer::Failed(_) => "answer-failed",
            Answer::Refused(_) => "answer-refused",
        },
        Said::Tell(tell) => match tell {
            Tell::Begin(_) => "tell-begin",
            Tell::Facts(_) => "tell-facts",
            Tell::Loaded => "tell-loaded",
            Tell::Changed => "tell-changed",
            Tell::Configuration(_) => "tell-configuration",
            Tell::Stop => "tell-stop",
        },
    }
}

fn subject(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A host with something of everything.
fn host() -> Facts {
    Facts {
        own: ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap()).to_vec(),
        gateways: vec!["fe80::1".parse().unwrap()],
        on_link: vec![subject("2001:db8::/64")],
        ephemeral: 32768..=60999,
    }
}

fn blocks() -> Vec<Block> {
    vec![
        Block { subject: subject("198.51.100.9"), remaining: Some(Duration::from_secs(180)) },
        Block { subject: subject("2001:db8:5::/64"), remaining: None },
    ]
}

/// A question of each kind, the lists with an item of each.
pub fn asks() -> Vec<Ask> {
    let mut ops: Vec<BlockOp> = blocks().into_iter().map(BlockOp::Block).collect();
    ops.extend([
        BlockOp::Unblock(subject("198.51.100.10")),
        BlockOp::Sever(subject("2001:db8:6::/64")),
        BlockOp::Pardon(subject("2001:db8::7")),
        BlockOp::Clear,
    ]);
    vec![
        Ask::Apply(Batch { ops }),
        Ask::Answering(Duration::from_secs(4)),
        Ask::List,
        Ask::Suspects,
        Ask::Count,
        Ask::Facts,
        Ask::Reload,
        Ask::Ready,
        Ask::Allow(vec![subject("203.0.113.0/24"), subject("2001:db8:9::9")]),
    ]
}

/// The same of what the parent says.
pub fn saids() -> Vec<Said> {
    let counter = Counter { name: "probes".into(), packets: 3, bytes: 180 };
    let begin = Begin {
        uid: 990,
        gid: 991,
        configuration: Configuration {
            text: "trigger.ports = 3\n".into(),
            file: "/etc/vauban/vauban.toml".into(),
            drop_ins: 2,
        },
        dry_run: true,
        store: "/var/lib/vauban/state.db".into(),
        facts: host(),
    };
    let answers = [
        Answer::Done,
        Answer::Guarded(vec![subject("127.0.0.1"), subject("2001:db8::/64")]),
        Answer::Held(blocks()),
        Answer::Suspects(blocks()),
        Answer::Counted(vec![counter]),
        Answer::Facts(host()),
        Answer::Lost,
        Answer::Failed("nf_tables: no room".into()),
        Answer::Refused("line 3: größer".into()),
    ];
    let tells = [
        Tell::Begin(Box::new(begin)),
        Tell::Facts(host()),
        Tell::Loaded,
        Tell::Changed,
        Tell::Configuration(Configuration {
            text: "dry_run = true\n".into(),
            file: String::new(),
            drop_ins: 1,
        }),
        Tell::Stop,
    ];
    answers.map(Said::Answer).into_iter().chain(tells.map(Said::Tell)).collect()
}

/// One frame of each kind with its name, as it is sent: with its length.
pub fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let asks = asks().into_iter().map(|ask| (ask_name(&ask), ask.write()));
    let saids = saids().into_iter().map(|said| (said_name(&said), said.write()));
    asks.chain(saids).collect()
}
