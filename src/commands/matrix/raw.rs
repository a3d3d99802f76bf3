//! `matrix raw`: a request to the API of clients by its path.

use secrecy::SecretString;

use crate::{
    change::Root,
    commands::{
        Ask, Does, Spec,
        arguments::secret,
        raw::{How, ask, not_here},
    },
};

pub(super) const SPEC: Spec = Spec::of::<Raw>(
    Does::Either,
    "raw",
    &[
        "matrix raw client/versions",
        "matrix raw client/v3/directory/list/room/!OGEhHVWSdvArJzumhm:example.org",
        "matrix raw client/v3/rooms/!OGEhHVWSdvArJzumhm:example.org/state",
        "matrix raw client/v3/directory/list/room/!OGEhHVWSdvArJzumhm:example.org -m put -d \
         '{\"visibility\": \"private\"}'",
    ],
)
.with_path();

/// Send a request to the client API by its path, as the account of my admin token
///
/// You can ask about rooms, the room directory and other people's profiles. Requests about that
/// account's own sessions, devices, keys and data are refused, and so is logging anybody in or out.
/// Every change counts as one that cannot be undone.
#[derive(Debug, clap::Args)]
struct Raw {
    /// The path below /_matrix, such as client/v3/publicRooms, with its parameters
    endpoint: String,
    #[command(flatten)]
    how: How,
    /// Not available: I always use my own admin token
    #[arg(short, long, value_name = "TOKEN", value_parser = secret)]
    token: Option<SecretString>,
    /// Not available, like --token
    #[arg(short, long)]
    prompt: bool,
}

impl From<Raw> for Ask {
    fn from(typed: Raw) -> Self {
        if typed.prompt || typed.token.is_some() {
            let why = "I only use my own admin token; to use another one, send the request with \
                your own client";
            return not_here(why, typed.token.as_ref());
        }
        ask(Root::Client, &typed.endpoint, &typed.how)
    }
}
