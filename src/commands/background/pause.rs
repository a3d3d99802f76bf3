//! `background pause`: background updates are held.

use async_trait::async_trait;
use serde_json::json;

use super::updates;
use crate::{
    change::{
        Answer, Binds, Change, Class, Method, Outcome, Path, Power, Question, Seen, Skip, Step,
        Subject, Undo,
    },
    commands::{Action, Ask, Does, Spec},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Pause>(
    Does::Change,
    "pause",
    &["background pause", "background pause --for 2h --reason \"backup\""],
)
.ending();

/// Hold background updates, so that the homeserver has more time for people
///
/// What runs stops after its present step and goes on with `background resume`, or when the
/// homeserver starts again: it does not remember a pause. A long one hurts: features of a new
/// version may wait for these updates.
#[derive(Debug, clap::Args)]
struct Pause {}

impl From<Pause> for Ask {
    fn from(Pause {}: Pause) -> Self {
        Self::Change(Box::new(Set { on: false }))
    }
}

/// Holds background updates or lets them go on
/// (`POST /_synapse/admin/v1/background_updates/enabled`).
#[derive(Debug)]
pub(super) struct Set {
    /// Whether they go on.
    pub(super) on: bool,
}

#[async_trait]
impl Action for Set {
    fn class(&self, _many: usize) -> Class {
        Class::Reversible
    }

    fn power(&self) -> Power {
        Power::Server
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![Subject::Homeserver(reader.server_name().to_owned())])
    }

    async fn see(&self, _subject: &Subject, reader: &Reader) -> Result<Seen, Stop> {
        Ok(updates::seen(&updates::updates(reader).await?))
    }

    fn question(&self, subject: &Subject, _seen: &Seen) -> Question {
        let verb = if self.on { "Let " } else { "Hold " };
        let end = if self.on { " go on" } else { "" };
        let title =
            Line::new().plain(verb).plain("the background updates of ").code(subject).plain(end);
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Seen) -> Result<Change, Skip> {
        if seen.is("enabled") == self.on {
            let what = if self.on { "are not paused" } else { "are paused already" };
            return Err(Skip::already(
                Line::new().code(subject).plain(format!(": background updates {what}")),
            )
            .or("background status".to_owned()));
        }
        let path = Path::admin(["v1", "background_updates", "enabled"]);
        let step = Step::new(Method::Post, path, json!({ "enabled": self.on })).idempotent();
        let wanted = Binds::from([("enabled".to_owned(), json!(self.on))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Seen, _: &[Answer], after: &Seen) -> Outcome {
        let (said, back) = if self.on {
            (": background updates go on", "pause")
        } else {
            (": background updates are paused, until the homeserver starts again at most", "resume")
        };
        let mut facts = after.shown.clone();
        // That is what the title says.
        facts.retain(|(label, _)| *label == "Running");
        Outcome::done(
            Line::new().code(subject).plain(said),
            Undo::Command(["background", back].map(str::to_owned).to_vec()),
        )
        .facts(facts)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::updates::tests::some, *};
    use crate::commands::user::testing;

    /// The homeserver as a subject.
    pub(in crate::commands::background) fn here() -> Subject {
        Subject::Homeserver("example.org".try_into().unwrap())
    }

    /// What is seen of its updates.
    pub(in crate::commands::background) fn seen(enabled: bool) -> Seen {
        updates::seen(&some(enabled, None))
    }

    #[test]
    fn it_runs_at_once_and_wants_what_it_says() {
        let ask = testing::parse::<Pause>(&[]).unwrap().into();
        let Ask::Change(verb) = ask else { panic!("it looks") };
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Server));
        let change = verb.change(&here(), &seen(true)).unwrap();
        assert_eq!(change.steps[0].body, json!({ "enabled": false }));
        assert_eq!(change.wanted, Binds::from([("enabled".to_owned(), json!(false))]));
        let skip = verb.change(&here(), &seen(false)).unwrap_err();
        assert_eq!(
            testing::skip(&skip),
            "Nothing changed · `example.org`: background updates are paused already\n\
             Try !background status"
        );
    }

    #[test]
    fn what_runs_is_of_no_account() {
        let verb = Set { on: false };
        let running = updates::seen(&some(true, Some("populate")));
        assert_eq!(
            verb.change(&here(), &running).unwrap(),
            verb.change(&here(), &seen(true)).unwrap()
        );
        assert_eq!(running.binds, seen(true).binds);
    }

    #[test]
    fn the_way_back_is_the_other_verb() {
        let told =
            testing::outcome(&Set { on: false }.outcome(&here(), &seen(true), &[], &seen(false)));
        assert_eq!(
            told,
            "Done · `example.org`: background updates are paused, until the homeserver starts \
             again at most\n\
             Running: nothing\n\
             Undo: !background resume"
        );
        let question = testing::question(&Set { on: false }.question(&here(), &seen(true)));
        assert_eq!(question, "Hold the background updates of `example.org`\n");
    }
}
