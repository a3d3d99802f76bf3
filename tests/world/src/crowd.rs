//! Very many accounts.

use std::process::Command;

use anyhow::{Result, ensure};
use ruma::{OwnedUserId, UserId};
use tokio::task::spawn_blocking;

use crate::{SERVER_NAME, Synapse, install::SYNAPSE};

/// Very many accounts that nobody logs in to.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// What their localparts begin with; a number of six digits follows.
    pub name: &'static str,
    /// How many.
    pub count: usize,
    /// How long each one's display name is, characters.
    pub named: usize,
}

impl Crowd {
    /// Their ids, in the order of a listing.
    pub fn ids(self) -> Result<Vec<OwnedUserId>> {
        let id = |n| UserId::parse(format!("@{}{n:06}:{SERVER_NAME}", self.name));
        Ok((0..self.count).map(id).collect::<Result<_, _>>()?)
    }
}

impl Synapse {
    /// Adds a crowd at once, behind the homeserver's back: it is stopped and started again for it,
    /// so it has to be one's own.
    pub async fn add(&self, crowd: Crowd) -> Result<()> {
        self.stop().await?;
        let mut command = Command::new(SYNAPSE.python().await?);
        command.args(["-I", "-S", "-c", INSERT]).arg(self.dir().join("homeserver.db"));
        command.args([SERVER_NAME, crowd.name]);
        command.args([crowd.count, crowd.named].map(|number| number.to_string()));
        let output = spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the crowd cannot be added: {said}");
        self.start_again().await
    }
}

const INSERT: &str = r"
import sqlite3, sys, time

path, server, name, count, named = sys.argv[1:]
people = [f'{name}{n:06}' for n in range(int(count))]
now = int(time.time())
with sqlite3.connect(path) as database:
    database.executemany(
        'INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated,'
        ' shadow_banned) VALUES (?, NULL, ?, 0, 0, 0, 0)',
        ((f'@{one}:{server}', now) for one in people))
    database.executemany(
        'INSERT INTO profiles (user_id, displayname, full_user_id) VALUES (?, ?, ?)',
        ((one, one.ljust(int(named), '.')[:int(named)], f'@{one}:{server}') for one in people))
";
