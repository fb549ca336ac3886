//! The child as a process: whom it becomes, how it is started and greeted, how it ends.

use std::io::{self, Read, Write as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use vauban_config::LogFormat;
use vauban_enforce::boundary::{Begin, Said, Tell, wire};
use vauban_sys::{descriptors, poll, user};

/// The user that the package makes for the child.
const USER: &str = "vauban";

/// Who is taken where that one does not exist: a user that owns nothing, by its name and by its
/// number on Linux.
const NOBODY: (&str, u32) = ("nobody", 65534);

/// The verb that makes this program the child. Nobody types it.
pub const VERB: &str = "child";

/// What lists of processes call it.
const NAME: &str = "vauban";

/// How long one message may take to be read or written. Whoever stops in the middle of one is
/// stuck.
const STUCK: Duration = Duration::from_secs(10);

/// What of the environment reaches the child: what colours and a panic's message depend on.
const ENVIRONMENT: [&str; 6] =
    ["TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE"];

/// Whom the child becomes.
pub(super) struct Whom {
    pub(super) uid: u32,
    pub(super) gid: u32,
    is_nobody: bool,
}

impl Whom {
    /// The user made for it, or else nobody.
    pub(super) fn find() -> io::Result<Self> {
        if let Some(found) = user::lookup(USER)? {
            return Ok(Self { uid: found.uid, gid: found.gid, is_nobody: false });
        }
        let (name, number) = NOBODY;
        let (uid, gid) = user::lookup(name)?.map_or((number, number), |u| (u.uid, u.gid));
        Ok(Self { uid, gid, is_nobody: true })
    }

    /// What is worth saying about it.
    pub(super) fn remark(&self) -> Option<String> {
        let (name, _) = NOBODY;
        self.is_nobody.then(|| {
            format!(
                "There is no user {USER} here: the unprivileged process runs as {name}. The package \
                 makes one; by hand: useradd --system --shell /usr/sbin/nologin {USER}"
            )
        })
    }
}

/// What the child does with its log.
pub(super) enum ChildLog {
    /// It writes to our standard output.
    Own(LogFormat),
    /// Its standard output is this socket, and takes entries as JSON.
    Entries(UnixStream),
}

impl ChildLog {
    fn format(&self) -> LogFormat {
        match self {
            Self::Own(format) => *format,
            Self::Entries(_) => LogFormat::Json,
        }
    }

    fn stdout(self) -> Stdio {
        match self {
            Self::Own(_) => Stdio::inherit(),
            Self::Entries(socket) => Stdio::from(OwnedFd::from(socket)),
        }
    }
}

/// The child process, and the socket to it.
pub(super) struct Offspring {
    process: Child,
    stream: UnixStream,
}

impl Offspring {
    /// Starts it, and tells it what to begin with.
    pub(super) fn start(
        begin: Begin,
        sockets: [BorrowedFd<'_>; 3],
        log: ChildLog,
    ) -> io::Result<Self> {
        let (stream, other) = UnixStream::pair()?;
        stream.set_read_timeout(Some(STUCK))?;
        stream.set_write_timeout(Some(STUCK))?;
        let environment =
            ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        // The same program, also where its file has been replaced by a newer one since.
        let process = Command::new("/proc/self/exe")
            .arg0(NAME)
            .arg(VERB)
            .arg("--log")
            .arg(log.format().word())
            .env_clear()
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(log.stdout())
            .spawn()?;
        let mut child = Self { process, stream };
        let frame = Said::Tell(Tell::Begin(Box::new(begin))).write();
        let (first, rest) = frame.split_at(frame.len().min(1));
        let sent = descriptors::send(&child.stream, first, &sockets)
            .and_then(|()| child.stream.write_all(rest));
        match sent {
            Ok(()) => Ok(child),
            Err(error) => {
                child.kill();
                Err(error)
            }
        }
    }

    /// The socket to it.
    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Reads what it says next; `None` at its end. A frame that does not come whole in time is an
    /// error, however its bytes trickle in: nothing else happens here meanwhile.
    pub(super) fn read(&self, most_ops: usize) -> io::Result<Option<Vec<u8>>> {
        let mut stream = Until { stream: &self.stream, until: Instant::now() + STUCK };
        wire::read_question(&mut stream, most_ops)
    }

    /// Writes a whole frame.
    pub(super) fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame)
    }

    /// What became of it, once its end of the socket is closed.
    pub(super) fn obituary(&mut self) -> String {
        match self.wait(STUCK) {
            Some(status) => format!("the child process ended: {}", how(status)),
            None => "the child process has closed its socket and does not end".into(),
        }
    }

    /// Waits until it ends by itself.
    pub(super) fn finish(&mut self, within: Duration) -> Result<(), String> {
        match self.wait(within) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("the child process ended badly: {}", how(status))),
            None => {
                self.kill();
                Err(format!("the child process did not end within {within:?} and was killed"))
            }
        }
    }

    fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + within;
        // Its end of the socket closes with it, so that nobody has to look again and again.
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wait_for_silence(left);
        }
    }

    /// Waits for the end of what it says, and throws that away. The process ends a moment later.
    fn wait_for_silence(&mut self, left: Duration) {
        use std::os::fd::AsFd as _;
        /// Between the closed socket and the end of the process.
        const MOMENT: Duration = Duration::from_millis(1);
        let mut bytes = [0; 4096];
        match poll::readable(&[self.stream.as_fd()], Some(left)) {
            Ok(ready) if ready.contains(&true) => match self.stream.read(&mut bytes) {
                Ok(count) if count > 0 => {}
                _ => std::thread::sleep(MOMENT),
            },
            _ => {}
        }
    }

    /// Ends it at once. It is no error if it has ended.
    pub(super) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The stream, up to a point in time.
struct Until<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(into)
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
