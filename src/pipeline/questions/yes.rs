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
        voice::last_word::LastAsked,
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
    /// a reply to no other, says it also where others are open.
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
        let ticket = match mine.as_slice() {
            [] => return self.questions.yes_to_none(invocation, to.last_asked()),
            [one] => one,
            several => match self.meant(invocation, several, to).await? {
                Some(meant) => meant,
                None => return Ok(Some(which(several, "confirm"))),
            },
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
        if let YesTo::LastWord(last) = to
            && !last.codes.contains(&ticket.code)
        {
            return Ok(Some(unclear(ticket, NOT_LAST)));
        }
        self.say_yes(invocation, &ticket.code.clone(), &Yes::Light).await
    }

    /// Which of several open questions of the asker's a bare yes is to, where its place says so. Below one
    /// of two that it could answer, it has also been written after the command that led to that one, and
    /// the bot has said nothing else in between: else it may be to the other.
    async fn meant<'a>(
        &self,
        invocation: &Invocation<'_>,
        several: &'a [Ticket],
        to: &YesTo,
    ) -> Result<Option<&'a Ticket>, Stop> {
        let Some((ticket, last)) = right_below(several, to) else { return Ok(None) };
        if several.iter().filter(|ticket| takes_bare_yes(ticket)).count() == 1 {
            return Ok(Some(ticket));
        }
        let Some(request) = invocation.origin.message() else { return Ok(None) };
        let clear =
            !last.bot_spoke && self.authenticity.written_after(request, &ticket.asked_by).await?;
        Ok(clear.then_some(ticket))
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
            Self::Reply(_, last) | Self::LastWord(last) => &last.codes,
        }
    }
}

/// Whether it was put at a terminal, and stands in no room.
fn is_at_shell(ticket: &Ticket) -> bool {
    ticket.question.is_none() && stands_for_event(&ticket.asked_by)
}

/// Whether a bare yes in the room could answer it.
fn takes_bare_yes(ticket: &Ticket) -> bool {
    ticket.demand == Demand::Yes && ticket.second.is_none() && !ticket.totp && !is_at_shell(ticket)
}

/// The one of these questions that a bare yes can answer and was said right below of, with what was said
/// last. One that takes its code is not what anybody means by it, also where it is the last word too.
fn right_below<'a, 'b>(mine: &'a [Ticket], to: &'b YesTo) -> Option<(&'a Ticket, &'b LastAsked)> {
    let (replied_to, last) = match to {
        YesTo::Event(_) => return None,
        YesTo::Reply(event, last) => (Some(event), last),
        YesTo::LastWord(last) => (None, last),
    };
    let takes_code =
        |code: &&String| mine.iter().any(|other| other.code == **code && !takes_bare_yes(other));
    let mut codes = last.codes.iter().filter(|code| !takes_code(code));
    let (Some(code), None) = (codes.next(), codes.next()) else { return None };
    let ticket = mine.iter().find(|ticket| ticket.code == *code)?;
    let is_it = replied_to.is_none_or(|event| ticket.question.as_ref() == Some(event));
    is_it.then_some((ticket, last))
}

#[cfg(test)]
mod tests {
    use ruma::room_id;

    use crate::pipeline::{
        background::testing::{heard, started},
        testing::Stage,
    };

    const ONE: &str = "!user suspend @one:synod.test @two:synod.test";
    const OTHER: &str = "!user suspend @three:synod.test @four:synod.test";

    /// What the open questions are about, by the first subject of each.
    fn open(stage: &Stage) -> Vec<String> {
        let open = stage.pipeline.questions.open_in(room_id!("!admin:synod.test")).unwrap();
        open.iter().map(|ticket| ticket.about[0].0.to_string()).collect()
    }

    #[tokio::test]
    async fn a_yes_right_below_one_of_two_questions_answers_that_one() {
        let (_server, _, stage) = started().await;
        stage.say("ann", ONE).await;
        stage.say("ann", OTHER).await;
        stage.say("ann", "yes").await;
        assert_eq!(open(&stage), ["@one:synod.test"]);
        // It is not taken for a yes to the other one too.
        stage.say("ann", "yes").await;
        assert_eq!(open(&stage), ["@one:synod.test"]);
        assert_eq!(heard(&stage, "is not the last message here"), 1);
    }

    #[tokio::test]
    async fn a_yes_that_was_held_back_does_not_answer_a_later_question() {
        let (_server, _, stage) = started().await;
        stage.say("ann", ONE).await;
        let held_back = stage.request("ann", "yes");
        stage.say("ann", OTHER).await;
        stage.hand(held_back).await;
        assert_eq!(open(&stage).len(), 2);
        assert_eq!(heard(&stage, "which question?"), 1);
    }

    #[tokio::test]
    async fn after_a_word_of_the_bot_or_another_question_it_is_asked_which() {
        let (_server, _, stage) = started().await;
        stage.say("ann", ONE).await;
        stage.say("ann", OTHER).await;
        stage.say("moe", "!user suspend @five:synod.test @six:synod.test").await;
        assert_eq!(open(&stage).len(), 3);
        stage.say("ann", "yes").await;
        assert_eq!(heard(&stage, "which question?"), 1);
        stage.say("ann", OTHER).await;
        let room = room_id!("!admin:synod.test");
        let said = crate::reply::Reply::data("Back after 4 min");
        stage.pipeline.voice.say(room, None, "back", &said).await.unwrap();
        stage.say("ann", "yes").await;
        assert_eq!(heard(&stage, "which question?"), 2);
        assert_eq!(open(&stage).len(), 4);
    }
}
