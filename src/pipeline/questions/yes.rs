//! What a yes leads to: the change of its question, made again with the yes in hand.

use crate::{
    commands::{Action, Options},
    confirm::{Demand, End, No, Taken, Ticket, Yes},
    error::Stop,
    operators::Operator,
    pipeline::{
        Invocation, Pipeline, YesTo,
        change::Confirmed,
        questions::{
            NOT_LAST, REMOVED, approved_in_part, asked_at_shell, no_in_words, unclear, which,
        },
        shell::stands_for_event,
    },
    reply::Reply,
};

/// The change of a question that was answered.
struct Resumed<'a> {
    action: Box<dyn Action>,
    options: Options,
    operator: &'a Operator,
}

impl Pipeline {
    /// A reaction or a bare yes. It counts for one thing only: the asker's own question, where no
    /// other of theirs is open. A relation travels in clear and can be moved to another question,
    /// so with two open it does not say which is meant; and a yes that is no reply may be to
    /// whatever anybody has said since the question. What is said right below a question, and is
    /// a reply to no other, says it also where others are open that take their codes.
    pub(in crate::pipeline) async fn light_yes(
        &self,
        invocation: &Invocation<'_>,
        to: &YesTo,
    ) -> Result<Option<Reply>, Stop> {
        // A yes to nothing uses up its ciphertext too: sent again under a question that is put
        // later, it would pass for the answer to that.
        if let Some(request) = invocation.origin.message() {
            self.authenticity.remember_place(request).await;
        }
        let mine = self.questions.own_open(invocation)?;
        if let YesTo::Event(target) | YesTo::Reply(target, _) = to
            && !mine.iter().any(|ticket| ticket.question.as_ref() == Some(target))
        {
            return self.questions.yes_to_other(invocation, target);
        }
        let ticket = match right_below(&mine, to).unwrap_or(mine.as_slice()) {
            [] => return self.questions.yes_to_none(invocation, to.last_asked()),
            [one] => one,
            several => return Ok(Some(which(several, "confirm"))),
        };
        if is_at_shell(ticket) {
            return Ok(Some(asked_at_shell(ticket)));
        }
        if !self.roster.policy.reactions {
            return Ok(Some(no_in_words(&No::NeedsCode(Box::new(ticket.clone())))));
        }
        if !self.questions.question_stands(ticket).await {
            return Ok(Some(unclear(ticket, REMOVED)));
        }
        if let YesTo::LastWord(codes) = to
            && !codes.contains(&ticket.code)
        {
            return Ok(Some(unclear(ticket, NOT_LAST)));
        }
        self.say_yes(invocation, &ticket.code.clone(), &Yes::Light).await
    }

    /// A yes to the question with this code.
    pub(in crate::pipeline) async fn say_yes(
        &self,
        invocation: &Invocation<'_>,
        code: &str,
        yes: &Yes,
    ) -> Result<Option<Reply>, Stop> {
        self.authenticity.authenticate(invocation.origin).await?;
        if matches!(yes, Yes::Approve(_)) && invocation.origin.shell().is_some() {
            return Err(Stop::refused("nobody can approve from a shell"));
        }
        if matches!(yes, Yes::Approve(_)) && invocation.origin.is_in_clear() {
            return Err(Stop::refused("an approval counts only in an encrypted room"));
        }
        let (ticket, consent) = match self.questions.take(invocation, code, yes).await? {
            Taken::Whole(ticket, consent) => (ticket, consent),
            Taken::Part(ticket) => {
                self.questions.note_approval(invocation, &ticket).await?;
                return Ok(Some(approved_in_part(&ticket)));
            }
            Taken::Not(no) => {
                if matches!(no, No::Late(_) | No::SecretGone(_)) {
                    self.questions.close_ticket(code, End::Expired, None).await;
                }
                return Ok(Some(no_in_words(&no)));
            }
        };
        let resumed = match self.resume(invocation, &ticket).await {
            Ok(resumed) => resumed,
            Err(stop) => {
                self.questions.end_ticket(code, End::Refused, Some(&consent)).await;
                return Err(stop);
            }
        };
        let Resumed { action, options, operator } = resumed;
        let (words, options, undoes) = (&ticket.words, &options, ticket.undoes);
        let invocation = Invocation { operator, words, options, undoes, ..*invocation };
        let yes = Confirmed { ticket: &ticket, consent: &consent };
        let answered = self.make(&invocation, action.as_ref(), Some(yes)).await?;
        Ok(match ticket.second {
            // Whoever asked has waited, and did not say the last word.
            Some(_) => answered.map(|reply| reply.ringing(vec![ticket.asker.clone()])),
            None => answered,
        })
    }

    /// The change that a question was about, as it is understood now, and who asked for it.
    async fn resume(
        &self,
        invocation: &Invocation<'_>,
        ticket: &Ticket,
    ) -> Result<Resumed<'_>, Stop> {
        let Some((action, options)) = self.executor.action(&ticket.words) else {
            return Err(Stop::not_understood(
                "the command of this question no longer exists; send it again",
            ));
        };
        if ticket.second.is_some() {
            self.questions.note_approval(invocation, ticket).await?;
        }
        // The words do not say where their subjects came from.
        let options = Options { referenced: ticket.referenced, ..options };
        Ok(Resumed { action, options, operator: self.questions.asker(ticket)? })
    }
}

impl YesTo {
    /// The codes of the questions that were the last word when it was said.
    fn last_asked(&self) -> &[String] {
        match self {
            Self::Event(_) => &[],
            Self::Reply(_, codes) | Self::LastWord(codes) => codes,
        }
    }
}

/// Whether it was put at a terminal, and stands in no room.
fn is_at_shell(ticket: &Ticket) -> bool {
    ticket.question.is_none() && stands_for_event(&ticket.asked_by)
}

/// The only one of these questions that a bare yes can answer, where that was said right below it.
/// One that needs a code is not what anybody means by it, also where it is the last word too.
fn right_below<'a>(mine: &'a [Ticket], to: &YesTo) -> Option<&'a [Ticket]> {
    let is_light =
        |ticket: &Ticket| ticket.demand == Demand::Yes && ticket.second.is_none() && !ticket.totp;
    let at = mine.iter().position(is_light)?;
    let one = mine.get(at..=at)?;
    let [ticket] = one else { return None };
    if mine.iter().filter(|ticket| is_light(ticket)).count() > 1 {
        return None;
    }
    let takes_code =
        |code: &String| mine.iter().any(|other| other.code == *code && !is_light(other));
    let is_last = |codes: &[String]| {
        let mut codes = codes.iter().filter(|code| !takes_code(code));
        codes.next() == Some(&ticket.code) && codes.next().is_none()
    };
    let below = match to {
        YesTo::Event(_) => false,
        YesTo::Reply(event, codes) => ticket.question.as_ref() == Some(event) && is_last(codes),
        YesTo::LastWord(codes) => is_last(codes),
    };
    below.then_some(one)
}
