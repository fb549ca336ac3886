//! Descriptors over a pair of sockets in one process. What it does not do: cross an exec.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// How many descriptors of this process are open on the same file as `file`.
fn opened(file: &File) -> usize {
    let name = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    let all = fs::read_dir("/proc/self/fd").unwrap();
    all.filter(|entry| {
        fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|other| other == name)
    })
    .count()
}

/// A file that nothing else has open: it is gone from its directory.
fn file() -> File {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("vsys-fd-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file
}

fn close_on_exec(fd: &OwnedFd) -> bool {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    i32::from_str_radix(flags, 8).unwrap() & libc::O_CLOEXEC != 0
}

#[test]
fn descriptors_arrive_in_order_and_are_the_same_files() {
    let (one, other) = UnixStream::pair().unwrap();
    let files: Vec<File> = (0..MOST).map(|_| file()).collect();
    for (number, mut file) in (0_u8..).zip(&files) {
        file.write_all(&[number]).unwrap();
    }
    let borrowed: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    send(&one, b"hello", &borrowed).unwrap();
    let mut buffer = [0; 64];
    let received = receive(&other, &mut buffer, MOST).unwrap();
    assert_eq!(&buffer[..received.length], b"hello");
    assert_eq!(received.descriptors.len(), MOST);
    for (number, fd) in (0_u8..).zip(received.descriptors) {
        assert!(close_on_exec(&fd));
        let mut file = File::from(fd);
        let mut content = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, [number]);
    }
}

#[test]
fn bytes_without_descriptors_and_the_end_are_told() {
    let (one, other) = UnixStream::pair().unwrap();
    send(&one, b"ab", &[]).unwrap();
    drop(one);
    let mut buffer = [0; 64];
    for most in [0, MOST] {
        let received = receive(&other, &mut buffer, most).unwrap();
        assert_eq!(received.length, if most == 0 { 2 } else { 0 });
        assert!(received.descriptors.is_empty());
    }
}

#[test]
fn one_call_never_mixes_the_descriptors_of_two_messages() {
    let (one, other) = UnixStream::pair().unwrap();
    let (a, b) = (file(), file());
    send(&one, b"a", &[a.as_fd()]).unwrap();
    send(&one, b"b", &[b.as_fd()]).unwrap();
    let mut buffer = [0; 64];
    for expected in [b"a", b"b"] {
        let received = receive(&other, &mut buffer, MOST).unwrap();
        assert_eq!((&buffer[..received.length], received.descriptors.len()), (&expected[..], 1));
    }
}

#[test]
fn too_many_descriptors_are_an_error_and_none_stays_open() {
    let (one, other) = UnixStream::pair().unwrap();
    let sent = file();
    for most in 0..3 {
        // One more than expected: what CMSG_SPACE would have let through for an odd number.
        send(&one, b"x", &vec![sent.as_fd(); most + 1]).unwrap();
        let error = receive(&other, &mut [0; 8], most).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(opened(&sent), 1, "{most}");
    }
    // The stream is usable afterwards.
    send(&one, b"x", &[sent.as_fd()]).unwrap();
    assert_eq!(receive(&other, &mut [0; 8], 1).unwrap().descriptors.len(), 1);
    assert_eq!(opened(&sent), 1);
}

#[test]
fn a_long_message_carries_its_descriptors_once() {
    const LENGTH: usize = 3 << 20; // more than a socket's buffer: several sendmsg(2)
    let (one, other) = UnixStream::pair().unwrap();
    let sent = file();
    std::thread::scope(|scope| {
        scope.spawn(|| send(&one, &vec![7; LENGTH], &[sent.as_fd()]).unwrap());
        let (mut bytes, mut descriptors) = (0, Vec::new());
        let mut buffer = vec![0; 64 * 1024];
        while bytes < LENGTH {
            let received = receive(&other, &mut buffer, MOST).unwrap();
            assert!(received.length > 0 && buffer[..received.length].iter().all(|b| *b == 7));
            bytes += received.length;
            descriptors.extend(received.descriptors);
        }
        assert_eq!((bytes, descriptors.len()), (LENGTH, 1));
    });
}

#[test]
fn what_cannot_be_sent_or_received_is_refused() {
    let (one, other) = UnixStream::pair().unwrap();
    let sent = file();
    let invalid = io::ErrorKind::InvalidInput;
    assert_eq!(send(&one, b"", &[sent.as_fd()]).unwrap_err().kind(), invalid);
    assert_eq!(send(&one, b"x", &[sent.as_fd(); MOST + 1]).unwrap_err().kind(), invalid);
    assert_eq!(receive(&other, &mut [], 1).unwrap_err().kind(), invalid);
    assert_eq!(receive(&other, &mut [0; 8], MOST + 1).unwrap_err().kind(), invalid);
    drop(other);
    assert_eq!(send(&one, b"x", &[]).unwrap_err().raw_os_error(), Some(libc::EPIPE));
}
