//! Putting a question, and showing how it ended.

use tracing::error;

use super::{
    Asked, Pipeline, change::Looked, fact::Difference, report::class_in_words, yes::unreadable,
};
use crate::{
    audit::{Kind, Record},
    change::{Class, Subject},
    commands::Action,
    confirm::{Draft, End, State, Ticket},
    error::Stop,
    gate::Demand,
    reply::{Block, Line, Reply, utc},
    synapse::Slots,
};

/// How many subjects a question describes one by one.
const DESCRIBED: usize = 5;

impl Pipeline {
    /// Puts the question about a change: on record, in the store, and then in the room.
    pub(super) async fn ask(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        looked: &Looked,
        (demand, class): (Demand, Class),
        slots: Slots,
        drift: &[Difference],
    ) -> Result<(), Stop> {
        // A crash may have come between keeping the question and saying it: then it is said now.
        let kept =
            self.tickets.asked_by(&asked.request.event).map_err(|error| unreadable(&error))?;
        let ticket = match kept.filter(|ticket| ticket.state == State::Open) {
            Some(ticket) => ticket,
            None => self.put(asked, action, looked, (demand, class), &slots).await?,
        };
        if !slots.is_empty() {
            self.secrets.lock().await.insert(ticket.code.clone(), slots);
        }
        let reply = self.question(&ticket, action, looked, drift);
        let Some(event) = self.answer(asked.request, &format!("ask-{}", ticket.code), &reply).await
        else {
            // Nobody has seen it, so nobody can have meant a yes to it.
            self.close_ticket(&ticket.code, End::Expired, None).await;
            return Ok(());
        };
        self.tickets
            .asked(&ticket.code, event.clone())
            .await
            .map_err(|error| unreadable(&error))?;
        if ticket.demand == Demand::Yes {
            for key in ["✅", "❌"] {
                if let Err(error) = self.outbox.react(&ticket.room, &event, key).await {
                    error!(error = &error as &dyn std::error::Error, "no reaction was put");
                }
            }
        }
        Ok(())
    }

    /// Keeps a new question and records that it is put.
    async fn put(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        looked: &Looked,
        (demand, class): (Demand, Class),
        slots: &Slots,
    ) -> Result<Ticket, Stop> {
        let about = looked.plans.iter().map(|p| (p.subject.clone(), p.seen.binds.clone()));
        let new = Draft {
            asker: asked.operator.user.clone(),
            room: asked.request.room.clone(),
            asked_by: asked.request.event.clone(),
            words: asked.words.to_vec(),
            about: about.collect(),
            class,
            demand,
            holds_secret: !action.typed().is_empty() || !slots.is_empty(),
            undoes: asked.undoes,
        };
        let ticket = self.tickets.put(new).await.map_err(|error| unreadable(&error))?;
        let record = Record {
            ticket: Some(ticket.code.clone()),
            subjects: ticket.about.iter().map(|(subject, _)| subject.clone()).collect(),
            ..Self::record(Kind::Asked, asked)
        };
        self.audit.note(record).await.map_err(|error| self.unrecorded(&error))?;
        Ok(ticket)
    }

    fn question(
        &self,
        ticket: &Ticket,
        action: &dyn Action,
        looked: &Looked,
        drift: &[Difference],
    ) -> Reply {
        let mut reply = match looked.plans.as_slice() {
            [one] => Reply::data(action.question(&one.subject, &one.seen).title),
            several => Reply::data(format!("{} subjects", several.len())),
        };
        if !drift.is_empty() {
            reply = reply.text("Something changed since I asked, so I ask again:");
            for difference in drift {
                reply = reply.text(difference.line());
            }
        }
        for plan in looked.plans.iter().take(DESCRIBED) {
            let question = action.question(&plan.subject, &plan.seen);
            if looked.plans.len() > 1 {
                reply = reply.text(question.title);
            }
            reply = reply.facts(plan.seen.shown.clone());
            if !question.goes.is_empty() {
                reply = reply.with(Block::List("This goes:".into(), question.goes));
            }
            if !question.stays.is_empty() {
                reply = reply.with(Block::List("This stays:".into(), question.stays));
            }
        }
        for (subject, skip) in &looked.skips {
            reply = reply.text(
                Line::new().plain("Left out: ").code(subject).plain(": ").line(skip.why.clone()),
            );
        }
        reply = reply.text(
            Line::new()
                .plain("As I understood it: ")
                .code(crate::input::quote(&ticket.words))
                .plain(format!(" — {}", class_in_words(ticket.class))),
        );
        reply = reply.text(how_to_say_yes(ticket, looked));
        let mut note = format!("Open until {}", utc(ticket.expires));
        if self.roster.read_only {
            note.push_str(". I am read-only: a yes will be answered, and nothing will be done");
        }
        reply.note(note)
    }

    /// Ends a ticket and edits its question to show how.
    pub(super) async fn close_ticket(&self, code: &str, how: End, by: Option<&ruma::UserId>) {
        if let Err(error) = self.tickets.end(code, how, by).await {
            error!(code, error = &error as &dyn std::error::Error, "a question cannot be ended");
        }
        self.secrets.lock().await.remove(code);
        self.show_end(code).await;
    }

    /// Edits a question that has ended to show how.
    pub(super) async fn show_end(&self, code: &str) {
        let Ok(Some(ticket)) = self.tickets.get(code) else { return };
        let Some(question) = &ticket.question else { return };
        let reply = ended(&ticket);
        if let Err(error) =
            self.outbox.edit(&ticket.room, question, &format!("end-{code}"), &reply).await
        {
            error!(code, error = &error as &dyn std::error::Error, "a question was not edited");
        }
    }
}

fn how_to_say_yes(ticket: &Ticket, looked: &Looked) -> Line {
    let code = &ticket.code;
    let cancel = |line: Line| line.plain(", or ").code(format!("!cancel {code}"));
    match &ticket.demand {
        Demand::Yes => cancel(
            Line::new()
                .plain("Go on? ✅, or reply ")
                .code("yes")
                .plain(", or send ")
                .code(format!("!confirm {code}")),
        ),
        Demand::Code => {
            cancel(Line::new().plain("To go on, send ").code(format!("!confirm {code}")))
        }
        Demand::Phrase(_) => {
            let what = match looked.plans.as_slice() {
                [one] => match &one.subject {
                    Subject::User(_) => {
                        "the localpart of the account (what stands between @ and :)"
                    }
                    Subject::Room(_) => "the last six characters of the room id",
                    Subject::Media(..) => "the id of the file",
                    Subject::Device(..) => "the id of the device",
                },
                _ => "how many there are",
            };
            cancel(
                Line::new()
                    .plain("To go on, send ")
                    .code(format!("!confirm {code} …"))
                    .plain(format!(" with {what} in place of the dots")),
            )
        }
    }
}

/// What a question that is over looks like.
pub(super) fn ended(ticket: &Ticket) -> Reply {
    Reply::data(
        Line::new()
            .plain("Question ")
            .code(&ticket.code)
            .plain(" by ")
            .code(&ticket.asker)
            .plain(", ")
            .code(crate::input::quote(&ticket.words)),
    )
    .text(how_it_ended(ticket))
}

/// How a ticket ended, in one line; where it stands if it has not.
pub(super) fn how_it_ended(ticket: &Ticket) -> Line {
    match &ticket.state {
        State::Open => Line::from("It is open."),
        State::Taken { by, at, .. } => {
            Line::new().code(by).plain(format!(" said yes at {}; it is in hand.", utc(*at)))
        }
        State::Ended { how, by, at } => {
            let at = utc(*at);
            let by = |line: Line| match by {
                Some(by) => line.plain(" by ").code(by),
                None => line,
            };
            match how {
                End::Run(Some(number)) => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain("; what came of it stands in ")
                    .code(format!("!audit show {number}")),
                End::Run(None) => by(Line::new().plain(format!("Answered yes at {at}"))),
                End::Rehearsed => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain(" while I was read-only: nothing was done."),
                End::Cancelled => by(Line::new().plain(format!("Cancelled at {at}"))),
                End::Expired => {
                    Line::new().plain(format!("Expired at {at}: nobody said yes in time."))
                }
                End::PutAgain => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain(", but something had changed: put again as another question."),
                End::Refused => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain(", but it could not be done any more."),
            }
        }
    }
}
