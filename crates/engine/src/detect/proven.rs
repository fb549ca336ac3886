//! What one subject has proven: its contacts with decoys, those that count, those that wait to be
//! judged, and those that were excused.
//!
//! Bounded for each subject; how many subjects there are is [`super::proof`]'s business.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::browser::sent_by_another_site;
use crate::event::Contact;
use crate::evidence::{Cause, Evidence, Excuse, Meaning};
use crate::net::{Port, Protocol};
use crate::policy::{Decoy, Policy};
use crate::time::Timestamp;

/// How long a contact that has said nothing waits before it is judged as silent. A browser's
/// request follows its handshake at once, in the same round trip: a second is what a slow line
/// adds to that at the worst, and what one more port costs us of a scanner.
pub const GRACE: Duration = Duration::from_secs(1);

/// Packets kept of one subject: as many as ports can count.
const MOST_EVIDENCE: usize = Decoy::MOST_PORTS as usize;

/// Ports of one subject that wait to be judged. Further silent contacts meanwhile are not looked
/// at: these are enough for a ban, and a browser that is led to more of them is not held to it.
const MOST_WAITING: usize = Decoy::MOST_PORTS as usize;

/// Ports that count, of one subject.
const MOST_PORTS: usize = Decoy::MOST_PORTS as usize;

/// The ports that mail clients try one after the other when they are told a host's name only
/// (SMTP, POP3, IMAP, submission; RFC 6186, RFC 8314).
const MAIL: [u16; 7] = [25, 110, 143, 465, 587, 993, 995];

/// What makes contacts a ban.
pub struct Terms {
    needed: usize,
    window: Duration,
    traps: Vec<Port>,
}

impl Terms {
    /// As `policy` has them.
    pub fn new(policy: &Policy) -> Self {
        Self {
            needed: usize::try_from(policy.decoy.needed()).unwrap_or(MOST_PORTS),
            window: policy.decoy.window,
            traps: policy.traps.clone(),
        }
    }

    /// How long after its last contact a subject's record is worth something.
    pub fn worth(&self) -> Duration {
        self.window.max(GRACE)
    }

    fn is_live(&self, last: Timestamp, now: Timestamp) -> bool {
        now.since(last) < self.window
    }

    fn is_trap(&self, port: Port) -> bool {
        self.traps.contains(&port)
    }

    /// Whether the two count as one.
    fn are_one(&self, one: Port, other: Port) -> bool {
        let mail = |port: Port| {
            port.protocol == Protocol::Tcp && MAIL.contains(&port.number) && !self.is_trap(port)
        };
        one == other || mail(one) && mail(other)
    }
}

/// That a subject's proofs are enough.
#[derive(Clone, Copy)]
pub struct Verdict {
    /// The address of the contact that made them so.
    pub source: IpAddr,
    /// Why.
    pub cause: Cause,
    /// Whether they were not enough before.
    pub fresh: bool,
}

/// What is known of one subject.
#[derive(Default)]
pub struct Record {
    /// The ports that count, by their first contact.
    ports: Vec<Counted>,
    /// Silent contacts by their time, one for each port.
    waiting: Vec<(Timestamp, Contact)>,
    /// By time.
    evidence: Vec<Evidence>,
    not_kept: u64,
    excused: u64,
}

/// A port that counts. It does so for a window from its last connection on, as in the trigger.
struct Counted {
    port: Port,
    source: IpAddr,
    source_port: u16,
    last: Timestamp,
    /// Whether nothing was said to it.
    silent: bool,
}

impl Record {
    /// Takes a contact. Until `suspended`, a trap port alone proves nothing about this subject.
    pub fn take(
        &mut self,
        terms: &Terms,
        now: Timestamp,
        contact: &Contact,
        suspended: Option<Timestamp>,
    ) -> Option<Verdict> {
        self.prune(terms, now);
        let silent = contact.said.is_empty();
        if let Some(index) = self.waiting.iter().position(|(_, known)| same(known, contact)) {
            if silent {
                return None;
            }
            self.waiting.remove(index);
            return self.judge(terms, now, contact, suspended.is_some());
        }
        if self.knows(contact) {
            // A repetition: it never counts again, but what it says is worth hearing.
            if !silent {
                self.hear(contact);
            }
            return None;
        }
        if silent {
            let waits = self.waiting.iter().any(|(_, known)| known.port == contact.port);
            if !waits && self.waiting.len() < MOST_WAITING {
                self.waiting.push((now, contact.clone()));
            }
            return None;
        }
        self.judge(terms, now, contact, suspended.is_some())
    }

    /// Judges what has waited long enough by `now`.
    pub fn judge_silent(
        &mut self,
        terms: &Terms,
        now: Timestamp,
        suspended: Option<Timestamp>,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        while let Some(due) = self.due().filter(|due| *due <= now) {
            let (at, contact) = self.waiting.remove(0);
            self.prune(terms, due);
            let suspended = suspended.is_some_and(|until| until > due);
            verdicts.extend(self.judge(terms, at, &contact, suspended));
        }
        verdicts
    }

    /// When the next silent contact is to be judged.
    pub fn due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| at.plus(GRACE))
    }

    /// How many packets it keeps.
    pub fn packets(&self) -> usize {
        self.evidence.len() + self.waiting.len()
    }

    /// The packets that counted or were excused, by time.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.iter()
    }

    /// How many more counted.
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// How many were excused.
    pub fn excused(&self) -> u64 {
        self.excused
    }

    /// The ports that count at `now`.
    pub fn ports(&self, terms: &Terms, now: Timestamp) -> Vec<Port> {
        let live = self.ports.iter().filter(|counted| terms.is_live(counted.last, now));
        live.map(|counted| counted.port).collect()
    }

    /// Judges the contact that came at `at`.
    fn judge(
        &mut self,
        terms: &Terms,
        at: Timestamp,
        contact: &Contact,
        suspended: bool,
    ) -> Option<Verdict> {
        let port = contact.port;
        if self.is_browser(contact) {
            // Browsers open spare connections: what this one says holds for those too.
            self.waiting.retain(|(_, other)| !same_call(other, contact.source, port));
            self.take_back(contact);
            return self.excuse(at, contact, Excuse::Browser);
        }
        let before = self.ports.len();
        let known = self.ports.iter_mut().find(|counted| terms.are_one(counted.port, port));
        let new = known.is_none();
        // A single right acknowledgement may be a lucky guess; three are not.
        let trap = terms.is_trap(port) && !suspended;
        let silent = contact.said.is_empty();
        if let Some(known) = known {
            known.last = known.last.max(at);
            if known.port != port {
                return self.excuse(at, contact, Excuse::MailClient);
            }
            known.silent &= silent;
            (known.source, known.source_port) = (contact.source, contact.source_port);
        } else if before < MOST_PORTS {
            let (source, source_port) = (contact.source, contact.source_port);
            self.ports.push(Counted { port, source, source_port, last: at, silent });
            let count = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
            let meaning = if trap { Meaning::ProvenTrap } else { Meaning::Proven { count } };
            self.keep(Evidence::of_contact(at, contact, meaning));
        } else {
            self.not_kept = self.not_kept.saturating_add(1);
        }
        let count = self.ports.len();
        let cause = if trap {
            Cause::ProvenTrap(port)
        } else if count >= terms.needed {
            Cause::ProvenPorts(u32::try_from(count).unwrap_or(u32::MAX))
        } else {
            return None;
        };
        Some(Verdict { source: contact.source, cause, fresh: new && before < terms.needed })
    }

    /// Whether it speaks like a browser that a page has sent, or is silent beside one that does.
    fn is_browser(&self, contact: &Contact) -> bool {
        if !contact.said.is_empty() {
            return sent_by_another_site(&contact.said);
        }
        self.evidence.iter().any(|item| {
            item.meaning == Meaning::Excused(Excuse::Browser)
                && item.port == contact.port
                && item.source == contact.source
        })
    }

    fn excuse(&mut self, at: Timestamp, contact: &Contact, excuse: Excuse) -> Option<Verdict> {
        self.excused = self.excused.saturating_add(1);
        self.keep(Evidence::of_contact(at, contact, Meaning::Excused(excuse)));
        None
    }

    /// Keeps evidence. What is excused makes room for what counts.
    fn keep(&mut self, item: Evidence) {
        let is_excused = |item: &Evidence| matches!(item.meaning, Meaning::Excused(_));
        if self.evidence.len() >= MOST_EVIDENCE {
            let oldest = self.evidence.iter().position(is_excused);
            match oldest {
                Some(oldest) if !is_excused(&item) => {
                    self.evidence.remove(oldest);
                }
                _ => {
                    self.not_kept = self.not_kept.saturating_add(u64::from(!is_excused(&item)));
                    return;
                }
            }
        }
        let place = self.evidence.partition_point(|known| known.at <= item.at);
        self.evidence.insert(place, item);
    }

    /// Whether this very connection has been judged.
    fn knows(&self, contact: &Contact) -> bool {
        self.evidence.iter().any(|item| is_of(item, contact))
            || self.ports.iter().any(|counted| {
                counted.port == contact.port
                    && counted.source == contact.source
                    && counted.source_port == contact.source_port
            })
    }

    /// Hears what a contact says that was judged when it was silent.
    fn hear(&mut self, contact: &Contact) {
        if let Some(item) =
            self.evidence.iter_mut().find(|item| item.said.is_empty() && is_of(item, contact))
        {
            item.said = contact.said.iter().take(Contact::KEPT).copied().collect();
        }
        if sent_by_another_site(&contact.said) {
            self.take_back(contact);
            return;
        }
        for counted in &mut self.ports {
            if counted.port == contact.port && counted.source == contact.source {
                counted.silent = false;
            }
        }
    }

    /// Takes the port out of the count again that was counted for silent contacts of what turns
    /// out to be a browser. A ban that was made meanwhile stands.
    fn take_back(&mut self, contact: &Contact) {
        let before = self.ports.len();
        self.ports.retain(|counted| {
            !(counted.silent && counted.port == contact.port && counted.source == contact.source)
        });
        if self.ports.len() == before {
            return;
        }
        self.excused = self.excused.saturating_add(1);
        for item in &mut self.evidence {
            let counted = matches!(item.meaning, Meaning::Proven { .. } | Meaning::ProvenTrap);
            if counted && item.port == contact.port && item.source == contact.source {
                item.meaning = Meaning::Excused(Excuse::Browser);
            }
        }
    }

    /// Drops what lies too far back.
    fn prune(&mut self, terms: &Terms, now: Timestamp) {
        self.ports.retain(|counted| terms.is_live(counted.last, now));
        let ports = &self.ports;
        self.evidence.retain(|item| match item.meaning {
            Meaning::Excused(_) => terms.is_live(item.at, now),
            _ => ports.iter().any(|counted| counted.port == item.port),
        });
    }
}

/// Whether the two are of one connection.
fn same(one: &Contact, other: &Contact) -> bool {
    one.source_port == other.source_port && same_call(one, other.source, other.port)
}

/// Whether it is `source` that called `port`.
fn same_call(contact: &Contact, source: IpAddr, port: Port) -> bool {
    contact.source == source && contact.port == port
}

fn is_of(item: &Evidence, contact: &Contact) -> bool {
    item.source == contact.source
        && item.source_port == contact.source_port
        && item.port == contact.port
}
