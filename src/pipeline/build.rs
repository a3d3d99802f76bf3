//! Putting the pipeline together: its parts, each on those that it calls.

use std::sync::{Arc, atomic::AtomicI64};

use tokio::sync::{Mutex, Notify};

use super::{
    Authenticity, Brakes, BuildError, Executor, Feed, Listings, Pipeline, Ports, Questions, Rules,
    SanctionEnds, Strangers, Voice, aside::Aside, change, lift, questions,
};
use crate::{
    audit::Audit,
    clock::SharedClock,
    jobs::Jobs,
    journal::Journal,
    notes::Notes,
    operators::Roster,
    sanctions::Sanctions,
    store::Store,
    synapse::{Access, Reader, Writer},
    totp::OneTimePasswords,
    watches::Watches,
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
        let Ports { outbox, keys, setup } = ports;
        let own = [Some(&roster.bot), roster.admin_account.as_ref()];
        let own = own.into_iter().flatten().cloned().collect();
        let audit = Audit::new(store, clock.clone())?;
        let (roster, rules) = (Arc::new(roster), Arc::new(rules));
        let authenticity =
            Authenticity::new(store, roster.clone(), clock.clone(), outbox.clone(), keys.clone())?;
        let passwords = Arc::new(passwords);
        let brakes =
            Brakes::new(store, roster.clone(), clock.clone(), audit.clone(), passwords.clone())?;
        let brakes = Arc::new(brakes);
        let listings = Arc::new(Listings::new(store, clock.clone())?);
        let record_room = roster.record_room.clone();
        let feed = Feed::new(store, audit.clone(), clock.clone(), outbox.clone(), record_room)?;
        let feed = Arc::new(feed);
        let voice = Arc::new(Voice::new(
            roster.clone(),
            audit.clone(),
            feed.clone(),
            outbox.clone(),
            listings.clone(),
        ));
        let questions = Questions::new(
            store,
            questions::Below {
                roster: roster.clone(),
                rules: rules.clone(),
                clock: clock.clone(),
                audit: audit.clone(),
                brakes: brakes.clone(),
                voice: voice.clone(),
                outbox: outbox.clone(),
                passwords,
            },
        )?;
        let reader = Reader::new(access.clone(), clock.clone())?.of(own);
        let sanctions = Arc::new(Sanctions::new(store)?);
        let notes = Arc::new(Notes::new(store)?);
        let (watches, watch_begun) = (Arc::new(Watches::new(store)?), Arc::new(Notify::default()));
        let executor = Arc::new(Executor::new(change::Below {
            roster: roster.clone(),
            clock: clock.clone(),
            reader: reader.clone(),
            writer: Writer::new(access)?,
            audit: audit.clone(),
            brakes: brakes.clone(),
            voice: voice.clone(),
            outbox: outbox.clone(),
            sanctions: sanctions.clone(),
            notes: notes.clone(),
            watches: watches.clone(),
            watch_begun: watch_begun.clone(),
        }));
        let sanction_ends = SanctionEnds::new(lift::Below {
            roster: roster.clone(),
            clock: clock.clone(),
            reader: reader.clone(),
            audit: audit.clone(),
            brakes: brakes.clone(),
            voice: voice.clone(),
            executor: executor.clone(),
            sanctions: sanctions.clone(),
        });
        Ok(Self {
            sanction_ends,
            brakes,
            voice,
            questions,
            listings,
            feed,
            authenticity: Arc::new(authenticity),
            reader,
            executor,
            audit: audit.clone(),
            sanctions,
            notes,
            jobs: Jobs::new(store)?,
            job_begun: Notify::default(),
            watches,
            watch_begun,
            journal: Journal::new(store)?,
            strangers: Strangers::new(store, clock.clone())?,
            hour: AtomicI64::new(i64::MIN),
            asked_to_lift: store.shelf("asked-to-lift")?,
            store: store.clone(),
            aside: Aside::default(),
            roster,
            rules,
            clock,
            outbox,
            keys,
            setup,
            to_reload: Mutex::default(),
            to_trust: Mutex::default(),
        })
    }
}
