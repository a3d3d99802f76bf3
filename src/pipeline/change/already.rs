//! The answer where there is nothing to do: who made it so, and whether it ends.

use crate::{
    change::{FactMap, Skip, Subject},
    commands::{Memory as _, Past, Remembered},
    pipeline::{Invocation, Pipeline, change::report::skipped, inbound::understand::listed_as},
    policy_lists::MeasureState,
    reply::{Line, Reply, Status},
};

/// How many changes of a subject are looked through for the one that made it so.
const RECENT: usize = 20;

impl Pipeline {
    /// The answer where there is nothing to do, with who made it so where that was through the
    /// bot: whoever types `--for` and reads that nothing changed must not think that it ends.
    pub(in crate::pipeline) fn already_so(
        &self,
        invocation: &Invocation<'_>,
        skips: &[(Subject, Skip)],
    ) -> Reply {
        if let Some(reply) = self.cleared_away(skips) {
            return reply;
        }
        let reply = skipped(skips, &self.roster);
        let [(subject, Skip { status: Status::NothingChanged, .. })] = skips else { return reply };
        let Remembered { past, sanctions, .. } = self.of(subject, RECENT);
        let verb = listed_as(invocation.words);
        if let Some(line) = self.done_by_a_rule(subject, verb.as_deref()) {
            return reply.text(line);
        }
        let ends = invocation.options.ends.is_some();
        if let Some(sanction) = sanctions.iter().find(|s| listed_as(&s.words) == verb) {
            let line = Line::new().plain("It ends by itself, ").at(sanction.until);
            return reply.text(by(line.plain(": "), sanction.id, &sanction.command, &sanction.by));
        }
        match self.made_so(&past, verb.as_deref()) {
            Some(past) => {
                let line = by(Line::new(), past.id, &past.command, &past.by);
                reply.text(if ends { line.plain(", and does not end by itself") } else { line })
            }
            None if ends => reply.text("That was not done through me, and does not end by itself"),
            None => reply,
        }
    }

    /// That it was made so by this verb because of a rule of a policy list, and that it ends with that.
    fn done_by_a_rule(&self, subject: &Subject, verb: Option<&str>) -> Option<Line> {
        let measure = self.policy_watch.lists().measure(&subject.key()).ok()??;
        if listed_as(&measure.words).as_deref() != verb {
            return None;
        }
        let line = Line::from("I did that by a rule of the policy list ").code(&measure.list);
        let line = line.plain(", and undo it when the rule is withdrawn");
        match &measure.state {
            MeasureState::Taken { undo, .. } => Some(
                line.plain(". To make it last, undo it and send this again: ")
                    .command(format!("!{}", crate::input::shown(undo))),
            ),
            MeasureState::Announced(_) => Some(line),
        }
    }

    /// The answer about a report that is not there since somebody has cleared it away through the bot.
    fn cleared_away(&self, skips: &[(Subject, Skip)]) -> Option<Reply> {
        let [(subject @ (Subject::EventReport(_) | Subject::UserReport(_)), skip)] = skips else {
            return None;
        };
        if skip.status != Status::NotFound {
            return None;
        }
        let past = self.of(subject, RECENT).past;
        let by = past.iter().find(|past| past.status == Some(Status::Done))?;
        let line = Line::new().code(subject).plain(" was already dismissed, by ").code(&by.by);
        let line = line.plain(", ").at(by.at);
        Some(Reply::outcome(Status::NothingChanged, line).note(
            Line::new().plain("What was reported: ").command(format!("!audit show {}", by.id)),
        ))
    }

    /// The change of the past, newest first, that made something so by this verb, unless a later
    /// one through the bot has made it otherwise.
    fn made_so<'a>(&self, past: &'a [Past], verb: Option<&str>) -> Option<&'a Past> {
        let mut done = past.iter().filter(|past| past.status == Some(Status::Done));
        let left = |past: &Past| {
            let closing = self.audit.closing(past.id).ok().flatten()?.record?;
            closing.left.into_iter().next().map(|(_, left)| left)
        };
        let mut later = FactMap::new();
        let made_so = done.find(|past| {
            let is_it = listed_as(&past.words).as_deref() == verb;
            if !is_it {
                // What a newer change has left stands, whatever an older one left.
                for (key, value) in left(past).unwrap_or_default() {
                    later.entry(key).or_insert(value);
                }
            }
            is_it
        })?;
        let otherwise = left(made_so)?
            .iter()
            .any(|(key, value)| later.get(key).is_some_and(|later| later != value));
        (!otherwise).then_some(made_so)
    }
}

/// A change that was made: its command, by whom, and its number.
fn by(line: Line, number: u64, command: &str, by: &ruma::UserId) -> Line {
    line.command(command).plain(" by ").code(by).plain(format!(", #{number}"))
}
