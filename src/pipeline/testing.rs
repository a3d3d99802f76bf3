//! A pipeline whose clock, homeserver and rooms are a test's own: for what only time shows.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{
    EventId, OwnedEventId, OwnedUserId, RoomId, UserId, owned_room_id, owned_server_name,
    owned_user_id,
};

use super::{
    Keys, NoWhisper, NotAccepted, Outbox, Pipeline, Request, Rules, Said, Task, Trust, Unsent,
};
use crate::{
    clock::FixedClock,
    gate::{Operator, Policy, Rank, Roster},
    reply::{Layout, Reply},
    store::Store,
    synapse::Access,
    totp::OneTimePasswords,
};

/// A room in which nobody answers, and what was said in it.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<Vec<Reply>>);

impl Heard {
    /// The answers so far, as Markdown.
    pub(super) fn all(&self) -> Vec<String> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().map(|reply| reply.markdown(&Layout::default())).collect()
    }

    /// The lines of the record that came with them.
    pub(super) fn carried(&self) -> Vec<String> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().flat_map(|reply| reply.carried.clone()).collect()
    }
}

#[async_trait]
impl Outbox for Heard {
    async fn say(
        &self,
        _: &RoomId,
        _: Option<&OwnedEventId>,
        _: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(reply.clone());
        Ok(EventId::parse(format!("$said{}", said.len())).unwrap())
    }

    async fn edit(&self, _: &RoomId, _: &OwnedEventId, _: &str, _: &Reply) -> Result<(), Unsent> {
        Ok(())
    }

    async fn react(&self, _: &RoomId, _: &OwnedEventId, _: &str) -> Result<(), Unsent> {
        Ok(())
    }

    async fn redact(&self, _: &RoomId, _: &OwnedEventId, _: &str) -> Result<(), Unsent> {
        Ok(())
    }

    async fn can_whisper(&self, _: &UserId) -> Result<(), NoWhisper> {
        Ok(())
    }

    async fn whisper(
        &self,
        _: &UserId,
        _: &str,
        _: &Reply,
        _: &secrecy::SecretString,
    ) -> Result<OwnedEventId, NoWhisper> {
        Ok(EventId::parse("$whispered").unwrap())
    }

    async fn ratchet(&self, _: &RoomId, _: &OwnedEventId) -> Result<Option<(String, u32)>, Unsent> {
        Ok(None)
    }
}

#[async_trait]
impl Keys for Heard {
    async fn accept(&self, _: &UserId, _: &str) -> Result<(), NotAccepted> {
        Ok(())
    }

    fn pinned(&self, _: &UserId) -> Option<String> {
        None
    }

    async fn current(&self, _: &UserId) -> Option<String> {
        None
    }

    async fn still_signed(&self, _: &RoomId, _: &UserId, _: &str) -> Trust {
        Trust::Clear
    }
}

/// A pipeline with the admin ann and the moderator moe, at the beginning of time.
pub(super) struct Stage {
    pub(super) pipeline: Pipeline,
    pub(super) clock: Arc<FixedClock>,
    pub(super) heard: Arc<Heard>,
    events: std::sync::atomic::AtomicU64,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// One whose homeserver is at `base`.
    pub(super) fn set(base: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let store = Store::open(&dir.path().join("store"), Timestamp::UNIX_EPOCH).unwrap().store;
        let operator = |name: &str, rank: Rank| {
            let user = UserId::parse(format!("@{name}:x.test")).unwrap();
            Operator { person: user.to_string(), user, role: rank.into() }
        };
        let operators = [operator("ann", Rank::Admin), operator("moe", Rank::Moderator)];
        let roster = Roster {
            bot: owned_user_id!("@synod:x.test"),
            admin_account: None,
            rooms: [owned_room_id!("!admin:x.test")].into(),
            operators: operators.map(|one| (one.user.clone(), one)).into(),
            roles: Vec::new(),
            read_only: false,
            policy: Policy::default(),
        };
        let minutes = std::time::Duration::from_mins;
        let rules = Rules {
            max_age: minutes(5),
            expire_after: minutes(10),
            keep_details: minutes(90 * 24 * 60),
            approve_within: minutes(24 * 60),
            typed_secrets: false,
            lift_rate_limit: false,
            unfreeze_file: dir.path().join("unfreeze"),
        };
        let access = Access {
            base: base.parse().unwrap(),
            token: "token".into(),
            server_name: owned_server_name!("x.test"),
        };
        let heard = Arc::new(Heard::default());
        let passwords = OneTimePasswords::new([], &store).unwrap();
        let rooms = (heard.clone() as Arc<dyn Outbox>, heard.clone() as Arc<dyn Keys>);
        let pipeline =
            Pipeline::new(roster, rules, access, &store, clock.clone(), passwords, rooms).unwrap();
        Self { pipeline, clock, heard, events: 0.into(), _dir: dir }
    }

    /// Lets somebody say something, and waits until the bot is done with it.
    pub(super) async fn say(&self, sender: &str, text: &str) {
        let number = self.events.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let request = Request {
            room: owned_room_id!("!admin:x.test"),
            sender: OwnedUserId::try_from(format!("@{sender}:x.test")).unwrap(),
            event: EventId::parse(format!("${number}")).unwrap(),
            sent: crate::clock::Clock::now(self.clock.as_ref()),
            trust: Trust::Clear,
            said: Said::Message { body: text.to_owned(), formatted: None, reply_to: None },
        };
        let task: Option<Task> = self.pipeline.receive(request);
        if let Some(task) = task {
            self.pipeline.handle(task).await;
        }
    }
}
