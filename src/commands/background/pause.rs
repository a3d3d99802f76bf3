//! `background pause`: background updates are held.

use async_trait::async_trait;
use serde_json::json;

use super::updates;
use crate::commands::refusals::{Meaning, OTHER_BODY, OTHER_VALUE};
use crate::{
    change::{Method, Path, Power, Snapshot, Step, Subject},
    commands::{
        Ask, Does, Spec,
        switch::{Switch, Wording},
        user::account::words,
    },
    error::Stop,
    reply::Fact,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Pause>(
    Does::Change,
    "pause",
    &["background pause", "background pause --for 2h --reason \"backup\""],
)
.ending();

/// Pause background updates, so that the homeserver has more time for its users
///
/// The running update stops after its current step. It continues with `background resume`, or when the
/// homeserver restarts: a restart ends the pause. Do not pause for long: features of a new version may
/// wait for these updates.
#[derive(Debug, clap::Args)]
struct Pause {}

impl From<Pause> for Ask {
    fn from(Pause {}: Pause) -> Self {
        Updating.turn(false)
    }
}

/// Whether background updates resume (`POST /_synapse/admin/v1/background_updates/enabled`).
#[derive(Debug)]
pub(super) struct Updating;

static ON: Wording = Wording {
    verb: "background resume",
    did: "resumed background updates of",
    asked: ("Let the background updates of ", " resume"),
    already: ": background updates are not paused",
    said: ": background updates resumed",
    back: |_| words(["background", "pause"]),
};

static OFF: Wording = Wording {
    verb: "background pause",
    did: "paused background updates of",
    asked: ("Hold the background updates of ", ""),
    already: ": background updates are already paused",
    said: ": background updates paused, at most until the homeserver restarts",
    back: |_| words(["background", "resume"]),
};

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[OTHER_BODY, OTHER_VALUE];

#[async_trait]
impl Switch for Updating {
    fn key(&self) -> &'static str {
        "enabled"
    }

    fn wording(&self, on: bool) -> &'static Wording {
        if on { &ON } else { &OFF }
    }

    fn power(&self) -> Power {
        Power::Server
    }

    fn refusals(&self) -> &'static [Meaning] {
        REFUSALS
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![Subject::Homeserver(reader.server_name().to_owned())])
    }

    async fn snapshot(&self, _subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        Ok(updates::seen(&updates::updates(reader).await?))
    }

    fn shown_by(&self, _subject: &Subject) -> Option<String> {
        Some("background status".to_owned())
    }

    fn step(&self, _subject: &Subject, _seen: &Snapshot, on: bool) -> Step {
        let path = Path::admin(["v1", "background_updates", "enabled"]);
        Step::new(Method::Post, path, json!({ "enabled": on }))
    }

    // The title says the rest.
    fn facts(&self, after: &Snapshot, _on: bool) -> Vec<Fact> {
        after.shown_as(&["Running"]).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::updates::tests::some, *};
    use crate::{
        change::{Class, FactMap},
        commands::{Action as _, switch::Turn, user::testing},
    };

    /// The homeserver as a subject.
    pub(in crate::commands::background) fn here() -> Subject {
        Subject::Homeserver("example.org".try_into().unwrap())
    }

    /// What is seen of its updates.
    pub(in crate::commands::background) fn seen(enabled: bool) -> Snapshot {
        updates::seen(&some(enabled, None))
    }

    #[test]
    fn it_runs_at_once_and_wants_what_it_says() {
        let ask = testing::parse::<Pause>(&[]).unwrap().into();
        let Ask::Change(verb) = ask else { panic!("it looks") };
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Server));
        let change = verb.change(&here(), &seen(true)).unwrap();
        assert_eq!(change.steps[0].body, json!({ "enabled": false }));
        assert_eq!(change.wanted, FactMap::from([("enabled".to_owned(), json!(false))]));
        let skip = verb.change(&here(), &seen(false)).unwrap_err();
        assert_eq!(
            testing::skip(&skip),
            "Nothing changed · `example.org`: background updates are already paused\n\
             Try !background status"
        );
    }

    #[test]
    fn what_runs_is_of_no_account() {
        let verb = Turn { switch: Updating, on: false };
        let running = updates::seen(&some(true, Some("populate")));
        assert_eq!(
            verb.change(&here(), &running).unwrap(),
            verb.change(&here(), &seen(true)).unwrap()
        );
        assert_eq!(running.preconditions, seen(true).preconditions);
    }

    #[test]
    fn the_way_back_is_the_other_verb() {
        let told = testing::outcome(&Turn { switch: Updating, on: false }.outcome(
            &here(),
            &seen(true),
            &[],
            &seen(false),
        ));
        assert_eq!(
            told,
            "Done · `example.org`: background updates paused, at most until the homeserver \
             restarts\nRunning: nothing\nUndo: !background resume"
        );
        let question =
            testing::question(&Turn { switch: Updating, on: false }.question(&here(), &seen(true)));
        assert_eq!(question, "Hold the background updates of `example.org`\n");
    }
}
