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
    /// Show what is in the store, what cannot be read, and whether the record is complete.
    ///
    /// Stop the bot first. The exit code is 1 if something is wrong.
    Check(Where),
    /// Export everything that the bot needs to continue into one file.
    ///
    /// The file is encrypted with the program `age` for the keys in `backup.recipients` of the config,
    /// and then also contains the recovery key. It never contains the session and the keys of the bot's
    /// device: a restored bot creates a new device. Stop the bot first.
    Export(Export),
    /// Restore the state of a bot from an export, into an empty state folder.
    ///
    /// At its next start the bot closes the open questions and jobs, gives new records new numbers, and
    /// tells the rooms.
    Import(Import),
    /// Rewrite the store so that it uses no more space than it needs. Stop the bot first.
    Compact(Where),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    place: Where,
    /// The new file; - is standard output.
    file: PathBuf,
    /// Do not encrypt it. It then does not contain the recovery key.
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Where,
    /// The export; - is standard input.
    file: PathBuf,
    /// The file with the age key that decrypts it, if it is encrypted.
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
    let name = file.display().to_string();
    let name = if name == "-" { "the export" } else { name.as_str() };
    writeln!(io::stderr(), "Wrote {name}: {records} entries, {how}, {key} the recovery key.")?;
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
    writeln!(io::stdout(), "Restored {records} entries of {at} into {}.", config.state.display())?;
    if !recovery_key {
        writeln!(
            io::stdout(),
            "The export has no recovery key: put it into {} before you start the bot.",
            config.recovery_key_file.display()
        )?;
    }
    writeln!(io::stdout(), "Check with `synod check`, then start the bot.")?;
    Ok(())
}

fn compacted(store: &Path) -> anyhow::Result<()> {
    let Compacted { before, after, records } = Store::compact(store)?;
    let size = synod::reply::size;
    writeln!(io::stdout(), "{records} entries: {} before, {} now.", size(before), size(after))?;
    Ok(())
}
