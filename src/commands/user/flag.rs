//! States of an account that one verb sets and another ends: suspended, locked, shadow-banned.

use async_trait::async_trait;
use serde_json::json;

use super::account;
use crate::{
    change::{
        Answer, Binds, Change, Class, Outcome, Power, Question, Seen, Skip, Step, Subject, Undo,
    },
    commands::{Action, Ask, arguments::UserRef},
    error::Stop,
    reply::Line,
    synapse::{Account, Reader},
};

/// Such a state.
#[derive(Debug)]
pub(super) struct Flag {
    /// The name of the fact that binds.
    pub(super) key: &'static str,
    /// Whether an account is in this state.
    pub(super) of: fn(&Account) -> bool,
    /// The request that sets it on the account with this id, or ends it.
    pub(super) step: fn(&str, bool) -> Step,
    /// What is said of setting it.
    pub(super) set: Wording,
    /// What is said of ending it.
    pub(super) end: Wording,
    /// Why it is not set on a deactivated account.
    pub(super) moot: &'static str,
}

/// What is said of one direction.
#[derive(Debug)]
pub(super) struct Wording {
    /// The verb for it, whichever verb was typed.
    pub(super) verb: &'static str,
    /// What is asked, before the id.
    pub(super) asked: &'static str,
    /// What is so where there is nothing to do, behind the id.
    pub(super) already: &'static str,
    /// What is so afterwards, behind the id.
    pub(super) said: &'static str,
    /// What the account may do then.
    pub(super) may: &'static str,
    /// The command that takes it back.
    pub(super) back: fn(&str) -> Vec<String>,
}

/// Sets a state of an account, or ends it. One account is put back as it was by the opposite;
/// many are more than one sees at a glance.
#[derive(Debug)]
pub(super) struct Set {
    /// The accounts.
    pub(super) users: Vec<UserRef>,
    /// The state.
    pub(super) flag: &'static Flag,
    /// Whether it is set.
    pub(super) on: bool,
}

impl From<Set> for Ask {
    fn from(set: Set) -> Self {
        Self::Change(Box::new(set))
    }
}

impl Set {
    fn wording(&self) -> &'static Wording {
        if self.on { &self.flag.set } else { &self.flag.end }
    }
}

#[async_trait]
impl Action for Set {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec![self.wording().verb]
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn see(&self, subject: &Subject, reader: &Reader) -> Result<Seen, Stop> {
        let (mut seen, account) = account::see(subject, reader).await?;
        if let Some(account) = account {
            seen.binds.insert(self.flag.key.to_owned(), json!((self.flag.of)(&account)));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Seen) -> Question {
        let title = Line::new().plain(self.wording().asked).code(subject);
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Seen) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let key = self.flag.key;
        if seen.is(key) == self.on {
            return Err(account::already(subject, self.wording().already));
        }
        // What stands in the way of coming back can be cleared away even then.
        if self.on && seen.is("deactivated") {
            return Err(account::already(subject, self.flag.moot));
        }
        let step = (self.flag.step)(&subject.segment(), self.on).idempotent();
        let wanted = Binds::from([(key.to_owned(), json!(self.on))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Seen, _: &[Answer], after: &Seen) -> Outcome {
        let wording = self.wording();
        let name = after.shown.iter().find(|(label, _)| *label == "Name").cloned();
        Outcome::done(
            Line::new().code(subject).plain(wording.said),
            Undo::Command((wording.back)(&subject.typed())),
        )
        .facts(name.into_iter().chain([("It may", wording.may.into())]))
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! What every verb that sets such a state must do.

    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann, now};
    use crate::reply::Word;

    /// Ann's account as it is seen for `set`.
    pub(in crate::commands::user) fn seen(set: &Set, on: bool, deactivated: bool) -> Seen {
        let account = account(json!({ "deactivated": deactivated }));
        let mut seen = Seen {
            shown: account::facts(&account, now()),
            binds: account::facts_that_bind(true, Some(&account)),
            ..Seen::default()
        };
        seen.binds.insert(set.flag.key.to_owned(), json!(on));
        seen
    }

    /// The verb that was typed, as the change of one account that it must be.
    pub(in crate::commands::user) fn typed<A: clap::Args + Into<Set>>(words: &[&str]) -> Set {
        testing::parse::<A>(words).unwrap().into()
    }

    /// What holds for each of them, whatever the state: it runs at once on one account, it sends
    /// one request that wants the state, and it does nothing where that is so already.
    pub(in crate::commands::user) fn holds(set: &Set) {
        assert_eq!((set.class(1), set.power()), (Class::Reversible, Power::Moderate));
        assert_eq!(set.class(2), Class::Disruptive);
        let before = seen(set, !set.on, false);
        let change = set.change(&ann(), &before).unwrap();
        assert_eq!(change, set.change(&ann(), &before).unwrap());
        assert_eq!(change.wanted, Binds::from([(set.flag.key.to_owned(), json!(set.on))]));
        assert_eq!(change.steps.len(), 1);
        let path = change.steps[0].path.parts();
        assert!(path.contains(&"@ann:example.org".to_owned()), "{path:?}");

        let already = set.change(&ann(), &seen(set, set.on, false)).unwrap_err();
        assert_eq!(already.word, Word::NothingChanged);
        assert_eq!(already.instead, ["user details @ann:example.org"]);
        assert_eq!(set.change(&ann(), &seen(set, !set.on, true)).is_ok(), !set.on);

        for (local, said) in [(true, "no such user"), (false, "another server")] {
            let binds = account::facts_that_bind(local, None);
            let skip = set.change(&ann(), &Seen { binds, ..Seen::default() }).unwrap_err();
            assert_eq!(skip.word, Word::Refused);
            assert!(testing::line(&skip.why).contains(said), "{skip:?}");
        }
    }

    /// The words of question and outcome.
    pub(in crate::commands::user) fn told(set: &Set) -> String {
        let (before, after) = (seen(set, !set.on, false), seen(set, set.on, false));
        let question = testing::question(&set.question(&ann(), &before));
        question + testing::outcome(&set.outcome(&ann(), &before, &[], &after)).as_str()
    }
}
