//! The bot's end of the socket.

use std::{
    fmt,
    fs::Permissions,
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use super::wire::{self, Called, Kind};
use crate::{
    config::ShellAccess,
    pipeline::{Call, Console, Exit, Left, Pipeline, Shown, Typed},
    reply::{File, Line, Reply, Screen, Status, harmless},
};

/// How many speak at once. Each has an account of the machine that may.
const AT_ONCE: usize = 32;

/// How long a call may take to be sent.
const CALLED_WITHIN: Duration = Duration::from_secs(10);

/// How long somebody may take to read when the bot is being stopped.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why nobody can speak to the bot from a shell.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Something else is there.
    #[error("{} is not my socket; remove it, or set another path in `shell.socket`", .0.display())]
    InTheWay(PathBuf),
    /// Another process listens there.
    #[error("another process listens at {}; set another path in `shell.socket`", .0.display())]
    Taken(PathBuf),
    /// It cannot be given to the group.
    #[error(
        "the socket {} cannot be opened to the group of `shell.group`: the user that runs synod must be a \
         member of it",
        .0.display()
    )]
    NotOfGroup(PathBuf),
    /// It cannot be made.
    #[error("the socket {} cannot be created: {source}", socket.display())]
    Io {
        /// Where.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The socket at which the bot listens.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    socket: PathBuf,
    access: ShellAccess,
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.socket) {
            warn!(socket = %self.socket.display(), %error, "the socket stays");
        }
    }
}

impl Door {
    /// Makes the socket, for the bot's own user and the group of the config, and nobody else. To be
    /// called by whoever holds the lock of the state, so that what an earlier run has left goes.
    pub fn open(access: &ShellAccess, socket: PathBuf) -> Result<Self, DoorError> {
        match std::fs::symlink_metadata(&socket) {
            Ok(found) if !found.file_type().is_socket() => return Err(DoorError::InTheWay(socket)),
            Ok(_) if std::os::unix::net::UnixStream::connect(&socket).is_ok() => {
                return Err(DoorError::Taken(socket));
            }
            Ok(_) => drop(std::fs::remove_file(&socket)),
            Err(_) => {}
        }
        match listen(&socket, access.group) {
            Ok(listener) => Ok(Self { listener, socket, access: access.clone() }),
            // Only a member of a group gives something to it.
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied && socket.exists() => {
                drop(std::fs::remove_file(&socket));
                Err(DoorError::NotOfGroup(socket))
            }
            Err(source) => Err(DoorError::Io { socket, source }),
        }
    }

    /// Serves whoever speaks, until `over`; then what is in hand is finished.
    pub async fn serve(self, pipeline: Arc<Pipeline>, over: CancellationToken) {
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let place = tokio::select! {
                () = over.cancelled() => break,
                place = places.clone().acquire_owned() => place,
            };
            let stream = tokio::select! {
                () = over.cancelled() => break,
                came = self.listener.accept() => match came {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        warn!(%error, "somebody at the socket could not be heard");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let (pipeline, access, over) = (pipeline.clone(), self.access.clone(), over.clone());
            tasks.spawn(async move {
                let _place = place;
                let spoken = async {
                    let uid = stream.peer_cred()?.uid();
                    hear(stream, uid, &pipeline, &access, over).await
                };
                let spoken = AssertUnwindSafe(spoken);
                match spoken.catch_unwind().await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => info!(%error, "a call from a shell came to nothing"),
                    // The panic itself has been logged by the hook.
                    Err(_) => error!("a command from a shell ended in a fault of the bot's own"),
                }
            });
        }
        tasks.close();
        tasks.wait().await;
    }
}

/// Listens where nobody could connect before the socket has its group and mode.
fn listen(socket: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(socket)?;
    // The process makes everything for its own user only; so it was never open to anybody else.
    let mode = match group {
        Some(group) => {
            // Its unit lets it hand nothing over, and gives it the group from the start.
            if std::fs::metadata(socket)?.gid() != group {
                chown(socket, None, Some(group))?;
            }
            0o660
        }
        None => 0o600,
    };
    std::fs::set_permissions(socket, Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Hears one call of an account of the machine where no bot runs.
pub async fn hear_one(
    stream: std::os::unix::net::UnixStream,
    uid: u32,
    pipeline: &Pipeline,
    access: &ShellAccess,
) {
    let heard = async {
        stream.set_nonblocking(true)?;
        hear(UnixStream::from_std(stream)?, uid, pipeline, access, CancellationToken::new()).await
    };
    if let Err(error) = heard.await {
        info!(%error, "a call from a shell came to nothing");
    }
}

/// What is said of a picture where a terminal would have to show it.
fn unseen(file: &File) -> Line {
    Line::from("Send the picture to a file: ").code(format!("> {}", file.name))
}

/// One call, from its words to its exit code.
async fn hear(
    stream: UnixStream,
    uid: u32,
    pipeline: &Pipeline,
    access: &ShellAccess,
    over: CancellationToken,
) -> io::Result<()> {
    let (mut from, to) = stream.into_split();
    let called = tokio::time::timeout(CALLED_WITHIN, wire::read_async(&mut from)).await;
    let called: Called = match called.map_err(|_| io::ErrorKind::TimedOut)?? {
        (Kind::Call, call) => serde_json::from_slice(&call)?,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let Called { words, out, err, asks } = called;
    let terminal = Terminal { out, err, asks, from: Mutex::new(from), to: Mutex::new(to), over };
    let Some(user) = access.operators.get(&uid).cloned() else {
        warn!(uid, "an account of the machine that is no operator's has called");
        let why = format!(
            "user id {uid} of this machine is not an operator; whoever keeps my config can add it \
            under `shell.operators`"
        );
        let _ = terminal.show(&Reply::outcome(Status::Refused, why), Shown::Answer).await;
        terminal.end(Exit::Refused).await;
        return Ok(());
    };
    info!(uid, %user, "a call from a shell");
    pipeline.exec(Call { user, uid, words }, Arc::new(terminal)).await;
    Ok(())
}

/// The shell at the other end.
struct Terminal {
    out: Screen,
    err: Screen,
    asks: bool,
    from: Mutex<OwnedReadHalf>,
    to: Mutex<OwnedWriteHalf>,
    /// Cancelled when the bot is being stopped.
    over: CancellationToken,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("asks", &self.asks).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Sends this, in as many frames as it takes.
    async fn send(&self, kind: Kind, holds: &[u8]) -> Result<(), Left> {
        let mut to = self.to.lock().await;
        for part in holds.chunks(wire::PART) {
            self.send_one(&mut to, kind, part).await?;
        }
        Ok(())
    }

    /// Waits for whoever reads slowly, but not for ever where the bot is to stop.
    async fn send_one(
        &self,
        to: &mut OwnedWriteHalf,
        kind: Kind,
        holds: &[u8],
    ) -> Result<(), Left> {
        let frame = wire::frame(kind, holds).map_err(|_| Left)?;
        let stopped = async {
            self.over.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            biased;
            sent = to.write_all(&frame) => sent.map_err(|_| Left),
            () = stopped => Err(Left),
        }
    }

    /// Sends what a file holds. What could steer a terminal stays out of one.
    async fn send_file(&self, kind: Kind, file: &File) -> Result<(), Left> {
        let screen = if kind == Kind::Out { self.out } else { self.err };
        let mut reading = file.read();
        if screen.width.is_some() {
            let mut bytes = Vec::new();
            reading.read_to_end(&mut bytes).map_err(|_| Left)?;
            return self.send(kind, harmless(&String::from_utf8_lossy(&bytes)).as_bytes()).await;
        }
        let mut part = vec![0; wire::PART];
        loop {
            match reading.read(&mut part).map_err(|_| Left)? {
                0 => return Ok(()),
                read => self.send(kind, part.get(..read).unwrap_or_default()).await?,
            }
        }
    }

    async fn show_answer(&self, reply: &Reply) -> Result<(), Left> {
        let is_bad =
            |status: Status| status.is_no() || matches!(status, Status::Expired | Status::Unknown);
        let bad = reply.status.is_some_and(is_bad);
        if let Some(file) = &reply.file {
            if let (Some(looks), Some(_)) = (&file.looks, self.out.width) {
                let reply = reply.clone().text(looks.alt.clone()).note(unseen(file));
                return self.send(Kind::Err, reply.on_screen(self.err).as_bytes()).await;
            }
            self.send_file(Kind::Out, file).await?;
            return self.send(Kind::Err, reply.on_screen(self.err).as_bytes()).await;
        }
        let (kind, screen) = if bad { (Kind::Err, self.err) } else { (Kind::Out, self.out) };
        self.send(kind, reply.on_screen(screen).as_bytes()).await
    }

    async fn show_data(&self, reply: &Reply) -> Result<(), Left> {
        if reply.status.is_some() {
            return self.show_answer(reply).await;
        }
        let text = reply.data_text();
        let text = if self.out.width.is_some() { harmless(&text) } else { text };
        self.send(Kind::Out, text.as_bytes()).await?;
        if let Some(file) = &reply.file {
            self.send_file(Kind::Out, file).await?;
        }
        self.send(Kind::Err, reply.beside_data().on_screen(self.err).as_bytes()).await
    }

    async fn show_aside(&self, reply: &Reply) -> Result<(), Left> {
        self.send(Kind::Err, reply.on_screen(self.err).as_bytes()).await?;
        match &reply.file {
            Some(file) => self.send_file(Kind::Err, file).await,
            None => Ok(()),
        }
    }

    async fn read_line(&self) -> Typed {
        if self.send_empty(Kind::Ask).await.is_err() {
            return Typed::Nothing;
        }
        let mut from = self.from.lock().await;
        match wire::read_async(&mut *from).await {
            Ok((Kind::Line, line)) => match String::from_utf8(line) {
                Ok(line) => Typed::Line(line),
                Err(_) => Typed::Line(String::new()),
            },
            Ok(_) | Err(_) => Typed::Nothing,
        }
    }

    async fn send_empty(&self, kind: Kind) -> Result<(), Left> {
        let mut to = self.to.lock().await;
        self.send_one(&mut to, kind, &[]).await
    }
}

impl Console for Terminal {
    fn can_ask(&self) -> bool {
        self.asks
    }

    fn is_open(&self) -> bool {
        let Ok(from) = self.from.try_lock() else { return true };
        // Nothing is sent unasked, so that there is nothing to read but the end.
        let mut none = [0];
        match from.try_read(&mut none) {
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn show<'a>(&'a self, reply: &'a Reply, shown: Shown) -> BoxFuture<'a, Result<(), Left>> {
        async move {
            match shown {
                Shown::Answer => self.show_answer(reply).await,
                Shown::Data => self.show_data(reply).await,
                Shown::Aside => self.show_aside(reply).await,
            }
        }
        .boxed()
    }

    fn ask(&self, within: Duration) -> BoxFuture<'_, Typed> {
        async move {
            tokio::select! {
                () = self.over.cancelled() => Typed::Nothing,
                typed = tokio::time::timeout(within, self.read_line()) => {
                    typed.unwrap_or(Typed::Late)
                }
            }
        }
        .boxed()
    }

    fn secret<'a>(&'a self, secret: &'a SecretString) -> BoxFuture<'a, Result<(), Left>> {
        async move {
            if !self.is_open() {
                return Err(Left);
            }
            let line = SecretString::from(format!("{}\n", secret.expose_secret()));
            self.send(Kind::Out, line.expose_secret().as_bytes()).await
        }
        .boxed()
    }

    fn end(&self, exit: Exit) -> BoxFuture<'_, ()> {
        async move {
            if self.send(Kind::End, &[exit.code()]).await.is_err() {
                info!("nobody waits at the shell any more");
            }
            let _ = self.to.lock().await.shutdown().await;
        }
        .boxed()
    }
}
