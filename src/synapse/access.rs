//! How to reach the homeserver.

use std::fmt;

use jiff::Timestamp;
use ruma::OwnedServerName;
use secrecy::SecretString;
use url::Url;

use super::accounts::AccountsAccess;

/// Where the homeserver is, and the token that opens its Admin API.
#[derive(Clone)]
pub struct Access {
    /// Where its API begins, such as `https://matrix.example.org`; a path prefix is kept.
    pub base: Url,
    /// The access token of a server admin.
    pub token: SecretString,
    /// When that token ends, where whoever runs the bot has said it.
    pub token_expires: Option<Timestamp>,
    /// The name behind the colon of the ids of its own users.
    pub server_name: OwnedServerName,
    /// How to reach the authentication service that keeps its accounts, where the config says so.
    pub accounts: Option<AccountsAccess>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address could hold a password, so only its host is shown.
        f.debug_struct("Access")
            .field("host", &self.base.host_str())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
