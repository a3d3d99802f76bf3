//! What a change needs besides its asker's own yes: others who approve it, or the wait of somebody
//! who is alone, and one-time passwords.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedUserId;
use tracing::{error, warn};

use super::Questions;
use crate::{
    audit::{Kind, Record},
    confirm::{Demand, End, Second, Ticket},
    error::Stop,
    gate::{Because, Terms},
    operators::{Operator, Rank},
    pipeline::{Invocation, admin::freeze_control::stopped_until},
    reply::{Hostile, Line, Reply, Status, utc},
    totp::{Checked, DIGITS, Shown, Wrong},
};

/// What a question needs, of whom, and until when.
pub(in crate::pipeline) struct Needs {
    pub(in crate::pipeline) demand: Demand,
    pub(in crate::pipeline) second: Option<Second>,
    pub(in crate::pipeline) alone: Option<Timestamp>,
    pub(in crate::pipeline) totp: bool,
    pub(in crate::pipeline) expires: Timestamp,
    /// Why it needs others, where it does.
    pub(in crate::pipeline) because: Because,
}

impl Needs {
    /// Whether its asker says yes to it, at once: nobody else has to, nor to be given time to deny it.
    pub(in crate::pipeline) fn is_for_asker(&self) -> bool {
        self.second.is_none() && self.alone.is_none()
    }
}

impl Questions {
    /// What a question must ask for, which these could approve besides its asker; refused where
    /// nobody could answer it.
    pub(in crate::pipeline) fn needs(
        &self,
        invocation: &Invocation<'_>,
        terms: Terms,
        approvers: Vec<&Operator>,
    ) -> Result<Needs, Stop> {
        let now = self.clock.now();
        let Terms { demand, others, totp, because } = terms;
        let own = Needs {
            demand,
            second: None,
            alone: None,
            totp,
            expires: after(now, self.rules.expire_after),
            because,
        };
        if others == 0 {
            return Ok(own);
        }
        // What was typed in a shell is asked in the room, where their word counts only encrypted.
        if invocation.origin.is_in_clear() && invocation.origin.shell().is_none() {
            return Err(Stop::refused(format!(
                "this needs another operator's approval, since {because}, and that counts only in \
                an encrypted room: unencrypted, whoever runs your server could have written it"
            )));
        }
        if invocation.options.alone.is_some() {
            let Some(wait) = self.roster.policy.alone else {
                return Err(Stop::refused(
                    Line::new()
                        .plain("my config does not let anybody do this alone; leave out ")
                        .code("--alone")
                        .plain(", and I ask the others"),
                ));
            };
            let from = after(now, wait);
            let expires = after(from, self.rules.expire_after);
            return Ok(Needs { alone: Some(from), expires, ..own });
        }
        let may = approvers.into_iter();
        let may: Vec<&Operator> =
            may.filter(|one| self.freeze_control.person_frozen(&one.person).is_none()).collect();
        let persons: BTreeSet<&str> = may.iter().map(|one| one.person.as_str()).collect();
        if persons.len() < others {
            return Err(Stop::refused(self.too_few(others, persons.len(), because)));
        }
        let may = may.into_iter().map(|one| one.user.clone()).collect();
        let second = Some(Second { others, may, approvals: Vec::new() });
        Ok(Needs { second, expires: after(now, self.rules.approve_within), ..own })
    }

    fn too_few(&self, others: usize, may: usize, because: Because) -> Line {
        let wanted = match others {
            1 => "another operator with the right to do it".to_owned(),
            n => format!("{n} other operators with the right to do it"),
        };
        let there = match may {
            0 => "there is nobody else".to_owned(),
            n => format!("there is only {n}"),
        };
        let line =
            Line::new().plain(format!("this needs {wanted}, since {because}, and {there}. "));
        if self.roster.policy.alone.is_some() {
            line.code("--alone \"why\"").plain(
                " does it without them, after a wait that everybody \
                                                can see",
            )
        } else {
            line.plain("Whoever keeps my config can add somebody, or allow ").code("--alone")
        }
    }

    /// Records that somebody has approved what another asked for.
    pub(in crate::pipeline) async fn note_approval(
        &self,
        invocation: &Invocation<'_>,
        ticket: &Ticket,
    ) -> Result<(), Stop> {
        let record = Record {
            ticket: Some(ticket.code.clone()),
            words: ticket.words.clone(),
            subjects: ticket.about.iter().map(|(subject, _)| subject.clone()).collect(),
            ..invocation.record(Kind::Approved)
        };
        self.audit.note(record).await?;
        Ok(())
    }

    /// Who asked for this, where they may still be served.
    pub(in crate::pipeline) fn asker(&self, ticket: &Ticket) -> Result<&Operator, Stop> {
        let asker = self.roster.operator(&ticket.asker).ok_or_else(|| {
            Stop::refused(
                Line::new()
                    .code(&ticket.asker)
                    .plain(", who asked for it, is no longer an operator, so nothing was done"),
            )
        })?;
        match self.freeze_control.person_frozen(&asker.person) {
            None => Ok(asker),
            Some(_) => Err(Stop::refused(
                Line::new()
                    .code(&ticket.asker)
                    .plain(", who asked for it, may not give commands now, so nothing was done"),
            )),
        }
    }

    /// Whether this operator may deny that question: those who may approve it, and where its asker
    /// is alone everybody else.
    pub(in crate::pipeline) fn may_deny(ticket: &Ticket, operator: &Operator) -> bool {
        match &ticket.second {
            Some(second) => second.may.contains(&operator.user),
            None => ticket.alone.is_some() && ticket.asker != operator.user,
        }
    }

    /// Denies a question that somebody else asked.
    pub(in crate::pipeline) async fn deny(
        &self,
        invocation: &Invocation<'_>,
        ticket: &Ticket,
        why: Option<&str>,
    ) -> Result<Option<Reply>, Stop> {
        if !self.end_question(invocation, &ticket.code, End::Denied, why).await? {
            return Ok(None);
        }
        let line = Line::new().plain("question ").code(&ticket.code).plain(" was denied");
        let line = match why {
            Some(why) => line.plain(": ").hostile(&Hostile::new(why)),
            None => line,
        };
        let reply = Reply::outcome(Status::NothingChanged, line);
        Ok(Some(reply.ringing(vec![ticket.asker.clone()])))
    }

    /// The proof that `typed` is this operator's one-time password.
    pub(in crate::pipeline) async fn shown(
        &self,
        invocation: &Invocation<'_>,
        typed: &str,
    ) -> Result<Shown, Stop> {
        let checked = self.passwords.check(invocation.operator, typed, self.clock.now()).await;
        let wrong = match checked? {
            Checked::Right(shown) => return Ok(shown),
            Checked::Wrong(wrong) => wrong,
        };
        warn!(sender = %invocation.operator.user, ?wrong, "a one-time password did not count");
        if let Wrong::Stopped(until) = wrong {
            self.tell_of_guessing(invocation, until).await;
        }
        Err(Stop::refused(match wrong {
            Wrong::NoSeed => Line::from(
                "this needs a one-time password, and my config has no seed for your account",
            ),
            Wrong::NotNow(left) => Line::from(format!(
                "that is not your current one-time password. After {left} more wrong ones I take \
                no commands from you for an hour"
            )),
            Wrong::Used => Line::from(
                "that one-time password has been used; wait for the next one, at most half a \
                 minute",
            ),
            Wrong::Stopped(until) => Line::from(stopped_until(until)),
        }))
    }

    /// Five wrong ones in a row are somebody guessing.
    async fn tell_of_guessing(&self, invocation: &Invocation<'_>, until: Timestamp) {
        let record = Record {
            note: Some(format!(
                "too many wrong one-time passwords: no commands accepted until \
                                {until}"
            )),
            ..invocation.record(Kind::Noted)
        };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "not recorded");
        }
        let line = Line::new()
            .code(&invocation.operator.user)
            .plain(format!(
                " typed too many wrong one-time passwords; I take no commands from them \
                until {}. If they did not type them, somebody has their session: ",
                utc(until)
            ))
            .command(format!("!freeze {}", invocation.operator.user));
        let admins = self.roster.operators.values().filter(|one| one.role.rank == Rank::Admin);
        let admins =
            admins.map(|one| one.user.clone()).filter(|user| *user != invocation.operator.user);
        let transaction_key = format!("guessed-{}", until.as_second());
        self.voice
            .tell(
                &transaction_key,
                &Reply::data(line).ringing(admins.collect::<Vec<OwnedUserId>>()),
            )
            .await;
    }
}

fn after(begin: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::from_hours(24));
    begin.checked_add(span).unwrap_or(begin)
}

/// What was typed after a code, with the one-time password at its end taken off where the question
/// takes one.
pub(in crate::pipeline) fn split(typed: &[String], totp: bool) -> (Vec<String>, Option<String>) {
    let is_one = |word: &String| word.len() == DIGITS && word.bytes().all(|b| b.is_ascii_digit());
    match typed.split_last() {
        Some((last, rest)) if totp && is_one(last) => (rest.to_vec(), Some(last.clone())),
        _ => (typed.to_vec(), None),
    }
}

/// The answer to an approval that others must join.
pub(in crate::pipeline) fn approved_in_part(ticket: &Ticket) -> Reply {
    let said = ticket.approvals().count();
    let (others, asker) = (ticket.second.as_ref().map_or(0, |s| s.others), ticket.asker.clone());
    let line = Line::new()
        .plain("question ")
        .code(&ticket.code)
        .plain(format!(" has {said} of the {others} approvals that it needs"));
    let mut ring = vec![asker];
    ring.extend(ticket.second.iter().flat_map(Second::left).cloned());
    Reply::outcome(Status::NothingChanged, line).ringing(ring)
}
