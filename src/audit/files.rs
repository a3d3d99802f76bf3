//! A record in several files, read as one.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: it cannot be read", file.display())]
pub struct Unread {
    file: PathBuf,
    #[source]
    source: io::Error,
}

/// What stands in these files of one record, the one with the first entries first, in whatever order
/// they are named.
pub fn joined(files: &[PathBuf]) -> Result<impl BufRead + use<>, Unread> {
    let mut opened = Vec::new();
    for file in files {
        let failed = |source| Unread { file: file.clone(), source };
        opened.push(open(file).map_err(failed)?);
    }
    opened.sort_by_key(|(first, _)| *first);
    let empty: Box<dyn Read> = Box::new(io::empty());
    let all = opened.into_iter().fold(empty, |before, (_, file)| Box::new(before.chain(file)));
    Ok(BufReader::new(all))
}

/// A file, and the number of its first entry. What has none comes last, and shows as a break there.
fn open(path: &Path) -> io::Result<(u64, File)> {
    #[derive(Deserialize)]
    struct Line {
        entry: Entry,
    }
    #[derive(Deserialize)]
    struct Entry {
        seq: u64,
    }
    let mut file = File::open(path)?;
    let mut first = Vec::new();
    BufReader::new(&file).read_until(b'\n', &mut first)?;
    file.rewind()?;
    let first = serde_json::from_slice::<Line>(&first);
    Ok((first.map_or(u64::MAX, |line| line.entry.seq), file))
}
