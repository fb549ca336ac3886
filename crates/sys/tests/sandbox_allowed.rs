//! What has to go on working inside the sandbox, each test in a process of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]
#![allow(unsafe_code, reason = "memory shared with a file")]

mod apart;
mod namespace;
mod walls;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};
use std::{process, ptr, thread};

use namespace::Namespace;
use vauban_sys::network::{NetworkSender, Outgoing};
use vauban_sys::nflog::{NflogSocket, Received};
use vauban_sys::{cpu, descriptors, diag, interface, peer, privileges, random, route, timer, user};
use walls::{Place, enter};

/// Short, for waits that are to end by themselves.
const MOMENT: Duration = Duration::from_millis(1);

/// What the threads of a daemon do with each other.
fn threads() {
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let workers: Vec<_> = (0..8)
        .map(|number| {
            let shared = Arc::clone(&shared);
            let work = move || {
                *shared.0.lock().unwrap() += number;
                shared.1.notify_all();
                thread::sleep(MOMENT);
                vec![number; 1 << 20].len() // memory of its own
            };
            thread::Builder::new().name(format!("worker-{number}")).spawn(work).unwrap()
        })
        .collect();
    let sum = shared.0.lock().unwrap();
    let (sum, _) = shared.1.wait_timeout_while(sum, Duration::from_secs(9), |s| *s < 28).unwrap();
    assert_eq!(*sum, 28);
    drop(sum);
    assert!(workers.into_iter().all(|worker| worker.join().unwrap() == 1 << 20));
    let (sender, receiver) = channel();
    assert_eq!(receiver.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout));
    thread::spawn(move || sender.send(7).unwrap());
    assert_eq!(receiver.recv(), Ok(7));
    thread::park_timeout(MOMENT);
    thread::yield_now();
    assert!(thread::available_parallelism().is_ok());
    // A panic ends its thread and no more.
    let quiet = thread::spawn(|| std::panic::resume_unwind(Box::new(5)));
    assert!(quiet.join().is_err());
    let pinned = thread::spawn(|| {
        timer::exact_sleeps().unwrap();
        cpu::pin_to_cpu(0)
    });
    pinned.join().unwrap().unwrap();
}

/// What a database does with its files.
fn database(directory: &Path) {
    let (path, log) = (directory.join("ledger"), directory.join("ledger-wal"));
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
    file.write_all(&[1; 8192]).unwrap();
    file.write_all_at(&[2; 100], 4096).unwrap();
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    file.lock_shared().unwrap();
    file.unlock().unwrap();
    let mut range = libc::flock {
        l_type: libc::F_WRLCK.try_into().unwrap(),
        l_whence: 0,
        l_start: 0x4000_0000, // where SQLite has its locks
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: a live structure of ours and an open file.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw mut range) }, 0);
    file.set_len(16_384).unwrap();
    // SAFETY: numbers, and an open file.
    assert_eq!(unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, 32_768) }, 0);
    assert_eq!(file.metadata().unwrap().len(), 32_768);
    let (shared, both) = (libc::MAP_SHARED, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: the kernel chooses the place; the file is longer than the length.
    let memory = unsafe { libc::mmap(ptr::null_mut(), 4096, both, shared, file.as_raw_fd(), 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    // SAFETY: the 4096 bytes were mapped above, nobody else has them, and they are unmapped last.
    unsafe {
        memory.cast::<u8>().write(9);
        assert_eq!(libc::msync(memory, 4096, libc::MS_SYNC), 0);
        assert_eq!(libc::munmap(memory, 4096), 0);
    }
    let mut byte = [0];
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [9]);
    fs::write(&log, "log").unwrap();
    fs::rename(&log, directory.join("ledger-old")).unwrap();
    assert!(!log.exists());
    let names: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    fs::remove_file(directory.join("ledger-old")).unwrap();
    File::open(directory).unwrap().sync_all().unwrap(); // the directory's own entries
    let mode = fs::Permissions::from_mode(0o640);
    file.set_permissions(mode).unwrap();
}

/// What is asked of the kernel's network.
fn network_requests() {
    assert!(route::addresses().unwrap().iter().any(|address| address.addr.is_loopback()));
    route::default_gateways().unwrap();
    assert!(interface::mtu(1).unwrap() > 0);
    diag::listeners().unwrap();
    let nobody = "127.0.0.1:1".parse().unwrap();
    assert!(!diag::has_connection(nobody, nobody).unwrap());
}

/// Small things that a daemon asks for.
fn questions() {
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    assert!(Instant::now().elapsed() < Duration::from_secs(9));
    random::key().unwrap();
    privileges::held().unwrap();
    peer::effective_uid();
    assert!(process::id() > 0);
    std::env::current_dir().unwrap();
    println!("this goes to an open descriptor");
}

/// Clients that connect, ask and hand over a file: all of it was sent before, since nobody can
/// connect from inside.
fn control(listener: &UnixListener, client: &UnixStream) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(9))).unwrap();
    let credentials = peer::peer_credentials(&stream).unwrap();
    assert!(credentials.pid > 0);
    let mut buffer = [0; 8];
    let received = descriptors::receive(&stream, &mut buffer, 1).unwrap();
    assert_eq!((&buffer[..received.length], received.descriptors.len()), (&b"file"[..], 1));
    stream.write_all(b"thanks").unwrap();
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    let mut answer = String::new();
    client.try_clone().unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "thanks");
    // Waiting with a limit, and pairs among ourselves.
    let (one, mut other) = UnixStream::pair().unwrap();
    other.set_read_timeout(Some(MOMENT)).unwrap();
    let late = other.read(&mut buffer).unwrap_err();
    assert_eq!(late.kind(), std::io::ErrorKind::WouldBlock);
    other.set_nonblocking(true).unwrap();
    drop(one);
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    reader.read_exact(&mut buffer[..1]).unwrap();
}

/// The index of `lo` in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// The rule that makes copies of what is sent here.
const LOG: &str = "table netdev t {
    chain in {
        type filter hook ingress device \"lo\" priority 0;
        ip protocol 253 log group 4713
    }
}";

/// A packet out of an open socket, and its copy out of another.
fn packets(sender: &NetworkSender, log: &mut NflogSocket) {
    // IPv4 from loopback to itself, of a protocol for experiments, its header's checksum last.
    let mut packet = [69, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
    let sum: u32 = packet.chunks(2).map(|p| (u32::from(p[0]) << 8) + u32::from(p[1])).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let out = Outgoing { interface: LOOPBACK, link_address: &[0; 6], packet: &packet };
    assert_eq!(sender.send(&[out]), 1);
    let mut copies = Vec::new();
    for _ in 0..20 {
        let received = log.recv_within(MOMENT * 250, &mut |copy| {
            copies.push(copy.payload.to_vec());
        });
        assert_ne!(received.unwrap(), Received::Overrun);
        if !copies.is_empty() {
            break;
        }
    }
    assert_eq!(copies, [packet]);
}

/// A listener with a client that has sent a file.
fn listener(directory: &Path) -> (UnixListener, UnixStream) {
    let path = directory.join("control");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let file = File::open("/proc/version").unwrap();
    descriptors::send(&client, b"file", &[file.as_fd()]).unwrap();
    (listener, client)
}

#[test]
fn threads_files_requests_and_the_control_socket_go_on() {
    apart::run("threads_files_requests_and_the_control_socket_go_on", || {
        let (outside, state) = (Place::new("run"), Place::new("state"));
        let (listener, client) = listener(&outside.0);
        let status = apart::forked(|| {
            enter(&[&state.0], &[]);
            threads();
            database(&state.0);
            thread::scope(|scope| scope.spawn(|| database(&state.0)).join().unwrap());
            network_requests();
            control(&listener, &client);
            questions();
        });
        assert_eq!(status.code(), Some(apart::DONE));
    });
}

#[test]
fn what_is_readable_can_be_read_and_what_is_not_there_is_left_out() {
    apart::run("what_is_readable_can_be_read_and_what_is_not_there_is_left_out", || {
        let absent = Path::new("/no/such/file");
        enter(&[], &[Path::new("/proc/self/net"), Path::new("/etc/hostname"), absent]);
        assert!(fs::read_to_string("/proc/self/net/netstat").unwrap().contains("TcpExt"));
        fs::read_dir("/proc/self/net").unwrap();
        fs::read("/etc/hostname").unwrap();
        let sibling = fs::read("/etc/passwd").unwrap_err();
        assert_eq!(sibling.raw_os_error(), Some(libc::EACCES));
    });
}

#[test]
#[ignore = "needs root"]
fn so_it_does_for_a_user_without_any_rights() {
    apart::run("so_it_does_for_a_user_without_any_rights", || {
        const USER: u32 = 64_123;
        let (outside, state) = (Place::new("user-run"), Place::new("user-state"));
        chown(&state.0, Some(USER), Some(USER)).unwrap();
        let (listener, client) = listener(&outside.0);
        // Opened with rights that are given up next, and used without them.
        let _namespace = Namespace::with_ruleset(LOG);
        let mut log = NflogSocket::open(4713).unwrap();
        let sender = NetworkSender::open().unwrap();
        let status = apart::forked(|| {
            privileges::bound(&[]).unwrap();
            user::become_user(USER, USER).unwrap();
            privileges::drop_all().unwrap();
            enter(&[&state.0], &[Path::new("/proc/self/net")]);
            assert_eq!(privileges::held().unwrap(), [""; 0]);
            threads();
            database(&state.0);
            network_requests();
            control(&listener, &client);
            questions();
            assert!(fs::read_to_string("/proc/self/net/netstat").unwrap().contains("TcpExt"));
            packets(&sender, &mut log);
        });
        assert_eq!(status.code(), Some(apart::DONE));
    });
}
