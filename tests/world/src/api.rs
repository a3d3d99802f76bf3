//! The homeserver's HTTP interface as it is, to see and set its state behind the bot's back.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use ruma::UserId;
use serde_json::{Value, json};

/// A client for loopback: no proxy, no certificates to load.
///
/// Connections belong to the runtime that they were made in, and every test has its own runtime,
/// so a client is made where it is used and never shared between tests.
pub fn http() -> Client {
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap_or_default()
}

/// The homeserver's interface with one access token.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    token: String,
    http: Client,
}

impl Api {
    /// `base` is the homeserver's address without a slash at its end.
    pub fn new(base: &str, token: &str) -> Self {
        Self { base: base.to_owned(), token: token.to_owned(), http: http() }
    }

    /// The access token that it uses.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// `GET` of a path from the root, such as `/_synapse/admin/v2/users/@x:synod.test`; answers
    /// the status and the JSON, or null where the answer is none.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.send(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Result<(u16, Value)> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Result<(u16, Value)> {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// `DELETE`, with a JSON body where the endpoint wants one.
    pub async fn delete(&self, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        self.send(Method::DELETE, path, body).await
    }

    /// Uploads media and answers its `mxc://` address.
    pub async fn upload(&self, bytes: Vec<u8>, mime: &str, name: &str) -> Result<String> {
        let mut url = url::Url::parse(&format!("{}/_matrix/media/v3/upload", self.base))?;
        url.query_pairs_mut().append_pair("filename", name);
        let request = self.http.post(url).bearer_auth(&self.token).header("content-type", mime);
        let answer: Value = request.body(bytes).send().await?.error_for_status()?.json().await?;
        text(&answer, "content_uri")
    }

    /// What `GET /_synapse/admin/v2/users/{user}` answers; needs a server admin's token. Without
    /// `last_seen_ts`: the homeserver writes it some time after the fact, so that two looks differ
    /// although nobody has changed anything.
    pub async fn account(&self, user: &UserId) -> Result<Value> {
        let (status, mut account) = self.get(&format!("/_synapse/admin/v2/users/{user}")).await?;
        ensure!(status == 200, "no account {user}: {status} {account}");
        if let Some(fields) = account.as_object_mut() {
            fields.remove("last_seen_ts");
        }
        Ok(account)
    }

    /// The session of a password login as `(access token, device id)`. No token is sent.
    pub(crate) async fn log_in(&self, localpart: &str, password: &str) -> Result<(String, String)> {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": localpart },
            "password": password,
        });
        let answer = self.done(Method::POST, "/_matrix/client/v3/login", Some(body)).await?;
        Ok((text(&answer, "access_token")?, text(&answer, "device_id")?))
    }

    /// As the others, but everything other than 200 is an error.
    pub(crate) async fn done(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let what = format!("{method} {path}");
        let (status, answer) = self.send(method, path, body).await?;
        ensure!(status == 200, "{what} answered {status}: {answer}");
        Ok(answer)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.clone(), &url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {url}"))?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }
}

/// A text that an answer must hold.
pub(crate) fn text(answer: &Value, key: &str) -> Result<String> {
    let found = answer.get(key).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {key} in {answer}"))?.to_owned())
}
