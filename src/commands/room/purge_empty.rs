//! `room purge-empty`: rooms that nobody of this server is in any more are deleted.

use async_trait::async_trait;
use ruma::OwnedRoomId;
use serde::Deserialize;

use super::{
    delete::{self, How},
    known, page,
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Outcome, Path, Power, Question, Skip, Snapshot, Subject,
    },
    commands::{Action, LongWork, Spec},
    error::Stop,
    synapse::{
        Reader,
        wire::{known as if_known, readable},
    },
};

pub(super) const SPEC: Spec =
    Spec::action::<PurgeEmpty>("purge-empty", &["room purge-empty", "room purge-empty --plan"]);

/// Delete every room without members on this server
///
/// I collect and show them first, and ask about exactly those. If somebody joins one of them meanwhile,
/// it is left alone.
#[derive(Debug, clap::Args)]
struct PurgeEmpty {
    #[command(flatten)]
    how: How,
    /// How many rooms to request at a time while collecting
    #[arg(short = 'p', long = "batch-size", visible_alias = "paginate", value_name = "NUMBER",
          default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=5000))]
    batch_size: u64,
}

#[derive(Debug, Deserialize)]
struct RoomPage {
    #[serde(deserialize_with = "readable")]
    rooms: Vec<Row>,
    total_rooms: u64,
    next_batch: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Row {
    // In old databases it need not be a valid one.
    room_id: String,
    #[serde(default, deserialize_with = "if_known")]
    joined_local_members: Option<u64>,
}

#[async_trait]
impl Action for PurgeEmpty {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Server
    }

    fn phrase(&self) -> bool {
        true
    }

    fn amounts_to(&self) -> Vec<&str> {
        ["room delete"].into_iter().chain(self.how.amounts_to()).collect()
    }

    /// `GET /_synapse/admin/v1/rooms`, those with the fewest members of this server first.
    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(delete::REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let mut subjects = Vec::new();
        let mut from = 0;
        loop {
            let query = [
                ("order_by", "joined_local_members".to_owned()),
                ("dir", "b".to_owned()),
                ("from", from.to_string()),
                ("limit", self.batch_size.to_string()),
            ];
            let listed: RoomPage = reader.get(&Path::admin(["v1", "rooms"]), &query).await?;
            if listed.total_rooms == 0 && page::keeps_no_statistics(reader).await {
                return Err(Stop::failed(
                    "this homeserver keeps no room statistics, so it cannot tell which rooms are \
                     empty",
                ));
            }
            // Everything after a room that somebody is in has somebody in it. A count that cannot be
            // true says nothing, neither of its room nor of those that follow.
            let members = |row: &Row| row.joined_local_members;
            let inhabited = listed.rooms.iter().filter_map(members).any(|members| members > 0);
            let empty = listed.rooms.into_iter().filter(|row| members(row) == Some(0));
            let ids = empty.filter_map(|row| OwnedRoomId::try_from(row.room_id).ok());
            subjects.extend(ids.map(Subject::Room));
            match listed.next_batch {
                Some(next) if next > from && !inhabited => from = next,
                _ => return Ok(subjects),
            }
        }
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = delete::snapshot(subject, reader).await?;
        self.how.note_free_files(subject, &mut seen, reader).await?;
        // Not as the statistics alone say: they may be wrong, and a room with people would be lost.
        let room = known::room(known::id(subject)?, reader).await?;
        let empty = room.is_some_and(|room| !room.has_members_here());
        seen.preconditions.insert("empty".to_owned(), empty.into());
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        self.how.question(subject, seen)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if seen.is("exists") && !seen.is("empty") {
            return Err(known::already(subject, "is not empty: somebody on this server is in it"));
        }
        self.how.change(subject, seen, [None, None, None])
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let undo = self.how.undo(subject, before);
        Outcome { undo, ..delete::begun(subject, answers, after) }
    }

    fn lasting(&self) -> FactMap {
        self.how.lasting()
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        Some(&self.how)
    }
}
