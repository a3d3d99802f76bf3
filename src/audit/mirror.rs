//! The same record in a file beside the store, one JSON object a line.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::Kept;

/// A file that every entry is appended to.
#[derive(Debug)]
pub(super) struct Mirror {
    path: PathBuf,
    file: File,
    /// The number of the last entry in it.
    upto: u64,
}

impl Mirror {
    /// Opens the file, or makes it for its owner alone. A line that a crash cut off goes. Where the
    /// file ends with another entry than `kept` has under that number, it is the record of another
    /// store: it is set aside under another name, and a new one begun.
    pub(super) fn open(
        path: &Path,
        kept: impl Fn(u64) -> io::Result<Option<Kept>>,
        now: jiff::Timestamp,
    ) -> io::Result<Self> {
        let mut file = open(path)?;
        let last = last_line(&mut file)?;
        let upto = match last.as_deref().map(serde_json::from_str::<Kept>) {
            None => 0,
            Some(Ok(last)) if kept(last.entry.seq)?.is_some_and(|k| k.entry == last.entry) => {
                last.entry.seq
            }
            Some(_) => {
                let mut aside = path.as_os_str().to_owned();
                aside.push(format!(".before-{}", now.as_second()));
                tracing::warn!(to = %Path::new(&aside).display(), "the file of the record is another's and is set aside");
                std::fs::rename(path, aside)?;
                file = open(path)?;
                0
            }
        };
        Ok(Self { path: path.to_owned(), file, upto })
    }

    /// The number of the last entry in it.
    pub(super) fn upto(&self) -> u64 {
        self.upto
    }

    /// Appends an entry, as the next one.
    pub(super) fn append(&mut self, kept: &Kept) -> io::Result<()> {
        let mut line = serde_json::to_vec(kept)?;
        line.push(b'\n');
        let before = self.file.seek(SeekFrom::End(0))?;
        if let Err(error) = self.file.write_all(&line) {
            // Half a line would spoil every line after it.
            self.file.set_len(before)?;
            return Err(error);
        }
        self.upto = kept.entry.seq;
        Ok(())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The last whole line; what follows it goes.
fn last_line(file: &mut File) -> io::Result<Option<String>> {
    let mut reader = BufReader::new(&*file);
    let (mut last, mut whole) = (None, 0);
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        whole += u64::try_from(read).unwrap_or_default();
        last = Some(line);
    }
    file.set_len(whole)?;
    Ok(last.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()))
}
