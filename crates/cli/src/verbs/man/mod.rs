//! `vauban man`: the manual pages, from the same definition as the help. Packages are built with
//! it, so it is not listed.
//!
//! What no option can say (signals, files) stands in the `.roff` files beside this one.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::exit::{STATUSES, Status, Trouble};

const ABOUT: &str = include_str!("about.roff");
const MORE: &str = include_str!("more.roff");

/// No hyphens within words and no stretched blanks: most words here are to be typed.
const PLAIN: &str = ".ad l\n.nh\n";

/// Writes `vauban.1`, a page for each verb, and `vauban.toml.5`.
pub fn run(command: Command, directory: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(directory)
        .map_err(|error| Trouble::Failed(format!("{}: {error}", directory.display())))?;
    for (name, page) in pages(command)? {
        let path = directory.join(name);
        fs::write(&path, page)
            .map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

/// The pages by their files' names.
fn pages(mut command: Command) -> io::Result<Vec<(String, String)>> {
    // Makes the usage of each verb begin with the whole command's name.
    command.build();
    let verbs: Vec<Command> =
        command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let mut pages = vec![
        ("vauban.1".to_owned(), main_page(&command, &verbs)?),
        ("vauban.toml.5".to_owned(), vauban_config::manual()),
    ];
    for verb in verbs {
        pages.push((format!("vauban-{}.1", verb.get_name()), verb_page(&verb)?));
    }
    Ok(pages)
}

fn main_page(command: &Command, verbs: &[Command]) -> io::Result<String> {
    let line = |verb: &Command| {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        format!(".TP\n.BR vauban\\-{} (1)\n{}\n", plain(verb.get_name()), plain(&about))
    };
    let commands = verbs.iter().map(line).collect::<Vec<_>>().concat();
    Ok([
        &head("vauban", command)?,
        ABOUT,
        ".SH COMMANDS\n",
        &commands,
        &options(command)?,
        &exit_status(),
        MORE,
        ".SH SEE ALSO\n.BR vauban.toml (5),\n.BR nft (8),\n.BR systemctl (1)\n",
    ]
    .concat())
}

fn verb_page(verb: &Command) -> io::Result<String> {
    let mut description = Vec::new();
    Man::new(verb.clone()).render_description_section(&mut description)?;
    Ok([
        &head(&format!("vauban-{}", verb.get_name()), verb)?,
        &marked(&description),
        &options(verb)?,
        ".SH EXIT STATUS\nAs in\n.BR vauban (1).\n",
        ".SH SEE ALSO\n.BR vauban (1),\n.BR vauban.toml (5)\n",
    ]
    .concat())
}

/// Title, name and synopsis. There is no date: a page is as old as the program that wrote it,
/// whose version it has. The synopsis is the help's, because it says which options take a value.
fn head(title: &str, command: &Command) -> io::Result<String> {
    let mut name = Vec::new();
    Man::new(command.clone()).render_name_section(&mut name)?;
    let usage = command.clone().render_usage().to_string();
    Ok(format!(
        ".TH {title} 1 \"\" \"vauban {}\" Vauban\n{PLAIN}{}.SH SYNOPSIS\n{}\n",
        env!("CARGO_PKG_VERSION"),
        marked(&name),
        plain(usage.trim_start_matches("Usage: ")),
    ))
}

fn options(command: &Command) -> io::Result<String> {
    let mut section = Vec::new();
    Man::new(command.clone()).render_options_section(&mut section)?;
    Ok(marked(&section))
}

/// What the process ends with.
fn exit_status() -> String {
    let each = STATUSES.iter().map(|status| {
        let Status { number, meaning, when } = status;
        format!(".TP\n.B {number}\n{}.\n{}\n", plain(meaning), plain(when))
    });
    format!(".SH EXIT STATUS\n{}", each.collect::<String>())
}

/// Words of the help as text of a page.
fn plain(text: &str) -> String {
    let text = marked(text.replace('\\', "\\e").replace('-', "\\-").as_bytes());
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Text of a page with what stands in backquotes in bold.
fn marked(page: &[u8]) -> String {
    let text = String::from_utf8_lossy(page);
    let parts = text.split('`').enumerate().map(|(i, part)| match i % 2 {
        1 => format!("\\fB{part}\\fR"),
        _ => part.to_owned(),
    });
    parts.collect()
}

#[cfg(test)]
mod tests;
