//! A command from a shell while no bot runs: the same pipeline over the same store, without Matrix.
//!
//! What the room is to be told waits in the store, as do the jobs that were agreed to and the work that is
//! to be watched: the bot goes on with all of it when it is started.

use std::{os::unix::net::UnixStream, path::Path, sync::Arc, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use ruma::{OwnedEventId, RoomId, UserId};
use secrecy::SecretString;

use super::{File, Lasting, RunError, admin_account, assemble, lock, open_store, store_folder};
use crate::{
    clock::{SharedClock, SystemClock},
    config::{Config, ShellAccess},
    matrix,
    metrics::Metrics,
    monitoring::Monitor,
    pipeline::{
        Ailment, Attached, Attachment, Held, Keys, NoWhisper, NotAccepted, Outbox, Pipeline, Ports,
        Said, Trust, Unsent,
    },
    reply::{File as ReplyFile, Reply},
    service::Service,
    shell,
    store::Opened,
};

/// How long the homeserver may take to say whose the admin token is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A pipeline without a bot. While it lives no bot begins on the same state.
#[derive(Debug)]
pub struct Alone {
    pipeline: Arc<Pipeline>,
    access: ShellAccess,
    _lock: std::fs::File,
}

impl Alone {
    /// Opens the state of the bot with this configuration, which does not run.
    pub async fn open(file: &Path, config: &Config) -> Result<Self, RunError> {
        let access = config.shell.clone().ok_or(RunError::NoShell)?;
        if !store_folder(config).is_dir() {
            return Err(RunError::NeverRun);
        }
        let lock = lock(&config.state)?;
        let clock: SharedClock = Arc::new(SystemClock);
        let Opened { store, moved_aside, rebuilt, new } = open_store(config, &clock).await?;
        if new || moved_aside.is_some() {
            // What is lost is restored, and told, by the bot.
            return Err(RunError::NeverRun);
        }
        let service = Service::of_nobody();
        let lasting = Lasting {
            file,
            clock,
            store,
            new,
            rebuilt,
            moved_aside,
            connection: None,
            new_device: false,
            monitor: Monitor::begin(None, &service).await?,
            service,
        };
        let whose = tokio::time::timeout(ANSWERS_WITHIN, admin_account(config, &lasting));
        let admin_account = whose.await.map_err(|_| RunError::NoHomeserver)??;
        let rooms = matrix::known_rooms(&config.rooms, &lasting.store)?;
        if rooms.len() < config.rooms.len() {
            // None of them may be acted on, so each must be known.
            return Err(RunError::NeverRun);
        }
        let ports = Ports {
            outbox: Arc::new(OutOfReach),
            keys: Arc::new(OutOfReach),
            config_source: Arc::new(File::new(file, config)),
            metrics: Metrics::off(),
        };
        let pipeline = assemble(config, &lasting, admin_account, rooms, ports)?;
        if let Some(file) = &config.record.file {
            let mirrored = pipeline.mirror_record(file, config.record.rotation).await;
            mirrored.map_err(|source| RunError::Record { file: file.clone(), source })?;
        }
        Ok(Self { pipeline, access, _lock: lock })
    }

    /// Hears one call of this account of the machine, and puts everything on disk.
    pub async fn hear(self, from: UnixStream, uid: u32) -> Result<(), RunError> {
        shell::hear_one(from, uid, &self.pipeline, &self.access).await;
        Ok(self.pipeline.flush().await?)
    }
}

/// Rooms and keys that cannot be reached.
#[derive(Debug)]
struct OutOfReach;

/// What nobody can be told now.
fn unsent<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, Unsent>> {
    future::ready(Err(Unsent::Timeout)).boxed()
}

impl Keys for OutOfReach {
    fn accept<'a>(&'a self, _: &'a UserId, _: &'a str) -> BoxFuture<'a, Result<(), NotAccepted>> {
        future::ready(Err(NotAccepted::NotCurrent)).boxed()
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
        _: &'a str,
    ) -> BoxFuture<'a, Trust> {
        future::ready(Trust::Doubtful(crate::pipeline::Doubt::UnknownDevice)).boxed()
    }
}

impl Outbox for OutOfReach {
    fn show_typing<'a>(&'a self, _: &'a RoomId, _: bool) -> BoxFuture<'a, ()> {
        future::ready(()).boxed()
    }

    fn mark<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        unsent()
    }

    fn unmark<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        unsent()
    }

    fn say<'a>(
        &'a self,
        _: &'a RoomId,
        _: Option<&'a OwnedEventId>,
        _: &'a str,
        _: &'a Reply,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        unsent()
    }

    fn attach<'a>(
        &'a self,
        _: &'a RoomId,
        _: Option<&'a OwnedEventId>,
        _: &'a str,
        _: &'a ReplyFile,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        unsent()
    }

    fn edit<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
        _: &'a Reply,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        unsent()
    }

    fn react<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        unsent()
    }

    fn unreact<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        unsent()
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
        unsent()
    }

    fn stands<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<bool, Unsent>> {
        unsent()
    }

    fn may_say<'a>(&'a self, _: &'a RoomId) -> BoxFuture<'a, bool> {
        future::ready(false).boxed()
    }

    fn may_say_now<'a>(&'a self, _: &'a RoomId) -> BoxFuture<'a, bool> {
        future::ready(false).boxed()
    }

    fn can_whisper<'a>(&'a self, _: &'a UserId) -> BoxFuture<'a, Result<(), NoWhisper>> {
        future::ready(Err(NoWhisper::Failed)).boxed()
    }

    fn can_be_heard<'a>(&'a self, _: &'a RoomId) -> BoxFuture<'a, Result<(), Ailment>> {
        future::ready(Ok(())).boxed()
    }

    fn ailments(&self) -> BoxFuture<'_, Vec<Ailment>> {
        future::ready(Vec::new()).boxed()
    }

    fn whisper<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a str,
        _: &'a Reply,
        _: &'a SecretString,
    ) -> BoxFuture<'a, Result<OwnedEventId, NoWhisper>> {
        future::ready(Err(NoWhisper::Failed)).boxed()
    }

    fn attached<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<Attachment, Unsent>> {
        unsent()
    }

    fn download<'a>(&'a self, _: &'a Attached, _: u64) -> BoxFuture<'a, Result<Held, Unsent>> {
        unsent()
    }

    fn message_index<'a>(
        &'a self,
        _: &'a RoomId,
        _: &'a OwnedEventId,
        _: Option<&'a Said>,
    ) -> BoxFuture<'a, Result<Option<(String, u32)>, Unsent>> {
        unsent()
    }
}
