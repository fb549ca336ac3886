//! Asks the daemon again and again, on a thread of its own: a daemon that is slow must not make the
//! keyboard slow.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use vauban_daemon::control::protocol::Request;

use crate::ask::ask;
use crate::exit::Trouble;

/// What came.
pub enum News {
    /// An answer, and how long after the one before.
    Answer(Value, Duration),
    /// None: why.
    Missed(String),
    /// What is known of a subject.
    Explained(String, Value),
}

/// What the thread is asked for beside its round.
pub enum Ask {
    /// Everything known of a subject.
    Explain(String),
}

/// Starts it. It ends when nobody listens any more.
pub fn start(
    socket: PathBuf,
    interval: Duration,
) -> std::io::Result<(Receiver<News>, SyncSender<Ask>)> {
    // Two rounds may wait; who looks away from his keyboard for longer misses nothing but history.
    let (sender, receiver) = sync_channel(2);
    let (asker, wishes) = sync_channel(1);
    std::thread::Builder::new().name("poll".into()).spawn(move || {
        let mut last = Instant::now();
        loop {
            let began = Instant::now();
            let news = match ask(&socket, &super::request()) {
                Ok(answer) => {
                    let after = last.elapsed();
                    last = Instant::now();
                    News::Answer(answer, after)
                }
                Err(trouble) => News::Missed(trouble.to_string()),
            };
            if matches!(sender.try_send(news), Err(TrySendError::Disconnected(_))) {
                return;
            }
            loop {
                let left = interval.saturating_sub(began.elapsed());
                match wishes.recv_timeout(left) {
                    Ok(Ask::Explain(subject)) => {
                        let request = Request::Explain { address: subject.clone() };
                        let news = match ask(&socket, &request) {
                            Ok(answer) => News::Explained(subject, answer),
                            Err(Trouble::No(text)) => News::Explained(subject, Value::String(text)),
                            Err(trouble) => News::Missed(trouble.to_string()),
                        };
                        if sender.send(news).is_err() {
                            return;
                        }
                    }
                    Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break,
                    Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    })?;
    Ok((receiver, asker))
}
