//! What is said to a question: which one is meant, whether it counts, and why it does not.

use ruma::OwnedEventId;
use tracing::{debug, info, warn};

use super::{Questions, approve::split, put::how_it_ended};
use crate::{
    confirm::{Answer, Demand, End, No, State, Taken, Ticket, Yes},
    error::Stop,
    operators::Rank,
    pipeline::Invocation,
    reply::{Line, Reply, Status, utc},
    totp::DIGITS,
};

impl Questions {
    /// Whether the question is to be seen. Once somebody has removed it, a bare yes may be to
    /// anything that was said since; its code is the asker's own word as before.
    pub(in crate::pipeline) async fn question_stands(&self, ticket: &Ticket) -> bool {
        let Some(question) = &ticket.question else { return false };
        match self.outbox.stands(&ticket.room, question).await {
            Ok(stands) => stands,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "a question cannot be looked at");
                false
            }
        }
    }

    /// A light yes under something that is not an open question of its sender.
    pub(in crate::pipeline) fn yes_to_other(
        &self,
        invocation: &Invocation<'_>,
        target: &OwnedEventId,
    ) -> Result<Option<Reply>, Stop> {
        let Some(ticket) = self.tickets.of_event(target)? else {
            debug!(event = %invocation.origin.event(), reason = "a yes to no question", "ignored");
            return Ok(None);
        };
        let no = if ticket.state == State::Open && ticket.second.is_some() {
            No::NeedsOthers(Box::new(ticket))
        } else if ticket.asker == invocation.operator.user {
            if ticket.state == State::Open {
                No::Late(Box::new(ticket))
            } else {
                No::Over(Box::new(ticket))
            }
        } else {
            No::NotYours(ticket.asker)
        };
        info!(event = %invocation.origin.event(), reason = "a yes that does not count", "ignored");
        Ok(Some(no_in_words(&no)))
    }

    /// A reaction or a bare no: cancels the asker's own question, where it is clear which.
    pub(in crate::pipeline) async fn light_no(
        &self,
        invocation: &Invocation<'_>,
        target: Option<&OwnedEventId>,
    ) -> Result<Option<Reply>, Stop> {
        let mine = self.own_open(invocation)?;
        let meant = match target {
            Some(target) => {
                self.tickets.of_event(target)?.filter(|ticket| ticket.state == State::Open).filter(
                    |ticket| {
                        ticket.asker == invocation.operator.user
                            || Self::may_deny(ticket, invocation.operator)
                    },
                )
            }
            None if mine.len() == 1 => mine.first().cloned(),
            None if mine.is_empty() => None,
            None => return Ok(Some(which(&mine, "cancel"))),
        };
        let Some(ticket) = meant else {
            debug!(event = %invocation.origin.event(), reason = "a no to nothing", "ignored");
            return Ok(None);
        };
        self.cancel(invocation, &ticket.code, None).await.map(Some)
    }

    /// Counts a yes to the question with this code, with the one-time password that it takes.
    pub(in crate::pipeline) async fn take(
        &self,
        invocation: &Invocation<'_>,
        code: &str,
        yes: &Yes,
    ) -> Result<Taken, Stop> {
        let ticket = self.tickets.get(code)?;
        let totp = ticket.is_some_and(|ticket| ticket.totp);
        let (yes, typed) = match yes {
            Yes::Light => (Yes::Light, None),
            Yes::Code(words) => {
                let (words, typed) = split(words, totp);
                (Yes::Code(words), typed)
            }
            Yes::Approve(words) => {
                let (words, typed) = split(words, totp);
                (Yes::Approve(words), typed)
            }
        };
        let answer = Answer {
            yes: &yes,
            by: invocation.operator,
            room: invocation.origin.room(),
            event: invocation.origin.event(),
            secret_here: self.secrets.lock().await.contains_key(code),
            totp: None,
        };
        let taken = self.tickets.take(code, &answer).await?;
        // Everything else is right by then, so that a slip does not use up a password.
        let (Taken::Not(No::NeedsTotp(_)), Some(typed)) = (&taken, typed) else { return Ok(taken) };
        let shown = self.shown(invocation, &typed).await?;
        let answer = Answer { totp: Some(&shown), ..answer };
        Ok(self.tickets.take(code, &answer).await?)
    }

    /// Ends the question with this code: its asker may, and any admin, and who may deny it.
    pub(in crate::pipeline) async fn cancel(
        &self,
        invocation: &Invocation<'_>,
        code: &str,
        why: Option<&str>,
    ) -> Result<Reply, Stop> {
        let Some(ticket) = self.tickets.get(code)? else {
            return Ok(no_in_words(&No::Unknown));
        };
        if ticket.room != *invocation.origin.room() {
            return Ok(no_in_words(&No::Elsewhere));
        }
        if Self::may_deny(&ticket, invocation.operator) {
            let denied = self.deny(invocation, &ticket, why).await?;
            return Ok(denied.unwrap_or_else(|| no_in_words(&No::Over(Box::new(ticket)))));
        }
        if ticket.asker != invocation.operator.user && invocation.operator.role.rank < Rank::Admin {
            return Ok(no_in_words(&No::NotYours(ticket.asker)));
        }
        if !self.end_question(invocation, code, End::Cancelled, why).await? {
            return Ok(no_in_words(&No::Over(Box::new(ticket))));
        }
        Ok(Reply::outcome(
            Status::NothingChanged,
            Line::new().plain("question ").code(code).plain(" is cancelled"),
        ))
    }

    /// The answer to a yes that does not say to which question: those of the asker that are open.
    pub(in crate::pipeline) fn which_to_confirm(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<Reply, Stop> {
        let mine = self.own_open(invocation)?;
        Ok(if mine.is_empty() { nothing_open() } else { which(&mine, "confirm") })
    }

    /// The open questions of this operator in this room.
    pub(in crate::pipeline) fn own_open(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<Vec<Ticket>, Stop> {
        let open = self.tickets.open_in(invocation.origin.room())?;
        Ok(open.into_iter().filter(|ticket| ticket.asker == invocation.operator.user).collect())
    }
}

/// The answer where no question of the asker is open.
pub(in crate::pipeline) fn nothing_open() -> Reply {
    Reply::outcome(Status::NothingChanged, "no question of yours is open")
}

/// The answer to a yes or no that could mean several questions, with the `verb` for each.
pub(in crate::pipeline) fn which(open: &[Ticket], verb: &str) -> Reply {
    open.iter().fold(Reply::outcome(Status::NotUnderstood, "which one?"), |reply, ticket| {
        reply.text(
            Line::new()
                .code(format!("!{verb} {}", ticket.code))
                .plain(": ")
                .code(crate::input::shown(&ticket.words)),
        )
    })
}

/// Why a yes did nothing.
pub(in crate::pipeline) fn no_in_words(no: &No) -> Reply {
    match no {
        No::Late(ticket) => late(ticket),
        No::Over(ticket) if matches!(ticket.state, State::Ended { how: End::Expired, .. }) => {
            late(ticket)
        }
        No::Over(_) | No::Approved(_) => Reply::outcome(Status::NothingChanged, why_not(no)),
        No::SecretGone(_) => Reply::outcome(Status::Expired, why_not(no)),
        No::NeedsOthers(ticket) | No::MayNotApprove(ticket) => {
            Reply::outcome(Status::Refused, why_not(no)).text(those(ticket))
        }
        No::Unknown => Reply::outcome(Status::NotFound, why_not(no)),
        No::Elsewhere
        | No::NotYours(_)
        | No::NeedsAsker(_)
        | No::TooEarly(_)
        | No::NeedsTotp(_)
        | No::NeedsCode(_)
        | No::NeedsPhrase(_)
        | No::WrongPhrase(_) => Reply::outcome(Status::Refused, why_not(no)),
    }
}

/// The same, as one line.
fn why_not(no: &No) -> Line {
    let line = Line::new();
    let about = |ticket: &Ticket| Line::new().plain("question ").code(&ticket.code);
    match no {
        No::Unknown => line
            .plain("there is no such question; ")
            .code("!pending")
            .plain(" lists those that are open"),
        No::Elsewhere => line.plain("that question was put in another room; answer it there"),
        No::NotYours(asker) => {
            line.plain("that question is ").code(asker).plain("'s, and only they answer it")
        }
        No::NeedsOthers(ticket) => about(ticket)
            .plain(" takes the word of somebody who has not asked for it, by ")
            .code(format!("!approve {}", ticket.code))
            .plain(" and the phrase: "),
        No::NeedsAsker(ticket) => about(ticket)
            .plain(" is your own, and takes nobody else: ")
            .code(format!("!confirm {}", ticket.code)),
        No::MayNotApprove(ticket) => {
            about(ticket).plain(" is not for you to approve. Those who may: ")
        }
        No::Approved(ticket) => {
            about(ticket).plain(" has your approval already, and takes that of somebody else")
        }
        No::TooEarly(ticket) => about(ticket).plain(format!(
            " can be confirmed from {}; until then the others have time to deny it",
            ticket.alone.map(utc).unwrap_or_default()
        )),
        No::NeedsTotp(ticket) => about(ticket).plain(format!(
            " takes your one-time password at the end: the {DIGITS} digits that your app shows now"
        )),
        No::Over(ticket) | No::Late(ticket) => {
            about(ticket).plain(" is over already. ").line(how_it_ended(ticket))
        }
        No::NeedsCode(ticket) => about(ticket)
            .plain(" takes its code: ")
            .code(format!("!confirm {}", ticket.code))
            .plain(match ticket.demand {
                Demand::Phrase(_) => " and the phrase that it asks for",
                Demand::Yes | Demand::Code => "",
            }),
        No::NeedsPhrase(ticket) => {
            about(ticket).plain(" takes a phrase after its code; the question says which")
        }
        No::WrongPhrase(ticket) => about(ticket).plain(
            ": that is not the phrase that it asks for. Look whether it is about what you mean",
        ),
        No::SecretGone(ticket) => about(ticket).plain(
            " held a secret that was only in my memory, and I have been restarted since. Send the \
             command again",
        ),
    }
}

/// Those who may approve a question and have not.
pub(in crate::pipeline) fn those(ticket: &Ticket) -> Line {
    let Some(second) = &ticket.second else { return Line::new() };
    second.left().enumerate().fold(Line::new(), |line, (n, user)| {
        if n > 0 { line.plain(", ").code(user) } else { line.code(user) }
    })
}

/// Why a light yes may be to something else: the question cannot be seen.
pub(in crate::pipeline) const REMOVED: &str =
    " was removed from the room, or the homeserver does not show it to me";

/// Why a light yes may be to something else: the question is not what was said last.
pub(in crate::pipeline) const NOT_LAST: &str = " is not what was said here last";

/// The answer to a light yes that may be to something else, and `why`.
pub(in crate::pipeline) fn unclear(ticket: &Ticket, why: &str) -> Reply {
    Reply::outcome(
        Status::NotUnderstood,
        Line::new()
            .plain("question ")
            .code(&ticket.code)
            .plain(why)
            .plain(", so a bare yes does not say what is meant. If it is ")
            .code(crate::input::shown(&ticket.words))
            .plain(", send ")
            .code(format!("!confirm {}", ticket.code)),
    )
}

fn late(ticket: &Ticket) -> Reply {
    Reply::outcome(
        Status::Expired,
        Line::new()
            .plain("question ")
            .code(&ticket.code)
            .plain(format!(" was open until {}; nothing was done", utc(ticket.expires))),
    )
    .command("If it is still meant", ticket.words.clone())
}
