//! `device create`: a device without a session.

use async_trait::async_trait;
use ruma::OwnedDeviceId;
use serde_json::json;

use super::{
    delete,
    rename::{NAME_TOO_LONG, name},
};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::UserRef,
        user::account::{self, words},
    },
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Create>(
    "create",
    &[
        "device create @ann:example.org BRIDGEDEV",
        "device create @ann:example.org BRIDGEDEV --display-name \"The bridge\"",
    ],
)
.since(1, 85);

/// Create a device for an account, for a program that needs a given device id
///
/// Nobody is logged in on it: it has no access token and no keys.
#[derive(Debug, clap::Args)]
struct Create {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// The id of the new device
    device: OwnedDeviceId,
    /// Its name, at most 100 characters
    #[arg(short = 'n', long, value_name = "NAME", value_parser = name)]
    display_name: Option<String>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    NOT_LOCAL,
    NAME_TOO_LONG,
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver does not accept this device id"),
    ACCOUNT_GONE,
];

#[async_trait]
impl Action for Create {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
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
        delete::snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new().plain("Make the device ").code(subject);
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let Subject::Device(user, device) = subject else {
            let why = Line::new().code(subject).plain(" is not a device");
            return Err(Skip::refused(why));
        };
        // The homeserver answers as if it had made one.
        if seen.is("device") {
            return Err(Skip::already(
                Line::new().code(user).plain(" already has a device ").code(device),
            )
            .or(format!("device list {user}")));
        }
        if seen.is("deactivated") {
            return Err(Skip::refused(
                Line::new().code(user).plain(" is deactivated, so it cannot get a device"),
            ));
        }
        let path = Path::admin(["v2", "users", user.as_str(), "devices"]);
        let mut steps =
            vec![Step::new(Method::Post, path, json!({ "device_id": device })).idempotent()];
        if let Some(name) = &self.display_name {
            let path = Path::admin(["v2", "users", user.as_str(), "devices", device.as_str()]);
            let step = Step::new(Method::Put, path, json!({ "display_name": name }));
            steps.push(step.idempotent());
        }
        Ok(Change { steps, wanted: FactMap::from([("device".to_owned(), json!(true))]) })
    }

    fn outcome(&self, subject: &Subject, _: &Snapshot, _: &[Answer], after: &Snapshot) -> Outcome {
        let remove = match subject {
            Subject::Device(user, device) => {
                words(["device", "delete", user.as_str(), device.as_str()])
            }
            _ => Vec::new(),
        };
        Outcome::done(
            Line::new().code(subject).plain(" created"),
            Undo::None(format!("{} removes it", remove.join(" "))),
        )
        .facts(after.shown_as(&["Name"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    fn bridge() -> Subject {
        Subject::Device("@ann:example.org".try_into().unwrap(), "BRIDGE".into())
    }

    fn seen(device: bool, deactivated: bool) -> Snapshot {
        let account = testing::account(json!({ "deactivated": deactivated }));
        let mut seen = Snapshot {
            preconditions: account::facts_that_bind(true, Some(&account)),
            ..Snapshot::default()
        };
        seen.preconditions.insert("device".to_owned(), json!(device));
        seen
    }

    #[test]
    fn a_device_is_made_and_named() {
        let verb: Create = testing::parse(&["ann", "BRIDGE", "-n", "The bridge"]).unwrap();
        assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Moderate));
        let change = verb.change(&bridge(), &seen(false, false)).unwrap();
        assert_eq!(change.steps[0].body, json!({"device_id": "BRIDGE"}));
        assert_eq!(change.steps[1].body, json!({"display_name": "The bridge"}));
        assert_eq!(change.wanted, FactMap::from([("device".to_owned(), json!(true))]));
        let plain: Create = testing::parse(&["ann", "BRIDGE"]).unwrap();
        assert_eq!(plain.change(&bridge(), &seen(false, false)).unwrap().steps.len(), 1);
    }

    #[test]
    fn what_the_homeserver_would_answer_201_to_and_not_do_is_said() {
        let verb: Create = testing::parse(&["ann", "BRIDGE"]).unwrap();
        let skip = |seen| testing::skip(&verb.change(&bridge(), &seen).unwrap_err());
        assert!(skip(seen(true, false)).starts_with("Nothing changed · "));
        assert!(skip(seen(false, true)).contains("is deactivated"));
        assert_eq!(
            testing::outcome(&verb.outcome(
                &bridge(),
                &Snapshot::default(),
                &[],
                &Snapshot::default()
            )),
            "Done · `BRIDGE of @ann:example.org` created\n\
             No undo: device delete @ann:example.org BRIDGE removes it"
        );
    }
}
