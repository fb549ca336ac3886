//! A Vauban on the victim, and its verbs.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, PATIENCE};
use crate::process::{Done, Running, command, finish, wait_until};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_vauban");

/// A ban at the trigger, whether the address is proven or not; until then and afterwards, silence.
/// Stands at the top of a configuration.
pub const BAN: &str = "unproven = \"ban\"\n";

/// The same silence, and nobody is banned.
pub const DROP: &str = "unproven = \"drop\"\n";

/// A Vauban that has been started; it ends when this goes.
pub struct Vauban {
    running: Running,
    pub socket: PathBuf,
    out: PathBuf,
    err: PathBuf,
}

impl Vauban {
    /// Starts it with this configuration and waits until it answers.
    pub fn start(lab: &Lab, config: &str) -> Self {
        Self::start_with(lab, config, "")
    }

    /// The same with further arguments.
    pub fn start_with(lab: &Lab, config: &str, arguments: &str) -> Self {
        let mut vauban = Self::launch(lab, config, arguments);
        wait_until("vauban answers", Duration::from_secs(10), || {
            if let Some(status) = vauban.running.ended() {
                panic!("vauban ended: {status}: {}{}", vauban.log(), vauban.errors());
            }
            vauban.verb("status").code == Some(0)
        });
        vauban
    }

    /// Starts one that need not succeed.
    pub fn launch(lab: &Lab, config: &str, arguments: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| lab.folder().join(format!("{number}-{name}"));
        let (out, err) = (file("out"), file("err"));
        std::fs::write(file("vauban.toml"), config).unwrap();
        // Its own socket, unless the arguments name one.
        let socket = arguments.split_whitespace().skip_while(|word| *word != "--socket").nth(1);
        let named = socket.is_some();
        let socket = socket.map_or_else(|| file("sock"), PathBuf::from);
        let own = if named { String::new() } else { format!("--socket {}", socket.display()) };
        let config = file("vauban.toml").display().to_string();
        let line = format!("{PROGRAM} run --config {config} {own} {arguments}");
        let mut command = lab.on("victim", &line);
        command.stdin(Stdio::null());
        command.stdout(std::fs::File::create(&out).unwrap());
        command.stderr(std::fs::File::create(&err).unwrap());
        Self { running: Running::start(command), socket, out, err }
    }

    /// Runs a verb, like `ban 192.0.2.2 --for 2s`.
    pub fn verb(&self, line: &str) -> Done {
        verb_at(&self.socket.display().to_string(), line)
    }

    /// Runs a verb that must succeed, with `--json`.
    pub fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.verb(&format!("{line} --json")).success()).unwrap()
    }

    /// What `explain` says; that nothing is known is an answer.
    pub fn explain(&self, address: IpAddr) -> Value {
        let done = self.verb(&format!("explain {address} --json"));
        assert!(matches!(done.code, Some(0 | 1)), "{done:?}");
        serde_json::from_str(&done.out).unwrap()
    }

    /// The state of an address in one word.
    pub fn state(&self, address: IpAddr) -> String {
        self.explain(address)["state"].as_str().unwrap().to_owned()
    }

    /// Fails unless an address has counted for nothing.
    pub fn assert_unknown(&self, address: IpAddr) {
        let answer = self.assert_no_evidence(address);
        assert_ne!(answer["state"], "suspect", "{answer:#}");
    }

    /// Fails if anything is held against an address, and returns what `explain` says.
    pub fn assert_no_evidence(&self, address: IpAddr) -> Value {
        self.settle();
        let answer = self.explain(address);
        assert_eq!(answer["evidence"], serde_json::json!([]), "{answer:#}");
        assert_eq!(answer["ban"], Value::Null, "{answer:#}");
        answer
    }

    /// Whom bans cover.
    pub fn bans(&self) -> Vec<String> {
        let answer = self.json("bans");
        let bans = answer["bans"].as_array().unwrap();
        bans.iter().map(|ban| ban["subject"].as_str().unwrap().to_owned()).collect()
    }

    /// Fails unless nobody is banned or a suspect.
    pub fn assert_all_quiet(&self) {
        self.settle();
        let status = self.json("status");
        assert_eq!(self.bans(), [""; 0]);
        assert_eq!(status["suspects"], 0, "{status:#}");
        assert_eq!(status["decisions"]["suspected"], 0, "{status:#}");
        for counter in [
            "triggers",
            "suspect_probes",
            "suspect_connections",
            "suspect_visits",
            "suspect_too_fast",
            "refusals_withheld",
            "decoys",
            "contacts",
            "banned",
            "set_full",
        ] {
            assert_eq!(status["kernel"]["counters"][counter]["packets"], 0, "{status:#}");
        }
    }

    /// Waits until an address is banned, and returns what `explain` says then.
    pub fn banned(&self, address: IpAddr) -> Value {
        wait_until(&format!("{address} is banned"), Duration::from_secs(5), || {
            self.state(address) == "banned"
        });
        self.settle();
        self.explain(address)
    }

    /// Waits until an address is a suspect, and returns what `explain` says then. That is no ban.
    pub fn suspected(&self, address: IpAddr) -> Value {
        wait_until(&format!("{address} is a suspect"), Duration::from_secs(5), || {
            self.state(address) == "suspect"
        });
        self.settle();
        let explained = self.explain(address);
        assert_eq!(explained["state"], "suspect", "{explained:#}");
        assert_eq!(explained["ban"], Value::Null, "{explained:#}");
        explained
    }

    /// One of the kernel program's counters.
    pub fn counter(&self, name: &str) -> u64 {
        self.json("status")["kernel"]["counters"][name]["packets"].as_u64().unwrap()
    }

    /// Waits until every copy of a probe that the kernel has made has been judged. Copies for decoys
    /// are counted as such.
    pub fn settle(&self) {
        wait_until("every copy is judged", Duration::from_secs(5), || {
            let status = self.json("status");
            let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap();
            let judged = number("/probes/seen") + number("/probes/unreadable");
            let made = |name: &str| number(&format!("/kernel/counters/{name}/packets"));
            judged == made("copies") + made("decoys")
        });
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    /// What it has printed on standard error so far.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    /// Sends it a signal and waits for its end.
    pub fn stop(&mut self, signal: &str) -> Option<i32> {
        self.running.signal(signal);
        self.end()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Option<i32> {
        self.running.wait(Duration::from_secs(10)).code()
    }
}

/// Runs a verb on a socket.
pub fn verb_at(socket: &str, line: &str) -> Done {
    finish(command(&format!("{PROGRAM} {line} --socket {socket}")), PATIENCE)
}
