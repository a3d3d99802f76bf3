//! `background resume`: background updates go on.

use super::pause::Updating;
use crate::commands::{Ask, Does, Spec, switch::Switch as _};

pub(super) const SPEC: Spec = Spec::of::<Resume>(Does::Change, "resume", &["background resume"]);

/// Resume background updates after `background pause`
#[derive(Debug, clap::Args)]
struct Resume {}

impl From<Resume> for Ask {
    fn from(Resume {}: Resume) -> Self {
        Updating.turn(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::pause::tests::{here, seen},
        *,
    };
    use crate::commands::user::testing;

    #[test]
    fn it_resumes_and_names_the_way_back() {
        let ask = testing::parse::<Resume>(&[]).unwrap().into();
        let Ask::Change(verb) = ask else { panic!("it looks") };
        let change = verb.change(&here(), &seen(false)).unwrap();
        assert_eq!(change.steps[0].body, json!({ "enabled": true }));
        assert!(verb.change(&here(), &seen(true)).is_err());
        let told = testing::outcome(&verb.outcome(&here(), &seen(false), &[], &seen(true)));
        assert!(told.starts_with("Done · `example.org`: background updates resumed\n"), "{told}");
        assert!(told.ends_with("Undo: !background pause"), "{told}");
    }
}
