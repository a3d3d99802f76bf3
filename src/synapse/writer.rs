//! Changing something at the homeserver.

use std::{sync::Arc, time::Duration};

use backon::Retryable as _;
use reqwest::{
    Client,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use super::{
    access::{Access, Bases},
    accounts::Service,
    address::{address, template},
    http::{self, Limits, Success},
    media,
    reader::{Reader, of, pauses, unreadable},
    secrets::Secrets,
    throttle::Throttle,
    token::TokenState,
};
use crate::{
    change::{Answer, Method, Step},
    error::api::{Error, Kind},
    gate::Permit,
    metrics::Metrics,
    reply::Status,
};

/// How long the homeserver may ask a step to wait; longer, and it is reported as refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends the steps that a [`Permit`] names.
#[derive(Debug)]
pub struct Writer {
    client: Client,
    limits: Limits,
    bases: Bases,
    accounts: Option<Arc<Service>>,
    token: TokenState,
    throttle: Throttle,
    metrics: Metrics,
}

/// Why a step did not come to a good end, by what is known of the homeserver.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The permit does not name this step, or not any more. Nothing was sent.
    #[error("the bot tried to send something that was not approved; nothing was sent")]
    NotPermitted,
    /// A secret that the step needs is not in memory any more. Nothing was sent.
    #[error("a secret that this needs is no longer in memory; nothing was sent")]
    NoSecret,
    /// The homeserver does not take the token that was made for this change. Nothing was done with it.
    #[error(
        "the homeserver does not accept the temporary access token that it made for this: its time is \
        over (do the clocks differ?), or the account has been locked or logged out everywhere meanwhile"
    )]
    NotTaken(#[source] Error),
    /// Nothing of it reached the homeserver, for certain.
    #[error("nothing was sent: {0}")]
    NotSent(#[source] Error),
    /// The homeserver said no. Synapse applies the fields of `PUT /v2/users/{user_id}` one by one,
    /// so there the fields before the one that it refused are changed; everywhere else nothing is.
    #[error(transparent)]
    Refused(Error),
    /// It was sent, and there is no answer that tells what became of it.
    #[error("it was sent, but the outcome is unknown: {0}")]
    Unknown(#[source] Error),
}

impl SendError {
    /// The first word of an answer that ends with this, where nothing was changed before.
    pub fn ends(&self) -> Status {
        match self {
            Self::NotPermitted | Self::NoSecret => Status::Refused,
            Self::NotSent(_) | Self::NotTaken(_) => Status::Failed,
            Self::Refused(error) => error.ends(),
            Self::Unknown(_) => Status::Unknown,
        }
    }

    /// Whether the homeserver did nothing, and the same will be done [later](Error::is_for_now).
    pub fn is_for_now(&self) -> bool {
        matches!(self, Self::Refused(error) if error.is_for_now())
    }
}

impl Writer {
    /// A writer to the homeserver that `access` names. Sends nothing yet; fails where the token
    /// cannot be sent in a header or the system's certificates cannot be read.
    pub fn new(access: Access) -> Result<Self, Error> {
        Self::within(access, Limits::CHANGE)
    }

    pub(super) fn within(access: Access, limits: Limits) -> Result<Self, Error> {
        let client = http::client(&access, limits)?;
        let (token, throttle) = (TokenState::default(), Throttle::default());
        let (bases, metrics) = (Bases::new(access.base, access.media), Metrics::off());
        Ok(Self { client, limits, bases, accounts: None, token, throttle, metrics })
    }

    /// The same, noting what is said of the token and of limits where this reader does, and asking the
    /// authentication service with the same token.
    #[must_use]
    pub fn noting(self, reader: &Reader) -> Self {
        let (token, throttle) = (reader.token().clone(), reader.throttle().clone());
        Self { token, throttle, accounts: reader.service().cloned(), ..self }
    }

    /// The same, whose requests are counted here.
    #[must_use]
    pub fn counted_in(self, metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), ..self }
    }

    /// Sends `step`, which uses up one place of `permit`, however it ends.
    ///
    /// It is sent once; only after a 429 it is sent again, up to three times: when that says so, unless
    /// it is later than in 30 seconds, or else after a short pause. `secrets` fills the secrets of the body and takes those of the
    /// answer.
    ///
    /// A status of success counts as done even where the body is too long, broken off or empty:
    /// then the answer's body is `Null`. A page in place of JSON is none of the homeserver's
    /// answers, so that it is [`SendError::Unknown`], and so is a step that should have revealed a
    /// secret and did not.
    pub async fn send(
        &self,
        permit: &mut Permit,
        step: &Step,
        secrets: &mut Secrets,
    ) -> Result<Answer, SendError> {
        if !permit.take(step) {
            return Err(SendError::NotPermitted);
        }
        let query = step.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let service = self.accounts.as_deref().filter(|_| step.path.is_of_accounts());
        let base = match service {
            Some(service) => service.base(),
            None if step.path.is_of_accounts() => {
                return Err(SendError::NotSent(Error::new(Kind::Client)));
            }
            None => self.bases.for_path(&step.path),
        };
        let path = match step.path.slot() {
            Some(slot) => {
                let made = secrets.get(slot).ok_or(SendError::NoSecret)?;
                step.path.filled(made.expose_secret())
            }
            None => step.path.clone(),
        };
        let address = address(base, &path, query).map_err(SendError::NotSent)?;
        let body = secrets.fill(&step.body).ok_or(SendError::NoSecret)?;
        let bearer = match &step.bearer {
            Some(name) => Some(secrets.bearer(name).ok_or(SendError::NoSecret)?),
            None => None,
        };
        let delivered = match service {
            Some(service) => self.deliver_to(service, step, &address, &body).await,
            None => self.deliver(step, &address, &body, bearer.as_ref()).await,
        };
        let success = match delivered {
            Ok(success) => success,
            Err(error) => {
                let error = error.unless(|text| secrets.shows_in(text));
                let error = media::of_change(&step.path, error, self.bases.has_media());
                return Err(judge(error, bearer.is_some()));
            }
        };
        answer(step, success, secrets)
    }

    /// Sends the request to the authentication service, and again when told to. No token of the
    /// homeserver goes there.
    async fn deliver_to(
        &self,
        service: &Service,
        step: &Step,
        address: &Url,
        body: &Value,
    ) -> Result<Success, Error> {
        let template = template(&step.path);
        let send = || service.send(step.method, (address, &template), body, &self.metrics);
        let answer = send
            .retry(pauses(self.limits.pause))
            .adjust(|error, pause| too_early(error, pause?))
            .await;
        match answer {
            Err(error) if has_ended(step, &error) => {
                Ok(Success { status: 200, body: Ok(Vec::new()) })
            }
            answer => answer,
        }
    }

    /// Sends the request, and again when told to; with the `bearer` in place of the admin token, where
    /// there is one.
    async fn deliver(
        &self,
        step: &Step,
        address: &Url,
        body: &Value,
        bearer: Option<&HeaderValue>,
    ) -> Result<Success, Error> {
        let template = template(&step.path);
        let (name, method) = match step.method {
            Method::Post => ("POST", reqwest::Method::POST),
            Method::Put => ("PUT", reqwest::Method::PUT),
            Method::Delete => ("DELETE", reqwest::Method::DELETE),
        };
        let send = || {
            let mut request = self.client.request(method.clone(), address.clone());
            if !body.is_null() {
                request = request.json(body);
            }
            if let Some(bearer) = bearer {
                request = request.header(AUTHORIZATION, bearer.clone());
            }
            let to = (http::of_homeserver as http::Refusals, &self.metrics);
            http::exchange(request, self.limits.length, (name, &template), to)
        };
        let answer = send
            .retry(pauses(self.limits.pause))
            .adjust(|error, pause| too_early(error, pause?))
            .await;
        // What is said of another token, or of another account's pace, is not said of the admin's.
        if bearer.is_none() {
            self.token.note(&answer);
            self.throttle.note(&answer);
        }
        answer
    }
}

/// Whether a step was to end a session that has ended by itself meanwhile.
fn has_ended(step: &Step, error: &Error) -> bool {
    let told = match step.path.parts() {
        [.., list, _, what] if list.ends_with("-sessions") => match what.as_str() {
            "finish" => Some(400),
            "revoke" => Some(409),
            _ => None,
        },
        _ => None,
    };
    told.is_some() && !error.is_foreign() && error.status() == told
}

/// How long to wait before the same step is sent again, where it was said that it came too early, so
/// that nothing was done. Proxies often do not say when.
fn too_early(error: &Error, pause: Duration) -> Option<Duration> {
    let wait = error.retry_after().unwrap_or(pause);
    (error.status() == Some(429) && wait <= PATIENCE).then_some(wait)
}

/// What an error says about the homeserver; `made` where it was sent with a token made for the change.
fn judge(error: Error, made: bool) -> SendError {
    match error.kind() {
        _ if made && error.is_of_token() => SendError::NotTaken(error),
        // Without a token for the authentication service the step itself is not sent.
        _ if error.is_before_entry() => SendError::NotSent(error),
        Kind::Part | Kind::Client | Kind::Unreachable => SendError::NotSent(error),
        Kind::MediaElsewhere | Kind::NoMedia => SendError::Refused(error),
        // 408 can come from a proxy that had passed on a part of the request.
        Kind::Status(refusal) if (300..500).contains(&refusal.status) && refusal.status != 408 => {
            SendError::Refused(error)
        }
        _ => SendError::Unknown(error),
    }
}

/// The answer as far as it may be read.
fn answer(step: &Step, success: Success, secrets: &mut Secrets) -> Result<Answer, SendError> {
    let Success { status, body } = success;
    let (mut body, fault) = match body {
        Ok(bytes) if bytes.is_empty() => (Value::Null, None),
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(body) => (body, None),
            Err(error) => {
                let error = Error::new(unreadable(&error, &bytes));
                return Err(SendError::Unknown(of(&step.path, error)));
            }
        },
        Err(error) => (Value::Null, Some(error)),
    };
    let mut revealed = true;
    for (pointer, name) in &step.reveals {
        revealed &= secrets.cut(&mut body, pointer, name);
    }
    if revealed {
        Ok(Answer { status, body })
    } else {
        let fault = fault.unwrap_or_else(|| Error::new(Kind::Unreadable));
        Err(SendError::Unknown(of(&step.path, fault)))
    }
}
