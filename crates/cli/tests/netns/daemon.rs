//! A Vauban on the victim, and its verbs.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
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
    /// Its configuration, to be changed for a reload.
    pub config: PathBuf,
    /// Its database.
    pub store: PathBuf,
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
        Self::launch(lab, config, arguments).answering()
    }

    /// Starts one with the configuration file, the database and the socket of an earlier one, and
    /// waits until it answers.
    pub fn after(lab: &Lab, earlier: &Self) -> Self {
        Self::launch_after(lab, earlier).answering()
    }

    /// The same for one that need not succeed.
    pub fn launch_after(lab: &Lab, earlier: &Self) -> Self {
        let (config, store) = (earlier.config.clone(), earlier.store.clone());
        Self::begin(lab, config, earlier.socket.clone(), store, "", &[])
    }

    /// Waits until it answers.
    pub fn answering(mut self) -> Self {
        wait_until("vauban answers", Duration::from_secs(10), || {
            if let Some(status) = self.running.ended() {
                panic!("vauban ended: {status}: {}{}", self.log(), self.errors());
            }
            self.verb("status").code == Some(0)
        });
        self
    }

    /// Starts one that need not succeed.
    pub fn launch(lab: &Lab, config: &str, arguments: &str) -> Self {
        Self::launch_with(lab, config, arguments, &[])
    }

    /// The same with variables in its environment.
    pub fn launch_with(
        lab: &Lab,
        config: &str,
        arguments: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let number = next();
        let file = |name: &str| lab.folder().join(format!("{number}-{name}"));
        let path = file("vauban.toml");
        std::fs::write(&path, config).unwrap();
        // Its own socket and its own store, unless the arguments name them: what one test bans is
        // not another one's.
        let named = |option: &str| {
            arguments
                .split_whitespace()
                .skip_while(|word| *word != option)
                .nth(1)
                .map(PathBuf::from)
        };
        let socket = named("--socket").unwrap_or_else(|| file("sock"));
        let store = named("--store").unwrap_or_else(|| file("store").join("vauban.db"));
        let others: Vec<&str> = {
            let mut words = arguments.split_whitespace();
            let mut others = Vec::new();
            while let Some(word) = words.next() {
                if matches!(word, "--socket" | "--store") {
                    words.next();
                } else {
                    others.push(word);
                }
            }
            others
        };
        Self::begin(lab, path, socket, store, &others.join(" "), environment)
    }

    fn begin(
        lab: &Lab,
        config: PathBuf,
        socket: PathBuf,
        store: PathBuf,
        arguments: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let number = next();
        let file = |name: &str| lab.folder().join(format!("{number}-{name}"));
        let (out, err) = (file("out"), file("err"));
        let line = format!(
            "{PROGRAM} run --config {} --socket {} --store {} {arguments}",
            config.display(),
            socket.display(),
            store.display()
        );
        let mut command = lab.on("victim", &line);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null());
        command.stdout(std::fs::File::create(&out).unwrap());
        command.stderr(std::fs::File::create(&err).unwrap());
        Self { running: Running::start(command), socket, config, store, out, err }
    }

    /// The parent's process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The child's process id, as the parent's children are listed (proc(5)).
    pub fn child(&self) -> u32 {
        self.try_child().expect("it has a child")
    }

    /// The same of one that may not have got so far. Now and then it has another child: nft.
    pub fn try_child(&self) -> Option<u32> {
        let id = self.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let text = std::fs::read_to_string(path).ok()?;
        let ours = |id: &u32| {
            let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            line.split('\0').nth(1) == Some("child")
        };
        text.split_whitespace().filter_map(|id| id.parse().ok()).find(ours)
    }

    /// Sends the parent a signal.
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Changes the configuration and has it read, which must succeed.
    pub fn reload(&self, config: &str) {
        std::fs::write(&self.config, config).unwrap();
        self.verb("reload").success();
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

    /// Its status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.running.ended()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Option<i32> {
        self.running.wait(Duration::from_secs(10)).code()
    }
}

/// A number for the files of one more.
fn next() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Runs a verb on a socket.
pub fn verb_at(socket: &str, line: &str) -> Done {
    finish(command(&format!("{PROGRAM} {line} --socket {socket}")), PATIENCE)
}
