//! One exchange with the homeserver: what is sent, within which limits, and what came back.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use jiff::fmt::rfc2822;
use reqwest::{
    Client, RequestBuilder, Response,
    header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER},
    retry,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{access::Access, wire::known};
use crate::{
    error::api::{Error, Kind, Refusal},
    metrics::Metrics,
    reply::Hostile,
};

/// How long and how large an exchange may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until there is a connection.
    pub(super) connect: Duration,
    /// Until the answer is complete.
    pub(super) whole: Duration,
    /// Length of the answer's body in bytes.
    pub(super) length: usize,
    /// Idle connections that are kept for the next request.
    pub(super) idle: usize,
    /// The first pause before a read is repeated; each further one is twice as long.
    pub(super) pause: Duration,
}

impl Limits {
    /// For looking.
    pub(super) const READ: Self = Self {
        connect: Duration::from_secs(5),
        whole: Duration::from_secs(30),
        length: 16 * 1024 * 1024,
        idle: 8,
        pause: Duration::from_millis(200),
    };
    /// For changing. A change never goes over a connection that was left open: the homeserver may
    /// just have closed it, and then nobody could say whether the change arrived.
    pub(super) const CHANGE: Self = Self { whole: Duration::from_mins(2), idle: 0, ..Self::READ };
}

/// A client that sends the token of `access` and keeps to `limits`.
pub(super) fn client(access: &Access, limits: Limits) -> Result<Client, Error> {
    let mut token = HeaderValue::from_str(&format!("Bearer {}", access.token.expose_secret()))
        .map_err(|_| {
            Error::because(Kind::Client, "the token contains characters that no token has")
        })?;
    token.set_sensitive(true);
    crate::http::client()
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
        .retry(retry::never())
        .connect_timeout(limits.connect)
        .timeout(limits.whole)
        .pool_max_idle_per_host(limits.idle)
        .build()
        .map_err(|error| Error::because(Kind::Client, error.without_url()))
}

/// A client that keeps to `limits` and sends no token.
pub(super) fn anonymous(limits: Limits) -> Result<Client, Error> {
    crate::http::client()
        .retry(retry::never())
        .connect_timeout(limits.connect)
        .timeout(limits.whole)
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| Error::because(Kind::Client, error.without_url()))
}

/// An answer of success.
#[derive(Debug)]
pub(super) struct Success {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body, or why it could not be read although the status was.
    pub(super) body: Result<Vec<u8>, Error>,
}

/// Sends `request` once. `template` names it in the log and in the `metrics`.
#[expect(
    clippy::disallowed_methods,
    reason = "what the reader and the writer send goes through here"
)]
pub(super) async fn exchange(
    request: RequestBuilder,
    length: usize,
    (method, template): (&'static str, &str),
    (refusal, metrics): (Refusals, &Metrics),
) -> Result<Success, Error> {
    let started = Instant::now();
    let answer = match request.send().await {
        Ok(response) => read(response, length, refusal).await,
        Err(error) => Err(fault(error)),
    };
    let took = started.elapsed();
    metrics.requested(method, template, took, answer.as_ref().err().map(failure));
    let ms = took.as_millis();
    match &answer {
        Ok(success) => tracing::debug!(method, path = template, status = success.status, ms),
        Err(error) => tracing::debug!(
            method,
            path = template,
            status = error.status(),
            ms,
            errcode = error.errcode(),
            kind = error.kind().name()
        ),
    }
    answer
}

/// Sends `request` once, and returns status and body whatever the status is. Else as [`exchange`].
#[expect(clippy::disallowed_methods, reason = "what the reader sends goes through here")]
pub(super) async fn whatever(
    request: RequestBuilder,
    length: usize,
    (method, template): (&'static str, &str),
    metrics: &Metrics,
) -> Result<(u16, Vec<u8>), Error> {
    let started = Instant::now();
    let answer = async {
        let response = request.send().await.map_err(fault)?;
        Ok((response.status().as_u16(), body(response, length).await?))
    };
    let answer = answer.await;
    let took = started.elapsed();
    metrics.requested(method, template, took, answer.as_ref().err().map(failure));
    let (status, ms) = (answer.as_ref().ok().map(|(status, _)| status), took.as_millis());
    tracing::debug!(method, path = template, status, ms);
    answer
}

/// The kind of a failure in one word: one of a few, whatever the homeserver says.
fn failure(error: &Error) -> &'static str {
    match error.kind() {
        Kind::Part => "part",
        Kind::Client => "client",
        Kind::Unreachable => "unreachable",
        Kind::Timeout => "timeout",
        Kind::Broken => "broken",
        Kind::TooLong => "too_long",
        Kind::Unreadable => "unreadable",
        Kind::NotJson => "not_json",
        Kind::Empty => "empty",
        Kind::MediaElsewhere | Kind::NoMedia => "404",
        Kind::Status(refusal) => match refusal.status {
            401 => "401",
            403 => "403",
            404 => "404",
            429 => "429",
            500.. => "5xx",
            400..500 => "4xx",
            _ => "3xx",
        },
    }
}

async fn read(response: Response, length: usize, refusal: Refusals) -> Result<Success, Error> {
    let status = response.status();
    let retry_after = header_wait(response.headers());
    let body = body(response, length).await;
    if status.is_success() {
        return Ok(Success { status: status.as_u16(), body });
    }
    let mut refused = refusal(body.ok().as_deref());
    refused.status = status.as_u16();
    refused.retry_after = refused.retry_after.or(retry_after);
    Err(Error::new(Kind::Status(refused)))
}

/// How the body of a refusal is read, where it came whole. Status and headers are added to it.
pub(super) type Refusals = fn(Option<&[u8]>) -> Refusal;

/// A refusal as the homeserver words it.
pub(super) fn of_homeserver(body: Option<&[u8]>) -> Refusal {
    let said: Said = body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    Refusal {
        status: 0,
        foreign: body.is_some() && said.is_foreign(),
        errcode: said.errcode.filter(|code| is_errcode(code)),
        message: said.error.map(|text| Hostile::new(without_input(&text))),
        retry_after: said.retry_after,
    }
}

/// The body, as long as it is not longer than `length`.
async fn body(response: Response, length: usize) -> Result<Vec<u8>, Error> {
    if response.content_length().is_some_and(|announced| announced > length as u64) {
        return Err(Error::new(Kind::TooLong));
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(fault)?;
        if body.len() + chunk.len() > length {
            return Err(Error::new(Kind::TooLong));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The body of an answer that is not success. A field of another type than it should have does not
/// make the others unread: without its `errcode` a refusal would be taken for somebody else's.
#[derive(Debug, Default, Deserialize)]
struct Said {
    #[serde(default, deserialize_with = "known")]
    errcode: Option<String>,
    #[serde(default, deserialize_with = "known")]
    error: Option<String>,
    #[serde(default, rename = "retry_after_ms", deserialize_with = "millis")]
    retry_after: Option<Duration>,
    /// What a request that wants to be authenticated again is answered in place of an `errcode`.
    flows: Option<serde::de::IgnoredAny>,
}

impl Said {
    /// Whether the homeserver cannot have said it.
    fn is_foreign(&self) -> bool {
        self.errcode.as_deref().unwrap_or_default().is_empty() && self.flows.is_none()
    }
}

/// Whether `code` has the form of an error code, so that it can stand in a sentence as it is.
fn is_errcode(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_.".contains(&b))
}

/// A complaint about a field without the value that was complained about: Synapse's validation
/// quotes what it was given, which may be a password.
fn without_input(text: &str) -> &str {
    text.split("[type=").next().unwrap_or_default()
}

/// A time to wait in milliseconds, which some write with a fraction.
fn millis<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    let millis = Value::deserialize(value)?.as_f64();
    Ok(millis.and_then(|millis| Duration::try_from_secs_f64(millis / 1_000.0).ok()))
}

/// `Retry-After` in seconds or as a date. How far that is away is told by the answer's own date, so
/// that it does not matter whose clock is wrong.
fn header_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let wait = date(after)?.duration_since(date(text(DATE)?)?);
    // A date that is over is no reason to wait.
    Some(wait.try_into().unwrap_or_default())
}

/// Why there is no answer. The address is cut out: it names whom the request is about.
fn fault(error: reqwest::Error) -> Error {
    let kind = if error.is_builder() {
        Kind::Client
    } else if error.is_connect() {
        Kind::Unreachable
    } else if error.is_timeout() {
        Kind::Timeout
    } else {
        Kind::Broken
    };
    Error::because(kind, error.without_url())
}
