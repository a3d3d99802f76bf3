//! States of an account that one verb sets and another ends: suspended, locked, shadow-banned.

use std::sync::LazyLock;

use async_trait::async_trait;
use serde_json::json;

use super::{account, kept, specified};
use crate::commands::refusals::{
    ACCOUNT_GONE, LOCKED_TOO, Meaning, NO_ROW, NOT_LOCAL, OTHER_VALUE,
};
use crate::{
    change::{Outcome, Skip, Snapshot, Step, Subject},
    commands::{
        Ask,
        arguments::UserRef,
        notice::tell::{self, Tell, Then},
        room::holes,
        switch::{Switch, Turn, Wording},
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::{Account, Kept, Reader},
};

/// The same state of an account that the authentication service keeps.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// Whether an account is in it.
    pub(super) of: fn(&Kept) -> bool,
    /// What the service does to set it, and to end it.
    pub(super) does: [&'static str; 2],
}

/// Such a state.
#[derive(Debug)]
pub(super) struct Flag {
    /// The name of the fact that binds.
    pub(super) key: &'static str,
    /// Whether an account is in this state.
    pub(super) of: fn(&Account) -> bool,
    /// The request that sets it on the account with this id, or ends it.
    pub(super) step: fn(&str, bool) -> Step,
    /// The last part of the specification's endpoint for the same, where it has one.
    pub(super) specified: Option<&'static str>,
    /// Where an authentication service keeps the account, what has this state there; `None` where it stays
    /// with the homeserver.
    pub(super) elsewhere: Option<Elsewhere>,
    /// What is said of setting it.
    pub(super) set: Wording,
    /// What is said of ending it.
    pub(super) end: Wording,
    /// What the account may do where it is set, and where it is ended.
    pub(super) may: [&'static str; 2],
    /// Why it is not set on a deactivated account.
    pub(super) moot: &'static str,
    /// Whether nobody can do anything for a room whose only admin is in it.
    pub(super) leaves_holes: bool,
}

/// For how many accounts it is looked up whether they are the only admin of a room: of more, whoever
/// turns it wants it turned.
const LOOKED_AT: usize = 10;

impl Flag {
    /// The change that sets this state of these accounts, or ends it.
    pub(super) fn turn(&'static self, users: Vec<UserRef>, on: bool) -> Turn<Flagged> {
        let holes = on && self.leaves_holes && users.len() <= LOOKED_AT;
        Turn { switch: Flagged { users, flag: self, holes }, on }
    }
}

/// From when on a lock by the authentication service holds: Synapse remembers for so long which tokens
/// it takes (`synapse/api/auth/mas.py`).
const IN_FORCE: &str =
    "within two minutes; for so long the homeserver may take the tokens that it knows";

/// What a refusal means where they are told something first.
static TOLD: LazyLock<Vec<Meaning>> = LazyLock::new(|| tell::meanings(REFUSALS));

impl Turn<Flagged> {
    /// The command that turns it, and tells the accounts something first where that was typed.
    pub(super) fn after(self, tell: Tell, then: Then) -> Ask {
        let several = self.switch.users.len() > 1;
        tell.before(self, then, several, &TOLD)
    }
}

/// A state of these accounts.
#[derive(Debug)]
pub(super) struct Flagged {
    users: Vec<UserRef>,
    flag: &'static Flag,
    /// Whether it is looked up which rooms have no other admin.
    holes: bool,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    ACCOUNT_GONE,
    NO_ROW,
    NOT_LOCAL,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the homeserver does not allow that for this account: it may be a server admin's, which some \
        homeservers protect. If an authentication service manages the accounts, do it there",
    ),
    OTHER_VALUE,
    LOCKED_TOO,
];

#[async_trait]
impl Switch for Flagged {
    fn key(&self) -> &'static str {
        self.flag.key
    }

    fn wording(&self, on: bool) -> &'static Wording {
        if on { &self.flag.set } else { &self.flag.end }
    }

    fn refusals(&self) -> &'static [Meaning] {
        REFUSALS
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if let Some(account) = account {
            let mut is_set = (self.flag.of)(&account);
            if let Some(elsewhere) = &self.flag.elsewhere
                && let Some(kept) = kept::note(&mut seen, &account, reader).await?
            {
                is_set = (elsewhere.of)(&kept);
            }
            seen.preconditions.insert(self.flag.key.to_owned(), json!(is_set));
            if self.holes && !is_set && !seen.is("deactivated") && account.told.is_none() {
                holes::note_of_account(&mut seen, account::id(subject)?, reader).await;
            }
        }
        Ok(seen)
    }

    fn exists(&self, subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
        account::exists(subject, seen)?;
        specified::can_be_set(subject, self.flag.key, seen)
    }

    // What stands in the way of coming back can be cleared away even then.
    fn possible(&self, subject: &Subject, seen: &Snapshot, on: bool) -> Result<(), Skip> {
        if on && seen.is("deactivated") {
            return Err(account::already(subject, self.flag.moot));
        }
        Ok(())
    }

    fn shown_by(&self, subject: &Subject) -> Option<String> {
        Some(account::details(subject))
    }

    fn step(&self, subject: &Subject, seen: &Snapshot, on: bool) -> Step {
        if let (Some(Elsewhere { does: [set, end], .. }), Some(id)) =
            (&self.flag.elsewhere, kept::id(seen))
        {
            return kept::step(id, if on { set } else { end });
        }
        let user = subject.segment();
        let by_specification = self
            .flag
            .specified
            .and_then(|what| specified::step((what, self.flag.key), &user, seen, on));
        by_specification.unwrap_or_else(|| (self.flag.step)(&user, on))
    }

    fn instead(
        &self,
        subject: &Subject,
        before: &Snapshot,
        after: &Snapshot,
        on: bool,
    ) -> Option<Outcome> {
        specified::instead(subject, (before, after), self.flag.key, on)
    }

    fn warning(&self, subject: &Subject, before: &Snapshot) -> Option<Line> {
        holes::warning_of_lock(subject, before)
    }

    fn facts(&self, after: &Snapshot, on: bool) -> Vec<Fact> {
        let [set, ended] = self.flag.may;
        let may = Line::from(if on { set } else { ended });
        let named = after.shown_as(&["Name"]).chain([("It may", may)]);
        let slow = on && kept::id(after).is_some();
        let when = slow.then(|| ("In force", IN_FORCE.into()));
        named.chain(when).chain(kept::told(after)).collect()
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! What every verb that sets such a state must do.

    use super::{super::testing, *};
    use crate::{
        change::{Class, FactMap, Power},
        commands::{
            Action as _,
            user::testing::{account, ann},
        },
        reply::Status,
    };

    /// Ann's account as it is seen for `set`.
    pub(in crate::commands::user) fn seen(
        set: &Turn<Flagged>,
        on: bool,
        deactivated: bool,
    ) -> Snapshot {
        let account = account(json!({ "deactivated": deactivated }));
        let mut seen = testing::snapshot_of(&account);
        seen.preconditions.insert(set.switch.key().to_owned(), json!(on));
        seen
    }

    /// The verb that was typed, as the change of one account that it must be.
    pub(in crate::commands::user) fn typed<A: clap::Args + Into<Turn<Flagged>>>(
        words: &[&str],
    ) -> Turn<Flagged> {
        testing::parse::<A>(words).unwrap().into()
    }

    /// What holds for each of them, whatever the state: it runs at once on one account, it sends
    /// one request that wants the state, and it does nothing where the account is in it already.
    pub(in crate::commands::user) fn holds(set: &Turn<Flagged>) {
        assert_eq!((set.class(1), set.power()), (Class::Reversible, Power::Moderate));
        assert_eq!(set.class(2), Class::Disruptive);
        let before = seen(set, !set.on, false);
        let change = set.change(&ann(), &before).unwrap();
        assert_eq!(change, set.change(&ann(), &before).unwrap());
        assert_eq!(change.wanted, FactMap::from([(set.switch.key().to_owned(), json!(set.on))]));
        assert_eq!(change.steps.len(), 1);
        let path = change.steps[0].path.parts();
        assert!(path.contains(&"@ann:example.org".to_owned()), "{path:?}");

        let already = set.change(&ann(), &seen(set, set.on, false)).unwrap_err();
        assert_eq!(already.status, Status::NothingChanged);
        assert_eq!(already.instead, ["user details @ann:example.org"]);
        assert_eq!(set.change(&ann(), &seen(set, !set.on, true)).is_ok(), !set.on);

        let not_there =
            [(true, Status::NotFound, "no such user"), (false, Status::Refused, "another server")];
        for (local, word, said) in not_there {
            let preconditions = account::facts_that_bind(local, None);
            let skip =
                set.change(&ann(), &Snapshot { preconditions, ..Snapshot::default() }).unwrap_err();
            assert_eq!(skip.status, word);
            assert!(testing::line(&skip.why).contains(said), "{skip:?}");
        }
    }

    /// The words of question and outcome.
    pub(in crate::commands::user) fn told(set: &Turn<Flagged>) -> String {
        let (before, after) = (seen(set, !set.on, false), seen(set, set.on, false));
        let question = testing::question(&set.question(&ann(), &before));
        question + testing::outcome(&set.outcome(&ann(), &before, &[], &after)).as_str()
    }
}
