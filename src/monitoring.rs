//! What the bot shows to whoever watches it from outside: `/healthz`, `/readyz` and `/metrics`, over
//! plain HTTP, on an address of this machine unless the config says otherwise, and on none where it
//! says nothing.
//!
//! - `/healthz`: the process runs, the loop that reads from the homeserver turns, and the homeserver has
//!   not been silent for too long.
//! - `/readyz`: besides, the bot could speak and act now: it is logged in, its keys are in order, it may
//!   write in its admin rooms, the homeserver takes its admin token, and its store can be written.
//! - `/metrics`: what [`Metrics`] counts.
//!
//! Nobody is asked who they are, so nothing that names anybody is shown, and there is nothing to change.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{net::TcpListener, time::Instant};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{error, info};

use crate::{
    config,
    metrics::{self, Levels, Metrics, Process},
    pipeline::{self, Pipeline},
    service::Service,
};

mod listener;
#[cfg(test)]
mod tests;

/// For how long what was looked up counts, so that whoever asks all the time does not keep the bot
/// from its work.
const FRESH: Duration = Duration::from_secs(2);

/// Why the bot cannot be watched as the config says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on the address {address} of monitoring.listen: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The metrics cannot be made.
    #[error("the metrics cannot be made")]
    Metrics(#[from] metrics::Error),
}

/// What is shown of the bot. Clones are of the same; one of nobody shows nothing.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    view: Arc<View>,
    /// Ends the listener with the last clone.
    _listens: DropGuard,
}

/// What can be seen.
struct View {
    metrics: Metrics,
    service: Service,
    outage_after: Duration,
    /// The bot, once it is put together.
    pipeline: Mutex<Weak<Pipeline>>,
    hindrances: tokio::sync::Mutex<Option<(Instant, Vec<String>)>>,
    levels: tokio::sync::Mutex<Option<(Instant, Option<Levels>)>>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

impl Monitor {
    /// Begins to listen where the config says so.
    pub async fn begin(
        settings: Option<&config::Monitoring>,
        service: &Service,
    ) -> Result<Self, Error> {
        let Some(&config::Monitoring { listen: address, outage_after }) = settings else {
            return Ok(Self::default());
        };
        let metrics = Metrics::counting(pipeline::verbs(), pipeline::operations())?;
        let view = Arc::new(View::new(metrics, service.clone(), outage_after));
        let socket = TcpListener::bind(address).await;
        let socket = socket.map_err(|source| Error::Listen { address, source })?;
        let shown = socket.local_addr().unwrap_or(address);
        info!(address = %shown, "shows how it is");
        let over = CancellationToken::new();
        TaskTracker::new().spawn(listener::serve(socket, view.clone(), over.clone()));
        Ok(Self(Some(Arc::new(Inner { view, _listens: over.drop_guard() }))))
    }

    /// Where is counted what the bot does.
    pub fn metrics(&self) -> Metrics {
        self.0.as_ref().map(|inner| inner.view.metrics.clone()).unwrap_or_default()
    }

    /// What `/readyz` says.
    #[cfg(test)]
    pub(crate) async fn readiness(&self) -> Option<Result<&'static str, String>> {
        Some(self.0.as_ref()?.view.readiness().await)
    }

    /// From now on this is the bot that is shown, as long as it is there.
    pub fn shows(&self, pipeline: &Arc<Pipeline>) {
        if let Some(inner) = &self.0 {
            *inner.view.pipeline.lock().unwrap_or_else(PoisonError::into_inner) =
                Arc::downgrade(pipeline);
        }
    }
}

impl View {
    fn new(metrics: Metrics, service: Service, outage_after: Duration) -> Self {
        Self {
            metrics,
            service,
            outage_after,
            pipeline: Mutex::default(),
            hindrances: tokio::sync::Mutex::default(),
            levels: tokio::sync::Mutex::default(),
        }
    }

    /// Has the bot look for new reports soon.
    fn expect_report(&self) {
        if let Some(pipeline) = self.pipeline() {
            pipeline.expect_report();
        }
    }

    fn pipeline(&self) -> Option<Arc<Pipeline>> {
        self.pipeline.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// What the bot does now; or why it is not well.
    fn health(&self) -> Result<&'static str, String> {
        let pulse = self.service.pulse();
        if !pulse.turns {
            let seconds = pulse.age.as_secs();
            return Err(format!("the sync loop hangs; the last answer came {seconds} s ago"));
        }
        match pulse.silent {
            Some(silent) if silent >= self.outage_after => {
                Err(format!("the homeserver has not answered for {} s", silent.as_secs()))
            }
            _ => Ok(pulse.status),
        }
    }

    /// What the bot does now; or why it could not speak or act.
    async fn readiness(&self) -> Result<&'static str, String> {
        let pulse = self.service.pulse();
        if !pulse.turns || pulse.silent.is_some() {
            return self.health().and(Err("the homeserver does not answer".to_owned()));
        }
        let Some(pipeline) = self.pipeline() else { return Err("starting".to_owned()) };
        let mut known = self.hindrances.lock().await;
        let why = match &*known {
            Some((at, why)) if at.elapsed() < FRESH => why.clone(),
            _ => {
                let why = pipeline.hindrances().await;
                *known = Some((Instant::now(), why.clone()));
                why
            }
        };
        if why.is_empty() { Ok(pulse.status) } else { Err(why.join("; ")) }
    }

    /// The metrics, as text.
    async fn metrics(&self) -> Result<String, metrics::Error> {
        let process = Process {
            sync_age: self.service.pulse().age,
            healthy: self.health().is_ok(),
            ready: self.readiness().await.is_ok(),
        };
        let levels = self.levels().await;
        self.metrics.text(process, levels.as_ref())
    }

    async fn levels(&self) -> Option<Levels> {
        let mut known = self.levels.lock().await;
        if let Some((at, levels)) = &*known
            && at.elapsed() < FRESH
        {
            return levels.clone();
        }
        let levels = match self.pipeline()?.levels().await {
            Ok(levels) => Some(levels),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the store cannot be read");
                None
            }
        };
        *known = Some((Instant::now(), levels.clone()));
        levels
    }
}
