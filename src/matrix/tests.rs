//! The bot on a real homeserver, with real encrypted people.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use ruma::{OwnedEventId, RoomId};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;
use world::{Fault, NewRoom, Person, Proxy, Scene};

use super::*;
use crate::{
    clock::{FixedClock, SystemClock},
    pipeline::{Doubt, NoWhisper, Request, Said, Trust},
    reply::Reply,
};

/// The bot, running.
struct Running {
    shared: Arc<Shared>,
    outbox: Arc<dyn Outbox>,
    keys: Arc<dyn Keys>,
    incoming: UnboundedReceiver<Incoming>,
    /// What was told since the start.
    news: Vec<News>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), Fatal>>,
}

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> Result<T> {
    let waited = tokio::time::timeout(world::PATIENCE, wait).await;
    waited.with_context(|| format!("waiting for {what}"))
}

fn settings(scene: &Scene) -> Settings {
    let operator = |user_id: OwnedUserId| Pinned { user_id, master_key: None };
    let people = scene.accounts().into_iter().take(2).map(|account| account.user_id.clone());
    let operators = people.chain([scene.ann().user_id().clone()]);
    Settings {
        record_room: None,
        homeserver: Url::parse(&scene.synapse().url()).unwrap(),
        user_id: scene.bot_id().clone(),
        login: Login::Password(scene.bot_account().password.clone().into()),
        device_name: "Synod".to_owned(),
        display_name: "Synod".to_owned(),
        avatar: false,
        describe_commands: false,
        unlimited: true,
        state: scene.state(),
        remembers_nothing: false,
        new_device: false,
        recovery_key_file: scene.dir().join("recovery-key"),
        rooms: vec![scene.room().clone().into()],
        encryption: Encryption::Required,
        trust: TrustSource::CrossSigned,
        operators: operators.map(operator).collect(),
        max_age: Duration::from_mins(5),
        layout: Layout::default(),
        prefix: Prefix::default(),
        service: Service::of_nobody(),
        metrics: Metrics::off(),
    }
}

async fn open(settings: Settings, clock: SharedClock) -> Result<Running> {
    let kept = Store::open(&settings.state.join("store"), jiff::Timestamp::now())?.store;
    Ok(run(connect(settings, kept, clock, None).await?))
}

fn run(matrix: Matrix) -> Running {
    let (out, incoming) = unbounded_channel();
    let stop = CancellationToken::new();
    let (shared, outbox, keys) =
        (Arc::clone(&matrix.outbox.shared), matrix.outbox(), matrix.keys());
    let task = tokio::spawn(matrix.run(out, stop.clone()));
    Running { shared, outbox, keys, incoming, news: Vec::new(), stop, task }
}

impl Running {
    async fn start(scene: &Scene) -> Result<Self> {
        open(settings(scene), Arc::new(SystemClock)).await
    }

    /// Returns when the bot is in the admin room, and Ann's client knows for whom to encrypt.
    async fn joined(&mut self, scene: &Scene) -> Result<()> {
        self.news(|news| matches!(news, News::Joined { .. })).await?;
        scene.ann().sees_joined(scene.room(), scene.bot_id()).await
    }

    /// Returns when the bot has found where its reading begins.
    async fn reads(&mut self) -> Result<()> {
        loop {
            match soon("the first mark", self.incoming.recv()).await?.context("the bot ended")? {
                Incoming::Request(request, _) => bail!("{request:?} before reading began"),
                Incoming::News(news) => self.news.push(news),
                Incoming::Mark(bookmark) => return Ok(bookmark.keep()?),
            }
        }
    }

    /// The next request; what comes before it is kept.
    async fn request(&mut self) -> Result<Request> {
        loop {
            match soon("a request", self.incoming.recv()).await?.context("the bot ended")? {
                Incoming::Request(request, _) => return Ok(request),
                Incoming::News(news) => self.news.push(news),
                Incoming::Mark(bookmark) => bookmark.keep()?,
            }
        }
    }

    async fn news(&mut self, wanted: impl Fn(&News) -> bool) -> Result<News> {
        loop {
            if let Some(found) = self.news.iter().find(|news| wanted(news)) {
                return Ok(found.clone());
            }
            match soon("news", self.incoming.recv()).await?.context("the bot ended")? {
                Incoming::Request(request, _) => bail!("{request:?} before the news"),
                Incoming::News(news) => self.news.push(news),
                Incoming::Mark(bookmark) => bookmark.keep()?,
            }
        }
    }

    /// Answers `person`'s words; fails where they do not count.
    async fn converse(&mut self, person: &Person, room: &RoomId, words: &str) -> Result<()> {
        let said = person.say(room, words).await?;
        let request = self.request().await?;
        ensure!(request.event == said, "{request:?} is not what was said");
        ensure!(matches!(request.trust, Trust::Signed { .. }), "{request:?} does not count");
        self.answer(&request, "heard").await?;
        let answer = person.answer_to(&said).await?;
        ensure!(answer.body == "heard" && answer.encrypted && answer.from_signed_device);
        Ok(())
    }

    async fn answer(&self, request: &Request, words: &str) -> Result<OwnedEventId> {
        let reply = Reply::data(words);
        Ok(self.outbox.say(&request.room, Some(&request.event), "answer", &reply).await?)
    }

    fn device(&self) -> OwnedDeviceId {
        self.shared.client.device_id().unwrap().to_owned()
    }

    async fn master_key(&self) -> Result<String> {
        self.keys.current(&self.shared.settings.user_id).await.context("no master key")
    }

    /// Stops as a signal does, and waits until nothing holds the store any more.
    async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        self.task.await??;
        while let Some(item) = self.incoming.recv().await {
            if let Incoming::Mark(bookmark) = item {
                bookmark.keep()?;
            }
        }
        Ok(())
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_operator_is_heard_and_answered_also_after_a_restart() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    let pinned = News::KeyPinned { user: ann.user_id().clone(), key: ann.master_key().await? };
    bot.news(|news| *news == pinned).await?;
    assert_eq!(bot.keys.pinned(ann.user_id()), Some(ann.master_key().await?));

    let state = scene.state();
    assert_eq!(mode(&state), 0o700);
    for file in ["store.key", "session.json", "matrix/matrix-sdk-crypto.sqlite3"] {
        assert_eq!(mode(&state.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&scene.dir().join("recovery-key")), 0o600);

    let device = bot.device();
    bot.stop().await?;
    let meanwhile = ann.say(room, "!me").await?;
    let mut bot = Running::start(&scene).await?;
    let request = bot.request().await?;
    assert_eq!((request.event, bot.device()), (meanwhile, device));
    bot.converse(ann, room, "!help").await?;
    assert_eq!(bot.news, [], "the key was pinned before");
    bot.stop().await
}

#[tokio::test]
async fn a_lost_store_gets_a_new_device_under_the_same_master_key() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    let (device, key) = (bot.device(), bot.master_key().await?);
    bot.stop().await?;

    let lost = ann.say(room, "said while nobody could read it").await?;
    std::fs::remove_dir_all(scene.state().join("matrix"))?;
    let mut bot = Running::start(&scene).await?;
    assert_ne!(bot.device(), device);
    assert_eq!(bot.master_key().await?, key);
    // What was said before is not for the new device, which is told. The old device is logged out, or
    // it would be among those that Ann encrypts for.
    let request = bot.request().await?;
    assert_eq!((request.event, request.said), (lost, Said::Undecryptable));
    bot.converse(ann, room, "!me").await?;
    let devices = bot.shared.client.devices().await?.devices;
    assert!(devices.iter().all(|other| other.device_id != device));
    bot.stop().await
}

#[tokio::test]
async fn without_its_recovery_key_a_new_device_refuses_to_run_unsigned() -> Result<()> {
    let scene = Scene::plan().set().await?;
    Running::start(&scene).await?.stop().await?;
    std::fs::remove_dir_all(scene.state())?;
    std::fs::remove_file(scene.dir().join("recovery-key"))?;
    let error = open(settings(&scene), Arc::new(SystemClock)).await.err().context("it ran")?;
    assert!(error.to_string().contains("recovery key into"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_changed_key_counts_for_nothing_until_accepted_and_silences_nobody() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    moe.join(room).await?;
    moe.sees_joined(room, scene.bot_id()).await?;
    bot.converse(ann, room, "!help").await?;
    bot.converse(moe, room, "!help").await?;
    let old = ann.master_key().await?;
    // As somebody can do who is logged in as the bot elsewhere: from now on the SDK minds.
    let identity = bot.shared.client.encryption().get_user_identity(ann.user_id()).await?;
    identity.context("no identity")?.verify().await?;

    ann.reset_identity().await?;
    ann.say(room, "!user list").await?;
    let request = bot.request().await?;
    assert_eq!(request.trust, Trust::Doubtful(Doubt::ChangedKey));
    let now = ann.master_key().await?;
    let (user, pinned) = (ann.user_id().clone(), old);
    let told = News::KeyChanged { user, pinned, now: now.clone(), in_config: false };
    bot.news(|news| *news == told).await?;
    bot.converse(moe, room, "!user list").await?;
    bot.answer(&request, "refused").await?;
    assert_eq!(ann.answer_to(&request.event).await?.body, "refused");

    ann.say(room, "!user list").await?;
    assert_eq!(bot.request().await?.trust, Trust::Doubtful(Doubt::ChangedKey));
    assert_eq!(bot.news.iter().filter(|news| **news == told).count(), 1, "told once");

    assert!(bot.keys.accept(ann.user_id(), "not their key").await.is_err());
    bot.keys.accept(ann.user_id(), &now).await?;
    bot.converse(ann, room, "!user list").await?;
    bot.stop().await
}

#[tokio::test]
async fn what_is_in_clear_or_from_an_unsigned_device_is_doubted_by_name() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;

    ann.say_in_clear(room, "!user list").await?;
    assert_eq!(bot.request().await?.trust, Trust::Doubtful(Doubt::Plaintext));

    let unsigned = ann.login_unsigned_device().await?;
    unsigned.say(room, "!user list").await?;
    assert_eq!(bot.request().await?.trust, Trust::Doubtful(Doubt::UnsignedDevice));

    let stranger = scene.stranger().await?;
    stranger.join(room).await?;
    stranger.sees_joined(room, scene.bot_id()).await?;
    stranger.say(room, "!user list").await?;
    assert_eq!(bot.request().await?.trust, Trust::Doubtful(Doubt::NotPinned));

    let said = ann.say(room, "!user list").await?;
    let first = bot.request().await?;
    let Trust::Signed { session } = first.trust else { bail!("{:?}", first.trust) };
    let still = bot.keys.still_signed(room, ann.user_id(), &session).await;
    assert_eq!(still, Trust::Signed { session: session.clone() });
    let replayed = ann.replay(room, &said).await?;
    let again = bot.request().await?;
    assert_eq!((&again.event, &again.said), (&replayed, &first.said));
    let original = bot.outbox.message_index(room, &said, None).await?.context("not encrypted")?;
    assert_eq!(original.0, session);
    assert_eq!(bot.outbox.message_index(room, &replayed, None).await?, Some(original));
    // A place counts for the message that is in it, whatever else the homeserver shows.
    assert!(bot.outbox.message_index(room, &said, Some(&first.said)).await.is_ok());
    let other = ann.say(room, "!help").await?;
    assert!(bot.outbox.message_index(room, &other, Some(&first.said)).await.is_err());
    bot.stop().await
}

#[tokio::test]
async fn a_secret_is_told_in_an_encrypted_room_of_two_and_nowhere_else() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    let vic = scene.vic().await?;
    let secret = "correct <horse> battery".into();
    let whisper = async |bot: &Running| {
        let reply = Reply::data("Your password");
        bot.outbox.whisper(ann.user_id(), "secret", &reply, &secret).await
    };
    assert_eq!(
        bot.outbox.can_whisper(ann.user_id()).await,
        Err(NoWhisper::NoSignedDevice),
        "nothing of hers counts before she has spoken"
    );
    bot.converse(ann, room, "!help").await?;
    assert_eq!(bot.outbox.can_whisper(ann.user_id()).await, Err(NoWhisper::NotJoined));
    let direct = bot.shared.client.joined_rooms();
    let direct = direct.iter().find(|other| other.room_id() != room).context("no direct room")?;
    let direct = direct.room_id().to_owned();
    ann.join(&direct).await?;
    bot.outbox.can_whisper(ann.user_id()).await?;
    let told = whisper(&bot).await?;
    let heard = ann.wait_for("the secret", |message| message.event_id == told).await?;
    assert!(heard.encrypted && heard.room == direct);
    assert!(heard.body.ends_with("\n\ncorrect <horse> battery"), "{}", heard.body);

    // Nobody but the bot may invite, but a room can change; then it is private no more.
    bot.shared
        .client
        .get_room(&direct)
        .context("no room")?
        .invite_user_by_id(vic.user_id())
        .await?;
    assert_eq!(whisper(&bot).await.err(), Some(NoWhisper::NotAlone));
    bot.stop().await
}

#[tokio::test]
async fn a_gap_is_read_back_and_nothing_from_before_the_first_start_is_read() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    bot.stop().await?;

    // More than one sync brings, so that the homeserver leaves a gap.
    let first = ann.say(room, "the first of many").await?;
    for number in 0..120 {
        ann.notice(room, &format!("noise {number}")).await?;
    }
    let last = ann.say(room, "the last of many").await?;
    let mut bot = Running::start(&scene).await?;
    assert_eq!(bot.request().await?.event, first);
    let request = bot.request().await?;
    assert_eq!(request.event, last);
    bot.answer(&request, "heard").await?;
    bot.stop().await?;

    // Our own records lost: what was said before the loss is not for us any more.
    ann.say(room, "said before the loss").await?;
    std::fs::remove_dir_all(scene.state().join("store"))?;
    let mut bot = Running::start(&scene).await?;
    bot.reads().await?;
    bot.converse(ann, room, "!me").await?;
    bot.stop().await
}

#[tokio::test]
async fn a_sync_that_stays_silent_is_given_up_and_the_next_one_tells() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let settings = Settings { homeserver: Url::parse(proxy.url())?, ..settings(&scene) };
    let kept = Store::open(&settings.state.join("store"), jiff::Timestamp::now())?.store;
    let mut matrix = connect(settings, kept, Arc::new(SystemClock), None).await?;
    // Beyond its poll a sync that is answered takes a fraction of that, also on a busy machine.
    let (poll, grace) = (Duration::from_secs(1), Duration::from_secs(5));
    matrix.reader.waits = sync::Waits { poll, grace };
    let mut bot = run(matrix);
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    let held = proxy.next(Method::GET, "/sync?", Fault::HoldRequest);
    held.reached().await?;
    let said = ann.say(room, "!me").await?;
    assert_eq!(bot.request().await?.event, said, "another sync brings what was said");
    bot.converse(ann, room, "!help").await?;
    bot.stop().await
}

#[tokio::test]
async fn an_older_copy_of_the_records_does_not_run_again_what_was_answered() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    // Marks that were never kept are what an older copy looks like.
    let answered = ann.say(room, "!user deactivate").await?;
    let request = bot.request().await?;
    assert_eq!(request.event, answered);
    bot.answer(&request, "done").await?;
    bot.stop.cancel();
    drop(bot.incoming);
    bot.task.await??;
    drop((bot.outbox, bot.keys, bot.shared));

    let mut bot = Running::start(&scene).await?;
    bot.converse(ann, room, "!me").await?;
    bot.stop().await
}

#[tokio::test]
async fn only_an_operators_invitation_to_a_room_of_the_config_is_followed() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let ann = scene.ann();
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    let invite = vec![scene.bot_id().clone()];
    let other = ann.create_room(&NewRoom { invite, ..NewRoom::default() }).await?;
    let refused = News::InviteRefused { room: other.clone(), by: ann.user_id().clone() };
    bot.news(|news| *news == refused).await?;
    let room = bot.shared.client.get_room(&other).context("no such room")?;
    assert_ne!(room.state(), matrix_sdk::RoomState::Joined);
    bot.converse(ann, scene.room(), "!help").await?;
    bot.stop().await
}

#[tokio::test]
async fn what_cannot_be_decrypted_holds_up_nothing_and_is_told_after_five_minutes() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let clock = Arc::new(FixedClock::at(jiff::Timestamp::now()));
    let mut bot = open(settings(&scene), clock.clone()).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    let said = ann.say(room, "!me").await?;
    bot.request().await?;
    let unknown = "a session that nobody has";
    let lost =
        ann.replay_with(room, &said, |content| content["session_id"] = unknown.into()).await?;
    bot.converse(ann, room, "!help").await?;
    bot.stop().await?;

    // It is not forgotten over a restart.
    let mut bot = open(settings(&scene), clock.clone()).await?;
    bot.converse(ann, room, "!help").await?;
    clock.pass(301);
    let request = bot.request().await?;
    assert_eq!((request.event, request.said), (lost, Said::Undecryptable));
    bot.stop().await
}

#[tokio::test]
async fn a_token_brings_its_device_and_not_one_whose_store_is_lost() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (token, device) = scene.synapse().log_in(scene.bot_account()).await?;
    let settings = Settings { login: Login::AccessToken(token.into()), ..settings(&scene) };
    for start in ["first", "second"] {
        let mut bot = open(settings.clone(), Arc::new(SystemClock)).await?;
        if start == "first" {
            bot.joined(&scene).await?;
        }
        assert_eq!(bot.device(), device.as_str(), "{start}");
        bot.converse(scene.ann(), scene.room(), "!help").await?;
        bot.stop().await?;
    }
    std::fs::remove_dir_all(scene.state().join("matrix"))?;
    let error = open(settings, Arc::new(SystemClock)).await.err().context("it ran")?;
    assert!(error.to_string().contains("log the bot in again"), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_alias_that_moves_is_told_and_its_first_room_stays() -> Result<()> {
    let alias = format!("admins-{}", std::process::id());
    let named = NewRoom { alias: Some(alias.clone()), ..NewRoom::default() };
    let scene = Scene::plan().room(named).set().await?;
    let (ann, room) = (scene.ann(), scene.room());
    let alias = OwnedRoomAliasId::try_from(format!("#{alias}:{}", world::SERVER_NAME))?;
    let settings = Settings { rooms: vec![alias.clone().into()], ..settings(&scene) };
    let mut bot = open(settings.clone(), Arc::new(SystemClock)).await?;
    bot.joined(&scene).await?;
    bot.converse(ann, room, "!help").await?;
    bot.stop().await?;

    let other = ann.create_room(&NewRoom::default()).await?;
    let aliases = scene.synapse().admin();
    let path = format!("/_matrix/client/v3/directory/room/{}", alias.as_str().replace('#', "%23"));
    assert_eq!(aliases.delete(&path, None).await?.0, 200);
    let body = serde_json::json!({ "room_id": other });
    assert_eq!(aliases.put(&path, body).await?.0, 200);
    let mut bot = open(settings, Arc::new(SystemClock)).await?;
    let moved = News::AliasMoved { alias, pinned: room.clone(), now: other };
    bot.news(|news| *news == moved).await?;
    bot.converse(ann, room, "!help").await?;
    bot.stop().await
}

#[tokio::test]
async fn where_plain_rooms_are_served_an_unsigned_bot_runs_and_says_so() -> Result<()> {
    let scene = Scene::plan().in_clear().set().await?;
    let mut bot = Running::start(&scene).await?;
    bot.joined(&scene).await?;
    bot.stop().await?;
    std::fs::remove_dir_all(scene.state())?;
    std::fs::remove_file(scene.dir().join("recovery-key"))?;

    let settings = Settings { encryption: Encryption::Optional, ..settings(&scene) };
    let mut bot = open(settings, Arc::new(SystemClock)).await?;
    bot.news(|news| *news == News::OwnDeviceUnsigned).await?;
    bot.reads().await?;
    let said = scene.ann().say(scene.room(), "!help").await?;
    let request = bot.request().await?;
    assert_eq!((&request.event, &request.trust), (&said, &Trust::Clear));
    bot.answer(&request, "heard").await?;
    assert!(!scene.ann().answer_to(&said).await?.encrypted);
    assert_eq!(
        bot.outbox.can_whisper(scene.ann().user_id()).await,
        Err(NoWhisper::NoSignedDevice),
        "no secrets for somebody whose key is not known"
    );
    bot.stop().await
}
