//! `room resolve`: the id of an alias, or the aliases of an id.

use async_trait::async_trait;
use ruma::OwnedRoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::known;
use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, Specified, Tables, arguments::RoomRef, refusals::looks},
    error::Stop,
    reply::{Block, Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Resolve>(
    "resolve",
    &["room resolve #lobby:example.org", "room resolve !OGEhHVWSdvArJzumhm:example.org"],
)
.specified(Specified::Clients);

/// Show the id of an alias, or the aliases of an id
///
/// Only aliases on this server are shown; other servers may have more for the same room.
#[derive(Debug, clap::Args)]
struct Resolve {
    /// An alias, #lobby:example.org, or an id, !abc:example.org or !abc
    #[arg(value_name = "ALIAS|ID")]
    room: RoomRef,
    /// Show the aliases; this is the default for an id
    #[arg(short, long)]
    reverse: bool,
}

#[async_trait]
impl Query for Resolve {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let id = reader.room_id(&self.room).await?;
        let typed_id = matches!(self.room, RoomRef::Id(_));
        if !typed_id && !self.reverse {
            let reply = Reply::data(known::titled(&self.room).plain(" is ").code(&id));
            let words = ["room", "details", id.as_str()].map(str::to_owned).to_vec();
            return Ok(reply.command("Look at it", words));
        }
        let aliases = aliases(&id, reader).await?;
        // An alias that leads there is proof enough that the room is one.
        if aliases.is_empty() && known::room(&id, reader).await?.is_none() {
            return Err(Stop::not_found(known::unknown(&id)));
        }
        Ok(told(&id, aliases))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let id = reader.room_id(&self.room).await?;
        let mut found = json!({ "room_id": id });
        if matches!(self.room, RoomRef::Id(_)) || self.reverse {
            found["aliases"] = json!(aliases(&id, reader).await?);
        }
        Ok(sheet.object("room", &found)?)
    }
}

/// The aliases of a room here: `GET /_matrix/client/v3/rooms/{room_id}/aliases`. Of a room that
/// nobody knows, none.
async fn aliases(room: &OwnedRoomId, reader: &Reader) -> Result<Vec<String>, Stop> {
    #[derive(Deserialize)]
    struct AliasList {
        aliases: Vec<Value>,
    }
    let path = Path::client(["v3", "rooms", room.as_str(), "aliases"]);
    let answered: AliasList = reader.get(&path, &[]).await?;
    Ok(answered.aliases.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn told(id: &OwnedRoomId, aliases: Vec<String>) -> Reply {
    let title = Line::new().code(id);
    if aliases.is_empty() {
        return Reply::data(title.plain(" has no alias on this server"));
    }
    let lines = aliases.into_iter().map(|alias| Line::new().hostile(&Hostile::new(alias)));
    Reply::data(title).with(Block::List("Aliases:".into(), lines.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn an_id_is_told_with_its_aliases_or_that_it_has_none() {
        let id: OwnedRoomId = "!lobby:example.org".try_into().unwrap();
        assert_eq!(
            testing::reply(&told(&id, vec!["#lobby:example.org".to_owned()])),
            "`!lobby:example.org`\nAliases:\n- “#lobby:example.org”\n"
        );
        let none = testing::reply(&told(&id, Vec::new()));
        assert_eq!(none, "`!lobby:example.org` has no alias on this server\n");
        for typed in [&["#lobby:example.org"][..], &["#lobby:example.org", "-r"], &["!abc"]] {
            assert!(testing::parse::<Resolve>(typed).is_ok(), "{typed:?}");
        }
        assert!(testing::parse::<Resolve>(&["lobby"]).is_err());
    }
}
