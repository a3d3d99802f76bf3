//! One exchange with the service, with the token that is held, and once more with another.

use reqwest::{
    Client,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::{access::AccountsAccess, token::Token};
use crate::{
    change::Method,
    error::{
        accounts::At,
        api::{Error, Refusal},
    },
    metrics::Metrics,
    reply::Hostile,
    synapse::http::{self, Limits, Success},
};

/// The authentication service. It is asked nothing before somebody asks for something.
#[derive(Debug)]
pub(in crate::synapse) struct Service {
    base: Url,
    looks: Client,
    changes: Client,
    limits: Limits,
    token: Token,
    /// Set once it has said that it keeps the accounts of this homeserver.
    pub(super) serves_us: OnceCell<()>,
}

impl Service {
    /// The service that `access` names, which is looked at within these limits.
    pub(in crate::synapse) fn new(access: AccountsAccess, limits: Limits) -> Result<Self, Error> {
        let changing = Limits { whole: Limits::CHANGE.whole, idle: 0, ..limits };
        let (looks, changes) = (http::anonymous(limits)?, http::anonymous(changing)?);
        let base = access.admin_url.clone();
        let token = Token::new(access, limits)?;
        Ok(Self { base, looks, changes, limits, token, serves_us: OnceCell::new() })
    }

    /// Where its admin API is.
    pub(in crate::synapse) fn base(&self) -> &Url {
        &self.base
    }

    /// Looks, once.
    pub(in crate::synapse) async fn get(
        &self,
        address: &Url,
        template: &str,
        metrics: &Metrics,
    ) -> Result<Vec<u8>, Error> {
        let ask = || self.looks.get(address.clone());
        let success = self.exchange(ask, ("GET", template), metrics).await?;
        success.body.map_err(|error| error.at(At::Api))
    }

    /// Sends a change, once: only where the token was refused, so that nothing was done, it is sent again
    /// with another.
    pub(in crate::synapse) async fn send(
        &self,
        method: Method,
        (address, template): (&Url, &str),
        body: &Value,
        metrics: &Metrics,
    ) -> Result<Success, Error> {
        let verb = match method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let ask = || {
            let request = self.changes.request(verb.clone(), address.clone());
            if body.is_null() { request } else { request.json(body) }
        };
        self.exchange(ask, (method.as_str(), template), metrics).await
    }

    async fn exchange(
        &self,
        request: impl Fn() -> reqwest::RequestBuilder,
        what: (&'static str, &str),
        metrics: &Metrics,
    ) -> Result<Success, Error> {
        let ask = async |header: HeaderValue| {
            let request = request().header(AUTHORIZATION, header);
            let answered = http::exchange(request, self.limits.length, what, (refusal, metrics));
            answered.await.map_err(|error| error.at(At::Api))
        };
        let header = self.token.header(None, metrics).await?;
        match ask(header.clone()).await {
            Err(error) if error.status() == Some(401) => {
                ask(self.token.header(Some(&header), metrics).await?).await
            }
            answered => answered,
        }
    }
}

/// A refusal as the service words it: `{"errors": [{"title": "..."}]}`.
fn refusal(body: Option<&[u8]>) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<Titled>,
    }
    #[derive(Deserialize)]
    struct Titled {
        title: String,
    }
    let said: Option<Said> = body.and_then(|body| serde_json::from_slice(body).ok());
    let foreign = body.is_some() && said.is_none();
    let first = said.and_then(|said| said.errors.into_iter().next());
    let message = first.map(|first| Hostile::new(&first.title));
    Refusal { status: 0, errcode: None, message, retry_after: None, foreign }
}
