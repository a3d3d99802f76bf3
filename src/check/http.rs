//! Requests of the check and of the setup: to one server, with at most one token.

use std::{error::Error as _, time::Duration};

use reqwest::{Client, ClientBuilder, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::config::{Config, is_loopback};

/// To connect, and for a whole request.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes. The state of an admin room is far below.
const LIMIT: usize = 16 << 20;

/// Characters of the homeserver's own words that are repeated.
const WORDS: usize = 160;

/// One server and, where there is one, the token that requests carry.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: Client,
    base: Url,
    token: Option<SecretString>,
}

/// Why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// No answer, or not all of it, in time.
    #[error("no answer: {0}")]
    Silent(String),
    /// The server refused.
    #[error("the server answered {status} {errcode} ({error})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The Matrix error code; empty where there is none.
        errcode: String,
        /// The server's words, cut short.
        error: String,
        /// Whether it says that the session is there still, and only its token has expired.
        soft_logout: bool,
    },
    /// Something else than the homeserver refused: the homeserver names an error code.
    #[error("something in front of the homeserver answered {0} instead")]
    Foreign(u16),
    /// The answer is no JSON, or too large.
    #[error("the answer is not from a homeserver; something in front of it may have answered")]
    Strange,
}

impl Trouble {
    /// What to do about it: `otherwise`, where the homeserver itself said it. `key` of the config
    /// names the address that was asked.
    pub(crate) fn to_do(&self, key: &str, otherwise: &str) -> String {
        match self {
            Self::Foreign(_) | Self::Strange => {
                format!("Set {key} to an address that leads straight to the homeserver")
            }
            Self::Silent(_) | Self::Refused { .. } => otherwise.to_owned(),
        }
    }

    /// The HTTP status of a refusal by the homeserver itself.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the homeserver does not know what was asked for at all.
    pub(crate) fn is_unknown_route(&self) -> bool {
        matches!(self, Self::Refused { errcode, .. } if errcode == "M_UNRECOGNIZED")
    }

    /// Whether only the token has expired.
    pub(crate) fn has_expired(&self) -> bool {
        matches!(self, Self::Refused { soft_logout: true, .. })
    }
}

/// The client-server API and the Admin API, both still without a token.
pub(super) fn both(config: &Config) -> reqwest::Result<(Api, Api)> {
    let client = client().build()?;
    let api = |base: &Url| Api::new(client.clone(), base);
    Ok((api(&config.homeserver.url), api(&config.homeserver.admin_url)))
}

/// A client that waits as long as a person does.
pub(crate) fn client() -> ClientBuilder {
    crate::http::client().connect_timeout(CONNECT).timeout(WHOLE)
}

impl Api {
    /// The server at `base`, asked without a token.
    pub(crate) fn new(client: Client, base: &Url) -> Self {
        Self { client, base: base.clone(), token: None }
    }

    /// Where it is asked, as people write it.
    pub(crate) fn address(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Whether requests go over a network as they are, for others there to read.
    pub(crate) fn is_in_clear(&self) -> bool {
        self.base.scheme() == "http" && !is_loopback(&self.base)
    }

    /// Another place of the same server, asked with the same token.
    pub(super) fn at(&self, base: &Url) -> Self {
        Self { base: base.clone(), ..self.clone() }
    }

    /// The same server, asked with `token`.
    pub(crate) fn with(&self, token: &SecretString) -> Self {
        Self { token: Some(token.clone()), ..self.clone() }
    }

    /// `GET`; each part of the path is encoded.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Value, Trouble> {
        self.send(self.client.get(self.url(path, query))).await
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Trouble> {
        self.send(self.client.post(self.url(path, &[])).json(body)).await
    }

    /// `PUT` with a JSON body.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Trouble> {
        self.send(self.client.put(self.url(path, &[])).json(body)).await
    }

    /// A token for a client of an authentication service (RFC 6749, section 4.4).
    pub(crate) async fn client_token(
        &self,
        id: &str,
        secret: &SecretString,
        scope: &str,
    ) -> Result<SecretString, Trouble> {
        let form = {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "client_credentials").append_pair("scope", scope);
            form.finish()
        };
        let request = self
            .client
            .post(self.url(&["oauth2", "token"], &[]))
            .basic_auth(id, Some(secret.expose_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let given = self.send(request).await?;
        let token = given["access_token"].as_str().ok_or(Trouble::Strange)?;
        Ok(token.into())
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        // Only an address that cannot be a base has no segments, and the config lets none pass.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    #[expect(clippy::disallowed_methods, reason = "it checks what a reader rests on")]
    async fn send(&self, request: RequestBuilder) -> Result<Value, Trouble> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let mut answer = request.send().await.map_err(silent)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > LIMIT {
                return Err(Trouble::Strange);
            }
            body.extend_from_slice(&chunk);
        }
        let json = serde_json::from_slice::<Value>(&body);
        if status.is_success() {
            return json.map_err(|_| Trouble::Strange);
        }
        let json = json.unwrap_or_default();
        if json["errcode"].as_str().unwrap_or_default().is_empty() {
            return Err(Trouble::Foreign(status.as_u16()));
        }
        Err(Trouble::Refused {
            status: status.as_u16(),
            errcode: words(&json["errcode"]),
            error: words(&json["error"]),
            soft_logout: json["soft_logout"] == true,
        })
    }
}

fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().take(WORDS).collect()
}

/// The innermost cause says most: `Connection refused` rather than `error sending request`.
#[expect(clippy::needless_pass_by_value, reason = "passed as it is to map_err")]
fn silent(error: reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::Silent("it took too long".to_owned());
    }
    let mut cause = error.source();
    let mut innermost = None;
    while let Some(source) = cause {
        innermost = Some(source.to_string());
        cause = source.source();
    }
    Trouble::Silent(innermost.unwrap_or_else(|| "the connection failed".to_owned()))
}
