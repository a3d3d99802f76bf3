//! What operators decide about watches: that an account is watched, and that it is not any more.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

use super::{
    Observer, Pace,
    look::{self, Found},
    tell,
};
use crate::{
    audit::Record,
    change::Subject,
    error::Stop,
    observed::{Baseline, End, Look, Observed, Seen},
    reply::{Line, Reply, Status, utc},
};

/// How many accounts are watched at once.
const MOST: usize = 20;

/// What somebody asks for.
#[derive(Debug)]
pub(in crate::pipeline) struct Wanted {
    /// The account, of this homeserver.
    pub(in crate::pipeline) about: OwnedUserId,
    /// Who asks.
    pub(in crate::pipeline) by: OwnedUserId,
    /// Until when.
    pub(in crate::pipeline) until: Timestamp,
    /// In which admin room.
    pub(in crate::pipeline) room: OwnedRoomId,
    /// By which message, where it is one.
    pub(in crate::pipeline) asked: Option<OwnedEventId>,
    /// The thread in which that stands.
    pub(in crate::pipeline) in_thread: Option<OwnedEventId>,
}

/// What became of it.
#[derive(Debug)]
pub(in crate::pipeline) enum Begun {
    /// The account is watched; this says so in the room.
    Watched(Reply),
    /// Nothing was done, and this is why.
    Not(Reply),
}

impl Observer {
    /// Watches an account from now on, and says so in the room.
    pub(in crate::pipeline) async fn begin(
        &self,
        wanted: Wanted,
        record: Record,
    ) -> Result<Begun, Stop> {
        // Before it is its turn: the homeserver may take long.
        let look = self.first_look(&wanted.about).await?;
        let _turn = self.turn.lock().await;
        let open = self.below.observations.open()?;
        if let Some(watch) = open.iter().find(|watch| watch.about == wanted.about) {
            return Ok(Begun::Not(already(watch)));
        }
        if open.len() >= MOST {
            return Err(Stop::refused(format!(
                "I watch {MOST} accounts already, which is the most; end another watch first"
            ))
            .or(&["watch", "list"]));
        }
        let record = Record {
            subjects: vec![Subject::User(wanted.about.clone())],
            note: Some(format!("the account is watched until {}", utc(wanted.until))),
            ..record
        };
        let number = self.below.audit.note(record).await?;
        let watch = begun(number, wanted, look, self.now());
        self.below.observations.keep(&watch).await?;
        self.paces().insert(number, Pace::after(None, true));
        let reply = tell::first(&watch);
        self.tell_of(watch).await?;
        self.changed.notify_one();
        Ok(Begun::Watched(reply))
    }

    /// What there is of an account that is to be watched.
    async fn first_look(&self, about: &OwnedUserId) -> Result<Look, Stop> {
        if !self.below.reader.is_local(about) {
            return Err(Stop::refused(Line::new().code(about).plain(
                " belongs to another server, which does not tell me of devices and files; only accounts \
                 of this server can be watched",
            )));
        }
        let named = Line::new().code(about);
        match look::at(about, &self.below.reader).await? {
            Found::Account(look) => Ok(*look),
            Found::Deactivated => {
                Err(Stop::refused(named.plain(" is deactivated, so there is nothing to watch")))
            }
            Found::Gone => Err(Stop::not_found(Line::from("there is no account ").line(named))
                .or(&["user", "search", about.localpart()])),
        }
    }

    /// Ends a watch. `answered` says that the answer to this stands in its thread.
    pub(in crate::pipeline) async fn end(
        &self,
        number: u64,
        (by, answered): (&OwnedUserId, bool),
        record: Record,
    ) -> Result<Reply, Stop> {
        let _turn = self.turn.lock().await;
        let found = self.below.observations.get(number)?.filter(|watch| watch.end.is_none());
        let Some(mut watch) = found else {
            return Ok(Reply::outcome(Status::NothingChanged, "that watch is over already"));
        };
        let about = watch.about.clone();
        let record = Record {
            subjects: vec![Subject::User(about.clone())],
            of: Some(number),
            note: Some("the account is not watched any more".to_owned()),
            ..record
        };
        self.below.audit.note(record).await?;
        watch.end = Some(End::Operator { by: by.clone(), answered });
        self.below.observations.keep(&watch).await?;
        self.tell_of(watch).await?;
        self.changed.notify_one();
        let title = Line::new().code(&about).plain(" is not watched any more");
        Ok(Reply::outcome(Status::Done, title))
    }
}

/// A watch that begins now with what was found.
fn begun(number: u64, wanted: Wanted, look: Look, now: Timestamp) -> Observed {
    let Wanted { about, by, until, room, asked, in_thread } = wanted;
    let baseline = Baseline {
        devices: look.devices.as_ref().map(Vec::len),
        rooms: look.rooms.as_ref().map(Vec::len),
        files: look.files.as_ref().map(|files| files.total),
        event_reports: look.event_reports.is_some(),
        account_reports: look.account_reports.is_some(),
    };
    let mut seen = Seen::default();
    // Nothing is new at the first look.
    seen.take(look);
    let (begun, first, news, told, end) = (now, None, None, 0, None);
    Observed {
        number,
        about,
        by,
        begun,
        until,
        room,
        asked,
        in_thread,
        first,
        baseline,
        seen,
        news,
        told,
        end,
    }
}

/// The answer where an account is watched already.
fn already(watch: &Observed) -> Reply {
    let line = Line::new().code(&watch.about).plain(" is watched already, until ").at(watch.until);
    let line = line.plain(", for ").code(&watch.by);
    let end = ["watch", "end", watch.about.as_str()].map(str::to_owned).to_vec();
    Reply::outcome(Status::NothingChanged, line).command("End it", end)
}
