//! What is wrong with the file, said to the person who wrote it.

use std::{fmt, path::PathBuf};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, such as `operators[0].role`; empty where the file as a whole is meant.
    pub key: String,
    /// The line in the file, counted from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong, without a full stop. Never repeats a value.
    pub what: String,
    /// What to write or do instead, without a full stop.
    pub instead: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        let key = if self.key.is_empty() { "the file" } else { &self.key };
        write!(f, "{key}: {}. {}.", self.what, self.instead)
    }
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// The faults, at least one.
    pub list: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        let faults = if count == 1 { "fault" } else { "faults" };
        write!(f, "{}: {count} {faults}", self.file.display())?;
        self.list.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}
