//! `room block`: nobody here joins a room any more.

use async_trait::async_trait;
use serde_json::json;

use super::known;
use crate::commands::refusals::{Meaning, NO_ROOM_ID};
use crate::{
    change::{Method, Path, Snapshot, Step, Subject},
    commands::{
        Ask, Does, Spec,
        arguments::RoomRef,
        switch::{Switch, Wording},
        user::account::words,
    },
    error::Stop,
    reply::Fact,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Block>(
    Does::Change,
    "block",
    &[
        "room block #lobby:example.org",
        "room block !OGEhHVWSdvArJzumhm:example.org",
        "room block !OGEhHVWSdvArJzumhm:example.org --unblock",
    ],
)
.ending();

/// Block a room: nobody on this server can join it or be invited to it
///
/// Current members stay in it as before. You can also block a room that this homeserver does not know
/// yet. `room unblock` undoes it.
#[derive(Debug, clap::Args)]
struct Block {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
    /// Block it, which is also the default
    #[arg(short = 'b', long = "block", conflicts_with = "unblock")]
    set: bool,
    /// Unblock it, as `room unblock` does
    #[arg(short, long)]
    unblock: bool,
}

impl From<Block> for Ask {
    fn from(typed: Block) -> Self {
        Blocks { rooms: typed.rooms }.turn(typed.set || !typed.unblock)
    }
}

/// The block of rooms (`PUT /_synapse/admin/v1/rooms/{room_id}/block`).
#[derive(Debug)]
pub(super) struct Blocks {
    /// The rooms.
    pub(super) rooms: Vec<RoomRef>,
}

static SET: Wording = Wording {
    verb: "room block",
    did: "blocked",
    asked: ("Block ", ""),
    already: " is already blocked",
    said: " blocked: nobody on this server can join it any more",
    back: |room| words(["room", "unblock", room]),
};

static END: Wording = Wording {
    verb: "room unblock",
    did: "unblocked",
    asked: ("Unblock ", ""),
    already: " is not blocked",
    said: " is no longer blocked",
    back: |room| words(["room", "block", room]),
};

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[NO_ROOM_ID];

#[async_trait]
impl Switch for Blocks {
    fn key(&self) -> &'static str {
        "blocked"
    }

    fn wording(&self, on: bool) -> &'static Wording {
        if on { &SET } else { &END }
    }

    fn refusals(&self) -> &'static [Meaning] {
        REFUSALS
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subjects(&self.rooms, reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = known::snapshot(subject, reader).await?;
        let blocked = known::blocked(known::id(subject)?, reader).await?;
        seen.display.push(("Blocked", known::block(&blocked)));
        seen.preconditions.insert("blocked".to_owned(), json!(blocked.block));
        Ok(seen)
    }

    fn shown_by(&self, subject: &Subject) -> Option<String> {
        Some(known::details(subject))
    }

    fn step(&self, subject: &Subject, _seen: &Snapshot, on: bool) -> Step {
        let path = Path::admin(["v1", "rooms", &subject.segment(), "block"]);
        Step::new(Method::Put, path, json!({ "block": on }))
    }

    fn facts(&self, after: &Snapshot, on: bool) -> Vec<Fact> {
        let mut facts = after.display.clone();
        // That is what the title says.
        facts.retain(|(label, _)| !matches!(*label, "Id" | "Blocked"));
        if on && after.is("exists") {
            facts.push(("Stays", "who is in it, until they leave".into()));
        }
        facts
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::known::testing::{lobby, room},
        *,
    };
    use crate::{
        change::{Class, FactMap, Power},
        commands::{Action, user::testing},
        reply::Status,
    };

    pub(in crate::commands::room) fn seen(exists: bool, blocked: bool) -> Snapshot {
        let mut seen = Snapshot {
            display: if exists {
                known::in_short(&room(json!({})))
            } else {
                vec![("Room", "this homeserver is not in it and does not know it".into())]
            },
            ..Snapshot::default()
        };
        seen.preconditions.insert("exists".to_owned(), json!(exists));
        seen.preconditions.insert("blocked".to_owned(), json!(blocked));
        seen
    }

    fn verb(typed: &[&str]) -> Box<dyn Action> {
        match testing::parse::<Block>(typed).unwrap().into() {
            Ask::Change(action) => action,
            Ask::Read(query) => panic!("it looks: {query:?}"),
        }
    }

    #[test]
    fn it_blocks_unless_told_to_unblock() {
        for (typed, block) in [
            (&["!lobby:example.org"][..], true),
            (&["#lobby:example.org", "-b"], true),
            (&["!v12room", "-u"], false),
            (&["!lobby:example.org", "--unblock"], false),
        ] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
            let change = verb.change(&lobby(), &seen(true, !block)).unwrap();
            assert_eq!(change, verb.change(&lobby(), &seen(true, !block)).unwrap());
            assert_eq!(change.steps[0].body, json!({ "block": block }), "{typed:?}");
            assert_eq!(change.wanted, FactMap::from([("blocked".to_owned(), json!(block))]));
            let skip = verb.change(&lobby(), &seen(true, block)).unwrap_err();
            assert_eq!(skip.status, Status::NothingChanged);
            assert_eq!(skip.instead, ["room details !lobby:example.org"]);
        }
        for typed in [&["lobby"][..], &[], &["!lobby:example.org", "-b", "-u"]] {
            assert!(testing::parse::<Block>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_room_that_nobody_here_knows_is_blocked_and_that_is_said() {
        let verb = verb(&["!lobby:example.org"]);
        assert!(verb.change(&lobby(), &seen(false, false)).is_ok());
        let (before, after) = (seen(false, false), seen(false, true));
        let told = testing::outcome(&verb.outcome(&lobby(), &before, &[], &after));
        assert_eq!(
            told,
            "Done · `!lobby:example.org` blocked: nobody on this server can join it any more\n\
             Room: this homeserver is not in it and does not know it\n\
             Undo: !room unblock !lobby:example.org"
        );
    }

    #[test]
    fn the_outcome_says_who_stays_and_names_the_way_back() {
        let block = verb(&["!lobby:example.org"]);
        let (free, blocked) = (seen(true, false), seen(true, true));
        let told = testing::outcome(&block.outcome(&lobby(), &free, &[], &blocked));
        assert!(told.contains("Members: 12, 3 here\n"), "{told}");
        assert!(told.contains("Stays: who is in it"), "{told}");
        assert!(told.ends_with("Undo: !room unblock !lobby:example.org"), "{told}");
        let unblock = verb(&["!lobby:example.org", "-u"]);
        let told = testing::outcome(&unblock.outcome(&lobby(), &blocked, &[], &free));
        assert!(told.starts_with("Done · `!lobby:example.org` is no longer blocked"), "{told}");
        assert!(told.ends_with("Undo: !room block !lobby:example.org"), "{told}");
    }
}
