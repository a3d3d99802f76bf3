//! `synod store`: the bot's store, looked at, put into a file, taken out of one, and made small.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use synod::{
    backup::{self, Exported, Imported, Source},
    clock::{Clock as _, SystemClock},
    config::Config,
    finding::Mark,
    run::lock,
    store::{Compacted, Store},
};

use crate::{FOUND, Where, print};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what the store holds, what of it cannot be read, and whether the record is whole.
    ///
    /// Stop the bot first. Exit code 1 where something is wrong.
    Check(Where),
    /// Put everything that the bot needs to go on into one file.
    ///
    /// It is encrypted with the program `age`, to those whom `backup.recipients` of the config names, and
    /// then the recovery key is in it too. The session and the keys of the bot's device never are: one
    /// that is put back makes itself a new device. Stop the bot first.
    Export(Export),
    /// Make the state of a bot from an export, in a state folder in which there is none.
    ///
    /// At its next start the bot ends the questions and jobs that were open, gives no number of the
    /// record again, and tells the rooms.
    Import(Import),
    /// Write the store anew, so that it takes no more room than it needs. Stop the bot first.
    Compact(Where),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    place: Where,
    /// The new file; - is the output.
    file: PathBuf,
    /// Do not encrypt it. The recovery key is not in it then.
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Where,
    /// The export; - is the input.
    file: PathBuf,
    /// The key of age that opens it, a file, where it is encrypted.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl Command {
    pub(crate) fn config(&self) -> &Path {
        match self {
            Self::Check(place) | Self::Compact(place) => &place.config,
            Self::Export(export) => &export.place.config,
            Self::Import(import) => &import.place.config,
        }
    }
}

/// Does it. Nobody else uses the state meanwhile.
pub(crate) fn run(command: &Command, config: &Config) -> anyhow::Result<ExitCode> {
    let state = &config.state;
    let store = state.join("store");
    if !matches!(command, Command::Import(_)) && !state.exists() {
        bail!("there is no state in {}", state.display());
    }
    let _lock = lock(state)?;
    match command {
        Command::Check(_) => return checked(&store, state),
        Command::Export(export) => exported(&store, config, export),
        Command::Import(import) => imported(config, import),
        Command::Compact(_) => compacted(&store),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn checked(store: &Path, state: &Path) -> anyhow::Result<ExitCode> {
    let store = Store::open_as_it_is(store)?;
    let findings = backup::check(&store, state, Arc::new(SystemClock))?;
    for finding in &findings {
        print(finding);
    }
    let bad = findings.iter().any(|finding| finding.mark == Mark::Bad);
    Ok(ExitCode::from(if bad { FOUND } else { 0 }))
}

fn exported(store: &Path, config: &Config, export: &Export) -> anyhow::Result<()> {
    let Export { file, plain, .. } = export;
    let (store, now) = (Store::open_as_it_is(store)?, SystemClock.now());
    let Exported { records, recovery_key, encrypted } = if file.as_os_str() == "-" {
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        backup::export_to(&store, config, output, *plain, now)?
    } else {
        backup::export(&store, config, file, *plain, now)?
    };
    let key = if recovery_key { "with" } else { "without" };
    let how = if encrypted { "encrypted" } else { "not encrypted" };
    writeln!(
        io::stderr(),
        "{} is written: {records} records, {how}, {key} the recovery key.",
        file.display()
    )?;
    Ok(())
}

fn imported(config: &Config, import: &Import) -> anyhow::Result<()> {
    let Import { file, identity, .. } = import;
    let input = if file.as_os_str() == "-" {
        File::from(io::stdin().as_fd().try_clone_to_owned()?)
    } else {
        File::open(file).with_context(|| format!("{} cannot be read", file.display()))?
    };
    let source = Source { file: input, identity: identity.clone() };
    let Imported { records, at, recovery_key } = backup::import(config, source, SystemClock.now())
        .with_context(|| file.display().to_string())?;
    let at = at.strftime("%Y-%m-%d %H:%M UTC");
    writeln!(io::stdout(), "{records} records of {at} are in {}.", config.state.display())?;
    if !recovery_key {
        writeln!(
            io::stdout(),
            "The recovery key is not in it: put it into {} before the bot starts.",
            config.recovery_key_file.display()
        )?;
    }
    writeln!(io::stdout(), "Check with `synod check`, then start the bot.")?;
    Ok(())
}

fn compacted(store: &Path) -> anyhow::Result<()> {
    let Compacted { before, after, records } = Store::compact(store)?;
    let size = synod::reply::size;
    writeln!(io::stdout(), "{records} records: {} before, {} now.", size(before), size(after))?;
    Ok(())
}
