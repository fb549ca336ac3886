//! The victim: its services, and Vauban protecting them.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use vauban_daemon::control::client;
use vauban_daemon::control::protocol::{Reply, Request};
use vauban_sys::netns;

use super::SERVED;
use super::lab::Lab;
use crate::exit::Trouble;

/// How long Vauban may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listening sockets in the victim's namespace; the kernel completes their handshakes.
pub struct Services {
    _listeners: Vec<TcpListener>,
}

impl Services {
    /// Opens them. A thread enters the namespace and ends; what it opened stays there.
    pub fn open(lab: &Lab) -> Result<Self, Trouble> {
        let path = lab.victim_path();
        let opener = std::thread::spawn(move || -> std::io::Result<Vec<TcpListener>> {
            netns::enter(&path)?;
            SERVED.iter().map(|port| TcpListener::bind(("0.0.0.0", *port))).collect()
        });
        let listeners = opener
            .join()
            .map_err(|_| Trouble::Failed("the thread that opens services died".into()))??;
        Ok(Self { _listeners: listeners })
    }
}

/// A Vauban that runs on the victim; it ends when this goes.
pub struct Guarded {
    child: Child,
    folder: PathBuf,
    socket: PathBuf,
}

impl Guarded {
    /// Starts it, with its defaults, and waits until it answers.
    pub fn start(lab: &Lab) -> Result<Self, Trouble> {
        let folder = std::env::temp_dir().join(format!("vauban-demo-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let socket = folder.join("control.sock");
        // An empty configuration: the demo shows the defaults, whatever this host has configured.
        let config = folder.join("vauban.toml");
        std::fs::write(&config, "")?;
        let program = std::env::current_exe()?;
        let child = lab
            .on_victim(&program.to_string_lossy())
            .arg("run")
            .arg("--config")
            .arg(&config)
            .arg("--socket")
            .arg(&socket)
            .arg("--store")
            .arg(folder.join("store").join("vauban.db"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut guarded = Self { child, folder, socket };
        let started = Instant::now();
        while client::call(&guarded.socket, &Request::Status).is_err() {
            if let Some(status) = guarded.child.try_wait()? {
                return Err(Trouble::Failed(format!("vauban run ended at once: {status}")));
            }
            if started.elapsed() > PATIENCE {
                return Err(Trouble::Failed("vauban run did not answer in time".into()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(guarded)
    }

    /// Waits until it has banned somebody: a moment, as silent callers get one to speak.
    pub fn wait_for_ban(&self, address: Ipv4Addr) -> Result<(), Trouble> {
        let request = Request::Explain { address: address.to_string() };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Reply::Ok(value) = client::call(&self.socket, &request)?
                && value.pointer("/ban").is_some_and(|ban| !ban.is_null())
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Trouble::Failed("the scanner was not banned".into()))
    }

    /// Its control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Stops it as a service manager would, and returns what it printed.
    pub fn stop(mut self) -> Result<String, Trouble> {
        let out = self.child.stdout.take();
        self.end();
        let mut text = String::new();
        if let Some(mut out) = out {
            ChildStdout::read_to_string(&mut out, &mut text)?;
        }
        Ok(text)
    }

    fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return; // it has ended, and its id may be somebody else's by now
        }
        // By its id, as a service manager would; `ip netns exec` has become it.
        let terminated = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .is_ok_and(|status| status.success());
        let started = Instant::now();
        while terminated && started.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
