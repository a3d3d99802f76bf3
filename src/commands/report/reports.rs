//! Reports as the homeserver has them, and what the verbs about them have in common.
//!
//! Reports of events and of accounts are numbered each by themselves, so a number alone does not
//! say which is meant.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    change::{Path, Subject},
    error::Stop,
    reply::{Fact, Hostile, Line},
    synapse::{
        Error, Reader, holding,
        wire::{in_millis, known, null_unless_known, null_unless_passed, passed},
    },
};

/// A report of an event, as `GET /_synapse/admin/v1/event_reports` lists it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct EventReport {
    pub(super) id: u64,
    #[serde(default, deserialize_with = "known")]
    pub(super) received_ts: Option<Timestamp>,
    pub(super) room_id: String,
    pub(super) event_id: String,
    /// Who reported it.
    pub(super) user_id: String,
    #[serde(default, deserialize_with = "known")]
    reason: Option<Hostile>,
    #[serde(default, deserialize_with = "score")]
    score: Option<i64>,
    /// Who sent it; not known any more where the event is gone.
    pub(super) sender: Option<String>,
    #[serde(default, deserialize_with = "known")]
    canonical_alias: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    name: Option<Hostile>,
}

/// A report of an account, as `GET /_synapse/admin/v1/user_reports` lists it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct UserReport {
    pub(super) id: u64,
    #[serde(default, deserialize_with = "known")]
    pub(super) received_ts: Option<Timestamp>,
    /// Who was reported.
    pub(super) target_user_id: String,
    /// Who reported them.
    pub(super) user_id: String,
    #[serde(default, deserialize_with = "known")]
    reason: Option<Hostile>,
}

/// A score, which clients once gave as they liked.
fn score<'de, D: Deserializer<'de>>(value: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(value)?.as_i64())
}

impl EventReport {
    /// What is known of it.
    pub(super) fn facts(&self, now: Timestamp) -> Vec<Fact> {
        let sender = match &self.sender {
            Some(sender) => Line::new().code(sender),
            None => "unknown: the event no longer exists".into(),
        };
        let mut room = Line::new().code(&self.room_id);
        let names = [&self.canonical_alias, &self.name].into_iter().flatten();
        for name in names.filter(|name| !name.is_empty()) {
            room = room.plain(" ").hostile(name);
        }
        let mut facts = vec![
            ("Sent by", sender),
            ("Reported by", Line::new().code(&self.user_id)),
            ("Reason", reason(self.reason.as_ref())),
            ("When", Line::new().at(passed(self.received_ts, now))),
            ("Room", room),
            ("Event", Line::new().code(&self.event_id)),
        ];
        if let Some(score) = self.score {
            facts.insert(3, ("Score", format!("{score}, from -100, worst, to 0").into()));
        }
        facts
    }
}

impl UserReport {
    /// What is known of it.
    pub(super) fn facts(&self, now: Timestamp) -> Vec<Fact> {
        vec![
            ("Account", Line::new().code(&self.target_user_id)),
            ("Reported by", Line::new().code(&self.user_id)),
            ("Reason", reason(self.reason.as_ref())),
            ("When", Line::new().at(passed(self.received_ts, now))),
        ]
    }
}

/// Takes out of a report's data what cannot be true.
pub(super) fn amend(report: &mut Value, now: Timestamp) {
    null_unless_passed(report, "received_ts", now);
    in_millis(report, "received_ts");
    null_unless_known::<String>(report, "reason");
    if let Some(score) = report.get_mut("score").filter(|score| !score.is_i64()) {
        score.take();
    }
}

/// Whether the homeserver has a report and fails at reading it: what a client has once sent with it
/// need not be what is read there today.
pub(super) fn is_damaged(error: &Error) -> bool {
    error.status() == Some(500) && !error.is_foreign()
}

/// What is said of such a report.
pub(super) fn damaged(subject: &Subject) -> Line {
    Line::from("the homeserver fails at reading ")
        .code(subject)
        .plain(" (500), so its content is unknown; you can dismiss it all the same")
}

fn reason(reason: Option<&Hostile>) -> Line {
    match reason {
        Some(reason) if !reason.is_empty() => Line::new().hostile(reason),
        _ => "none given".into(),
    }
}

/// How many of the newest reports are looked through for one that has no page of its own.
const LOOKED_THROUGH: u64 = 1000;

/// The report of an event with this number.
///
/// One whose event is gone is in the list and nowhere else.
pub(super) async fn of_event(number: u64, reader: &Reader) -> Result<Option<Value>, Error> {
    #[derive(Deserialize)]
    struct ReportList {
        event_reports: Vec<Value>,
    }
    let path = Path::admin(["v1", "event_reports", &number.to_string()]);
    if let Some(found) = reader.find(&path, &[]).await? {
        return holding(found, "id").map(Some);
    }
    let path = Path::admin(["v1", "event_reports"]);
    let listed: ReportList = reader.get(&path, &[("limit", LOOKED_THROUGH.to_string())]).await?;
    Ok(listed.event_reports.into_iter().find(|report| report["id"] == number))
}

/// The report of an account with this number.
pub(super) async fn of_user(number: u64, reader: &Reader) -> Result<Option<Value>, Error> {
    let path = Path::admin(["v1", "user_reports", &number.to_string()]);
    let found: Option<Value> = reader.find(&path, &[]).await?;
    found.map(|found| holding(found, "id")).transpose()
}

/// The refusal for a report that is not there.
pub(super) fn unknown(subject: &Subject) -> Line {
    Line::new().plain("there is no ").code(subject).plain(
        ". Reports of events and of accounts are numbered separately, and those from a deleted \
        room are hidden",
    )
}

/// The refusal for what cannot be read.
pub(super) fn unreadable(subject: &Subject) -> Stop {
    Stop::failed(
        Line::new().plain("the homeserver has ").code(subject).plain(", and I cannot read it"),
    )
}

/// The number of a report as typed: `5` or `#5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl FromStr for Number {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim_start_matches('#')
            .trim_end_matches(['.', ',', ';', ':'])
            .parse()
            .map(Self)
            .map_err(|_| "name a report by its number, such as 5; !report list shows the numbers")
    }
}

impl Number {
    /// The report of an account, or of an event.
    pub(super) fn subject(self, users: bool) -> Subject {
        if users { Subject::UserReport(self.0) } else { Subject::EventReport(self.0) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::{self, now};

    /// A report of an event; the fields of `other` replace its own.
    pub(in crate::commands::report) fn event_report(other: Value) -> Value {
        let mut report = json!({
            "id": 5, "received_ts": 1_795_183_200_000_i64, "room_id": "!lobby:example.org",
            "event_id": "$one", "user_id": "@ann:example.org", "score": -50, "reason": "spam",
            "sender": "@eve:example.org", "canonical_alias": "#lobby:example.org", "name": "Lobby",
        });
        if let (Some(report), Value::Object(other)) = (report.as_object_mut(), other) {
            report.extend(other);
        }
        report
    }

    /// A report of an account.
    pub(in crate::commands::report) fn user_report() -> Value {
        json!({"id": 7, "received_ts": 1_795_183_200_000_i64, "reason": "",
               "target_user_id": "@eve:example.org", "user_id": "@ann:example.org"})
    }

    #[test]
    fn a_report_says_who_whom_why_and_where() {
        let told = |other| {
            let report = EventReport::deserialize(event_report(other)).unwrap();
            testing::facts(&report.facts(now()))
        };
        assert_eq!(
            told(json!({})),
            "Sent by: `@eve:example.org`\n\
             Reported by: `@ann:example.org`\n\
             Reason: “spam”\n\
             Score: -50, from -100, worst, to 0\n\
             When: 2026-11-20 14:00 UTC\n\
             Room: `!lobby:example.org` “#lobby:example.org” “Lobby”\n\
             Event: `$one`\n"
        );
        for odd in [json!(null), json!(0), json!(-5), json!(4_000_000_000_000_i64), json!("x")] {
            let odd = told(json!({ "received_ts": odd, "score": "much", "reason": [1] }));
            assert!(odd.contains("When: not known") && !odd.contains("Score"), "{odd}");
        }
        let mut odd =
            event_report(json!({ "received_ts": 1_795_183_200, "score": "much", "reason": [1] }));
        amend(&mut odd, now());
        assert_eq!(odd["received_ts"], json!(1_795_183_200_000_i64));
        assert!(odd["score"].is_null() && odd["reason"].is_null(), "{odd}");
        let gone = told(json!({"sender": null, "reason": null, "score": null}));
        assert!(
            gone.contains("the event no longer exists") && gone.contains("Reason: none given"),
            "{gone}"
        );
        assert_eq!(
            testing::facts(&UserReport::deserialize(user_report()).unwrap().facts(now())),
            "Account: `@eve:example.org`\n\
             Reported by: `@ann:example.org`\n\
             Reason: none given\n\
             When: 2026-11-20 14:00 UTC\n"
        );
    }

    #[test]
    fn a_number_is_one_and_nothing_else() {
        assert_eq!("5".parse(), Ok(Number(5)));
        assert_eq!("#5".parse(), Ok(Number(5)));
        for other in ["", "#", "-1", "five", "5.0"] {
            assert!(other.parse::<Number>().is_err(), "{other}");
        }
        assert_eq!(Number(5).subject(false), Subject::EventReport(5));
        assert_eq!(Number(5).subject(true), Subject::UserReport(5));
    }
}
