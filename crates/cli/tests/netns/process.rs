//! Programs: started, waited for with a limit, ended by their id.

use std::io::Read;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often something is looked at again while waiting for it.
const LOOK: Duration = Duration::from_millis(20);

/// Where administrators' programs are, whatever the environment says.
const PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// Programs whose Debian package has another name.
const PACKAGES: [(&str, &str); 5] = [
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("iptables-restore", "iptables"),
    ("iptables-save", "iptables"),
];

/// A program that has ended.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Done {
    /// What it printed; anything but success fails the test.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }
}

/// A command for the program and arguments that a line has between its spaces.
pub fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap();
    needs(program);
    let mut command = Command::new(program);
    command.args(words).env("PATH", PATH);
    command
}

/// Fails the test, with the remedy, when a program is not installed.
pub fn needs(program: &str) {
    let there = |folder: &str| std::path::Path::new(folder).join(program).exists();
    if !program.starts_with('/') && !PATH.split(':').any(there) {
        let package =
            PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, known)| known);
        panic!("{program} is missing: apt install {package}");
    }
}

/// Runs a command to its end, which must come within the limit.
pub fn finish(command: Command, limit: Duration) -> Done {
    finish_as(command, limit).1
}

/// The same, with the process id that it had.
pub fn finish_as(mut command: Command, limit: Duration) -> (u32, Done) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command);
    let out = reader(running.child.stdout.take());
    let err = reader(running.child.stderr.take());
    let (id, status) = (running.id(), running.wait(limit));
    let text =
        |thread: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&thread.join().unwrap()).into_owned();
    (id, Done { code: status.code(), out: text(out), err: text(err) })
}

/// A program that runs; it is killed, at the latest, when this goes.
pub struct Running {
    child: Child,
    what: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let what = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        Self { child, what }
    }

    /// The way to its standard input, once, if it was piped.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        assert!(send(self.id(), name), "no {name} for {}", self.what);
    }

    /// Its status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(started.elapsed() < limit, "{} has not ended in {limit:?}", self.what);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Politely first: a Vauban that is killed leaves its socket behind.
            send(self.id(), "TERM");
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(3) {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(LOOK);
            }
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Sends a process a signal; false if there is none.
pub fn send(id: u32, signal: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{signal}"), &id.to_string()]).env("PATH", PATH).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.unwrap().read_to_end(&mut bytes);
        bytes
    })
}

/// A line of a process's status (proc(5)), like `CapEff`; `None` if it has ended.
pub fn status_of(id: u32, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let key = format!("{key}:");
    text.lines().find_map(|line| line.strip_prefix(&key)).map(|value| value.trim().to_owned())
}

/// Whether a process runs, be it with one thread only: one that waits to be asked for its status
/// does not.
pub fn runs(id: u32) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{id}/task")) else { return false };
    let threads = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    let ended = |id: u32| status_of(id, "State").is_none_or(|state| state.starts_with(['Z', 'X']));
    !threads.into_iter().all(ended)
}

/// Waits until something is there.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Waits until something is true.
pub fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, limit, || holds().then_some(()));
}
