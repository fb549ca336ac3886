//! What others do to the kernel's tables: noticed within a second, said, and put right.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::daemon::Vauban;
use crate::lab::{Lab, Reached, SCANNER, VICTIM};
use crate::process::{Running, wait_until};
use crate::services::Services;

/// What noticing and healing may take.
const SECOND: Duration = Duration::from_secs(1);

/// How often it has said that it has put something right.
fn healed(vauban: &Vauban) -> usize {
    vauban.log().matches(" Healed: ").count()
}

/// The program's chains, and the sets that only Vauban fills; `None` if it is not there.
fn program(lab: &Lab) -> Option<String> {
    let text = lab.run("victim", "nft -s list table inet vauban").out;
    let mut chains = text.split_once("\tchain ")?.1.to_owned();
    for set in ["never4", "never6", "exact6", "served"] {
        chains += &lab.run("victim", &format!("nft -s list set inet vauban {set}")).out;
    }
    Some(chains)
}

/// Every way in which somebody takes something away, or adds something.
#[test]
#[ignore = "needs root"]
fn what_somebody_changes_is_put_right_within_a_second() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let foreign = lab.folder().join("foreign.nft");
    let text = "flush ruleset\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input \
                priority 0\n\t\ttcp dport 22 accept\n\t}\n}\n";
    std::fs::write(&foreign, text).unwrap();
    let vauban = Vauban::start(&lab, "");
    for address in ["192.0.2.2", "203.0.113.9", "2001:db8:1::2", "2001:db8:77::1"] {
        vauban.verb(&format!("ban {address} --for 1h")).success();
    }
    let wanted = program(&lab).unwrap();
    let commands = [
        "nft flush ruleset".to_owned(),
        "nft delete table inet vauban".to_owned(),
        "nft flush set inet vauban banned4".to_owned(),
        "nft flush set inet vauban known4".to_owned(),
        "nft flush set inet vauban never4".to_owned(),
        "nft delete element inet vauban banned6 { 2001:db8:77:: }".to_owned(),
        "nft delete element inet vauban never4 { 192.0.2.1 }".to_owned(),
        "nft add element inet vauban never4 { 192.0.2.2 }".to_owned(),
        "nft add element inet vauban banned4 { 203.0.113.77 timeout 1h }".to_owned(),
        "nft insert rule inet vauban input accept".to_owned(),
        "nft flush chain inet vauban banned".to_owned(),
        "nft flush table inet vauban".to_owned(),
        format!("nft -f {}", foreign.display()),
    ];
    let mut slowest = Duration::ZERO;
    for command in commands {
        let before = healed(&vauban);
        lab.run("victim", &command).success();
        let since = Instant::now();
        let holds = |set: &str, key: &str| program(&lab).is_some() && lab.holds(set, key);
        wait_until(&format!("{command}: it is put right"), SECOND, || {
            program(&lab).as_ref() == Some(&wanted)
                && holds("banned4", "192.0.2.2")
                && holds("banned4", "203.0.113.9")
                && holds("banned6x", "2001:db8:1::2")
                && holds("banned6", "2001:db8:77::")
                && !holds("banned4", "203.0.113.77")
                && holds("known4", "192.0.2.2")
        });
        slowest = slowest.max(since.elapsed());
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent, "{command}");
        // Who only emptied the sets that name the known has changed nothing that a ban lacks.
        if !command.contains("known4") {
            wait_until(&format!("{command}: it is said"), SECOND, || healed(&vauban) > before);
        }
        assert_eq!(vauban.bans().len(), 4, "{command}");
    }
    println!("the slowest took {slowest:?}");
    // What was the others' stays.
    assert!(lab.other_rules().contains("tcp dport 22 accept"));
    assert!(!vauban.log().contains("Trouble"), "{}", vauban.log());
    assert_eq!(vauban.errors(), "");
}

/// Tools that know nothing of our table: nothing is to be put right, and nothing is said.
#[test]
#[ignore = "needs root"]
fn other_firewalls_are_none_of_our_business() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    let wanted = program(&lab);
    for command in [
        "iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
        "iptables -F",
        "iptables -X",
        "nft add table inet other",
        "nft delete table inet other",
    ] {
        lab.run("victim", command).success();
    }
    // It looks at the kernel because of them.
    vauban.verb("status").success();
    wait_until("it has looked", SECOND * 3, || {
        vauban.verb("ban 203.0.113.5 --for 1h").code == Some(0)
            && lab.holds("banned4", "203.0.113.5")
    });
    assert_eq!(program(&lab), wanted);
    assert_eq!(healed(&vauban), 0, "{}", vauban.log());
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
}

/// Processor time that a process has used, in clock ticks of a hundredth of a second (proc(5)).
fn ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime, the 14th and 15th, of which two stand before the bracket.
    [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap()).sum()
}

/// A host of containers commits all the time: that must keep nobody busy, and hide nothing.
#[test]
#[ignore = "needs root"]
fn many_commits_of_others() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    lab.nft_load("table inet other {\n\tset s {\n\t\ttype inet_service\n\t}\n}\n");
    // Some twenty commits in a second.
    let script = lab.folder().join("commits.sh");
    let text = "while :; do nft add element inet other s { 1 }; nft delete element inet other s { 1 };\
                sleep 0.08; done 2>/dev/null\n";
    std::fs::write(&script, text).unwrap();
    let mut commits = lab.on("victim", &format!("bash {}", script.display()));
    commits.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut commits = Running::start(commits);
    let before = (ticks(vauban.id()), ticks(vauban.child()));
    let started = Instant::now();
    for round in 0..6 {
        let said = healed(&vauban);
        lab.run("victim", "nft delete table inet vauban").success();
        wait_until("the table is back with its ban", SECOND, || {
            lab.is_loaded() && lab.holds("banned4", "192.0.2.2")
        });
        wait_until("it is said", SECOND, || healed(&vauban) > said);
        assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent, "{round}");
    }
    // And three seconds in which nothing of ours is touched.
    let quiet = (Instant::now(), healed(&vauban));
    wait_until("three seconds are over", SECOND * 5, || quiet.0.elapsed() > SECOND * 3);
    let took = started.elapsed().as_secs_f64();
    let after = (ticks(vauban.id()), ticks(vauban.child()));
    assert_eq!(commits.ended(), None);
    assert_eq!(healed(&vauban), quiet.1, "{}", vauban.log());
    #[allow(clippy::cast_precision_loss, reason = "a number of a few digits")]
    let share = ((after.0 - before.0) + (after.1 - before.1)) as f64 / 100.0 / took;
    println!("{:.1} % of a processor in {took:.1} s", share * 100.0);
    assert!(share < 0.25, "{share} of a processor");
}

/// A table of our name that is not ours: refused, and not touched.
#[test]
#[ignore = "needs root"]
fn a_strangers_table_of_our_name() {
    let lab = Lab::pair();
    lab.nft_load("table inet vauban {\n\tchain mine {\n\t\ttcp dport 22 accept\n\t}\n}\n");
    let before = lab.run("victim", "nft -a list ruleset").success();
    let mut vauban = Vauban::launch(&lab, "", "");
    assert_eq!(vauban.end(), Some(70), "{}", vauban.errors());
    let said = vauban.errors();
    assert!(said.contains("a table inet vauban that is not Vauban's"), "{said}");
    assert!(said.contains("nft delete table inet vauban"), "the remedy: {said}");
    assert_eq!(lab.run("victim", "nft -a list ruleset").success(), before);
    assert!(!vauban.socket.exists());
}
