//! The token for the service's admin API: one for all that is asked, renewed ahead of its end.

use std::time::{Duration, Instant};

use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::access::AccountsAccess;
use crate::{
    change::Path,
    error::{
        accounts::At,
        api::{Error, Kind, Refusal},
    },
    metrics::Metrics,
    reply::Hostile,
    synapse::{
        address::address,
        http::{self, Limits},
    },
};

/// The right to everything in the service's admin API. It knows no narrower one.
const SCOPE: &str = "urn:mas:admin";

/// The request for a token, RFC 6749 section 4.4.2.
const FORM: &str = "grant_type=client_credentials&scope=urn%3Amas%3Aadmin";

/// How long before its end a token is no longer used. One that lasts no longer than twice that is
/// used for half of its time.
const AHEAD: Duration = Duration::from_secs(30);

/// How long a token lasts where the service does not say: as long as it does by default.
const LASTS: u64 = 300;

/// The token that is held, and how another is had.
#[derive(Debug)]
pub(super) struct Token {
    client: Client,
    limits: Limits,
    endpoint: Url,
    id: String,
    secret: SecretString,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    header: HeaderValue,
    until: Instant,
}

impl Token {
    /// None is held yet.
    pub(super) fn new(access: AccountsAccess, limits: Limits) -> Result<Self, Error> {
        let AccountsAccess { issuer, client_id: id, client_secret: secret, .. } = access;
        let endpoint = address(&issuer, &Path::token(), std::iter::empty())?;
        let client = http::anonymous(limits)?;
        Ok(Self { client, limits, endpoint, id, secret, held: Mutex::default() })
    }

    /// The header that authorizes a request: of the token that is held, unless it is about to end or
    /// is the one that was `refused`. Whoever comes meanwhile waits for the same token: each that is
    /// asked for is a session of its own at the service.
    pub(super) async fn header(
        &self,
        refused: Option<&HeaderValue>,
        metrics: &Metrics,
    ) -> Result<HeaderValue, Error> {
        let mut held = self.held.lock().await;
        if let Some(Held { header, until }) = &*held
            && Instant::now() < *until
            && refused != Some(header)
        {
            return Ok(header.clone());
        }
        *held = None;
        let fresh = self.ask(metrics).await.map_err(|error| error.at(At::Token))?;
        let header = fresh.header.clone();
        *held = Some(fresh);
        Ok(header)
    }

    /// Asks for another (`POST /oauth2/token`, RFC 6749 section 4.4).
    async fn ask(&self, metrics: &Metrics) -> Result<Held, Error> {
        #[derive(Deserialize)]
        struct Given {
            access_token: String,
            expires_in: Option<u64>,
            scope: Option<String>,
        }
        let asked = Instant::now();
        let request = self
            .client
            .post(self.endpoint.clone())
            .basic_auth(&self.id, Some(self.secret.expose_secret()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(FORM);
        let what = ("POST", "/oauth2/token");
        let body =
            http::exchange(request, self.limits.length, what, (refusal, metrics)).await?.body?;
        // What serde says would quote the token.
        let given: Given =
            serde_json::from_slice(&body).map_err(|_| Error::new(Kind::Unreadable))?;
        // Where it gives what was asked for it need not say so.
        if given.scope.is_some_and(|scope| !scope.split(' ').any(|one| one == SCOPE)) {
            return Err(Error::new(Kind::Status(refused(403, "access_denied"))));
        }
        let bearer = format!("Bearer {}", SecretString::from(given.access_token).expose_secret());
        let mut header =
            HeaderValue::from_str(&bearer).map_err(|_| Error::new(Kind::Unreadable))?;
        header.set_sensitive(true);
        let lasts = Duration::from_secs(given.expires_in.unwrap_or(LASTS));
        let used = lasts.saturating_sub(AHEAD).max(lasts / 2);
        Ok(Held { header, until: asked.checked_add(used).unwrap_or(asked) })
    }
}

/// A refusal by the token endpoint: its OAuth 2.0 error code (RFC 6749 section 5.2) is the message.
fn refusal(body: Option<&[u8]>) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    let said: Option<Said> = body.and_then(|body| serde_json::from_slice(body).ok());
    match said {
        Some(said) => refused(0, &said.error),
        None => Refusal { foreign: body.is_some(), message: None, ..refused(0, "") },
    }
}

fn refused(status: u16, code: &str) -> Refusal {
    let message = Some(Hostile::new(code));
    Refusal { status, errcode: None, message, retry_after: None, foreign: false }
}
