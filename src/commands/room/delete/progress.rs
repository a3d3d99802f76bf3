//! What is told of a deletion, part by part: when it has begun, while it goes on, and at its end.

use async_trait::async_trait;

use super::{
    super::{
        deletion::{self, Deletion},
        known,
    },
    how::How,
};
use crate::{
    change::{Answer, Outcome, Progress, Snapshot, Subject, Undo},
    commands::{LongWork, user::account::how_many},
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

/// The id of the task that the homeserver has begun.
fn task(answers: &[Answer]) -> Option<String> {
    let id = answers.last()?.body.get("delete_id")?.as_str()?;
    Some(id.to_owned())
}

/// What is told as soon as the homeserver has begun.
pub(in crate::commands::room) fn begun(
    subject: &Subject,
    answers: &[Answer],
    after: &Snapshot,
) -> Outcome {
    let title = Line::new()
        .code(subject)
        .plain(": the homeserver has started; I will say here when it is finished");
    let mut outcome = ended(Status::Done, title);
    if let Some(id) = task(answers) {
        outcome.facts.push(("Task", Line::new().code(&id)));
        let words = ["room", "delete-status", "-d", &id].map(str::to_owned).to_vec();
        outcome.remains.push(("See how far it is".into(), words));
    }
    let members = after.display.iter().filter(|(label, _)| *label == "Members");
    outcome.facts.extend(members.cloned());
    outcome
}

#[async_trait]
impl LongWork for How {
    fn begins(
        &self,
        _subject: &Subject,
        answers: &[Answer],
        _after: Option<&Snapshot>,
    ) -> Option<String> {
        task(answers)
    }

    /// How far the homeserver is, and at the end the state of the room.
    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        let id = known::id(subject)?;
        let Some(found) = deletion::by_id(work, reader).await? else {
            return Ok(Progress::Over(ended(
                Status::Unknown,
                deletion::unknown(work).plain(". Check the room"),
            )));
        };
        if found.goes_on() {
            return Ok(Progress::Goes(found.facts()));
        }
        let blocked = known::blocked(id, reader).await?.block;
        let there = known::room(id, reader).await?;
        let mut facts = found.facts();
        facts.retain(|(label, _)| *label != "State");
        facts.push(("Blocked", if blocked { "BLOCKED".into() } else { "NOT BLOCKED".into() }));
        facts.push(deletion::whether_there(there.as_ref()));
        let line = Line::new().code(subject);
        let mut outcome = if found.status.raw() == "complete" {
            let gone = self.no_purge || there.is_none();
            match (gone && found.failed() == 0, self.no_purge) {
                (true, true) => {
                    ended(Status::Done, line.plain(": everybody on this server was removed"))
                }
                (true, false) => ended(Status::Done, line.plain(" deleted from this server")),
                (false, _) if found.failed() > 0 => {
                    let why = ": the homeserver has finished, but could not remove everybody";
                    ended(Status::DoneInPart, line.plain(why))
                }
                (false, _) => {
                    let why = ": the homeserver says that it has finished, but still has the room";
                    ended(Status::DoneInPart, line.plain(why))
                }
            }
        } else {
            let why = deletion::why(id, work, reader).await?;
            let line = line.plain(": it could not be deleted: ").line(why);
            failed(line, &self.parts(&found, blocked))
        };
        outcome.facts = facts;
        Ok(Progress::Over(outcome))
    }
}

impl How {
    /// What of a deletion that failed was done all the same.
    pub(super) fn parts(&self, found: &Deletion, blocked: bool) -> Vec<String> {
        let out = found.put_out() as u64;
        let out = (out > 0)
            .then(|| format!("{} removed", how_many(Some(out), "member is", "members are")));
        [
            (self.block && blocked).then(|| "it is blocked".to_owned()),
            self.quarantine_media.then(|| "its files are in quarantine".to_owned()),
            out,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The end of a deletion that failed.
pub(super) fn failed(line: Line, parts: &[String]) -> Outcome {
    if parts.is_empty() {
        return ended(Status::Failed, line.plain(". Nothing was changed"));
    }
    ended(Status::DoneInPart, line.plain(format!(". What was done: {}", parts.join(", "))))
}

fn ended(status: Status, title: Line) -> Outcome {
    let undo = Undo::None("the change itself says how to undo it".to_owned());
    Outcome { status, title, facts: Vec::new(), remains: Vec::new(), undo }
}
