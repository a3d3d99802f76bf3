//! The program `age`, which encrypts what is exported and decrypts what is imported.
//!
//! It is asked as a program because its library would bring sixty crates and other features of the
//! ones that are there, and because it knows every kind of key that the installed one does.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::Error;

const AGE: &str = "age";

/// What a file begins with that it has encrypted.
pub(super) const BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE"];

/// Most that is read of what it has to say, bytes.
const SAID: u64 = 4096;

/// It, at work.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    /// Encrypts what is written to the pipe for these recipients, into `to`.
    pub(super) fn encrypting(recipients: &[String], to: File) -> Result<(Self, ChildStdin), Error> {
        let mut command = Command::new(AGE);
        command.arg("--encrypt");
        for recipient in recipients {
            command.args(["--recipient", recipient]);
        }
        let (mut child, none) = spawn(command.stdin(Stdio::piped()).stdout(to))?;
        let pipe = child.stdin.take().ok_or(none)?;
        Ok((Self(child), pipe))
    }

    /// Decrypts `from`, whose text is read from the pipe.
    pub(super) fn decrypting(identity: &Path, from: File) -> Result<(Self, ChildStdout), Error> {
        let mut command = Command::new(AGE);
        command.arg("--decrypt").arg("--identity").arg(identity);
        let (mut child, none) = spawn(command.stdin(from).stdout(Stdio::piped()))?;
        let pipe = child.stdout.take().ok_or(none)?;
        Ok((Self(child), pipe))
    }

    /// Waits for its end. The pipe must be closed by now.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Self(mut child) = self;
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            // What cannot be read is not said; that it failed is.
            let _ = stderr.take(SAID).read_to_string(&mut said);
        }
        let ended = child.wait().map_err(|error| Error::Age(error.to_string()))?;
        if ended.success() {
            return Ok(());
        }
        // It says first what is wrong, and then where to report what nobody expects.
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it has failed");
        Err(Error::Age(
            line.trim_start_matches("age: error: ").trim_start_matches("age: ").to_owned(),
        ))
    }
}

/// Starts it; and what to say if it has not the pipe that it was given.
fn spawn(command: &mut Command) -> Result<(Child, Error), Error> {
    let child = command.stderr(Stdio::piped()).spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::NoAge,
        _ => Error::Age(error.to_string()),
    })?;
    Ok((child, Error::Age(io::Error::from(ErrorKind::BrokenPipe).to_string())))
}
