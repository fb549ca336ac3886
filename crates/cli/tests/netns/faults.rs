//! What a host may lack: descriptors, the program `nft`, a processor for the reader of copies. It
//! is said what is missing, and as soon as it is there again all is well.

use std::process::Stdio;
use std::time::Duration;

use crate::daemon::{PROGRAM, Vauban};
use crate::lab::{AT_CLIENT, Lab, PATIENCE, Reached, SCANNER, VICTIM};
use crate::process::{Running, command, finish, send, status_of, wait_until};
use crate::services::Services;

/// Lets a process open nothing more: it has so many descriptors now.
fn exhaust(id: u32) {
    let open = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap();
    let numbers =
        open.map(|file| file.unwrap().file_name().to_str().unwrap().parse::<u32>().unwrap());
    // The lowest number that is free.
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    let free = (0..).zip(&numbers).find(|(n, number)| n != *number);
    let free = free.map_or(numbers.len(), |(n, _)| n as usize);
    limit(id, &free.to_string());
}

fn limit(id: u32, soft: &str) {
    // As the user that it is: root may not everywhere do that to others (CAP_SYS_RESOURCE).
    let own = |key: &str| status_of(id, key).unwrap().split_whitespace().next().unwrap().to_owned();
    let (uid, gid) = (own("Uid"), own("Gid"));
    let line = format!(
        "setpriv --reuid={uid} --regid={gid} --clear-groups prlimit --pid {id} --nofile={soft}:"
    );
    finish(command(&line), PATIENCE).success();
}

/// Processor time that a process has used, in seconds (proc(5)).
fn seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime in hundredths, the 14th and 15th, of which two stand before the bracket.
    [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap() / 100.0).sum()
}

/// The child can take no calls; it protects all the same, and does not spin.
#[test]
#[ignore = "needs root"]
fn a_child_without_descriptors() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    let child = vauban.child();
    exhaust(child);
    let socket = vauban.socket.clone();
    let before = seconds(child);
    // This one cannot be taken.
    let mut call = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    std::io::Write::write_all(&mut call, b"{\"verb\":\"status\"}\n").unwrap();
    for port in 101..106 {
        lab.reach("scanner", VICTIM, port);
    }
    wait_until("the scanner is banned", Duration::from_secs(5), || {
        lab.holds("banned4", "192.0.2.2")
    });
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    let used = seconds(child) - before;
    assert!(used < 0.7, "{used} s of a processor");
    limit(child, "1024");
    wait_until("it takes calls again", Duration::from_secs(5), || {
        vauban.verb("status").code == Some(0)
    });
    assert_eq!(vauban.bans(), ["192.0.2.2"]);
}

/// The parent cannot ask what the host is like, nor start nft: bans hold, new ones are made, and
/// what was missed is made up for.
#[test]
#[ignore = "needs root"]
fn a_parent_without_descriptors() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    exhaust(vauban.id());
    let before = seconds(vauban.id());
    for port in 101..106 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    wait_until("it is said", Duration::from_secs(5), || {
        vauban.log().contains("Trouble: cannot ask for addresses")
    });
    // What must be done meanwhile and cannot.
    lab.run("victim", "nft delete table inet vauban").success();
    wait_until("that, too, is said", Duration::from_secs(5), || {
        vauban.log().contains("and cannot be loaded again")
    });
    let used = seconds(vauban.id()) - before;
    assert!(used < 1.0, "{used} s of a processor");
    limit(vauban.id(), "1024");
    wait_until("it is healed", Duration::from_secs(15), || {
        lab.is_loaded() && lab.holds("banned4", "192.0.2.2")
    });
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    lab.ip("victim", &format!("route add default via {SCANNER}"));
    wait_until("the new gateway is let go", Duration::from_secs(5), || vauban.bans().is_empty());
    let lines = vauban.log().matches("cannot ask for addresses").count();
    assert!(lines < 20, "{lines} lines about the same");
}

/// Without nft: the package is named, and nothing is left behind.
#[test]
#[ignore = "needs root"]
fn without_nft() {
    let lab = Lab::pair();
    let script = lab.folder().join("without.sh");
    let socket = lab.folder().join("sock");
    let text = format!(
        "mount -t tmpfs none /usr/sbin && exec {PROGRAM} run --config /dev/null --socket {} --store {}\n",
        socket.display(),
        lab.folder().join("store").join("vauban.db").display()
    );
    std::fs::write(&script, text).unwrap();
    let done = lab.run("victim", &format!("unshare --mount bash {}", script.display()));
    assert_eq!(done.code, Some(70), "{done:?}");
    assert!(done.err.contains("the program nft is missing"), "{done:?}");
    assert!(done.err.contains("apt install nftables"), "{done:?}");
    assert!(!lab.is_loaded());
    assert!(!socket.exists());
}

/// Copies that nobody reads in time are lost; they are counted, and it goes on.
#[test]
#[ignore = "needs root"]
fn lost_copies_are_counted() {
    let lab = Lab::pair();
    let config = "unproven = \"drop\"\n[kernel]\ncopies_per_second = 1000000\n";
    let vauban = Vauban::start(&lab, config);
    let child = vauban.child();
    assert!(send(child, "STOP"));
    wait_until("it stands still", PATIENCE, || status_of(child, "State").unwrap().starts_with('T'));
    let mut flood =
        lab.on("scanner", &format!("hping3 -n -q --rand-source -S -p ++1 --flood {VICTIM}"));
    flood.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let flood = Running::start(flood);
    let copies = || {
        let text = lab.run("victim", "nft list counter inet vauban copies").success();
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "packets").unwrap();
        words[at + 1].parse::<u64>().unwrap()
    };
    wait_until("more is copied than has room", Duration::from_secs(20), || copies() > 200_000);
    drop(flood);
    assert!(send(child, "CONT"));
    wait_until("the loss is shown", Duration::from_secs(10), || {
        vauban.json("status")["probes"]["overruns"].as_u64().unwrap() > 0
    });
    assert_eq!(vauban.errors(), "");
}
