//! `synod audit`: what can be done with files of the record, on any machine.

use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use synod::{
    audit::{Head, joined, verify_lines},
    clock::{Clock as _, SystemClock},
    record_page,
};

use crate::{FOUND, with_causes};

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check that nothing in the files of a record was changed, is missing or was cut off.
    ///
    /// It needs only the files: no configuration, no homeserver. It proves that they are one unbroken
    /// chain from the first entry to the hash that you give, not that their content is true. Without a
    /// hash from elsewhere, a cut-off end does not show.
    Verify(Files),
    /// Make an HTML page of a record: a timeline, a search, numbers by week, and whether the chain is intact.
    ///
    /// The page needs no bot, no network and no password. Whoever opens it sees everything in the record.
    Report {
        #[command(flatten)]
        files: Files,
        /// Where to write the page; an existing file is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The file, one JSON object per line; if the record is in several files, name all of them, in any order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A hash from the room, or one that you kept elsewhere.
    #[arg(long)]
    head: Option<String>,
}

impl Files {
    /// For an error: which they are.
    fn names(&self) -> String {
        let names: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        names.join(", ")
    }
}

/// Does it, and says what was found.
pub(crate) fn run(command: &Audit) -> ExitCode {
    let done = match command {
        Audit::Verify(files) => verified(files),
        Audit::Report { files, out } => reported(files, out),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Where nobody can be told, the exit code still says it.
            let _ = writeln!(io::stderr(), "{}", with_causes(&error));
            ExitCode::from(FOUND)
        }
    }
}

/// Checks the files of a record.
fn verified(files: &Files) -> anyhow::Result<ExitCode> {
    let lines = joined(&files.files)?;
    let Head { count, hash } =
        verify_lines(lines, files.head.as_deref()).with_context(|| files.names())?;
    let _ = writeln!(io::stdout(), "{count} entries, unbroken; the last is {hash}");
    Ok(ExitCode::SUCCESS)
}

/// Makes the page of a record: whole, or not at all.
fn reported(files: &Files, out: &Path) -> anyhow::Result<ExitCode> {
    let lines = joined(&files.files)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let unwritten = || format!("{} cannot be written", out.display());
    let mut page = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(unwritten)?;
    let mut buffered = BufWriter::new(page.as_file_mut());
    let proof = record_page::write(lines, files.head.as_deref(), SystemClock.now(), &mut buffered)
        .with_context(|| files.names())?;
    drop(buffered);
    page.persist(out).map_err(|error| error.error).with_context(unwritten)?;
    let said = match &proof.broken {
        None => format!("{} entries, unbroken; the last is {}", proof.head.count, proof.head.hash),
        Some(broken) => broken.to_string(),
    };
    let head =
        if proof.head_found == Some(false) { "; the hash that you gave is not in it" } else { "" };
    let _ = writeln!(io::stdout(), "Wrote {}. {said}{head}", out.display());
    Ok(ExitCode::from(if proof.holds() { 0 } else { FOUND }))
}
