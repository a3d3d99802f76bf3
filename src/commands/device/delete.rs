//! `device delete`: single devices of an account are logged out.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ruma::OwnedDeviceId;
use serde_json::{Value, json};

use crate::commands::refusals::{Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::{UserRef, device},
        user::account,
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::{Device, Reader},
};

pub(super) const SPEC: Spec = Spec::action::<Delete>(
    "delete",
    &[
        "device delete @ann:example.org JLAFKJWSCS",
        "device delete @ann:example.org JLAFKJWSCS QSMHGDKPLW",
    ],
);

/// Delete devices of an account: each is logged out and loses its keys
///
/// `device list` shows their ids. `user logout` logs out all of them.
#[derive(Debug, clap::Args)]
struct Delete {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// The ids of the devices, in capitals as the list shows them
    #[arg(required = true, value_name = "DEVICE", value_parser = device)]
    devices: Vec<OwnedDeviceId>,
}

/// The device has gone since it was looked at.
pub(super) const DEVICE_GONE: Meaning = Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "the device or its account no longer exists; it did when I looked",
);

/// What it means where the homeserver refuses it.
pub(in crate::commands) const REFUSALS: &[Meaning] = &[NOT_LOCAL, DEVICE_GONE];

#[async_trait]
impl Action for Delete {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["user logout"]
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let user = reader.user_id(&self.user)?;
        // Typed twice is meant once.
        let devices: BTreeSet<&OwnedDeviceId> = self.devices.iter().collect();
        Ok(devices
            .into_iter()
            .map(|device| Subject::Device(user.clone(), device.clone()))
            .collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        question(subject)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        change(subject, seen)
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        outcome(subject, before)
    }
}

/// Looks at a device, whichever verb deletes it.
pub(in crate::commands) async fn snapshot(
    subject: &Subject,
    reader: &Reader,
) -> Result<Snapshot, Stop> {
    let user = account::id(subject)?;
    let (mut seen, account) = account::snapshot(subject, reader).await?;
    if let (Some(account), Subject::Device(_, id)) = (account, subject) {
        let devices = reader.devices(user).await?;
        let device = devices.iter().find(|device| device.device_id == *id);
        seen.preconditions.insert("device".to_owned(), json!(device.is_some()));
        seen.display = vec![("Account", Line::new().code(&account.user_id))];
        seen.display.extend(device.into_iter().flat_map(|device| facts(device, reader)));
    }
    Ok(seen)
}

/// The question before a device is deleted.
pub(in crate::commands) fn question(subject: &Subject) -> Question {
    Question {
        title: Line::new().plain("Delete the device ").code(subject),
        goes: vec![
            "its session: it is logged out".into(),
            "the keys to encrypted messages that are only on it".into(),
        ],
        stays: Vec::new(),
    }
}

/// The request that deletes a device.
pub(in crate::commands) fn change(subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
    account::exists(subject, seen)?;
    let Subject::Device(user, device) = subject else {
        let why = Line::new().code(subject).plain(" is not a device");
        return Err(Skip::refused(why));
    };
    if !seen.is("device") {
        return Err(Skip::not_found(Line::new().code(user).plain(" has no device ").code(device))
            .or(format!("device list {user}")));
    }
    let path = Path::admin(["v2", "users", user.as_str(), "devices", device.as_str()]);
    let step = Step::new(Method::Delete, path, Value::Null).idempotent();
    Ok(Change { steps: vec![step], wanted: FactMap::from([("device".to_owned(), json!(false))]) })
}

/// The outcome of deleting a device.
pub(in crate::commands) fn outcome(subject: &Subject, before: &Snapshot) -> Outcome {
    Outcome::done(
        Line::new().code(subject).plain(" deleted and logged out"),
        Undo::None("its owner can log in again, on a new device".to_owned()),
    )
    .facts(before.shown_as(&["Name"]))
}

fn facts(device: &Device, reader: &Reader) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(name) = device.display_name.as_ref().filter(|name| !name.is_empty()) {
        facts.push(("Name", Line::new().hostile(name)));
    }
    let seen = reader.passed(device.last_seen);
    facts.push(("Last seen", Line::new().time(seen, reader.now())));
    if device.dehydrated {
        facts.push(("Kind", "dehydrated: it collects keys while its owner is away".into()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    fn phone() -> Subject {
        Subject::Device("@ann:example.org".try_into().unwrap(), "PHONE".into())
    }

    fn seen(device: bool) -> Snapshot {
        let mut seen = Snapshot::default();
        for key in ["local", "exists"] {
            seen.preconditions.insert(key.to_owned(), json!(true));
        }
        seen.preconditions.insert("device".to_owned(), json!(device));
        seen
    }

    fn verb(typed: &[&str]) -> Delete {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn a_device_is_deleted_by_the_whole_id_of_its_account() {
        let verb = verb(&["ann", "PHONE"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Moderate));
        let change = verb.change(&phone(), &seen(true)).unwrap();
        assert_eq!(change, verb.change(&phone(), &seen(true)).unwrap());
        assert_eq!((change.steps.len(), change.steps[0].method), (1, Method::Delete));
        assert_eq!(
            change.steps[0].path.parts(),
            ["_synapse", "admin", "v2", "users", "@ann:example.org", "devices", "PHONE"]
        );
        assert_eq!(change.wanted, FactMap::from([("device".to_owned(), json!(false))]));
        assert!(testing::parse::<Delete>(&["ann"]).is_err(), "never all by leaving it out");
    }

    #[test]
    fn an_unknown_device_is_told_from_an_unknown_account() {
        let verb = verb(&["ann", "PHONE"]);
        let skip = verb.change(&phone(), &seen(false)).unwrap_err();
        assert_eq!(
            testing::skip(&skip),
            "Not found · `@ann:example.org` has no device `PHONE`\n\
             Try !device list @ann:example.org"
        );
        let mut nobody = seen(false);
        nobody.preconditions.insert("exists".to_owned(), json!(false));
        let skip = verb.change(&phone(), &nobody).unwrap_err();
        assert!(testing::skip(&skip).contains("no such user"), "{skip:?}");
    }

    #[test]
    fn question_and_outcome_name_the_device() {
        let verb = verb(&["ann", "PHONE"]);
        let question = testing::question(&verb.question(&phone(), &seen(true)));
        assert!(
            question.starts_with("Delete the device `PHONE of @ann:example.org`"),
            "{question}"
        );
        let told = testing::outcome(&verb.outcome(&phone(), &seen(true), &[], &seen(false)));
        assert_eq!(
            told,
            "Done · `PHONE of @ann:example.org` deleted and logged out\n\
             No undo: its owner can log in again, on a new device"
        );
    }
}
