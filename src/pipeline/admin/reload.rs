//! Another configuration, while the bot runs: checked whole, put in force whole, and on record.
//!
//! Whoever has the machine may write any configuration and start the bot anew, so what comes from
//! there (`SIGHUP`) is put in force. From the room an operator can have less put in force; what
//! gives anybody more takes the same word of a second one.

use std::sync::Arc;

use ruma::OwnedUserId;
use tracing::{error, info, warn};

use crate::{
    audit::{Audit, Kind, Record},
    change::{Class, Power},
    clock::SharedClock,
    config::Effect,
    error::Stop,
    finding::Finding,
    pipeline::{
        Authenticity, ConfigSource, Invocation, Voice,
        admin::agree::{Agreed, Agreements, Wanted},
        ports::config_source::{ConfigProposal, ConfigRejected},
    },
    reply::{Block, Hostile, Line, Reply, Status},
};

/// By which name roles know it.
const VERB: &str = "config reload";

/// The configuration in force, and the way to another.
#[derive(Debug)]
pub(in crate::pipeline) struct Reloader {
    pub(in crate::pipeline) config_source: Arc<dyn ConfigSource>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) authenticity: Arc<Authenticity>,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) agreements: Arc<Agreements>,
}

impl Reloader {
    /// Looks at everything that the configuration names.
    pub(in crate::pipeline) async fn look(&self) -> Vec<Finding> {
        self.config_source.look().await
    }

    /// Reads the configuration again because an operator says so; with `only_look`, to tell what
    /// would become of it.
    pub(in crate::pipeline) async fn reload(
        &self,
        invocation: &Invocation<'_>,
        only_look: bool,
        password: Option<&str>,
    ) -> Result<Reply, Stop> {
        self.authenticity.authenticate(invocation.origin).await?;
        let proposal = match self.config_source.propose().await {
            Ok(proposal) => proposal,
            Err(rejected) => return Ok(unfit_reply(&rejected)),
        };
        let has = |effect| proposal.differences.iter().any(|one| one.effect == effect);
        if proposal.differences.is_empty() {
            let so = "my config has not changed";
            return Ok(Reply::outcome(Status::NothingChanged, so));
        }
        if only_look {
            return Ok(listed(Reply::data("Changes in my config"), &proposal));
        }
        if has(Effect::AtStart) {
            let what = "some of it needs a restart, so nothing is in force yet";
            return Ok(listed(Reply::outcome(Status::Refused, what), &proposal));
        }
        let wider = has(Effect::Wider);
        let wanted = Wanted {
            verb: VERB,
            power: Power::Server,
            // Whoever is given more can then do with it what cannot be undone.
            class: if wider { Class::Irreversible } else { Class::Reversible },
            others: usize::from(wider),
            note: &noted(&proposal),
            password,
            except: None,
        };
        match self.agreements.on_reload(invocation, proposal.config.clone(), wanted).await? {
            Agreed::By(by) => self.put_in_force(by, invocation, proposal).await,
            Agreed::Waits(left, of) => Ok(listed(waits(wider, left), &proposal)
                .command("To agree", invocation.words.to_vec())
                .ringing(of)),
            Agreed::TooFew(others) => Ok(listed(too_few(wider, others), &proposal)),
        }
    }

    async fn put_in_force(
        &self,
        by: Vec<OwnedUserId>,
        invocation: &Invocation<'_>,
        proposal: ConfigProposal,
    ) -> Result<Reply, Stop> {
        let (first, others) = by.split_first().map_or((None, &[][..]), |(a, b)| (Some(a), b));
        let record = Record {
            note: Some(noted(&proposal)),
            approvals: others.to_vec(),
            yes: others.last().cloned(),
            by: first.cloned(),
            ..invocation.record(Kind::Configured)
        };
        self.audit.note(record).await?;
        info!(by = %invocation.operator.user, "the config is read again");
        let reply = listed(Reply::outcome(Status::Done, BEGIN), &proposal);
        self.config_source.restart_with(proposal);
        Ok(reply)
    }

    /// Reads the configuration again because somebody on the machine says so.
    pub(in crate::pipeline) async fn reload_from_machine(&self) {
        let transaction_key = format!("reload-{}", self.clock.now().as_millisecond());
        let proposal = match self.config_source.propose().await {
            Ok(proposal) => proposal,
            Err(rejected) => {
                warn!(?rejected, "the config was not put in force");
                self.voice.tell(&transaction_key, &unfit_reply(&rejected)).await;
                return;
            }
        };
        if proposal.differences.iter().any(|one| one.effect == Effect::AtStart) {
            let what = "my config was to be reloaded, but some of it needs a restart, so nothing \
                is in force yet";
            self.voice
                .tell(&transaction_key, &listed(Reply::outcome(Status::Refused, what), &proposal))
                .await;
            return;
        }
        if proposal.differences.is_empty() {
            info!("the config says what it said");
            return;
        }
        let note = Some(format!("from the machine: {}", noted(&proposal)));
        let record = Record { note, ..Record::new(Kind::Configured) };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "unrecorded, so not put in force");
            return;
        }
        info!("the config is read again");
        let told = listed(Reply::data(format!("From the machine: {BEGIN}")), &proposal);
        self.voice.tell(&transaction_key, &told).await;
        self.config_source.restart_with(proposal);
    }

    /// Says that what was to be put in force could not be begun with, and that the one before is
    /// in force again.
    pub(in crate::pipeline) async fn report_not_in_force(&self, why: &str) {
        let note = Some("starting with the reloaded config failed".to_owned());
        if let Err(error) = self.audit.note(Record { note, ..Record::new(Kind::Noted) }).await {
            error!(error = &error as &dyn std::error::Error, "not recorded");
        }
        let line = Line::new()
            .plain("I could not start with the new config, so the old one is in force again: ")
            .hostile(&Hostile::new(why.to_owned()));
        let transaction_key = format!("reload-failed-{}", self.clock.now().as_millisecond());
        self.voice.tell(&transaction_key, &Reply::outcome(Status::Failed, line)).await;
    }
}

/// The answer to those who have said so while others have not.
fn waits(wider: bool, left: usize) -> Reply {
    let why =
        if wider { "gives somebody more rights" } else { "needs several operators by my rules" };
    let who = match left {
        1 => "another operator".to_owned(),
        n => format!("{n} other operators"),
    };
    Reply::outcome(
        Status::NothingChanged,
        format!("this {why}, so {who} must send the same command"),
    )
}

fn too_few(wider: bool, others: usize) -> Reply {
    let why =
        if wider { "gives somebody more rights" } else { "needs several operators by my rules" };
    let who = match others {
        1 => "nobody else can agree to it".to_owned(),
        n => format!("fewer than {n} others can agree to it"),
    };
    let what = format!(
        "this {why}, and {who}. Somebody with access to my machine can restart me or send \
                 me SIGHUP"
    );
    Reply::outcome(Status::Refused, what)
}

const BEGIN: &str = "I reloaded my config, and restart with it";

fn noted(proposal: &ConfigProposal) -> String {
    let all: Vec<String> = proposal.differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// What is otherwise, each in the list of what it means.
fn listed(reply: Reply, proposal: &ConfigProposal) -> Reply {
    [
        ("Gives somebody more rights, or might", Effect::Wider),
        ("Gives nobody more rights", Effect::Narrower),
        ("Needs a restart", Effect::AtStart),
    ]
    .into_iter()
    .map(|(heading, effect)| {
        let these = proposal.differences.iter().filter(|one| one.effect == effect);
        (heading, these.map(Line::from).collect::<Vec<Line>>())
    })
    .filter(|(_, lines)| !lines.is_empty())
    .fold(reply, |reply, (heading, lines)| reply.with(Block::List(heading.into(), lines)))
}

fn unfit_reply(rejected: &ConfigRejected) -> Reply {
    let (count, lines): (usize, Vec<Line>) = match rejected {
        // A fault never repeats a value.
        ConfigRejected::Faults(faults) => {
            (faults.list.len(), faults.list.iter().map(|one| one.to_string().into()).collect())
        }
        ConfigRejected::Findings(findings) => {
            (findings.len(), findings.iter().map(Line::from).collect())
        }
    };
    let things = if count == 1 { "thing is" } else { "things are" };
    Reply::outcome(
        Status::Refused,
        format!("{count} {things} wrong with my new config, so the old one stays in force"),
    )
    .with(Block::List("What is wrong".into(), lines))
}
