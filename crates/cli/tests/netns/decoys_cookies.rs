//! Only the acknowledgement of a decoy that was received proves an address: no other number, no
//! other port, nobody else's, no repetition, and none that is old.

use std::net::IpAddr;
use std::time::Duration;

use crate::daemon::Vauban;
use crate::decoys::{
    ACK, GHOST, GHOST6, PSH, RST, SECOND, SYN, Segment, Tap, assert_is_suspect, ghosts, judged,
    proven, suspect_ghost,
};
use crate::lab::{Lab, VICTIM, VICTIM6};
use crate::process::wait_until;

/// Long enough that nothing lapses meanwhile.
const PATIENT: &str = "[trigger]\nsuspect = \"5m\"\n";

/// A crafted suspect and what it hears.
struct Stage {
    lab: Lab,
    vauban: Vauban,
    tap: Tap,
    ghost: IpAddr,
    victim: IpAddr,
}

impl Stage {
    fn new(ghost: IpAddr) -> Self {
        let lab = Lab::pair();
        ghosts(&lab);
        let vauban = Vauban::start(&lab, PATIENT);
        let tap = Tap::open(&lab, "scanner");
        suspect_ghost(&lab, &vauban, ghost);
        let victim = if ghost.is_ipv4() { VICTIM } else { VICTIM6 };
        Self { lab, vauban, tap, ghost, victim }
    }

    /// Gets a decoy: the SYN, and the acknowledgement that would complete the handshake.
    fn decoy(&self, ports: (u16, u16)) -> (Segment, Segment) {
        let syn = Segment::syn(self.ghost, self.victim, ports);
        let answer = self.tap.ask(&self.lab, &syn);
        assert_eq!(answer.flags, SYN | ACK, "{answer:?}");
        assert_eq!(answer.acknowledgment, syn.sequence + 1);
        let completing = syn.completing(answer.sequence);
        (syn, completing)
    }

    fn number(&self, name: &str) -> u64 {
        self.vauban.json("status")["decoys"][name].as_u64().unwrap()
    }

    /// A wrong acknowledgement gets the RST that the host would have sent, and is counted.
    fn is_refused(&self, what: &str, segment: &Segment) {
        let guesses = self.number("guesses");
        let answer = self.tap.ask(&self.lab, segment);
        assert_eq!(answer.flags, RST, "{what}: {answer:?}");
        assert_eq!(answer.sequence, segment.acknowledgment, "{what}: {answer:?}");
        wait_until(what, Duration::from_secs(2), || self.number("guesses") == guesses + 1);
    }

    fn assert_nothing_proven(&self) {
        judged();
        self.vauban.settle();
        assert_eq!(proven(&self.vauban, self.ghost), [""; 0]);
        assert_eq!(self.number("contacts"), 0);
        assert_is_suspect(&self.vauban, self.ghost);
    }
}

fn others_prove_nothing(ghost: IpAddr) {
    let stage = Stage::new(ghost);
    let (_, right) = stage.decoy((40_000, 201));
    for wrong in [1, 1 << 16, 1 << 31, u32::MAX] {
        let acknowledgment = right.acknowledgment.wrapping_add(wrong);
        stage.is_refused("another number", &Segment { acknowledgment, ..right.clone() });
    }
    let sequence = right.sequence + 1;
    stage.is_refused("another sequence number", &Segment { sequence, ..right.clone() });
    stage.is_refused("another port", &Segment { ports: (40_000, 202), ..right.clone() });
    stage.is_refused("another source port", &Segment { ports: (40_001, 201), ..right.clone() });
    stage.is_refused(
        "with data",
        &Segment {
            ports: (40_000, 203),
            flags: ACK | PSH,
            payload: b"hello".to_vec(),
            ..right.clone()
        },
    );
    // Of no decoy at all.
    let none = Segment::syn(stage.ghost, stage.victim, (41_000, 204)).completing(4711);
    stage.is_refused("of no decoy", &none);
    if stage.ghost.is_ipv4() {
        suspect_ghost(&stage.lab, &stage.vauban, SECOND);
        stage.is_refused("of another address", &Segment { from: SECOND, ..right.clone() });
        assert_eq!(proven(&stage.vauban, SECOND), [""; 0]);
    }
    stage.assert_nothing_proven();
    let guesses = stage.vauban.explain(stage.ghost)["guesses"].as_u64().unwrap();
    assert_eq!(guesses, 9, "those in its own name");
    assert!(stage.number("resets") >= 9);
    // A RST that repeats the number, as an innocent's stack sends it, is none.
    let reset = Segment { flags: RST, sequence: right.acknowledgment, ..right.clone() };
    assert!(stage.tap.try_ask(&stage.lab, &reset).is_none());
    // And damaged ones are thrown away as the host would.
    let damaged = Segment { damage: 0x5555, ..right.clone() };
    assert!(stage.tap.try_ask(&stage.lab, &damaged).is_none());
    stage.assert_nothing_proven();

    // The right one does prove it, after all.
    assert!(stage.tap.try_ask(&stage.lab, &right).is_none());
    wait_until("it is proven", Duration::from_secs(4), || {
        proven(&stage.vauban, stage.ghost) == ["tcp/201"]
    });
}

#[test]
#[ignore = "needs root"]
fn what_acknowledges_no_decoy_of_its_own_proves_nothing() {
    others_prove_nothing(GHOST);
}

#[test]
#[ignore = "needs root"]
fn what_acknowledges_no_decoy_of_its_own_proves_nothing_over_ipv6() {
    others_prove_nothing(GHOST6);
}

/// The same acknowledgement again and again is one contact.
#[test]
#[ignore = "needs root"]
fn a_repeated_contact_counts_once() {
    let stage = Stage::new(GHOST);
    for port in [201, 202] {
        let (_, right) = stage.decoy((40_000, port));
        for _ in 0..10 {
            crate::decoys::send_from(&stage.lab, "scanner", "eth0", vec![right.frame(); 3]);
        }
        let said = Segment { flags: ACK | PSH, payload: b"hello".to_vec(), ..right.clone() };
        crate::decoys::send_from(&stage.lab, "scanner", "eth0", vec![said.frame(); 10]);
    }
    judged();
    assert_is_suspect(&stage.vauban, GHOST);
    assert_eq!(proven(&stage.vauban, GHOST), ["tcp/201", "tcp/202"]);
    // Neither guesses nor refusals: they belong to what has been proven.
    assert_eq!((stage.number("guesses"), stage.number("resets")), (0, 0));
    // A third port is a ban.
    let (_, right) = stage.decoy((40_000, 203));
    assert!(stage.tap.try_ask(&stage.lab, &right).is_none());
    stage.vauban.banned(GHOST);
}

/// Takes more than a minute: a decoy's number holds for 32 to 64 seconds.
#[test]
#[ignore = "needs root"]
fn an_old_acknowledgement_proves_nothing_in_a_minute_and_five_seconds() {
    let stage = Stage::new(GHOST);
    let old: Vec<Segment> = [201, 202, 203].map(|port| stage.decoy((40_000, port)).1).to_vec();
    std::thread::sleep(Duration::from_secs(65));
    for segment in &old {
        stage.is_refused("too old", segment);
    }
    stage.assert_nothing_proven();
    let (_, right) = stage.decoy((40_000, 204));
    assert!(stage.tap.try_ask(&stage.lab, &right).is_none());
    wait_until("a new one proves", Duration::from_secs(4), || {
        proven(&stage.vauban, GHOST) == ["tcp/204"]
    });
}

/// Who guesses blindly a hundred times in somebody's name makes a single proof of that name worthless
/// for a while, so that no lucky hit bans it. Three are no luck.
#[test]
#[ignore = "needs root"]
fn many_guesses_suspend_proof_by_a_trap_port_alone() {
    let stage = Stage::new(GHOST);
    let syn = Segment::syn(GHOST, VICTIM, (40_000, 201));
    let guesses = (1..=100).map(|number| syn.completing(number * 7919).frame()).collect();
    crate::decoys::send_from(&stage.lab, "scanner", "eth0", guesses);
    wait_until("they are counted", Duration::from_secs(3), || stage.number("guesses") == 100);
    let prove = |port| {
        let (_, right) = stage.decoy((40_000, port));
        assert!(stage.tap.try_ask(&stage.lab, &right).is_none());
        judged();
    };
    prove(23);
    assert_is_suspect(&stage.vauban, GHOST);
    assert_eq!(proven(&stage.vauban, GHOST), ["tcp/23"]);
    let text = stage.vauban.verb(&format!("explain {GHOST}")).success();
    assert!(text.contains("100 wrong acknowledgements in its name: a trap port alone"), "{text}");
    prove(202);
    prove(203);
    assert_eq!(stage.vauban.state(GHOST), "banned");
}
