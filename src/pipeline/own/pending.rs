//! `!pending`: the questions that are open.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    confirm::Ticket,
    error::Stop,
    pipeline::{Invocation, Pipeline},
    reply::{Block, Line, Record, Reply},
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
        let now = pipeline.clock.now();
        let records: Vec<Record> = open
            .iter()
            .map(|ticket| Record {
                title: Line::new().code(&ticket.code),
                facts: vec![
                    ("Command", Line::new().code(crate::input::shown(&ticket.words))),
                    ("Asked by", Line::new().code(&ticket.asker)),
                    ("Waits for", waits_for(ticket)),
                    ("Until", Line::new().time(Some(ticket.expires), now)),
                ],
            })
            .collect();
        Ok(Some(match records.len() {
            0 => Reply::data("No question is open"),
            1 => Reply::data("One question is open").with(Block::Records(records)),
            n => Reply::data(format!("{n} questions are open")).with(Block::Records(records)),
        }))
    }
}

fn waits_for(ticket: &Ticket) -> Line {
    match &ticket.second {
        None => Line::new().code(&ticket.asker),
        Some(second) => Line::from(format!(
            "other operators: {} of {} have approved it",
            second.approvals.len(),
            second.others
        )),
    }
}
