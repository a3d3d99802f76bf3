//! `synod exec`: the arguments, and who runs the command: the bot that runs, or its state without it.

use std::{
    io::{self, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Command};
use synod::{
    config::Config,
    pipeline::{self, Exit},
    run::{Alone, RunError},
    shell,
};

use crate::{USAGE, with_causes};

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// The bot's configuration, which says where it listens.
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// Where the bot listens; without it `$SYNOD_SOCKET`, or `/run/synod/exec.sock`.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Act for this account of the machine, if no bot runs and you may open its state.
    #[arg(long, value_name = "UID", hide = true)]
    caller: Option<u32>,
    /// When to show colours.
    #[arg(long, alias = "colour", value_name = "WHEN", value_enum, default_value = "auto")]
    color: shell::Colour,
    /// The command, as typed in the room, without the `!`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    words: Vec<String>,
}

impl Exec {
    /// Has the bot run the command; its exit code.
    pub(crate) fn run(self) -> u8 {
        let Self { config: file, socket, caller, color, words } = self;
        let config = file.as_deref().map(|file| Config::load(file, &pipeline::verbs())).transpose();
        let config = match config {
            Ok(config) => config,
            Err(faults) => {
                let _ = writeln!(io::stderr(), "{faults}");
                return USAGE;
            }
        };
        let of_config = config.as_ref().and_then(|config| {
            config.shell.as_ref().map(|access| shell::socket_of(config, access))
        });
        let socket = match (socket, &config, of_config) {
            (Some(socket), _, _) | (None, _, Some(socket)) => socket,
            (None, None, None) => shell::usual_socket(),
            (None, Some(_), None) => {
                let _ = writeln!(io::stderr(), "synod: {}", RunError::NoShell);
                return Exit::Refused.code();
            }
        };
        let exit = match (shell::connect(&socket), file.zip(config)) {
            (Ok(stream), _) => shell::talk(stream, words, color),
            (Err(error), Some((file, config))) if is_nobody(&error) => {
                match without_bot(&file, &config, caller, words, color) {
                    Ok(exit) => exit,
                    Err(error) => {
                        let _ = writeln!(io::stderr(), "synod: {}", with_causes(&error));
                        Exit::Failed
                    }
                }
            }
            (Err(error), _) => shell::no_bot(&socket, &error),
        };
        exit.code()
    }
}

/// Whether nobody listens there, rather than that it may not be used.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Runs a command over the state of the bot, which does not run.
fn without_bot(
    file: &Path,
    config: &Config,
    caller: Option<u32>,
    words: Vec<String>,
    colour: shell::Colour,
) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let alone = runtime.block_on(Alone::open(file, config))?;
    let (here, there) = UnixStream::pair().context("cannot create a socket")?;
    // Whoever may open the state could write anything into it; so this is only for the record.
    let uid = caller.unwrap_or_else(|| rustix::process::getuid().as_raw());
    let heard = runtime.spawn(alone.hear(there, uid));
    let exit = shell::talk(here, words, colour);
    runtime.block_on(heard).context("an error in the bot itself")??;
    Ok(exit)
}

/// The arguments with what the exit codes mean in their help.
pub(crate) fn with_exit_codes(exec: Command) -> Command {
    let codes = Exit::ALL.map(|exit| format!("  {}  {}", exit.code(), exit.meaning()));
    exec.after_help(format!("Exit codes:\n{}", codes.join("\n")))
}

/// The arguments with every command of the room below them: what is completed and described.
pub(crate) fn with_verbs(exec: Command) -> Command {
    let exec = exec.mut_arg("words", |words| words.hide(true)).disable_help_subcommand(true);
    exec.subcommands(pipeline::command_tree().get_subcommands().cloned())
}
