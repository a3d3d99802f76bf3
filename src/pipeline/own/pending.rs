//! `!pending`: the questions that are open.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::ServerName;

use super::{
    Own, OwnSpec,
    audit::{verb, who},
};
use crate::{
    change::set,
    confirm::Ticket,
    error::Stop,
    pipeline::{Invocation, Pipeline},
    reply::{Block, Line, Reply},
};

/// List the open questions of this room
#[derive(Debug, clap::Args)]
pub(crate) struct Pending {}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Pending>("pending", &["pending"]).listing();

#[async_trait]
impl Own for Pending {
    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let open = pipeline.questions.open_in(invocation.origin.room())?;
        let (now, own) = (pipeline.clock.now(), pipeline.reader.server_name());
        let lines: Vec<Line> = open.iter().map(|ticket| line(ticket, now, own)).collect();
        let title = match lines.len() {
            0 => return Ok(Some(Reply::data("No question is open"))),
            1 => "One question is open".to_owned(),
            n => format!("{n} questions are open"),
        };
        Ok(Some(Reply::data(title).with(Block::List(Line::new(), lines))))
    }
}

/// An open question in a line: its code, what it is about, whom it waits for and how long.
fn line(ticket: &Ticket, now: Timestamp, own: &ServerName) -> Line {
    Line::new()
        .code(&ticket.code)
        .plain(format!(" · {} ", verb(&ticket.words)))
        .line(set(ticket.about.iter().map(|(subject, _)| subject), own))
        .plain(" · asked by ")
        .line(who(Some(&ticket.asker), own))
        .plain(", waits for ")
        .line(waits_for(ticket, own))
        .plain(", ends ")
        .ago(Some(ticket.expires), now)
}

fn waits_for(ticket: &Ticket, own: &ServerName) -> Line {
    match &ticket.second {
        None => who(Some(&ticket.asker), own),
        Some(second) => Line::from(format!(
            "other operators: {} of {} have approved it",
            second.approvals.len(),
            second.others
        )),
    }
}
