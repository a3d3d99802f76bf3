//! `room delete-status`: how far the homeserver is with deleting a room.

use async_trait::async_trait;
use clap::ArgGroup;
use serde_json::{Value, json};

use super::{
    deletion::{self, Deletion},
    known,
};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec, Tables, arguments::RoomRef, refusals::looks},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<DeleteStatus>(
    "delete-status",
    &[
        "room delete-status !OGEhHVWSdvArJzumhm:example.org",
        "room delete-status -d OYlTuHpFZrIgClwz",
    ],
);

/// Show the progress of deleting a room, or why it failed
///
/// The homeserver forgets a deletion a week after it ends.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(["room", "room_id", "delete_id"])))]
struct DeleteStatus {
    /// The room: an id, !abc:example.org or !abc, or an alias, #lobby:example.org
    #[arg(value_name = "ROOM")]
    room: Option<RoomRef>,
    /// The same, as an option
    #[arg(short, long, value_name = "ROOM")]
    room_id: Option<RoomRef>,
    /// Only this deletion, by the id of its task
    #[arg(short, long, value_name = "ID")]
    delete_id: Option<String>,
}

impl DeleteStatus {
    /// The deletions that are meant, oldest first, each as the homeserver shows it.
    async fn found(&self, reader: &Reader) -> Result<Vec<Value>, Stop> {
        let ids = match (self.room.as_ref().or(self.room_id.as_ref()), &self.delete_id) {
            (Some(room), _) => {
                let room = reader.room_id(room).await?;
                let tasks = deletion::of_room(&room, reader).await?;
                if tasks.is_empty() {
                    return Err(Stop::not_found(
                        Line::new().plain("the homeserver knows of no deletion of ").code(&room),
                    ));
                }
                tasks.into_iter().map(|task| task.id).collect()
            }
            (None, Some(id)) => vec![id.clone()],
            (None, None) => Vec::new(),
        };
        let mut found = Vec::new();
        for id in &ids {
            let mut one = deletion::raw_by_id(id, reader)
                .await?
                .ok_or_else(|| Stop::not_found(deletion::unknown(id)))?;
            let room = one["room_id"].as_str().and_then(|room| ruma::RoomId::parse(room).ok());
            if let Some(room) = room {
                reader.may_tell_of([room.as_str()])?;
                if one["status"] == "failed" {
                    one["error"] = json!(deletion::why(&room, id, reader).await?.text());
                }
            }
            found.push(one);
        }
        Ok(found)
    }
}

#[async_trait]
impl Query for DeleteStatus {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::WORK, looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        use serde::Deserialize as _;

        let mut reply: Option<Reply> = None;
        for found in self.found(reader).await? {
            let one = Deletion::deserialize(&found)
                .map_err(|_| Stop::failed("I cannot read the homeserver's answer"))?;
            let room = found["room_id"].as_str().unwrap_or_default();
            let title = Line::new().plain("Deletion of ").code(room);
            let mut facts = one.facts();
            if let Some(why) = found["error"].as_str() {
                facts.push(("Why", why.to_owned().into()));
            }
            if let Ok(room) = ruma::RoomId::parse(room)
                && !one.goes_on()
            {
                facts.push(deletion::whether_there(known::room(&room, reader).await?.as_ref()));
                facts.push(("Blocked", known::block(&known::blocked(&room, reader).await?)));
            }
            let reply_of = match reply {
                None => Reply::data(title),
                Some(reply) => reply.text(title),
            };
            reply = Some(reply_of.facts(facts));
        }
        Ok(reply.unwrap_or_default())
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        sheet.begin("results", &["delete_id", "room_id", "status", "shutdown_room", "error"])?;
        for one in self.found(reader).await? {
            sheet.row(&one)?;
        }
        Ok(sheet.end(&serde_json::Map::new())?)
    }
}
