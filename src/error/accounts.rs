//! Why the authentication service's answer cannot be used, in words for the room: each says what to
//! set, and on which side.

use std::fmt;

use super::api::{Kind, Refusal};

/// What of the authentication service was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// A token for its admin API, of `/oauth2/token`.
    Token,
    /// Its admin API.
    Api,
    /// Its admin API, which is that of another homeserver.
    Other,
}

/// The key of the config under which it is said how to reach it.
macro_rules! key {
    ($rest:literal) => {
        concat!("homeserver.authentication_service", $rest)
    };
}

const NOT_ADMIN: &str = concat!(
    "the authentication service does not let the bot administer it; in its configuration, add the id \
     of ",
    key!(".client_id"),
    " to policy.data.admin_clients"
);

const NOT_CLIENT: &str = concat!(
    "the authentication service does not accept the bot's client; ",
    key!(".client_id"),
    " and .client_secret must be those of an entry of clients in its configuration, with \
     client_auth_method: client_secret_basic"
);

const NO_TOKENS: &str = concat!(
    "nothing gives out tokens where the authentication service should; ",
    key!(".issuer"),
    " must be the address of a listener of it with the resource oauth"
);

const NO_API: &str = concat!(
    "the authentication service does not serve its admin API to the bot; ",
    key!(".admin_url"),
    " must be the address of a listener of it with the resource adminapi, which is off by default"
);

const OTHER: &str = concat!(
    "the authentication service that the bot was told of belongs to another homeserver; check ",
    key!(".admin_url")
);

/// Writes one sentence for the room.
pub(super) fn write(f: &mut fmt::Formatter<'_>, kind: &Kind, at: At) -> fmt::Result {
    f.write_str(match (kind, at) {
        (_, At::Other) => OTHER,
        (Kind::Part, _) => {
            "an id is empty or only dots, so I cannot ask the authentication service for it; \
             nothing was sent"
        }
        (Kind::Client | Kind::MediaElsewhere | Kind::NoMedia, _) => {
            "the request to the authentication service could not be built, which is an error in the \
             bot itself"
        }
        (Kind::Unreachable, At::Token) => concat!(
            "the authentication service cannot be reached for a token; it may be down, or ",
            key!(".issuer"),
            " points elsewhere"
        ),
        (Kind::Unreachable, _) => concat!(
            "the authentication service cannot be reached; it may be down, or ",
            key!(".admin_url"),
            " points elsewhere"
        ),
        (Kind::Timeout, _) => "the authentication service did not answer in time",
        (Kind::Broken, _) => {
            "the connection to the authentication service broke before its answer was complete"
        }
        (Kind::TooLong, _) => "the authentication service's answer is longer than the bot accepts",
        (Kind::Unreadable | Kind::NotJson | Kind::Empty, At::Token) => NO_TOKENS,
        (Kind::NotJson | Kind::Empty, _) => NO_API,
        (Kind::Unreadable, _) => {
            "the authentication service's answer is not in the expected format; its version may be \
             too old or too new for this"
        }
        (Kind::Status(refusal), At::Token) => return write_token(f, refusal),
        (Kind::Status(refusal), _) => return write_refusal(f, refusal),
    })
}

/// Why it gives out no token. An OAuth 2 error code is its `message`.
fn write_token(f: &mut fmt::Formatter<'_>, refusal: &Refusal) -> fmt::Result {
    let code = refusal.message.as_ref().map_or("", |code| code.raw());
    f.write_str(match (refusal.status, code) {
        (429, _) => return write_limited(f, refusal),
        (502..=504, _) => {
            "the proxy in front of the authentication service got no answer from it; it may be down"
        }
        (500.., _) => "the authentication service failed to give the bot a token; its log says why",
        _ if refusal.foreign => NO_TOKENS,
        (401, _) | (_, "invalid_client" | "invalid_request") => NOT_CLIENT,
        _ => NOT_ADMIN,
    })
}

fn write_refusal(f: &mut fmt::Formatter<'_>, refusal: &Refusal) -> fmt::Result {
    match refusal.status {
        401 => f.write_str(NOT_ADMIN),
        429 => write_limited(f, refusal),
        502..=504 => f.write_str(
            "the proxy in front of the authentication service got no answer from it; it may be down",
        ),
        300..=499 if refusal.foreign => f.write_str(NO_API),
        404 => refusal.quote(f, "the authentication service knows nothing with that name"),
        300..=499 => refusal.quote(f, "the authentication service refused the request"),
        _ => refusal.quote(
            f,
            "the authentication service failed to handle the request; its log says why",
        ),
    }
}

fn write_limited(f: &mut fmt::Formatter<'_>, refusal: &Refusal) -> fmt::Result {
    f.write_str("the authentication service limits how often I may ask it; try again ")?;
    refusal.when(f)
}
