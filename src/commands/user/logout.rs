//! `user logout`: every device of an account is logged out.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    account::{self, how_many},
    kept,
};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Delegated, Spec, arguments::UserRef},
    error::Stop,
    reply::{Fact, Line, Status},
    synapse::{Device, Reader},
};

pub(super) const SPEC: Spec =
    Spec::action::<Logout>("logout", &["user logout @ann:example.org"]).delegated(Delegated::Half);

/// How many devices are named.
const NAMED: usize = 5;

/// Log an account out on all its devices
///
/// It can log in again, on new, unverified devices. To keep it out, suspend or lock it, or set a new
/// password. `device delete` logs out single devices.
#[derive(Debug, clap::Args)]
struct Logout {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    NOT_LOCAL,
    ACCOUNT_GONE,
    Meaning::new(400, "M_MISSING_PARAM", "", "its devices have changed since I looked; look again"),
];

#[async_trait]
impl Action for Logout {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["device delete"]
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if let Some(account) = account {
            note(&mut seen, &reader.devices(user).await?);
            if kept::note(&mut seen, &account, reader).await?.is_some() {
                kept::note_sessions(&mut seen, reader).await?;
            }
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        if kept::id(seen).is_some() {
            return asked_there(subject, seen);
        }
        let devices = how_many(Some(devices(seen).len() as u64), "device", "devices");
        let mut stays = vec!["access tokens without a device, such as user login makes".into()];
        if seen.extra.contains_key("dehydrated") {
            stays.push("its dehydrated device, which collects keys and is not logged in".into());
        }
        Question {
            title: Line::new().plain("Log ").code(subject).plain(format!(" out on {devices}")),
            goes: vec![
                format!("its sessions: {devices}").into(),
                "the keys to encrypted messages that are only on them".into(),
            ],
            stays,
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let devices = devices(seen);
        if kept::id(seen).is_some() {
            return change_there(subject, seen);
        }
        if devices.is_empty() {
            return Err(account::already(subject, "is not logged in anywhere"));
        }
        let path = Path::admin(["v2", "users", &subject.segment(), "delete_devices"]);
        let step = Step::new(Method::Post, path, json!({ "devices": devices })).idempotent();
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        if kept::id(before).is_some() {
            return done_there(subject, before, after);
        }
        let (before, now) = (devices(before), devices(after));
        let left = before.iter().filter(|device| now.contains(device)).count();
        let new = now.len() - left;
        let gone = how_many(Some((before.len() - left) as u64), "device", "devices");
        let mut facts: Vec<Fact> = Vec::new();
        if left > 0 {
            let devices = how_many(Some(left as u64), "device", "devices");
            facts.push(("Still logged in", devices.into()));
        }
        if new > 0 {
            let devices = how_many(Some(new as u64), "device", "devices");
            facts.push(("Logged in since", devices.into()));
        }
        let list = ["device", "list", &subject.typed()].map(str::to_owned).to_vec();
        Outcome {
            status: match (left, before.len() == left) {
                (0, _) => Status::Done,
                (_, true) => Status::NothingChanged,
                (_, false) => Status::DoneInPart,
            },
            title: Line::new().code(subject).plain(format!(" is logged out on {gone}")),
            facts,
            remains: if now.is_empty() {
                Vec::new()
            } else {
                vec![("What is logged in now".into(), list)]
            },
            undo: Undo::None("its owner can log in again, on new devices".to_owned()),
        }
    }
}

/// The question where the authentication service keeps the account.
fn asked_there(subject: &Subject, seen: &Snapshot) -> Question {
    let sessions = kept::sessions(seen);
    let many = how_many(Some(sessions.len() as u64), "session", "sessions");
    let kinds = kept::counted(sessions.into_iter().map(|(kind, _)| kind));
    Question {
        title: Line::new().plain("End ").code(subject).plain(format!("'s {many}")),
        goes: vec![
            format!("its sessions: {kinds}").into(),
            "the keys to encrypted messages that are only on them".into(),
        ],
        stays: Vec::new(),
    }
}

/// Ends every session one by one: the service cannot end all at once. The homeserver loses their devices a
/// moment later.
fn change_there(subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
    let steps: Vec<Step> = kept::ends(seen).collect();
    if steps.is_empty() {
        return Err(account::already(subject, "is not logged in anywhere"));
    }
    Ok(Change { steps, wanted: FactMap::new() })
}

/// What of the sessions that there were is left.
fn done_there(subject: &Subject, before: &Snapshot, after: &Snapshot) -> Outcome {
    let (before, now) = (kept::sessions(before), kept::sessions(after));
    let left: Vec<_> = before.iter().filter(|session| now.contains(session)).collect();
    let gone = before.iter().filter(|session| !now.contains(session)).map(|(kind, _)| *kind);
    let ended = kept::counted(gone);
    let status = match (left.len(), left.len() == before.len()) {
        (0, _) => Status::Done,
        (_, true) => Status::NothingChanged,
        (_, false) => Status::DoneInPart,
    };
    let new = (now.len() - left.len()) as u64;
    let since = || how_many(Some(new), "session", "sessions").into();
    let remain = || kept::counted(left.iter().map(|(kind, _)| *kind)).into();
    let undo = Undo::None("its owner can log in again, in new sessions".to_owned());
    Outcome { status, ..Outcome::done(Line::new().code(subject).plain(" is logged out"), undo) }
        .facts([("Ended", ended.into())])
        .facts((!left.is_empty()).then(|| ("Still logged in", remain())))
        .facts((new > 0).then(|| ("Logged in since", since())))
}

/// Notes which devices are logged in, and shows how many and the first of them. They bind nothing:
/// whoever logs in all the time must not be able to put off being logged out.
fn note(seen: &mut Snapshot, devices: &[Device]) {
    let (asleep, mut awake): (Vec<_>, Vec<_>) =
        devices.iter().partition(|device| device.dehydrated);
    awake.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.device_id.cmp(&b.device_id)));
    let mut line = Line::new().plain(awake.len().to_string());
    for (n, device) in awake.iter().take(NAMED).enumerate() {
        line = line.plain(if n == 0 { ": " } else { ", " }).code(&device.device_id);
        if let Some(name) = device.display_name.as_ref().filter(|name| !name.is_empty()) {
            line = line.plain(" ").hostile(name);
        }
    }
    if awake.len() > NAMED {
        line = line.plain(format!(" and {} more", awake.len() - NAMED));
    }
    seen.display.push(("Devices", line));
    let ids: Vec<&str> = awake.iter().map(|device| device.device_id.as_str()).collect();
    seen.extra.insert("sessions".to_owned(), json!(ids));
    if !asleep.is_empty() {
        seen.extra.insert("dehydrated".to_owned(), json!(true));
    }
}

/// The devices that were noted.
fn devices(seen: &Snapshot) -> Vec<&str> {
    let noted = seen.extra.get("sessions").and_then(Value::as_array);
    noted.into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::ann;

    fn device(id: &str, dehydrated: bool) -> Device {
        serde_json::from_value(json!({
            "device_id": id, "display_name": null, "last_seen_ts": null, "last_seen_ip": null,
            "last_seen_user_agent": null, "dehydrated": dehydrated,
        }))
        .unwrap()
    }

    fn seen(devices: &[Device]) -> Snapshot {
        let account = testing::account(json!({}));
        let mut seen = testing::snapshot_of(&account);
        note(&mut seen, devices);
        seen
    }

    fn verb() -> Logout {
        testing::parse(&["ann"]).unwrap()
    }

    #[test]
    fn every_device_that_is_logged_in_is_named_in_the_request_and_none_binds() {
        let two = seen(&[device("B", false), device("A", false), device("ASLEEP", true)]);
        let change = verb().change(&ann(), &two).unwrap();
        assert_eq!(change.steps.len(), 1);
        assert_eq!(change.steps[0].body, json!({"devices": ["A", "B"]}));
        assert_eq!(change.wanted, FactMap::new());
        assert_eq!(
            two.preconditions,
            seen(&[]).preconditions,
            "to log in does not put the question again"
        );
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Moderate));
        let shown = testing::facts(&two.display);
        assert!(shown.contains("Devices: 2: `A`, `B`\n"), "{shown}");
    }

    #[test]
    fn no_device_is_nothing_to_do() {
        let skip = verb().change(&ann(), &seen(&[device("ASLEEP", true)])).unwrap_err();
        assert_eq!(
            testing::skip(&skip),
            "Nothing changed · `@ann:example.org` is not logged in anywhere\n\
             Try !user details @ann:example.org"
        );
    }

    #[test]
    fn the_question_says_how_many_and_what_stays() {
        let two = seen(&[device("A", false), device("B", false), device("ASLEEP", true)]);
        assert_eq!(
            testing::question(&verb().question(&ann(), &two)),
            "Log `@ann:example.org` out on 2 devices\n\
             Lost:\n\
             - its sessions: 2 devices\n\
             - the keys to encrypted messages that are only on them\n\
             Stays:\n\
             - access tokens without a device, such as user login makes\n\
             - its dehydrated device, which collects keys and is not logged in\n"
        );
        let many: Vec<Device> = (0..9).map(|n| device(&format!("D{n}"), false)).collect();
        let shown = testing::facts(&seen(&many).display);
        assert!(shown.contains("`D4` and 4 more"), "{shown}");
    }

    #[test]
    fn what_is_left_and_what_is_new_are_told_apart() {
        let before = seen(&[device("A", false), device("B", false)]);
        let told = |after: &[Device]| {
            testing::outcome(&verb().outcome(&ann(), &before, &[], &seen(after)))
        };
        assert_eq!(
            told(&[]),
            "Done · `@ann:example.org` is logged out on 2 devices\n\
             No undo: its owner can log in again, on new devices"
        );
        let new = told(&[device("C", false)]);
        assert!(new.starts_with("Done ·") && new.contains("Logged in since: 1 device"), "{new}");
        let left = told(&[device("B", false)]);
        assert!(left.starts_with("Done in part ·"), "{left}");
        assert!(left.contains("Still logged in: 1 device"), "{left}");
        assert!(told(&[device("A", false), device("B", false)]).starts_with("Nothing changed ·"));
    }
}
