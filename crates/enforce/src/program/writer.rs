//! Writes nftables text: indented lines, blocks, notes.

use std::fmt::Write as _;

/// What has been written so far.
#[derive(Default)]
pub(super) struct Writer {
    out: String,
    /// Whether the last line was a note, which belongs to what follows it.
    noted: bool,
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
