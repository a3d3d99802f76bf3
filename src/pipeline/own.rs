//! The bot's own verbs: what is asked of the bot and not of the homeserver.
//!
//! One file each, named as typed, like the verbs of the catalogue; unlike them they know the
//! pipeline.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Invocation, Lane, Pipeline, change::Executor};
use crate::{
    change::{FactMap, Power, Subject},
    commands::{Action, Ends, Options},
    error::Stop,
    refs::narrow,
    reply::Reply,
};

mod alias;
mod approve;
mod audit;
mod cancel;
mod case;
mod claim;
mod close;
mod config;
mod confirm;
mod deny;
mod doctor;
mod freeze;
mod help;
mod job;
mod limits;
mod me;
mod next;
mod note;
mod pending;
mod policy;
mod sanction;
mod shutters;
mod snooze;
mod stop;
mod trust;
mod undo;
mod watch;
mod wave;

pub(super) use audit::{did, line};
pub(super) use help::Help;
pub(super) use shutters::closed_since;
pub(super) use wave::{Waves, shape};

/// Reads the code of a question, without the sign or full stop that a sentence puts around it.
fn code(text: &str) -> Result<String, String> {
    if text.len() > 255 {
        return Err(
            "no code is that long; !pending lists the open questions with their codes".to_owned()
        );
    }
    let text: String = text.chars().map(narrow).collect();
    let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    Ok(if bare.is_empty() { text } else { bare.to_owned() })
}

/// A verb of the bot's own.
#[async_trait]
pub trait Own: Debug + Send + Sync {
    /// What it waits for.
    fn lane(&self) -> Lane {
        Lane::Beside
    }

    /// What right it takes, where not every operator may say it.
    fn power(&self) -> Option<Power> {
        None
    }

    /// The change that this is, where it is one after all; a refusal where it should be one.
    fn as_change(&self, _executor: &Executor) -> Result<Option<AsChange>, Stop> {
        Ok(None)
    }

    /// Does it and answers; `None` where everything has been said on the way.
    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop>;
}

/// The change that a verb of the bot's own is.
#[derive(Debug)]
pub struct AsChange {
    /// What it does.
    pub action: Box<dyn Action>,
    /// The words of the command that does it, where that is another.
    pub words: Option<Vec<String>>,
    /// The verb by which the config knows it, where that is another.
    pub verb: Option<String>,
    /// The number of the change that it takes back.
    pub undoes: Option<u64>,
    /// What that change left, where this is done only as long as the subject is still in that state.
    pub left: Vec<(Subject, FactMap)>,
    /// When it ends by itself, where its own words say so.
    pub ends: Option<Ends>,
}

impl From<Box<dyn Action>> for AsChange {
    fn from(action: Box<dyn Action>) -> Self {
        Self { action, words: None, verb: None, undoes: None, left: Vec::new(), ends: None }
    }
}

/// A verb of the bot's own as data.
#[derive(Debug, Clone, Copy)]
pub struct OwnSpec {
    /// The word that is typed after the `!`.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// Commands that show its use, without the `!`.
    pub examples: &'static [&'static str],
    /// Whether it changes something, so that it takes the options of every change.
    pub changes: bool,
    /// Whether it takes a reason, since the config may want one of it.
    reasoned: bool,
    /// Whether it lists something, so that it takes a layout.
    lists: bool,
    augment: fn(clap::Command) -> clap::Command,
    parse: fn(&clap::ArgMatches) -> Result<Box<dyn Own>, clap::Error>,
}

impl OwnSpec {
    const fn new<O: clap::Args + Own + 'static>(
        name: &'static str,
        examples: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            aliases: &[],
            examples,
            changes: false,
            reasoned: false,
            lists: false,
            augment: O::augment_args,
            parse: |matches| Ok(Box::new(O::from_arg_matches(matches)?)),
        }
    }

    /// The same verb, which changes something.
    const fn changing(mut self) -> Self {
        self.changes = true;
        self
    }

    /// The same verb, of which the config may want a reason although it is no such change.
    const fn reasoned(mut self) -> Self {
        self.reasoned = true;
        self
    }

    /// The same verb, which lists something, and whose words are all its own: no text of somebody's that
    /// could hold an option.
    const fn listing(mut self) -> Self {
        self.lists = true;
        self
    }

    /// The clap command of this verb.
    pub fn command(&self) -> clap::Command {
        let command = clap::Command::new(self.name).visible_aliases(self.aliases.iter().copied());
        let command = (self.augment)(command);
        let command = if self.lists { Options::add_layout(command) } else { command };
        match (self.changes, self.reasoned) {
            (true, _) => Options::add(command, false),
            (false, true) => Options::add_reason(command),
            (false, false) => command,
        }
    }

    /// Reads the verb's own matches.
    pub fn read(&self, matches: &clap::ArgMatches) -> Result<Box<dyn Own>, clap::Error> {
        (self.parse)(matches)
    }
}

/// Every verb of the bot's own, in the order of the help.
pub const OWN: &[OwnSpec] = &[
    help::SPEC,
    confirm::SPEC,
    cancel::SPEC,
    approve::SPEC,
    deny::SPEC,
    pending::SPEC,
    next::SPEC,
    next::PREVIOUS,
    stop::SPEC,
    job::SPEC,
    freeze::SPEC,
    freeze::UNFREEZE,
    undo::SPEC,
    sanction::SPEC,
    shutters::SPEC,
    note::SPEC,
    case::SPEC,
    claim::SPEC,
    close::SPEC,
    close::DISMISS,
    snooze::SPEC,
    watch::SPEC,
    wave::SPEC,
    policy::SPEC,
    alias::SPEC,
    audit::SPEC,
    me::SPEC,
    doctor::SPEC,
    config::SPEC,
    trust::SPEC,
    limits::SPEC,
];
