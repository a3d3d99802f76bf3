//! From what became of a change to what follows from it: an answer, a question, a job, and the end
//! of the question that it answers.

use super::{
    Invocation, Pipeline,
    change::{Attempt, Became, Confirmed, Ends, Expected, Extent, Ran, verbs},
    own::AsChange,
};
use crate::{
    change::Subject,
    commands::{Action, Options},
    confirm::End,
    error::Stop,
    operators::Roster,
    pipeline::{
        change::{
            overview::warned,
            plan,
            report::{cost_in_words, not_as_left, rehearsed, report},
        },
        shell::line_of_change,
    },
    reply::{IdsOf, Line, Made, Reply, Status},
};

/// What became of a change, with its words as they may be shown.
struct Tried {
    words: Vec<String>,
    became: Became,
}

impl Pipeline {
    /// Makes a change that was typed, or to which this yes was said, and answers.
    pub(super) async fn make(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        yes: Option<Confirmed<'_>>,
    ) -> Result<Option<Reply>, Stop> {
        let expected = yes.map_or(Expected::Anything, |yes| Expected::Shown(&yes.ticket.about));
        let tried = self.try_to_make(invocation, action, expected, yes).await;
        self.follow(invocation, action, yes, tried).await
    }

    /// Makes the change that a verb of the bot's own is.
    pub(super) async fn make_own(
        &self,
        invocation: &Invocation<'_>,
        change: AsChange,
    ) -> Result<Option<Reply>, Stop> {
        let AsChange { action, words, verb, undoes, left, ends } = change;
        let verb = verb.unwrap_or_else(|| invocation.options.verb.clone());
        let options = invocation.options.clone();
        let options = Options { ends: ends.or(options.ends), verb, ..options };
        let words = match words {
            // A question carries the options along, for they stand in its words.
            Some(words) => with_options(words, invocation.options.words()),
            None => invocation.words.to_vec(),
        };
        let invocation = &Invocation { words: &words, options: &options, undoes, ..*invocation };
        let expected = Expected::Left(&left);
        let tried = self.try_to_make(invocation, action.as_ref(), expected, None).await;
        self.follow(invocation, action.as_ref(), None, tried).await
    }

    async fn try_to_make(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        expected: Expected<'_>,
        yes: Option<Confirmed<'_>>,
    ) -> Result<Tried, Stop> {
        let declared = verbs(invocation, action, &[]);
        let may = |verb: &&str| {
            self.freeze_control.gate().may_use(invocation.operator, action.power(), verb)
        };
        if let Err(refusal) = declared.iter().try_for_each(may) {
            let became = Became::Refused(refusal.0);
            return Ok(Tried { words: invocation.words.to_vec(), became });
        }
        if yes.is_none() {
            self.authenticity.authenticate(invocation.origin).await?;
        }
        let (words, secrets) = self.take_secrets(invocation, action, yes).await?;
        let invocation = &Invocation { words: &words, ..*invocation };
        let attempt = Attempt { invocation, action, expected, yes, extent: Extent::Whole };
        let became = self.change(&attempt, secrets).await?;
        Ok(Tried { words, became })
    }

    /// Ends the question that was answered, and does what follows from what became of the change.
    async fn follow(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        yes: Option<Confirmed<'_>>,
        tried: Result<Tried, Stop>,
    ) -> Result<Option<Reply>, Stop> {
        if let Some(yes) = yes
            && let Some(end) = end_of(tried.as_ref().map(|tried| &tried.became))
        {
            self.questions.end_ticket(&yes.ticket.code, end, Some(yes.consent)).await;
        }
        let Tried { words, became } = tried?;
        let invocation = &Invocation { words: &words, ..*invocation };
        invocation.origin.became(&became);
        match became {
            Became::Refused(why) => Ok(Some(self.voice.refused(invocation, why).await)),
            Became::NotServed(reply) => Ok(Some(reply)),
            Became::NothingToDo(skips) => {
                let reply = self.already_so(invocation, &skips);
                Ok(Some(self.with_spelling(invocation, &skips, reply).await))
            }
            Became::Differs(difference) => Err(not_as_left(&difference)),
            Became::Planned(planned) => {
                let cost = cost_in_words(planned.class, action);
                let reply = plan::shown(invocation, action, &planned, cost, &self.roster);
                Ok(Some(warned(reply, action, &planned.looked.plans)))
            }
            Became::Rehearsed => {
                Ok(Some(rehearsed(invocation.words, self.freeze_control.bot_frozen())))
            }
            Became::ToAsk(question) => match invocation.origin.shell() {
                Some(shell) if question.is_for_asker() && !shell.console.can_ask() => {
                    Ok(Some(nobody_to_ask(invocation)))
                }
                _ => self.questions.ask(invocation, action, *question).await.map(|()| None),
            },
            Became::Job(_guards) => {
                // There is no job without a yes; should there be one, nothing is done in silence.
                let yes =
                    yes.ok_or_else(|| Stop::refused("that many need a confirmation first"))?;
                let begun = self.jobs.begin(invocation, yes).await;
                if begun.is_err() && !self.jobs.is_job(&yes.ticket.code) {
                    self.questions
                        .end_ticket(&yes.ticket.code, End::Refused, Some(yes.consent))
                        .await;
                }
                begun.map(|()| None)
            }
            Became::Ran(ran) => Ok(Some(self.tell_what_ran(invocation, action, *ran).await)),
        }
    }

    /// The answer about a change that was made, with what it made told in private.
    async fn tell_what_ran(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        ran: Ran,
    ) -> Reply {
        let reply = standing_for(told(&ran, &self.roster), invocation, &ran);
        let Ran { number, done, secrets, .. } = ran;
        if let Some(shell) = invocation.origin.shell()
            && let Some(line) = line_of_change(invocation, number, &reply)
        {
            shell.tell(line);
        }
        let reply =
            if action.whispers() && done.iter().all(|one| one.outcome.status == Status::Done) {
                self.voice.whisper(invocation, number, secrets, reply).await
            } else {
                reply
            };
        self.served.with_other_half(&verbs(invocation, action, &[]), reply).await
    }
}

/// The answer about a change, which stands for what that was about, where it was one thing, and for the
/// change, where that can be taken back.
fn standing_for(reply: Reply, invocation: &Invocation<'_>, ran: &Ran) -> Reply {
    let Some(request) = invocation.origin.message() else { return reply };
    let (mut reply, number) = (reply, ran.number);
    if let [one] = ran.done.as_slice()
        && let Some(of) = ids_of(&one.subject)
    {
        reply.ids = vec![one.subject.typed()];
        reply.ids_of = Some(of);
    }
    if ran.done.iter().any(|one| !one.outcome.undo.commands().is_empty()) {
        let (by, room) = (invocation.operator.user.clone(), request.room.clone());
        reply.made = Some(Made { number, by, room });
    }
    reply
}

/// What a subject is among what a command can take from an answer.
fn ids_of(subject: &Subject) -> Option<IdsOf> {
    Some(match subject {
        Subject::User(_) => IdsOf::Accounts,
        Subject::Room(_) => IdsOf::Rooms,
        Subject::Media(..) => IdsOf::Files,
        Subject::Token(_) => IdsOf::Tokens,
        Subject::Destination(_) => IdsOf::Servers,
        Subject::EventReport(_) => IdsOf::EventReports,
        Subject::UserReport(_) => IdsOf::AccountReports,
        // Of whom a device is stands in the command, and could be somebody else. What takes an event is
        // not given it by an answer.
        Subject::Device(..) | Subject::Event(..) | Subject::Homeserver(_) => return None,
    })
}

/// The answer to what takes a yes, typed where nobody can be asked.
fn nobody_to_ask(invocation: &Invocation<'_>) -> Reply {
    let line = Line::new()
        .command(crate::input::shown(invocation.words))
        .plain(" needs a confirmation, and there is no terminal to ask at; nothing was done");
    Reply::outcome(Status::Refused, line)
        .note("Run it at a terminal, where I can ask; --plan shows here what it would do")
}

/// The words with these options, before what can be no option.
fn with_options(mut words: Vec<String>, options: Vec<String>) -> Vec<String> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.splice(end..end, options);
    words
}

/// How the question ends whose yes led to this; `None` where a job goes on from it, which ends it.
fn end_of(became: Result<&Became, &Stop>) -> Option<End> {
    match became {
        Ok(Became::Ran(ran)) => Some(End::Run(Some(ran.number))),
        Ok(Became::Rehearsed) => Some(End::Rehearsed),
        Ok(Became::ToAsk(_)) => Some(End::PutAgain),
        Ok(Became::Job(_)) => None,
        Ok(
            Became::Refused(_)
            | Became::NotServed(_)
            | Became::NothingToDo(_)
            | Became::Differs(_)
            | Became::Planned(_),
        )
        | Err(_) => Some(End::Refused),
    }
}

/// What was done, in words.
pub(super) fn told(ran: &Ran, roster: &Roster) -> Reply {
    let until = match ran.ends {
        Ends::At(until) => Some(until),
        Ends::Never | Ends::NotKept => None,
    };
    let reply = report(ran.number, until, &ran.done, &ran.skips, roster);
    match ran.ends {
        Ends::NotKept => reply.text("Its end could not be saved, so it does not end by itself"),
        Ends::At(_) | Ends::Never => reply,
    }
}
