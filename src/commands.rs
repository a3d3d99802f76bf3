//! The catalogue: every verb that can be spoken, one file each, named as it is typed.
//!
//! A verb owns everything about itself: its arguments (whose doc comments are its help), class and
//! power, what it looks at, which requests it makes, its wording and its tests. It registers by
//! one line in the slice of its group, and everything else — help, the table of commands, checks
//! that hold for all — is derived from [`GROUPS`].
//!
//! Nothing in here knows the room, the questions, the record, the store or the configuration, and
//! nothing in here can send anything but what a [`Reader`] sends.

use std::fmt::Debug;

use crate::{
    change::{
        Answer, Change, Class, FactMap, Outcome, Power, Probe, Progress, Question, Skip, Snapshot,
        Subject,
    },
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::{Reader, Version},
};
use async_trait::async_trait;

pub mod acting;
pub mod arguments;
pub mod background;
pub mod device;
mod elsewhere;
pub mod event;
pub mod federation;
pub mod history;
pub mod listing;
mod long_work;
pub mod matrix;
pub mod media;
mod needs;
pub mod notice;
pub mod operations;
mod options;
mod past;
pub(crate) mod past_tense;
pub mod raw;
mod refusals;
pub mod regtok;
pub mod report;
pub mod room;
pub mod server;
pub mod stats;
mod switch;
pub mod task;
pub mod user;

pub use crate::memory::{Changed, Memory, Noted, Past, Remembered, Sanctioned};
pub use elsewhere::{Specified, served, without_admin_api};
pub use long_work::LongWork;
pub use needs::{Accounts, Delegated, Later, Needs, needs, takes_path};
pub use options::{Ends, Options};
pub use past_tense::did;
pub use refusals::{Meaning, looks::Tables};

/// A command that only looks.
#[async_trait]
pub trait Query: Debug + Send + Sync {
    /// What right it takes, given its arguments.
    fn power(&self) -> Power;

    /// Whether it shows what is private, so that it is on record and takes
    /// [`Power::LookPrivate`] too.
    fn private(&self) -> bool {
        self.power() == Power::LookPrivate
    }

    /// What it means where the homeserver refuses the look: cause and next step. `None` where the
    /// homeserver's own words are what was asked for.
    fn refusals(&self) -> Option<Tables>;

    /// Looks and answers.
    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop>;

    /// Looks and writes what was found as data, for `-o`: what the homeserver says, in its own
    /// names. Nothing goes in that takes more than [`power`](Self::power).
    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop>;

    /// The same, of what is known by what the bot remembers. Nothing but an id, a number and a moment of
    /// what it remembers goes in.
    async fn data_remembered(
        &self,
        reader: &Reader,
        _memory: &dyn Memory,
        sheet: &mut Sheet,
    ) -> Result<(), Stop> {
        self.data(reader, sheet).await
    }
}

/// A command that changes something.
///
/// The order of the methods is the order in which they are called. Only [`subjects`](Self::subjects)
/// and [`snapshot`](Self::snapshot) look; the rest is pure, so that the same facts always give the same
/// requests and the same words.
#[async_trait]
pub trait Action: Debug + Send + Sync {
    /// What it costs when done to `many` subjects, given its arguments.
    fn class(&self, many: usize) -> Class;

    /// What right it takes, given its arguments.
    fn power(&self) -> Power;

    /// Other verbs, by their own names, that it amounts to, given its arguments: what the config says
    /// of those verbs holds for it too.
    fn amounts_to(&self) -> Vec<&str> {
        Vec::new()
    }

    /// What it did, as the record says it before the subject, where that depends on its arguments; else
    /// there is [a word for its verb](did).
    fn did(&self) -> Option<&'static str> {
        None
    }

    /// Whether a yes must carry a phrase besides its code, whatever the subject: for what not even
    /// an attentive person should be able to say by habit.
    fn phrase(&self) -> bool {
        false
    }

    /// Whether it can neither silence nor destroy what it changes, so that even the bot's own
    /// account may be its subject.
    fn harmless(&self) -> bool {
        false
    }

    /// Whether it is one measure however many or few things it is about, each of which can be undone: it
    /// is asked for, a job does it, which goes on after a crash, and its end is told at once for all.
    fn is_one_measure(&self) -> bool {
        false
    }

    /// Names of the secrets that the bot must make before the steps are sent, see
    /// [`Step::body`](crate::change::Step).
    fn makes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Secrets that were typed, by the name of their slot. They are taken into memory and the
    /// message is redacted, or the command is refused where the config does not allow it.
    fn typed(&self) -> Vec<(&'static str, secrecy::SecretString)> {
        Vec::new()
    }

    /// Whether a secret, made or revealed, is to be told to the asker in private: then nothing is
    /// done unless that can be done.
    fn whispers(&self) -> bool {
        false
    }

    /// What it means where the homeserver refuses a request about `subject`: cause and next step.
    /// `None` where the homeserver's own words are what was asked for.
    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(&[])
    }

    /// What is asked of the homeserver before the question where no look shows whether it does this at
    /// all, and the refusal that says that it does not.
    fn probe(&self) -> Option<(Probe, Meaning)> {
        None
    }

    /// The subjects, all of them, before anything is done to one.
    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop>;

    /// Looks at one subject.
    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop>;

    /// Looks at one subject again after these answers, where they say what is to be looked at.
    async fn snapshot_after(
        &self,
        subject: &Subject,
        _answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        self.snapshot(subject, reader).await
    }

    /// The text of the question about one subject, beyond the facts.
    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question;

    /// What it does, where its title does not say it and nothing is lost by it.
    fn explanations(&self, _subject: &Subject) -> Vec<Line> {
        Vec::new()
    }

    /// What somebody must know of this subject before they say yes, such as what to do first. Unlike
    /// the question it is shown of each, however many they are.
    fn warnings(&self, _subject: &Subject, _seen: &Snapshot) -> Vec<Line> {
        Vec::new()
    }

    /// What it does something to besides, such as the rooms in which it silences or destroys
    /// something: nothing is done where the gate refuses one of them.
    fn reaches(&self, _subject: &Subject, _seen: &Snapshot) -> Vec<Subject> {
        Vec::new()
    }

    /// The requests, and the state they should lead to; or why there is nothing to do.
    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip>;

    /// What came of it, from what was seen before and after and what was answered. Called when
    /// every step was answered with success.
    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome;

    /// Whether this erases the account, so that what the bot keeps of it goes too.
    fn erases(&self, _subject: &Subject) -> bool {
        false
    }

    /// What it brings about for good besides what it wants of its subject: what was so for a time only then no
    /// longer ends by itself.
    fn lasting(&self) -> FactMap {
        FactMap::new()
    }

    /// What the homeserver goes on with after this, where other verbs have the same followed: then it
    /// is asked in place of the three methods below.
    fn long_work(&self) -> Option<&dyn LongWork> {
        None
    }

    /// The id by which [`progress`](Self::progress) tells how far the work is that the homeserver
    /// goes on with after these answers; `None` where it was through when it answered. `after` is
    /// what was seen then, where it could be looked up.
    fn begins(
        &self,
        subject: &Subject,
        answers: &[Answer],
        after: Option<&Snapshot>,
    ) -> Option<String> {
        self.long_work()?.begins(subject, answers, after)
    }

    /// The same where no answer came, and the homeserver is perhaps still at work: what takes it
    /// longer than whatever stands before it waits.
    fn outlasts(&self, subject: &Subject, before: &Snapshot) -> Option<String> {
        self.long_work()?.outlasts(subject, before)
    }

    /// How far that work is. Asked again and again, after restarts too, until it is over; then this
    /// looks whether it has the wanted result. A refusal says that nobody knows, or will: that is an
    /// end too. After any other error it is asked again.
    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        let Some(long) = self.long_work() else {
            return Err(Stop::refused(
                Line::new().code(subject).plain(": nothing continues after this"),
            ));
        };
        long.progress(subject, work, reader).await
    }
}

/// What a typed command turned out to be.
#[derive(Debug)]
pub enum Ask {
    /// It looks.
    Read(Box<dyn Query>),
    /// It changes something.
    Change(Box<dyn Action>),
}

/// What a verb does, as far as that is known before its arguments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It looks.
    Look,
    /// It changes something.
    Change,
    /// One or the other, as its arguments say.
    Either,
}

/// A verb as data.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The word that is typed after the group; none where the group alone is typed.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// Commands that show its use, without the `!`; the first is the plainest.
    pub examples: &'static [&'static str],
    /// Whether it looks or changes something.
    pub does: Does,
    /// Whether its undo can be given a due time.
    pub ends: bool,
    /// What it takes of the homeserver that not every one has.
    pub needs: Needs,
    /// Whether the path that it asks for is typed with it.
    pub takes_path: bool,
    /// What it asks for where there is no Admin API; `None` where it can do nothing without.
    pub specified: Option<Specified>,
    augment: fn(clap::Command) -> clap::Command,
    parse: fn(&clap::ArgMatches) -> Result<Ask, clap::Error>,
}

impl Spec {
    /// A verb that only looks. The doc comment of `Q` is its help.
    pub const fn query<Q: clap::Args + Query + 'static>(
        name: &'static str,
        examples: &'static [&'static str],
    ) -> Self {
        Self::new::<Q>(Does::Look, name, examples, |matches| {
            Ok(Ask::Read(Box::new(Q::from_arg_matches(matches)?)))
        })
    }

    /// A verb that changes something. The doc comment of `A` is its help.
    pub const fn action<A: clap::Args + Action + 'static>(
        name: &'static str,
        examples: &'static [&'static str],
    ) -> Self {
        Self::new::<A>(Does::Change, name, examples, |matches| {
            Ok(Ask::Change(Box::new(A::from_arg_matches(matches)?)))
        })
    }

    /// A verb whose arguments become a command: one of several that share their ways, or one
    /// that looks or changes something as it is typed. The doc comment of `A` is its help.
    pub const fn of<A: clap::Args + Into<Ask>>(
        does: Does,
        name: &'static str,
        examples: &'static [&'static str],
    ) -> Self {
        Self::new::<A>(does, name, examples, |matches| Ok(A::from_arg_matches(matches)?.into()))
    }

    const fn new<A: clap::Args>(
        does: Does,
        name: &'static str,
        examples: &'static [&'static str],
        parse: fn(&clap::ArgMatches) -> Result<Ask, clap::Error>,
    ) -> Self {
        let needs = Needs { since: None, delegated: Delegated::Same, later: &[] };
        let augment = A::augment_args;
        let (aliases, ends, takes_path, specified) = (&[], false, false, None);
        Self { name, aliases, examples, does, ends, needs, takes_path, specified, augment, parse }
    }

    /// The same verb, whose undo can be given a due time: it takes `--for` and `--until`.
    #[must_use]
    pub const fn ending(mut self) -> Self {
        self.ends = true;
        self
    }

    /// The same verb, under other words too.
    #[must_use]
    pub const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same verb, to which the path is typed that it asks for.
    #[must_use]
    pub const fn with_path(mut self) -> Self {
        self.takes_path = true;
        self
    }

    /// The same verb, which does its work by this of the specification where there is no Admin API.
    #[must_use]
    pub const fn specified(mut self, by: Specified) -> Self {
        self.specified = Some(by);
        self
    }

    /// The same verb, which came with this version of Synapse. To be said of what came with 1.83
    /// or later: hardly anybody runs what is older.
    #[must_use]
    pub const fn since(mut self, major: u32, minor: u32) -> Self {
        self.needs.since = Some(Version::new(major, minor));
        self
    }

    /// The same verb, these options of which came with a later version than it did. To be said of
    /// what came with 1.83 or later.
    #[must_use]
    pub const fn later(mut self, options: &'static [Later]) -> Self {
        self.needs.later = options;
        self
    }

    /// The same verb, which can do less where an authentication service keeps the accounts.
    #[must_use]
    pub const fn delegated(mut self, can: Delegated) -> Self {
        self.needs.delegated = can;
        self
    }

    /// The clap command of this verb.
    pub fn command(&self) -> clap::Command {
        let command = clap::Command::new(self.name).visible_aliases(self.aliases.iter().copied());
        let command = (self.augment)(command);
        match self.does {
            Does::Look => Options::add_to_look(command),
            Does::Change => Options::add(command, self.ends),
            Does::Either => Options::add_to_look(Options::add(command, self.ends)),
        }
    }

    /// Reads the verb's own matches, and what was typed besides.
    pub fn ask(&self, matches: &clap::ArgMatches) -> Result<(Ask, Options), clap::Error> {
        let typed = |option: &Later| {
            matches.value_source(option.argument) == Some(clap::parser::ValueSource::CommandLine)
        };
        let later = self.needs.later.iter().copied().filter(typed).collect();
        Ok(((self.parse)(matches)?, Options { later, ..Options::read(matches) }))
    }
}

/// A group of verbs: the first word of a command. A verb without a name of its own, as its only
/// one, is typed by that word alone.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The word that is typed after the `!`.
    pub name: &'static str,
    /// What its verbs are about, in one line.
    pub about: &'static str,
    /// Its verbs in the order of the help.
    pub verbs: &'static [Spec],
}

impl Group {
    /// A verb of it as it is typed: `user list`.
    pub fn words(&self, verb: &Spec) -> String {
        if verb.name.is_empty() {
            self.name.to_owned()
        } else {
            format!("{} {}", self.name, verb.name)
        }
    }

    /// The verb that is typed by the name of the group alone, where it has such a one.
    pub fn alone(&self) -> Option<&'static Spec> {
        self.verbs.first().filter(|verb| verb.name.is_empty())
    }
}

/// Every group, in the order of the help.
pub const GROUPS: &[Group] = &[
    user::GROUP,
    device::GROUP,
    room::GROUP,
    event::GROUP,
    media::GROUP,
    history::GROUP,
    report::GROUP,
    regtok::GROUP,
    notice::GROUP,
    federation::GROUP,
    background::GROUP,
    task::GROUP,
    stats::GROUP,
    server::GROUP,
    raw::GROUP,
    matrix::GROUP,
];

/// Whether a word is the name of a group, and so begins commands.
pub fn is_group(word: &str) -> bool {
    GROUPS.iter().any(|group| group.name == word)
}
