//! Files that nobody but the bot reads.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use tempfile::NamedTempFile;

/// What went wrong with which file.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot {what}")]
pub struct FileError {
    path: PathBuf,
    what: &'static str,
    #[source]
    source: io::Error,
}

/// For `map_err`: says what was being done to `path`.
fn at(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { path, what, source }
}

/// Makes the folder `path`, and those above it, for the bot alone (0700).
pub(crate) fn private_dir(path: &Path) -> Result<(), FileError> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o700))
    };
    make().map_err(at(path, "make the folder"))
}

/// Gives every file right in the folder `path` to the bot alone (0600).
///
/// The folder itself is closed to others; this is for whoever copies it with its permissions.
pub(super) fn close_all(path: &Path) -> Result<(), FileError> {
    let close = || {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
            }
        }
        Ok(())
    };
    close().map_err(at(path, "close its files to others"))
}

/// The content of the file, or nothing where there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path, "read it")(error)),
    }
}

/// Whether there is such a file. That nobody can tell is an error: what is taken for lost is
/// given up.
pub(crate) fn is_there(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(at(path, "look for it"))
}

/// The secret in the file, without the white space around it; nothing where there is no such file.
pub(crate) fn read_secret(path: &Path) -> Result<Option<SecretString>, FileError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes)
        .map_err(|_| at(path, "read it")(io::Error::from(io::ErrorKind::InvalidData)))?;
    Ok(Some(SecretString::from(text.trim().to_owned())))
}

/// Writes the file as a whole or not at all, for the bot alone (0600), and returns when it is on
/// disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let replace = || {
        // A rename is on disk when its folder is.
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(at(path, "write it"))
}

/// Removes the file or folder, with all that is in it; it need not be there.
pub(super) fn remove(path: &Path) -> Result<(), FileError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path, "remove it")(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_for_the_bot_alone_also_where_it_was_open_before() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("state");
        private_dir(&inner).unwrap();
        let path = inner.join("session.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();

        write(&path, b"new").unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&path)), (0o700, 0o600));
        assert_eq!(read(&path).unwrap().as_deref(), Some(b"new".as_slice()));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.json");
        fs::create_dir_all(path.join("in the way")).unwrap();

        write(&path, b"new").unwrap_err();

        assert!(path.join("in the way").is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_nothing_and_not_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("none")).unwrap(), None);
        remove(&dir.path().join("none")).unwrap();
    }
}
