//! Whom the operator allows while it runs: never banned from then on, and let go at once.

use alloc::vec::Vec;

use super::Engine;
use crate::detect::Detector;
use crate::event::Restored;
use crate::grants::Grant;
use crate::net::Prefix;
use crate::never::Member;
use crate::output::{BlockOp, Notice, Output, Refusal, Release};
use crate::time::Timestamp;

/// Suspects that the kernel is told to forget for one grant: each takes it some milliseconds. Of the
/// others it forgets by itself, and lets all of them through meanwhile.
const MOST_PARDONED: usize = 64;

impl Engine {
    /// Takes a grant: the kernel first, then bans and suspicions, so that there is no moment in which
    /// it is made a suspect again.
    pub(super) fn allow(&mut self, at: Timestamp, grant: Grant) {
        let prefix = grant.prefix;
        if !self.grants.put(grant.clone()) {
            self.refuse(at, prefix, Refusal::TooManyAllowed);
            return;
        }
        self.announce(Notice::Allowed(grant));
        self.tell_allowed();
        self.learn(at);
        self.let_off(at, prefix);
    }

    /// Takes a grant back. It is no error when there is none.
    pub(super) fn disallow(&mut self, at: Timestamp, prefix: &Prefix) {
        if self.grants.remove(prefix).is_none() {
            return;
        }
        self.announce(Notice::Disallowed { at, prefix: *prefix, ran_out: false });
        self.tell_allowed();
        self.learn(at);
    }

    /// Takes those back whose time is up.
    pub(super) fn grants_run_out(&mut self, now: Timestamp) {
        let mut any = false;
        while let Some(prefix) = self.grants.run_out(now) {
            self.grants.remove(&prefix);
            self.announce(Notice::Disallowed { at: now, prefix, ran_out: true });
            any = true;
        }
        if any {
            self.tell_allowed();
            self.learn(now);
        }
    }

    /// Grants of before. What has been decided since is newer.
    pub(super) fn restore_grants(&mut self, restored: &Restored) {
        for grant in &restored.grants {
            if self.grants.get(&grant.prefix).is_none() {
                self.grants.put(grant.clone());
            }
        }
        if !self.grants.is_empty() {
            self.tell_allowed();
        }
    }

    fn tell_allowed(&mut self) {
        let prefixes = self.grants.prefixes();
        self.outputs.push_back(Output::Allow(prefixes));
    }

    /// Forgets what is known of sources in `prefix`; those that were banned are let go already.
    fn let_off(&mut self, at: Timestamp, prefix: Prefix) {
        let within = |subjects: Vec<Prefix>| -> Vec<Prefix> {
            let mut found: Vec<Prefix> =
                subjects.into_iter().filter(|subject| subject.overlaps(&prefix)).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let of_all = |subjects: fn(&dyn Detector, Timestamp) -> Vec<Prefix>| {
            within(self.detectors.iter().flat_map(|d| subjects(d.as_ref(), at)).collect())
        };
        let suspects = of_all(|detector, at| detector.suspects(at));
        let known = of_all(|detector, _| detector.subjects());
        for subject in known {
            for detector in &mut self.detectors {
                detector.forget(Some(subject));
            }
        }
        // The kernel may know of a suspicion that nobody has told us of.
        let mut pardoned = suspects.clone();
        pardoned.truncate(MOST_PARDONED);
        if prefix.is_host() && !pardoned.contains(&prefix) {
            pardoned.push(prefix);
        }
        if !pardoned.is_empty() {
            self.apply(pardoned.into_iter().map(BlockOp::Pardon).collect());
        }
        let Some(member) = self.never.hit(&prefix).cloned() else { return };
        for subject in suspects {
            let by = Release::Never(Member { prefix, ..member.clone() });
            self.announce(Notice::Unbanned { at, subject, was_banned: false, by });
        }
    }
}
