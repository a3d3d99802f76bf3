//! How to reach the authentication service.

use std::fmt;

use secrecy::SecretString;
use url::Url;

/// Where the authentication service is, and the client as which the bot asks it.
#[derive(Clone)]
pub struct AccountsAccess {
    /// Where a listener with the resource `adminapi` is.
    pub admin_url: Url,
    /// Where a listener with the resource `oauth` is, which gives out tokens.
    pub issuer: Url,
    /// The id of the bot's own client, a ULID.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

impl fmt::Debug for AccountsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountsAccess")
            .field("host", &self.admin_url.host_str())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
