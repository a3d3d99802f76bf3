//! One request that changes something.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How an HTTP request changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Method {
    /// Its name as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Below what a path may lie. There is nothing else that is ever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `/_synapse/admin`
    Admin,
    /// `/_matrix/client`
    Client,
}

/// With what the part of a path begins that stands for the content of a slot.
const MADE: &str = "$made:";

/// Where the admin API of the Matrix Authentication Service begins.
const ACCOUNTS: [&str; 3] = ["api", "admin", "v1"];

/// The parts of a request's path, each still as plain text; they are encoded when sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path(Vec<String>);

impl Path {
    /// A path below `/_synapse/admin`.
    pub fn admin<const N: usize>(parts: [&str; N]) -> Self {
        Self(["_synapse", "admin"].into_iter().chain(parts).map(str::to_owned).collect())
    }

    /// A path below `/_matrix/client`.
    pub fn client<const N: usize>(parts: [&str; N]) -> Self {
        Self(["_matrix", "client"].into_iter().chain(parts).map(str::to_owned).collect())
    }

    /// A path below `root`.
    pub fn below(root: Root, parts: impl IntoIterator<Item = String>) -> Self {
        let before = match root {
            Root::Admin => ["_synapse", "admin"],
            Root::Client => ["_matrix", "client"],
        };
        Self(before.into_iter().map(str::to_owned).chain(parts).collect())
    }

    /// Whether it is one of the Admin API's about files, which Synapse serves where its media repository
    /// runs: in a process of its own, if the homeserver has a media worker.
    pub fn is_of_media(&self) -> bool {
        let parts: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let ["_synapse", "admin", _version, route @ ..] = parts.as_slice() else { return false };
        matches!(
            route,
            ["media" | "quarantine_media" | "purge_media_cache", ..]
                | ["user" | "users" | "room", _, "media", ..]
        )
    }

    /// A path below the admin API of the authentication service that keeps the accounts.
    pub fn accounts<const N: usize>(parts: [&str; N]) -> Self {
        Self(ACCOUNTS.into_iter().chain(parts).map(str::to_owned).collect())
    }

    /// The part of a path that stands for what the slot `name` holds, which a step before it of the same
    /// change has revealed: the id of what that has made. Only in paths of the authentication service.
    pub fn made(name: &str) -> String {
        format!("{MADE}{name}")
    }

    /// The slot whose content is a part of it, where there is one.
    pub fn slot(&self) -> Option<&str> {
        let mut parts = self.0.iter().filter(|_| self.is_of_accounts());
        parts.find_map(|part| part.strip_prefix(MADE))
    }

    /// The same with the content of its slot.
    pub(crate) fn filled(&self, content: &str) -> Self {
        let fill = |part: &String| {
            if part.starts_with(MADE) { content.to_owned() } else { part.clone() }
        };
        Self(self.0.iter().map(fill).collect())
    }

    /// Where the authentication service gives out tokens.
    pub(crate) fn token() -> Self {
        Self(["oauth2", "token"].map(str::to_owned).into())
    }

    /// Whether it is one of the authentication service, and not of the homeserver. No path that
    /// somebody types can be: those lie below a [`Root`].
    pub fn is_of_accounts(&self) -> bool {
        self.0.iter().map(String::as_str).take(ACCOUNTS.len()).eq(ACCOUNTS)
    }

    /// The parts, in order, not encoded.
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

/// What a step is there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It is the change, or some of it.
    #[default]
    Deed,
    /// It makes something that the deeds behind it need. It changes nothing of what the command is about:
    /// where no more than this was answered, nothing was done.
    Prepares,
    /// It puts away what was made for the deeds. It is sent even where a step before it failed, and where
    /// it fails itself they are none the less done.
    PutsAway,
}

impl Part {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over by reference")]
    fn is_deed(&self) -> bool {
        *self == Self::Deed
    }
}

/// The only key of an object that stands for a secret in a step's body; its value is the secret's name.
pub const SLOT: &str = "$secret";

/// One request that changes something.
///
/// A string value `{"$secret": "NAME"}` anywhere in `body` is a named slot, filled from memory at
/// the moment of sending; the value itself never stands in a step, so a step can be shown, hashed
/// and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The request's method.
    pub method: Method,
    /// The request's path.
    pub path: Path,
    /// Query parameters in order.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Value,
    /// Whether sending it twice does no more harm than once.
    pub idempotent: bool,
    /// Where the answer holds secrets: JSON pointer into the body, and the name of the slot into
    /// which the value is moved before anybody reads the answer.
    pub reveals: Vec<(String, String)>,
    /// The slot with the access token that goes with it in place of the admin token: one that a step
    /// before it of the same change has revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
    /// What it is there for.
    #[serde(default, skip_serializing_if = "Part::is_deed")]
    pub part: Part,
}

impl Step {
    /// A step with a body, no query, nothing revealed, and not known to be idempotent: a deed that is sent
    /// with the admin token.
    pub fn new(method: Method, path: Path, body: Value) -> Self {
        let (query, reveals) = (Vec::new(), Vec::new());
        let (idempotent, bearer, part) = (false, None, Part::Deed);
        Self { method, path, query, body, idempotent, reveals, bearer, part }
    }

    /// The same step, marked as harmless to send twice.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The same step, whose answer holds a secret at `pointer` that goes into the slot `name`.
    #[must_use]
    pub fn revealing(mut self, pointer: &str, name: &str) -> Self {
        self.reveals.push((pointer.to_owned(), name.to_owned()));
        self
    }

    /// The same step, sent with the access token in the slot `name` in place of the admin token.
    #[must_use]
    pub fn bearing(mut self, name: &str) -> Self {
        self.bearer = Some(name.to_owned());
        self
    }

    /// The same step, as this part of the change.
    #[must_use]
    pub fn part(mut self, part: Part) -> Self {
        self.part = part;
        self
    }
}
