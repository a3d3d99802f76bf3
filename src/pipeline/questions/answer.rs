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

    /// A bare yes where no question of its sender is open: what became of the one that it stands below,
    /// which are `codes`.
    pub(in crate::pipeline) fn yes_to_none(
        &self,
        invocation: &Invocation<'_>,
        codes: &[String],
    ) -> Result<Option<Reply>, Stop> {
        for code in codes.iter().rev() {
            let Some(ticket) = self.tickets.get(code)? else { continue };
            if ticket.asker == invocation.operator.user && ticket.room == *invocation.origin.room()
            {
                let is_open = ticket.state == State::Open;
                let ticket = Box::new(ticket);
                let no = if is_open { No::Late(ticket) } else { No::Over(ticket) };
                return Ok(Some(no_in_words(&no)));
            }
        }
        debug!(event = %invocation.origin.event(), reason = "a yes to nothing", "ignored");
        Ok(None)
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
            Line::new().plain("question ").code(code).plain(" was cancelled"),
        ))
    }

    /// The answer to a yes that does not say to which question: those of the asker that are open.
    pub(in crate::pipeline) fn which_to_confirm(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<Reply, Stop> {
        let mut mine = self.own_open(invocation)?;
        // To those that wait for others the asker cannot say yes.
        if mine.iter().any(|ticket| ticket.second.is_none()) {
            mine.retain(|ticket| ticket.second.is_none());
        }
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
    Reply::outcome(Status::NothingChanged, "you have no open question")
}

/// The answer to a yes or no that could mean several questions, with the `verb` for each.
pub(in crate::pipeline) fn which(open: &[Ticket], verb: &str) -> Reply {
    open.iter().fold(Reply::outcome(Status::NotUnderstood, "which question?"), |reply, ticket| {
        reply.text(
            Line::new()
                .command(format!("!{verb} {}", ticket.code))
                .plain(": ")
                .command(crate::input::shown(&ticket.words)),
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
            .plain("there is no such question. ")
            .command("!pending")
            .plain(" lists the open ones"),
        No::Elsewhere => line.plain("that question was asked in another room; answer it there"),
        No::NotYours(asker) => line
            .plain("that question belongs to ")
            .code(asker)
            .plain(", and only they can answer it"),
        No::NeedsOthers(ticket) => about(ticket)
            .plain(" needs somebody else's approval, with ")
            .command(format!("!approve {}", ticket.code))
            .plain(" and the phrase. Who can approve: "),
        No::NeedsAsker(ticket) => about(ticket)
            .plain(" is your own, and needs nobody else: ")
            .command(format!("!confirm {}", ticket.code)),
        No::MayNotApprove(ticket) => {
            about(ticket).plain(" is not for you to approve. Who can approve: ")
        }
        No::Approved(ticket) => {
            about(ticket).plain(" already has your approval, and needs another operator's")
        }
        No::TooEarly(ticket) => about(ticket).plain(format!(
            " can be confirmed from {} on; until then the others have time to deny it",
            ticket.alone.map(utc).unwrap_or_default()
        )),
        No::NeedsTotp(ticket) => about(ticket).plain(format!(
            " needs your one-time password at the end: the {DIGITS} digits that your app shows now"
        )),
        No::Over(ticket) | No::Late(ticket) => {
            about(ticket).plain(" is already closed. ").line(how_it_ended(ticket))
        }
        No::NeedsCode(ticket) => {
            let line = about(ticket).plain(" needs its code: ");
            with_phrase(line.command(format!("!confirm {}", ticket.code)), ticket)
        }
        No::NeedsPhrase(ticket) => about(ticket)
            .plain(format!(" needs a phrase after its code: {}", phrase_in_words(ticket))),
        No::WrongPhrase(ticket) => about(ticket).plain(format!(
            ": that is not the right phrase. It asks for {}. Check that the question is about what \
             you mean",
            phrase_in_words(ticket)
        )),
        No::SecretGone(ticket) => about(ticket).plain(
            " held a secret that was only in my memory, and I have been restarted since. Send the \
             command again",
        ),
    }
}

/// The way to say yes to a question, with what stands behind the code.
fn with_phrase(way: Line, ticket: &Ticket) -> Line {
    match ticket.demand {
        Demand::Phrase(_) => way.plain(format!(", then {}", phrase_in_words(ticket))),
        Demand::Yes | Demand::Code => way,
    }
}

/// What the phrase of a question is, in words: whoever sees what it is about knows what to type, and
/// nobody can copy it.
fn phrase_in_words(ticket: &Ticket) -> &'static str {
    match ticket.about.as_slice() {
        [(one, _)] => one.phrase_in_words(),
        _ => "how many there are, as a number",
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
pub(in crate::pipeline) const NOT_LAST: &str = " is not the last message here";

/// The answer to a light yes that may be to something else, and `why`.
pub(in crate::pipeline) fn unclear(ticket: &Ticket, why: &str) -> Reply {
    Reply::outcome(
        Status::NotUnderstood,
        Line::new()
            .plain("question ")
            .code(&ticket.code)
            .plain(why)
            .plain(", so a bare yes is ambiguous. If you mean ")
            .command(crate::input::shown(&ticket.words))
            .plain(", send ")
            .command(format!("!confirm {}", ticket.code)),
    )
}

/// The answer to a light yes in the room, where the question was put at a terminal.
pub(in crate::pipeline) fn asked_at_shell(ticket: &Ticket) -> Reply {
    let line = Line::new()
        .plain("question ")
        .code(&ticket.code)
        .plain(" was asked at the shell, so a bare yes in the room does not count. If you mean ")
        .command(crate::input::shown(&ticket.words))
        .plain(", answer it there, or send ")
        .command(format!("!confirm {}", ticket.code));
    Reply::outcome(Status::NotUnderstood, with_phrase(line, ticket))
}

fn late(ticket: &Ticket) -> Reply {
    Reply::outcome(
        Status::Expired,
        Line::new()
            .plain("question ")
            .code(&ticket.code)
            .plain(format!(" was open until {}; nothing was done", utc(ticket.expires))),
    )
    .command("If you still want it", ticket.words.clone())
}
