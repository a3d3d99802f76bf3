//! `room block`: nobody here joins a room any more.

use async_trait::async_trait;
use serde_json::json;

use super::known;
use crate::{
    change::{
        Answer, Binds, Change, Class, Method, Outcome, Path, Power, Question, Seen, Skip, Step,
        Subject, Undo,
    },
    commands::{Action, Ask, Does, Spec, arguments::RoomRef},
    error::Stop,
    reply::Line,
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

/// Block a room: nobody of this server can join it or be invited to it any more
///
/// Who is in it stays in it and goes on as before. A room that this homeserver does not know can
/// be blocked too, before anybody finds it. `room unblock` takes it back.
#[derive(Debug, clap::Args)]
struct Block {
    /// The rooms, one or several: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(required = true, num_args = 1.., value_name = "ROOM")]
    rooms: Vec<RoomRef>,
    /// Block it, which is what happens without this too
    #[arg(short = 'b', long = "block", conflicts_with = "unblock")]
    set: bool,
    /// Take a block back, as `room unblock` does
    #[arg(short, long)]
    unblock: bool,
}

impl From<Block> for Ask {
    fn from(typed: Block) -> Self {
        Self::Change(Box::new(Set { rooms: typed.rooms, block: typed.set || !typed.unblock }))
    }
}

/// Blocks a room or unblocks it (`PUT /_synapse/admin/v1/rooms/{room_id}/block`).
#[derive(Debug)]
pub(super) struct Set {
    /// The rooms.
    pub(super) rooms: Vec<RoomRef>,
    /// Whether it is to be blocked.
    pub(super) block: bool,
}

#[async_trait]
impl Action for Set {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec![if self.block { "room block" } else { "room unblock" }]
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        known::subjects(&self.rooms, reader).await
    }

    async fn see(&self, subject: &Subject, reader: &Reader) -> Result<Seen, Stop> {
        let id = known::id(subject)?;
        let mut seen = known::see(subject, reader).await?;
        let blocked = known::blocked(id, reader).await?;
        seen.shown.push(("Blocked", known::block(&blocked)));
        seen.binds.insert("blocked".to_owned(), json!(blocked.block));
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Seen) -> Question {
        let verb = if self.block { "Block " } else { "Unblock " };
        Question { title: Line::new().plain(verb).code(subject), ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Seen) -> Result<Change, Skip> {
        if seen.is("blocked") == self.block {
            let what = if self.block { "is blocked already" } else { "is not blocked" };
            return Err(known::already(subject, what));
        }
        let path = Path::admin(["v1", "rooms", &subject.segment(), "block"]);
        let step = Step::new(Method::Put, path, json!({ "block": self.block })).idempotent();
        let wanted = Binds::from([("blocked".to_owned(), json!(self.block))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Seen, _: &[Answer], after: &Seen) -> Outcome {
        let (said, back) = if self.block {
            (" is blocked: nobody of this server can join it any more", "unblock")
        } else {
            (" is not blocked any more", "block")
        };
        let mut facts = after.shown.clone();
        // That is what the title says.
        facts.retain(|(label, _)| !matches!(*label, "Id" | "Blocked"));
        if self.block && after.is("exists") {
            facts.push(("Stays", "who is in it, until they leave".into()));
        }
        let back = ["room", back, &subject.typed()].map(str::to_owned).to_vec();
        Outcome::done(Line::new().code(subject).plain(said), Undo::Command(back)).facts(facts)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::known::testing::{lobby, room},
        *,
    };
    use crate::commands::user::testing;
    use crate::reply::Word;

    pub(in crate::commands::room) fn seen(exists: bool, blocked: bool) -> Seen {
        let mut seen = Seen {
            shown: if exists {
                known::in_short(&room(json!({})))
            } else {
                vec![("Room", "this homeserver is not in it, and does not know it".into())]
            },
            ..Seen::default()
        };
        seen.binds.insert("exists".to_owned(), json!(exists));
        seen.binds.insert("blocked".to_owned(), json!(blocked));
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
            assert_eq!(change.wanted, Binds::from([("blocked".to_owned(), json!(block))]));
            let skip = verb.change(&lobby(), &seen(true, block)).unwrap_err();
            assert_eq!(skip.word, Word::NothingChanged);
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
            "Done · `!lobby:example.org` is blocked: nobody of this server can join it any more\n\
             Room: this homeserver is not in it, and does not know it\n\
             Undo: !room unblock !lobby:example.org"
        );
    }

    #[test]
    fn the_outcome_says_who_stays_and_names_the_way_back() {
        let block = verb(&["!lobby:example.org"]);
        let (free, blocked) = (seen(true, false), seen(true, true));
        let told = testing::outcome(&block.outcome(&lobby(), &free, &[], &blocked));
        assert!(told.contains("Members: 12, 3 of them from here\n"), "{told}");
        assert!(told.contains("Stays: who is in it"), "{told}");
        assert!(told.ends_with("Undo: !room unblock !lobby:example.org"), "{told}");
        let unblock = verb(&["!lobby:example.org", "-u"]);
        let told = testing::outcome(&unblock.outcome(&lobby(), &blocked, &[], &free));
        assert!(told.starts_with("Done · `!lobby:example.org` is not blocked any more"), "{told}");
        assert!(told.ends_with("Undo: !room block !lobby:example.org"), "{told}");
    }
}
