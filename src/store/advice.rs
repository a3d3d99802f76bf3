//! What to do about a file or folder that cannot be used.

use std::io::{Error, ErrorKind};

/// So many files are open that the process, or the machine, takes no more (`EMFILE`, `ENFILE`).
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// What somebody does about `error`, after which it is tried again. Ends a sentence.
pub(crate) fn on(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free space on its disk, then start again"
        }
        ErrorKind::PermissionDenied => {
            "make the user that runs synod the owner of it and of everything in it, then start \
             again"
        }
        ErrorKind::ReadOnlyFilesystem => "mount it writable, then start again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "move away what is in its place, then start again"
        }
        _ if error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) => {
            "allow the process to open more files (ulimit -n), then start again"
        }
        _ => "check its disk, then start again",
    }
}
