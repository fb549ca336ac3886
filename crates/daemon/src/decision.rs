//! A notice as programs read it: one JSON object for each decision.
//!
//! The names and words here are relied upon by scripts: they stay. It does not phrase sentences
//! ([`words`] does), and what concerns nobody in particular (that blocks were put back) is no
//! decision.

use std::collections::BTreeSet;

use vauban_engine::detect::Dossier;
use vauban_engine::evidence::Evidence;
use vauban_engine::output::Release;
use vauban_engine::policy::Policy;
use vauban_engine::{Class, Notice, Port, Prefix, Timestamp};

use crate::clock::Dates;
use crate::control::view::time;
use crate::words;

/// Ports named at most: as many packets are kept of one subject by each detector.
const MOST_PORTS: usize = 16;

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Decision {
    /// When it fell, as RFC 3339 in UTC, to the millisecond.
    pub at: String,
    /// `suspect`: a source became one. `ban`: one was made. `notice`: a ban was refused, or ended.
    pub kind: &'static str,
    /// Whom it covers: an address, or a prefix.
    pub subject: String,
    /// What kind of scan it was, as [`Class`] has it; null where no packet tells.
    pub class: Option<&'static str>,
    /// The distinct ports that it rests on, in order, like `tcp/23`; at most 16.
    pub ports: Vec<String>,
    /// How many there are.
    pub port_count: usize,
    /// Whether the source has proven that its address is its own.
    pub proven: bool,
    /// Why, in a sentence.
    pub reason: String,
}

/// The decision that a notice tells of, if it tells of one; with what is known of its subject.
#[must_use]
pub fn of(
    notice: &Notice,
    dossier: Option<&Dossier<'_>>,
    dates: &Dates,
    policy: &Policy,
) -> Option<Decision> {
    let decide = |at: Timestamp, kind, subject: &Prefix, reason| Decision {
        at: time(dates.wall(at)),
        kind,
        subject: subject.to_string(),
        class: None,
        ports: Vec::new(),
        port_count: 0,
        proven: false,
        reason,
    };
    Some(match notice {
        Notice::Suspected { at, subject, source: _, cause } => {
            let evidence = dossier.map_or(&[][..], |dossier| dossier.evidence.as_slice());
            let class = Class::of(evidence.iter().copied()).or_else(|| Class::of_cause(cause));
            let decision = decide(*at, "suspect", subject, words::cause(cause, policy));
            decision.resting_on(evidence.iter().copied(), class)
        }
        Notice::Banned(ban) => {
            let proven = ban.is_proven();
            // Of a proven ban, the contacts: what was only scanned is not what it rests on.
            let rests_on = ban.evidence.iter().filter(|item| !proven || item.is_proof());
            let class = Class::of(&ban.evidence).or_else(|| match &ban.origin {
                vauban_engine::ledger::Origin::Scan(cause) => Class::of_cause(cause),
                vauban_engine::ledger::Origin::Operator(_) => None,
            });
            let decision = decide(ban.start, "ban", &ban.subject, words::reason(ban, policy));
            Decision { proven, ..decision }.resting_on(rests_on, class)
        }
        Notice::Expired { at, subject } => decide(*at, "notice", subject, "the ban is over".into()),
        Notice::PushedOut { at, subject } => {
            let reason = "the ledger is full, and this ban ends first";
            decide(*at, "notice", subject, reason.into())
        }
        Notice::Unbanned { at, subject, was_banned, by } => {
            let what = if *was_banned { "ban" } else { "suspicion" };
            let why = match by {
                Release::Operator => "by the operator".to_owned(),
                Release::Never(member) => {
                    format!("because {} is never banned: {}", member.prefix, member.because)
                }
            };
            decide(*at, "notice", subject, format!("{what} ended {why}"))
        }
        Notice::Refused { at, subject, why } => {
            decide(*at, "notice", subject, format!("not banned: {}", words::refusal(why)))
        }
        Notice::Healed { .. } => return None,
    })
}

impl Decision {
    fn resting_on<'a>(
        mut self,
        evidence: impl IntoIterator<Item = &'a Evidence>,
        class: Option<Class>,
    ) -> Self {
        let ports: BTreeSet<Port> = evidence.into_iter().map(|item| item.port).collect();
        self.class = class.map(Class::as_str);
        self.port_count = ports.len();
        self.ports = ports.iter().take(MOST_PORTS).map(ToString::to_string).collect();
        self
    }
}
