//! The way in from a shell of the machine: `synod exec` speaks over a local socket to the bot that runs.
//!
//! Who speaks is what the kernel says ([`tokio::net::UnixStream::peer_cred`]), and who that is to the bot
//! stands in the config. The socket is only for the bot's own user and one group; everything else is
//! decided by the [pipeline](crate::pipeline), as for a message.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::config::{Config, ShellAccess};

mod call;
mod serve;
mod wire;

pub use call::{Colour, connect, no_bot, talk};
pub use serve::{Door, DoorError, hear_one};

/// What the socket is called, where the config does not say.
const NAME: &str = "exec.sock";

/// Where it lies for a service of the name `synod`, by `RuntimeDirectory=`.
const USUAL: &str = "/run/synod/exec.sock";

/// Where the bot with this config has its socket, as that `access` says: in the folder that the service
/// manager has made for what lives as long as the process, else in the state.
pub fn socket_of(config: &Config, access: &ShellAccess) -> PathBuf {
    if let Some(socket) = &access.socket {
        return socket.clone();
    }
    let runtime = env::var_os("RUNTIME_DIRECTORY");
    let first = runtime.as_deref().and_then(|all| env::split_paths(all).next());
    first.filter(|folder| folder.is_absolute()).unwrap_or_else(|| config.state.clone()).join(NAME)
}

/// Where a bot is looked for that nothing is said of.
pub fn usual_socket() -> PathBuf {
    env::var_os("SYNOD_SOCKET").map_or_else(|| Path::new(USUAL).to_owned(), PathBuf::from)
}
