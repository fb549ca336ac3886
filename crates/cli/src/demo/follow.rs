//! What a bot does with the open ports that its scan has found: it calls.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use vauban_sys::netns;

use super::SERVED;
use super::lab::Lab;
use crate::exit::Trouble;

/// As many as make a ban.
const CALLS: usize = 3;

/// The ports of mail count as one, so a demonstration leaves them out.
const MAIL: [u16; 7] = [25, 110, 143, 465, 587, 993, 995];

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls at the first ports that the scan found open and that nobody serves; says at which.
pub fn call(lab: &Lab, found: &[u16]) -> Result<Vec<u16>, Trouble> {
    let wrong = |port: &&u16| !SERVED.contains(port) && !MAIL.contains(port);
    let ports: Vec<u16> = found.iter().filter(wrong).copied().take(CALLS).collect();
    let path = lab.scanner_path();
    let thread = std::thread::spawn(move || -> std::io::Result<Vec<u16>> {
        netns::enter(&path)?;
        let mut called = Vec::new();
        for port in ports {
            let victim = SocketAddr::new(Lab::VICTIM.into(), port);
            // A call that is not taken is a finding too.
            if let Ok(mut call) = TcpStream::connect_timeout(&victim, PATIENCE) {
                let _ = call.write_all(b"GET / HTTP/1.0\r\n\r\n");
                called.push(port);
            }
        }
        Ok(called)
    });
    let answered =
        thread.join().map_err(|_| Trouble::Failed("the thread that calls died".into()))?;
    Ok(answered?)
}
