//! What to do about a file or folder that cannot be used.

use std::io::{Error, ErrorKind};

/// So many files are open that the process, or the machine, takes no more (`EMFILE`, `ENFILE`).
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// What somebody does about `error`, after which it is tried again. Ends a sentence.
pub(crate) fn on(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room on its disk, then start again"
        }
        ErrorKind::PermissionDenied => {
            "make the user that runs synod the owner of it and of all in it, then start again"
        }
        ErrorKind::ReadOnlyFilesystem => "mount it so that it can be written, then start again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "move away what stands in its place, then start again"
        }
        _ if error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) => {
            "let the process open more files (ulimit -n), then start again"
        }
        _ => "look at its disk, then start again",
    }
}
