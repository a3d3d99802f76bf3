//! `media unquarantine`: the end of a quarantine.

use clap::ArgGroup;

use super::{
    quarantine::{SetQuarantine, Which},
    several::Several,
};
use crate::commands::{Ask, Does, Spec};

pub(super) const SPEC: Spec = Spec::of::<Unquarantine>(
    Does::Change,
    "unquarantine",
    &["media unquarantine mxc://example.org/abcdefghijklmnopqrstuvwx"],
)
.since(1, 140);

/// Release files from quarantine, together with every copy that has the same content
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(
    ["files", "mxc_uri", "media_id"]
)))]
struct Unquarantine {
    #[command(flatten)]
    files: Several,
}

impl From<Unquarantine> for Ask {
    fn from(typed: Unquarantine) -> Self {
        Self::Change(Box::new(SetQuarantine {
            which: Which::These(typed.files),
            quarantine: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::file::testing::{cat, seen},
        *,
    };
    use crate::{commands::Action as _, commands::user::testing};

    #[test]
    fn it_releases_what_is_quarantined_even_if_protected_since() {
        let typed = testing::parse::<Unquarantine>(&["mxc://example.org/cat"]).unwrap();
        let verb = SetQuarantine { which: Which::These(typed.files), quarantine: false };
        let by = json!({"quarantined_by": "@moe:example.org", "safe_from_quarantine": true});
        let change = verb.change(&cat(), &seen(by.clone(), None)).unwrap();
        assert!(change.steps[0].path.parts().contains(&"unquarantine".to_owned()));
        let skip = verb.change(&cat(), &seen(json!({}), None)).unwrap_err();
        assert!(testing::skip(&skip).contains("is not in quarantine"), "{skip:?}");
        let before = seen(json!({"quarantined_by": "@moe:example.org"}), Some(1));
        let told = testing::outcome(&verb.outcome(&cat(), &before, &[], &before));
        assert!(told.contains("Released with it: 1 more by the same account"), "{told}");
        assert!(told.ends_with("Undo: !media quarantine mxc://example.org/cat"), "{told}");
        // The homeserver would not quarantine it again.
        let before = seen(by, None);
        let told = testing::outcome(&verb.outcome(&cat(), &before, &[], &before));
        assert!(told.contains("media unprotect") && !told.contains("!media quarantine"), "{told}");
    }
}
