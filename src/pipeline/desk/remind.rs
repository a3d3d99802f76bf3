//! Reminders of cases that nobody deals with, and calling those who are on duty.

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedUserId;

use super::{Desk, DeskRules, card::since, tell::named};
use crate::{
    cases::{Case, Reminded, State},
    reply::{Line, Reply},
    store,
};

impl Desk {
    /// Takes up again what was put off until now.
    pub(super) fn wake(&self) -> Result<(), store::Error> {
        let now = self.now();
        for mut case in self.below.cases.open()? {
            let State::Waiting { until, .. } = case.state else { continue };
            if until > now {
                continue;
            }
            case.enter(if case.claimed.is_some() { State::Claimed } else { State::New }, now);
            case.woken = true;
            self.keep(&case)?;
        }
        Ok(())
    }

    /// Reminds of what is left lying.
    pub(super) async fn remind(&self, desk: &DeskRules) -> Result<(), store::Error> {
        let now = self.now();
        for case in self.below.cases.open()? {
            if case.thread.is_none() || matches!(case.state, State::Waiting { .. }) {
                continue;
            }
            if case.woken {
                self.say_woken(case).await?;
                continue;
            }
            let waited = now.duration_since(case.since);
            let is_due = |after: std::time::Duration| {
                SignedDuration::try_from(after).is_ok_and(|after| waited >= after)
            };
            let next = match case.reminded {
                Reminded::No if is_due(desk.remind_after) => Reminded::Once,
                Reminded::Once if is_due(desk.escalate_after) => Reminded::Escalated,
                _ => continue,
            };
            self.say_reminder(case, next, desk, now).await?;
        }
        Ok(())
    }

    async fn say_woken(&self, mut case: Case) -> Result<(), store::Error> {
        let Some(thread) = &case.thread else { return Ok(()) };
        let title = named(&case).plain(", has waited long enough");
        let whom = case.claimed.clone().into_iter().collect();
        let key = format!("case-{}-woken-{}", case.number, case.since.as_millisecond());
        if self.say_in(thread, &key, &Reply::data(title).ringing(whom)).await {
            case.woken = false;
            self.keep(&case)?;
        }
        Ok(())
    }

    async fn say_reminder(
        &self,
        mut case: Case,
        reminder: Reminded,
        desk: &DeskRules,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let Some(thread) = &case.thread else { return Ok(()) };
        let waits = since(case.since, now);
        let title = match (&case.state, &case.claimed) {
            (State::Claimed, Some(by)) => {
                named(&case).plain(", was claimed by ").code(by).plain(format!(" {waits} ago"))
            }
            _ => named(&case)
                .plain(format!(", has been waiting for {waits}, and nobody has claimed it")),
        };
        let on_duty = on_duty(desk, now);
        let (whom, note): (Vec<OwnedUserId>, Option<Line>) = match reminder {
            Reminded::Escalated if on_duty.is_empty() => {
                (Vec::new(), Some("Nobody is on duty now.".into()))
            }
            Reminded::Escalated => (on_duty, None),
            _ => (case.claimed.iter().cloned().collect(), None),
        };
        let reply = Reply::data(title).ringing(whom);
        let reply = match note {
            Some(note) => reply.note(note),
            None => reply,
        };
        let state = case.since.as_millisecond();
        let key = format!("case-{}-{reminder:?}-{state}", case.number);
        if self.say_in(thread, &key, &reply).await {
            case.reminded = reminder;
            self.keep(&case)?;
        }
        Ok(())
    }
}

/// Who is on duty at that moment.
fn on_duty(desk: &DeskRules, now: Timestamp) -> Vec<OwnedUserId> {
    let is_now = |hours: &&crate::clock::Duty| hours.holds(now);
    let on_duty = desk.duty.iter().filter(|(_, hours)| hours.iter().any(|one| is_now(&one)));
    on_duty.map(|(user, _)| user.clone()).collect()
}
