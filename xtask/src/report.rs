//! What a check has to say: findings that fail it, warnings that don't, and what it looked at.

use std::fmt;

/// One remark about one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Remark {
    file: String,
    line: usize,
    what: String,
    remedy: String,
}

impl Remark {
    fn new(file: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }
}

/// The result of one check.
#[derive(Debug)]
pub struct Report {
    check: &'static str,
    findings: Vec<Remark>,
    warnings: Vec<Remark>,
    counted: Vec<(usize, &'static str)>,
}

impl Report {
    pub fn new(check: &'static str) -> Self {
        Self { check, findings: Vec::new(), warnings: Vec::new(), counted: Vec::new() }
    }

    /// A breach: the check fails.
    pub fn finding(
        &mut self,
        file: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Remark::new(file, line, what, remedy));
    }

    /// Worth a look; the check does not fail for it.
    pub fn warning(
        &mut self,
        file: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.warnings.push(Remark::new(file, line, what, remedy));
    }

    /// Tells how much was looked at: a check that looked at nothing should be seen to.
    pub fn counted(&mut self, number: usize, what: &'static str) {
        self.counted.push((number, what));
    }

    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// The findings as printed, for the checks' own tests.
    #[cfg(test)]
    pub fn lines(&self) -> Vec<String> {
        self.findings.iter().map(ToString::to_string).collect()
    }

    /// The warnings as printed, for the checks' own tests.
    #[cfg(test)]
    pub fn warning_lines(&self) -> Vec<String> {
        self.warnings.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}: {}", self.file, self.line, self.what, self.remedy)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn sorted(remarks: &[Remark]) -> Vec<&Remark> {
            let mut remarks: Vec<&Remark> = remarks.iter().collect();
            remarks.sort();
            remarks
        }
        for warning in sorted(&self.warnings) {
            writeln!(out, "warning: {warning}")?;
        }
        for finding in sorted(&self.findings) {
            writeln!(out, "{finding}")?;
        }
        let counted: Vec<String> =
            self.counted.iter().map(|(number, what)| format!("{number} {what}")).collect();
        writeln!(
            out,
            "{}: checked {}; warnings: {}, findings: {}",
            self.check,
            counted.join(", "),
            self.warnings.len(),
            self.findings.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_fail_and_are_printed_in_order_with_the_counts() {
        let mut report = Report::new("tidy");
        report.counted(2, "files");
        report.finding("b.rs", 7, "bad", "mend it");
        report.finding("a.rs", 9, "worse", "drop it");
        assert!(!report.passed());
        assert_eq!(
            report.to_string(),
            "a.rs:9: worse: drop it\nb.rs:7: bad: mend it\n\
             tidy: checked 2 files; warnings: 0, findings: 2\n"
        );
    }

    #[test]
    fn warnings_alone_pass() {
        let mut report = Report::new("tidy");
        report.warning("a.rs", 1, "long", "split it");
        assert!(report.passed());
        assert!(report.to_string().starts_with("warning: a.rs:1: long: split it\n"));
    }
}
