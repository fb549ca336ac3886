//! The child's end of the boundary to its parent.
//!
//! One thread reads what the parent says, so that the parent never waits for us to listen: answers
//! go to whoever has asked, the rest waits in a queue of its own.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Duration;

use vauban_enforce::boundary::{Answer, Ask, Said, Tell, wire};
use vauban_engine::output::Batch;

use super::Incoming;

/// How long the parent may take for an answer: a program with a hundred thousand bans in sets of
/// another size takes it some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The parent cannot be reached any more.
#[derive(Clone, Copy, Debug)]
pub struct Orphaned;

/// The way to the parent.
pub struct Link {
    stream: UnixStream,
    answers: Receiver<Answer>,
    tells: Receiver<Tell>,
}

impl Link {
    /// Starts to listen. Whenever the parent has told something, `wake` is told so.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(stream: UnixStream, wake: SyncSender<Incoming>) -> io::Result<Self> {
        let (answer_sender, answers) = mpsc::channel();
        let (tell_sender, tells) = mpsc::channel();
        let reading = stream.try_clone()?;
        std::thread::Builder::new().name("parent".into()).spawn(move || {
            listen(reading, &answer_sender, &tell_sender, &wake);
            // Dropping the senders tells everybody that the parent is gone; a full queue is awake.
            drop((answer_sender, tell_sender));
            let _ = wake.try_send(Incoming::Told);
        })?;
        Ok(Self { stream, answers, tells })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The parent is gone, or does not answer.
    pub fn ask(&mut self, ask: &Ask) -> Result<Answer, Orphaned> {
        self.stream.write_all(&ask.write()).map_err(|_| Orphaned)?;
        self.answers.recv_timeout(PATIENCE).map_err(|_| Orphaned)
    }

    /// Asks for changes, in parts of so many operations. The last answer that is not
    /// [`Answer::Done`] counts.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub fn apply(&mut self, batch: Batch, most_ops: usize) -> Result<Answer, Orphaned> {
        if batch.ops.len() <= most_ops {
            return self.ask(&Ask::Apply(batch));
        }
        let mut outcome = Answer::Done;
        for ops in batch.ops.chunks(most_ops) {
            match self.ask(&Ask::Apply(Batch { ops: ops.to_vec() }))? {
                Answer::Done => {}
                other => outcome = other,
            }
        }
        Ok(outcome)
    }

    /// What the parent has told, if it has.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn told(&mut self) -> Result<Option<Tell>, Orphaned> {
        match self.tells.try_recv() {
            Ok(tell) => Ok(Some(tell)),
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(mpsc::TryRecvError::Disconnected) => Err(Orphaned),
        }
    }
}

/// Reads until the parent is gone or cannot be understood.
fn listen(
    mut stream: UnixStream,
    answers: &Sender<Answer>,
    tells: &Sender<Tell>,
    wake: &SyncSender<Incoming>,
) {
    while let Ok(Some(frame)) = wire::read_frame(&mut stream) {
        let sent = match Said::read(&frame) {
            Ok(Said::Answer(answer)) => answers.send(answer).is_ok(),
            Ok(Said::Tell(tell)) => {
                let sent = tells.send(tell).is_ok();
                let _ = wake.try_send(Incoming::Told);
                sent
            }
            Err(error) => {
                eprintln!("vauban: {error}");
                false
            }
        };
        if !sent {
            return;
        }
    }
}
