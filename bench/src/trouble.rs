//! Why a measurement could not be made, and the one reason that is nobody's fault: ctrl-C.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

/// A text for people.
#[derive(Debug)]
pub struct Trouble(String);

impl Trouble {
    /// With these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What everything here returns.
pub type Outcome<T> = Result<T, Trouble>;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on ctrl-C does not end the program but makes [`go_on`] fail, so that everything made
/// so far is taken away by the way back.
pub fn catch_interrupts() -> Outcome<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// To be asked in every loop.
pub fn go_on() -> Outcome<()> {
    match INTERRUPTED.get() {
        Some(flag) if flag.load(Ordering::Relaxed) => Err(Trouble::new("interrupted")),
        _ => Ok(()),
    }
}

/// Sleeps, unless interrupted.
pub fn pause(length: Duration) -> Outcome<()> {
    let started = Instant::now();
    while let Some(left) = length.checked_sub(started.elapsed()) {
        go_on()?;
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    go_on()
}

/// Asks again and again until the answer is yes.
pub fn wait_until(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> Outcome<bool>,
) -> Outcome<()> {
    let started = Instant::now();
    while !holds()? {
        go_on()?;
        if started.elapsed() > patience {
            return Err(Trouble::new(format!("{what}: not within {} s", patience.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
