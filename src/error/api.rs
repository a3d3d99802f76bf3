//! Why the homeserver's answer cannot be used, in words for the room.

use std::{fmt, sync::Arc, time::Duration};

use super::accounts::{self, At};
use crate::reply::{Hostile, Line, Status};

/// What the homeserver said when it did not say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `errcode`, if it has the form of one.
    pub(crate) errcode: Option<String>,
    /// `error`.
    pub(crate) message: Option<Hostile>,
    /// When to ask again.
    pub(crate) retry_after: Option<Duration>,
    /// Whether something in front of the homeserver said it: the homeserver itself gives each of its
    /// refusals an `errcode`.
    pub(crate) foreign: bool,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A path part that cannot be sent.
    Part,
    /// The HTTP client could not be made, or the request not be put together.
    Client,
    /// No connection: nothing was sent.
    Unreachable,
    /// Connected, but no whole answer in time.
    Timeout,
    /// Connected, but the connection broke.
    Broken,
    /// The answer is longer than the limit.
    TooLong,
    /// An answer of success whose body is not what was asked for.
    Unreadable,
    /// An answer of success whose body is no JSON, which the homeserver never gives.
    NotJson,
    /// An answer of success without a body, which the homeserver never gives to a look.
    Empty,
    /// The main process does not serve files: a media worker does.
    MediaElsewhere,
    /// What the config names as the media worker does not serve files.
    NoMedia,
    /// An answer that is not success.
    Status(Refusal),
}

impl Kind {
    /// The kind in one word, for the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Client => "client",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLong => "too long",
            Self::Unreadable => "unreadable",
            Self::NotJson => "no JSON",
            Self::Empty => "empty",
            Self::MediaElsewhere => "media elsewhere",
            Self::NoMedia => "no media",
            Self::Status(_) => "status",
        }
    }
}

/// Why the homeserver's answer cannot be used.
///
/// `Display` is one sentence for the room, without full stop: what happened and whose side it is
/// on. It holds no address, no token and no body; of the homeserver's own words only what cannot
/// alter the structure of an answer. The chain of sources is for the log.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: Kind,
    /// Where at the authentication service it happened; `None` at the homeserver.
    at: Option<At>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, at: None, source: None }))
    }

    pub(crate) fn because(
        kind: Kind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner { kind, at: None, source: Some(source.into()) }))
    }

    /// The same, where it was the authentication service that was asked, and not the homeserver.
    pub(crate) fn at(self, at: At) -> Self {
        let at = Some(at);
        Self(Arc::new(match Arc::try_unwrap(self.0) {
            Ok(inner) => Inner { at, ..inner },
            Err(shared) => Inner { kind: shared.kind.clone(), at, source: None },
        }))
    }

    /// Whether it was the authentication service that was asked, and not the homeserver.
    pub fn is_of_accounts(&self) -> bool {
        self.0.at.is_some()
    }

    /// Whether the authentication service let the bot in to nothing yet: no change was sent.
    pub(crate) fn is_before_entry(&self) -> bool {
        matches!(self.0.at, Some(At::Token | At::Other))
    }

    /// A refusal by the homeserver itself, in these words.
    #[cfg(test)]
    pub(crate) fn refused(status: u16, errcode: &str, message: &str) -> Self {
        Self::new(Kind::Status(Refusal {
            status,
            errcode: Some(errcode.to_owned()),
            message: Some(Hostile::new(message)),
            retry_after: None,
            foreign: false,
        }))
    }

    /// A refusal since too much was asked, until so many seconds are over.
    #[cfg(test)]
    pub(crate) fn limited(seconds: Option<u64>) -> Self {
        Self::new(Kind::Status(Refusal {
            status: 429,
            errcode: Some("M_LIMIT_EXCEEDED".to_owned()),
            message: None,
            retry_after: seconds.map(Duration::from_secs),
            foreign: false,
        }))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The same error without the homeserver's own words if `secret` finds a secret in them.
    pub(crate) fn unless(self, secret: impl FnOnce(&str) -> bool) -> Self {
        match self.kind() {
            Kind::Status(refusal)
                if refusal.message.as_ref().is_some_and(|text| secret(text.raw())) =>
            {
                let silent = Kind::Status(Refusal { message: None, ..refusal.clone() });
                Self(Arc::new(Inner { kind: silent, at: self.0.at, source: None }))
            }
            _ => self,
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self.kind() {
            Kind::Status(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status, where there was an answer that is not success.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// The `errcode` of the answer, such as `M_NOT_FOUND`.
    pub fn errcode(&self) -> Option<&str> {
        self.refusal().and_then(|refusal| refusal.errcode.as_deref())
    }

    /// The homeserver's own words.
    pub fn message(&self) -> Option<&Hostile> {
        self.refusal().and_then(|refusal| refusal.message.as_ref())
    }

    /// How long to wait before asking again, where the homeserver said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }

    /// Whether the homeserver answered that the object asked for does not exist; not that it does
    /// not know the route, and not that it cannot be reached.
    pub fn is_unknown_object(&self) -> bool {
        let Some(refusal) = self.refusal() else { return false };
        refusal.status == 404
            && match refusal.errcode.as_deref() {
                Some("M_NOT_FOUND") => true,
                Some("M_UNKNOWN") => refusal
                    .message
                    .as_ref()
                    .is_some_and(|message| message.raw().starts_with("No row found")),
                _ => false,
            }
    }

    /// Whether the homeserver does not take the admin token, or its account may not act any more: what
    /// is wrong is not what was asked, and the same will work with another token.
    pub fn is_of_token(&self) -> bool {
        self.0.at.is_none() && self.refusal().is_some_and(|refusal| refusal.token_fault().is_some())
    }

    /// Whether the homeserver, or what is before it, limits how often it is asked.
    pub fn is_limited(&self) -> bool {
        self.status() == Some(429)
    }

    /// Whether nothing is wrong with what was asked, so that what has time waits and asks again: for a
    /// token that is taken, or until a limit is over.
    pub fn is_for_now(&self) -> bool {
        self.is_of_token() || self.is_limited()
    }

    /// Whether there is no homeserver now that could answer: it does not run, or cannot be reached.
    pub fn is_away(&self) -> bool {
        matches!(self.kind(), Kind::Unreachable | Kind::Timeout | Kind::Broken)
            || matches!(self.status(), Some(502..=504))
    }

    /// Whether the admin token has ended by itself.
    pub fn is_of_expired_token(&self) -> bool {
        let fault = self.refusal().and_then(Refusal::token_fault);
        fault == Some(TokenFault::Expired)
    }

    /// The first word of an answer that ends with this, where nothing was changed before.
    pub fn ends(&self) -> Status {
        if matches!(self.kind(), Kind::Part) {
            return Status::NotUnderstood;
        }
        // Whatever stands before the homeserver knows nothing of what was asked for.
        let is_shut = self.0.at.is_some() && self.status() == Some(401);
        let is_beside = is_shut
            || self.is_before_entry()
            || self.is_foreign()
            || self.is_for_now()
            || self.is_unknown_route();
        match self.status().filter(|_| !is_beside) {
            Some(404) => Status::NotFound,
            Some(400..=499) => Status::Refused,
            _ => Status::Failed,
        }
    }

    /// Whether the homeserver does not know the route or the method.
    pub fn is_unknown_route(&self) -> bool {
        matches!(self.status(), Some(404 | 405)) && self.errcode() == Some("M_UNRECOGNIZED")
    }

    /// Whether files were asked for where they are not served.
    pub fn is_misplaced_media(&self) -> bool {
        matches!(self.kind(), Kind::MediaElsewhere | Kind::NoMedia)
    }

    /// Whether it was answered with success, and the body is no JSON at all.
    pub fn is_not_json(&self) -> bool {
        matches!(self.kind(), Kind::NotJson | Kind::Empty)
    }

    /// Whether something in front of the homeserver answered in its place, such as a proxy, so that
    /// nothing is known of what was asked for.
    pub fn is_foreign(&self) -> bool {
        match self.kind() {
            Kind::NotJson | Kind::Empty => true,
            Kind::Status(refusal) => refusal.foreign,
            _ => false,
        }
    }

    /// The sentence as a line of an answer.
    pub fn line(&self) -> Line {
        Line::new().plain(self.to_string())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.0.kind).field("source", &self.0.source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.0.at {
            return accounts::write(f, self.kind(), at);
        }
        f.write_str(match self.kind() {
            Kind::Part => "an id is empty or only dots, so I cannot ask for it; nothing was sent",
            Kind::Client => "the request could not be built, which is an error in the bot itself",
            Kind::Unreachable => "the homeserver cannot be reached; it or the network may be down",
            Kind::Timeout => "the homeserver accepted the request but did not answer in time",
            Kind::Broken => "the connection to the homeserver broke before its answer was complete",
            Kind::TooLong => "the homeserver's answer is longer than the bot accepts; ask for less",
            Kind::Unreadable => {
                "the homeserver's answer is not in the expected format; something else may answer \
                at its address, which is set in homeserver.admin_url"
            }
            Kind::NotJson => {
                "something in front of the homeserver answered instead, with a web page; set \
                homeserver.admin_url to an address that leads straight to it"
            }
            Kind::Empty => {
                "something in front of the homeserver answered instead, with nothing; set \
                homeserver.admin_url to an address that leads straight to it"
            }
            Kind::MediaElsewhere => {
                "the homeserver serves files from a media worker, not at the address that I use; set \
                homeserver.media_admin_url to the address of that worker"
            }
            Kind::NoMedia => {
                "the process at homeserver.media_admin_url does not serve files; set it to the address \
                of the media worker"
            }
            Kind::Status(refusal) => return refusal.fmt(f),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.foreign {
            return self.fmt_foreign(f);
        }
        if let Some(fault) = self.token_fault() {
            return f.write_str(fault.words());
        }
        match (self.status, self.errcode.as_deref()) {
            (404 | 405, Some("M_UNRECOGNIZED")) => f.write_str(
                "the homeserver does not have this function here: it is too old, it is not Synapse, \
                another worker serves it, or an authentication service manages its accounts",
            ),
            (429, _) => {
                f.write_str("the homeserver limits how often I may ask it; try again ")?;
                self.when(f)
            }
            (300..=399, _) => f.write_str(REDIRECT),
            (404, _) if self.errcode.is_some() => {
                self.quote(f, "the homeserver knows nothing with that name")
            }
            (400..=499, _) => self.quote(f, "the homeserver refused the request"),
            _ => self.quote(f, "the homeserver failed to handle the request; its log says why"),
        }
    }
}

const REDIRECT: &str = "the homeserver's address answers with a redirect, which I do not follow: \
    something in front of it answered; set homeserver.admin_url to the homeserver's own address";

/// What is wrong with the admin token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenFault {
    /// It has ended by itself.
    Expired,
    /// It was logged out, or is none.
    Unknown,
    /// Its account is locked.
    Locked,
    /// The validity of its account is over.
    AccountExpired,
    /// Its account is no server admin.
    NotAdmin,
}

impl TokenFault {
    /// What happened, and what to do.
    fn words(self) -> &'static str {
        match self {
            Self::Expired => {
                "the bot's admin token has expired; whoever runs the bot must put a new one in the \
                place set in homeserver.admin_token, and send !config reload"
            }
            Self::Unknown => {
                "the homeserver does not accept the bot's admin token: it was logged out, or is \
                not a token; whoever runs the bot must put a new one in the place set in \
                homeserver.admin_token, and send !config reload"
            }
            Self::Locked => {
                "the account of the bot's admin token is locked; another server admin can unlock \
                it, or whoever runs the bot can give it another admin's token"
            }
            Self::AccountExpired => {
                "the account of the bot's admin token has expired; another server admin can renew \
                it, or whoever runs the bot can give it another admin's token"
            }
            Self::NotAdmin => {
                "the account of the bot's admin token is not a server admin, or no longer is; \
                another server admin can make it one, or whoever runs the bot can give it another \
                admin's token"
            }
        }
    }
}

impl Refusal {
    /// What is wrong with the admin token, where this is about that.
    fn token_fault(&self) -> Option<TokenFault> {
        let says =
            |words: &str| self.message.as_ref().is_some_and(|text| text.raw().contains(words));
        match (self.status, self.errcode.as_deref()?) {
            (401, "M_UNKNOWN_TOKEN") if says("expired") => Some(TokenFault::Expired),
            (401, "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN") => Some(TokenFault::Unknown),
            (401, "M_USER_LOCKED") => Some(TokenFault::Locked),
            (403, "ORG_MATRIX_EXPIRED_ACCOUNT") => Some(TokenFault::AccountExpired),
            (403, _) if says("not a server admin") => Some(TokenFault::NotAdmin),
            _ => None,
        }
    }

    /// What the room reads of an answer that is not the homeserver's. Its own words say nothing of
    /// what was asked for, so none of them is quoted.
    fn fmt_foreign(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        match status {
            300..=399 => f.write_str(REDIRECT),
            401 => write!(
                f,
                "something in front of the homeserver requires its own login ({status}); {STRAIGHT}"
            ),
            405 => write!(
                f,
                "something in front of the homeserver blocks this kind of request ({status}); \
                 {STRAIGHT}"
            ),
            429 => {
                f.write_str(
                    "something in front of the homeserver limits how often I may ask it; ",
                )?;
                f.write_str("try again ")?;
                self.when(f)
            }
            500 => f.write_str(
                "the homeserver failed to handle the request; its log says why \
                                (500)",
            ),
            502..=504 => write!(
                f,
                "the proxy in front of the homeserver got no answer from it ({status}); it may be \
                down, or homeserver.admin_url points elsewhere"
            ),
            _ => write!(
                f,
                "something in front of the homeserver answered instead ({status}); {STRAIGHT}"
            ),
        }
    }

    /// When to ask again.
    pub(super) fn when(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(wait) => write!(f, "in {} s", wait.as_secs().max(1)),
            None => f.write_str("later"),
        }
    }

    /// `said`, then in brackets the status and what the homeserver itself said.
    pub(super) fn quote(&self, f: &mut fmt::Formatter<'_>, said: &str) -> fmt::Result {
        write!(f, "{said} ({}", self.status)?;
        if let Some(errcode) = &self.errcode {
            write!(f, " {errcode}")?;
        }
        match self.message.as_ref().map(tame) {
            Some(message) if !message.is_empty() => write!(f, ": {message})"),
            _ => f.write_str(")"),
        }
    }
}

const STRAIGHT: &str = "set homeserver.admin_url to an address that leads straight to it";

/// How much of the homeserver's own words is quoted, in characters.
const QUOTED: usize = 200;

/// The homeserver's words as text that means the same as plain text, Markdown and HTML: on one
/// line, short, and of characters that none of these reads as anything else.
fn tame(message: &Hostile) -> String {
    let plain: String = message
        .raw()
        .chars()
        .map(|c| {
            let kept = c.is_alphanumeric() || ".,:;!?'\"()@#$%+-=/".contains(c);
            if kept { c } else { ' ' }
        })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    // Without the slashes a client does not make a link of it.
    let text = words.join(" ").replace("//", " ");
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text,
    }
}
