//! The same record in a file beside the store, one JSON object a line; or in several, one after the
//! other, which together are the same.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};

use super::Kept;

/// When the file of the record is set aside, and another begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// With the first entry of another month, by UTC.
    Month,
    /// Before it is larger than this, bytes.
    Size(u64),
}

/// The files of the record whose last one is `path`, as far as they are there: the first first.
///
/// Those that were set aside have the number of their first entry at the end of their names.
pub fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = rotated(path)?;
    if path.try_exists()? {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Those that were set aside.
fn rotated(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (folder_of(path), path.file_name()) else {
        return Ok(Vec::new());
    };
    let name = format!("{}.", name.to_string_lossy());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let other = entry?.file_name();
        let number = other.to_str().and_then(|other| other.strip_prefix(&name));
        let number = number.filter(|number| number.len() == DIGITS);
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            files.push(folder.join(other));
        }
    }
    // All numbers are of one length.
    files.sort();
    Ok(files)
}

/// Digits of the number in a name.
const DIGITS: usize = 12;

fn folder_of(path: &Path) -> Option<&Path> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// A file that every entry is appended to.
#[derive(Debug)]
pub(super) struct Mirror {
    path: PathBuf,
    file: File,
    /// The number of the last entry in it, or in the one before.
    upto: u64,
    rotation: Option<Rotation>,
    /// The first entry in it, and its time.
    first: Option<(u64, Timestamp)>,
}

impl Mirror {
    /// Opens the file, or makes it for its owner alone. A line that a crash cut off goes. Where the
    /// file ends with another entry than `kept` has under that number, it is the record of another
    /// store: it is set aside under another name, with those before it, and a new one begun.
    pub(super) fn open(
        path: &Path,
        rotation: Option<Rotation>,
        kept: impl Fn(u64) -> io::Result<Option<Kept>>,
        now: Timestamp,
    ) -> io::Result<Self> {
        let mut file = open(path)?;
        let mut lines = Lines::of(&mut file)?;
        if lines.last.is_none()
            && let Some(before) = rotated(path)?.pop()
        {
            // It was begun, and nothing written to it yet.
            let last = Lines::of(&mut open(&before)?)?.last;
            lines = Lines { first: None, last };
        }
        let last = lines.last.as_deref().map(serde_json::from_str::<Kept>);
        let upto = match last {
            None => 0,
            Some(Ok(last)) if kept(last.entry.seq)?.is_some_and(|k| k.entry == last.entry) => {
                last.entry.seq
            }
            Some(_) => {
                set_aside(path, now)?;
                (file, lines.first) = (open(path)?, None);
                0
            }
        };
        let first = lines.first.as_deref().map(serde_json::from_str::<Kept>);
        let first = first.and_then(Result::ok).map(|first| (first.entry.seq, first.entry.at));
        Ok(Self { path: path.to_owned(), file, upto, rotation, first })
    }

    /// The number of the last entry in it.
    pub(super) fn upto(&self) -> u64 {
        self.upto
    }

    /// Appends an entry, as the next one; to another file, where it is time for one.
    pub(super) fn append(&mut self, kept: &Kept) -> io::Result<()> {
        let mut line = serde_json::to_vec(kept)?;
        line.push(b'\n');
        let mut before = self.file.seek(SeekFrom::End(0))?;
        if let Some((first, at)) = self.first
            && self.is_over(at, kept.entry.at, before.saturating_add(line.len() as u64))
        {
            self.begin_another(first)?;
            before = 0;
        }
        if let Err(error) = self.file.write_all(&line) {
            // Half a line would spoil every line after it.
            self.file.set_len(before)?;
            return Err(error);
        }
        self.first.get_or_insert((kept.entry.seq, kept.entry.at));
        self.upto = kept.entry.seq;
        Ok(())
    }

    /// Whether a file that began at `first` takes no entry of `next`, with which it would have this
    /// size.
    fn is_over(&self, first: Timestamp, next: Timestamp, size: u64) -> bool {
        let month = |at: Timestamp| at.to_zoned(TimeZone::UTC).date().first_of_month();
        match self.rotation {
            None => false,
            Some(Rotation::Month) => month(first) != month(next),
            Some(Rotation::Size(most)) => size > most,
        }
    }

    /// Sets the file aside under the number of its first entry, on disk, and begins another.
    fn begin_another(&mut self, first: u64) -> io::Result<()> {
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(format!(".{first:0DIGITS$}"));
        self.file.sync_all()?;
        if Path::new(&aside).try_exists()? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.path, &aside)?;
        self.file = open(&self.path)?;
        if let Some(folder) = folder_of(&self.path) {
            File::open(folder)?.sync_all()?;
        }
        self.first = None;
        Ok(())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Sets the files of another record aside.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<()> {
    for file in files_of(path)? {
        let mut aside = file.as_os_str().to_owned();
        aside.push(format!(".before-{}", now.as_second()));
        tracing::warn!(to = %Path::new(&aside).display(), "the file of the record is another's and is set aside");
        fs::rename(file, aside)?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The first and the last whole line of a file.
struct Lines {
    first: Option<String>,
    last: Option<String>,
}

impl Lines {
    /// What follows the last whole line goes.
    fn of(file: &mut File) -> io::Result<Self> {
        let mut reader = BufReader::new(&*file);
        let (mut first, mut last, mut whole) = (None, None, 0);
        loop {
            let mut line = Vec::new();
            let read = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                break;
            }
            whole += u64::try_from(read).unwrap_or_default();
            first.get_or_insert_with(|| line.clone());
            last = Some(line);
        }
        file.set_len(whole)?;
        let text = |line: Vec<u8>| String::from_utf8_lossy(&line).trim_end().to_owned();
        Ok(Self { first: first.map(text), last: last.map(text) })
    }
}
