//! What the sandbox forbids, tried from inside, each test in a process of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; clippy excuses only the test functions themselves"
)]
#![allow(unsafe_code, reason = "system calls by their numbers")]

mod apart;
mod walls;

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use libc::{c_int, c_long};
use vauban_sys::sandbox::{self, Sandbox};
use walls::{Place, enter};

/// Makes a system call and returns its error number, 0 for success.
fn call(number: c_long, arguments: &[i64]) -> c_int {
    let mut six = [0; 6];
    six[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: the arguments are numbers, null pointers, or pointers to text that the tests name as
    // such, so that the worst a call could do is what it is to be refused for.
    if unsafe { libc::syscall(number, six[0], six[1], six[2], six[3], six[4], six[5]) } < 0 {
        std::io::Error::last_os_error().raw_os_error().unwrap()
    } else {
        0
    }
}

fn errno<T>(result: std::io::Result<T>) -> Option<c_int> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn files_outside_are_closed() {
    apart::run("files_outside_are_closed", || {
        let outside = Place::new("outside");
        let (writable, readable) = (Place::new("writable"), Place::new("readable"));
        let file = outside.0.join("file");
        let (own, listed) = (writable.0.join("file"), readable.0.join("file"));
        for file in [&file, &own, &listed] {
            fs::write(file, "content").unwrap();
        }
        let status = apart::forked(|| {
            enter(&[&writable.0], &[&readable.0]);
            let denied = Some(libc::EACCES);
            assert_eq!(errno(fs::read("/etc/passwd")), denied);
            assert_eq!(errno(File::open("/proc/1/mem")), denied);
            assert_eq!(errno(File::open("/proc/self/mem")), denied);
            assert_eq!(errno(fs::read_dir("/")), denied);
            assert_eq!(errno(fs::read(&file)), denied);
            assert_eq!(errno(fs::write(&file, "")), denied);
            assert_eq!(errno(File::create(outside.0.join("new"))), denied);
            assert_eq!(errno(fs::remove_file(&file)), denied);
            // What may be read may not be changed.
            assert_eq!(fs::read(&listed).unwrap(), b"content");
            assert_eq!(errno(fs::write(&listed, "")), denied);
            assert_eq!(errno(File::options().append(true).open(&listed)), denied);
            assert_eq!(errno(File::options().append(true).open(&file)), denied);
            assert_eq!(errno(File::create(readable.0.join("new"))), denied);
            assert_eq!(errno(fs::remove_file(&listed)), denied);
            // Neither way over the wall; a directory between two others is for the kernel EXDEV.
            let moved = |from: &Path, to: &Path| errno(fs::rename(from, to));
            let refused = [denied, Some(libc::EXDEV)];
            assert!(refused.contains(&moved(&own, &outside.0.join("own"))));
            assert!(refused.contains(&moved(&file, &writable.0.join("taken"))));
            // Plain files and nothing else, even where it may write.
            assert_eq!(errno(fs::create_dir(writable.0.join("d"))), Some(libc::EPERM));
            let link = std::os::unix::fs::symlink("/etc/passwd", writable.0.join("link"));
            assert_eq!(errno(link), Some(libc::EPERM));
            let nameless =
                File::options().write(true).custom_flags(libc::O_TMPFILE).open(&outside.0);
            assert_eq!(errno(nameless), denied);
        });
        assert_eq!(status.code(), Some(apart::DONE));
        // Nothing happened, whatever the calls said.
        assert_eq!(fs::read(&file).unwrap(), b"content");
        assert_eq!(fs::read(&listed).unwrap(), b"content");
        assert_eq!(fs::read_dir(&outside.0).unwrap().count(), 1);
    });
}

#[test]
fn a_link_does_not_lead_outside() {
    apart::run("a_link_does_not_lead_outside", || {
        let writable = Place::new("link");
        let link = writable.0.join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        let status = apart::forked(|| {
            enter(&[&writable.0], &[]);
            assert_eq!(errno(fs::read(&link)), Some(libc::EACCES));
        });
        assert_eq!(status.code(), Some(apart::DONE));
    });
}

#[test]
fn modes_and_owners_of_files_stay() {
    apart::run("modes_and_owners_of_files_stay", || {
        let writable = Place::new("modes");
        let path = writable.0.join("file");
        let file = File::create(&path).unwrap();
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let (name, fd) = (name.as_ptr() as i64, i64::from(file.as_raw_fd()));
        let here = i64::from(libc::AT_FDCWD);
        let status = apart::forked(|| {
            enter(&[&writable.0], &[]);
            assert_eq!(call(libc::SYS_fchmodat, &[here, name, 0o777]), libc::EPERM);
            #[cfg(target_arch = "x86_64")]
            assert_eq!(call(libc::SYS_chmod, &[name, 0o777]), libc::EPERM);
            assert_eq!(call(libc::SYS_fchownat, &[here, name, 1, 1, 0]), libc::EPERM);
            assert_eq!(call(libc::SYS_fchown, &[fd, 1, 1]), libc::EPERM);
            assert_eq!(call(libc::SYS_utimensat, &[here, name, 0, 0]), libc::EPERM);
            assert_eq!(call(libc::SYS_setxattr, &[name]), libc::EPERM);
            assert_eq!(call(libc::SYS_fchmod, &[fd, 0o4755]), libc::EPERM);
            assert_eq!(call(libc::SYS_fchmod, &[fd, 0o640]), 0);
        });
        assert_eq!(status.code(), Some(apart::DONE));
    });
}

/// Calls that are refused with `EPERM`, by name.
fn refused(parent: i64) -> Vec<(&'static str, c_long, Vec<i64>)> {
    let flag = i64::from;
    let memory = flag(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let executable = flag(libc::PROT_READ | libc::PROT_EXEC);
    let thread = flag(libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD);
    let (stream, datagram) = (flag(libc::SOCK_STREAM), flag(libc::SOCK_DGRAM));
    let (unix, netlink) = (flag(libc::AF_UNIX), flag(libc::AF_NETLINK));
    let raw = flag(libc::SOCK_RAW);
    let calls = vec![
        ("clone", libc::SYS_clone, vec![flag(libc::SIGCHLD)]),
        ("clone of vfork", libc::SYS_clone, vec![flag(libc::CLONE_VM | libc::CLONE_VFORK)]),
        ("clone NEWNET", libc::SYS_clone, vec![thread | flag(libc::CLONE_NEWNET)]),
        ("TCP", libc::SYS_socket, vec![flag(libc::AF_INET), stream, 0]),
        ("UDP", libc::SYS_socket, vec![flag(libc::AF_INET), datagram, 0]),
        ("TCP of IPv6", libc::SYS_socket, vec![flag(libc::AF_INET6), stream, 0]),
        ("local stream", libc::SYS_socket, vec![unix, stream, 0]),
        ("local datagrams", libc::SYS_socket, vec![unix, datagram, 0]),
        ("packets", libc::SYS_socket, vec![flag(libc::AF_PACKET), raw, 0]),
        ("vsock", libc::SYS_socket, vec![flag(libc::AF_VSOCK), stream, 0]),
        ("crypto", libc::SYS_socket, vec![flag(libc::AF_ALG), flag(libc::SOCK_SEQPACKET), 0]),
        ("netfilter", libc::SYS_socket, vec![netlink, raw, flag(libc::NETLINK_NETFILTER)]),
        ("generic", libc::SYS_socket, vec![netlink, raw, flag(libc::NETLINK_GENERIC)]),
        ("uevents", libc::SYS_socket, vec![netlink, raw, flag(libc::NETLINK_KOBJECT_UEVENT)]),
        ("datagram pair", libc::SYS_socketpair, vec![unix, datagram]),
        ("bind", libc::SYS_bind, vec![0]),
        ("listen", libc::SYS_listen, vec![0]),
        ("setuid", libc::SYS_setuid, vec![0]),
        ("setgid", libc::SYS_setgid, vec![0]),
        ("setresuid", libc::SYS_setresuid, vec![0, 0, 0]),
        ("setgroups", libc::SYS_setgroups, vec![0, 0]),
        ("capset", libc::SYS_capset, vec![0]),
        ("kill 1", libc::SYS_kill, vec![1, 0]),
        ("kill the parent", libc::SYS_kill, vec![parent, 0]),
        ("kill ourselves", libc::SYS_kill, vec![flag(0), 0]),
        ("tgkill the parent", libc::SYS_tgkill, vec![parent, parent, 0]),
        ("tkill", libc::SYS_tkill, vec![parent, 0]),
        ("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, vec![parent]),
        ("pidfd_open", libc::SYS_pidfd_open, vec![parent, 0]),
        ("pidfd_send_signal", libc::SYS_pidfd_send_signal, vec![0]),
        ("mmap EXEC", libc::SYS_mmap, vec![0, 4096, executable, memory, -1, 0]),
        ("mprotect EXEC", libc::SYS_mprotect, vec![0, 0, executable]),
        ("pkey_mprotect", libc::SYS_pkey_mprotect, vec![0, 0, executable, -1]),
        ("shmat", libc::SYS_shmat, vec![0]),
        ("memfd_create", libc::SYS_memfd_create, vec![0]),
        ("prctl DUMPABLE", libc::SYS_prctl, vec![flag(libc::PR_SET_DUMPABLE), 1]),
        ("prctl SECCOMP", libc::SYS_prctl, vec![flag(libc::PR_SET_SECCOMP), 2]),
        ("prctl KEEPCAPS", libc::SYS_prctl, vec![flag(libc::PR_SET_KEEPCAPS), 1]),
        ("seccomp", libc::SYS_seccomp, vec![0]),
        ("ioctl TIOCSTI", libc::SYS_ioctl, vec![0, libc::TIOCSTI.cast_signed(), 0]),
        ("ioctl with high bits", libc::SYS_ioctl, vec![0, 1 << 32, 0]),
        ("setsockopt filter", libc::SYS_setsockopt, vec![0, 1, flag(libc::SO_ATTACH_FILTER)]),
        ("setsockopt packet", libc::SYS_setsockopt, vec![0, flag(libc::SOL_PACKET), 5]),
        ("setsockopt tables", libc::SYS_setsockopt, vec![0, flag(libc::SOL_IP), 64]),
        ("fcntl SETOWN", libc::SYS_fcntl, vec![0, flag(libc::F_SETOWN), parent]),
        ("prlimit64 set", libc::SYS_prlimit64, vec![0, 7, 1, 0]),
        ("linkat", libc::SYS_linkat, vec![0]),
        ("mknodat", libc::SYS_mknodat, vec![0]),
        ("truncate", libc::SYS_truncate, vec![0]),
        ("openat2", libc::SYS_openat2, vec![0]),
        ("inotify_init1", libc::SYS_inotify_init1, vec![0]),
        ("sethostname", libc::SYS_sethostname, vec![0]),
        ("chdir", libc::SYS_chdir, vec![0]),
        ("syslog", libc::SYS_syslog, vec![3]),
    ];
    [calls, refused_old()].concat()
}

/// Those that there are on x86-64 alone.
#[cfg(target_arch = "x86_64")]
fn refused_old() -> Vec<(&'static str, c_long, Vec<i64>)> {
    vec![
        ("fork", libc::SYS_fork, vec![]),
        ("open", libc::SYS_open, vec![0]),
        ("creat", libc::SYS_creat, vec![0]),
        ("iopl", libc::SYS_iopl, vec![3]),
        // The numbers of the x32 rules: the same architecture to the filter.
        ("execve of x32", 0x4000_0000 + 520, vec![0]),
        ("getpid of x32", 0x4000_0000 + libc::SYS_getpid, vec![]),
    ]
}

/// There are none.
#[cfg(not(target_arch = "x86_64"))]
fn refused_old() -> Vec<(&'static str, c_long, Vec<i64>)> {
    Vec::new()
}

#[test]
fn calls_that_are_not_listed_are_refused() {
    apart::run("calls_that_are_not_listed_are_refused", || {
        let parent = i64::from(std::os::unix::process::parent_id());
        let calls = refused(parent);
        // Outside, some of these succeed or fail for another reason: the wall is what refuses.
        assert_eq!(call(libc::SYS_kill, &[parent, 0]), 0);
        assert_eq!(call(libc::SYS_mprotect, &[0, 0, i64::from(libc::PROT_EXEC)]), 0);
        enter(&[], &[]);
        for (name, number, arguments) in calls {
            assert_eq!(call(number, &arguments), libc::EPERM, "{name}");
        }
        assert_eq!(call(libc::SYS_clone3, &[0, 0]), libc::ENOSYS);
        // For the library on top as well, and for threads that were started inside.
        std::thread::spawn(|| {
            assert_eq!(errno(Command::new("/bin/true").spawn()), Some(libc::EPERM));
            assert_eq!(call(libc::SYS_setuid, &[0]), libc::EPERM);
        })
        .join()
        .unwrap();
    });
}

#[test]
fn calls_that_only_a_burglar_makes_end_the_process() {
    apart::run("calls_that_only_a_burglar_makes_end_the_process", || {
        for (name, number) in [
            ("execve", libc::SYS_execve),
            ("execveat", libc::SYS_execveat),
            ("ptrace", libc::SYS_ptrace),
            ("process_vm_readv", libc::SYS_process_vm_readv),
            ("process_vm_writev", libc::SYS_process_vm_writev),
            ("init_module", libc::SYS_init_module),
            ("finit_module", libc::SYS_finit_module),
            ("kexec_load", libc::SYS_kexec_load),
            ("mount", libc::SYS_mount),
            ("umount2", libc::SYS_umount2),
            ("fsopen", libc::SYS_fsopen),
            ("bpf", libc::SYS_bpf),
            ("userfaultfd", libc::SYS_userfaultfd),
            ("perf_event_open", libc::SYS_perf_event_open),
            ("keyctl", libc::SYS_keyctl),
            ("add_key", libc::SYS_add_key),
            ("request_key", libc::SYS_request_key),
            ("unshare", libc::SYS_unshare),
            ("setns", libc::SYS_setns),
            ("io_uring_setup", libc::SYS_io_uring_setup),
            ("chroot", libc::SYS_chroot),
            ("pivot_root", libc::SYS_pivot_root),
        ] {
            let status = apart::forked(|| {
                enter(&[], &[]);
                call(number, &[]);
            });
            assert_eq!(status.signal(), Some(libc::SIGSYS), "{name}: {status}");
        }
    });
}

#[test]
fn programs_cannot_be_started() {
    let output = apart::output("programs_cannot_be_started", || {
        use std::os::unix::process::CommandExt;
        enter(&[], &[]);
        let error = Command::new("/bin/true").exec();
        panic!("still here: {error}");
    });
    assert_eq!(output.status.signal(), Some(libc::SIGSYS));
}

#[test]
fn a_socket_that_is_open_connects_to_nobody_outside() {
    apart::run("a_socket_that_is_open_connects_to_nobody_outside", || {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let name = format!("vsys-{}", std::process::id());
        let local = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let _local = UnixListener::bind_addr(&local).unwrap();
        // What std has no name for: sockets that are connected to nothing yet.
        let socket = |family| {
            // SAFETY: three numbers, no memory of ours.
            unsafe { libc::socket(family, libc::SOCK_STREAM, 0) }
        };
        let (to_tcp, to_local) = (socket(libc::AF_INET), socket(libc::AF_UNIX));
        // SAFETY: `sockaddr_in` is plain integers, for which all bits zero is a value.
        let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        address.sin_family = libc::AF_INET.try_into().unwrap();
        address.sin_port = tcp.local_addr().unwrap().port().to_be();
        address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
        // SAFETY: as above.
        let mut unix: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        unix.sun_family = libc::AF_UNIX.try_into().unwrap();
        for (slot, byte) in unix.sun_path.iter_mut().skip(1).zip(name.bytes()) {
            *slot = libc::c_char::from_ne_bytes([byte]);
        }
        let unix_length = size_of::<libc::sa_family_t>() + 1 + name.len();
        enter(&[], &[]);
        let connect = |fd: c_int, address: i64, length: usize| {
            call(libc::SYS_connect, &[i64::from(fd), address, i64::try_from(length).unwrap()])
        };
        let inet = (&raw const address) as i64;
        assert_eq!(connect(to_tcp, inet, size_of::<libc::sockaddr_in>()), libc::EACCES);
        // For this Landlock has to be of version 6 at least.
        assert_eq!(connect(to_local, (&raw const unix) as i64, unix_length), libc::EPERM);
        assert_eq!(errno(UnixStream::connect_addr(&local)), Some(libc::EPERM));
    });
}

#[test]
fn several_threads_are_refused() {
    apart::run("several_threads_are_refused", || {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv());
        let refusal = sandbox::enter(&Sandbox::default()).unwrap_err();
        assert!(refusal.to_string().contains("has 2"), "{refusal}");
        assert!(fs::read("/etc/passwd").is_ok());
        drop(stop);
        assert!(thread.join().unwrap().is_err());
    });
}

#[test]
fn a_writable_directory_that_is_not_there_is_an_error_with_its_name() {
    apart::run("a_writable_directory_that_is_not_there_is_an_error_with_its_name", || {
        let sandbox = Sandbox { writable: vec!["/no/such".into()], readable: vec![] };
        let error = sandbox::enter(&sandbox).unwrap_err();
        assert!(error.to_string().contains("/no/such"), "{error}");
    });
}
