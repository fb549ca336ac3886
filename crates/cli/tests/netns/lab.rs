//! The namespaces and the links between them.
//!
//! ```text
//! scanner ── 192.0.2.0/24, 2001:db8:1::/64 ── eth0 victim eth1 ── 198.51.100.0/24, 2001:db8:2::/64 ── client
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use vauban_sys::netns;

use crate::process::{Done, command, finish, needs};

/// The victim, as the scanner knows it.
pub const VICTIM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub const VICTIM6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
/// The scanner.
pub const SCANNER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub const SCANNER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2));
/// The victim, as the client knows it.
pub const AT_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// The client.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));

/// Their link-layer addresses on the scanner's link.
pub const VICTIM_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const SCANNER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// What a refusal or an answer takes at most on a busy machine; what is silent for so long is
/// silent.
pub const SILENCE: Duration = Duration::from_millis(700);

/// What a program may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

static LABS: AtomicU32 = AtomicU32::new(0);

/// Namespaces and a folder; they go when this goes.
pub struct Lab {
    id: String,
    roles: Vec<&'static str>,
    folder: PathBuf,
}

/// How an attempt to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// There was a SYN-ACK, whatever came afterwards.
    Open,
    Refused,
    Silent,
}

impl Lab {
    /// A scanner and a victim.
    pub fn pair() -> Self {
        let id = format!("{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("vauban-netns-{id}"));
        std::fs::create_dir(&folder).unwrap();
        let mut lab = Self { id, roles: Vec::new(), folder };
        lab.add("victim");
        lab.add("scanner");
        lab.link(("victim", "eth0", VICTIM_MAC), ("scanner", "eth0", SCANNER_MAC));
        lab.ip("victim", "addr add 192.0.2.1/24 dev eth0");
        lab.ip("victim", "addr add 2001:db8:1::1/64 dev eth0 nodad");
        lab.ip("scanner", "addr add 192.0.2.2/24 dev eth0");
        lab.ip("scanner", "addr add 2001:db8:1::2/64 dev eth0 nodad");
        lab
    }

    /// The same with a client that has done nothing wrong.
    pub fn trio() -> Self {
        let mut lab = Self::pair();
        lab.add("client");
        lab.link(("victim", "eth1", [2, 0, 0, 0, 1, 1]), ("client", "eth0", [2, 0, 0, 0, 1, 2]));
        lab.ip("victim", "addr add 198.51.100.1/24 dev eth1");
        lab.ip("victim", "addr add 2001:db8:2::1/64 dev eth1 nodad");
        lab.ip("client", "addr add 198.51.100.2/24 dev eth0");
        lab.ip("client", "addr add 2001:db8:2::2/64 dev eth0 nodad");
        lab.ip("client", "route add default via 198.51.100.1");
        lab
    }

    /// One more namespace.
    pub fn add(&mut self, role: &'static str) {
        run("ip", &format!("netns add {}", self.name(role)));
        self.roles.push(role);
        // Addresses are ours alone: no waiting for others to object.
        self.sysctl(role, "net/ipv6/conf/default/accept_dad", "0");
        // Silence must be Vauban's, not that of the kernel's limits on ICMP errors.
        self.sysctl(role, "net/ipv4/icmp_ratemask", "0");
        self.sysctl(role, "net/ipv6/icmp/ratemask", "255");
        self.ip(role, "link set lo up");
    }

    /// A link between two of them: (role, interface, link-layer address) each.
    pub fn link(&self, a: (&str, &str, [u8; 6]), b: (&str, &str, [u8; 6])) {
        run(
            "ip",
            &format!(
                "link add {} netns {} address {} type veth peer name {} netns {} address {}",
                a.1,
                self.name(a.0),
                mac(a.2),
                b.1,
                self.name(b.0),
                mac(b.2)
            ),
        );
        for (role, interface, _) in [a, b] {
            self.ip(role, &format!("link set {interface} up"));
        }
    }

    /// The name of a namespace.
    pub fn name(&self, role: &str) -> String {
        format!("vauban-netns-{}-{role}", self.id)
    }

    /// A place for files, readable for everybody.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `ip` in a namespace.
    pub fn ip(&self, role: &str, line: &str) -> String {
        run("ip", &format!("-n {} {line}", self.name(role)))
    }

    /// Sets a kernel variable of a namespace.
    pub fn sysctl(&self, role: &str, name: &str, value: &str) {
        let path = Path::new("/proc/sys").join(name);
        let value = value.to_owned();
        self.inside(role, move || std::fs::write(path, value)).unwrap();
    }

    /// A command that will run in a namespace.
    pub fn on(&self, role: &str, line: &str) -> Command {
        needs(line.split_whitespace().next().unwrap());
        command(&format!("ip netns exec {} {line}", self.name(role)))
    }

    /// Runs a command in a namespace to its end.
    pub fn run(&self, role: &str, line: &str) -> Done {
        finish(self.on(role, line), PATIENCE)
    }

    /// Runs a function on a thread in a namespace. What it opens stays there.
    pub fn inside<T: Send + 'static>(
        &self,
        role: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let path = Path::new("/run/netns").join(self.name(role));
        std::thread::spawn(move || {
            netns::enter(&path).unwrap();
            work()
        })
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Connects from a namespace.
    pub fn connect(&self, role: &str, to: IpAddr, port: u16) -> io::Result<TcpStream> {
        self.inside(role, move || TcpStream::connect_timeout(&SocketAddr::new(to, port), SILENCE))
    }

    /// Tries a port from a namespace.
    pub fn reach(&self, role: &str, to: IpAddr, port: u16) -> Reached {
        match self.connect(role, to, port) {
            Ok(_) => Reached::Open,
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionReset => Reached::Open,
                io::ErrorKind::ConnectionRefused => Reached::Refused,
                io::ErrorKind::TimedOut => Reached::Silent,
                _ => panic!("{to} port {port}: {error}"),
            },
        }
    }

    /// Waits until a port can be reached, and says how long that took.
    pub fn reached_again(&self, role: &str, to: IpAddr, port: u16, limit: Duration) -> Duration {
        let started = Instant::now();
        while self.reach(role, to, port) != Reached::Open {
            assert!(started.elapsed() < limit, "{to} port {port}: not within {limit:?}");
        }
        started.elapsed()
    }

    /// Loads nft text on the victim.
    pub fn nft_load(&self, text: &str) {
        let path = self.folder.join("text.nft");
        std::fs::write(&path, text).unwrap();
        self.run("victim", &format!("nft -f {}", path.display())).success();
    }

    /// The names of the victim's nft tables.
    pub fn tables(&self) -> Vec<String> {
        let text = self.run("victim", "nft list tables").success();
        text.lines().map(str::to_owned).collect()
    }

    /// Whether Vauban's table is there.
    pub fn is_loaded(&self) -> bool {
        self.tables().iter().any(|table| table == "table inet vauban")
    }

    /// Everything of the victim's firewall that is not Vauban's, with handles, without counters.
    pub fn other_rules(&self) -> String {
        let mut text = String::new();
        for table in self.tables() {
            if table != "table inet vauban" {
                text += &self.run("victim", &format!("nft -a -s list {table}")).success();
            }
        }
        text
    }

    /// The elements of one of Vauban's sets.
    pub fn elements(&self, set: &str) -> Vec<Element> {
        let text = self.run("victim", &format!("nft -j list set inet vauban {set}")).success();
        let value: Value = serde_json::from_str(&text).unwrap();
        let set = value["nftables"].as_array().unwrap().iter().find_map(|item| item.get("set"));
        let elements = set.unwrap().get("elem").and_then(Value::as_array).cloned();
        elements.unwrap_or_default().iter().map(Element::read).collect()
    }

    /// Whether a set of Vauban's has an element.
    pub fn holds(&self, set: &str, key: &str) -> bool {
        self.elements(set).iter().any(|element| element.key == key)
    }

    /// Whether the program has noted anything about a source: in any of its sets but those that
    /// come from the configuration and from what the host is like.
    pub fn knows(&self, source: IpAddr) -> bool {
        let text = self.run("victim", "nft -j list table inet vauban").success();
        let table: Value = serde_json::from_str(&text).unwrap();
        let sets = table["nftables"].as_array().unwrap().iter().filter_map(|item| item.get("set"));
        let noted = sets.filter(|set| set["flags"].to_string().contains("timeout"));
        let elements = noted.filter_map(|set| set["elem"].as_array()).flatten().map(Element::read);
        let source = source.to_string();
        elements.into_iter().any(|element| element.key.split(' ').next() == Some(source.as_str()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for role in &self.roles {
            // Not `run`: a panic while panicking would hide the test's own failure.
            let name = self.name(role);
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An element of a set.
#[derive(Clone, Debug)]
pub struct Element {
    /// Its key; the parts of a concatenation with spaces between them.
    pub key: String,
    /// Seconds, when it has a timeout of its own.
    pub timeout: Option<u64>,
}

impl Element {
    fn read(value: &Value) -> Self {
        let inner = value.get("elem").unwrap_or(value);
        let key = inner.get("val").unwrap_or(inner);
        let word = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            key: match key.get("concat").and_then(Value::as_array) {
                Some(parts) => parts.iter().map(word).collect::<Vec<_>>().join(" "),
                None => word(key),
            },
            timeout: inner.get("timeout").and_then(Value::as_u64),
        }
    }
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

fn run(program: &str, line: &str) -> String {
    let done = finish(command(&format!("{program} {line}")), PATIENCE);
    assert_eq!(done.code, Some(0), "{program} {line}: {} (root needed)", done.err.trim());
    done.out
}
