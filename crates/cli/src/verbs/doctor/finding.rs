//! What a check has found, and how it is shown.

use serde_json::{Value, json};
use vauban_daemon::clean::clean;
use vauban_daemon::paint::{ALERT, FAINT, GOOD, WARN, paint};

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing to be done.
    Note,
    /// Works, but less well than it could.
    Warning,
    /// Does not work.
    Trouble,
}

impl Verdict {
    /// All of them, the lightest first.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Note, Self::Warning, Self::Trouble];

    /// Its word, here and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Trouble => "trouble",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do: commands, keys, or a sentence.
    pub remedy: Vec<String>,
}

/// The column in which what was looked at begins: behind the longest group and the longest verdict.
const INDENT: usize = 26;

impl Finding {
    fn new(what: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        let found = found.into();
        // What other programs print is no better than what strangers send.
        let lines: Vec<String> = found.lines().map(|line| clean(line).into_owned()).collect();
        Self { what, verdict, found: lines.join("\n"), remedy: Vec::new() }
    }

    /// All is well.
    pub fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Ok, found)
    }

    /// Something to know.
    pub fn note(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Note, found)
    }

    /// Something that could be better.
    pub fn warning(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Warning, found)
    }

    /// Something that does not work.
    pub fn trouble(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Trouble, found)
    }

    /// What could not be looked at without root.
    pub fn needs_root(what: &'static str) -> Self {
        Self::note(what, "not looked at: that needs root").remedy("sudo vauban doctor")
    }

    /// With something to do about it.
    #[must_use]
    pub fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remedy.push(clean(&text.into()).into_owned());
        self
    }

    /// With stable names.
    pub fn json(&self, check: &str) -> Value {
        json!({
            "check": check,
            "what": self.what,
            "verdict": self.verdict.word(),
            "found": self.found,
            "remedy": self.remedy,
        })
    }

    /// The lines of the report; `width` is that of the column of what was looked at.
    pub fn lines(&self, group: &str, width: usize) -> Vec<String> {
        let style = match self.verdict {
            Verdict::Ok => GOOD,
            Verdict::Note => FAINT,
            Verdict::Warning => WARN,
            Verdict::Trouble => ALERT,
        };
        let verdict = paint(style, &format!("{:<9}", self.verdict.word()));
        let what = self.what;
        let mut found = self.found.lines();
        let first = found.next().unwrap_or_default();
        let mut lines = vec![format!("{group:<15}{verdict}  {what:<width$}  {first}")];
        let indent = " ".repeat(INDENT + width + 2);
        lines.extend(found.map(|line| format!("{indent}{line}")));
        lines.extend(self.remedy.iter().map(|line| format!("{indent}→ {line}")));
        lines
    }
}
