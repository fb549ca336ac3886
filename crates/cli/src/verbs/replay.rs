//! `vauban replay`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;
use vauban_daemon::clock::Dates;
use vauban_daemon::control::view::time;
use vauban_daemon::decision::Decision;
use vauban_daemon::entry::Entry;
use vauban_daemon::{Options, announce, words};
use vauban_engine::policy::{Enforcement, Policy, Unproven};
use vauban_engine::zone::Pattern;
use vauban_engine::{Engine, Notice, Prefix};
use vauban_replay::source::{Failure, replay};
use vauban_replay::{Open, Replay, Settings, Summary};

use crate::exit::Trouble;

/// What the command line says.
pub struct Asked {
    /// The capture; `-` is standard input.
    pub file: PathBuf,
    /// The configuration.
    pub config: Option<PathBuf>,
    /// Judge as a dry run would.
    pub dry_run: bool,
    /// The protected host's addresses.
    pub home: Vec<Prefix>,
    /// Who listens.
    pub open: Vec<Open>,
    /// The interface of packets that do not say theirs.
    pub interface: Option<String>,
    /// Objects instead of words.
    pub json: bool,
}

/// Why nobody is banned for what a capture shows.
const UNPROVEN: &str = "unproven: a ban needs the handshake with a decoy, and there was none";

/// Listeners named in the summary at most.
const MOST_LISTENERS: usize = 12;

/// Replays a capture or an export, and prints what would have been decided.
pub fn run(asked: Asked) -> Result<(), Trouble> {
    let options = Options { config: asked.config, dry_run: asked.dry_run, ..Options::default() };
    let policy = vauban_daemon::run::configure(&options)?.config.policy;
    let input = open(&asked.file)?;
    let open = asked.open.into_iter().fold(Open::default(), |mut all, open| {
        all.extend(open);
        all
    });
    let learns_home = asked.home.is_empty();
    let interface = asked.interface;
    let mut replaying =
        Replay::new(Settings { policy: policy.clone(), home: asked.home, open, interface });
    let mut printer = Printer::new(asked.json, policy);
    let outcome =
        replay(input, &mut replaying, &mut |engine, notice| printer.print(engine, notice));
    let summary = replaying.summary();
    if asked.json {
        for remark in remarks(&summary, learns_home) {
            eprintln!("vauban: {remark}");
        }
    } else if summary.frames > 0 || outcome.is_ok() {
        printer.summary(&summary, learns_home);
    }
    printer.finish()?;
    match outcome {
        Ok(()) => Ok(()),
        Err(Failure::Data(text)) => Err(Trouble::Data(format!("{}: {text}", asked.file.display()))),
        Err(Failure::Usage(text)) => Err(Trouble::Usage(text)),
    }
}

/// An address or prefix on the command line.
pub fn home(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|error: vauban_engine::net::NotAPrefix| error.to_string())
}

/// An interface on the command line: a name that a zone could have.
pub fn interface(text: &str) -> Result<String, String> {
    let name = text.parse::<Pattern>().ok().filter(|_| !text.contains('*'));
    name.map(|_| text.to_owned()).ok_or_else(|| {
        format!(
            "no interface's name: at most {} characters, as `ip link` shows it",
            Pattern::LONGEST
        )
    })
}

/// The capture as a stream.
fn open(file: &Path) -> Result<Box<dyn Read>, Trouble> {
    if file == Path::new("-") {
        ends_with_its_input()?;
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(file) {
        Ok(opened) if opened.metadata().is_ok_and(|metadata| metadata.is_dir()) => {
            Err(Trouble::NoInput(format!("{}: a directory; name a capture in it", file.display())))
        }
        Ok(opened) => Ok(Box::new(opened)),
        Err(error) => Err(Trouble::NoInput(format!("{}: {error}", file.display()))),
    }
}

/// The first SIGINT is left to whoever feeds the pipe, as ctrl-C reaches both: what has come is still
/// judged. The second one is meant for us.
fn ends_with_its_input() -> io::Result<()> {
    let again = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&again))?;
    signal_hook::flag::register(SIGINT, again)?;
    Ok(())
}

/// What writes decisions.
struct Printer {
    json: bool,
    policy: Policy,
    dates: Dates,
    out: BufWriter<io::StdoutLock<'static>>,
    /// The first time that writing failed; nothing is written after it.
    failed: Option<io::Error>,
}

impl Printer {
    fn new(json: bool, policy: Policy) -> Self {
        let out = BufWriter::new(io::stdout().lock());
        Self { json, policy, dates: Dates::new(), out, failed: None }
    }

    /// One line for a notice.
    fn print(&mut self, engine: &Engine, notice: &Notice) {
        let line = if self.json { self.object(engine, notice) } else { self.words(notice) };
        if let Some(line) = line {
            self.line(&line);
        }
    }

    fn object(&self, engine: &Engine, notice: &Notice) -> Option<String> {
        let dossier = match notice {
            Notice::Suspected { subject, .. } => engine.dossier(subject),
            _ => None,
        };
        let watched = match notice {
            Notice::Suspected { zone, .. } => zone.as_ref(),
            _ => None,
        };
        let known = dossier.as_ref().map_or(&[][..], |dossier| match watched {
            Some(zone) => dossier
                .sightings
                .iter()
                .find(|sighting| sighting.zone == zone)
                .map_or(&[][..], |sighting| sighting.evidence.as_slice()),
            None => dossier.evidence.as_slice(),
        });
        let entry = Entry::of(notice, known, &self.dates, &self.policy)?;
        let mut decision = Decision::of(entry)?;
        if let Some(zone) = watched {
            decision.reason = format!("{}; {}", decision.reason, words::only_watched(zone));
        } else if matches!(notice, Notice::Suspected { .. })
            && self.policy.unproven != Unproven::Ban
        {
            decision.reason = format!("{}; {}", decision.reason, self.unproven());
        }
        serde_json::to_string(&decision).ok()
    }

    fn words(&self, notice: &Notice) -> Option<String> {
        let line = announce::line(notice, &self.dates, &self.policy)?;
        Some(announce::painted(&line))
    }

    /// Why suspects are not banned.
    fn unproven(&self) -> &'static str {
        match (self.policy.unproven, self.policy.enforcement) {
            (Unproven::Decoy, Enforcement::Enforce) => {
                "unproven so far: a ban needs the handshake with a decoy"
            }
            (Unproven::Decoy, Enforcement::DryRun) => "unproven: a dry run plays no decoys",
            _ => "unproven: this policy plays no decoys",
        }
    }

    fn line(&mut self, line: &str) {
        if self.failed.is_none() {
            // At once: whoever pipes a live capture in wants to know now.
            self.failed = writeln!(self.out, "{line}").and_then(|()| self.out.flush()).err();
        }
    }

    /// What a replay ends with, in words.
    fn summary(&mut self, summary: &Summary, learned: bool) {
        let tally = summary.tally;
        let span = summary.span.map(|(first, last)| {
            format!(", {} from {}", words::span(last.since(first)), time(self.dates.wall(first)))
        });
        let _ = self.out.flush();
        let mut lines =
            vec![format!("{}{}", counted(summary.frames, "packet"), span.unwrap_or_default())];
        if !summary.home.is_empty() && !learned {
            lines.push(format!("protected host: {}", names(&summary.home)));
        }
        if !summary.listeners.is_empty() {
            lines.push(format!("listeners seen: {}", names(&summary.listeners)));
        }
        lines.push(format!(
            "{}, {}, {}",
            counted(tally.probes, "probe"),
            counted(tally.suspected, "suspect"),
            counted(tally.banned, "ban"),
        ));
        if tally.watched > 0 {
            lines.push(format!(
                "{} in zones that are only watched",
                counted(tally.watched, "suspect")
            ));
        }
        if summary.unproven() > 0 && self.policy.unproven != Unproven::Ban {
            let some = counted(summary.unproven() as u64, "suspect");
            lines.push(format!("{some} {UNPROVEN}"));
        }
        lines.extend(remarks(summary, learned));
        for line in lines {
            eprintln!("{line}");
        }
    }

    /// Writes out what is still in memory.
    fn finish(mut self) -> Result<(), Trouble> {
        let failed = self.failed.take().or(self.out.flush().err());
        match failed {
            // Whoever reads wanted no more.
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// What the user should know beside the decisions.
fn remarks(summary: &Summary, learned: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    if learned && !summary.home.is_empty() {
        let home = names(&summary.home);
        remarks.push(format!("taken for the protected host: {home} (say --home if that is wrong)"));
    }
    if summary.frames > 0 && !summary.met_home && !summary.home.is_empty() {
        remarks.push("no packet was to or from the protected host".to_owned());
    }
    if summary.ignored > 0 {
        let some = counted(summary.ignored, "packet");
        remarks.push(format!("{some} left out, as they came in by a zone that is ignored"));
    }
    if summary.guessed {
        remarks.push(
            "packets that do not say by which interface they came in are taken for those of zone \
             wan (say --interface if that is wrong)"
                .to_owned(),
        );
    }
    if summary.backwards > 0 {
        remarks.push(format!(
            "{} older than what stands before them: time never runs backwards here, so they were \
             judged as if they had come later; bring the capture in order (`reordercap`)",
            counted(summary.backwards, "packet")
        ));
    }
    if summary.unverified > 0 {
        let why = if summary.cut > 0 {
            "they were cut off when they were captured, so nobody can verify their checksums; \
             capture with `tcpdump -s 0`"
        } else {
            "they are fragments, or shorter than they say, so nobody can verify their checksums"
        };
        let probes = summary.unverified;
        remarks.push(format!("{probes} probes do not count: {why}"));
    }
    remarks
}

/// `1 ban`, `2 bans`.
fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn names<T: ToString>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().take(MOST_LISTENERS).map(ToString::to_string).collect();
    match items.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
