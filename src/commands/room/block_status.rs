//! `room block-status`: whether a room is blocked, and by whom.

use async_trait::async_trait;
use ruma::RoomId;

use super::known::{self, Blocked};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec, Tables, arguments::RoomRef, refusals::looks},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<BlockStatus>(
    "block-status",
    &["room block-status #lobby:example.org", "room block-status !OGEhHVWSdvArJzumhm:example.org"],
);

/// Show whether a room is blocked, and by whom
#[derive(Debug, clap::Args)]
struct BlockStatus {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
}

#[async_trait]
impl Query for BlockStatus {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let id = reader.room_id(&self.room).await?;
        let (room, blocked) = tokio::join!(known::room(&id, reader), known::blocked(&id, reader));
        Ok(told(&id, room?.is_some(), &blocked?))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let id = reader.room_id(&self.room).await?;
        Ok(sheet.object("block", &known::raw_block(&id, reader).await?)?)
    }
}

fn told(id: &RoomId, exists: bool, blocked: &Blocked) -> Reply {
    let (said, other, verb) = if blocked.block {
        (" is blocked", "Take it back", "unblock")
    } else {
        (" is not blocked", "Block it", "block")
    };
    let mut facts = Vec::new();
    if let Some(by) = &blocked.user_id {
        facts.push(("By", Line::new().hostile(by)));
    }
    if !exists {
        facts.push(("Room", "this homeserver is not in it and does not know it".into()));
    }
    Reply::data(Line::new().code(id).plain(said))
        .facts(facts)
        .command(other, ["room", verb, id.as_str()].map(str::to_owned).to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::user::testing;

    fn text(exists: bool, blocked: Value) -> String {
        let id = <&RoomId>::try_from("!lobby:example.org").unwrap();
        testing::reply(&told(id, exists, &serde_json::from_value(blocked).unwrap()))
    }

    #[test]
    fn it_says_by_whom_and_whether_the_room_is_known() {
        assert_eq!(
            text(true, json!({"block": true, "user_id": "@moe:example.org"})),
            "`!lobby:example.org` is blocked\n\
             By: “@moe:example.org”\n\
             Take it back: !room unblock !lobby:example.org\n"
        );
        assert_eq!(
            text(false, json!({"block": false})),
            "`!lobby:example.org` is not blocked\n\
             Room: this homeserver is not in it and does not know it\n\
             Block it: !room block !lobby:example.org\n"
        );
    }
}
