//! `notice send`: the homeserver says something to people.

use async_trait::async_trait;
use ruma::OwnedUserId;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::{
    reach::Reach,
    text::{Text, said, with_lines},
};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Probe, Question, Skip,
        Snapshot, Step, Subject, Undo,
    },
    commands::{
        Action, Spec,
        arguments::UserRef,
        is_group,
        user::{
            account,
            fits::{self, Pattern},
        },
    },
    error::Stop,
    reply::{Hostile, Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Send>(
    "send",
    &[
        "notice send @ann:example.org \"We are down on Sunday from 8 to 9\"",
        "notice send @ann:example.org \"**Down** on Sunday from 8 to 9\" --markdown",
        "notice send @ann:example.org \"Down on Sunday\" \"<b>Down</b> on Sunday\"",
        "notice send \"@ann:example.org\" \"We are down on Sunday\" --regex",
        "notice send @ann:example.org '{\"topic\": \"News\"}' --type m.room.topic --state-key \"\"",
    ],
);

/// Send people a notice in the homeserver's name, in a room that they cannot refuse
///
/// To one person, to several with --also, or with --regex to everybody whose id matches: all are
/// collected first, without deactivated, locked and bridged accounts. In the text, \n begins a new
/// line. Server notices must be enabled on the homeserver.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
struct Send {
    /// To whom: @ann:example.org, or ann for an account of this server; with --regex a pattern for full
    /// ids, such as @.*:example\.org
    to: String,
    /// The message, as plain text
    #[arg(value_name = "TEXT", value_parser = said)]
    plain: String,
    /// The same message in HTML, for clients that show it; optional
    #[arg(value_name = "HTML", value_parser = said)]
    formatted: Option<String>,
    /// The message is Markdown; I make the HTML from it
    #[arg(short, long, conflicts_with = "formatted")]
    markdown: bool,
    /// Send an event of this type instead of a message; the text is then its content, in JSON
    #[arg(long = "type", value_name = "TYPE", conflicts_with_all = ["formatted", "markdown"])]
    event_type: Option<String>,
    /// Make it state under this key, which may be empty: --state-key ""
    #[arg(long, value_name = "KEY", requires = "event_type")]
    state_key: Option<String>,
    /// Somebody else to send it to; can be repeated
    #[arg(short, long, value_name = "USER", conflicts_with = "regex")]
    also: Vec<UserRef>,
    /// Send it to everybody whose id matches the pattern, from its beginning
    #[arg(short, long)]
    regex: bool,
    /// A room has no files to read from; type the text itself
    #[arg(short, long, hide = true)]
    from_file: bool,
    /// Has no effect: I choose the page size myself
    #[arg(short = 'p', long, visible_alias = "paginate", value_name = "NUMBER", hide = true)]
    batch_size: Option<u64>,
    /// Has no effect: I always show the first few recipients
    #[arg(short = 'l', long, value_name = "NUMBER", hide = true)]
    preview_length: Option<u64>,
    /// Has no effect: I never show the homeserver's answers
    #[arg(short, long, hide = true)]
    silent: bool,
}

/// How much of a text the question shows, in characters.
const SHOWN: usize = 1000;

impl Send {
    /// What it says, in which `\n` begins a new line.
    fn text(&self) -> Text {
        if self.event_type.is_some() {
            Text::typed(&self.plain, None)
        } else if self.markdown {
            Text::markdown(&with_lines(&self.plain))
        } else {
            let html = self.formatted.as_deref().map(with_lines);
            Text::typed(&with_lines(&self.plain), html.as_deref())
        }
    }

    /// What stands in the request besides whom it is for.
    fn event(&self) -> Result<Map<String, Value>, Line> {
        let content = match &self.event_type {
            None => self.text().content(),
            Some(_) => serde_json::from_str(&self.plain).map(Value::Object).map_err(|_| {
                Line::new()
                    .plain(
                        "with --type the text is the content of the event, a JSON object such as ",
                    )
                    .code(r#"'{"topic": "News"}'"#)
            })?,
        };
        let mut event = Map::from_iter([("content".to_owned(), content)]);
        event.extend(self.event_type.iter().map(|of| ("type".to_owned(), json!(of))));
        event.extend(self.state_key.iter().map(|key| ("state_key".to_owned(), json!(key))));
        Ok(event)
    }

    async fn users(&self, reader: &Reader) -> Result<Vec<OwnedUserId>, Stop> {
        let refused = |fault: String| {
            let line = Line::new().code(&self.to).plain(": ").naming(&fault, &is_group);
            Stop::not_understood(line)
        };
        if self.regex {
            let pattern: Pattern = self.to.parse().map_err(refused)?;
            return fits::ids(&pattern, false, reader).await;
        }
        let first: UserRef = self.to.parse().map_err(refused)?;
        [&first].into_iter().chain(&self.also).map(|user| reader.user_id(user)).collect()
    }
}

/// It sends no notices at all.
pub(super) const SWITCHED_OFF: Meaning = Meaning::new(
    400,
    "M_UNKNOWN",
    "not enabled",
    "server notices are disabled on this homeserver. To enable them, set server_notices with \
    system_mxid_localpart in homeserver.yaml",
)
.failed();

/// It cannot be invited to a room for notices.
pub(super) const NOT_INVITED: Meaning = Meaning::new(
    403,
    "M_INVITE_BLOCKED",
    "",
    "it does not accept invitations, so it cannot be put into a room for notices",
);

/// The text is more than a message holds.
pub(super) const TOO_LONG: Meaning =
    Meaning::new(413, "M_TOO_LARGE", "", "the text is too long for one message; send it in parts");

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    SWITCHED_OFF,
    NOT_LOCAL,
    ACCOUNT_GONE,
    NOT_INVITED,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the homeserver's account for notices may not do that in this room; leave out --type to \
        send a plain message",
    ),
    Meaning::new(400, "M_BAD_JSON", "", "the content does not fit this type of event"),
    TOO_LONG,
];

/// The request that sends a notice with this in it to an account.
pub(super) fn step(
    subject: &Subject,
    seen: &Snapshot,
    mut event: Map<String, Value>,
) -> Result<Step, Skip> {
    let Subject::User(user) = subject else {
        let why = Line::new().code(subject).plain(" is not an account");
        return Err(Skip::refused(why));
    };
    // The homeserver sends a notice once for each of these, whoever it is for. So it is another for
    // everybody, and another the next time.
    let transaction = format!("synod-{}-{user}", seen.noted_now().as_millisecond());
    let path = Path::admin(["v1", "send_server_notice", &transaction]);
    event.insert("user_id".to_owned(), json!(user));
    // Another look makes another transaction, so that sending it again would tell them twice.
    Ok(Step::new(Method::Put, path, Value::Object(event)))
}

#[async_trait]
impl Action for Send {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    // What is no message can change the room, such as who has power in it.
    fn power(&self) -> Power {
        let more = self.regex || !self.also.is_empty() || self.event_type.is_some();
        if more { Power::Server } else { Power::Moderate }
    }

    fn harmless(&self) -> bool {
        true
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    fn probe(&self) -> Option<(Probe, Meaning)> {
        Some((Probe::ServerNotices, SWITCHED_OFF))
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        if self.from_file {
            return Err(Stop::not_understood(
                "a room has no files to read from; type the text itself, in quotes",
            ));
        }
        self.event().map_err(Stop::not_understood)?;
        let mut subjects: Vec<Subject> = Vec::new();
        for user in self.users(reader).await? {
            let subject = Subject::User(user);
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        Ok(subjects)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, _) = account::snapshot(subject, reader).await?;
        seen.display.retain(|(label, _)| matches!(*label, "Name" | "Id"));
        let as_state = self.state_key.as_ref().map(|_| " (state)").unwrap_or_default();
        let of_type = |of: &String| ("Type", Line::new().code(of).plain(as_state));
        seen.display.extend(self.event_type.as_ref().map(of_type));
        let text = self.text();
        let shown = |text: &str| Line::new().hostile(&Hostile::new(Text::preview(text, SHOWN)));
        seen.display.push(("Text", shown(&text.plain)));
        seen.display.extend(text.html.as_deref().map(|html| ("As HTML", shown(html))));
        seen.note_now(reader.now());
        Ok(seen)
    }

    async fn snapshot_after(
        &self,
        subject: &Subject,
        answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        let mut seen = self.snapshot(subject, reader).await?;
        if let Some(event) = answers.first().and_then(|answer| answer.body["event_id"].as_str()) {
            let reach = Reach::of(account::id(subject)?, event, reader).await;
            seen.extra.insert(REACH.to_owned(), json!(reach));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new().plain("Send a notice to ").code(subject);
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let nobody = [
            (seen.is("deactivated"), " is deactivated, so nobody would read it"),
            (self.regex && seen.is("bridged"), " is a bridged account, which nobody reads"),
        ];
        if let Some((_, why)) = nobody.into_iter().find(|(is, _)| *is) {
            let why = Line::new().code(subject).plain(why);
            return Err(Skip::already(why));
        }
        let event = self.event().map_err(Skip::not_understood)?;
        let wanted = FactMap::from([("deactivated".to_owned(), json!(false))]);
        Ok(Change { steps: vec![step(subject, seen, event)?], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let reach = after.extra.get(REACH).and_then(|it| Reach::deserialize(it).ok());
        let reach = reach.unwrap_or(Reach::NotKnown);
        let sent = answers.iter().any(|answer| answer.body["event_id"].is_string());
        let text = before.display.iter().find(|(label, _)| *label == "Text").cloned();
        Outcome {
            status: if sent { Status::Done } else { Status::Unknown },
            title: Line::new().code(subject).line(if sent {
                reach.told()
            } else {
                ": the homeserver reported success, but does not name the message that it sent"
                    .into()
            }),
            facts: text.into_iter().collect(),
            remains: Vec::new(),
            undo: Undo::None(
                "a sent notice cannot be taken back; you can send a correction".to_owned(),
            ),
        }
    }
}

/// Under this it is kept how somebody stands to the notice that was sent.
const REACH: &str = "reach";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, account, ann, now, nowhere};

    fn seen(other: Value) -> Snapshot {
        let account = account(other);
        let mut seen = Snapshot {
            preconditions: account::facts_that_bind(true, Some(&account)),
            ..Snapshot::default()
        };
        seen.note_now(now());
        seen
    }

    fn verb(typed: &[&str]) -> Send {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn a_notice_to_many_takes_more_than_one_to_somebody() {
        for (typed, power) in [
            (&["ann", "Hello"][..], Power::Moderate),
            (&["ann", "Hello", "<i>Hello</i>"], Power::Moderate),
            (&["ann", "Hello", "--also", "bob"], Power::Server),
            (&["@a.*", "Hello", "-r"], Power::Server),
            (&["ann", "{}", "--type", "m.x"], Power::Server),
        ] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, power), "{typed:?}");
        }
        for typed in [
            &["ann"][..],
            &["ann", " "],
            &["ann", "a", "b", "c"],
            &["ann", "a", "b", "-m"],
            &["ann", "a", "-r", "--also", "bob"],
        ] {
            assert!(testing::parse::<Send>(typed).is_err(), "{typed:?}");
        }
    }

    #[tokio::test]
    async fn everybody_gets_it_once_and_files_are_not_read() {
        let subjects = async |typed: &[&str]| verb(typed).subjects(&nowhere()).await;
        let both = ["ann", "Hello", "--also", "bob", "--also", "@ann:example.org"];
        assert_eq!(subjects(&both).await.unwrap().len(), 2);
        assert!(subjects(&["!room", "Hello"]).await.is_err());
        assert!(subjects(&["@(a", "Hello", "-r"]).await.is_err());
        assert!(subjects(&["ann", "Hello", "-f"]).await.is_err());
    }

    #[test]
    fn every_person_has_a_transaction_of_their_own_at_every_time() {
        let verb = verb(&["ann", "a\\nb"]);
        let change = verb.change(&ann(), &seen(json!({}))).unwrap();
        assert_eq!(change, verb.change(&ann(), &seen(json!({}))).unwrap());
        let parts = change.steps[0].path.parts();
        assert_eq!(parts[3], "send_server_notice");
        assert_eq!(parts[4], format!("synod-{}-@ann:example.org", now().as_millisecond()));
        assert_eq!(
            change.steps[0].body,
            json!({"user_id": "@ann:example.org", "content": {"msgtype": "m.text", "body": "a\nb"}})
        );
        let bob = Subject::User("@bob:example.org".try_into().unwrap());
        let other = verb.change(&bob, &seen(json!({}))).unwrap();
        assert_ne!(other.steps[0].path, change.steps[0].path);
    }

    #[test]
    fn an_event_of_another_type_has_the_content_that_was_typed() {
        let topic = r#"{"topic": "a\nb"}"#;
        let typed = ["ann", topic, "--type", "m.room.topic", "--state-key", ""];
        let change = verb(&typed).change(&ann(), &seen(json!({}))).unwrap();
        assert_eq!(
            change.steps[0].body,
            json!({"user_id": "@ann:example.org", "type": "m.room.topic", "state_key": "",
                "content": {"topic": "a\nb"}})
        );
        for wrong in ["News", "[1]", "{"] {
            let refused = verb(&["ann", wrong, "--type", "m.x"]).change(&ann(), &seen(json!({})));
            assert!(testing::skip(&refused.unwrap_err()).contains("JSON object"), "{wrong}");
        }
        for typed in [
            &["ann", "{}", "--state-key", ""][..],
            &["ann", "{}", "--type", "m.x", "-m"],
            &["ann", "{}", "<b></b>", "--type", "m.x"],
        ] {
            assert!(testing::parse::<Send>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn nobody_is_told_who_would_not_read_it() {
        let skip = |typed: &[&str], other| verb(typed).change(&ann(), &seen(other)).map(drop);
        let gone = skip(&["ann", "a"], json!({"deactivated": true})).unwrap_err();
        assert_eq!(gone.status, Status::NothingChanged);
        let bridged = json!({"appservice_id": "irc"});
        assert!(skip(&["@a", "a", "-r"], bridged.clone()).is_err());
        assert!(skip(&["ann", "a"], bridged).is_ok(), "who is named is told");
        let preconditions = account::facts_that_bind(true, None);
        let nobody =
            verb(&["ann", "a"]).change(&ann(), &Snapshot { preconditions, ..Snapshot::default() });
        assert!(testing::skip(&nobody.unwrap_err()).contains("no such user"));
    }

    #[test]
    fn it_is_done_where_a_message_was_sent() {
        let told = |body| {
            let verb = verb(&["ann", "a"]);
            let mut seen = seen(json!({}));
            seen.extra.insert(REACH.to_owned(), json!(Reach::Joined));
            testing::outcome(&verb.outcome(&ann(), &seen, &[Answer { status: 200, body }], &seen))
        };
        assert_eq!(
            told(json!({"event_id": "$x"})),
            "Done · `@ann:example.org` got a notice from the homeserver\n\
             No undo: a sent notice cannot be taken back; you can send a correction"
        );
        assert!(told(json!({})).starts_with("Unknown · "));
    }
}
