//! `media list`: the files of a room, or of an account.

use async_trait::async_trait;
use clap::ArgGroup;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    file::{self, File, Mxc},
    files_of::{self, OfRoom},
};
use crate::{
    change::Path,
    commands::{
        Ask, Does, Spec, Tables,
        arguments::{RoomRef, UserRef, bare},
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
        room::known::titled,
        user::media::{Media, Sort},
    },
    error::Stop,
    reply::{Hostile, Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<List>(
    Does::Look,
    "list",
    &[
        "media list #lobby:example.org",
        "media list --room-id !OGEhHVWSdvArJzumhm:example.org",
        "media list --user-id @ann:example.org",
    ],
);

/// List the files of a room, or those that an account has uploaded
///
/// For a room, the homeserver only knows files in unencrypted messages.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["room", "room_id", "user_id"])))]
struct List {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    #[arg(value_parser = room)]
    room: Option<RoomRef>,
    /// The same, as an option
    #[arg(short, long, value_name = "ROOM")]
    room_id: Option<RoomRef>,
    /// List the files of this account instead, as `user media` does
    #[arg(short, long, value_name = "USER")]
    user_id: Option<UserRef>,
    #[command(flatten)]
    pages: Pages,
    /// With --user-id: sort by this, smallest or earliest first
    #[arg(short, long, value_enum, conflicts_with_all = ["room", "room_id"])]
    sort: Option<Sort>,
    /// With --user-id: reverse the order
    #[arg(short = 'R', long, conflicts_with_all = ["room", "room_id"])]
    reverse: bool,
}

/// Reads a room; who means an account is told how to name it.
fn room(text: &str) -> Result<RoomRef, String> {
    text.parse().map_err(|fault: String| match text.parse::<UserRef>() {
        Ok(_) => format!("{fault}. The files of an account: !media list --user-id {}", bare(text)),
        Err(_) => fault,
    })
}

impl From<List> for Ask {
    fn from(typed: List) -> Self {
        let List { room, room_id, user_id, pages, sort, reverse } = typed;
        match (room.or(room_id), user_id) {
            (None, Some(user)) => Self::Read(Box::new(Media { user, pages, sort, reverse })),
            (room, _) => Self::Read(Box::new(InRoom { room, pages })),
        }
    }
}

/// Lists the files of a room.
#[derive(Debug)]
struct InRoom {
    /// One that was typed; there always is one.
    room: Option<RoomRef>,
    pages: Pages,
}

#[derive(Debug, Deserialize)]
struct Row {
    mxc: Hostile,
    /// What was looked up of it besides.
    info: Option<File>,
    /// Whether the homeserver is too old to show files.
    #[serde(default)]
    unknown: bool,
    /// Why it could not be looked up.
    why: Option<String>,
}

/// How many files are looked up at once.
const AT_ONCE: usize = 8;

/// A row with what is known of its file.
async fn looked_up(mut row: Value, reader: &Reader) -> Value {
    #[derive(Deserialize)]
    struct MediaInfo {
        media_info: Value,
    }
    if let Some(Ok(Mxc { server, id })) = row["mxc"].as_str().map(str::parse::<Mxc>) {
        let path = Path::admin(["v1", "media", server.as_str(), &id]);
        // The list is worth showing without it.
        match reader.find::<MediaInfo>(&path, &[]).await {
            Ok(Some(found)) => row["info"] = found.media_info,
            Err(error) if error.is_unknown_route() => row["unknown"] = json!(true),
            Err(error) if error.is_misplaced_media() => row["why"] = json!(error.to_string()),
            Ok(None) | Err(_) => {}
        }
    }
    row
}

#[async_trait]
impl Listing for InRoom {
    const NAMED: Named =
        Named { key: "media", one: "file", many: "files", columns: &["mxc", "list"] };
    type Row = Row;

    fn refusals(&self) -> Tables {
        &[looks::ROOM]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, _reader: &Reader) -> Line {
        self.room.as_ref().map(|room| titled(room).plain(": ")).unwrap_or_default()
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let Some(room) = &self.room else { return Err(Stop::not_understood("which room?")) };
        let room = reader.room_id(room).await?;
        files_of::known(&room, reader).await?;
        let all = OfRoom::get(&room, reader).await?.each_once();
        let rows = all.into_iter().map(|(list, mxc)| json!({ "mxc": mxc, "list": list }));
        Ok(Page::part(rows.collect(), Pages::number(from)?, limit))
    }

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        let lookups = rows.into_iter().map(|row| looked_up(row, reader));
        stream::iter(lookups).buffered(AT_ONCE).collect().await
    }

    fn id(&self, row: &Row, _: &Reader) -> Option<String> {
        Some(row.mxc.raw().to_owned())
    }

    fn record(&self, row: &Row, now: Timestamp) -> Record {
        let facts = match &row.info {
            Some(info) => file::facts(info, now),
            None if row.unknown || row.why.is_some() => Vec::new(),
            None => vec![("State", "this homeserver does not have it, or no longer has it".into())],
        };
        Record { title: file::address(&row.mxc), facts }
    }

    fn notes(&self, rows: &[Row]) -> Vec<Line> {
        let old = "This homeserver does not show what these files are: that needs Synapse 1.140.";
        let old = rows.iter().any(|row| row.unknown).then(|| old.into());
        let without =
            "Without files in encrypted messages: the homeserver cannot see those.".into();
        let elsewhere = rows.iter().find_map(|row| row.why.as_deref());
        let elsewhere = elsewhere
            .map(|why| Line::from(format!("I cannot look up what these files are: {why}.")));
        [without].into_iter().chain(old).chain(elsewhere).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn it_is_of_a_room_or_of_an_account_and_never_of_both() {
        let ask = |typed: &[&str]| -> String {
            let ask: Ask = testing::parse::<List>(typed).unwrap().into();
            format!("{ask:?}")
        };
        assert!(ask(&["#lobby:example.org"]).contains("InRoom"));
        assert!(ask(&["-r", "!abc"]).contains("InRoom"));
        assert!(ask(&["-u", "ann", "-s", "media_length", "-R"]).contains("Media {"));
        for typed in
            [&[][..], &["!abc", "-u", "ann"], &["-r", "!abc", "-s", "media_length"], &["ann"]]
        {
            assert!(testing::parse::<List>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn who_means_an_account_is_told_how_to_name_it() {
        for (typed, told) in [("ann", "--user-id ann"), ("@ann:x.test,", "--user-id @ann:x.test")] {
            assert!(room(typed).unwrap_err().ends_with(told), "{typed}");
        }
        assert!(!room("Village green").unwrap_err().contains("--user-id"));
        assert!(!room("!").unwrap_err().contains("--user-id"));
    }
}
