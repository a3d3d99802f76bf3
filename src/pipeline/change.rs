//! The way of a change: look, weigh, ask or act, look again, tell.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use tracing::{error, warn};

use super::{
    Asked, Pipeline, Request, Unsent,
    found::{broken_off, drift, not_verified, only, verified},
    looking::Looking,
    plan,
    report::{cost_in_words, line_of, overall, rehearsed, report},
    unreviewed::has_changed,
};
use crate::{
    audit::{Kind, Record},
    change::{Binds, Change, Class, Outcome, Seen, Skip, Step, Subject},
    commands::{Action, operations},
    confirm::{Consent, End, Ticket},
    error::Stop,
    gate::{AT_A_GLANCE, Permit, Target, Verdict},
    reply::{Line, Reply, Word},
    synapse::{Reader, Slots},
};

/// Length of a password that the bot makes, characters; about 115 bits.
const PASSWORD_LENGTH: usize = 20;

/// The most subjects of one command: their list is kept, shown to be the same, and recorded.
const MOST: usize = 10_000;

/// How many subjects are looked at at once.
const LOOKS_AT_ONCE: usize = 8;

/// What is to be done to one subject.
pub(super) struct Plan {
    pub(super) subject: Subject,
    pub(super) seen: Seen,
    pub(super) change: Change,
}

impl Plan {
    /// The verbs whose work its requests do.
    fn verbs(&self) -> impl Iterator<Item = &'static str> {
        self.change.steps.iter().flat_map(|step| operations::verbs(step, &self.seen))
    }
}

/// Everything that was looked up before anything is decided.
pub(super) struct Looked {
    pub(super) targets: Vec<Target>,
    pub(super) plans: Vec<Plan>,
    pub(super) skips: Vec<(Subject, Skip)>,
}

impl Looked {
    /// What it costs to do it to all of them. Where somebody among them is not there, or may not
    /// be touched, it is perhaps a slip, and costs a question at least.
    pub(super) fn class(&self, action: &dyn Action) -> Class {
        let least = if self.in_doubt() { Class::Disruptive } else { Class::Reversible };
        action.class(self.plans.len()).max(least)
    }

    /// Whether one of several could not be meant as it was typed.
    fn in_doubt(&self) -> bool {
        self.skips.iter().any(|(_, skip)| skip.word == Word::Refused)
    }

    /// The requests, of all of them in order.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.plans.iter().flat_map(|plan| plan.change.steps.clone()).collect()
    }
}

/// What was found of one subject.
pub(super) enum Found {
    /// What is to be done.
    Plan(Target, Box<Plan>),
    /// Why there is nothing to do.
    Skip(Skip),
    /// Why it may not be touched.
    Refused(Line),
}

/// What became of one subject.
pub(super) struct Done {
    pub(super) subject: Subject,
    pub(super) outcome: Outcome,
    /// The state that it left, of what it was about.
    pub(super) left: Binds,
    /// The work that the homeserver goes on with, by the id under which its verb asks for it.
    pub(super) work: Option<String>,
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
        let declared = verbs(asked, action, &[]);
        let may = |verb: &&str| self.gate().may_use(asked.operator, action.power(), verb);
        if let Err(refusal) = declared.iter().try_for_each(may) {
            return Ok(Some(self.refused(asked, refusal.0).await));
        }
        if yes.is_none() {
            self.authenticate(asked.origin).await?;
        }
        let (words, slots) = self.take_secrets(asked, action, yes.map(|(t, _)| t)).await?;
        let asked = &Asked { words: &words, ..*asked };

        self.must_serve(&declared, asked.options).await?;
        if !asked.options.plan {
            self.not_held()?;
        }
        if let Some((ticket, consent)) = yes
            && ticket.about.len() > AT_A_GLANCE
        {
            let class = action.class(ticket.about.len());
            let _counted = self.counted.hold(asked.operator, class).await;
            if self.suffices(asked, action, (ticket, consent), &declared)? {
                return self.begin_job(asked, (ticket, consent)).await;
            }
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
        let _counted = self.counted.hold(asked.operator, looked.class(action)).await;
        // Somebody may have been frozen while this waited.
        if let Some(reply) = self.not_served(&asked.operator.person) {
            return Ok(Some(reply));
        }
        let verbs = verbs(asked, action, &looked.plans);
        let weight = self.weigh(asked, action, (&looked, &verbs))?;
        let steps = looked.steps();
        let consent = yes.map(|(_, consent)| consent).filter(|_| drift.is_empty());
        if let Some(why) = self.ends_early(asked, &looked)? {
            return Ok(Some(self.refused(asked, why).await));
        }
        match self.gate().decide(asked.operator, &weight, &steps, consent) {
            Verdict::Refuse(refusal) => Ok(Some(self.refused(asked, refusal.0).await)),
            _ if asked.options.plan => {
                let terms = self.gate().terms(&weight);
                let next = plan::Next { terms, cost: cost_in_words(weight.class, action), until };
                Ok(Some(plan::shown(asked, &looked, &next)))
            }
            Verdict::Rehearse => Ok(Some(rehearsed(asked.words, self.held()))),
            Verdict::Ask(terms) => {
                self.ready_to_whisper(asked, action).await?;
                let (needs, class) = (self.needs(asked, &weight, terms)?, weight.class);
                if let Some((ticket, consent)) = yes {
                    self.end_ticket(&ticket.code, End::PutAgain, Some(consent)).await;
                }
                let again = yes.map(|_| drift.as_slice());
                self.ask(asked, action, &looked, (needs, class), slots, again).await?;
                Ok(None)
            }
            // It was not enough a moment ago, and is now.
            Verdict::Run(_)
                if let Some(yes) = yes.filter(|(ticket, _)| ticket.about.len() > AT_A_GLANCE) =>
            {
                self.begin_job(asked, yes).await
            }
            Verdict::Run(permit) => {
                self.ready_to_tell(asked).await?;
                self.ready_to_whisper(asked, action).await?;
                let told = self.run(asked, action, looked, (permit, slots), yes).await?;
                Ok(Some(self.with_other_half(&declared, told).await))
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
        // What is scheduled holds no secret: none is kept with a list, nor with an undo.
        let Some(request) = asked.origin.message() else {
            return Err(Stop::refused("a secret is not kept, so this cannot be done later"));
        };
        let removed = self.remove_secret(request).await;
        if !self.rules.typed_secrets {
            return Err(Stop::refused(match removed {
                Ok(()) => {
                    "a secret is not typed in a room: everybody in it could read it. I have removed \
                     your message; consider the secret as known. `user password` makes one, and \
                     tells it to you alone"
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

    /// Takes a message with a secret out of the room.
    pub(super) async fn remove_secret(&self, request: &Request) -> Result<(), Unsent> {
        let why = "It held a secret";
        let removed = self.outbox.redact(&request.room, &request.event, why).await;
        removed.inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "a typed secret stays in the room");
        })
    }

    /// Keeps the end of what ends by itself, and ends what this put an end to. False where an end
    /// was wanted and cannot be kept.
    pub(super) async fn set_ends(
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

    /// Looks at every subject, several at a time. Of one alone that the gate forbids there is a
    /// reply instead; of several it is left out, and told.
    pub(super) async fn look_at(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        subjects: Vec<Subject>,
        reader: &Reader,
    ) -> Result<Result<Looked, Reply>, Stop> {
        let many = subjects.len();
        if many > MOST {
            return Err(Stop::refused(format!(
                "that is about {many}, and I take at most {MOST} at a time; send it in parts, or \
                 make what it is about narrower"
            )));
        }
        let alone = many == 1;
        let looks = subjects.into_iter().map(|subject| async move {
            let found = self.look_at_one(asked, action, &subject, reader).await;
            (subject, found)
        });
        let mut looking = Looking::at(self, asked, many).await;
        let mut found = stream::iter(looks).buffered(LOOKS_AT_ONCE);
        let mut looked = Looked { targets: Vec::new(), plans: Vec::new(), skips: Vec::new() };
        let mut refused = Vec::new();
        while let Some((subject, found)) = found.next().await {
            looking.one_more().await;
            match found? {
                Found::Plan(target, plan) => {
                    looked.targets.push(target);
                    looked.plans.push(*plan);
                }
                Found::Skip(skip) => looked.skips.push((subject, skip)),
                Found::Refused(why) if alone => return Ok(Err(self.refused(asked, why).await)),
                Found::Refused(why) => {
                    let skip = Skip { word: Word::Refused, why, instead: Vec::new() };
                    refused.push(subject.clone());
                    looked.skips.push((subject, skip));
                }
            }
        }
        if !refused.is_empty() {
            let record = Record { subjects: refused, ..Self::record(Kind::Refused, asked) };
            self.audit.note(record).await?;
        }
        Ok(Ok(looked))
    }

    /// Looks at one subject, if the gate lets anybody touch it.
    pub(super) async fn look_at_one(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        subject: &Subject,
        reader: &Reader,
    ) -> Result<Found, Stop> {
        let mut target = target(subject, reader).await?;
        let may = |target: &Target, harmless| self.gate().may_do(asked.operator, target, harmless);
        if let Err(refusal) = may(&target, action.harmless()) {
            return Ok(Found::Refused(refusal.0));
        }
        let seen = action.see(subject, reader).await?;
        for reached in action.reaches(subject, &seen) {
            let reached = self::target(&reached, reader).await?;
            if let Err(refusal) = may(&reached, false) {
                return Ok(Found::Refused(refusal.0));
            }
            target.reached.push(reached);
        }
        Ok(match action.change(subject, &seen) {
            Ok(change) => {
                Found::Plan(target, Box::new(Plan { subject: subject.clone(), seen, change }))
            }
            Err(skip) => Found::Skip(skip),
        })
    }

    /// Nothing is changed of which the room could not be told: the room is where others see it, and
    /// whoever asked would ask again.
    pub(super) async fn ready_to_tell(&self, asked: &Asked<'_>) -> Result<(), Stop> {
        if self.outbox.may_say(asked.origin.room()).await {
            return Ok(());
        }
        warn!(event = %asked.origin.event(), "nothing is changed where I may not write");
        Err(Stop::refused("I may not write in this room, so nothing was done"))
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
            .or(&["me", "dm"])
        })
    }

    /// Records, sends, looks again, records, and says what is so.
    pub(super) async fn run(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        looked: Looked,
        (mut permit, mut slots): (Permit, Slots),
        yes: Option<(&Ticket, &Consent)>,
    ) -> Result<Reply, Stop> {
        let until = self.until(asked)?;
        let class = looked.class(action);
        let opened = Record {
            until,
            yes: yes.map(|(_, consent)| consent.by().to_owned()),
            approvals: yes.map(|(_, consent)| consent.approvals().to_vec()).unwrap_or_default(),
            ticket: yes.map(|(ticket, _)| ticket.code.clone()),
            // What was agreed to, where that was dearer than what is left of it.
            class: Some(yes.map_or(class, |(ticket, _)| class.max(ticket.class))),
            alone: asked.options.alone.clone().filter(|_| yes.is_some_and(|(_, c)| c.alone())),
            subjects: looked.plans.iter().map(|plan| plan.subject.clone()).collect(),
            requests: looked
                .plans
                .iter()
                .flat_map(|p| p.change.steps.iter().map(line_of))
                .collect(),
            left: looked.plans.iter().map(|p| (p.subject.clone(), p.seen.binds.clone())).collect(),
            ..Self::record(Kind::Opened, asked)
        };
        let number = self.audit.open(opened).await?;
        for &name in action.makes() {
            if slots.get(name).is_none() {
                slots.put(name, self.clock.secret(PASSWORD_LENGTH).into());
            }
        }
        let mut done = Vec::new();
        let mut gone = Vec::new();
        for plan in looked.plans {
            let erases = plan.change.wanted.get("erased") == Some(&true.into());
            let one = self.carry_out(action, plan, &mut permit, &mut slots).await;
            if erases && one.outcome.word == Word::Done {
                gone.push(one.subject.clone());
            }
            done.push(one);
        }
        let ends = self.set_ends(asked, (number, until), &done).await;
        // First, or a kill between the two would leave what is on record as done unwatched.
        self.keep_watches(asked, number, &done).await;
        self.close(asked, number, (until, &done)).await;
        self.watch_begun.notify_one();
        self.forget(&gone, number).await;
        if let Some((ticket, consent)) = yes {
            self.end_ticket(&ticket.code, End::Run(Some(number)), Some(consent)).await;
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
    pub(super) async fn carry_out(
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
        let left = after.map(|after| only(&after, &plan.change.wanted)).unwrap_or_default();
        let work = failed.is_none().then(|| action.begins(&plan.subject, &answers)).flatten();
        Done { subject: plan.subject, outcome, left, work }
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
            changed: Some(done.iter().filter(|one| has_changed(one.outcome.word)).count()),
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
                .code(crate::input::shown(asked.words)),
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
        self.close_ticket(code, how, consent.map(Consent::by)).await;
    }
}

/// The verb, every other that it says it amounts to, and every other whose work the requests of
/// these plans do.
pub(super) fn verbs<'a>(
    asked: &'a Asked<'_>,
    action: &'a dyn Action,
    plans: &[Plan],
) -> Vec<&'a str> {
    let mut verbs = vec![asked.options.verb.as_str()];
    let done: Vec<&'a str> =
        plans.iter().flat_map(|plan| plan.verbs().map(|verb| verb as _)).collect();
    for verb in action.amounts_to().into_iter().chain(done) {
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    verbs
}

/// What the gate wants to know of a subject.
pub(super) async fn target(subject: &Subject, reader: &Reader) -> Result<Target, Stop> {
    let account = match subject.user() {
        Some(user) if reader.is_local(user) => reader.account(user).await?,
        _ => None,
    };
    Ok(Target {
        server_admin: account.as_ref().is_some_and(|account| account.admin),
        bridged: account.is_some_and(|account| account.appservice_id.is_some()),
        ..Target::ordinary(subject.clone())
    })
}

/// The words with every typed secret replaced, wherever it stands in them.
pub(super) fn mask(
    words: &[String],
    typed: &[(&'static str, secrecy::SecretString)],
) -> Vec<String> {
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
