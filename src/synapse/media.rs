//! Where the homeserver serves its files.
//!
//! A Synapse with a media worker serves the Admin API about files there and nowhere else: its main process
//! answers 404 `M_UNRECOGNIZED`, as one that is too old does.

use ruma::ServerName;
use serde_json::Value;

use super::reader::Reader;
use crate::{
    change::Path,
    error::api::{Error, Kind},
};

impl Reader {
    /// What it means that the homeserver does not know the route of this path, where that can be told by
    /// what else it serves at the same address.
    pub(super) async fn why_unknown(&self, path: &Path, error: Error) -> Error {
        if !path.is_of_media() || !error.is_unknown_route() || self.serves_media().await {
            return error;
        }
        if self.has_media_address() {
            return Error::new(Kind::NoMedia);
        }
        // What only the main process serves: without it the address is that of some other worker.
        let version = Path::admin(["v1", "server_version"]);
        match self.asked_beside::<Value>(&version, &[]).await {
            Ok(_) => Error::new(Kind::MediaElsewhere),
            Err(_) => error,
        }
    }

    /// Whether files are served where they are asked for. Asks for those of an account that nobody can
    /// have, which every version refuses by another name than an unknown route; where nothing can be
    /// learned, they are taken to be served.
    /// `GET /_synapse/admin/v1/users/{user_id}/media`.
    async fn serves_media(&self) -> bool {
        let path = files_of_nobody(self.server_name());
        let answered = self.asked_beside::<Value>(&path, &[("limit", "1".to_owned())]).await;
        !answered.is_err_and(|error| error.is_unknown_route())
    }
}

/// Where the files of an account are that nobody can have: a process that serves files refuses it by another
/// name than an unknown route.
pub fn files_of_nobody(server: &ServerName) -> Path {
    Path::admin(["v1", "users", &format!("@:{server}"), "media"])
}

/// What the homeserver says to a change of files whose route it does not know. Routes that change files are
/// as old as any Synapse that runs.
pub(super) fn of_change(path: &Path, error: Error, has_address: bool) -> Error {
    if !path.is_of_media() || !error.is_unknown_route() {
        return error;
    }
    Error::new(if has_address { Kind::NoMedia } else { Kind::MediaElsewhere })
}
