//! Another configuration, while the bot runs: checked whole, put in force whole, and on record.
//!
//! Whoever has the machine may write any configuration and start the bot anew, so what comes from
//! there (`SIGHUP`) is put in force. From the room an operator can have less put in force; what
//! gives anybody more takes the same word of a second one.

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedUserId;
use tracing::{error, info, warn};

use super::{
    Asked, Pipeline, Trust,
    setup::{Reread, Unfit},
};
use crate::{
    audit::{Kind, Record},
    change::Power,
    config::Effect,
    error::Stop,
    gate::Operator,
    reply::{Block, Hostile, Line, Reply, Word},
};

/// By which name roles know it.
const VERB: &str = "config reload";

/// The word of the first of two.
#[derive(Debug)]
pub(super) struct First {
    by: Operator,
    at: Timestamp,
    reread: Reread,
}

impl Pipeline {
    /// Reads the configuration again because an operator says so; with `only_look`, to tell what
    /// would become of it.
    pub(super) async fn reload(&self, asked: &Asked<'_>, only_look: bool) -> Result<Reply, Stop> {
        self.authenticate(asked.request).await?;
        let reread = match self.setup.reread().await {
            Ok(reread) => reread,
            Err(unfit) => return Ok(unfit_reply(&unfit)),
        };
        let has = |effect| reread.differences.iter().any(|one| one.effect == effect);
        if reread.differences.is_empty() {
            let so = "my config says what it said";
            return Ok(Reply::outcome(Word::NothingChanged, so));
        }
        if only_look {
            return Ok(listed(Reply::data("What my config says now, and did not before"), &reread));
        }
        if has(Effect::AtStart) {
            let what = "some of it takes a new start of me, so nothing of it is in force";
            return Ok(listed(Reply::outcome(Word::Refused, what), &reread));
        }
        if !has(Effect::Wider) {
            return self.put_in_force(asked, reread, None).await;
        }
        self.not_held()?;
        if asked.request.trust == Trust::Clear {
            return Err(Stop::refused(
                "this gives somebody more than they had, which takes two operators in an \
                 encrypted room; whoever has my machine starts me anew or sends me SIGHUP",
            ));
        }
        match self.first_word(asked.operator, &reread).await {
            Some(first) => self.put_in_force(asked, reread, Some(first)).await,
            None => self.ask_for_a_second(asked, reread).await,
        }
    }

    /// Who has said the same before, is somebody else, and may still say it.
    async fn first_word(&self, second: &Operator, reread: &Reread) -> Option<OwnedUserId> {
        let mut first = self.first_to_reload.lock().await;
        let within = SignedDuration::try_from(self.rules.approve_within).unwrap_or_default();
        let holds = |first: &First| {
            let by = self.roster.operator(&first.by.user);
            first.by.person != second.person
                && by.is_some_and(|by| self.may_reload(by))
                && self.clock.now().duration_since(first.at) <= within
                && first.reread.config.differences(&reread.config).is_empty()
        };
        first.take_if(|first| holds(first)).map(|first| first.by.user)
    }

    fn may_reload(&self, one: &Operator) -> bool {
        one.role.allows(Power::Server, VERB) && self.not_served(&one.person).is_none()
    }

    async fn ask_for_a_second(&self, asked: &Asked<'_>, reread: Reread) -> Result<Reply, Stop> {
        let others: Vec<OwnedUserId> = self
            .roster
            .operators
            .values()
            .filter(|one| one.person != asked.operator.person && self.may_reload(one))
            .map(|one| one.user.clone())
            .collect();
        if others.is_empty() {
            let what = "this gives somebody more than they had, and nobody else may agree to it. \
                        Whoever has my machine starts me anew or sends me SIGHUP";
            return Ok(listed(Reply::outcome(Word::Refused, what), &reread));
        }
        let record = Record { note: Some(noted(&reread)), ..Self::record(Kind::Asked, asked) };
        self.audit.note(record).await.map_err(|error| self.unrecorded(&error))?;
        let what = "this gives somebody more than they had, so another operator must say the same";
        let reply = listed(Reply::outcome(Word::NothingChanged, what), &reread)
            .command("If it is right", vec!["config".into(), "reload".into()])
            .ringing(others);
        let (by, at) = (asked.operator.clone(), self.clock.now());
        *self.first_to_reload.lock().await = Some(First { by, at, reread });
        Ok(reply)
    }

    async fn put_in_force(
        &self,
        asked: &Asked<'_>,
        reread: Reread,
        first: Option<OwnedUserId>,
    ) -> Result<Reply, Stop> {
        let sender = asked.operator.user.clone();
        let record = Record {
            note: Some(noted(&reread)),
            approvals: first.iter().map(|_| sender.clone()).collect(),
            yes: first.as_ref().map(|_| sender.clone()),
            by: Some(first.unwrap_or(sender)),
            ..Self::record(Kind::Configured, asked)
        };
        self.audit.note(record).await.map_err(|error| self.unrecorded(&error))?;
        info!(by = %asked.operator.user, "the config is read again");
        let reply = listed(Reply::outcome(Word::Done, BEGIN), &reread);
        self.setup.begin_again(reread);
        Ok(reply)
    }

    /// Reads the configuration again because somebody on the machine says so.
    pub async fn reload_from_machine(&self) {
        let slot = format!("reload-{}", self.clock.now().as_millisecond());
        let reread = match self.setup.reread().await {
            Ok(reread) => reread,
            Err(unfit) => {
                warn!(?unfit, "the config was not put in force");
                self.tell(&slot, &unfit_reply(&unfit)).await;
                return;
            }
        };
        if reread.differences.iter().any(|one| one.effect == Effect::AtStart) {
            let what = "my config was to be read again, and some of it takes a new start of me, \
                        so nothing of it is in force";
            self.tell(&slot, &listed(Reply::outcome(Word::Refused, what), &reread)).await;
            return;
        }
        if reread.differences.is_empty() {
            info!("the config says what it said");
            return;
        }
        let note = Some(format!("from the machine: {}", noted(&reread)));
        let record = Record { note, ..Record::new(Kind::Configured) };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "unrecorded, so not put in force");
            return;
        }
        info!("the config is read again");
        let told = listed(Reply::data(format!("From the machine: {BEGIN}")), &reread);
        self.tell(&slot, &told).await;
        self.setup.begin_again(reread);
    }

    /// Says that what was to be put in force could not be begun with, and that the one before is
    /// in force again.
    pub async fn report_not_in_force(&self, why: &str) {
        let note = Some("the config that was read again could not be begun with".to_owned());
        if let Err(error) = self.audit.note(Record { note, ..Record::new(Kind::Noted) }).await {
            error!(error = &error as &dyn std::error::Error, "not recorded");
        }
        let line = Line::new()
            .plain("with what my config says now I could not begin, so what it said before is in force again: ")
            .hostile(&Hostile::new(why.to_owned()));
        let slot = format!("reload-failed-{}", self.clock.now().as_millisecond());
        self.tell(&slot, &Reply::outcome(Word::Refused, line)).await;
    }
}

const BEGIN: &str = "my config is read again, and I begin anew with it";

fn noted(reread: &Reread) -> String {
    let all: Vec<String> = reread.differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// What is otherwise, each in the list of what it means.
fn listed(reply: Reply, reread: &Reread) -> Reply {
    [
        ("Gives somebody more, or may", Effect::Wider),
        ("Gives nobody more", Effect::Narrower),
        ("Takes a new start", Effect::AtStart),
    ]
    .into_iter()
    .map(|(heading, effect)| {
        let these = reread.differences.iter().filter(|one| one.effect == effect);
        (heading, these.map(Line::from).collect::<Vec<Line>>())
    })
    .filter(|(_, lines)| !lines.is_empty())
    .fold(reply, |reply, (heading, lines)| reply.with(Block::List(heading.into(), lines)))
}

fn unfit_reply(unfit: &Unfit) -> Reply {
    let (count, lines): (usize, Vec<Line>) = match unfit {
        // A fault never repeats a value.
        Unfit::Faults(faults) => {
            (faults.list.len(), faults.list.iter().map(|one| one.to_string().into()).collect())
        }
        Unfit::Findings(findings) => (findings.len(), findings.iter().map(Line::from).collect()),
    };
    let things = if count == 1 { "thing is" } else { "things are" };
    Reply::outcome(
        Word::Refused,
        format!(
            "{count} {things} wrong with what my config says now, so nothing of it is in force"
        ),
    )
    .with(Block::List("What is wrong".into(), lines))
}
