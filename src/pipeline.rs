//! The whole story of one message, from the moment that intake has handed it over.
//!
//! [`Pipeline::receive`] decides without asking anybody whether a message is for the bot,
//! [`Pipeline::parse`] what it is; [`Pipeline::handle`] does it and answers. In between the [`queue`]
//! keeps each operator's changes in order and lets everything else run beside them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedRoomId;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::{
    audit::{Audit, Rotation},
    change::Subject,
    clock::{SharedClock, Weekly, Zones},
    command_aliases::CommandAliases,
    commands::{Changed, Memory, Noted, Options, Remembered, Sanctioned},
    config::{Announce, WaveThreshold},
    error::Stop,
    input::Prefix,
    journal::Journal,
    metrics::Metrics,
    notes::Notes,
    operators::{Operator, Roster},
    places::{Place, Places},
    preferences::Preferences,
    reply::{Reply, Status},
    sanctions::Sanctions,
    store::{self, Shelf, Store},
    synapse::Reader,
    wave_alerts::WaveAlerts,
    wave_exceptions::WaveExceptions,
};

mod admin;
mod background;
mod build;
mod change;
mod desk;
mod inbound;
mod look;
mod new_accounts;
mod obey;
mod observer;
mod origin;
pub mod own;
mod policy_lists;
mod ports;
mod questions;
mod record;
mod router;
mod served;
mod shell;
mod style;
mod task;
#[cfg(test)]
mod testing;
mod voice;
mod watched;

pub use background::{
    put_back::{CaughtUp, SaidLater},
    restore::{Recalled, Restored},
    start::Lost,
};
pub use change::Executor;
pub use desk::DeskRules;
pub use inbound::{
    queue,
    understand::{Described, command_tree, descriptions, is_first_word, verbs},
};
pub use origin::{Origin, Scheduled, ScheduledKind, request_id};
pub use policy_lists::{PolicyRules, WatchedList};
pub use ports::{
    config_source::{ConfigProposal, ConfigRejected, ConfigSource},
    console::{Console, Left, Shown, Typed},
    room::{
        Ailment, Attached, Attachment, Bookmark, Doubt, Gone, Held, InHand, Incoming, Keys, News,
        NoWhisper, NotAccepted, Outbox, Request, Said, Sealed, Trust, Unread, Unsent, WhyUnread,
    },
    structured::Structured,
};
pub use shell::{Call, Exit, ShellCommand, stands_for_event};
pub use task::{Lane, Message, Task};
pub use voice::aside::Refusal;
pub use watched::operations;

use admin::{agree::Agreements, freeze_control::FreezeControl, reload::Reloader};
use background::{
    job::JobRunner, sanction_expiry::SanctionExpiry, token::TokenWatch, watch::Watcher,
};
use change::report::stopped;
use desk::Desk;
use inbound::{
    authentic::Authenticity, choices::Choices, hindrance::Hindrance, listings::Listings,
    read::Heard, strangers::Strangers, subject::LastNamed, understand,
};
use new_accounts::Announcer;
use observer::Observer;
use own::Waves;
use policy_lists::PolicyWatch;
use questions::Questions;
use record::Feed;
use served::Served;
use task::{Command, Expanded, Suspicion, What, YesTo};
use voice::{
    Voice,
    aside::{Aside, mark_of},
    news::Announcements,
    working::Working,
};
use watched::Sort;

/// What the config says about commands and questions.
#[derive(Debug, Clone)]
pub struct Rules {
    /// With what commands begin in a room.
    pub prefix: Prefix,
    /// How old a command may be when it is run.
    pub max_age: Duration,
    /// How long a question waits for its asker's yes.
    pub expire_after: Duration,
    /// How long personal details are kept in the record.
    pub keep_details: Duration,
    /// How long a question waits for the yes of others.
    pub approve_within: Duration,
    /// Whether a secret may be typed in the room.
    pub typed_secrets: bool,
    /// Whether the bot asks to lift its own rate limit when the homeserver slows it down.
    pub lift_rate_limit: bool,
    /// How long after a start the homeserver may still be busy with what was sent before it.
    pub settling: Duration,
    /// How long to wait before the homeserver is first asked how far its work is.
    pub ask_again: Duration,
    /// When the rooms are told what was done in the week; never, where nothing is said.
    pub digest: Option<Weekly>,
    /// How reports come to the room; not by themselves, where nothing is said.
    pub desk: Option<DeskRules>,
    /// How new accounts are told.
    pub announce: Announce,
    /// The policy lists that are watched; none, where nothing is said.
    pub policy_lists: Option<PolicyRules>,
    /// From when on new accounts are told as a wave; never, where nothing is said.
    pub wave: Option<WaveThreshold>,
    /// The file by which somebody on the machine lifts a freeze.
    pub unfreeze_file: PathBuf,
    /// The admin room that is told what was changed from a shell, and of new accounts: the first of the config.
    pub told_in: Option<OwnedRoomId>,
}

/// Everything that it takes to deal with a message.
#[derive(Debug)]
pub struct Pipeline {
    roster: Arc<Roster>,
    rules: Arc<Rules>,
    clock: SharedClock,
    reader: Reader,
    authenticity: Arc<Authenticity>,
    executor: Arc<Executor>,
    sanction_expiry: SanctionExpiry,
    voice: Arc<Voice>,
    questions: Arc<Questions>,
    audit: Audit,
    sanctions: Arc<Sanctions>,
    aliases: CommandAliases,
    /// Until when the rooms were told what was done.
    digests: Shelf<Timestamp>,
    freeze_control: Arc<FreezeControl>,
    notes: Arc<Notes>,
    desk: Desk,
    observer: Observer,
    announcer: Announcer,
    policy_watch: PolicyWatch,
    preferences: Preferences,
    wave_exceptions: Arc<WaveExceptions>,
    waves: Waves,
    wave_alerts: WaveAlerts,
    zones: Zones,
    jobs: JobRunner,
    token_watch: TokenWatch,
    watcher: Arc<Watcher>,
    served: Served,
    journal: Journal,
    listings: Arc<Listings>,
    choices: Choices,
    last_named: LastNamed,
    strangers: Strangers,
    feed: Arc<Feed>,
    /// The hour, since the epoch, in which the hourly work was last done.
    hour: AtomicI64,
    store: Store,
    places: Places,
    aside: Aside,
    outbox: Arc<dyn Outbox>,
    keys: Arc<dyn Keys>,
    agreements: Arc<Agreements>,
    reloader: Reloader,
    announcements: Announcements,
    working: Working,
    metrics: Metrics,
}

/// What the pipeline uses of the world around it besides the homeserver's Admin API.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The rooms, to say something in.
    pub outbox: Arc<dyn Outbox>,
    /// The keys of those who write there.
    pub keys: Arc<dyn Keys>,
    /// The configuration.
    pub config_source: Arc<dyn ConfigSource>,
    /// What is counted.
    pub metrics: Metrics,
}

/// Why the pipeline could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Store(#[from] store::Error),
    /// The Admin API client cannot be made.
    #[error("the client of the Admin API cannot be made: {0}")]
    Api(#[from] crate::synapse::Error),
}

/// Who asks what, where.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// Who sent it, or in whose name it is done.
    pub operator: &'a Operator,
    /// The words as understood.
    pub words: &'a [String],
    /// What was typed besides a change's own arguments.
    pub options: &'a Options,
    /// The number of the change that this would take back.
    pub undoes: Option<u64>,
}

impl Pipeline {
    /// Appends the record to this file too, from now on.
    pub async fn mirror_record(
        &self,
        file: &Path,
        rotation: Option<Rotation>,
    ) -> std::io::Result<()> {
        self.audit.mirror(file, rotation).await
    }

    /// Decides whether a message is for the bot, without asking anybody and before its words are
    /// parsed; `None` where it is not or has been dealt with. To be called in the order in which
    /// messages came.
    pub fn receive(&self, request: Request) -> Option<Message> {
        let heard = match self.hear(&request) {
            Ok(heard) => heard,
            Err(reason) => {
                debug!(event = %request.event, %reason, "ignored");
                return None;
            }
        };
        // What nobody will be told of leaves nothing but a count, or a flood would fill the store.
        if matches!(heard, Heard::What(What::Stranger)) && self.strangers.was_told(&request.room) {
            self.strangers.count(&request);
            debug!(event = %request.event, reason = "a stranger, and told so of late", "ignored");
            return None;
        }
        let arrived = self.clock.now();
        match self.journal.begin(&request.event, &request.room, self.clock.now()) {
            Ok(true) => {
                self.note_place(&request);
                Some(Message { request, heard, arrived })
            }
            Ok(false) => {
                debug!(event = %request.event, reason = "it has been dealt with", "ignored");
                None
            }
            Err(error) => {
                // Without the journal nothing is safe to run; the answer says so.
                error!(error = &error as &dyn std::error::Error, "the journal cannot be used");
                let heard = Heard::What(What::Say(Reply::outcome(
                    Status::Failed,
                    "I cannot read or write my store, so I do nothing until that is fixed and I am \
                    restarted",
                )));
                Some(Message { request, heard, arrived })
            }
        }
    }

    /// Notes where its answer stands, where that is not in the timeline, as a reply to it: in its
    /// thread, and what is said of a reaction, as a reply to what that is about.
    fn note_place(&self, request: &Request) {
        let reply_to = match &request.said {
            Said::Reaction { target, .. } => Some(target.clone()),
            Said::Message { .. }
            | Said::Structured(_)
            | Said::Edit { .. }
            | Said::Undecryptable => None,
        };
        let place = || -> Result<(), store::Error> {
            let of_target = reply_to.as_ref().map(|target| self.places.of(target)).transpose()?;
            let thread = of_target.flatten().and_then(|place| place.thread);
            let thread = request.thread.clone().or(thread);
            if reply_to.is_none() && thread.is_none() {
                return Ok(());
            }
            self.places.note(&request.event, &Place { at: self.clock.now(), reply_to, thread })
        };
        if let Err(error) = place() {
            error!(error = &error as &dyn std::error::Error, "where an answer stands is not noted");
        }
    }

    /// Does what a message asks for, answers, and notes that it has been dealt with. What is left
    /// is told beside the other answers: [`Pipeline::answer_aside`].
    pub async fn handle(&self, task: Task) -> Option<Refusal> {
        let Task { request, what, arrived, alias, structured } = task;
        let (event, room) = (request.event.clone(), request.room.clone());
        let sort = Sort::of(&what);
        let marked = what.answers_something() && mark_of(&request).is_some();
        let reply = match what {
            What::Stranger => self.strangers.answer(&request),
            What::Say(reply) => Some(reply.repeating()),
            What::Suspect(suspicion) => {
                let removed = self.aside.remove_in_turn(&request).await;
                Some(suspicion.told(removed).repeating())
            }
            What::Command(operator, command) => {
                let typed = command.holds_secret();
                let reply = self.command((&request, arrived), &operator, command).await;
                // Whatever became of it: it was refused, or is too old, or not believed.
                if typed {
                    self.aside.remove_in_turn(&request).await;
                }
                reply
            }
        };
        let reply = reply.map(|reply| match &alias {
            Some(Expanded { name, words }) => understand::alias::shown(reply, name, words),
            None => reply,
        });
        let reply = reply.map(|reply| match &structured {
            Some(words) => understand::structured::shown(reply, words),
            None => reply,
        });
        self.metrics.command(&sort.verb, sort.outcome(reply.as_ref()));
        let answered = reply.is_some();
        let refusal = match reply {
            Some(reply) => self.aside.answer_now(request, reply).await,
            None if marked => Some(Refusal::without_words(request)),
            None => None,
        };
        if answered && refusal.is_none() {
            let after = self.clock.now().duration_since(arrived);
            self.metrics.answered(sort.kind, Duration::try_from(after).unwrap_or_default());
        }
        if let Err(error) = self.journal.settle(&event, &room, self.clock.now()) {
            error!(error = &error as &dyn std::error::Error, "the journal cannot be written");
        }
        refusal
    }

    async fn command(
        &self,
        (request, arrived): (&Request, Timestamp),
        operator: &Operator,
        command: Command,
    ) -> Option<Reply> {
        let hindrance = self.not_now(request, arrived, &command);
        if !matches!(hindrance, Hindrance::None) {
            self.authenticity.remember_place(request).await;
        }
        match hindrance {
            Hindrance::None => {}
            Hindrance::Tell(reply) => return Some(*reply),
            Hindrance::Silent => return None,
        }
        if let Some(reply) = self.freeze_control.person_frozen(&operator.person) {
            warn!(sender = %request.sender, event = %request.event, "frozen, and not served");
            return Some(reply);
        }
        let done = self.obey(Origin::Message(request), operator, &command).await;
        done.unwrap_or_else(|stop| Some(stopped(&request.event, &stop)))
    }

    /// Looks whether the homeserver takes the admin token, and tells where that has changed. One call
    /// at a time does it.
    pub async fn watch_token(&self) {
        self.token_watch.look().await;
    }

    /// Takes in how long a token lives that the homeserver has just given to the bot.
    pub fn learn_token_life(&self, life: SignedDuration) {
        self.token_watch.learn(life);
    }

    /// Lifts every sanction that is due. One call at a time does it.
    pub async fn lift_due(&self) {
        self.sanction_expiry.lift_due().await;
    }

    /// Does the jobs that there are and those that come, until `over`; then what is in hand is
    /// finished, and the rest waits for the next start.
    pub async fn work(&self, over: CancellationToken) {
        self.jobs.work(over).await;
    }

    /// Watches the long work of the homeserver that there is and that comes, until `over`.
    pub async fn watch(&self, over: CancellationToken) {
        self.watcher.watch(over).await;
    }

    /// Fetches reports and tells of them until `over`, where the config wants that.
    pub async fn watch_reports(&self, over: CancellationToken) {
        self.desk.serve(over).await;
    }

    /// Looks at the accounts that are watched and tells of them, until `over`.
    pub async fn watch_accounts(&self, over: CancellationToken) {
        self.observer.serve(over).await;
    }

    /// Looks for new accounts and tells them until `over`, where the config or the shutters want that.
    pub async fn tell_new_accounts(&self, over: CancellationToken) {
        self.announcer.serve(over).await;
    }

    /// Reads the policy lists of the config, tells and acts by their rules, until `over`.
    pub async fn watch_policy_lists(&self, over: CancellationToken) {
        self.policy_watch.serve(over).await;
    }

    /// Tells of waves of new accounts until `over`, where the config wants that.
    pub async fn watch_waves(&self, over: CancellationToken) {
        self.tell_waves(over).await;
    }

    /// Has new reports looked for soon: the homeserver is about to be sent one.
    pub fn expect_report(&self) {
        self.desk.nudge();
    }

    /// Says what is to be said beside the others. To be called when nobody waits for the message
    /// any more.
    pub async fn answer_aside(&self, refusal: Refusal) {
        self.aside.answer_aside(refusal).await;
    }

    /// Reads the configuration again because somebody on the machine says so.
    pub async fn reload_from_machine(&self) {
        self.reloader.reload_from_machine().await;
    }

    /// Says that what was to be put in force could not be begun with, and that the one before is
    /// in force again.
    pub async fn report_not_in_force(&self, why: &str) {
        self.reloader.report_not_in_force(why).await;
    }

    /// Takes away the marks of an earlier run under what was at work then.
    pub async fn take_away_old_marks(&self) {
        self.working.take_away_what_is_left().await;
    }

    /// Says what could not be said before, until `over`.
    pub async fn say_unsaid(&self, over: CancellationToken) {
        self.voice.backlog().work(over).await;
    }

    /// Ends the questions whose time has passed, and shows that.
    pub async fn expire_questions(&self) {
        self.questions.expire().await;
    }

    /// Waits until everything written is on disk.
    pub async fn flush(&self) -> Result<(), store::Error> {
        self.store.flush().await
    }
}

impl Memory for Pipeline {
    fn of(&self, subject: &Subject, limit: usize) -> Remembered {
        let unread = |error: &store::Error| {
            error!(error = error as &dyn std::error::Error, "the past cannot be read");
        };
        let sanctions = self.sanctions.on(subject).inspect_err(unread).unwrap_or_default();
        let notes = match subject {
            Subject::User(user) => self.notes.about(user, limit).inspect_err(unread),
            _ => Ok(Vec::new()),
        };
        Remembered {
            notes: notes.unwrap_or_default().into_iter().map(Noted::from).collect(),
            past: self.audit.past(subject, limit).inspect_err(unread).unwrap_or_default(),
            sanctions: sanctions.iter().map(Sanctioned::from).collect(),
        }
    }

    fn changed_by(&self, verbs: &[&str], limit: usize) -> Result<Changed, Stop> {
        Ok(self.audit.changed_by(verbs, limit)?)
    }
}
