//! The binary: reads its arguments and its configuration, and says how it ended.
//!
//! Exit codes: 0 well, 1 something was found or failed, 2 the arguments or the configuration; `exec` has
//! more, which its help lists.

// The list is in clippy.toml.
#![warn(clippy::disallowed_methods)]

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use ruma::OwnedUserId;
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};
use synod::{
    check,
    config::{Config, LogFormat},
    finding::{Finding, Mark},
    log::{JsonFields, JsonLines},
    pipeline,
    run::Control,
    service::{Service, is_alive},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

mod exec;
mod pages;
mod records;
mod setup_command;
mod stores;

use exec::Exec;

const FOUND: u8 = 1;
const USAGE: u8 = 2;

/// A Matrix bot for running a Synapse homeserver from a chat room.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up what the bot needs: its account, its room, its secrets and its configuration.
    ///
    /// It asks for what you do not give. Run it again to continue, or to repair what is missing.
    Setup(Box<setup_command::Setup>),
    #[command(flatten)]
    Configured(Configured),
    /// Check or show a record that the bot has written.
    #[command(subcommand)]
    Audit(records::Audit),
    /// Send a command of the admin room from here to the bot that runs on this machine.
    ///
    /// The same rules apply as in the room, and changes are reported there. `shell.operators` in the
    /// bot's configuration says which operator your account on this machine is. Data (`-o json`, `-o
    /// csv`) and files go to standard output; questions and everything else go to standard error.
    Exec(Exec),
    /// Write manual pages and shell completions into a folder.
    #[command(hide = true)]
    Pages {
        /// The folder; created if missing.
        folder: PathBuf,
    },
}

/// What needs a configuration.
#[derive(Debug, Subcommand)]
enum Configured {
    /// Run the bot until it is stopped by Ctrl-C or SIGTERM.
    Run(Where),
    /// Check everything that the configuration names, change nothing, and say what to fix.
    Check(Where),
    /// Say whether the bot with this configuration is alive, for container probes.
    ///
    /// It is alive as long as its sync loop runs, even while the homeserver is down.
    Alive(Where),
    /// Check the store, export it to one file, import it, or compact it.
    #[command(subcommand)]
    Store(stores::Command),
    /// Unfreeze the bot, or an operator.
    Unfreeze(Unfreeze),
}

#[derive(Debug, Args)]
struct Where {
    /// The configuration, a YAML file; you can start from config.example.yaml.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct Unfreeze {
    #[command(flatten)]
    place: Where,
    /// The operator, such as @ann:example.org; the bot itself by default.
    operator: Option<OwnedUserId>,
}

impl Configured {
    fn config(&self) -> &Path {
        match self {
            Self::Run(place) | Self::Check(place) | Self::Alive(place) => &place.config,
            Self::Store(command) => command.config(),
            Self::Unfreeze(unfreeze) => &unfreeze.place.config,
        }
    }
}

fn main() -> ExitCode {
    // Whatever the bot writes, a library's files too, is for its own account only.
    umask(Mode::RWXG | Mode::RWXO);
    if let Err(error) = keep_memory_private() {
        let _ = writeln!(io::stderr(), "synod: core dumps cannot be switched off: {error}");
        return ExitCode::from(FOUND);
    }
    // clap ends the process by itself, with 2, where the arguments are wrong.
    let parsed = Arguments::from_arg_matches(&arguments().get_matches());
    let command = match parsed.unwrap_or_else(|error| error.exit()).command {
        Command::Configured(command) => command,
        Command::Exec(exec) => return ExitCode::from(exec.run()),
        Command::Setup(options) => return setup_command::run(&options),
        Command::Audit(command) => return records::run(&command),
        Command::Pages { folder } => return written(&folder),
    };
    let load = match command {
        Configured::Check(_) => Config::load_to_check,
        _ => Config::load,
    };
    let config = match load(command.config(), &pipeline::verbs()) {
        Ok(config) => config,
        Err(faults) => {
            // Where stderr is gone there is nobody to tell; the exit code still says it.
            let _ = writeln!(io::stderr(), "{faults}");
            return ExitCode::from(USAGE);
        }
    };
    match start(&command, &config) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "synod: {}", with_causes(&error));
            ExitCode::from(FOUND)
        }
    }
}

/// What the binary takes.
fn arguments() -> clap::Command {
    Arguments::command().mut_subcommand("exec", exec::with_exit_codes)
}

/// Lets no core dump be made, whatever limit the process was started with, for it would hold the
/// admin token; and lets nobody else of the same user look into the memory.
fn keep_memory_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // The limit does not hold where the kernel hands core dumps to a program; this does.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Writes manual pages and completions, and says if it cannot.
fn written(folder: &Path) -> ExitCode {
    match pages::write(&arguments().mut_subcommand("exec", exec::with_verbs), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ =
                writeln!(io::stderr(), "synod: {} cannot be written: {error}", folder.display());
            ExitCode::from(FOUND)
        }
    }
}

fn start(command: &Configured, config: &Config) -> anyhow::Result<ExitCode> {
    let filter =
        EnvFilter::builder().parse(filter(&config.log)).context("the log cannot be filtered")?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = if is_for_machines(command, config) {
        lines.fmt_fields(JsonFields).event_format(JsonLines).boxed()
    } else {
        lines.boxed()
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    match command {
        Configured::Check(_) => Ok(runtime.block_on(checked(config))),
        Configured::Alive(_) => {
            let alive = is_alive(&config.state);
            let what = if alive { "alive" } else { "no sign of life for a minute" };
            writeln!(io::stdout(), "{what}")?;
            Ok(ExitCode::from(if alive { 0 } else { FOUND }))
        }
        Configured::Store(command) => stores::run(command, config),
        Configured::Unfreeze(unfreeze) => {
            synod::run::unfreeze(config, unfreeze.operator.as_deref())
                .with_context(|| format!("{} cannot be written", config.state.display()))?;
            writeln!(
                io::stdout(),
                "A running bot lifts the freeze within a second; otherwise it does so when it \
                 starts."
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Configured::Run(place) => {
            let relog = |log: &str| {
                // The config knows that it parses.
                if let Ok(filter) = EnvFilter::builder().parse(self::filter(log))
                    && let Err(error) = handle.reload(filter)
                {
                    tracing::error!(%error, "the log is filtered as before");
                }
            };
            runtime.block_on(run(&place.config, config.clone(), relog))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether the log is for machines. What the other commands say is for whoever typed them.
fn is_for_machines(command: &Configured, config: &Config) -> bool {
    match config.log_format {
        LogFormat::Auto => matches!(command, Configured::Run(_)) && !io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    }
}

/// The filter of the log. Behind one bare level the libraries are quieter than the bot: the SDK
/// logs a 404 that it expects as an error, and operators would think that something is broken.
fn filter(log: &str) -> String {
    match log.trim() {
        level @ ("error" | "warn" | "info") => {
            format!(
                "{level},matrix_sdk=warn,matrix_sdk_base=warn,matrix_sdk_crypto=warn,\
                 matrix_sdk_crypto::backups=error,matrix_sdk::http_client=off"
            )
        }
        chosen => chosen.to_owned(),
    }
}

/// Runs the bot until it is told to stop, and lets it finish what it has in hand.
/// A hang-up (`SIGHUP`) makes it read its configuration again.
#[expect(clippy::disallowed_methods, reason = "a signal is listened for until the process ends")]
async fn run(file: &Path, config: Config, relog: impl Fn(&str)) -> anyhow::Result<()> {
    let (log, mut told_log) = watch::channel(config.log.clone());
    let service = Service::of_environment();
    let control = Control {
        stop: CancellationToken::new(),
        reload: Arc::default(),
        log,
        service: service.clone(),
    };
    let mut hangup = signal(SignalKind::hangup()).context("signals cannot be received")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    // A write beyond the limit on the size of files must fail like one on a full disk. Unheard,
    // this signal would end the bot in the middle of whatever it does.
    let _too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))
        .context("signals cannot be received")?;
    let (stop, told) = (control.stop.clone(), service.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping; what is in hand is finished first");
        told.stops();
        stop.cancel();
    });
    let heard = async {
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => control.reload.notify_one(),
                Ok(()) = told_log.changed() => relog(&told_log.borrow_and_update()),
            }
        }
    };
    tokio::select! {
        ended = Box::pin(synod::run::run(file, config, &control)) => Ok(ended?),
        never = heard => never,
        never = service.watch() => never,
    }
}

/// Prints each finding as it comes: one line, or a paragraph at a terminal, where all are counted at
/// the end. Only what is bad makes it a failure.
async fn checked(config: &Config) -> ExitCode {
    let findings = check::check(config, &mut print).await;
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let [well, warn, bad] = [Mark::Ok, Mark::Warn, Mark::Bad].map(count);
    if io::stdout().is_terminal() {
        let counts = format!("BAD: {bad}. Could be better: {warn}. Well: {well}.");
        let _ = writeln!(io::stdout(), "\n{counts}");
    }
    ExitCode::from(if bad > 0 { FOUND } else { 0 })
}

/// Prints a finding for whoever reads it.
pub(crate) fn print(finding: &Finding) {
    let mut out = io::stdout();
    // Where it is gone there is nobody to tell; the exit code still says it.
    let _ = if out.is_terminal() {
        let (_, columns) = console::Term::stdout().size();
        writeln!(out, "{}", finding.on_screen(columns.into()))
    } else {
        writeln!(out, "{finding}")
    };
}

/// An error with what caused it, as one line: most name their cause already, and it is said once.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), |said, cause| {
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let busy = || io::Error::from(io::ErrorKind::AddrInUse);
        let named = anyhow::Error::new(busy()).context(format!("cannot listen: {}", busy()));
        assert_eq!(with_causes(&named), format!("cannot listen: {}", busy()));
        let bare = anyhow::Error::new(busy()).context("cannot listen");
        assert_eq!(with_causes(&bare), format!("cannot listen: {}", busy()));
    }
}
