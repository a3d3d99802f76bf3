//! Two homeservers that talk to each other.

use std::{path::Path, process::Command, sync::Arc};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::{Options, Synapse, free_port};
use crate::install::SYNAPSE;

/// A homeserver on loopback that others there can reach, by TLS. Without DNS its name is its
/// address, and both show a certificate that nobody but they trust.
#[derive(Debug, Clone)]
pub struct Neighbour {
    port: u16,
    other: u16,
    tls: Arc<TempDir>,
}

impl Synapse {
    /// Starts two homeservers that talk to each other and to nobody else. Each is named by its
    /// address, see [`Synapse::server_name`].
    pub async fn neighbours() -> Result<(Self, Self)> {
        let python = SYNAPSE.python().await?;
        let tls = Arc::new(tempfile::Builder::new().prefix("synod-tls-").tempdir()?);
        certify(&python, tls.path()).await?;
        let (here, there) = (free_port()?, free_port()?);
        let options = |port, other| Options {
            neighbour: Some(Neighbour { port, other, tls: tls.clone() }),
            ..Options::default()
        };
        tokio::try_join!(Self::start(options(here, there)), Self::start(options(there, here)))
    }
}

impl Neighbour {
    pub(super) fn server_name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The names of those that it may talk to, to be put behind others in a list of YAML.
    pub(super) fn others(&self) -> String {
        [self.port, self.other].map(|port| format!(", '127.0.0.1:{port}'")).concat()
    }

    /// Where it listens to them, as the end of the list of its listeners, and what it shows them.
    pub(super) fn listener(&self) -> String {
        format!(
            "  - port: {port}
    bind_addresses: [127.0.0.1]
    type: http
    tls: true
    resources: [{{names: [federation]}}]
tls_certificate_path: {tls}/certificate.pem
tls_private_key_path: {tls}/key.pem
federation_custom_ca_list: ['{tls}/certificate.pem']
",
            port = self.port,
            tls = self.tls.path().display(),
        )
    }
}

/// Makes `certificate.pem` and `key.pem`, with the library that Synapse has for its own TLS.
async fn certify(python: &Path, folder: &Path) -> Result<()> {
    let mut make = Command::new(python);
    make.args(["-I", "-c", include_str!("certificate.py"), "certificate.pem", "key.pem"]);
    make.current_dir(folder);
    let output = spawn_blocking(move || make.output()).await?.context("no certificate")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
