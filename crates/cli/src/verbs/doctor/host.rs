//! The host as checks see it: files, processes, and programs that answer within two seconds.
//!
//! What it does not do: change anything.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Bytes read of a file or of what a program prints: a ruleset of a large host is a few hundred
/// kilobytes.
const MOST: u64 = 4 << 20;

/// Where programs are looked for: a user's own path may lack those of root.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/// A host: this one, or a folder that a test has made look like one.
pub struct Host {
    root: PathBuf,
    /// Whether programs may be asked.
    live: bool,
}

/// What a program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It ended; with success or not, what it printed, and what it complained about.
    Done(bool, String, String),
    /// It is not installed.
    Missing,
    /// It did not end in time, or could not be started.
    Silent(String),
}

impl Host {
    /// This one.
    pub fn real() -> Self {
        Self { root: "/".into(), live: true }
    }

    /// One that consists of files alone.
    #[cfg(test)]
    pub fn of_files(root: &Path) -> Self {
        Self { root: root.into(), live: false }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file; `None` where there is none to be read.
    pub fn read(&self, path: &str) -> Option<String> {
        let file = std::fs::File::open(self.at(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The same without what surrounds it; empty where there is none.
    pub fn value(&self, path: &str) -> String {
        self.read(path).unwrap_or_default().trim().to_owned()
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// The names of all processes, as far as they are shown to us.
    pub fn processes(&self) -> BTreeSet<String> {
        let Ok(folder) = std::fs::read_dir(self.at("/proc")) else { return BTreeSet::new() };
        let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        folder
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_number(name))
            .filter_map(|pid| Some(self.read(&format!("/proc/{pid}/comm"))?.trim().to_owned()))
            .collect()
    }

    /// Whether the host is managed by systemd (sd_booted(3)).
    pub fn has_systemd(&self) -> bool {
        self.has("/run/systemd/system")
    }

    /// What a program prints.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> Said {
        self.ask_with(program, arguments, "")
    }

    /// The same of a program that is given a text to read.
    pub fn ask_with(&self, program: &str, arguments: &[&str], input: &str) -> Said {
        if !self.live {
            return Said::Missing;
        }
        match ask(program, arguments, input) {
            Ok(said) => said,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Said::Missing,
            Err(error) => Said::Silent(format!("{program}: {error}")),
        }
    }
}

fn ask(program: &str, arguments: &[&str], input: &str) -> std::io::Result<Said> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .env("SYSTEMD_PAGER", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Threads, since either pipe may fill while the other one is read. They end with the program, or
    // are left to themselves with whatever it has started.
    if let (Some(mut pipe), false) = (child.stdin.take(), input.is_empty()) {
        let input = input.to_owned();
        std::thread::spawn(move || {
            // A program that does not want to read all of it says why.
            let _ = pipe.write_all(input.as_bytes());
        });
    }
    let out = child.stdout.take().map(gathered);
    let complaints = child.stderr.take().map(gathered);
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < until => std::thread::sleep(LOOK),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                let text = format!("{program} did not answer within {PATIENCE:?}");
                return Ok(Said::Silent(text));
            }
        }
    };
    let text = |from: Option<mpsc::Receiver<String>>| {
        let left = until.saturating_duration_since(Instant::now()).max(LOOK);
        from.and_then(|from| from.recv_timeout(left).ok()).unwrap_or_default()
    };
    Ok(Said::Done(status.success(), text(out), text(complaints)))
}

/// What comes out of a pipe, once it is closed.
fn gathered(pipe: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(MOST).read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The free space of the file system at a path, in MiB, as df(1) has it.
pub fn free_mebibytes(host: &Host, path: &Path) -> Option<u64> {
    let path = path.to_str()?;
    match host.ask("df", &["--output=avail", "-B1M", "--", path]) {
        Said::Done(true, text, _) => text.lines().last()?.trim().parse().ok(),
        _ => None,
    }
}
