//! A homeserver's database, changed behind its back.

use std::process::Command;

use anyhow::{Result, ensure};
use tokio::task::spawn_blocking;

use crate::{Synapse, install::SYNAPSE};

impl Synapse {
    /// Runs these SQL statements on its database: it is stopped and started again for it, so it has
    /// to be one's own and on `SQLite`.
    pub async fn damage(&self, statements: &str) -> Result<()> {
        self.stop().await?;
        let mut command = Command::new(SYNAPSE.python().await?);
        command.args(["-I", "-S", "-c", RUN]).arg(self.dir().join("homeserver.db"));
        command.arg(statements);
        let output = spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the database cannot be changed: {said}");
        self.start_again().await
    }
}

const RUN: &str = r"
import sqlite3, sys

path, statements = sys.argv[1:]
with sqlite3.connect(path) as database:
    database.executescript(statements)
";
