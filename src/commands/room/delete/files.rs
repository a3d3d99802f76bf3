//! The files of a room: how many there are, and which of them a quarantine takes.

use futures_util::{StreamExt as _, stream};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::json;

use super::{super::known, how::How};
use crate::{
    change::{Path, Snapshot, Subject},
    commands::{media::files_of::OfRoom, user::account::how_many},
    error::Stop,
    reply::Line,
    synapse::{Reader, wire::flag},
};

/// How many files of a room are looked up, so that a question does not wait for thousands.
const LOOKED_UP: usize = 100;

/// How many of them at once.
const AT_ONCE: usize = 8;

/// How many files of a room are not in quarantine, as far as the homeserver can tell.
pub(super) async fn counted(room: &RoomId, reader: &Reader) -> Line {
    let Ok(listed) = OfRoom::get(room, reader).await else {
        return "cannot be counted now".into();
    };
    let all: Vec<String> = listed.each_once().into_iter().map(|(_, mxc)| mxc).collect();
    let total = all.len();
    let looks =
        all.into_iter().take(LOOKED_UP).map(|mxc| async move { is_free(&mxc, reader).await });
    let found: Vec<Option<bool>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let free = found.iter().filter(|free| **free == Some(true)).count() as u64;
    let counted = match (total, total > LOOKED_UP) {
        (0, _) => "none that this server can see".to_owned(),
        (_, false) => {
            let free = how_many(Some(free), "is not in quarantine", "are not in quarantine");
            format!("{total}, of which {free}")
        }
        (_, true) => format!(
            "{total}; of the first {LOOKED_UP} of them {free} are not in quarantine, the others are \
             not counted"
        ),
    };
    Line::from(format!("{counted}. What was sent encrypted cannot be counted"))
}

/// Of how many files it is noted whether a quarantine takes them, so that it can be taken back.
const NOTED: usize = 200;

/// Under this it is noted which files of a room are not in quarantine and would be.
pub(super) const FREE: &str = "free";

/// The files of a room that are given out and not protected from quarantine; `None` where they are
/// too many to tell.
async fn free_files(room: &RoomId, reader: &Reader) -> Result<Option<Vec<String>>, Stop> {
    let listed = OfRoom::get(room, reader).await?.each_once();
    if listed.len() > NOTED {
        return Ok(None);
    }
    let all: Vec<String> = listed.into_iter().map(|(_, mxc)| mxc).collect();
    let looks = all.into_iter().map(|mxc| async move {
        let takes = is_free(&mxc, reader).await.unwrap_or_default();
        takes.then_some(mxc)
    });
    let found: Vec<Option<String>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    Ok(Some(found.into_iter().flatten().collect()))
}

/// Whether the homeserver has this file and gives it out; `None` where that cannot be told.
async fn is_free(mxc: &str, reader: &Reader) -> Option<bool> {
    #[derive(Deserialize)]
    struct MediaInfo {
        media_info: Info,
    }
    #[derive(Deserialize)]
    struct Info {
        quarantined_by: Option<String>,
        #[serde(default, deserialize_with = "flag")]
        safe_from_quarantine: bool,
    }
    let (server, id) = mxc.strip_prefix("mxc://")?.split_once('/')?;
    let found = reader.find::<MediaInfo>(&Path::admin(["v1", "media", server, id]), &[]).await;
    let info = found.ok().flatten()?.media_info;
    Some(info.quarantined_by.is_none() && !info.safe_from_quarantine)
}

impl How {
    /// Notes which files a quarantine would take, where there is to be one.
    pub(in crate::commands::room) async fn note_free_files(
        &self,
        subject: &Subject,
        seen: &mut Snapshot,
        reader: &Reader,
    ) -> Result<(), Stop> {
        if self.quarantine_media && seen.is("exists") {
            let free = free_files(known::id(subject)?, reader).await?;
            seen.extra.insert(FREE.to_owned(), json!(free));
        }
        Ok(())
    }
}
