//! `report details`: one report, and what was reported where that is asked for.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::reports::{self, EventReport, Number, UserReport};
use crate::{
    change::{Power, Subject},
    commands::{
        Later, Memory, Query, Remembered, Spec, Tables,
        event::content::{self, Event},
        past::{self, PAST},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Details>(
    "details",
    &["report details 4711", "report details 4711 --show-content", "report details 4711 --users"],
)
.also(&["show"])
.later(&[Later::new("users", 1, 152)]);

/// Show one report
///
/// The content of the reported event is shown only with --show-content, to roles that may see private
/// data, and that is recorded. An event that was redacted since has no content any more; `event
/// details` shows it for as long as the homeserver still has it.
#[derive(Debug, clap::Args)]
struct Details {
    /// The number of the report, from `report list`
    number: Number,
    /// It is a report of an account, not of an event
    #[arg(short, long, conflicts_with = "show_content")]
    users: bool,
    /// Show the event's content
    #[arg(long)]
    show_content: bool,
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        if self.show_content { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::REPORT])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        let subject = self.number.subject(self.users);
        let found = self.find(reader).await?;
        let remembered = memory.of(&subject, PAST);
        let unread = |_| reports::unreadable(&subject);
        if self.users {
            let report = UserReport::deserialize(&found).map_err(unread)?;
            return Ok(of_user(&subject, &report, &remembered, reader.now()));
        }
        let report = EventReport::deserialize(&found).map_err(unread)?;
        let event = found.get("event_json").and_then(|event| Event::deserialize(event).ok());
        Ok(self.of_event(&subject, &report, event.as_ref(), &remembered, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("report", &self.find(reader).await?)?)
    }
}

impl Details {
    /// The report, without what is not to be shown of its event.
    ///
    /// The homeserver puts the event into it as it was once sent, redacted or not.
    async fn find(&self, reader: &Reader) -> Result<Value, Stop> {
        let subject = self.number.subject(self.users);
        let found = if self.users {
            reports::of_user(self.number.0, reader).await?
        } else {
            match reports::of_event(self.number.0, reader).await {
                Err(error) if reports::is_damaged(&error) => {
                    let words = dismiss(self.number.0, false);
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    return Err(Stop::failed(reports::damaged(&subject)).or(&words));
                }
                found => found?,
            }
        };
        let mut found = found.ok_or_else(|| Stop::not_found(reports::unknown(&subject)))?;
        reports::amend(&mut found, reader.now());
        let about = ["room_id", "sender", "target_user_id"];
        reader.may_tell_of(about.iter().filter_map(|key| found[*key].as_str()))?;
        if found.get("event_json").is_none() {
            return Ok(found);
        }
        let id = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        let event = content::as_it_reads(&id("room_id"), &id("event_id"), reader).await?;
        found["event_json"] = match event {
            Some(event) if self.show_content => event,
            Some(event) => content::envelope(&event),
            // Nobody could tell whether it was redacted.
            None => content::envelope(&found["event_json"]),
        };
        Ok(found)
    }

    fn of_event(
        &self,
        subject: &Subject,
        report: &EventReport,
        event: Option<&Event>,
        remembered: &Remembered,
        now: Timestamp,
    ) -> Reply {
        let mut facts = report.facts(now);
        if let Some(event) = event {
            facts.push(("Type", event.kind()));
            facts.extend(event.about(now));
            if self.show_content {
                facts.push(("Says", event.says()));
            }
        }
        let mut reply = Reply::data(Line::new().code(subject)).facts(facts);
        if event.is_some() {
            let words = ["room", "context", &report.room_id, &report.event_id];
            reply = reply.command("What was around it", words.map(str::to_owned).to_vec());
        }
        if let Some(sender) = &report.sender {
            reply = reply.command("Who sent it", known_words(sender));
        }
        past::told(reply.command("Clear it away", dismiss(report.id, false)), remembered, now)
    }
}

fn of_user(
    subject: &Subject,
    report: &UserReport,
    remembered: &Remembered,
    now: Timestamp,
) -> Reply {
    let reply = Reply::data(Line::new().code(subject))
        .facts(report.facts(now))
        .command("Who it is", known_words(&report.target_user_id))
        .command("Clear it away", dismiss(report.id, true));
    past::told(reply, remembered, now)
}

fn known_words(user: &str) -> Vec<String> {
    ["user", "details", user].map(str::to_owned).to_vec()
}

fn dismiss(number: u64, users: bool) -> Vec<String> {
    let mut words = vec!["report".to_owned(), "dismiss".to_owned(), number.to_string()];
    if users {
        words.push("--users".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::reports::tests::{event_report, user_report},
        *,
    };
    use crate::commands::{
        event::content::tests::message,
        user::testing::{self, now},
    };

    fn verb(typed: &[&str]) -> Details {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn what_was_said_takes_its_own_power() {
        assert_eq!(verb(&["5"]).power(), Power::Look);
        assert_eq!(verb(&["#5", "--show-content"]).power(), Power::LookPrivate);
        for typed in [&["5", "--users", "--show-content"][..], &[], &["x"], &["5", "6"]] {
            assert!(testing::parse::<Details>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn an_event_s_words_are_shown_only_where_that_was_asked_for() {
        let text = |typed: &[&str]| {
            let report = EventReport::deserialize(event_report(json!({}))).unwrap();
            let event = Event::deserialize(message(json!({}))).unwrap();
            let told = verb(typed).of_event(
                &Subject::EventReport(5),
                &report,
                Some(&event),
                &Remembered::default(),
                now(),
            );
            testing::reply(&told)
        };
        assert!(!text(&["5"]).contains("hello"));
        let open = text(&["5", "--show-content"]);
        assert!(open.starts_with("`report 5`\nSent by: `@eve:example.org`\n"), "{open}");
        assert!(open.contains("Says: “hello”\n"), "{open}");
        assert!(open.contains("!room context !lobby:example.org $one\n"), "{open}");
        assert!(open.ends_with("Clear it away: !report dismiss 5\n"), "{open}");
    }

    #[test]
    fn a_report_of_an_account_leads_to_the_account() {
        let report = UserReport::deserialize(user_report()).unwrap();
        let told = of_user(&Subject::UserReport(7), &report, &Remembered::default(), now());
        let text = testing::reply(&told);
        assert!(text.starts_with("`account report 7`\nAccount: `@eve:example.org`\n"), "{text}");
        assert!(text.contains("!user details @eve:example.org\n"), "{text}");
        assert!(text.ends_with("!report dismiss 7 --users\n"), "{text}");
    }
}
