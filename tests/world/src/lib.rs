//! What tests and the demo play in: a real Synapse, people with real encrypted clients, and the
//! bot as a process beside them.
//!
//! [`Synapse`] installs, starts, stops and looks into a homeserver; [`Synapse::shared`] is the one
//! that most tests use together. A [`Person`] is an account with an encrypted client of its own
//! that remembers everything it hears, so that a test awaits an event and never a span of time.
//! [`Bot`] is the binary under test. [`Scene`] sets up the usual: an admin room with operators, a
//! stranger and the bot. [`Proxy`] stands before the Admin API and shows, holds or loses answers. [`Synadm`] is another's
//! tool for the same API and [`Nio`] a bot on another's library, to compare with.
//!
//! Nothing here outlives the process that started it, not even when that is killed: see
//! `guard.py`.

mod api;
mod bot;
mod config;
mod crowd;
mod damage;
mod dirty;
mod install;
mod message;
mod nio;
mod operations;
mod person;
mod postgres;
mod process;
mod proxy;
mod scene;
mod synadm;
mod synapse;
mod things;

pub use api::{Api, http};
pub use bot::{Bot, write_secret};
pub use config::Config;
pub use crowd::Crowd;
pub use dirty::Dirty;
pub use install::{is_installed, newest};
pub use message::Message;
pub use nio::Nio;
pub use operations::operations;
pub use person::{NewRoom, Person};
pub use postgres::Postgres;
pub use process::Log;
pub use proxy::{Answered, Caught, Fault, Foreign, Passed, Proxy, Storm};
pub use scene::{Plan, Scene};
pub use synadm::{Said, Synadm};
pub use synapse::{Account, Neighbour, Options, Processes, Service, Synapse, Worker, Workers};
pub use things::{Things, UNREACHABLE, fork};

/// The server name of every homeserver in this world, but of [neighbours](Synapse::neighbours).
pub const SERVER_NAME: &str = "synod.test";

/// How long anything is waited for before it counts as not coming.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Looks again and again until it `is_so`, for at most [`PATIENCE`].
pub async fn until(
    what: &str,
    mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let looking = async {
        while !is_so().await? {}
        Ok(())
    };
    let within = tokio::time::timeout(PATIENCE, looking).await;
    within.unwrap_or_else(|_| anyhow::bail!("{what}: not within {PATIENCE:?}"))
}
