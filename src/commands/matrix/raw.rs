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

/// Send a request to the API of clients by its path, as the account of my admin token
///
/// What can be asked is what is no business of that account alone: rooms, their directory, the
/// profiles of others. Nothing of its sessions, devices, keys and data is asked, and nobody is
/// logged in or out. Every change there is treated as one that cannot be taken back.
#[derive(Debug, clap::Args)]
struct Raw {
    /// The path below /_matrix, such as client/v3/publicRooms, with its parameters
    endpoint: String,
    #[command(flatten)]
    how: How,
    /// Not here: I always ask with my own admin token
    #[arg(short, long, value_name = "TOKEN", value_parser = secret)]
    token: Option<SecretString>,
    /// Not here, as --token
    #[arg(short, long)]
    prompt: bool,
}

impl From<Raw> for Ask {
    fn from(typed: Raw) -> Self {
        if typed.prompt || typed.token.is_some() {
            let why = "I ask with my own admin token and no other; whoever has another one asks \
                       with a client of their own";
            return not_here(why, typed.token.as_ref());
        }
        ask(Root::Client, &typed.endpoint, &typed.how)
    }
}
