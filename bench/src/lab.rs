//! Two network namespaces with a link between them and none to anywhere else: a victim, and
//! whoever scans it. All traffic of the measurements stays in here.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use vauban_sys::netns;

use crate::process::run;
use crate::trouble::{Outcome, Trouble, go_on};

/// The name of both ends of the link.
pub const INTERFACE: &str = "eth0";

/// The victim's address (RFC 5737: documentation, nobody's).
pub const VICTIM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The scanner's.
pub const SCANNER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// The victim's gateway: the scanner's end of the link again, so that answers to forged sources
/// leave the victim as they would in the wild.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
/// The victim's address (RFC 3849: documentation).
pub const VICTIM6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);

/// Hardware addresses, fixed so that nobody has to ask for them.
pub const VICTIM_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The scanner's.
pub const SCANNER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The namespaces and a folder; all go when this goes.
pub struct Lab {
    victim: String,
    scanner: String,
    folder: PathBuf,
}

impl Lab {
    /// Makes them, with names that nobody else has.
    pub fn build() -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        go_on()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vauban-bench-{}-{number}", std::process::id());
        let lab = Self {
            victim: format!("{name}-victim"),
            scanner: format!("{name}-scanner"),
            folder: std::env::temp_dir().join(&name),
        };
        std::fs::create_dir(&lab.folder)?;
        let (victim, scanner) = (lab.victim.as_str(), lab.scanner.as_str());
        let (victim_mac, scanner_mac) = (mac(VICTIM_MAC, ':'), mac(SCANNER_MAC, ':'));
        ip(&format!("netns add {victim}"))?;
        ip(&format!("netns add {scanner}"))?;
        ip(&format!(
            "link add {INTERFACE} address {victim_mac} netns {victim} type veth \
             peer name {INTERFACE} address {scanner_mac} netns {scanner}"
        ))?;
        for line in [
            format!("-n {victim} addr add {VICTIM}/24 dev {INTERFACE}"),
            format!("-n {victim} addr add {VICTIM6}/64 dev {INTERFACE} nodad"),
            format!("-n {scanner} addr add {SCANNER}/24 dev {INTERFACE}"),
            format!("-n {victim} link set lo up"),
            format!("-n {victim} link set {INTERFACE} up"),
            format!("-n {scanner} link set lo up"),
            format!("-n {scanner} link set {INTERFACE} up"),
            format!("-n {victim} neigh add {SCANNER} lladdr {scanner_mac} dev {INTERFACE}"),
            format!("-n {victim} neigh add {GATEWAY} lladdr {scanner_mac} dev {INTERFACE}"),
            format!("-n {scanner} neigh add {VICTIM} lladdr {victim_mac} dev {INTERFACE}"),
            format!("-n {victim} route add default via {GATEWAY} dev {INTERFACE}"),
        ] {
            ip(&line)?;
        }
        Ok(lab)
    }

    /// A folder of this lab's own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does something on the victim; programs started there run there.
    pub fn on_victim<T: Send>(&self, what: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
        inside(&self.victim, what)
    }

    /// Does something on the scanner.
    pub fn on_scanner<T: Send>(&self, what: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
        inside(&self.scanner, what)
    }

    /// Where the scanner's namespace can be entered.
    pub fn scanner_path(&self) -> PathBuf {
        path(&self.scanner)
    }

    /// Listening sockets on the victim, whose handshakes the kernel completes.
    pub fn serve(&self, ports: &[u16]) -> Outcome<Vec<TcpListener>> {
        self.on_victim(|| {
            let listeners: std::io::Result<_> =
                ports.iter().map(|port| TcpListener::bind(("0.0.0.0", *port))).collect();
            Ok(listeners?)
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in [&self.victim, &self.scanner] {
            // One that was never made is no loss.
            let _ = run("ip", &["netns", "del", name]);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A hardware address as text.
pub fn mac(address: [u8; 6], separator: char) -> String {
    address.map(|byte| format!("{byte:02x}")).join(&separator.to_string())
}

/// Does something in a thread that has entered the namespace and ends with it.
fn inside<T: Send>(name: &str, what: impl FnOnce() -> Outcome<T> + Send) -> Outcome<T> {
    let path = path(name);
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            netns::enter(&path)?;
            what()
        });
        thread.join().map_err(|_| Trouble::new("a thread in a namespace died"))?
    })
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}

fn ip(line: &str) -> Outcome<()> {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    run("ip", &arguments).map(drop)
}
