//! Manual pages and the completions of shells, made from the arguments themselves, for packages.

use std::{fs, io, path::Path};

use clap::Command;
use clap_complete::{Shell, generate_to};

const NAME: &str = "synod";

/// Writes the manual pages, one for each command, and what the shells complete into `folder`.
pub(crate) fn write(arguments: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let shown = arguments.get_subcommands().filter(|one| !one.is_hide_set()).cloned();
    // Made anew, since a command cannot be taken out of the shells' completions otherwise.
    let mut command = Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(arguments.get_about().cloned().unwrap_or_default())
        .arg_required_else_help(true)
        .subcommands(shown);
    clap_mangen::generate_to(command.clone(), folder)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut command, NAME, folder)?;
    }
    Ok(())
}
