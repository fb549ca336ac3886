//! `vauban completions`.

use clap::{Command, ValueEnum};

use crate::ask::print;
use crate::exit::Trouble;

/// The shells whose completions are packaged and tested.
#[derive(Clone, Copy, ValueEnum)]
pub enum Shell {
    /// GNU Bash, with bash-completion
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

impl From<Shell> for clap_complete::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}

/// Prints the completions of `command` for a shell to source.
pub fn run(command: &Command, shell: Shell) -> Result<(), Trouble> {
    let mut text = Vec::new();
    let shell = clap_complete::Shell::from(shell);
    clap_complete::generate(shell, &mut listed(command), "vauban", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// The command without the verbs that its help does not list: they would be offered as well.
fn listed(command: &Command) -> Command {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    Command::new("vauban")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(command.get_arguments().cloned())
        .subcommands(verbs)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::listed;
    use crate::Cli;

    #[test]
    fn what_help_does_not_list_is_not_offered() {
        let whole = Cli::command();
        let offered = listed(&whole);
        let mut hidden = 0;
        for verb in whole.get_subcommands() {
            assert_eq!(offered.find_subcommand(verb.get_name()).is_none(), verb.is_hide_set());
            hidden += usize::from(verb.is_hide_set());
        }
        assert_eq!(hidden, 2, "the one that writes the pages, and the one that `run` starts");
    }
}
