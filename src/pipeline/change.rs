//! The way of a change: look, weigh, ask or act, look again, tell.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::{error, warn};

use super::{
    Asked, Pipeline,
    fact::{Difference, fact, label},
    plan,
};
use crate::{
    audit::{Kind, Record},
    change::{Answer, Binds, Change, Class, Method, Outcome, Seen, Skip, Step, Subject, Undo},
    commands::Action,
    confirm::{Consent, End, Ticket},
    error::Stop,
    gate::{Permit, Target, Verdict, Weight},
    reply::{Block, Line, Reply, Word, utc},
    synapse::{Reader, SendError, Slots},
};

/// Length of a password that the bot makes, characters; about 115 bits.
const PASSWORD_LENGTH: usize = 20;

/// What is to be done to one subject.
pub(super) struct Plan {
    pub(super) subject: Subject,
    pub(super) seen: Seen,
    pub(super) change: Change,
}

/// Everything that was looked up before anything is decided.
pub(super) struct Looked {
    pub(super) targets: Vec<Target>,
    pub(super) plans: Vec<Plan>,
    pub(super) skips: Vec<(Subject, Skip)>,
}

/// What became of one subject.
pub(super) struct Done {
    pub(super) subject: Subject,
    pub(super) outcome: Outcome,
    /// The state that it left, of what it was about.
    pub(super) left: Binds,
}

impl Pipeline {
    /// Takes a change from its command, or from the yes to it, to its end or to a question, or with
    /// `--plan` to what it would be.
    pub(super) async fn change(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        yes: Option<(&Ticket, &Consent)>,
    ) -> Result<Option<Reply>, Stop> {
        if let Err(refusal) = self.gate().may_use(asked.operator, action.power()) {
            return Ok(Some(self.refused(asked, refusal.0).await));
        }
        if yes.is_none() {
            self.authenticate(asked.request).await?;
        }
        let (words, slots) = self.take_secrets(asked, action, yes.map(|(t, _)| t)).await?;
        let asked = &Asked { words: &words, ..*asked };

        if !asked.options.plan {
            self.not_held()?;
        }
        let reader = self.reader.look();
        let subjects = action.subjects(&reader).await?;
        let _held = self.locks.hold(&subjects).await;
        // What was read while waiting for others to finish is not what is so now.
        let reader = self.reader.look();
        let looked = match self.look_at(asked, action, subjects, &reader).await? {
            Ok(looked) => looked,
            Err(reply) => return Ok(Some(reply)),
        };
        let until = self.until(asked)?;
        if looked.plans.is_empty() {
            return Ok(Some(self.already_so(asked, &looked.skips)));
        }
        let drift = yes.map(|(ticket, _)| drift(ticket, &looked.plans)).unwrap_or_default();
        let weight = Weight {
            class: action.class(looked.plans.len()),
            power: action.power(),
            phrase: action.phrase(),
            harmless: action.harmless(),
            targets: &looked.targets,
        };
        let steps: Vec<Step> =
            looked.plans.iter().flat_map(|plan| plan.change.steps.clone()).collect();
        let consent = yes.map(|(_, consent)| consent).filter(|_| drift.is_empty());
        if let Some(why) = self.ends_early(asked, &looked)? {
            return Ok(Some(self.refused(asked, why).await));
        }
        match self.gate().decide(asked.operator, &weight, &steps, consent) {
            Verdict::Refuse(refusal) => Ok(Some(self.refused(asked, refusal.0).await)),
            _ if asked.options.plan => {
                let demand = self.gate().demand(&weight);
                let next = plan::Next { demand, class: weight.class, until };
                Ok(Some(plan::shown(asked, &looked, &next)))
            }
            Verdict::Rehearse => Ok(Some(rehearsed(asked.words, self.held()))),
            Verdict::Ask(demand) => {
                self.ready_to_whisper(asked, action).await?;
                if let Some((ticket, consent)) = yes {
                    self.end_ticket(&ticket.code, End::PutAgain, Some(consent)).await;
                }
                self.ask(asked, action, &looked, (demand, weight.class), slots, &drift).await?;
                Ok(None)
            }
            Verdict::Run(permit) => {
                self.ready_to_whisper(asked, action).await?;
                let code = yes.map(|(ticket, _)| ticket.code.as_str());
                self.run(asked, action, looked, (permit, slots), code).await.map(Some)
            }
        }
    }

    /// Takes typed secrets out of the words into memory, and the message out of the room.
    async fn take_secrets(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        ticket: Option<&Ticket>,
    ) -> Result<(Vec<String>, Slots), Stop> {
        if let Some(ticket) = ticket {
            let kept = self.secrets.lock().await.remove(&ticket.code);
            return Ok((asked.words.to_vec(), kept.unwrap_or_default()));
        }
        let typed = action.typed();
        if typed.is_empty() {
            return Ok((asked.words.to_vec(), Slots::new()));
        }
        let request = asked.request;
        let why = "It held a secret";
        let removed = self.outbox.redact(&request.room, &request.event, why).await;
        if let Err(error) = &removed {
            error!(error = error as &dyn std::error::Error, "a typed secret stays in the room");
        }
        if !self.rules.typed_secrets {
            return Err(Stop::refused(match removed {
                Ok(()) => {
                    "a secret is not typed in a room: everybody in it could read it. I have removed \
                     your message; consider the secret as known. Leave it out, and I make one"
                }
                Err(_) => {
                    "a secret is not typed in a room: everybody in it can read it. I could not \
                     remove your message: remove it yourself, and consider the secret as known"
                }
            }));
        }
        let words = mask(asked.words, &typed);
        let mut slots = Slots::new();
        for (name, secret) in typed {
            slots.put(name, secret);
        }
        Ok((words, slots))
    }

    /// Keeps the end of what ends by itself, and ends what this put an end to. False where an end
    /// was wanted and cannot be kept.
    async fn set_ends(
        &self,
        asked: &Asked<'_>,
        (number, until): (u64, Option<Timestamp>),
        done: &[Done],
    ) -> bool {
        let mut kept = true;
        for one in done {
            self.end_sanctions(number, &one.subject, &one.left).await;
            if one.outcome.word == Word::Done
                && let Some(until) = until
            {
                kept &= self.impose(asked, (number, until), one).await;
            }
        }
        kept
    }

    /// Looks at every subject; a reply instead where the gate forbids one.
    pub(super) async fn look_at(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        subjects: Vec<Subject>,
        reader: &Reader,
    ) -> Result<Result<Looked, Reply>, Stop> {
        let mut looked = Looked { targets: Vec::new(), plans: Vec::new(), skips: Vec::new() };
        for subject in subjects {
            let target = target(&subject, reader).await?;
            if !action.harmless()
                && let Err(refusal) = self.gate().may_touch(asked.operator, &target)
            {
                return Ok(Err(self.refused(asked, refusal.0).await));
            }
            let seen = action.see(&subject, reader).await?;
            for reached in action.reaches(&subject, &seen) {
                let reached = Target { subject: Subject::Room(reached), server_admin: false };
                if let Err(refusal) = self.gate().may_touch(asked.operator, &reached) {
                    return Ok(Err(self.refused(asked, refusal.0).await));
                }
            }
            match action.change(&subject, &seen) {
                Ok(change) => {
                    looked.targets.push(target);
                    looked.plans.push(Plan { subject, seen, change });
                }
                Err(skip) => looked.skips.push((subject, skip)),
            }
        }
        Ok(Ok(looked))
    }

    async fn ready_to_whisper(&self, asked: &Asked<'_>, action: &dyn Action) -> Result<(), Stop> {
        if !action.whispers() {
            return Ok(());
        }
        self.outbox.can_whisper(&asked.operator.user).await.map_err(|why| {
            Stop::refused(
                Line::new()
                    .plain("this ends with a secret that only you may read, and that cannot be: ")
                    .plain(why.to_string())
                    .plain(". Nothing was done; put that right and send the command again"),
            )
        })
    }

    /// Records, sends, looks again, records, and says what is so.
    pub(super) async fn run(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        looked: Looked,
        (mut permit, mut slots): (Permit, Slots),
        code: Option<&str>,
    ) -> Result<Reply, Stop> {
        let until = self.until(asked)?;
        let opened = Record {
            until,
            yes: code.map(|_| asked.operator.user.clone()),
            ticket: code.map(ToOwned::to_owned),
            subjects: looked.plans.iter().map(|plan| plan.subject.clone()).collect(),
            requests: looked
                .plans
                .iter()
                .flat_map(|p| p.change.steps.iter().map(line_of))
                .collect(),
            left: looked.plans.iter().map(|p| (p.subject.clone(), p.seen.binds.clone())).collect(),
            ..Self::record(Kind::Opened, asked)
        };
        let number = self.audit.open(opened).await.map_err(|error| self.unrecorded(&error))?;
        for &name in action.makes() {
            if slots.get(name).is_none() {
                slots.put(name, self.clock.secret(PASSWORD_LENGTH).into());
            }
        }
        let mut done = Vec::new();
        for plan in looked.plans {
            done.push(self.carry_out(action, plan, &mut permit, &mut slots).await);
        }
        let ends = self.set_ends(asked, (number, until), &done).await;
        self.close(asked, number, (until, &done)).await;
        if let Some(code) = code {
            self.end_ticket_by(code, End::Run(Some(number)), &asked.operator.user).await;
        }
        let mut reply = report(number, until.filter(|_| ends), &done, &looked.skips);
        if !ends {
            reply = reply.text("Its end could not be kept, so it does not end by itself");
        }
        if action.whispers() && done.iter().all(|one| one.outcome.word == Word::Done) {
            reply = self.whisper(asked, number, slots, reply).await;
        }
        Ok(reply)
    }

    /// Sends the steps of one subject and looks what became of it.
    async fn carry_out(
        &self,
        action: &dyn Action,
        plan: Plan,
        permit: &mut Permit,
        slots: &mut Slots,
    ) -> Done {
        let mut answers = Vec::new();
        let mut failed = None;
        for step in &plan.change.steps {
            match self.writer.send(permit, step, slots).await {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "a step failed");
                    failed = Some(error);
                    break;
                }
            }
        }
        let after = action.see(&plan.subject, &self.reader.look()).await;
        let outcome = match (&failed, &after) {
            (None, Ok(after)) => verified(action, &plan, &answers, after),
            (None, Err(stop)) => not_verified(&plan.subject, stop),
            (Some(error), after) => broken_off(&plan, error, after.as_ref().ok(), answers.len()),
        };
        let left = after.map(|after| only(&after.binds, &plan.change.wanted)).unwrap_or_default();
        Done { subject: plan.subject, outcome, left }
    }

    async fn close(
        &self,
        asked: &Asked<'_>,
        number: u64,
        (until, done): (Option<Timestamp>, &[Done]),
    ) {
        let closed = Record {
            subjects: done.iter().map(|one| one.subject.clone()).collect(),
            word: Some(overall(done)),
            until,
            left: done.iter().map(|one| (one.subject.clone(), one.left.clone())).collect(),
            undo: done.iter().map(|one| one.outcome.undo.clone()).collect(),
            ..Self::record(Kind::Closed, asked)
        };
        if let Err(error) = self.audit.close(number, closed).await {
            // The change stays open in the record, and is reported at the next start.
            error!(number, error = &error as &dyn std::error::Error, "an outcome was not recorded");
        }
    }

    async fn whisper(
        &self,
        asked: &Asked<'_>,
        number: u64,
        mut slots: Slots,
        receipt: Reply,
    ) -> Reply {
        let Some((_, secret)) = slots.only() else { return receipt };
        let words = Reply::data(
            Line::new()
                .plain("For change ")
                .code(format!("#{number}"))
                .plain(", ")
                .code(crate::input::quote(asked.words)),
        );
        let slot = format!("secret-{number}");
        match self.outbox.whisper(&asked.operator.user, &slot, &words, &secret).await {
            Ok(_) => receipt.note("The secret is in our direct room; it is nowhere else."),
            Err(why) => {
                error!(number, error = &why as &dyn std::error::Error, "a secret was not told");
                let mut reply = receipt;
                reply.word = Some(Word::DoneInPart);
                reply.text(
                    Line::new()
                        .plain("The secret could not be told to you, and is lost: ")
                        .plain(why.to_string())
                        .plain(". Put that right, and send the command again for a new one"),
                )
            }
        }
    }

    pub(super) async fn end_ticket(&self, code: &str, how: End, consent: Option<&Consent>) {
        match consent {
            Some(consent) => self.end_ticket_by(code, how, consent.by()).await,
            None => self.close_ticket(code, how, None).await,
        }
    }

    async fn end_ticket_by(&self, code: &str, how: End, by: &ruma::UserId) {
        self.close_ticket(code, how, Some(by)).await;
    }
}

/// What the gate wants to know of a subject.
async fn target(subject: &Subject, reader: &Reader) -> Result<Target, Stop> {
    let server_admin = match subject.user() {
        Some(user) if reader.is_local(user) => {
            reader.account(user).await?.is_some_and(|account| account.admin)
        }
        _ => false,
    };
    Ok(Target { subject: subject.clone(), server_admin })
}

/// The words with every typed secret replaced, wherever it stands in them.
fn mask(words: &[String], typed: &[(&'static str, secrecy::SecretString)]) -> Vec<String> {
    use secrecy::ExposeSecret as _;
    words
        .iter()
        .map(|word| {
            typed
                .iter()
                .filter(|(_, secret)| !secret.expose_secret().is_empty())
                .fold(word.clone(), |word, (name, secret)| {
                    word.replace(secret.expose_secret(), &format!("[{name}]"))
                })
        })
        .collect()
}

/// The binding facts that are not what the question rested on.
fn drift(ticket: &Ticket, plans: &[Plan]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for plan in plans {
        let Some((_, before)) = ticket.about.iter().find(|(subject, _)| *subject == plan.subject)
        else {
            differences.push(Difference {
                subject: plan.subject.clone(),
                key: "part_of_the_question".to_owned(),
                was: Some(false.into()),
                is: Some(true.into()),
            });
            continue;
        };
        let keys: BTreeSet<&String> = before.keys().chain(plan.seen.binds.keys()).collect();
        differences.extend(keys.into_iter().filter_map(|key| {
            let (was, is) = (before.get(key), plan.seen.binds.get(key));
            (was != is).then(|| Difference {
                subject: plan.subject.clone(),
                key: key.clone(),
                was: was.cloned(),
                is: is.cloned(),
            })
        }));
    }
    differences
}

/// Of these facts, those that the change was about.
fn only(facts: &Binds, wanted: &Binds) -> Binds {
    facts
        .iter()
        .filter(|(key, _)| wanted.contains_key(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The verb's own words, lowered where what it wanted is not what was found.
fn verified(action: &dyn Action, plan: &Plan, answers: &[Answer], after: &Seen) -> Outcome {
    let mut outcome = action.outcome(&plan.subject, &plan.seen, answers, after);
    let wanted = &plan.change.wanted;
    let met = wanted.iter().filter(|(key, value)| after.binds.get(*key) == Some(value)).count();
    if outcome.word == Word::Done && met < wanted.len() {
        let untouched = wanted.keys().all(|key| after.binds.get(key) == plan.seen.binds.get(key));
        outcome.word = if untouched { Word::NothingChanged } else { Word::DoneInPart };
        outcome.title = Line::new()
            .code(&plan.subject)
            .plain(": the homeserver answered with success, and yet not everything is so");
        for (key, value) in wanted {
            let now = after.binds.get(key);
            if now != Some(value) {
                outcome.facts.push((
                    "Not so",
                    Line::new()
                        .plain(format!("{} should be ", label(key)))
                        .line(fact(Some(value)))
                        .plain(" and is ")
                        .line(fact(now)),
                ));
            }
        }
    }
    outcome
}

fn not_verified(subject: &Subject, stop: &Stop) -> Outcome {
    warn!(error = stop as &dyn std::error::Error, "what was done cannot be looked at");
    Outcome {
        word: Word::Unknown,
        title: Line::new().code(subject).plain(
            ": the homeserver answered with success, but cannot be asked now what is so. Look \
             again before you repeat anything",
        ),
        facts: Vec::new(),
        remains: Vec::new(),
        undo: Undo::None("look at it first".to_owned()),
    }
}

/// A step failed: what is known, with the state that the homeserver shows now.
fn broken_off(plan: &Plan, error: &SendError, after: Option<&Seen>, answered: usize) -> Outcome {
    let changed = after.is_some_and(|after| after.binds != plan.seen.binds);
    let word = match error {
        SendError::Unknown(_) => Word::Unknown,
        _ if answered > 0 || changed => Word::DoneInPart,
        _ => Word::Refused,
    };
    let title = match word {
        Word::Refused => Line::new().code(&plan.subject).plain(": nothing was done. "),
        _ => Line::new().code(&plan.subject).plain(": "),
    };
    Outcome {
        word,
        title: title.plain(error.to_string()),
        facts: match (word, after) {
            (Word::Refused, _) | (_, None) => Vec::new(),
            (_, Some(after)) => after.shown.clone(),
        },
        remains: Vec::new(),
        undo: Undo::None("look at what is so before you repeat anything".to_owned()),
    }
}

/// A request in one line for the record.
pub(super) fn line_of(step: &Step) -> String {
    let method = match step.method {
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let query: Vec<String> =
        step.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = step.path.parts().join("/");
    [format!("{method} /{path}"), query.join(" "), step.body.to_string()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn overall(done: &[Done]) -> Word {
    let words: Vec<Word> = done.iter().map(|one| one.outcome.word).collect();
    match words.as_slice() {
        [] => Word::NothingChanged,
        [first, rest @ ..] if rest.iter().all(|word| word == first) => *first,
        several if several.contains(&Word::Unknown) => Word::Unknown,
        _ => Word::DoneInPart,
    }
}

/// The answer about what was done.
fn report(
    number: u64,
    until: Option<Timestamp>,
    done: &[Done],
    skips: &[(Subject, Skip)],
) -> Reply {
    let mut reply = match done {
        [one] => {
            let ends = until.filter(|_| one.outcome.word == Word::Done);
            let ends = ends.map(|until| ("Ends", ends_in_words(until)));
            Reply::outcome(one.outcome.word, one.outcome.title.clone())
                .facts(one.outcome.facts.clone().into_iter().chain(ends).collect())
        }
        _ => done.iter().fold(
            Reply::outcome(overall(done), format!("{} subjects", done.len())),
            |reply, one| {
                reply.text(
                    Line::new()
                        .strong(one.outcome.word.as_str())
                        .plain(" · ")
                        .line(one.outcome.title.clone()),
                )
            },
        ),
    };
    let remains: Vec<_> = done.iter().flat_map(|one| one.outcome.remains.clone()).collect();
    if !remains.is_empty() {
        reply = reply.with(Block::Commands(remains));
    }
    for (subject, skip) in skips {
        reply = reply.text(
            Line::new()
                .strong("Skipped")
                .plain(" · ")
                .code(subject)
                .plain(": ")
                .line(skip.why.clone()),
        );
    }
    undo_line(reply, number, done)
}

fn undo_line(reply: Reply, number: u64, done: &[Done]) -> Reply {
    let mut nearest = Vec::new();
    for one in done {
        match &one.outcome.undo {
            Undo::Command(_) if matches!(one.outcome.word, Word::Done | Word::DoneInPart) => {
                return reply.command("Undo", vec!["undo".to_owned(), number.to_string()]);
            }
            Undo::None(text) => nearest.push(text.clone()),
            Undo::Command(_) => {}
        }
    }
    nearest.dedup();
    let reply = match (nearest.first(), overall(done)) {
        (Some(text), Word::Done | Word::DoneInPart) => {
            reply.note(Line::new().plain("No undo: ").plain(text.clone()))
        }
        _ => reply,
    };
    reply.note(Line::new().plain("On record as ").code(format!("#{number}")))
}

/// The answer where there is nothing to do to anything.
pub(super) fn skipped(skips: &[(Subject, Skip)]) -> Reply {
    let mut reply = match skips {
        [] => Reply::outcome(Word::NothingChanged, "there is nothing that this is about"),
        [(_, skip)] => Reply::outcome(skip.word, skip.why.clone()),
        several => several.iter().fold(
            Reply::outcome(Word::NothingChanged, format!("{} subjects", several.len())),
            |reply, (_, skip)| {
                reply.text(
                    Line::new().strong(skip.word.as_str()).plain(" · ").line(skip.why.clone()),
                )
            },
        ),
    };
    for (_, skip) in skips {
        for command in &skip.instead {
            reply = reply.note(Line::new().plain("Try ").code(format!("!{command}")));
        }
    }
    reply
}

fn rehearsed(words: &[String], held: Option<Line>) -> Reply {
    if let Some(why) = held {
        return Reply::outcome(Word::NothingChanged, why);
    }
    Reply::outcome(
        Word::NothingChanged,
        Line::new()
            .code(crate::input::quote(words))
            .plain(" would be done now, but I am read-only, so nothing was sent"),
    )
    .note(Line::new().code("read_only: false").plain(" in the config lets me act"))
}

/// When a change is taken back by itself.
pub(super) fn ends_in_words(until: Timestamp) -> Line {
    Line::from(format!("by itself, {}", utc(until)))
}

/// The class in words.
pub(super) fn class_in_words(class: Class) -> &'static str {
    match class {
        Class::Reversible => "can be undone",
        Class::Disruptive => "cannot be put back as it was",
        Class::Irreversible => "cannot be undone",
    }
}
