//! The bot from its start to its end: what is opened in which order, and how it stops.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    audit::{Links, files_of},
    clock::{SharedClock, SystemClock},
    config::{Config, Login, ShellAccess},
    matrix::{self, ConnectError, Fatal, SaidBy},
    monitoring::{self, Monitor},
    pipeline::{BuildError, CaughtUp, Lost, Pipeline, Ports, Recalled, Rules, queue},
    service::Service,
    shell::{self, Door},
    store::{self, Opened, Store},
    synapse::{self, Reader},
};

mod alone;
mod backups;
mod file;
mod first;
mod parts;
mod state;

pub use alone::Alone;
use file::File;
pub use first::prepare;
use parts::{access, passwords, roster, rules, settings};
pub use state::{lock, unfreeze};
use state::{open_store, store_folder};

/// How long to wait before a homeserver that cannot be reached is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// Why the bot does not run. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another bot runs on the same state.
    #[error(
        "another Synod is running on {}; stop it first, or give this one its own state folder",
        state.display()
    )]
    Running {
        /// The folder of the state.
        state: PathBuf,
    },
    /// The folder of the state cannot be used.
    #[error(
        "the state folder {} cannot be used: {source}; {}",
        state.display(),
        store::advice::on(source)
    )]
    State {
        /// The folder.
        state: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The store cannot be opened, and no new one made.
    #[error("the store cannot be opened")]
    Store(#[from] store::Error),
    /// The file of the record cannot be used.
    #[error("the file of the record, {}, cannot be used: {source}", file.display())]
    Record {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No shell may speak to it.
    #[error("the config has no `shell` section to say who may use this")]
    NoShell,
    /// There is no state yet that a command could go by.
    #[error(
        "no bot is running, and this state has never been used in the rooms of this config: start \
        the bot once"
    )]
    NeverRun,
    /// Nobody says whose the admin token is.
    #[error("the homeserver does not answer")]
    NoHomeserver,
    /// The admin token is not one.
    #[error("the admin token cannot be used: {0}; `synod check` says more")]
    AdminToken(synapse::Error),
    /// The pipeline cannot be put together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The bot does not get on Matrix.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The bot cannot stay on Matrix.
    #[error(transparent)]
    Fatal(#[from] Fatal),
    /// The bot cannot be watched as the config says.
    #[error(transparent)]
    Monitoring(#[from] monitoring::Error),
}

/// How the process steers its bot.
#[derive(Debug, Clone)]
pub struct Control {
    /// Ends the bot, which finishes the changes in hand first.
    pub stop: CancellationToken,
    /// Notified when the configuration is to be read again.
    pub reload: Arc<Notify>,
    /// Told what to log, see [`Config::log`], when another configuration is in force.
    pub log: watch::Sender<String>,
    /// Told how the bot is.
    pub service: Service,
}

/// Runs the bot with `config`, which was read from `file`, until it is told to stop; then finishes
/// the changes in hand and flushes.
///
/// Where another configuration is put in force meanwhile, everything that rests on the
/// configuration is built anew: store and session on Matrix stay. If that cannot be done, it goes
/// on with the configuration before.
pub async fn run(file: &Path, config: Config, control: &Control) -> Result<(), RunError> {
    let _lock = lock(&config.state)?;
    control.service.lives_in(&config.state);
    let monitor = Monitor::begin(config.monitoring.as_ref(), &control.service).await?;
    let clock: SharedClock = Arc::new(SystemClock);
    let Opened { store, moved_aside, rebuilt, new } = open_store(&config, &clock).await?;
    let mut opening = moved_aside.clone().filter(|_| rebuilt).map(Opening::RebuiltStore);
    let mut lasting = Lasting {
        file,
        clock,
        store,
        new,
        rebuilt,
        moved_aside,
        connection: None,
        new_device: false,
        service: control.service.clone(),
        monitor,
    };
    let (mut config, mut before) = (config, None);
    loop {
        let begun = tokio::select! {
            begun = Box::pin(begin(&lasting, &config)) => begun,
            () = control.stop.cancelled() => return Ok(()),
        };
        let bot = match (begun, before.take()) {
            (Ok((bot, first)), _) => {
                opening = opening.or(first);
                bot
            }
            (Err(error), Some(working)) => {
                let error = chain(&error);
                error!(
                    error,
                    "the bot cannot begin with this config; going on with the one before"
                );
                opening = Some(Opening::NotInForce(error));
                config = working;
                continue;
            }
            (Err(error), None) => return Err(error),
        };
        lasting.connection = Some(bot.matrix.connection());
        lasting.monitor.shows(&bot.pipeline);
        lasting.new_device = false;
        control.log.send_replace(config.log.clone());
        let next = match Box::pin(bot.serve(opening.take(), control)).await {
            Err(RunError::Fatal(Fatal::Expired)) if logs_in(&config) => {
                warn!("the access token has expired; logging in again");
                lasting = lasting.without_connection();
                continue;
            }
            Err(RunError::Fatal(Fatal::OneTimeKeysClash)) => {
                warn!("making another device, since the keys of this one are of no use");
                opening = Some(Opening::NewDevice);
                lasting = Lasting { new_device: true, ..lasting.without_connection() };
                continue;
            }
            next => next?,
        };
        let Some(next) = next else { break };
        before = Some(std::mem::replace(&mut config, next));
    }
    info!("stopped; everything is on disk");
    Ok(())
}

/// Whether the bot can log in by itself.
fn logs_in(config: &Config) -> bool {
    matches!(config.bot.login, Login::Password(_))
}

/// What stays when another configuration is put in force.
struct Lasting<'a> {
    file: &'a Path,
    clock: SharedClock,
    store: Store,
    /// Whether the store is new.
    new: bool,
    /// Whether it was made again from what was left of a damaged one.
    rebuilt: bool,
    /// Where a store lies that would not open.
    moved_aside: Option<PathBuf>,
    connection: Option<matrix::Connection>,
    /// Whether the device of before is given up.
    new_device: bool,
    service: Service,
    monitor: Monitor,
}

impl Lasting<'_> {
    /// The same, for a bot that logs in again. Its store is new no more.
    fn without_connection(self) -> Self {
        Self { connection: None, new: false, rebuilt: false, ..self }
    }
}

/// What the rooms are told first.
enum Opening {
    /// What was lost with the store.
    LostStore(Lost),
    /// What was made of an older state that was put back.
    PutBack(CaughtUp),
    /// Where the damaged store lies from whose log this one was made.
    RebuiltStore(PathBuf),
    /// The bot has made itself another device.
    NewDevice,
    /// The configuration that was read again could not be begun with, for this reason.
    NotInForce(String),
}

/// The bot under one configuration.
struct Bot {
    matrix: matrix::Matrix,
    pipeline: Arc<Pipeline>,
    config_source: Arc<File>,
    /// The folder of the store.
    store: PathBuf,
    /// Who may speak to it from a shell, and where.
    shell: Option<(ShellAccess, PathBuf)>,
    backup: backups::Backups,
}

/// Puts the bot together, and what its rooms are told first, where the store is new or older than what
/// the bot has said.
async fn begin(lasting: &Lasting<'_>, config: &Config) -> Result<(Bot, Option<Opening>), RunError> {
    let Lasting { store, clock, connection, .. } = lasting;
    // What was written last may be missing from a store that was made again, so that what was used
    // up or read by then must not be readable any more either.
    let settings = matrix::Settings {
        new_device: lasting.new_device,
        metrics: lasting.monitor.metrics(),
        ..settings(config, lasting.new || lasting.rebuilt, &lasting.service)
    };
    let recalled = if lasting.new && connection.is_none() {
        Some((recall(config)?, matrix::recall(&settings).await))
    } else {
        None
    };
    let mut matrix =
        matrix::connect(settings.clone(), store.clone(), clock.clone(), connection.as_ref())
            .await?;
    let admin_account = admin_account(config, lasting).await?;
    if admin_account == config.bot.user_id {
        warn!("the admin token is the bot's own account's; give it an account of its own");
    }
    let config_source = Arc::new(File::new(lasting.file, config));
    let assemble = |matrix: &matrix::Matrix| {
        let ports = Ports {
            outbox: matrix.outbox(),
            keys: matrix.keys(),
            config_source: config_source.clone(),
            metrics: lasting.monitor.metrics(),
        };
        assemble(config, lasting, admin_account.clone(), matrix.rooms(), ports)
    };
    let mut pipeline = assemble(&matrix)?;
    if let Some(life) = matrix.token_life() {
        pipeline.learn_token_life(life);
    }
    let mut put_back = None;
    if connection.is_none() && !lasting.new {
        put_back = catch_up(config, &settings, store, &matrix, &pipeline).await?;
    }
    if put_back.is_some() {
        // The device is as old as the store. It would encrypt with keys that it has used up since, and
        // has not got those that were sent to it since.
        drop((matrix, pipeline));
        let settings = matrix::Settings { remembers_nothing: true, ..settings };
        matrix = matrix::connect(settings, store.clone(), clock.clone(), None).await?;
        matrix.discard_room_keys().await;
        pipeline = assemble(&matrix)?;
    }
    let lost = match recalled {
        Some((file, rooms)) => {
            let had_run = rooms.is_some();
            let recalled = Recalled { file, rooms: rooms.unwrap_or_default() };
            let restored = pipeline.restore(&recalled).await?;
            let moved_to = lasting.moved_aside.clone();
            let is_lost = had_run || moved_to.is_some() || restored.is_some();
            is_lost.then_some(Lost { moved_to, restored })
        }
        None => None,
    };
    if let Some(file) = &config.record.file {
        let mirrored = pipeline.mirror_record(file, config.record.rotation).await;
        mirrored.map_err(|source| RunError::Record { file: file.clone(), source })?;
    }
    let opening = lost.map(Opening::LostStore).or(put_back.map(Opening::PutBack));
    let shell =
        config.shell.as_ref().map(|access| (access.clone(), shell::socket_of(config, access)));
    let backup = backups::Backups::of(config, store, clock)?;
    let store = store_folder(config);
    Ok((Bot { matrix, pipeline, config_source, store, shell, backup }, opening))
}

/// Takes over what the bot has said and its store does not know, where an older state was put back. Of
/// an import nobody has to find that out: its device is gone, so what came after it cannot be read.
async fn catch_up(
    config: &Config,
    settings: &matrix::Settings,
    store: &Store,
    matrix: &matrix::Matrix,
    pipeline: &Pipeline,
) -> Result<Option<CaughtUp>, RunError> {
    let imported = store.is_imported()?;
    let by = if imported { SaidBy::AnyDevice } else { SaidBy::ThisDevice };
    let mut said = matrix.said_later(settings, by).await?;
    if !imported && !pipeline.is_older_than(&said).await? {
        return Ok(None);
    }
    if let Some(file) = &config.record.file {
        read_record(file, &mut said.entries)?;
    }
    let caught_up = pipeline.catch_up_with(&said).await?;
    store.has_caught_up().await?;
    Ok(Some(caught_up))
}

/// The pipeline under this configuration.
fn assemble(
    config: &Config,
    lasting: &Lasting<'_>,
    admin_account: OwnedUserId,
    rooms: Vec<OwnedRoomId>,
    ports: Ports,
) -> Result<Arc<Pipeline>, RunError> {
    let first = matrix::known_rooms(&config.rooms, &lasting.store)?.into_iter();
    let told_in = first.chain(rooms.iter().cloned()).find(|room| rooms.contains(room));
    let pinned = |room: &OwnedRoomOrAliasId| {
        let known = matrix::known_rooms(std::slice::from_ref(room), &lasting.store).ok()?;
        known.into_iter().next()
    };
    let desk = parts::desk(config, told_in.as_ref(), pinned);
    let policy_lists = parts::policy_lists(config, told_in.as_ref());
    let rules = Rules { desk, policy_lists, told_in, ..rules(config) };
    Ok(Arc::new(Pipeline::new(
        roster(config, admin_account, rooms),
        rules,
        access(config, config.homeserver.admin_url.clone()),
        &lasting.store,
        lasting.clock.clone(),
        passwords(config, &lasting.store)?,
        ports,
    )?))
}

/// What stands in the file of the record.
fn recall(config: &Config) -> Result<Links, RunError> {
    let mut links = Links::default();
    if let Some(file) = &config.record.file {
        read_record(file, &mut links)?;
    }
    Ok(links)
}

/// Adds what stands in the files of the record, where there are any.
fn read_record(path: &Path, links: &mut Links) -> Result<(), RunError> {
    let failed = |source| RunError::Record { file: path.to_owned(), source };
    for file in files_of(path).map_err(failed)? {
        let file = std::fs::File::open(file).map_err(failed)?;
        for line in BufReader::new(file).lines() {
            links.add(&line.map_err(failed)?);
        }
    }
    Ok(())
}

impl Bot {
    /// Serves until it is stopped, or until there is another configuration to begin with.
    async fn serve(
        self,
        opening: Option<Opening>,
        control: &Control,
    ) -> Result<Option<Config>, RunError> {
        let Self { matrix, pipeline, config_source, store, backup, shell } = self;
        let service = &control.service;
        let over = control.stop.child_token();
        let (incoming, requests) = mpsc::unbounded_channel();
        pipeline.tidy();
        // Asked before the first message of this run is begun.
        let unhandled = pipeline.unhandled();
        let begin = async {
            match opening {
                Some(Opening::LostStore(lost)) => {
                    pipeline.report_lost_store(&lost).await;
                    told(&store);
                }
                Some(Opening::PutBack(caught_up)) => pipeline.report_put_back(&caught_up).await,
                Some(Opening::RebuiltStore(aside)) => {
                    pipeline.report_rebuilt_store(&aside).await;
                    told(&store);
                }
                Some(Opening::NewDevice) => pipeline.report_new_device().await,
                Some(Opening::NotInForce(why)) => pipeline.report_not_in_force(&why).await,
                None => {}
            }
            pipeline.report_cut_off().await;
            pipeline.report_unhandled(unhandled).await;
            pipeline.take_away_old_marks().await;
        };
        let read = async {
            let ended = matrix.run(incoming, over.clone()).await;
            // The others are gone on from by logging in anew.
            if let Err(error @ (Fatal::LoggedOut | Fatal::Store(_))) = &ended {
                error!(error = error as &dyn std::error::Error, "the bot cannot go on");
            }
            // However it ended, what is in hand is finished.
            over.cancel();
            ended
        };
        let reload = async {
            loop {
                tokio::select! {
                    () = control.reload.notified() => {
                        service.reloads();
                        pipeline.reload_from_machine().await;
                        if !config_source.has_next() {
                            service.has_reloaded();
                        }
                    }
                    () = config_source.again.notified() => {
                        service.reloads();
                        over.cancel();
                    }
                    () = over.cancelled() => break,
                }
            }
        };
        service.has_reloaded();
        let door = shell.and_then(|(access, socket)| open_door(&access, socket));
        let from_shell = async {
            if let Some(door) = door {
                door.serve(pipeline.clone(), over.clone()).await;
            }
        };
        info!("ready");
        let queue = queue::serve(pipeline.clone(), requests, over.clone());
        let jobs = async {
            let unsaid = pipeline.say_unsaid(over.clone());
            let reports = pipeline.watch_reports(over.clone());
            let watched = pipeline.watch(over.clone());
            let accounts = pipeline.watch_accounts(over.clone());
            let new = pipeline.tell_new_accounts(over.clone());
            let lists = pipeline.watch_policy_lists(over.clone());
            let waves = pipeline.watch_waves(over.clone());
            tokio::join!(
                pipeline.work(over.clone()),
                watched,
                unsaid,
                reports,
                accounts,
                new,
                lists,
                waves
            );
        };
        let backups = backups::keep(&backup, &pipeline, over.clone());
        let beside = async { tokio::join!(from_shell, backups) };
        let (ended, (), (), (), (), _) = tokio::join!(read, queue, begin, reload, jobs, beside);
        pipeline.flush().await?;
        ended?;
        Ok(if control.stop.is_cancelled() { None } else { config_source.take() })
    }
}

/// The socket at which the bot hears shells of the machine. It serves the room also without.
fn open_door(access: &ShellAccess, socket: PathBuf) -> Option<Door> {
    let opened = Door::open(access, socket);
    opened
        .inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "nothing is heard from shells");
        })
        .ok()
}

/// Notes that the rooms know what became of the store before.
fn told(store: &Path) {
    if let Err(error) = Store::told(store) {
        error!(error = &error as &dyn std::error::Error, "what was told is told again");
    }
}

/// Whose the admin token is (`GET /_matrix/client/v3/account/whoami`). Waits as long as the
/// homeserver cannot be reached. Where the token has ended since an earlier start, it is as it was
/// then: the bot begins, tells the rooms, and waits for another token.
async fn admin_account(config: &Config, lasting: &Lasting<'_>) -> Result<OwnedUserId, RunError> {
    const KEY: &str = "account";
    let Lasting { clock, store, service, .. } = lasting;
    let known = store.shelf::<OwnedUserId>("admin-account")?;
    let access = access(config, config.homeserver.url.clone());
    let reader = Reader::new(access, clock.clone()).map_err(RunError::AdminToken)?;
    loop {
        match reader.look().caller().await {
            Ok(user) => {
                if let Err(error) = known.put(KEY, &user) {
                    warn!(error = &error as &dyn std::error::Error, "it is not remembered");
                }
                return Ok(user);
            }
            Err(error) if error.is_of_token() => {
                warn!(error = &error as &dyn std::error::Error, "the admin token is not taken");
                return known.get(KEY).ok().flatten().ok_or(RunError::AdminToken(error));
            }
            Err(error) if error.status().is_some_and(|status| status < 500) => {
                return Err(RunError::AdminToken(error));
            }
            Err(error) => {
                service.fails();
                warn!(error = &error as &dyn std::error::Error, "waiting for the homeserver");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// An error with everything that led to it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
