//! A homeserver whose accounts an authentication service keeps.

use std::{fs::OpenOptions, io::Write as _, time::Duration};

use anyhow::{Context, Result};

use super::{Synapse, free_port};
use crate::{
    Log,
    process::{Process, lock},
};

/// How long the service may take to begin.
const START: Duration = Duration::from_secs(20);

impl Synapse {
    /// Hands its accounts over to an authentication service, as somebody does who moves an old
    /// homeserver: it stops, and starts again with the service beside it. Whoever is logged in
    /// stays so; the service knows nothing but these sessions, and is no more than what Synapse
    /// asks it for. From then on nobody can be registered here, nor log in.
    pub async fn delegate(&self) -> Result<()> {
        self.stop().await?;
        let (port, log) = (free_port()?, Log::new());
        let (number, database) = (port.to_string(), self.dir().join("homeserver.db"));
        let command = [
            self.0.python.as_os_str(),
            "-I".as_ref(),
            "-c".as_ref(),
            include_str!("delegation.py").as_ref(),
            number.as_ref(),
            database.as_os_str(),
        ];
        let service = Process::start(&self.0.python, &command, self.dir(), None, log.clone())?;
        log.wait_for("ready", 0, START).await.context("the authentication service")?;
        *lock(&self.0.accounts) = Some(service);
        let config = self.dir().join("homeserver.yaml");
        let mut config = OpenOptions::new().append(true).open(config)?;
        write!(
            config,
            "
matrix_authentication_service:
  enabled: true
  endpoint: http://127.0.0.1:{port}/
  secret: shared-with-the-service
password_config: {{enabled: false}}
enable_3pid_changes: false
"
        )?;
        self.start_again().await
    }
}
