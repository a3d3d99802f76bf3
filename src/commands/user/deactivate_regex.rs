//! `user deactivate-regex`: the end of every account whose id fits a pattern.

use async_trait::async_trait;

use super::{
    account,
    deactivate::{self, leaving::Leaving},
    fits::{self, Pattern},
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{Answer, Change, Class, Outcome, Power, Question, Skip, Snapshot, Subject},
    commands::{Action, Delegated, LongWork, Spec, room::holes},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<DeactivateRegex>(
    "deactivate-regex",
    &[
        "user deactivate-regex \"@ann:example.org\"",
        "user deactivate-regex \"@ann:example.org\" --dry-run",
        "user deactivate-regex \"@ann:example.org\" --gdpr-erase",
    ],
)
.delegated(Delegated::Half);

/// Deactivate every account whose id matches a pattern, as `user deactivate` does with one
///
/// I collect all matches first, and ask with their number before I deactivate any. The pattern is a
/// regular expression for the full id, such as @spam-[0-9]+:example\.org, matched from the beginning.
/// Accounts that are already deactivated are left out.
#[derive(Debug, clap::Args)]
struct DeactivateRegex {
    /// The pattern, in quotes: "@spam-.*:example\.org"
    #[arg(value_name = "PATTERN")]
    pattern: Pattern,
    /// Also erase: delete names and pictures, and hide messages from people who join later
    #[arg(short = 'e', long = "gdpr-erase")]
    erase: bool,
    /// Only list the accounts, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Has no effect: I choose the page size myself
    #[arg(short = 'p', long, visible_alias = "paginate", value_name = "NUMBER", hide = true)]
    batch_size: Option<u64>,
}

#[async_trait]
impl Action for DeactivateRegex {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn did(&self) -> Option<&'static str> {
        Some(if self.erase { "deactivated and erased" } else { "deactivated" })
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&'static str> {
        vec!["user deactivate"]
    }

    // Nobody typed the ids.
    fn phrase(&self) -> bool {
        true
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(deactivate::REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let ids = fits::ids(&self.pattern, true, reader).await?;
        Ok(ids.into_iter().map(Subject::User).collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        // What it has is worth counting only where it is lost.
        if self.dry_run {
            return Ok(account::snapshot(subject, reader).await?.0);
        }
        let mut seen = deactivate::snapshot(subject, reader).await?;
        deactivate::note_holes(&mut seen, subject, reader).await?;
        Ok(seen)
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        holes::warnings_of_account(subject, seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        deactivate::question(subject, seen, self.erase, false)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        // The homeserver's list said that it is not, so somebody has been faster.
        if seen.is("deactivated") {
            return Err(account::already(subject, "is already deactivated"));
        }
        let change = deactivate::change(subject, seen, self.erase)?;
        if self.dry_run {
            return Err(Skip::already(
                Line::new().code(subject).plain(" matches, and would be deactivated"),
            ));
        }
        Ok(change)
    }

    fn erases(&self, _subject: &Subject) -> bool {
        self.erase
    }

    fn outcome(
        &self,
        subject: &Subject,
        _before: &Snapshot,
        _answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        deactivate::outcome(subject, after)
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        Some(Leaving::after(self.erase, false))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::{change::FactMap, commands::user::testing::ann};

    fn verb(typed: &[&str]) -> DeactivateRegex {
        testing::parse(typed).unwrap()
    }

    fn seen() -> Snapshot {
        let preconditions = account::facts_that_bind(true, Some(&testing::account(json!({}))));
        Snapshot { preconditions, ..Snapshot::default() }
    }

    #[test]
    fn it_is_as_dear_as_each_and_wants_a_phrase() {
        for typed in [&["@spam-.*"][..], &["@spam-.*", "-e"], &["@spam-.*", "-p", "5", "-n"]] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, Power::Moderate));
            assert!(verb.phrase());
            assert_eq!(verb.amounts_to(), ["user deactivate"]);
        }
        for typed in [&[][..], &[""], &["@(x"]] {
            assert!(testing::parse::<DeactivateRegex>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn each_is_deactivated_as_by_the_verb_for_one() {
        let verb = verb(&["@ann:.*", "-e"]);
        let change = verb.change(&ann(), &seen()).unwrap();
        assert_eq!(change.steps[0].body, json!({"erase": true}));
        assert_eq!(
            change.wanted,
            FactMap::from([
                ("deactivated".to_owned(), json!(true)),
                ("erased".to_owned(), json!(true))
            ])
        );
        let mut gone = seen();
        gone.preconditions.insert("deactivated".to_owned(), json!(true));
        assert!(verb.change(&ann(), &gone).is_err());
    }

    #[test]
    fn a_dry_run_names_them_and_sends_nothing() {
        let skip = verb(&["@ann:.*", "-e", "-n"]).change(&ann(), &seen()).unwrap_err();
        assert_eq!(
            testing::skip(&skip),
            "Nothing changed · `@ann:example.org` matches, and would be deactivated"
        );
    }
}
