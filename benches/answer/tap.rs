//! A wire to the homeserver that notes when what went over it.
//!
//! It hands on bytes as they come, over the connections that the bot keeps, so that it takes none
//! of the bot's own time: only a hop, which lies outside of what is measured with it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{JoinHandle, JoinSet},
};

/// A request, and when it and its answer went over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// Its method and path.
    pub(crate) line: String,
    /// When its first bytes came from the bot.
    pub(crate) asked: Instant,
    /// When the last bytes of its answer went to the bot, so far.
    pub(crate) answered: Option<Instant>,
}

/// A wire. It is cut when it is dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    url: String,
    exchanges: Exchanges,
    running: JoinHandle<()>,
}

#[derive(Debug, Clone, Default)]
struct Exchanges(Arc<Mutex<Vec<Exchange>>>);

impl Exchanges {
    fn lock(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, at: usize) {
        if let Some(exchange) = self.lock().get_mut(at) {
            exchange.answered = Some(Instant::now());
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Tap {
    /// A wire to the homeserver at `target`.
    pub(crate) async fn to(target: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let target = target.strip_prefix("http://").context("an address in clear")?.to_owned();
        let exchanges = Exchanges::default();
        let running = tokio::spawn(accept(listener, target, exchanges.clone()));
        Ok(Self { url, exchanges, running })
    }

    /// Its address, as the homeserver's.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How much went over it so far.
    pub(crate) fn mark(&self) -> usize {
        self.exchanges.lock().len()
    }

    /// What went over it, in the order of asking. A sync that began long ago is among them.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().clone()
    }
}

async fn accept(listener: TcpListener, target: String, exchanges: Exchanges) {
    // Connections end with the tap.
    let mut connections = JoinSet::new();
    while let Ok((bot, _)) = listener.accept().await {
        let (target, exchanges) = (target.clone(), exchanges.clone());
        connections.spawn(async move {
            // Whoever hangs up has their reasons.
            let _ended = connect(bot, &target, &exchanges).await;
        });
    }
}

async fn connect(bot: TcpStream, target: &str, exchanges: &Exchanges) -> Result<()> {
    let homeserver = TcpStream::connect(target).await?;
    bot.set_nodelay(true)?;
    homeserver.set_nodelay(true)?;
    let ((from_bot, to_bot), (from_server, to_server)) =
        (bot.into_split(), homeserver.into_split());
    // One at a time on each connection: HTTP/1.1, as reqwest speaks it.
    let current = Mutex::new(None);
    tokio::select! {
        asked = ask(from_bot, to_server, &current, exchanges) => asked,
        answered = answer(from_server, to_bot, &current, exchanges) => answered,
    }
}

/// Hands on what the bot asks. What it sends after an answer begins another request.
async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    current: &Mutex<Option<usize>>,
    exchanges: &Exchanges,
) -> Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut bytes).await?;
        let asked = Instant::now();
        if length == 0 {
            return Ok(to.shutdown().await?);
        }
        note(&bytes[..length], asked, current, exchanges);
        to.write_all(&bytes[..length]).await?;
    }
}

fn note(bytes: &[u8], asked: Instant, current: &Mutex<Option<usize>>, exchanges: &Exchanges) {
    let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
    let mut exchanges = exchanges.lock();
    let waits = current.and_then(|at| exchanges.get(at)).is_some_and(|one| one.answered.is_none());
    if waits {
        return;
    }
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).trim_end_matches(" HTTP/1.1").to_owned();
    *current = Some(exchanges.len());
    exchanges.push(Exchange { line, asked, answered: None });
}

/// Hands on what the homeserver answers.
async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    current: &Mutex<Option<usize>>,
    exchanges: &Exchanges,
) -> Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return Ok(to.shutdown().await?);
        }
        let at = *current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = at {
            exchanges.answered(at);
        }
        to.write_all(&bytes[..length]).await?;
    }
}
