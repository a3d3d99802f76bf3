//! `room unblock`: the end of a block.

use super::block::Blocks;
use crate::commands::{Ask, Does, Spec, arguments::RoomRef, switch::Switch as _};

pub(super) const SPEC: Spec = Spec::of::<Unblock>(
    Does::Change,
    "unblock",
    &["room unblock #lobby:example.org", "room unblock !OGEhHVWSdvArJzumhm:example.org"],
);

/// Unblock a room: people can join it again
#[derive(Debug, clap::Args)]
struct Unblock {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
}

impl From<Unblock> for Ask {
    fn from(typed: Unblock) -> Self {
        Blocks { rooms: typed.rooms }.turn(false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{block::tests::seen, known::testing::lobby},
        *,
    };
    use crate::commands::user::testing;

    #[test]
    fn it_unblocks_and_nothing_else() {
        let ask = testing::parse::<Unblock>(&["!lobby:example.org"]).unwrap().into();
        let Ask::Change(verb) = ask else { panic!("it looks") };
        let change = verb.change(&lobby(), &seen(true, true)).unwrap();
        assert_eq!(change.steps[0].body, json!({ "block": false }));
        assert!(verb.change(&lobby(), &seen(true, false)).is_err());
    }
}
