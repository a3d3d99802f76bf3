//! The yes and the no, in all the ways in which they are said.

use ruma::OwnedEventId;
use tracing::{debug, info};

use super::{Asked, Pipeline, question::how_it_ended};
use crate::{
    confirm::{Consent, End, No, State, Ticket, Yes},
    error::Stop,
    gate::Demand,
    reply::{Line, Reply, Word, utc},
    store,
};

impl Pipeline {
    /// A reaction or a bare yes. It counts for one thing only: the asker's own question, where no
    /// other of theirs is open. A relation travels in clear and can be moved to another question,
    /// so with two open it does not say which is meant.
    pub(super) async fn light_yes(
        &self,
        asked: &Asked<'_>,
        target: Option<&OwnedEventId>,
    ) -> Result<Option<Reply>, Stop> {
        // A yes to nothing uses up its ciphertext too: sent again under a question that is put
        // later, it would pass for the answer to that.
        self.remember_place(asked.request).await;
        let mine = self.own_open(asked)?;
        if let Some(target) = target
            && !mine.iter().any(|ticket| ticket.question.as_ref() == Some(target))
        {
            return self.yes_to_other(asked, target);
        }
        let ticket = match mine.as_slice() {
            [] => {
                debug!(event = %asked.request.event, reason = "a yes to nothing", "ignored");
                return Ok(None);
            }
            [one] => one,
            several => return Ok(Some(which(several, "confirm"))),
        };
        if !self.roster.reactions {
            return Ok(Some(no_in_words(&No::NeedsCode(Box::new(ticket.clone())))));
        }
        self.say_yes(asked, &ticket.code.clone(), &Yes::Light).await
    }

    /// A light yes under something that is not an open question of its sender.
    fn yes_to_other(
        &self,
        asked: &Asked<'_>,
        target: &OwnedEventId,
    ) -> Result<Option<Reply>, Stop> {
        let Some(ticket) = self.tickets.of_event(target).map_err(|e| unreadable(&e))? else {
            debug!(event = %asked.request.event, reason = "a yes to no question", "ignored");
            return Ok(None);
        };
        let no = if ticket.asker == asked.operator.user {
            if ticket.state == State::Open {
                No::Late(Box::new(ticket))
            } else {
                No::Over(Box::new(ticket))
            }
        } else {
            No::NotYours(ticket.asker)
        };
        info!(event = %asked.request.event, reason = "a yes that does not count", "ignored");
        Ok(Some(no_in_words(&no)))
    }

    /// A reaction or a bare no: cancels the asker's own question, where it is clear which.
    pub(super) async fn light_no(
        &self,
        asked: &Asked<'_>,
        target: Option<&OwnedEventId>,
    ) -> Result<Option<Reply>, Stop> {
        let mine = self.own_open(asked)?;
        let meant = match target {
            Some(target) => {
                mine.iter().find(|ticket| ticket.question.as_ref() == Some(target)).cloned()
            }
            None if mine.len() == 1 => mine.first().cloned(),
            None if mine.is_empty() => None,
            None => return Ok(Some(which(&mine, "cancel"))),
        };
        let Some(ticket) = meant else {
            debug!(event = %asked.request.event, reason = "a no to nothing", "ignored");
            return Ok(None);
        };
        self.cancel(asked, &ticket.code).await.map(Some)
    }

    /// A yes to the question with this code.
    pub(super) async fn say_yes(
        &self,
        asked: &Asked<'_>,
        code: &str,
        yes: &Yes,
    ) -> Result<Option<Reply>, Stop> {
        self.authenticate(asked.request).await?;
        let request = asked.request;
        let secret_here = self.secrets.lock().await.contains_key(code);
        let taken = self
            .tickets
            .take(code, yes, &request.sender, &request.room, &request.event, secret_here)
            .await
            .map_err(|e| unreadable(&e))?;
        let (ticket, consent) = match taken {
            Ok(taken) => taken,
            Err(no) => {
                if matches!(no, No::Late(_) | No::SecretGone(_)) {
                    self.close_ticket(code, End::Expired, None).await;
                }
                return Ok(Some(no_in_words(&no)));
            }
        };
        let answered = self.go_on(asked, &ticket, &consent).await;
        // Whatever did not end it on its way has refused it.
        if let Ok(Some(Ticket { state: State::Taken { .. }, .. })) = self.tickets.get(code) {
            let how = match &answered {
                Ok(Some(reply))
                    if (self.roster.read_only || self.held().is_some())
                        && reply.word == Some(Word::NothingChanged) =>
                {
                    End::Rehearsed
                }
                _ => End::Refused,
            };
            self.end_ticket(code, how, Some(&consent)).await;
        }
        answered
    }

    async fn go_on(
        &self,
        asked: &Asked<'_>,
        ticket: &Ticket,
        consent: &Consent,
    ) -> Result<Option<Reply>, Stop> {
        let Some((action, options)) = self.action(&ticket.words) else {
            return Err(Stop::refused(
                "the command of this question is not one any more; send it again",
            ));
        };
        let (words, undoes) = (&ticket.words, ticket.undoes);
        let asked = Asked { words, options: &options, undoes, ..*asked };
        self.change(&asked, action.as_ref(), Some((ticket, consent))).await
    }

    /// Cancels the question with this code: its asker may, and any admin.
    pub(super) async fn cancel(&self, asked: &Asked<'_>, code: &str) -> Result<Reply, Stop> {
        let Some(ticket) = self.tickets.get(code).map_err(|e| unreadable(&e))? else {
            return Ok(no_in_words(&No::Unknown));
        };
        if ticket.room != asked.request.room {
            return Ok(no_in_words(&No::Elsewhere));
        }
        if ticket.asker != asked.operator.user && asked.operator.role < crate::gate::Role::Admin {
            return Ok(no_in_words(&No::NotYours(ticket.asker)));
        }
        if !self.end_question(asked, code).await? {
            return Ok(no_in_words(&No::Over(Box::new(ticket))));
        }
        Ok(Reply::outcome(
            Word::NothingChanged,
            Line::new().plain("question ").code(code).plain(" is cancelled"),
        ))
    }

    /// The answer to a yes that does not say to which question: those of the asker that are open.
    pub(super) fn which_to_confirm(&self, asked: &Asked<'_>) -> Result<Reply, Stop> {
        let mine = self.own_open(asked)?;
        Ok(if mine.is_empty() { nothing_open() } else { which(&mine, "confirm") })
    }

    /// The open questions of this operator in this room.
    fn own_open(&self, asked: &Asked<'_>) -> Result<Vec<Ticket>, Stop> {
        let open = self.tickets.open_in(&asked.request.room).map_err(|e| unreadable(&e))?;
        Ok(open.into_iter().filter(|ticket| ticket.asker == asked.operator.user).collect())
    }
}

pub(super) fn unreadable(error: &store::Error) -> Stop {
    tracing::error!(error = error as &dyn std::error::Error, "the store cannot be used");
    Stop::refused("my store cannot be read or written, so nothing was done")
}

/// The answer where no question of the asker is open.
pub(super) fn nothing_open() -> Reply {
    Reply::outcome(Word::NothingChanged, "no question of yours is open")
}

/// The answer to a yes or no that could mean several questions, with the `verb` for each.
fn which(open: &[Ticket], verb: &str) -> Reply {
    open.iter().fold(Reply::outcome(Word::Refused, "which one?"), |reply, ticket| {
        reply.text(
            Line::new()
                .code(format!("!{verb} {}", ticket.code))
                .plain(": ")
                .code(crate::input::quote(&ticket.words)),
        )
    })
}

/// Why a yes did nothing.
pub(super) fn no_in_words(no: &No) -> Reply {
    let about = |ticket: &Ticket| Line::new().plain("question ").code(&ticket.code);
    match no {
        No::Unknown => Reply::outcome(
            Word::Refused,
            Line::new()
                .plain("there is no such question; ")
                .code("!pending")
                .plain(" lists those that are open"),
        ),
        No::Elsewhere => {
            Reply::outcome(Word::Refused, "that question was put in another room; answer it there")
        }
        No::NotYours(asker) => Reply::outcome(
            Word::Refused,
            Line::new().plain("that question is ").code(asker).plain("'s, and only they answer it"),
        ),
        No::Over(ticket) => match &ticket.state {
            State::Ended { how: End::Expired, .. } => late(ticket),
            _ => Reply::outcome(
                Word::NothingChanged,
                about(ticket).plain(" is over already. ").line(how_it_ended(ticket)),
            ),
        },
        No::Late(ticket) => late(ticket),
        No::NeedsCode(ticket) => {
            let more = match ticket.demand {
                Demand::Phrase(_) => " and the phrase that it asks for",
                Demand::Yes | Demand::Code => "",
            };
            Reply::outcome(
                Word::Refused,
                about(ticket)
                    .plain(" takes its code: ")
                    .code(format!("!confirm {}", ticket.code))
                    .plain(more),
            )
        }
        No::NeedsPhrase(ticket) => Reply::outcome(
            Word::Refused,
            about(ticket).plain(" takes a phrase after its code; the question says which"),
        ),
        No::WrongPhrase(ticket) => Reply::outcome(
            Word::Refused,
            about(ticket).plain(
                ": that is not the phrase that it asks for. Look whether it is about what you mean",
            ),
        ),
        No::SecretGone(ticket) => Reply::outcome(
            Word::Expired,
            about(ticket).plain(
                " held a secret that was only in my memory, and I have been restarted since. Send \
                 the command again",
            ),
        ),
    }
}

fn late(ticket: &Ticket) -> Reply {
    Reply::outcome(
        Word::Expired,
        Line::new()
            .plain("question ")
            .code(&ticket.code)
            .plain(format!(" was open until {}; nothing was done", utc(ticket.expires))),
    )
    .command("If it is still meant", ticket.words.clone())
}
