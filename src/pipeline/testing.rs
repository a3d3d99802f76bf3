//! A pipeline whose clock, homeserver and rooms are a test's own: for what only time shows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use jiff::Timestamp;
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId, owned_room_id,
    owned_server_name, owned_user_id,
};

use super::{
    Ailment, Attached, Attachment, ConfigProposal, ConfigRejected, ConfigSource, Held, Keys,
    NoWhisper, NotAccepted, Outbox, Pipeline, PolicyRules, Ports, Request, Rules, Said, Trust,
    Unsent, WatchedList,
};
use crate::{
    clock::{Clock, FixedClock, SharedClock},
    input::Prefix,
    metrics::Metrics,
    operators::{Operator, Policy, Protection, Rank, Roster, Stance},
    reply::{File, Layout, Reply},
    store::Store,
    synapse::Access,
    totp::OneTimePasswords,
};

mod amounts;
pub(super) mod cut;
mod foreign;
mod prefixed;

/// The Megolm session in which everybody speaks; an event's number is its place in it.
const SESSION: &str = "session";

/// What the record asks for at each of its entries is as long, and no secret.
const SALT: usize = 32;

/// Where the bot's own code is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Where a secret is made, which is after a change was begun and before it is sent.
    Secret,
    /// Where an answer is sent, which is after the change has ended.
    Answer,
}

/// Whether an answer is refused, by its Markdown.
type Refuses = fn(&str) -> bool;

/// A room in which nobody answers, and what was said in it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    said: Mutex<Vec<(Instant, Reply)>>,
    /// The reactions that were put under messages, and what else is shown and not said.
    reactions: Mutex<Vec<String>>,
    /// What goes wrong next.
    fault: Mutex<Option<Fault>>,
    /// One is sent after the other, as in any room.
    lane: tokio::sync::Mutex<()>,
    /// How long it takes to send one.
    takes: Mutex<Duration>,
    /// Which answers are refused, by their Markdown.
    refuses: Mutex<Option<Refuses>>,
    /// What keeps the bot from being heard.
    ailment: Mutex<Option<Ailment>>,
    /// What was said under which transaction id, where the homeserver takes each of them once and time
    /// passes until the bot knows that it has.
    once: Mutex<Option<BTreeMap<String, OwnedEventId>>>,
}

impl Heard {
    fn said(&self) -> MutexGuard<'_, Vec<(Instant, Reply)>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answers so far, as Markdown.
    pub(super) fn all(&self) -> Vec<String> {
        self.said().iter().map(|(_, reply)| reply.markdown(&Layout::default())).collect()
    }

    /// The answers so far.
    pub(super) fn replies(&self) -> Vec<Reply> {
        self.said().iter().map(|(_, reply)| reply.clone()).collect()
    }

    /// The reactions so far, in their order.
    pub(super) fn reactions(&self) -> Vec<String> {
        self.reactions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reacted(&self, key: &str) {
        self.reactions.lock().unwrap_or_else(PoisonError::into_inner).push(key.to_owned());
    }

    /// When the first answer came that holds this.
    pub(super) fn first(&self, part: &str) -> Option<Instant> {
        let place = self.all().iter().position(|answer| answer.contains(part))?;
        self.said().get(place).map(|(at, _)| *at)
    }

    /// Lets the code go wrong here, the next time that it comes there.
    pub(super) fn go_wrong(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    fn may_go_wrong(&self, here: Fault) {
        let fault =
            self.fault.lock().unwrap_or_else(PoisonError::into_inner).take_if(|f| *f == here);
        assert!(fault.is_none(), "the test wants a fault here: {here:?}");
    }

    /// From now on it takes so long to send an answer.
    pub(super) fn take_time(&self, time: Duration) {
        *self.takes.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// From now on these answers are refused.
    pub(super) fn refuse(&self, which: Refuses) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = Some(which);
    }

    /// From now on this is wrong with the bot's keys, so that nothing gets through; or nothing is.
    pub(super) fn ail(&self, ailment: Option<Ailment>) {
        *self.ailment.lock().unwrap_or_else(PoisonError::into_inner) = ailment;
        self.refuse(if ailment.is_some() { |_| true } else { |_| false });
    }

    /// From now on what is said again under the same transaction id is the same message, as on a
    /// homeserver; and a kill can come between a message and the answer to it.
    pub(super) fn take_once(&self) {
        *self.once.lock().unwrap_or_else(PoisonError::into_inner) = Some(BTreeMap::new());
    }

    /// The message that was said under this transaction id before.
    fn said_before(&self, transaction: &str) -> Option<OwnedEventId> {
        let once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        once.as_ref()?.get(transaction).cloned()
    }

    /// Notes what was said under it; whether that is kept.
    fn note_once(&self, transaction: String, event: &OwnedEventId) -> bool {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        once.as_mut().map(|once| once.insert(transaction, event.clone())).is_some()
    }

    /// The lines of the record that came with them.
    pub(super) fn carried(&self) -> Vec<String> {
        self.said().iter().flat_map(|(_, reply)| reply.carried.clone()).collect()
    }
}

impl Outbox for Heard {
    fn show_typing<'a>(&'a self, _: &'a RoomId, types: bool) -> BoxFuture<'a, ()> {
        self.reacted(if types { "types" } else { "types no more" });
        future::ready(()).boxed()
    }

    fn mark<'a>(
        &'a self,
        _: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        self.reacted(key);
        future::ready(Ok(EventId::parse(format!("{event}-mark")).unwrap())).boxed()
    }

    fn unmark<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.reacted("unmarked");
        future::ready(Ok(())).boxed()
    }

    fn say<'a>(
        &'a self,
        room: &'a RoomId,
        about: Option<&'a OwnedEventId>,
        key: &'a str,
        reply: &'a Reply,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        async move {
            self.may_go_wrong(Fault::Answer);
            let transaction = format!("{} {key}", about.map_or(room.as_str(), |it| it.as_str()));
            if let Some(event) = self.said_before(&transaction) {
                return Ok(event);
            }
            let takes = *self.takes.lock().unwrap_or_else(PoisonError::into_inner);
            if !takes.is_zero() {
                let _turn = self.lane.lock().await;
                tokio::time::sleep(takes).await;
            }
            let refuses = *self.refuses.lock().unwrap_or_else(PoisonError::into_inner);
            if refuses.is_some_and(|refuses| refuses(&reply.markdown(&Layout::default()))) {
                return Err(Unsent::Refused("the test wants it so".into()));
            }
            let event = {
                let mut said = self.said();
                said.push((Instant::now(), reply.clone()));
                EventId::parse(format!("$said{}", said.len())).unwrap()
            };
            if self.note_once(transaction, &event) {
                tokio::task::yield_now().await;
            }
            Ok(event)
        }
        .boxed()
    }

    fn attach<'a>(
        &'a self,
        _: &'a RoomId,
        _: Option<&'a OwnedEventId>,
        _: &'a str,
        _: &'a File,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        future::ready(Ok(EventId::parse("$attached").unwrap())).boxed()
    }

    fn edit<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
        _: &'a Reply,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        future::ready(Ok(())).boxed()
    }

    fn react<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.reacted(key);
        future::ready(Ok(())).boxed()
    }

    fn unreact<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        future::ready(Ok(())).boxed()
    }

    fn can_be_edited_to(&self, _: &Reply) -> bool {
        true
    }

    fn redact<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        future::ready(Ok(())).boxed()
    }

    fn stands<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<bool, Unsent>> {
        future::ready(Ok(true)).boxed()
    }

    fn may_say<'a>(&'a self, _: &'a RoomId) -> BoxFuture<'a, bool> {
        future::ready(true).boxed()
    }

    fn may_say_now<'a>(&'a self, _: &'a RoomId) -> BoxFuture<'a, bool> {
        future::ready(true).boxed()
    }

    fn can_be_heard<'a>(&'a self, _: &'a RoomId) -> BoxFuture<'a, Result<(), Ailment>> {
        let ailment = *self.ailment.lock().unwrap_or_else(PoisonError::into_inner);
        future::ready(ailment.map_or(Ok(()), Err)).boxed()
    }

    fn ailments(&self) -> BoxFuture<'_, Vec<Ailment>> {
        let ailment = *self.ailment.lock().unwrap_or_else(PoisonError::into_inner);
        future::ready(ailment.into_iter().collect()).boxed()
    }

    fn can_whisper<'a>(&'a self, _: &'a UserId) -> BoxFuture<'a, Result<(), NoWhisper>> {
        future::ready(Ok(())).boxed()
    }

    fn whisper<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a str,
        _: &'a Reply,
        _: &'a secrecy::SecretString,
    ) -> BoxFuture<'a, Result<OwnedEventId, NoWhisper>> {
        future::ready(Ok(EventId::parse("$whispered").unwrap())).boxed()
    }

    fn attached<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<Attachment, Unsent>> {
        future::ready(Ok(Attachment::None)).boxed()
    }

    fn download<'a>(&'a self, _: &'a Attached, _: u64) -> BoxFuture<'a, Result<Held, Unsent>> {
        future::ready(Ok(Held::Altered)).boxed()
    }

    fn message_index<'a>(
        &'a self,
        _: &'a RoomId,
        event: &'a OwnedEventId,
        _: Option<&'a Said>,
    ) -> BoxFuture<'a, Result<Option<(String, u32)>, Unsent>> {
        async move {
            Ok(event
                .as_str()
                .trim_start_matches('$')
                .parse()
                .ok()
                .map(|index| (SESSION.into(), index)))
        }
        .boxed()
    }
}

#[async_trait]
impl ConfigSource for Heard {
    async fn look(&self) -> Vec<crate::finding::Finding> {
        Vec::new()
    }

    async fn propose(&self) -> Result<ConfigProposal, ConfigRejected> {
        Err(ConfigRejected::Findings(Vec::new()))
    }

    fn restart_with(&self, _: ConfigProposal) {}
}

impl Keys for Heard {
    fn accept<'a>(&'a self, _: &'a UserId, _: &'a str) -> BoxFuture<'a, Result<(), NotAccepted>> {
        future::ready(Ok(())).boxed()
    }

    fn pinned(&self, _: &UserId) -> Option<String> {
        None
    }

    fn current<'a>(&'a self, _: &'a UserId) -> BoxFuture<'a, Option<String>> {
        future::ready(None).boxed()
    }

    fn still_signed<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a UserId,
        session: &'a str,
    ) -> BoxFuture<'a, Trust> {
        async move { Trust::Signed { session: session.to_owned() } }.boxed()
    }
}

/// One list of which is told, and one by which the bot acts.
fn policy_lists() -> PolicyRules {
    let list = |room: OwnedRoomId, acts| WatchedList {
        named: room.into(),
        acts,
        on_users: ["user", "suspend"],
        per_hour: 2,
    };
    let told = list(owned_room_id!("!told:lists.test"), false);
    let acting = list(owned_room_id!("!acting:lists.test"), true);
    PolicyRules { room: owned_room_id!("!admin:synod.test"), lists: vec![told, acting] }
}

/// The clock of a stage, and the secrets that may go wrong.
#[derive(Debug)]
struct Faulty {
    clock: Arc<FixedClock>,
    heard: Arc<Heard>,
}

impl Clock for Faulty {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn digits(&self, digits: usize) -> String {
        self.clock.digits(digits)
    }

    fn secret(&self, length: usize) -> String {
        if length < SALT {
            self.heard.may_go_wrong(Fault::Secret);
        }
        self.clock.secret(length)
    }
}

/// A pipeline with the admin ann and the moderator moe, at the beginning of time.
pub(super) struct Stage {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) clock: Arc<FixedClock>,
    pub(super) heard: Arc<Heard>,
    events: std::sync::atomic::AtomicU64,
    build: Box<dyn Fn(Access) -> Pipeline + Send + Sync>,
    access: Access,
    pub(super) metrics: Metrics,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// One whose homeserver is at `base` and takes this token.
    pub(super) fn set(base: &str, token: &str) -> Self {
        let protection = Protection::all(Stance::Phrase);
        Self::with(Policy { protection, ..Policy::default() }, base, token)
    }

    /// The same, where the config demands this.
    pub(super) fn with(policy: Policy, base: &str, token: &str) -> Self {
        Self::with_prefix(policy, Prefix::default(), base, token)
    }

    /// The same, where commands begin with this prefix.
    fn with_prefix(policy: Policy, prefix: Prefix, base: &str, token: &str) -> Self {
        Self::with_rules(policy, |rules| rules.prefix = prefix, base, token)
    }

    /// The same, where the config says otherwise how the bot behaves.
    pub(super) fn with_rules(
        policy: Policy,
        change: impl FnOnce(&mut Rules),
        base: &str,
        token: &str,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let store = Store::open(&dir.path().join("store"), Timestamp::UNIX_EPOCH).unwrap().store;
        let operator = |name: &str, rank: Rank| {
            let user = UserId::parse(format!("@{name}:synod.test")).unwrap();
            Operator { person: user.to_string(), user, role: rank.into() }
        };
        let operators = [operator("ann", Rank::Admin), operator("moe", Rank::Moderator)];
        let roster = Roster {
            bot: owned_user_id!("@synod:synod.test"),
            admin_account: None,
            rooms: [owned_room_id!("!admin:synod.test")].into(),
            record_room: None,
            operators: operators.map(|one| (one.user.clone(), one)).into(),
            roles: Vec::new(),
            read_only: false,
            policy,
        };
        let minutes = Duration::from_mins;
        let mut rules = Rules {
            prefix: Prefix::default(),
            told_in: Some(owned_room_id!("!admin:synod.test")),
            max_age: minutes(5),
            expire_after: minutes(10),
            keep_details: minutes(90 * 24 * 60),
            approve_within: minutes(24 * 60),
            typed_secrets: false,
            lift_rate_limit: false,
            settling: Duration::ZERO,
            ask_again: Duration::ZERO,
            digest: "monday 09:00".parse().ok(),
            desk: None,
            announce: crate::config::Announce::Off,
            wave: None,
            policy_lists: Some(policy_lists()),
            unfreeze_file: dir.path().join("unfreeze"),
        };
        change(&mut rules);
        let access = Access {
            base: base.parse().unwrap(),
            media: None,
            token: token.into(),
            token_expires: None,
            accounts: None,
            server_name: owned_server_name!("synod.test"),
        };
        let heard = Arc::new(Heard::default());
        let metrics = Metrics::counting(super::verbs(), super::operations()).unwrap();
        let build = {
            let (heard, metrics) = (heard.clone(), metrics.clone());
            let clock: SharedClock =
                Arc::new(Faulty { clock: clock.clone(), heard: heard.clone() });
            move |access: Access| {
                let passwords = OneTimePasswords::new([], &store).unwrap();
                let (outbox, keys, config_source) = (heard.clone(), heard.clone(), heard.clone());
                let metrics = metrics.clone();
                let ports = Ports { outbox, keys, config_source, metrics };
                let (roster, rules) = (roster.clone(), rules.clone());
                let clock = clock.clone();
                Pipeline::new(roster, rules, access, &store, clock, passwords, ports).unwrap()
            }
        };
        let (pipeline, build) = (Arc::new(build(access.clone())), Box::new(build));
        Self { pipeline, clock, heard, events: 0.into(), build, access, metrics, _dir: dir }
    }

    /// Begins anew on the same store, as after a kill, and reports what was cut off.
    pub(super) async fn start_again(&mut self) {
        self.pipeline = Arc::new((self.build)(self.access.clone()));
        let unhandled = self.pipeline.unhandled();
        self.pipeline.report_cut_off().await;
        self.pipeline.report_unhandled(unhandled).await;
    }

    /// Begins anew on the same store, with this token.
    pub(super) fn with_token(mut self, token: &str) -> Self {
        self.access.token = token.into();
        self.pipeline = Arc::new((self.build)(self.access.clone()));
        self
    }

    /// Begins anew on the same store, where the config says when the token ends.
    pub(super) fn with_token_that_expires(mut self, at: Timestamp) -> Self {
        self.access.token_expires = Some(at);
        self.pipeline = Arc::new((self.build)(self.access.clone()));
        self
    }

    /// What somebody says, by an event of its own.
    pub(super) fn request(&self, sender: &str, text: &str) -> Request {
        let number = self.events.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Request {
            room: owned_room_id!("!admin:synod.test"),
            sender: OwnedUserId::try_from(format!("@{sender}:synod.test")).unwrap(),
            event: EventId::parse(format!("${number}")).unwrap(),
            sent: Clock::now(self.clock.as_ref()),
            trust: Trust::Signed { session: SESSION.to_owned() },
            thread: None,
            said: Said::Message {
                body: text.to_owned(),
                formatted: None,
                reply_to: None,
                captions: false,
            },
        }
    }

    /// Hands it to the bot, and waits until the bot is done with it; whether it had to do with it.
    pub(super) async fn hand(&self, request: Request) -> bool {
        match self.pipeline.receive(request) {
            Some(message) => {
                let task = self.pipeline.parse(message);
                if let Some(refusal) = self.pipeline.handle(task).await {
                    self.pipeline.answer_aside(refusal).await;
                }
                true
            }
            None => false,
        }
    }

    /// Lets somebody say something, and waits until the bot is done with it.
    pub(super) async fn say(&self, sender: &str, text: &str) {
        self.hand(self.request(sender, text)).await;
    }
}
