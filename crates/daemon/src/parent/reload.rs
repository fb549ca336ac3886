//! Another configuration, taken while the daemon runs.

use vauban_config::Config;
use vauban_enforce::boundary::{Tell, wire};
use vauban_enforce::{Reply, Request};

use super::{Parent, manager};
use crate::run::configure;

impl Parent {
    /// Reads the configuration again and judges by it from here on. No ban is lost, and the old
    /// program holds until the new one takes its place in one step.
    ///
    /// # Errors
    /// A text for people; nothing has changed.
    pub(super) fn reload(&mut self) -> Result<(), String> {
        manager::reloading();
        let outcome = self.try_reload();
        manager::ready();
        if let Err(text) = &outcome {
            // One line of the log; the rest is for whoever asked.
            let first = text.lines().next().unwrap_or_default();
            self.print(&format!(
                "Trouble: the configuration stays as it was: {first} (vauban check says all)"
            ));
        }
        outcome
    }

    fn try_reload(&mut self) -> Result<(), String> {
        let mut new = configure(&self.options).map_err(|error| error.to_string())?;
        for key in keep_what_is_open(&self.configured.config, &mut new.config) {
            self.print(&format!("{key} changes with the next start only"));
        }
        let policy = Box::new(new.config.policy.clone());
        match self.service.handle(Request::Load(policy, self.facts.clone())) {
            Reply::Done => {}
            Reply::Failed(text) => return Err(text),
            other => return Err(format!("the enforcer answers {other:?}")),
        }
        // The child goes by the old one for a moment still.
        let most_ops = wire::most_ops(new.config.policy.kernel.bans);
        self.most_ops = self.most_ops.max(most_ops);
        let configuration = new.configuration.clone();
        self.configured = new;
        self.tell(Tell::Configuration(configuration));
        Ok(())
    }
}

/// Keeps what was opened at the start and cannot be opened again without the rights of then. Says
/// which keys that concerns.
fn keep_what_is_open(old: &Config, new: &mut Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    if new.policy.kernel.group != old.policy.kernel.group {
        new.policy.kernel.group = old.policy.kernel.group;
        kept.push("kernel.nflog_group");
    }
    if new.control != old.control {
        new.control = old.control.clone();
        kept.push("control.socket");
    }
    if new.store.path != old.store.path {
        new.store.path.clone_from(&old.store.path);
        kept.push("store.path");
    }
    if new.log.format != old.log.format {
        new.log.format = old.log.format;
        kept.push("log.format");
    }
    if new.log.journal != old.log.journal {
        new.log.journal = old.log.journal;
        kept.push("log.journal");
    }
    kept
}
