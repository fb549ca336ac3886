//! What a measurement says: printed as it comes, and kept as a file beside the machine it was
//! made on.

use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use crate::process::run;
use crate::trouble::{Outcome, Trouble};

/// The text of one subject.
pub struct Report {
    name: &'static str,
    text: String,
}

impl Report {
    /// Begins with a title, which is printed at once.
    pub fn new(name: &'static str, title: &str) -> Self {
        println!("\n== {name}: {title}\n");
        Self { name, text: format!("{name}: {title}\n\n{}\n", machine()) }
    }

    /// A paragraph.
    pub fn say(&mut self, text: &str) {
        println!("{text}\n");
        let _ = writeln!(self.text, "{text}\n");
    }

    /// A table. The first column is text, the others are numbers.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let text = table(head, rows);
        println!("{text}");
        let _ = writeln!(self.text, "{text}");
    }

    /// Writes the file, if there is a folder for it.
    pub fn keep(&self, folder: Option<&Path>) -> Outcome<()> {
        let Some(folder) = folder else { return Ok(()) };
        let path = folder.join(format!("{}.txt", self.name));
        let written = std::fs::write(&path, format!("{}\n", self.text.trim_end()));
        // We are root, but the folder is somebody's: so shall be the file.
        written
            .and_then(|()| std::fs::metadata(folder))
            .and_then(|owner| chown(&path, Some(owner.uid()), Some(owner.gid())))
            .map_err(|error| Trouble::new(format!("{}: {error}", path.display())))?;
        println!("kept as {}", path.display());
        Ok(())
    }
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cell_width =
        |row: &[String], column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().map(|row| cell_width(row, column));
            cells.chain([cell_width(&head, column)]).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    for row in [&head, &rule].into_iter().chain(rows) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let fill = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if column == 0 { ("", &*fill) } else { (&*fill, "") };
            let _ = write!(line, "{before}{cell}{after}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Date, kernel, processor and versions: what figures depend on. No names of hosts.
fn machine() -> String {
    let first_line = |program: &str, arguments: &[&str]| {
        let text = run(program, arguments).unwrap_or_else(|_| "unknown".into());
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "date       {}\nkernel     {}\nprocessor  {model}, {cores} cores\nload       {}\n\
         nft        {}\niptables   {}\n",
        first_line("date", &["-u", "+%Y-%m-%d"]),
        first_line("uname", &["-r"]),
        load.split_whitespace().next().unwrap_or("unknown"),
        first_line("nft", &["--version"]),
        first_line("iptables", &["--version"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "1".into()], vec!["long".into(), "µ22".into()]];
        assert_eq!(table(&["x", "y"], &rows), "x       y\n----  ---\na       1\nlong  µ22\n");
    }
}
