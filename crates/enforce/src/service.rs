//! The enforcing side of the boundary: takes a request, asks the guard, moves the backend.

use vauban_engine::event::Facts;
use vauban_engine::policy::{Allowed, Policy};

use crate::backends::{Enforcer, Trouble};
use crate::guard::Guard;
use crate::message::{Reply, Request};

/// An enforcer behind its guard. Nothing else may hold what the backend holds (the netlink
/// socket, above all).
pub struct Service {
    backend: Box<dyn Enforcer>,
    guard: Guard,
}

impl Service {
    /// Around this backend.
    #[must_use]
    pub fn new(backend: Box<dyn Enforcer>) -> Self {
        Self { backend, guard: Guard::new(&[], &Facts::default()) }
    }

    /// A policy with whom operators have allowed beside it.
    fn with_granted(&self, policy: &Policy) -> Policy {
        let granted = self.guard.granted().iter();
        let granted = granted.map(|prefix| Allowed { prefix: *prefix, comment: None });
        let mut policy = policy.clone();
        policy.allow.extend(granted);
        policy
    }

    /// Does what is asked.
    pub fn handle(&mut self, request: Request) -> Reply {
        let outcome = match request {
            Request::Load(policy, facts) => {
                self.backend.load(&self.with_granted(&policy), &facts).map(|()| {
                    self.guard.judge_by(&policy.allow, &facts);
                    Reply::Done
                })
            }
            Request::Learn(facts) => {
                self.guard.learn(&facts);
                self.backend.learn(&facts, self.guard.never()).map(|()| Reply::Done)
            }
            Request::Allow(granted) => {
                // Also where the program is gone: it is loaded again with them.
                self.guard.grant(granted);
                let (facts, never) = (self.guard.facts(), self.guard.never());
                self.backend.learn(facts, never).map(|()| Reply::Done)
            }
            Request::Apply(batch) => {
                let (passed, refused) = self.guard.sift(batch);
                self.backend.apply(&passed).map(|()| {
                    if refused.is_empty() { Reply::Done } else { Reply::Guarded(refused) }
                })
            }
            Request::Answering(hold) => self.backend.answering(hold).map(|()| Reply::Done),
            Request::Served(listeners) => self.backend.served(&listeners).map(|()| Reply::Done),
            Request::List => self.backend.list().map(Reply::Held),
            Request::Suspects => self.backend.suspects().map(Reply::Suspects),
            Request::Count => self.backend.count().map(Reply::Counted),
            Request::Retire(facts) => self.backend.retire(&facts).map(|()| Reply::Done),
            Request::Unload => self.backend.unload().map(|()| Reply::Done),
        };
        outcome.unwrap_or_else(Trouble::into_reply)
    }
}
