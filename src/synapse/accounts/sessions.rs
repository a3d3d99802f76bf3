//! What is logged in to an account, as the authentication service has it: four kinds of sessions.

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::super::reader::Reader;
use crate::{
    change::{Method, Path, Step},
    error::{
        accounts::At,
        api::{Error, Kind},
    },
};

/// How many objects are asked for at once.
const PAGE: usize = 100;

/// The kinds of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionKind {
    /// A browser that is logged in to the service itself.
    Browser,
    /// An app that logged in by OAuth 2.0.
    App,
    /// An app that logged in as it would without such a service.
    Compat,
    /// A token that an administrator has made.
    Personal,
}

impl SessionKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Browser, Self::App, Self::Compat, Self::Personal];

    /// The kind in one word, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::App => "app (OAuth 2)",
            Self::Compat => "app (compatible)",
            Self::Personal => "personal token",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Browser => "user-sessions",
            Self::App => "oauth2-sessions",
            Self::Compat => "compat-sessions",
            Self::Personal => "personal-sessions",
        }
    }

    fn of_whom(self) -> &'static str {
        if self == Self::Personal { "filter[actor_user]" } else { "filter[user]" }
    }
}

/// A session that has not ended.
#[derive(Debug, Clone)]
pub struct Session {
    /// Of which kind.
    pub kind: SessionKind,
    /// By what it is named at the service, a ULID.
    pub id: String,
}

impl Session {
    /// The request that ends it.
    pub fn end(kind: SessionKind, id: &str) -> Step {
        let what = if kind == SessionKind::Personal { "revoke" } else { "finish" };
        let path = Path::accounts([kind.path(), id, what]);
        Step::new(Method::Post, path, serde_json::Value::Null).idempotent()
    }
}

/// An object of a list.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    /// By what it is named at the service, a ULID.
    pub id: String,
    /// What it says of it.
    pub attributes: T,
}

impl Reader {
    /// The sessions that have not ended of the account that the service has under this id
    /// (`GET /api/admin/v1/user-sessions`, `/oauth2-sessions`, `/compat-sessions` and
    /// `/personal-sessions`).
    pub async fn sessions(&self, id: &str) -> Result<Vec<Session>, Error> {
        let of = |kind| self.sessions_of(kind, id);
        let (browsers, apps, compat, personal) = tokio::try_join!(
            of(SessionKind::Browser),
            of(SessionKind::App),
            of(SessionKind::Compat),
            of(SessionKind::Personal)
        )?;
        Ok(browsers.into_iter().chain(apps).chain(compat).chain(personal).collect())
    }

    async fn sessions_of(&self, kind: SessionKind, id: &str) -> Result<Vec<Session>, Error> {
        let filters = [(kind.of_whom(), id), ("filter[status]", "active")];
        let listed = match self.all_listed::<IgnoredAny>(kind.path(), &filters).await {
            // They came with version 1.5.
            Err(error)
                if kind == SessionKind::Personal
                    && error.status() == Some(404)
                    && error.is_foreign() =>
            {
                Vec::new()
            }
            listed => listed?,
        };
        Ok(listed.into_iter().map(|Listed { id, .. }| Session { kind, id }).collect())
    }

    /// Everything of a list of the service that these filters let through, page by page: each begins
    /// behind the last object of the one before, so what is made or ends meanwhile shifts nothing.
    pub async fn all_listed<T: DeserializeOwned>(
        &self,
        list: &str,
        filters: &[(&str, &str)],
    ) -> Result<Vec<Listed<T>>, Error> {
        #[derive(Deserialize)]
        struct Page<T> {
            data: Vec<Listed<T>>,
            links: Links,
        }
        #[derive(Deserialize)]
        struct Links {
            next: Option<String>,
        }
        let path = Path::accounts([list]);
        let mut all: Vec<Listed<T>> = Vec::new();
        loop {
            let mut query: Vec<(&str, String)> =
                filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            query.push(("page[first]", PAGE.to_string()));
            query.extend(all.last().map(|last| ("page[after]", last.id.clone())));
            let Page { data, links }: Page<T> = self.get(&path, &query).await?;
            let goes_on =
                data.last().is_some_and(|last| all.last().is_none_or(|before| before.id < last.id));
            if links.next.is_some() && !goes_on {
                let why = "a page does not go on where the one before it ended";
                return Err(Error::because(Kind::Unreadable, why).at(At::Api));
            }
            all.extend(data);
            if links.next.is_none() {
                return Ok(all);
            }
        }
    }
}
