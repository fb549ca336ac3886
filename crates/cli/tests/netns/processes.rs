//! The two processes: what each may do, and what becomes of one when the other is gone.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::daemon::{PROGRAM, Vauban, verb_at};
use crate::lab::{AT_CLIENT, Lab, PATIENCE, Reached, SCANNER, SCANNER6, VICTIM};
use crate::process::{Running, command, finish, runs, send, status_of, wait_for, wait_until};
use crate::services::Services;

/// What one process may take to notice that the other is gone.
const SOON: Duration = Duration::from_secs(1);

/// CAP_KILL and CAP_NET_ADMIN (capabilities(7)), as proc(5) writes a set.
const KEPT: &str = "0000000000001020";
const NOTHING: &str = "0000000000000000";

/// The status of every thread of a process.
fn threads(id: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    tasks.map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

#[test]
#[ignore = "needs root"]
fn each_has_what_it_needs_and_no_more() {
    let lab = Lab::pair();
    let vauban = Vauban::start(&lab, "");
    let line = |id: u32, key: &str| status_of(id, key).unwrap();
    for thread in threads(vauban.id()) {
        for key in ["CapEff", "CapPrm", "CapBnd"] {
            assert_eq!(line(thread, key), KEPT, "the parent's {key}");
        }
        assert_eq!(line(thread, "CapInh"), NOTHING);
        assert_eq!(line(thread, "CapAmb"), NOTHING);
        assert_eq!(line(thread, "NoNewPrivs"), "1");
    }
    let status = vauban.json("status");
    let user = status["process"]["user"].as_u64().unwrap();
    assert_ne!(user, 0);
    let child = vauban.child();
    assert!(threads(child).len() > 3, "the sandbox must hold on every thread, not on one");
    for thread in threads(child) {
        for key in ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"] {
            assert_eq!(line(thread, key), NOTHING, "the child's {key}");
        }
        // Real, effective, saved and for files.
        for id in line(thread, "Uid").split_whitespace() {
            assert_eq!(id, user.to_string());
        }
        assert!(line(thread, "Gid").split_whitespace().all(|id| id != "0"));
        assert_eq!(line(thread, "Groups"), "");
        assert_eq!(line(thread, "NoNewPrivs"), "1");
        // SECCOMP_MODE_FILTER
        assert_eq!(line(thread, "Seccomp"), "2");
    }
    assert!(!status["process"]["sandbox"].as_str().unwrap().is_empty(), "{status:#}");
    assert_eq!(status["store"]["path"], vauban.store.display().to_string(), "{status:#}");
    assert_eq!(status["store"]["trouble"], "", "{status:#}");
    let made_for_it = finish(command("getent passwd vauban"), PATIENCE).code == Some(0);
    let says = vauban.log().contains("the unprivileged process runs as nobody");
    assert_eq!(says, !made_for_it, "{}", vauban.log());
}

/// A file that whoever started it had open is none of theirs.
#[test]
#[ignore = "needs root"]
fn what_its_starter_had_open_is_closed() {
    let lab = Lab::pair();
    let file = |name: &str| lab.folder().join(name).display().to_string();
    std::fs::write(file("secret"), "words").unwrap();
    let socket = file("own.sock");
    let script = format!(
        "exec 9<{} && exec {PROGRAM} run --config /dev/null --socket {socket} --store {}",
        file("secret"),
        file("own-store/vauban.db"),
    );
    let mut shell = lab.on("victim", "bash");
    shell.arg("-c").arg(script).stdout(Stdio::null());
    let running = Running::start(shell);
    wait_until("it answers", PATIENCE, || verb_at(&socket, "status").code == Some(0));
    let id = running.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let both = children.split_whitespace().map(|child| child.parse().unwrap()).chain([id]);
    for process in both.collect::<Vec<u32>>() {
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        let names = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        let names: Vec<String> = names.map(|name| name.display().to_string()).collect();
        assert!(names.iter().any(|name| name.starts_with("socket:")), "{names:?}");
        assert!(!names.contains(&file("secret")), "{names:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_killed_child_ends_the_parent_and_bans_stay() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let mut vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    let killed = Instant::now();
    assert!(send(vauban.child(), "KILL"));
    assert_eq!(vauban.end(), Some(70), "{}", vauban.errors());
    assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
    let said = vauban.errors();
    assert!(said.contains("the child process ended: killed by signal 9"), "{said}");
    assert!(said.contains("Bans stay in the kernel"), "{said}");
    assert!(lab.is_loaded() && lab.holds("banned4", "192.0.2.2"));
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
}

/// Runs a program, adopts what it leaves behind, and says how each of them ended.
const ADOPTER: &str = "\
import ctypes, os, sys
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
first = os.fork()
if first == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print('first', first, flush=True)
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        break
    print('ended', pid, os.waitstatus_to_exitcode(status), flush=True)
";

#[test]
#[ignore = "needs root"]
fn a_killed_parent_ends_the_child_and_bans_stay() {
    let lab = Lab::pair();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let file = |name: &str| lab.folder().join(name);
    std::fs::write(file("adopter.py"), ADOPTER).unwrap();
    let socket = file("sock").display().to_string();
    let mut line = lab.on(
        "victim",
        &format!(
            "/usr/bin/python3 {} {PROGRAM} run --config /dev/null --socket {socket} --store {}",
            file("adopter.py").display(),
            file("store").join("vauban.db").display()
        ),
    );
    line.stdin(Stdio::null());
    line.stdout(File::create(file("out")).unwrap()).stderr(File::create(file("err")).unwrap());
    let mut adopter = Running::start(line);
    let text = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    wait_until("vauban answers", Duration::from_secs(10), || {
        verb_at(&socket, "status").code == Some(0)
    });
    verb_at(&socket, &format!("ban {SCANNER} --for 1h")).success();
    let parent: u32 = text("out")
        .lines()
        .find_map(|line| line.strip_prefix("first "))
        .and_then(|id| id.parse().ok())
        .unwrap();
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let child: u32 = children.unwrap().split_whitespace().next().unwrap().parse().unwrap();

    assert!(send(parent, "KILL"));
    let killed = Instant::now();
    wait_until("the child ends", SOON, || !runs(child));
    assert!(killed.elapsed() < SOON);
    assert!(adopter.wait(PATIENCE).success());
    let out = text("out");
    let ended = |id: u32| {
        let start = format!("ended {id} ");
        out.lines().find_map(|line| line.strip_prefix(&start)?.parse::<i32>().ok())
    };
    assert_eq!(ended(parent), Some(-9), "{out}");
    assert_eq!(ended(child), Some(70), "{out}");
    assert!(text("err").contains("the privileged process is gone"), "{}", text("err"));
    assert!(lab.is_loaded() && lab.holds("banned4", "192.0.2.2"));
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
}

/// A child that gets no processor for a while: bans hold, and all that happened is made up for.
#[test]
#[ignore = "needs root"]
fn a_stopped_child_goes_on() {
    let lab = Lab::trio();
    let _services = Services::open(&lab, "victim", &[80], &[]);
    let vauban = Vauban::start(&lab, "");
    vauban.verb(&format!("ban {SCANNER} --for 1h")).success();
    let child = vauban.child();
    assert!(send(child, "STOP"));
    wait_until("it stands still", SOON, || status_of(child, "State").unwrap().starts_with('T'));
    assert_eq!(lab.reach("scanner", VICTIM, 80), Reached::Silent);
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    // This has to be told to it, and done by it.
    lab.ip("victim", &format!("route add default via {SCANNER}"));
    lab.run("victim", "nft flush set inet vauban banned4").success();
    assert_eq!(lab.reach("client", AT_CLIENT, 80), Reached::Open);
    assert!(send(child, "CONT"));
    wait_until("the new gateway is let go", Duration::from_secs(3), || vauban.bans().is_empty());
    vauban.verb(&format!("ban {SCANNER6}")).success();
    assert!(lab.holds("banned6x", "2001:db8:1::2"));
    assert_eq!(vauban.errors(), "");
}

/// Writes to the parent what no child says, through the child's own socket.
const GARBAGE: &str = "\
import ctypes, os, sys
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)
pid = libc.syscall(SYS_PIDFD_OPEN, int(sys.argv[1]), 0)
assert pid >= 0, ctypes.get_errno()
fd = libc.syscall(SYS_PIDFD_GETFD, pid, 0, 0)
assert fd >= 0, ctypes.get_errno()
os.write(fd, bytes.fromhex(sys.argv[2]))
";

#[test]
#[ignore = "needs root"]
fn a_child_that_cannot_be_understood_ends_the_parent() {
    let lab = Lab::pair();
    let script = lab.folder().join("garbage.py");
    std::fs::write(&script, GARBAGE).unwrap();
    // A length that nobody sends; a whole frame that means nothing; one of no length.
    for garbage in ["ffffffffffffffff", "04000000deadbeef", "00000004deadbeef", "0000000000000000"]
    {
        let mut vauban = Vauban::start(&lab, "");
        vauban.verb("ban 203.0.113.5 --for 1h").success();
        let child = vauban.child();
        let line = format!("/usr/bin/python3 {} {child} {garbage}", script.display());
        finish(command(&line), PATIENCE).success();
        // A frame that has only begun is waited for, but not for ever.
        let status = wait_for("the parent ends", Duration::from_secs(15), || vauban.ended());
        assert_eq!(status.code(), Some(70), "{garbage}: {}", vauban.errors());
        let said = vauban.errors();
        let clear = ["the child cannot be understood", "message between Vauban's processes"];
        assert!(clear.iter().any(|words| said.contains(words)), "{garbage}: {said}");
        assert!(!runs(child), "{garbage}: the child is left");
        assert!(lab.holds("banned4", "203.0.113.5"), "{garbage}");
    }
}

/// Nobody starts a child but a parent.
#[test]
#[ignore = "needs root"]
fn a_child_by_hand() {
    let lab = Lab::pair();
    let program = lab.folder().join("vauban");
    std::fs::copy(PROGRAM, &program).unwrap();
    let program = program.display();
    for line in [
        format!("{program} child"),
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups {program} child"),
    ] {
        let done = finish(lab.on("victim", &line), PATIENCE);
        assert_eq!(done.code, Some(70), "{done:?}");
        assert_eq!(done.out, "");
        assert!(done.err.contains("is started by vauban run, and by nobody else"), "{done:?}");
    }
    assert!(!lab.is_loaded());
}
