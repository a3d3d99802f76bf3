//! `media unprotect`: a file can be quarantined again.

use clap::ArgGroup;

use super::{protect::Protection, several::Several};
use crate::commands::{Ask, Does, Spec, switch::Switch as _};

pub(super) const SPEC: Spec = Spec::of::<Unprotect>(
    Does::Change,
    "unprotect",
    &[
        "media unprotect mxc://example.org/abcdefghijklmnopqrstuvwx",
        "media unprotect abcdefghijklmnopqrstuvwx",
    ],
)
.since(1, 140);

/// End the protection of files, so that they can be quarantined again
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["files", "mxc_uri", "media_id"])))]
struct Unprotect {
    #[command(flatten)]
    files: Several,
}

impl From<Unprotect> for Ask {
    fn from(typed: Unprotect) -> Self {
        Protection { files: typed.files }.turn(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn it_ends_a_protection_and_nothing_else() {
        let ask: Ask = testing::parse::<Unprotect>(&["abc", "-i", "def"]).unwrap().into();
        assert!(matches!(ask, Ask::Change(_)));
        assert!(format!("{ask:?}").contains("on: false"));
    }
}
