//! `raw`: a request to the Admin API by its path, the way out for what has no verb.
//!
//! What the path leads to is looked up among the operations that are known, and weighs what these
//! weigh. What leads to none of them is taken for the worst.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Ask, Does, Group, Spec, arguments::secret};
use crate::{
    change::{Method, Root},
    reply::Line,
};

mod body;
mod client;
mod look;
mod mask;
mod path;
mod request;
mod send;

use look::Look;
use request::{Fault, Request, secrets_in};
use send::{Refused, Send};

/// The verb that is typed by the name of its group.
pub const GROUP: Group = Group {
    name: "raw",
    about: "Send a request to the Admin API by its path",
    verbs: &[Spec::of::<Raw>(
        Does::Either,
        "",
        &[
            "raw v1/server_version",
            "raw v1/rooms/!OGEhHVWSdvArJzumhm:example.org/block",
            "raw v2/users/@ann:example.org/devices",
            "raw v1/rooms/!OGEhHVWSdvArJzumhm:example.org/block -m put -d '{\"block\": true}'",
            "raw v1/users/@ann:example.org/override_ratelimit -m delete",
        ],
    )
    .with_path()],
};

/// Send a request to the Admin API by its path, for what no other command does
///
/// You need the same role as for the command that does the same, and the same checks apply; unknown
/// paths need the highest role. If there is a command, use that: it looks first, reports what it found,
/// and can often be undone. This only passes on the answer. In ids, write # and / as %23 and %2F.
/// Requests about my own account and that of my admin token are refused.
#[derive(Debug, clap::Args)]
struct Raw {
    /// The path below /_synapse/admin, such as v1/rooms, with its parameters: v1/rooms?limit=3
    endpoint: String,
    #[command(flatten)]
    how: How,
}

// How a request is made. No doc comment: it would become the verb's help.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// The HTTP method; only get changes nothing
    #[arg(
        short,
        long,
        value_name = "METHOD",
        value_enum,
        ignore_case = true,
        default_value = "get"
    )]
    method: By,
    /// What to send: a JSON object in quotes; {} by default. Not with get
    #[arg(short, long, value_name = "JSON", value_parser = secret, conflicts_with = "data_file")]
    data: Option<SecretString>,
    /// Not available, since a room has no files: type the data after --data
    #[arg(short = 'f', long, value_name = "PATH")]
    data_file: Option<String>,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Get,
    Post,
    Put,
    Delete,
}

impl By {
    fn method(self) -> Option<Method> {
        match self {
            Self::Get => None,
            Self::Post => Some(Method::Post),
            Self::Put => Some(Method::Put),
            Self::Delete => Some(Method::Delete),
        }
    }
}

impl From<Raw> for Ask {
    fn from(typed: Raw) -> Self {
        ask(Root::Admin, &typed.endpoint, &typed.how)
    }
}

/// What a typed request turns out to be.
pub(super) fn ask(root: Root, endpoint: &str, how: &How) -> Ask {
    let secrets = secrets_in(endpoint);
    if !secrets.is_empty() {
        let why = "do not put a secret into a path; I use my own admin token";
        return refused(Line::from(why).into(), secrets);
    }
    if how.data_file.is_some() {
        let why = "a room has no files: type the data after --data, in quotes";
        return refused(Line::from(why).into(), secrets);
    }
    let method = how.method.method();
    let tokens = !endpoint.contains("registration_tokens");
    let read = how.data.as_ref().map(|data| body::read(data.expose_secret(), tokens));
    let (value, secrets) = match (method, read) {
        (_, Some(Err(fault))) => return refused(Fault::slip(fault.why), fault.secrets),
        (None, Some(Ok(body))) => {
            let why = "get sends no data: leave out --data, or name another --method";
            return refused(Fault::slip(Line::from(why)), body.secrets);
        }
        (None, None) => (Value::Null, secrets),
        (Some(_), None) => (json!({}), secrets),
        (Some(_), Some(Ok(body))) => (body.value, body.secrets),
    };
    // In its place on record stands a word that would lead elsewhere.
    if secrets.iter().any(|(_, secret)| endpoint.contains(secret.expose_secret())) {
        return refused(Line::from("there is also a secret in the path").into(), secrets);
    }
    match (method, Request::read(root, method, endpoint, value)) {
        (None, Ok(request)) => Ask::Read(Box::new(Look(request))),
        (Some(method), Ok(request)) => Ask::Change(Box::new(Send { request, method, secrets })),
        (_, Err(fault)) => refused(fault, secrets),
    }
}

/// It is refused, and where a secret was typed the message goes.
fn refused(fault: Fault, secrets: Vec<body::Typed>) -> Ask {
    let refused = Refused { fault, secrets };
    if refused.secrets.is_empty() {
        Ask::Read(Box::new(refused))
    } else {
        Ask::Change(Box::new(refused))
    }
}

/// A refusal of an option that is synadm's alone; `secret` is what was typed with it.
pub(super) fn not_here(why: &str, secret: Option<&SecretString>) -> Ask {
    let secrets = secret.map(|secret| ("token", secret.expose_secret().into()));
    refused(Line::from(why).into(), secrets.into_iter().collect())
}
