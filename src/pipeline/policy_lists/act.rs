//! Acting by a rule where the config says so, and taking that back where the rule goes.
//!
//! It goes the way of every change, as the bot itself with the role of a moderator: the gate, the look
//! before and after, the record. What would take a question is left to operators. Each is announced first,
//! and the announcement stands for the message that asks for it, so that it is done at most once.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use ruma::OwnedEventId;
use tracing::{error, info, warn};

use super::{PolicyWatch, WatchedList};
use crate::{
    audit::{Kept as Entry, Kind, Record},
    change::{FactMap, Undo},
    commands::Options,
    error::Stop,
    operators::{Operator, Rank},
    pipeline::{
        Invocation, Origin, Scheduled, ScheduledKind,
        background::token::why_it_waits,
        change::{
            Attempt, Expected, Extent, Prepared,
            report::{not_as_left, overall},
        },
        router::told,
    },
    policy_lists::{Measure, MeasureState},
    reply::{Line, Reply, Status},
    store,
    synapse::Secrets,
};

/// Within how long the sanctions of a list are counted.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// What came of an attempt.
enum Tried {
    /// It was made, by the change of this number, which left this and is taken back so.
    Done { number: u64, left: FactMap, undo: Option<Vec<String>>, reply: Box<Reply> },
    /// It was tried, and this came of it.
    Failed(Box<Reply>),
    /// It is left to the operators, for this reason.
    Left(Line),
    /// The bot may not act now.
    NotNow,
}

impl PolicyWatch {
    /// On how many more accounts and rooms the bot may act now because of a list.
    pub(super) fn may_still_act(&self, watched: &WatchedList) -> Result<usize, store::Error> {
        if self.below.roster.read_only || self.below.freeze_control.bot_frozen().is_some() {
            return Ok(0);
        }
        let since = self.now() - RECENT;
        let is_by = |record: &Record| {
            record.kind == Kind::Opened
                && record.undoes.is_none()
                && record.by.as_ref() == Some(&self.below.roster.bot)
                && record.reason.as_deref().is_some_and(|why| why.starts_with(&begins(watched)))
        };
        let taken = self.below.audit.since(since)?.iter().filter(|record| is_by(record)).count();
        let due = self.below.lists.measures()?.into_iter().filter(|(_, measure)| {
            measure.list == watched.named.as_str()
                && matches!(measure.state, MeasureState::Announced(_))
        });
        Ok(watched.per_hour.saturating_sub(taken + due.count()))
    }

    /// Takes the measures that were announced, and takes back those whose rules are gone. What cannot be
    /// done now waits for the next time.
    pub(super) async fn act(&self) -> Result<(), store::Error> {
        let measures = self.below.lists.measures()?;
        if measures.is_empty() {
            return Ok(());
        }
        let named = self.named_by_rules()?;
        for (id, measure) in measures {
            let watched = self.watched().iter().find(|list| list.named.as_str() == measure.list);
            let is_named = named.contains(&id);
            match &measure.state {
                MeasureState::Announced(event) => {
                    let stands = is_named && watched.is_some_and(|watched| watched.acts);
                    self.take_measure(&id, &measure, event.clone(), stands).await?;
                }
                MeasureState::Taken { .. } => {
                    if watched.is_some() && !is_named {
                        self.end_measure(&id, &measure).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// All that the rules of the lists that are watched name.
    fn named_by_rules(&self) -> Result<BTreeSet<String>, store::Error> {
        let mut named = BTreeSet::new();
        for list in self.watched() {
            let rules = self.below.lists.rules(list.named.as_str())?;
            named.extend(rules.into_values().map(|kept| kept.rule.entity.raw().to_owned()));
        }
        Ok(named)
    }

    /// Takes a measure that was announced, unless an earlier run has begun it or it does not stand any more:
    /// its rule is gone, or the config does not want it now.
    async fn take_measure(
        &self,
        id: &str,
        measure: &Measure,
        event: OwnedEventId,
        stands: bool,
    ) -> Result<(), store::Error> {
        let lists = &self.below.lists;
        if let Some(number) = self.below.audit.opened_by(&event)? {
            let closing = self.below.audit.closing(number)?;
            match closing.and_then(|closing| as_left(&closing)) {
                Some((left, undo)) => {
                    let announced = event;
                    let state = MeasureState::Taken { number, announced, undo, left };
                    lists.keep_measure(id, &Measure { state, ..measure.clone() }).await?;
                }
                // How it ended is told with what was cut off, and not repeated.
                None => lists.forget_measure(id).await?,
            }
            return Ok(());
        }
        if !stands || lists.let_go(id)?.is_some() {
            return lists.forget_measure(id).await;
        }
        let reason = reason(measure);
        let tried = self.try_to(measure, &measure.words, (&event, Some(reason)), None).await;
        match tried {
            Tried::Done { number, left, undo, reply } => {
                match undo {
                    Some(undo) => {
                        let announced = event.clone();
                        let state = MeasureState::Taken { number, announced, undo, left };
                        lists.keep_measure(id, &Measure { state, ..measure.clone() }).await?;
                    }
                    None => lists.forget_measure(id).await?,
                }
                let note = "I undo it when the rule is withdrawn. If an operator undoes it, no rule \
                            makes me do it again";
                self.say_of(&event, "done", &reply.note(note)).await;
            }
            Tried::Failed(reply) => {
                lists.forget_measure(id).await?;
                self.say_of(&event, "failed", &reply).await;
            }
            Tried::Left(why) => {
                lists.forget_measure(id).await?;
                let title =
                    Line::new().code(&measure.subject).plain(": I leave this to you, since ");
                let reply = Reply::outcome(Status::NothingChanged, title.line(why));
                let reply = reply.command("To do it", measure.words.clone());
                self.say_of(&event, "left", &reply).await;
            }
            Tried::NotNow => {}
        }
        Ok(())
    }

    /// Takes a measure back whose rules are gone.
    async fn end_measure(&self, id: &str, measure: &Measure) -> Result<(), store::Error> {
        let MeasureState::Taken { number, announced, undo, left } = &measure.state else {
            return Ok(());
        };
        info!(number, "the rule is gone that a measure rests on");
        let why = format!("its rule of the policy list {} was withdrawn", measure.list);
        let back = Some((*number, left));
        let tried = self.try_to(measure, undo, (announced, Some(why)), back).await;
        let reply = match tried {
            Tried::NotNow => return Ok(()),
            Tried::Done { reply, .. } => reply.note(
                Line::from("The rule that led to ")
                    .code(format!("#{number}"))
                    .plain(" was withdrawn, so I undid it"),
            ),
            Tried::Failed(reply) => reply.command("To try it yourself", undo.clone()),
            Tried::Left(why) => {
                let title = Line::new()
                    .code(&measure.subject)
                    .plain(": the rule was withdrawn that led to ")
                    .code(format!("#{number}"))
                    .plain(", and I leave it to you what to do: ");
                let reply = Reply::outcome(Status::NothingChanged, title.line(why));
                reply.command("To undo it", undo.clone())
            }
        };
        self.below.lists.forget_measure(id).await?;
        self.say_of(announced, "ended", &reply).await;
        Ok(())
    }

    async fn say_of(&self, announced: &OwnedEventId, key: &str, reply: &Reply) {
        let Some(rules) = &self.below.rules.policy_lists else { return };
        let reply = Reply { encrypted_only: true, ..reply.clone() };
        if !self.below.voice.say_surely(&rules.room, Some(announced), key, &reply).await {
            error!("what came of a rule was not told");
        }
    }

    /// Looks, asks the gate and makes a change, as the bot itself: one that the announcement stands for, or,
    /// with the number and what is left of it, one that takes that back.
    async fn try_to(
        &self,
        measure: &Measure,
        words: &[String],
        (event, reason): (&OwnedEventId, Option<String>),
        back: Option<(u64, &FactMap)>,
    ) -> Tried {
        let tried = self.made(measure, words, (event, reason), back).await;
        tried.unwrap_or_else(|stop| match stop {
            Stop::Refused { why, .. } => Tried::Left(why),
            Stop::Api(error) if error.is_for_now() || error.is_away() => Tried::NotNow,
            stop => {
                warn!(error = &stop as &dyn std::error::Error, "a rule was not acted on");
                Tried::Left(stop.to_string().into())
            }
        })
    }

    async fn made(
        &self,
        measure: &Measure,
        words: &[String],
        (event, reason): (&OwnedEventId, Option<String>),
        back: Option<(u64, &FactMap)>,
    ) -> Result<Tried, Stop> {
        let Some(rules) = &self.below.rules.policy_lists else { return Ok(Tried::NotNow) };
        let room = &rules.room;
        if self.below.freeze_control.bot_frozen().is_some()
            || why_it_waits(&self.below.reader).is_some()
            || self.below.voice.ensure_heard(room).await.is_err()
        {
            return Ok(Tried::NotNow);
        }
        let executor = &self.below.executor;
        let Some((action, typed)) = executor.action(words) else {
            return Ok(Tried::Left("I cannot read the command for it".into()));
        };
        let options = Options { reason, ..typed };
        let bot = &self.below.roster.bot;
        let (user, role, person) = (bot.clone(), Rank::Moderator.into(), bot.to_string());
        let operator = Operator { user, role, person };
        let kind = match back {
            None => ScheduledKind::PolicyRule,
            Some(_) => ScheduledKind::SanctionExpiry,
        };
        let invocation = Invocation {
            origin: Origin::Scheduled(Scheduled { kind, room, event }),
            operator: &operator,
            words,
            options: &options,
            undoes: back.map(|(number, _)| number),
        };
        let left = back.map(|(_, left)| [(measure.subject.clone(), left.clone())]);
        let expected = left.as_ref().map_or(Expected::Anything, |left| Expected::Left(left));
        let action = action.as_ref();
        let attempt =
            Attempt { invocation: &invocation, action, expected, yes: None, extent: Extent::Whole };
        let subjects = vec![measure.subject.clone()];
        let _held = executor.hold(&subjects).await;
        let reader = self.below.reader.look();
        Ok(match executor.prepare(&attempt, subjects, &reader).await? {
            Prepared::Ready(ready) => {
                let ran = executor.run(&attempt, *ready, Secrets::new()).await?;
                let reply = Box::new(told(&ran, &self.below.roster));
                let number = ran.number;
                match (overall(&ran.done), ran.done.into_iter().next()) {
                    (Status::Done, Some(one)) => {
                        let undo = match one.outcome.undo {
                            Undo::Command(words) => Some(words),
                            _ => None,
                        };
                        Tried::Done { number, left: one.left, undo, reply }
                    }
                    _ => Tried::Failed(reply),
                }
            }
            Prepared::Rehearsed | Prepared::NotServed(_) | Prepared::Planned(_) => Tried::NotNow,
            Prepared::Asks(_) => Tried::Left("it needs a confirmation".into()),
            Prepared::Refused(why) => Tried::Left(why),
            Prepared::Differs(difference) => return Err(not_as_left(&difference)),
            Prepared::NothingToDo(skips) => {
                let why = skips.into_iter().next().map(|(_, skip)| skip.why);
                Tried::Left(why.unwrap_or_else(|| "there is nothing to do".into()))
            }
        })
    }
}

/// How the reason of each sanction begins that a list leads to.
fn begins(watched: &WatchedList) -> String {
    format!("policy list {}: ", watched.named)
}

/// Why the bot acts: the list, the rule and who wrote it.
fn reason(measure: &Measure) -> String {
    let Measure { list, rule, .. } = measure;
    let why = rule.reason.as_ref().map(|why| format!(": {}", why.raw())).unwrap_or_default();
    format!(
        "policy list {list}: {} of {} by {}{why}",
        rule.recommendation.as_str(),
        rule.entity.raw(),
        rule.sender
    )
}

/// What a change has left, and the words that take it back, where it was made and can be.
fn as_left(closing: &Entry) -> Option<(FactMap, Vec<String>)> {
    let record = closing.record.as_ref().filter(|record| record.status == Some(Status::Done))?;
    let (_, left) = record.left.first()?;
    match record.undo.first()? {
        Undo::Command(words) => Some((left.clone(), words.clone())),
        _ => None,
    }
}
