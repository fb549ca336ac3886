//! Writes nftables text: indented lines, blocks, notes.

use std::fmt::Write as _;
use std::time::Duration;

/// A set that packets or commands fill, as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) size: u32,
    pub(super) flags: String,
    pub(super) timeout: Option<Duration>,
}

/// What has been written so far.
#[derive(Default)]
pub(super) struct Writer {
    out: String,
    /// Whether the last line was a note, which belongs to what follows it.
    noted: bool,
    /// The heads of its blocks.
    heads: Vec<String>,
    declared: Vec<Declared>,
}

impl Writer {
    /// A text as it is, at the margin.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A line inside a block.
    pub(super) fn line(&mut self, text: &str) {
        let indent = if text.is_empty() { "" } else { "\t\t" };
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{indent}{text}");
    }

    /// A block with its head: a set, a chain.
    pub(super) fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.gap();
        self.heads.push(head.to_owned());
        let _ = writeln!(self.out, "\t{head} {{");
        body(self);
        self.out.push_str("\t}\n");
    }

    /// A remark on the next block.
    pub(super) fn note(&mut self, text: &str) {
        self.gap();
        self.noted = true;
        let _ = writeln!(self.out, "\t# {text}");
    }

    /// Takes note of a set, for those who ask what was declared.
    pub(super) fn declare(&mut self, set: Declared) {
        self.declared.push(set);
    }

    /// The heads of all blocks.
    pub(super) fn heads(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(String::as_str)
    }

    /// The sets that were declared.
    pub(super) fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An empty line, but not after a note.
    fn gap(&mut self) {
        if !std::mem::take(&mut self.noted) {
            self.out.push('\n');
        }
    }
}
