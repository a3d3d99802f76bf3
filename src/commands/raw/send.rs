//! A raw request that changes something.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{
    body::Typed,
    mask::masked,
    request::{Fault, Request},
};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Power, Question, Skip, Snapshot, Step,
        Subject, Undo,
    },
    commands::{Action, Meaning, Memory, Query, Tables, room::known, user::account},
    error::Stop,
    reply::{Line, Reply, Sheet, Status},
    synapse::Reader,
};

/// How much of a body or an answer is shown, in characters.
const SHOWN: usize = 2000;

/// It sends a request as it was typed.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) request: Request,
    pub(super) method: Method,
    pub(super) secrets: Vec<Typed>,
}

fn copies(secrets: &[Typed]) -> Vec<(&'static str, SecretString)> {
    secrets.iter().map(|(name, secret)| (*name, secret.expose_secret().into())).collect()
}

/// JSON on one line, cut where it is long.
fn short(value: &Value) -> Line {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Line::new()
            .code(text.get(..end).unwrap_or_default())
            .plain(format!(" … ({} characters in all)", text.chars().count())),
        None => Line::new().code(text),
    }
}

#[async_trait]
impl Action for Send {
    fn class(&self, _many: usize) -> Class {
        self.request.class()
    }

    fn power(&self) -> Power {
        self.request.power()
    }

    fn amounts_to(&self) -> Vec<&str> {
        self.request.verbs()
    }

    fn phrase(&self) -> bool {
        self.request.phrase()
    }

    fn typed(&self) -> Vec<(&'static str, SecretString)> {
        copies(&self.secrets)
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        None
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![self.request.about.subject(reader).await?])
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = match (subject.user(), subject) {
            (Some(_), _) => account::snapshot(subject, reader).await?.0,
            (None, Subject::Room(_)) => known::snapshot(subject, reader).await?,
            (None, _) => Snapshot::default(),
        };
        if subject.user().is_some() && !seen.is("exists") {
            seen.display.push(("Account", "there is no such account on this homeserver".into()));
        }
        // What an alias leads to is as much part of it as what is named by its id.
        let path = self.request.path.parts().iter();
        let aliases =
            path.filter(|part| part.starts_with('#')).filter_map(|part| part.parse().ok());
        let mut rooms = Vec::new();
        for alias in aliases {
            // One that leads nowhere yet reaches nothing.
            if let Ok(room) = reader.room_id(&alias).await {
                rooms.push(room);
            }
        }
        seen.extra.insert("rooms".to_owned(), json!(rooms));
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new().plain("Send ").code(self.request.line()).plain(", about ");
        let goes = match self.request.instead() {
            Some(verb) => Line::new()
                .plain(
                    "whatever this request changes; I only pass it on. What looks first, and \
                        can often take it back, is ",
                )
                .code(verb),
            None => "whatever this request changes: I do not know what that is".into(),
        };
        Question {
            title: title.code(subject).plain(", with ").line(short(&self.request.body)),
            goes: vec![goes],
            stays: Vec::new(),
        }
    }

    fn reaches(&self, subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        let rooms = seen.extra.get("rooms").and_then(Value::as_array).into_iter().flatten();
        let rooms = rooms.filter_map(|room| room.as_str()?.try_into().ok()).map(Subject::Room);
        let all = self.request.others.iter().cloned().chain(rooms);
        all.filter(|other| other != subject).collect()
    }

    fn change(&self, _subject: &Subject, _seen: &Snapshot) -> Result<Change, Skip> {
        let Request { path, query, body, .. } = &self.request;
        let mut step = Step::new(self.method, path.clone(), body.clone());
        step.query.clone_from(query);
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        _: &Snapshot,
        answers: &[Answer],
        _: &Snapshot,
    ) -> Outcome {
        let mut title = Line::new().code(subject).plain(": the request was sent");
        let mut facts = vec![("Request", Line::new().code(self.request.line()))];
        if let Some(Answer { status, body }) = answers.first() {
            title = title.plain(format!(
                ", and the homeserver answered {status}. I did not check what changed"
            ));
            let said = match body {
                Value::Null => "nothing readable".into(),
                body => short(&masked(body.clone(), self.request.hides_tokens())),
            };
            facts.push(("It said", said));
        }
        let undo = match self.request.instead() {
            Some(verb) => format!("I did not look at the earlier state; see help {verb}"),
            None => "I do not know what this changed".to_owned(),
        };
        Outcome::done(title, Undo::None(undo)).facts(facts)
    }
}

/// It sends nothing and says why. It is a change where a secret was typed, since then the message
/// is to go.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) fault: Fault,
    pub(super) secrets: Vec<Typed>,
}

impl Refused {
    fn status(&self) -> Status {
        if self.fault.is_slip { Status::NotUnderstood } else { Status::Refused }
    }

    fn stop(&self) -> Stop {
        let stop = Stop::ending(self.status(), self.fault.why.clone());
        match self.fault.instead {
            Some(verb) => stop.or(&["help"].into_iter().chain(verb.split(' ')).collect::<Vec<_>>()),
            None => stop,
        }
    }
}

#[async_trait]
impl Query for Refused {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        None
    }

    async fn answer(&self, _: &Reader, _: &dyn Memory) -> Result<Reply, Stop> {
        Err(self.stop())
    }

    async fn data(&self, _: &Reader, _: &mut Sheet) -> Result<(), Stop> {
        Err(self.stop())
    }
}

#[async_trait]
impl Action for Refused {
    fn class(&self, _many: usize) -> Class {
        Class::Reversible
    }

    fn power(&self) -> Power {
        Power::Look
    }

    fn typed(&self) -> Vec<(&'static str, SecretString)> {
        copies(&self.secrets)
    }

    async fn subjects(&self, _: &Reader) -> Result<Vec<Subject>, Stop> {
        Err(self.stop())
    }

    async fn snapshot(&self, _: &Subject, _: &Reader) -> Result<Snapshot, Stop> {
        Err(self.stop())
    }

    fn question(&self, _: &Subject, _: &Snapshot) -> Question {
        Question { title: self.fault.why.clone(), ..Question::default() }
    }

    fn change(&self, _: &Subject, _: &Snapshot) -> Result<Change, Skip> {
        Err(Skip { status: self.status(), ..Skip::refused(self.fault.why.clone()) })
    }

    fn outcome(&self, _: &Subject, _: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        let undo = Undo::None("nothing was done".to_owned());
        let (status, title) = (self.status(), self.fault.why.clone());
        Outcome { status, title, facts: Vec::new(), remains: Vec::new(), undo }
    }
}
