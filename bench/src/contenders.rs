//! Who is measured: Vauban, and Debian's PortSentry 1.2 as its users set it up.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use vauban_daemon::control::client;
use vauban_daemon::control::protocol::Request;
use vauban_sys::cpu::pin_to_cpu;

use crate::lab::Lab;
use crate::process::{Running, run};
use crate::trouble::{Outcome, Trouble, wait_until};

/// How long a daemon may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// The programs that the measurements call, each with its package.
const TOOLS: [(&str, &str); 10] = [
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("iptables-nft", "iptables"),
    ("iptables-nft-restore", "iptables"),
    ("kill", "procps"),
    ("masscan", "masscan"),
    ("nft", "nftables"),
    ("nmap", "nmap"),
    ("tcpdump", "tcpdump"),
    ("unshare", "util-linux"),
];

/// The programs to measure.
pub struct Programs {
    vauban: PathBuf,
    portsentry: PathBuf,
}

impl Programs {
    /// Finds them, or says what is missing.
    pub fn find() -> Outcome<Self> {
        for (tool, package) in TOOLS {
            if which(tool).is_none() {
                return Err(Trouble::new(format!("{tool} is missing: apt install {package}")));
            }
        }
        let vauban = match std::env::var_os("VAUBAN_BIN") {
            Some(path) => PathBuf::from(path),
            None => std::env::current_exe()?.with_file_name("vauban"),
        };
        if !vauban.is_file() {
            return Err(Trouble::new(format!(
                "no vauban to measure at {}: build it (cargo build --release) or name it in \
                 VAUBAN_BIN",
                vauban.display()
            )));
        }
        let portsentry = which("portsentry").ok_or(Trouble::new(
            "no portsentry in PATH to measure against: `make bench-deps` unpacks Debian's",
        ))?;
        Ok(Self { vauban: vauban.canonicalize()?, portsentry })
    }

    /// Vauban on a lab's victim, with defaults.
    pub fn vauban(&self, lab: &Lab) -> Outcome<Running> {
        self.vauban_with(lab, "", None)
    }

    /// Vauban with a configuration; on one processor only, if one is named.
    pub fn vauban_with(&self, lab: &Lab, text: &str, cpu: Option<usize>) -> Outcome<Running> {
        let socket = control_socket(lab);
        // Even an empty one is named: the defaults, whatever this host has configured.
        let config = lab.folder().join("vauban.toml");
        std::fs::write(&config, text)?;
        let mut running = lab.on_victim(|| {
            if let Some(cpu) = cpu {
                pin_to_cpu(cpu)?;
            }
            let mut command = Command::new(&self.vauban);
            command.arg("run").arg("--config").arg(&config).arg("--socket").arg(&socket);
            command.arg("--store").arg(store(lab));
            Running::start(command.stdout(Stdio::null()))
        })?;
        wait_until("vauban run answers", PATIENCE, || {
            if let Some(status) = running.child().try_wait()? {
                return Err(Trouble::new(format!("vauban run ended at once: {status}")));
            }
            Ok(client::call(&socket, &Request::Status).is_ok())
        })?;
        Ok(running)
    }

    /// Vauban with a configuration, which says when it is ready; that is not waited for.
    pub fn vauban_notifying(&self, lab: &Lab, text: &str, manager: &Path) -> Outcome<Running> {
        let config = lab.folder().join("vauban.toml");
        std::fs::write(&config, text)?;
        lab.on_victim(|| {
            let mut command = Command::new(&self.vauban);
            command.arg("run").arg("--config").arg(&config);
            command.arg("--socket").arg(control_socket(lab)).arg("--store").arg(store(lab));
            Running::start(command.env("NOTIFY_SOCKET", manager).stdout(Stdio::null()))
        })
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.vauban
    }

    /// PortSentry on a lab's victim, in its widest mode.
    pub fn portsentry(&self, lab: &Lab) -> Outcome<PortSentry> {
        let folder = lab.folder().join("portsentry");
        if !folder.exists() {
            std::fs::create_dir(&folder)?;
            std::fs::write(folder.join("portsentry.conf"), CONFIGURATION)?;
            std::fs::write(folder.join("portsentry.ignore"), "127.0.0.1/32\n0.0.0.0\n")?;
            std::fs::create_dir(lab.folder().join("etc"))?;
        }
        let mut running = lab.on_victim(|| {
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", HOUSE, "sh"])
                .arg(lab.folder().join("etc"))
                .arg(&folder)
                .arg(&self.portsentry);
            Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
        })?;
        let sockets = PathBuf::from(format!("/proc/{}/net/raw", running.id()));
        wait_until("portsentry listens", PATIENCE, || {
            if let Some(status) = running.child().try_wait()? {
                return Err(Trouble::new(format!("portsentry ended at once: {status}")));
            }
            // A heading, and a line for each raw socket in the namespace.
            Ok(std::fs::read_to_string(&sockets)?.lines().count() > 1)
        })?;
        Ok(PortSentry { running })
    }
}

/// Where the Vauban of a lab is asked.
pub fn control_socket(lab: &Lab) -> PathBuf {
    lab.folder().join("control.sock")
}

/// A PortSentry that runs; it ends, with everything it started, when this goes.
pub struct PortSentry {
    running: Running,
}

impl PortSentry {
    /// The process that reads packets.
    pub fn id(&self) -> Outcome<u32> {
        // Ours is `unshare`; its child is the first of the process namespace, and the daemon,
        // which left its parent, is that one's child.
        let first = child_of(self.running.id())?;
        child_of(first)
    }
}

impl Drop for PortSentry {
    fn drop(&mut self) {
        // With the first of a process namespace go all of it.
        self.running.kill();
    }
}

/// Debian's defaults, but for what its users change to have attackers blocked: the recipe for
/// iptables that the configuration file shows. The state files are moved to where this run's
/// private /etc is.
const CONFIGURATION: &str = r#"TCP_PORTS="1,11,15,79,111,119,143,540,635,1080,1524,2000,5742,6667"
UDP_PORTS="1,7,9,69,161,162,513,635,640,641,700"
ADVANCED_PORTS_TCP="1024"
ADVANCED_PORTS_UDP="1024"
ADVANCED_EXCLUDE_TCP="113,139"
ADVANCED_EXCLUDE_UDP="520,138,137,67"
IGNORE_FILE="/etc/portsentry/portsentry.ignore"
HISTORY_FILE="/etc/portsentry/portsentry.history"
BLOCKED_FILE="/etc/portsentry/portsentry.blocked"
RESOLVE_HOST="0"
BLOCK_UDP="1"
BLOCK_TCP="1"
KILL_ROUTE="/sbin/iptables -I INPUT -s $TARGET$ -j DROP"
SCAN_TRIGGER="0"
"#;

/// The path of its configuration is compiled in. So it gets an /etc of its own, in a mount
/// namespace that nobody else sees: the host's, by links, with one folder in place of another.
/// And as it puts itself in the background without saying where, it gets a process namespace,
/// which ends as one.
const HOUSE: &str = r#"
mount --bind /etc "$1"
mount -t tmpfs -o mode=755 tmpfs /etc
for entry in "$1"/*; do ln -s "$entry" /etc/; done
rm -f /etc/portsentry
mkdir /etc/portsentry
cp "$2"/* /etc/portsentry/
"$3" -atcp
exec sleep 3600
"#;

fn child_of(parent: u32) -> Outcome<u32> {
    std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?
        .split_whitespace()
        .next()
        .and_then(|id| id.parse().ok())
        .ok_or(Trouble::new("a process has no child where it should have one"))
}

/// Where a program is.
fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Loads an nftables program in the calling thread's namespace.
pub fn nft(program: &str) -> Outcome<()> {
    crate::process::feed("nft", &["-f", "-"], program).map(drop)
}

/// The table of what is measured beside Vauban's own.
pub const BENCH_TABLE: &str = "inet bench";

/// Switches a table's hooks off and on again, whatever it holds.
pub fn switch(family_and_table: &str, on: bool) -> Outcome<()> {
    let flags = if on { "{ }" } else { "{ flags dormant; }" };
    run("nft", &["add", "table", family_and_table, flags]).map(drop)
}

/// How many packets a named counter of a table has seen, in the calling thread's namespace.
pub fn counted(table: &[&str], name: &str) -> Outcome<u64> {
    let text = run("nft", &[&["list", "counter"], table, &[name]].concat())?;
    text.split_whitespace()
        .skip_while(|word| *word != "packets")
        .nth(1)
        .and_then(|number| number.parse().ok())
        .ok_or(Trouble::new(format!("nft does not say what {name} has counted")))
}

/// Its database, in a directory of its own.
pub fn store(lab: &Lab) -> PathBuf {
    lab.folder().join("store").join("vauban.db")
}
