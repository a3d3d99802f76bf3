//! Putting the pipeline together: its parts, each on those that it calls.

use std::sync::{Arc, atomic::AtomicI64};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Notify;

use super::{
    Announcements, Authenticity, BuildError, Choices, ConfigSource, Executor, Feed, FreezeControl,
    LastNamed, Listings, Outbox, Pipeline, Ports, Questions, Reloader, Rules, SanctionExpiry,
    Served, Strangers, Voice, Watcher, Waves, change, questions,
};
use crate::{
    audit::Audit,
    cases::Cases,
    clock::{SharedClock, Zones},
    command_aliases::CommandAliases,
    journal::Journal,
    metrics::Metrics,
    new_accounts::NewAccountsShelf,
    notes::Notes,
    observed::Observations,
    operators::Roster,
    pipeline::{
        admin::agree::{self, Agreements},
        background::{
            job::{self, JobRunner},
            sanction_expiry,
            token::{self, TokenWatch},
            watch,
        },
        desk::{self, Desk},
        new_accounts::{self, Announcer},
        observer::{self, Observer},
        policy_lists::{self, PolicyWatch},
        voice::{aside::Aside, backlog::Backlog, last_word::LastWord, working::Working},
    },
    places::Places,
    policy_lists::PolicyLists,
    preferences::Preferences,
    sanctions::Sanctions,
    store::{self, Store},
    synapse::{Access, Reader, Writer},
    totp::OneTimePasswords,
    watches::Watches,
    wave_alerts::WaveAlerts,
    wave_exceptions::WaveExceptions,
};

impl Pipeline {
    /// Puts a pipeline together. Opens nothing and asks nobody.
    pub fn new(
        roster: Roster,
        rules: Rules,
        access: Access,
        store: &Store,
        clock: SharedClock,
        passwords: OneTimePasswords,
        ports: Ports,
    ) -> Result<Self, BuildError> {
        let Ports { outbox, keys, config_source, metrics } = ports;
        let own = [Some(&roster.bot), roster.admin_account.as_ref()];
        let own = own.into_iter().flatten().cloned().collect();
        let reader = Reader::new(access.clone(), clock.clone())?.of(own).counted_in(&metrics);
        let token = (access.token.clone(), access.token_expires);
        let writer = Writer::new(access)?.noting(&reader).counted_in(&metrics);
        let audit = Audit::new(store, clock.clone())?;
        let (roster, rules) = (Arc::new(roster), Arc::new(rules));
        let authenticity =
            Authenticity::new(store, roster.clone(), clock.clone(), outbox.clone(), keys.clone())?;
        let base = Base { roster, rules, clock, reader, audit, outbox };
        let spoken = base.spoken(store, passwords)?;
        let kept = Kept::new(store)?;
        let executor = Arc::new(base.executor(&spoken, &kept, (writer, metrics.clone())));
        let token_watch = base.token_watch(store, &token, &spoken)?;
        let watcher = Arc::new(base.watcher(&spoken, &kept, executor.clone()));
        let agreements = Arc::new(base.agreements(&spoken));
        let (authenticity, voice) = (Arc::new(authenticity), spoken.voice.clone());
        let desk = base.desk(store, (&spoken, &executor), &kept)?;
        let observer = base.observer(store, &voice)?;
        let announcer = base.announcer(store, &voice, &kept)?;
        let policy_watch = base.policy_watch(&spoken, &kept, executor.clone());
        let Base { roster, rules, clock, reader, audit, outbox } = base.clone();
        Ok(Self {
            sanction_expiry: base.sanction_expiry(&spoken, &kept, executor.clone()),
            jobs: base.jobs(store, &spoken, executor.clone(), watcher.clone())?,
            served: Served::new(reader.clone()),
            journal: Journal::new(store)?,
            strangers: Strangers::new(store, clock.clone())?,
            hour: AtomicI64::new(i64::MIN),
            store: store.clone(),
            places: Places::new(store)?,
            aside: Aside::new(
                (roster.clone(), clock.clone()),
                spoken.freeze_control.clone(),
                voice.clone(),
            ),
            reloader: base.reloader(
                config_source,
                authenticity.clone(),
                voice.clone(),
                agreements.clone(),
            ),
            announcements: base.announcements(store, voice.clone())?,
            working: Working::new(store, outbox.clone())?,
            freeze_control: spoken.freeze_control,
            voice,
            questions: spoken.questions,
            listings: spoken.listings,
            last_named: LastNamed::default(),
            feed: spoken.feed,
            sanctions: kept.sanctions,
            aliases: CommandAliases::new(store)?,
            choices: Choices::new(clock.clone()),
            digests: store.shelf("digests")?,
            desk,
            observer,
            announcer,
            policy_watch,
            notes: kept.notes,
            wave_exceptions: kept.wave_exceptions,
            waves: Waves::default(),
            wave_alerts: WaveAlerts::new(store)?,
            preferences: Preferences::new(store)?,
            zones: Zones::of_system(),
            authenticity,
            executor,
            token_watch,
            watcher,
            agreements,
            roster,
            rules,
            clock,
            reader,
            audit,
            outbox,
            keys,
            metrics,
        })
    }
}

/// What nearly every part uses.
#[derive(Clone)]
struct Base {
    roster: Arc<Roster>,
    rules: Arc<Rules>,
    clock: SharedClock,
    reader: Reader,
    audit: Audit,
    outbox: Arc<dyn Outbox>,
}

/// The parts with which the bot speaks and asks.
struct Spoken {
    freeze_control: Arc<FreezeControl>,
    listings: Arc<Listings>,
    feed: Arc<Feed>,
    voice: Arc<Voice>,
    questions: Arc<Questions>,
}

/// What a change leaves behind.
struct Kept {
    sanctions: Arc<Sanctions>,
    notes: Arc<Notes>,
    cases: Arc<Cases>,
    watches: Arc<Watches>,
    wave_exceptions: Arc<WaveExceptions>,
    policy_lists: Arc<PolicyLists>,
    /// Notified when a change was made.
    changed: Arc<Notify>,
    /// Notified when something is added to what is watched.
    watch_begun: Arc<Notify>,
}

impl Kept {
    fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self {
            sanctions: Arc::new(Sanctions::new(store)?),
            notes: Arc::new(Notes::new(store)?),
            cases: Arc::new(Cases::new(store)?),
            watches: Arc::new(Watches::new(store)?),
            wave_exceptions: Arc::new(WaveExceptions::new(store)?),
            policy_lists: Arc::new(PolicyLists::new(store)?),
            watch_begun: Arc::default(),
            changed: Arc::default(),
        })
    }
}

impl Base {
    fn spoken(&self, store: &Store, passwords: OneTimePasswords) -> Result<Spoken, store::Error> {
        let Self { roster, rules, clock, audit, outbox, .. } = self.clone();
        let passwords = Arc::new(passwords);
        let freeze_control = FreezeControl::new(
            store,
            roster.clone(),
            clock.clone(),
            audit.clone(),
            passwords.clone(),
        )?;
        let freeze_control = Arc::new(freeze_control);
        let listings = Arc::new(Listings::new(store, clock.clone())?);
        let of = (roster.record_room.clone(), self.reader.server_name().to_owned());
        let last_word = Arc::new(LastWord::default());
        let feed =
            Feed::new(store, audit.clone(), clock.clone(), outbox.clone(), last_word.clone(), of)?;
        let feed = Arc::new(feed);
        let backlog = Backlog::new(
            store,
            audit.clone(),
            clock.clone(),
            outbox.clone(),
            listings.clone(),
            last_word.clone(),
        )?;
        let voice = Arc::new(Voice::new(
            roster.clone(),
            (audit.clone(), clock.clone()),
            feed.clone(),
            outbox.clone(),
            listings.clone(),
            backlog,
        ));
        let (to_brake, to_speak) = (freeze_control.clone(), voice.clone());
        let below = questions::Below {
            roster,
            rules,
            clock,
            audit,
            freeze_control: to_brake,
            voice: to_speak,
            outbox,
            passwords,
            last_word,
            server: self.reader.server_name().to_owned(),
        };
        let questions = Arc::new(Questions::new(store, below)?);
        Ok(Spoken { freeze_control, listings, feed, voice, questions })
    }

    fn executor(
        &self,
        spoken: &Spoken,
        kept: &Kept,
        (writer, metrics): (Writer, Metrics),
    ) -> Executor {
        let Self { roster, clock, reader, audit, outbox, .. } = self.clone();
        Executor::new(change::Below {
            roster,
            clock,
            reader,
            writer,
            audit,
            freeze_control: spoken.freeze_control.clone(),
            voice: spoken.voice.clone(),
            outbox,
            sanctions: kept.sanctions.clone(),
            notes: kept.notes.clone(),
            cases: kept.cases.clone(),
            watches: kept.watches.clone(),
            wave_exceptions: kept.wave_exceptions.clone(),
            policy_lists: kept.policy_lists.clone(),
            watch_begun: kept.watch_begun.clone(),
            changed: kept.changed.clone(),
            metrics,
        })
    }

    fn watcher(&self, spoken: &Spoken, kept: &Kept, executor: Arc<Executor>) -> Watcher {
        let Self { rules, clock, reader, audit, outbox, .. } = self.clone();
        Watcher::new(watch::Below {
            watches: kept.watches.clone(),
            begun: kept.watch_begun.clone(),
            ask_again: rules.ask_again,
            clock,
            reader,
            audit,
            voice: spoken.voice.clone(),
            executor,
            outbox,
        })
    }

    fn sanction_expiry(
        &self,
        spoken: &Spoken,
        kept: &Kept,
        executor: Arc<Executor>,
    ) -> SanctionExpiry {
        let Self { roster, clock, reader, audit, .. } = self.clone();
        SanctionExpiry::new(sanction_expiry::Below {
            roster,
            clock,
            reader,
            audit,
            freeze_control: spoken.freeze_control.clone(),
            voice: spoken.voice.clone(),
            executor,
            sanctions: kept.sanctions.clone(),
        })
    }

    fn desk(
        &self,
        store: &Store,
        (spoken, executor): (&Spoken, &Arc<Executor>),
        kept: &Kept,
    ) -> Result<Desk, store::Error> {
        let Self { roster, rules, clock, reader, audit, outbox } = self.clone();
        let (places, cursors) = (Places::new(store)?, store.shelf("desk")?);
        let (voice, cases) = (spoken.voice.clone(), kept.cases.clone());
        let (freeze_control, executor) = (spoken.freeze_control.clone(), executor.clone());
        let changed = kept.changed.clone();
        Ok(Desk::new(desk::Below {
            rules,
            roster,
            clock,
            reader,
            audit,
            freeze_control,
            executor,
            voice,
            outbox,
            places,
            cases,
            cursors,
            changed,
        }))
    }

    fn observer(&self, store: &Store, voice: &Arc<Voice>) -> Result<Observer, store::Error> {
        let Self { roster, clock, reader, audit, .. } = self.clone();
        let (places, observations) = (Places::new(store)?, Observations::new(store)?);
        let voice = voice.clone();
        let below = observer::Below { roster, clock, reader, audit, voice, places, observations };
        Ok(Observer::new(below))
    }

    fn announcer(
        &self,
        store: &Store,
        voice: &Arc<Voice>,
        kept: &Kept,
    ) -> Result<Announcer, store::Error> {
        let Self { roster, rules, clock, reader, audit, .. } = self.clone();
        let (voice, sanctions) = (voice.clone(), kept.sanctions.clone());
        Ok(Announcer::new(new_accounts::Below {
            roster,
            rules,
            clock,
            reader,
            audit,
            voice,
            sanctions,
            shelf: NewAccountsShelf::new(store)?,
        }))
    }

    fn policy_watch(&self, spoken: &Spoken, kept: &Kept, executor: Arc<Executor>) -> PolicyWatch {
        let Self { roster, rules, clock, reader, audit, .. } = self.clone();
        PolicyWatch::new(policy_lists::Below {
            rules,
            roster,
            clock,
            reader,
            audit,
            voice: spoken.voice.clone(),
            freeze_control: spoken.freeze_control.clone(),
            executor,
            lists: kept.policy_lists.clone(),
        })
    }

    fn token_watch(
        &self,
        store: &Store,
        (token, expires): &(SecretString, Option<Timestamp>),
        spoken: &Spoken,
    ) -> Result<TokenWatch, store::Error> {
        let Self { roster, clock, reader, .. } = self.clone();
        let below = token::Below { roster, clock, reader, voice: spoken.voice.clone() };
        TokenWatch::new(below, (token, *expires), store)
    }

    fn agreements(&self, spoken: &Spoken) -> Agreements {
        let Self { roster, rules, clock, audit, .. } = self.clone();
        Agreements::new(agree::Below {
            roster,
            rules,
            clock,
            audit,
            freeze_control: spoken.freeze_control.clone(),
            voice: spoken.voice.clone(),
            questions: spoken.questions.clone(),
        })
    }

    fn reloader(
        &self,
        config_source: Arc<dyn ConfigSource>,
        authenticity: Arc<Authenticity>,
        voice: Arc<Voice>,
        agreements: Arc<Agreements>,
    ) -> Reloader {
        let Self { clock, audit, .. } = self.clone();
        Reloader { config_source, clock, audit, authenticity, voice, agreements }
    }

    fn announcements(
        &self,
        store: &Store,
        voice: Arc<Voice>,
    ) -> Result<Announcements, store::Error> {
        let Self { roster, rules, clock, audit, .. } = self.clone();
        let asked_to_lift = store.shelf("asked-to-lift")?;
        let (warned, greeted) = (store.shelf("warned")?, store.shelf("greeted")?);
        Ok(Announcements { roster, rules, clock, audit, voice, asked_to_lift, warned, greeted })
    }

    fn jobs(
        &self,
        store: &Store,
        spoken: &Spoken,
        executor: Arc<Executor>,
        watcher: Arc<Watcher>,
    ) -> Result<JobRunner, store::Error> {
        let Self { roster, rules, clock, reader, audit, outbox } = self.clone();
        let below = job::Below {
            roster,
            rules,
            clock,
            served: Served::new(reader.clone()),
            reader,
            audit,
            freeze_control: spoken.freeze_control.clone(),
            voice: spoken.voice.clone(),
            questions: spoken.questions.clone(),
            executor,
            watcher,
            outbox,
        };
        JobRunner::new(store, below)
    }
}
