//! A throw-away host in which lines of shell run as they stand: a victim of the laboratory, with a
//! mount namespace of its own.
//!
//! In there, `/etc` is a copy, changes to `/usr` are kept in memory, so are `/run`, `/var/lib` and
//! `/tmp`, which begin empty, and no other file of the host can be written: what a line does to it ends
//! with the house. What the house does not keep from the host is the kernel's own, in `/proc`, `/sys`
//! and `/dev`, but for the network, which is the victim's. First in `PATH` are the program under test as
//! `vauban`, a `sudo` that runs its arguments, and a `cargo` that has built already. The working
//! directory looks like a checkout of this repository, and may be written.

use std::net::IpAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::PROGRAM;
use crate::lab::{Lab, PATIENCE, SCANNER, VICTIM, VICTIM6};
use crate::process::{Done, Running, command, finish, needs, send, wait_until};
use crate::services::Services;

/// What one line may take.
const LINE: Duration = Duration::from_secs(60);

/// A SYN scan by nmap of somebody else's host, with everything that it was answered.
pub const CAPTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/cases/a01_sS/input.pcap");

/// What the victim serves.
const SERVED: [u16; 3] = [22, 80, 443];

/// What makes the house. It stays as long as its standard input is open, so that nothing of it
/// outlives the test.
const BUILD: &str = r#"set -eu
mount -t tmpfs -o mode=755 tmpfs /run
cd /run
mkdir -p netns try/bin try/etc try/work try/home try/source try/target/release try/usr try/usr-work
cp -a /etc/. try/etc/
rm -rf try/etc/vauban
mkdir try/etc/vauban
mount --bind try/etc /etc
touch try/bin/vauban
mount --bind "$PROGRAM" try/bin/vauban
ln -s /run/try/bin/vauban try/target/release/vauban
mount --bind "$SOURCE" try/source
mount -o remount,bind,ro try/source
for entry in try/source/*; do
    case $entry in */target) ;; *) ln -s "/run/$entry" try/work/ ;; esac
done
cat >try/bin/sudo <<'END'
#!/bin/sh
case $1 in -*) echo "sudo: $1 is not known here" >&2; exit 1 ;; esac
exec "$@"
END
cat >try/bin/cargo <<'END'
#!/bin/sh
# The program has been built.
case $1 in --version) echo "cargo 99.0.0" ;; build) ;; *) exit 1 ;; esac
END
# For bash -e: says before each command which line it is on.
cat >try/follow <<'END'
unset BASH_ENV
trap 'echo "$LINENO" >>/run/try/progress' DEBUG
END
chmod +x try/bin/sudo try/bin/cargo
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t overlay overlay -o lowerdir=/usr,upperdir=/run/try/usr,workdir=/run/try/usr-work /usr
mount -o remount,bind,ro /
findmnt -rno TARGET | while read -r target; do
    case $target in
    / | /etc | /usr | /tmp | /var/lib | /run | /run/* | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) ;;
    # One that fails is below one of those and cannot be reached any more.
    *) mount -o remount,bind,ro "$target" || : ;;
    esac
done
touch /run/try/ready
exec cat
"#;

/// A house; it goes when this goes, with everything that runs in it.
pub struct House<'lab> {
    holder: Running,
    _services: Services<'lab>,
    lab: &'lab Lab,
    runs: usize,
}

/// How a block ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit status.
    pub code: Option<i32>,
    /// What it printed, errors included.
    pub out: String,
    /// The last line that it came to, from 1.
    pub reached: usize,
}

impl<'lab> House<'lab> {
    /// One without a daemon.
    pub fn build(lab: &'lab Lab) -> Self {
        needs("unshare");
        needs("nsenter");
        let script = lab.folder().join("house.sh");
        std::fs::write(&script, BUILD).unwrap();
        let unshare = "unshare --mount --propagation private bash";
        let mut holder = lab.on("victim", &format!("{unshare} {}", script.display()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        holder.env("PROGRAM", PROGRAM).env("SOURCE", source);
        let log = lab.folder().join("house.log");
        holder.stdin(Stdio::piped()).stdout(Stdio::null());
        holder.stderr(std::fs::File::create(&log).unwrap());
        let services = Services::open(lab, "victim", &SERVED, &[]);
        let mut house = Self { holder: Running::start(holder), _services: services, lab, runs: 0 };
        wait_until("the house is built", PATIENCE, || {
            let said = || std::fs::read_to_string(&log).unwrap();
            assert_eq!(house.holder.ended(), None, "{}", said());
            house.inside("run/try/ready").exists()
        });
        house
    }

    /// A path of the house, seen from outside.
    pub fn inside(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(path)
    }

    /// A command for `bash` in the house: on the victim, or beside it on the scanner.
    fn bash(&self, role: &str, script: &str) -> Command {
        let net = format!("--net=/run/netns/{}", self.lab.name(role));
        let mut command = command("nsenter --mount");
        command.args(["--target", &self.holder.id().to_string(), &net]);
        command.args(["bash", "-c", script]);
        let path = "/run/try/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        command.env_clear().envs([
            ("PATH", path),
            ("HOME", "/run/try/home"),
            ("CARGO_TARGET_DIR", "/run/try/target"),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "dumb"),
        ]);
        command
    }

    /// Runs a verb.
    fn verb(&self, line: &str) -> Done {
        finish(self.bash("victim", &format!("vauban {line}")), PATIENCE)
    }

    /// Puts a configuration of the repository where the daemon looks for it, with the drop-ins beside it.
    pub fn configure(&self, file: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let copy = |from: &Path, to: &str| {
            std::fs::copy(from, self.inside("etc/vauban").join(to))
                .unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        };
        copy(&from, "vauban.toml");
        let Ok(drop_ins) = std::fs::read_dir(from.with_extension("d")) else { return };
        std::fs::create_dir_all(self.inside("etc/vauban/vauban.d")).unwrap();
        for entry in drop_ins {
            let path = entry.unwrap().path();
            copy(&path, &format!("vauban.d/{}", path.file_name().unwrap().display()));
        }
    }

    /// Puts a recorded scan into the working directory, as it is and packed by gzip.
    pub fn record(&self, name: &str) {
        std::fs::copy(CAPTURE, self.inside("run/try/work").join(name)).unwrap();
        let script = format!("cd /run/try/work && gzip -k {name}");
        finish(self.bash("victim", &script), PATIENCE).success();
    }

    /// Starts a daemon as a service does, with what is configured, and waits until it answers.
    pub fn protect(&self) {
        // In the background of a shell that ends: it belongs to the house, not to us.
        let script = "vauban run </dev/null >/run/try/daemon.log 2>&1 &";
        finish(self.bash("victim", script), PATIENCE).success();
        wait_until("the daemon answers", Duration::from_secs(10), || {
            self.verb("status").code == Some(0)
        });
    }

    /// Gives the scanner an address, from which it speaks to the victim from now on.
    fn scan_from(&self, address: IpAddr) {
        let (victim, length) = if address.is_ipv4() { (VICTIM, 32) } else { (VICTIM6, 128) };
        if address != SCANNER {
            let nodad = if address.is_ipv4() { "" } else { "nodad" };
            self.lab.ip("scanner", &format!("addr add {address}/{length} dev eth0 {nodad}"));
        }
        self.lab.ip("victim", &format!("route replace {address}/{length} dev eth0"));
        self.lab.ip("scanner", &format!("route add {victim}/{length} dev eth0 src {address}"));
    }

    /// Scans from an address with a real nmap, and waits until the address is in that state.
    fn scanned(&self, address: IpAddr, options: &str, state: &str) {
        self.scan_from(address);
        let (six, victim) = if address.is_ipv4() { ("", VICTIM) } else { ("-6", VICTIM6) };
        let scan = format!("nmap {six} -n -Pn -r -T4 --max-retries 0 {options} {victim}");
        self.lab.run("scanner", &scan).success();
        wait_until(&format!("{address} is {state}"), Duration::from_secs(10), || {
            let said = self.verb(&format!("explain {address} --json")).out;
            said.contains(&format!("\"state\": \"{state}\""))
        });
    }

    /// Has an address scan half-open, which proves nothing.
    pub fn suspect(&self, address: IpAddr) {
        self.scanned(address, "-sS -p 101-105", "suspect");
    }

    /// Has an address complete the handshakes of decoys, which is proof.
    pub fn caught(&self, address: IpAddr) {
        self.scanned(address, "-sT -p 101-108", "banned");
    }

    /// Bans an address by hand.
    pub fn ban(&self, address: IpAddr) {
        self.verb(&format!("ban {address}")).success();
    }

    /// Runs a block as `bash -e` would, each of its lines within the limit. With `until`, waits for
    /// that text in what it prints, and then interrupts it as ctrl-C does.
    pub fn run(&mut self, role: &str, block: &str, until: Option<&str>) -> Result<Outcome, String> {
        self.runs += 1;
        std::fs::write(self.inside("run/try/block"), block).unwrap();
        std::fs::write(self.inside("run/try/progress"), "").unwrap();
        let script = "cd /run/try/work && exec 2>&1 && \
                      BASH_ENV=/run/try/follow exec bash -e /run/try/block";
        let out = self.lab.folder().join(format!("block-{}.out", self.runs));
        let mut command = self.bash(role, script);
        // A group of its own, for ctrl-C.
        command.process_group(0).stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(std::fs::File::create(&out).unwrap());
        let mut running = Running::start(command);
        let said = || String::from_utf8_lossy(&std::fs::read(&out).unwrap()).into_owned();
        let progress = self.inside("run/try/progress");
        let reached = || -> Vec<usize> {
            let text = std::fs::read_to_string(&progress).unwrap_or_default();
            text.lines().filter_map(|line| line.parse().ok()).collect()
        };
        let (mut begun, mut steps, mut waiting) = (Instant::now(), 0, until);
        let status = loop {
            if let Some(status) = running.ended() {
                break status;
            }
            if waiting.is_some_and(|text| said().contains(text)) {
                waiting = None;
                interrupt(running.id());
            }
            let now = reached().len();
            if now != steps {
                (begun, steps) = (Instant::now(), now);
            }
            if begun.elapsed() > LINE {
                let line = reached().last().copied().unwrap_or_default();
                return Err(format!("line {line} of it takes more than {LINE:?}:\n{}", said()));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        if let Some(text) = waiting {
            return Err(format!("it ended ({status}) before it said {text:?}:\n{}", said()));
        }
        let reached = reached().into_iter().max().unwrap_or_default();
        // As a shell shows the end by a signal.
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(Outcome { code, out: said(), reached })
    }
}

/// Interrupts a process that has not been waited for, and those that it runs: its group.
fn interrupt(id: u32) {
    let mut kill = command("kill -INT --");
    kill.arg(format!("-{id}"));
    finish(kill, PATIENCE).success();
}

impl Drop for House<'_> {
    fn drop(&mut self) {
        // Whatever is in the house is ours: nobody else can get into its mount namespace.
        let ours = |id: u32| std::fs::read_link(format!("/proc/{id}/ns/mnt")).ok();
        let house = ours(self.holder.id());
        let others = || -> Vec<u32> {
            let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
            let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            ids.filter(|id| *id != self.holder.id() && house.is_some() && ours(*id) == house)
                .collect()
        };
        for (signal, patience) in [("TERM", Duration::from_secs(5)), ("KILL", LINE / 10)] {
            for id in others() {
                send(id, signal);
            }
            let started = Instant::now();
            while !others().is_empty() && started.elapsed() < patience {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
