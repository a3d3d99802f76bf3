//! How to reach the homeserver.

use std::fmt;

use jiff::Timestamp;
use ruma::OwnedServerName;
use secrecy::SecretString;
use url::Url;

use super::accounts::AccountsAccess;
use crate::change::Path;

/// Where the homeserver is, and the token that opens its Admin API.
#[derive(Clone)]
pub struct Access {
    /// Where its API begins, such as `https://matrix.example.org`; a path prefix is kept.
    pub base: Url,
    /// Where the Admin API about files begins, if another process of the homeserver serves it.
    pub media: Option<Url>,
    /// The access token of a server admin.
    pub token: SecretString,
    /// When that token ends, where whoever runs the bot has said it.
    pub token_expires: Option<Timestamp>,
    /// The name behind the colon of the ids of its own users.
    pub server_name: OwnedServerName,
    /// How to reach the authentication service that keeps its accounts, where the config says so.
    pub accounts: Option<AccountsAccess>,
}

/// Where each request goes.
#[derive(Debug, Clone)]
pub(super) struct Bases {
    main: Url,
    media: Option<Url>,
}

impl Bases {
    /// One for everything, and perhaps another for files.
    pub(super) fn new(main: Url, media: Option<Url>) -> Self {
        Self { main, media }
    }

    /// Where everything is asked that is not about files.
    pub(super) fn main(&self) -> &Url {
        &self.main
    }

    /// Where this path is asked.
    pub(super) fn for_path(&self, path: &Path) -> &Url {
        self.media.as_ref().filter(|_| path.is_of_media()).unwrap_or(&self.main)
    }

    /// Whether files are asked for at an address of their own.
    pub(super) fn has_media(&self) -> bool {
        self.media.is_some()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address could hold a password, so only its host is shown.
        f.debug_struct("Access")
            .field("host", &self.base.host_str())
            .field("media", &self.media.as_ref().and_then(Url::host_str))
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
