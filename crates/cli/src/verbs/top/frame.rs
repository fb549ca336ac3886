//! Answers of the daemon made into what is shown: totals become rates, suspects become rows.
//!
//! Pure: it has no clock and asks nobody.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use vauban_config::duration;
use vauban_daemon::clean::clean;

use crate::ask::{list, number, text};

/// Looks back in the small history of probes: as many as the widest screens have columns for it.
const HISTORY: usize = 240;

/// Subjects remembered from earlier answers: some twenty answers of a flood, in which nobody is shown
/// twice.
const MOST_SEEN: usize = 8_192;

/// The totals that become rates, as the daemon names them.
const TOTALS: [&str; 9] = [
    "probes",
    "decoys",
    "handshakes",
    "dropped_banned",
    "dropped_suspects",
    "suspected",
    "watched",
    "banned",
    "not_judged",
];

/// What is shown.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Why there is no newer answer; empty while there is one.
    pub trouble: String,
    /// Whether an answer has ever come.
    pub known: bool,
    /// The daemon's version.
    pub version: String,
    /// When the daemon answered, RFC 3339.
    pub at: String,
    /// Whether nothing is done, only said.
    pub dry_run: bool,
    /// What suspects meet: `decoy`, `drop` or `ban`.
    pub unproven: String,
    /// For how long the daemon has been up.
    pub uptime: Duration,
    /// What does not work, in words.
    pub warnings: Vec<String>,
    /// Bans in force.
    pub bans: u64,
    /// Suspects, shown or not.
    pub suspects: u64,
    /// Those who would be suspects in zones that are only watched, shown or not.
    pub watched: u64,
    /// Contacts that make a ban.
    pub wanted: u64,
    /// Totals since the daemon's start, by name.
    pub totals: BTreeMap<&'static str, u64>,
    /// The same per second, since the answer before.
    pub rates: BTreeMap<&'static str, f64>,
    /// Probes per second, the oldest first.
    pub history: VecDeque<f64>,
    /// Those who probe, the busiest first.
    pub rows: Vec<Row>,
    /// What was decided last, the newest first: time, kind, text.
    pub decisions: Vec<[String; 3]>,
    /// Packets of those shown in answers before, by their rows' keys; bounded by [`MOST_SEEN`].
    seen: BTreeMap<String, u64>,
    /// The last answer's time of the daemon's start: another one is another daemon.
    started: String,
    /// The entries of `decisions` as they came.
    raw_decisions: Value,
}

/// One who probes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Who.
    pub subject: String,
    /// The zone that it was seen in, if that is only watched.
    pub zone: Option<String>,
    /// What kind of scan.
    pub class: String,
    /// Packets per second since the answer before.
    pub rate: f64,
    /// Packets in all.
    pub packets: u64,
    /// The ports that are known.
    pub ports: Vec<String>,
    /// What it was told.
    pub told: String,
    /// Decoys that it was told.
    pub decoys: u64,
    /// Ports whose decoys' handshakes it has completed.
    pub proven: u64,
    /// What is missing to a ban.
    pub missing: String,
    /// Whether it is banned.
    pub banned: bool,
    /// Seconds until it is no suspect any more.
    pub remaining: u64,
}

impl Row {
    /// What it is known by: one subject can be a suspect here and be seen in a zone as well.
    pub fn key(&self) -> String {
        let zone = self.zone.as_ref();
        zone.map_or_else(|| self.subject.clone(), |zone| format!("{} in {zone}", self.subject))
    }
}

impl Frame {
    /// Takes the next answer, which came `after` the one before.
    pub fn take(&mut self, answer: &Value, after: Duration) {
        let word = |pointer: &str| clean(text(answer, pointer)).into_owned();
        let started = word("/started");
        let same = self.known && self.started == started;
        let per_second = |new: u64, old: u64| per_second(new, old, after);
        for name in TOTALS {
            let new = number(answer, &format!("/totals/{name}"));
            let old = self.totals.insert(name, new).filter(|_| same);
            self.rates.insert(name, old.map_or(0.0, |old| per_second(new, old)));
        }
        if same {
            self.history.push_back(self.rate("probes"));
            while self.history.len() > HISTORY {
                self.history.pop_front();
            }
        } else {
            self.history.clear();
        }
        let dry_run = text(answer, "/mode") == "dry-run";
        let unproven = word("/unproven");
        // If not all were shown, whoever was not may be old all the same.
        let was_whole = self.rows.len() as u64 >= self.suspects + self.watched;
        if !same || self.seen.len() > MOST_SEEN {
            self.seen.clear();
        }
        self.seen.extend(self.rows.drain(..).map(|row| (row.key(), row.packets)));
        self.rows = list(answer, "/shown")
            .iter()
            .map(|value| {
                let mut row = row(value, dry_run, &unproven);
                // Whoever is new has sent all of it since: as good as one look can tell.
                let unseen = if was_whole { 0 } else { row.packets };
                let old = self.seen.get(&row.key()).copied().unwrap_or(unseen);
                row.rate = if same { per_second(row.packets, old) } else { 0.0 };
                row
            })
            .collect();
        self.decisions = list(answer, "/decisions")
            .iter()
            .map(|entry| {
                let field = |name: &str| clean(text(entry, name)).into_owned();
                let at = field("/at");
                // The time of day: the date of what is recent is today's.
                let time = at.get(11..19).unwrap_or(&at).to_owned();
                [time, field("/kind"), field("/message")]
            })
            .collect();
        self.raw_decisions = answer.pointer("/decisions").cloned().unwrap_or_default();
        self.warnings = warnings(answer, dry_run, &unproven);
        self.trouble.clear();
        self.known = true;
        self.version = word("/version");
        self.at = word("/at");
        self.dry_run = dry_run;
        self.unproven = unproven;
        self.uptime = Duration::from_secs(number(answer, "/uptime"));
        self.bans = number(answer, "/bans");
        self.suspects = number(answer, "/suspects");
        self.watched = number(answer, "/watched");
        self.wanted = number(answer, "/wanted");
        self.started = started;
    }

    /// No answer came.
    pub fn miss(&mut self, why: &str) {
        self.trouble = clean(why).into_owned();
        self.rates.clear();
        for row in &mut self.rows {
            row.rate = 0.0;
        }
    }

    /// How many rows there would be, were all of them shown.
    pub fn all(&self) -> u64 {
        self.suspects.saturating_add(self.watched)
    }

    /// One of the rates.
    pub fn rate(&self, name: &str) -> f64 {
        self.rates.get(name).copied().unwrap_or(0.0)
    }

    /// Everything as JSON, with stable names.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "subject": row.subject,
                    "zone": row.zone,
                    "class": (row.class != NO_CLASS).then_some(&row.class),
                    "rate": rounded(row.rate),
                    "packets": row.packets,
                    "ports": row.ports,
                    "told": row.told,
                    "decoys": row.decoys,
                    "proven": row.proven,
                    "missing": row.missing,
                    "banned": row.banned,
                    "remaining": row.remaining,
                })
            })
            .collect();
        let rates: BTreeMap<&str, f64> =
            self.rates.iter().map(|(name, rate)| (*name, rounded(*rate))).collect();
        json!({
            "version": self.version,
            "at": self.at,
            "dry_run": self.dry_run,
            "unproven": self.unproven,
            "uptime": self.uptime.as_secs(),
            "warnings": self.warnings,
            "totals": self.totals,
            "rates": rates,
            "bans": self.bans,
            "suspects": self.suspects,
            "watched": self.watched,
            "wanted": self.wanted,
            "shown": rows,
            "decisions": self.raw_decisions,
        })
    }
}

/// A rate to a tenth.
fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// How many a second, between two totals.
#[allow(clippy::cast_precision_loss, reason = "a rate to look at: 53 bits are enough")]
fn per_second(new: u64, old: u64, after: Duration) -> f64 {
    new.saturating_sub(old) as f64 / after.as_secs_f64().max(0.001)
}

/// What does not work.
fn warnings(answer: &Value, dry_run: bool, unproven: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    match text(answer, "/program") {
        "loaded" => {}
        other => warnings.push(format!("the kernel program is {}", clean(other))),
    }
    if unproven == "decoy" && !dry_run && answer.pointer("/answering") == Some(&json!(false)) {
        warnings.push("decoys are not answered at the moment".into());
    }
    match text(answer, "/store_trouble") {
        "" => {}
        trouble => warnings.push(format!("bans are not stored: {}", clean(trouble))),
    }
    warnings
}

/// In place of a kind of scan, where no packet shows it.
const NO_CLASS: &str = "-";

/// One suspect's row.
fn row(value: &Value, dry_run: bool, unproven: &str) -> Row {
    let decoys = number(value, "/decoys");
    let banned = value.pointer("/banned") == Some(&Value::Bool(true));
    let plural = if decoys == 1 { "" } else { "s" };
    let zone = value.pointer("/zone").and_then(Value::as_str).map(|zone| clean(zone).into_owned());
    let told = match (banned, dry_run, unproven, decoys) {
        // Whatever it meets elsewhere.
        _ if zone.is_some() => format!("only watched ({})", zone.as_deref().unwrap_or_default()),
        (true, false, ..) => "banned: dropped".to_owned(),
        // Without a decoy, a suspect's probes are dropped: those that are no SYN, say.
        (_, false, "drop", _) | (_, false, _, 0) => "dropped".to_owned(),
        (true, true, ..) | (_, true, "drop", _) | (_, true, _, 0) => "would be dropped".to_owned(),
        (_, true, ..) => format!("would: {decoys} decoy{plural}"),
        _ => format!("{decoys} decoy{plural}"),
    };
    let ports = list(value, "/ports").iter().filter_map(Value::as_str);
    let class = match text(value, "/class") {
        "" => NO_CLASS,
        class => class,
    };
    Row {
        subject: clean(text(value, "/subject")).into_owned(),
        zone,
        class: clean(class).into_owned(),
        rate: 0.0,
        packets: number(value, "/packets"),
        ports: ports.map(|port| clean(port).into_owned()).collect(),
        told,
        decoys,
        proven: list(value, "/proven").len() as u64,
        missing: clean(text(value, "/missing")).into_owned(),
        banned,
        remaining: number(value, "/remaining"),
    }
}

/// A rate with as many digits as it is worth: `0`, `0.4`, `12`, `3.4k`.
pub fn short(rate: f64) -> String {
    match rate {
        rate if rate < 0.05 => "0".into(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate if rate < 999.5 => format!("{rate:.0}"),
        rate if rate < 9_950.0 => format!("{:.1}k", rate / 1e3),
        rate if rate < 999_500.0 => format!("{:.0}k", rate / 1e3),
        rate => format!("{:.1}M", rate / 1e6),
    }
}

/// A span, its two largest units: `3d4h` in place of `3d4h12m7s`.
pub fn brief(span: Duration) -> String {
    brief_within(span, usize::MAX)
}

/// The same, its largest unit alone where both need more than `room` cells: `59m` in place of `59m59s`.
pub fn brief_within(span: Duration, room: usize) -> String {
    let text = duration::format(span);
    let mut ends = text.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(i, _)| i + 1);
    let first = ends.next().unwrap_or(text.len());
    let end = ends.next().filter(|end| *end <= room).unwrap_or(first);
    text.get(..end).unwrap_or(&text).to_owned()
}
