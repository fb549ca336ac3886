//! What a service manager is told (sd_notify(3)), by a socket of the test's.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::daemon::Vauban;
use crate::lab::Lab;
use crate::process::wait_for;

/// A service manager's socket, and what came through it.
struct Manager {
    socket: UnixDatagram,
    said: Vec<String>,
}

impl Manager {
    fn listen(lab: &Lab) -> (Self, String) {
        let path = lab.folder().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        (Self { socket, said: Vec::new() }, path.display().to_string())
    }

    /// Everything said so far, a line each.
    fn hear(&mut self) -> &[String] {
        let mut bytes = [0; 4096];
        while let Ok(count) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            self.said.extend(text.lines().map(str::to_owned));
        }
        &self.said
    }

    /// Waits until so many lines begin so, and returns all of them.
    fn wait(&mut self, begins: &str, count: usize) -> Vec<String> {
        wait_for(begins, Duration::from_secs(5), || {
            let fit = |line: &&String| line.starts_with(begins);
            let found: Vec<String> = self.hear().iter().filter(fit).cloned().collect();
            (found.len() >= count).then_some(found)
        })
    }
}

/// A monotonic time in microseconds, as the kernel has it: uptime begins with the boot, as
/// CLOCK_MONOTONIC does.
fn uptime() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "years fit")]
    let micros = (seconds * 1e6) as u64;
    micros
}

#[test]
#[ignore = "needs root"]
fn a_manager_is_told_of_start_reload_and_stop() {
    let lab = Lab::pair();
    // Bans to be restored.
    let mut first = Vauban::start(&lab, "");
    for number in 1..=50 {
        first.verb(&format!("ban 203.0.113.{number} --for 1h")).success();
    }
    assert_eq!(first.stop("TERM"), Some(0));
    let (mut manager, path) = Manager::listen(&lab);
    let arguments = format!("--store {}", first.store.display());
    let environment = [("NOTIFY_SOCKET", path.as_str())];
    let vauban = Vauban::launch_with(&lab, "", &arguments, &environment);
    manager.wait("READY=1", 1);
    // At this moment, and not some time later.
    assert_eq!(lab.elements("banned4").len(), 50);
    let mut vauban = vauban.answering();
    assert!(!manager.hear().iter().any(|line| line.starts_with("WATCHDOG")));

    for (round, signal) in [(1, false), (2, true)] {
        let before = uptime();
        if signal {
            vauban.signal("HUP");
        } else {
            vauban.reload("[trigger]\nports = 6\n");
        }
        let ready = manager.wait("READY=1", 1 + round);
        assert_eq!(ready.len(), 1 + round);
        let said = manager.hear().to_vec();
        let reloading = said.iter().rposition(|line| line == "RELOADING=1").unwrap();
        let last_ready = said.iter().rposition(|line| line == "READY=1").unwrap();
        assert!(reloading < last_ready, "{said:?}");
        let time: u64 = said
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("MONOTONIC_USEC="))
            .and_then(|time| time.parse().ok())
            .unwrap_or_else(|| panic!("{said:?}"));
        // Of this boot's clock, and of this reload.
        let slack = 1_000_000;
        assert!(time + slack > before && time < uptime() + slack, "{time} {before}");
    }
    // A wrong file: what holds now is what held before, and the manager must not wait for more.
    std::fs::write(&vauban.config, "nonsense").unwrap();
    vauban.signal("HUP");
    assert_eq!(manager.wait("READY=1", 4).len(), 4);

    assert_eq!(vauban.stop("TERM"), Some(0));
    assert_eq!(manager.hear().last().map(String::as_str), Some("STOPPING=1"));
}

/// A sign of life as often as the manager wants one.
#[test]
#[ignore = "needs root"]
fn a_manager_with_a_watchdog_gets_signs_of_life() {
    let lab = Lab::pair();
    let (mut manager, path) = Manager::listen(&lab);
    let environment = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "500000")];
    let _vauban = Vauban::launch_with(&lab, "", "", &environment).answering();
    let started = std::time::Instant::now();
    manager.wait("WATCHDOG=1", 8);
    let took = started.elapsed();
    // Every quarter of a second; some of the eight may have come before.
    assert!(took < Duration::from_secs(3), "{took:?}");
    let others = manager.hear().iter().filter(|line| *line != "WATCHDOG=1").count();
    assert_eq!(others, 1, "READY=1 and nothing else: {:?}", manager.hear());
}

/// Nobody who listens is no reason not to run.
#[test]
#[ignore = "needs root"]
fn nobody_listens() {
    let lab = Lab::pair();
    let path = lab.folder().join("nobody").display().to_string();
    let environment = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "100000")];
    let mut vauban = Vauban::launch_with(&lab, "", "", &environment).answering();
    vauban.reload("");
    assert_eq!(vauban.stop("TERM"), Some(0));
    assert_eq!(vauban.errors(), "");
}
