//! Ports that somebody serves, over IPv4 and IPv6.
//!
//! TCP: who says `GET` gets a web page, after which the server hangs up first, as web servers do;
//! everything else is sent back. UDP: everything is sent back.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::Lab;

/// What the web page says.
pub const PAGE: &str = "served\n";

/// Served ports; they close when this goes.
pub struct Services<'lab> {
    lab: &'lab Lab,
    role: &'static str,
    tcp: Vec<u16>,
    stop: Arc<AtomicBool>,
    calls: Calls,
    threads: Vec<JoinHandle<()>>,
}

type Calls = Arc<Mutex<Vec<TcpStream>>>;

impl<'lab> Services<'lab> {
    pub fn open(lab: &'lab Lab, role: &'static str, tcp: &[u16], udp: &[u16]) -> Self {
        let any = |port: u16| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Calls::default());
        let mut threads = Vec::new();
        for port in tcp.iter().copied() {
            let listener = lab.inside(role, move || TcpListener::bind(any(port)).unwrap());
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            threads.push(std::thread::spawn(move || accept(&listener, &stop, &calls)));
        }
        for port in udp.iter().copied() {
            let socket = lab.inside(role, move || UdpSocket::bind(any(port)).unwrap());
            let stop = Arc::clone(&stop);
            threads.push(std::thread::spawn(move || echo(&socket, &stop)));
        }
        Self { lab, role, tcp: tcp.to_vec(), stop, calls, threads }
    }
}

impl Drop for Services<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A call wakes who waits for one.
        let ports = self.tcp.clone();
        self.lab.inside(self.role, move || {
            for port in ports {
                let _ = TcpStream::connect((Ipv6Addr::LOCALHOST, port));
            }
        });
        for call in self.calls.lock().unwrap().drain(..) {
            let _ = call.shutdown(std::net::Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, calls: &Calls) {
    for call in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // A scanner that hangs up at once.
        let Ok(call) = call else { continue };
        let calls = Arc::clone(calls);
        std::thread::spawn(move || {
            // A peer that is banned never says goodbye: whoever drops the services hangs up.
            if serve(&call, &calls).is_err() {
                let _ = call.shutdown(std::net::Shutdown::Both);
            }
        });
    }
}

fn serve(mut call: &TcpStream, calls: &Calls) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    let mut kept = false;
    loop {
        let count = call.read(&mut bytes)?;
        let said = &bytes[..count];
        if said.is_empty() {
            return Ok(());
        }
        if said.starts_with(b"GET ") {
            // Without a length: the end of the connection is the end of the page.
            return write!(call, "HTTP/1.0 200 OK\r\n\r\n{PAGE}");
        }
        if !kept {
            calls.lock().unwrap().push(call.try_clone()?);
            kept = true;
        }
        call.write_all(said)?;
    }
}

fn echo(socket: &UdpSocket, stop: &AtomicBool) {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut bytes = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((count, from)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(&bytes[..count], from);
        }
    }
}

/// Says something on a connection and waits for the echo. One that was cut off answers nothing.
pub fn answers(mut call: &TcpStream, limit: Duration) -> bool {
    call.set_read_timeout(Some(limit)).unwrap();
    let mut said = [0; 12];
    call.write_all(b"still there?").is_ok() && call.read_exact(&mut said).is_ok()
}

/// Asks for the web page on a new connection and reads it.
pub fn read_page(mut call: &TcpStream) -> std::io::Result<String> {
    call.set_read_timeout(Some(Duration::from_secs(2)))?;
    call.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    call.read_to_string(&mut page)?;
    Ok(page)
}
