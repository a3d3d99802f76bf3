//! `device rename`: another name for a device.

use async_trait::async_trait;
use ruma::OwnedDeviceId;
use serde_json::{Value, json};

use super::delete::{self, DEVICE_GONE};
use crate::commands::refusals::{Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::{UserRef, device, spoken},
    },
    error::Stop,
    reply::{Hostile, Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Rename>(
    "rename",
    &["device rename @ann:example.org JLAFKJWSCS \"Ann's phone\""],
);

/// Rename a device of an account; its owner and others see the name
#[derive(Debug, clap::Args)]
struct Rename {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// The id of the device, in capitals as the list shows it
    #[arg(value_parser = device)]
    device: OwnedDeviceId,
    /// The name, at most 100 characters; "" for none
    #[arg(value_parser = name)]
    name: String,
}

/// The longest name that the homeserver takes, in characters.
const LONGEST: usize = 100;

/// Reads the name of a device.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.chars().count() > LONGEST {
        return Err(format!("it is longer than {LONGEST} characters; shorten it"));
    }
    Ok(text.to_owned())
}

/// The name that was seen, empty for none. Its owner can alter it at will, so it binds nothing.
fn named(seen: &Snapshot) -> &str {
    seen.extra.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// The name is longer than the homeserver takes.
pub(super) const NAME_TOO_LONG: Meaning = Meaning::new(
    400,
    "M_TOO_LARGE",
    "",
    "the name is too long; a device's name has at most 100 characters",
);

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[NOT_LOCAL, NAME_TOO_LONG, DEVICE_GONE];

#[async_trait]
impl Action for Rename {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![Subject::Device(reader.user_id(&self.user)?, self.device.clone())])
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = delete::snapshot(subject, reader).await?;
        if let (true, Subject::Device(user, id)) = (seen.is("device"), subject) {
            let devices = reader.devices(user).await?;
            let device = devices.iter().find(|device| device.device_id == *id);
            let name = device.and_then(|device| device.display_name.as_ref());
            seen.extra.insert("name".to_owned(), json!(name.map(Hostile::raw)));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let name = Hostile::new(&self.name);
        let title = Line::new().plain("Name the device ").code(subject).plain(" ").hostile(&name);
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        // What cannot be deleted, since it is not there, cannot be named either.
        delete::change(subject, seen)?;
        let Subject::Device(user, device) = subject else {
            let why = Line::new().code(subject).plain(" is not a device");
            return Err(Skip::refused(why));
        };
        if named(seen) == self.name {
            return Err(Skip::already(Line::new().code(subject).plain(" already has this name"))
                .or(format!("device list {user}")));
        }
        let path = Path::admin(["v2", "users", user.as_str(), "devices", device.as_str()]);
        let step = Step::new(Method::Put, path, json!({ "display_name": self.name }));
        let wanted = FactMap::from([("device".to_owned(), json!(true))]);
        Ok(Change { steps: vec![step.idempotent()], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let so = named(after) == self.name;
        let shown = |name: &str| match name {
            "" => Line::from("none"),
            name => Line::new().hostile(&Hostile::new(name)),
        };
        let back = match subject {
            Subject::Device(user, device) => {
                // The device's owner has chosen both its id and its name.
                let places = [user.as_str(), device.as_str(), named(before)];
                spoken(&["device", "rename"], &places, Vec::new())
            }
            _ => Vec::new(),
        };
        Outcome {
            status: if so { Status::Done } else { Status::NothingChanged },
            title: Line::new().code(subject).plain(if so {
                " renamed"
            } else {
                ": the homeserver reported success, but the name is a different one"
            }),
            facts: vec![("Before", shown(named(before))), ("Now", shown(named(after)))],
            remains: Vec::new(),
            undo: Undo::Command(back),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::{account, testing};

    fn phone() -> Subject {
        Subject::Device("@ann:example.org".try_into().unwrap(), "PHONE".into())
    }

    fn seen(device: bool, name: Option<&str>) -> Snapshot {
        let account = testing::account(json!({}));
        let mut seen = Snapshot {
            preconditions: account::facts_that_bind(true, Some(&account)),
            ..Snapshot::default()
        };
        seen.preconditions.insert("device".to_owned(), json!(device));
        seen.extra.insert("name".to_owned(), json!(name));
        seen
    }

    fn verb(name: &str) -> Rename {
        testing::parse(&["ann", "PHONE", name]).unwrap()
    }

    #[test]
    fn a_device_that_is_there_gets_a_name_that_is_short_enough() {
        let verb = verb("Work");
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
        let change = verb.change(&phone(), &seen(true, Some("Phone"))).unwrap();
        assert_eq!(change.steps[0].method, Method::Put);
        assert_eq!(change.steps[0].body, json!({"display_name": "Work"}));
        assert!(verb.change(&phone(), &seen(false, None)).is_err());
        assert!(verb.change(&phone(), &seen(true, Some("Work"))).is_err());
        let long = "x".repeat(101);
        assert!(testing::parse::<Rename>(&["ann", "PHONE", &long]).is_err());
        assert!(testing::parse::<Rename>(&["ann", "PHONE"]).is_err());
    }

    #[test]
    fn what_is_found_is_said_and_the_old_name_comes_back() {
        let told = |name: &str, after: Option<&str>| {
            let verb = verb(name);
            let (before, after) = (seen(true, None), seen(true, after));
            testing::outcome(&verb.outcome(&phone(), &before, &[], &after))
        };
        assert_eq!(
            told("Work", Some("Work")),
            "Done · `PHONE of @ann:example.org` renamed\nBefore: none\nNow: “Work”\n\
             Undo: !device rename @ann:example.org PHONE \"\""
        );
        assert!(told("Work", Some("Other")).starts_with("Nothing changed · "));
    }

    #[test]
    fn whatever_its_name_was_the_undo_gives_it_that_and_no_other() {
        for odd in ["-x", "--plan", "--", "", "a \"b\" 'c'", "a\nb", "!user", &"-".repeat(100)] {
            for id in ["PHONE", "-x", "--plan"] {
                let subject = Subject::Device("@ann:example.org".try_into().unwrap(), id.into());
                let seen = seen(true, Some(odd));
                let outcome = verb("Work").outcome(&subject, &seen, &[], &seen);
                let Undo::Command(words) = outcome.undo else { panic!("no undo") };
                let typed: Vec<&str> = words.iter().skip(2).map(String::as_str).collect();
                let back: Rename = testing::parse(&typed).unwrap();
                assert_eq!((back.name.as_str(), back.device.as_str()), (odd, id), "{words:?}");
            }
        }
    }
}
