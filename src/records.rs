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

use crate::FOUND;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check that nothing in the files of a record was changed, is missing or was cut off.
    ///
    /// It takes nothing but the files: no configuration, no homeserver. What it proves is that they
    /// are one unbroken chain from its first entry to the head that you give, not that what stands
    /// in it is true. Without a head from elsewhere an end that was cut off does not show.
    Verify(Files),
    /// Make one page of HTML of a record: its timeline, a search, what was done by week, and whether
    /// the chain holds.
    ///
    /// The page needs no bot and no network, and asks for nothing. Who opens it sees all that stands
    /// in the record.
    Report {
        #[command(flatten)]
        files: Files,
        /// Where the page is written; a file that is there is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The file, one JSON object a line; all of them where the record stands in several, in any order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A hash that was told in the room or noted elsewhere.
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
            let _ = writeln!(io::stderr(), "{error:#}");
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
        if proof.head_found == Some(false) { "; the head that you gave is not in it" } else { "" };
    let _ = writeln!(io::stdout(), "{} is written. {said}{head}", out.display());
    Ok(ExitCode::from(if proof.holds() { 0 } else { FOUND }))
}
