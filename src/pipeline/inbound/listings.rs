//! What the bot has shown, for the replies and the reactions to it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};
use tracing::error;

use super::{
    list,
    list::Wanted,
    subject::{self, Named, Rowless},
    understand,
    understand::Parsed,
};
use crate::{
    clock::SharedClock,
    reply::{Asked, Block, IdsOf, Line, Made, Reply, Status},
    store::{self, Shelf, Store},
};

/// How long what was shown can be replied to, turned and picked from. Who is in it may be another by
/// then.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How many that turn a listing may wait for their turn.
const WAITING: usize = 20;

/// What the bot has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Shown {
    at: Timestamp,
    /// The ids of what it lists, or of the one thing that it is about.
    pub(in crate::pipeline) ids: Vec<String>,
    /// What they are the ids of; earlier versions did not say.
    #[serde(default)]
    pub(in crate::pipeline) of: Option<IdsOf>,
    /// The accounts that what it lists accuses of something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accused: Vec<String>,
    /// Whether it lists a group of new accounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    of_wave: bool,
    /// Whether it is about one thing, and no list.
    #[serde(default)]
    card: bool,
    /// With what it was asked, where its asker can turn it or pick from it.
    #[serde(default)]
    pub(in crate::pipeline) asked: Option<Asked>,
    /// Whether another page can stand in its place: it is one message, and small enough for an edit.
    #[serde(default)]
    pub(in crate::pipeline) in_place: bool,
    /// The change that it tells of, where that can be taken back.
    #[serde(default)]
    pub(in crate::pipeline) made: Option<Made>,
}

/// What a command takes from what it replies to.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Taken {
    /// Whether it takes anything.
    pub(in crate::pipeline) any: bool,
    /// That there is more than it takes, where there is.
    pub(in crate::pipeline) beyond: Option<Line>,
}

/// What the bot has shown, by its event.
#[derive(Debug)]
pub(in crate::pipeline) struct Listings {
    clock: SharedClock,
    shelf: Shelf<Shown>,
    turn: Arc<Mutex<()>>,
    waiting: Semaphore,
}

impl Listings {
    /// The listings that `store` knows of.
    pub(in crate::pipeline) fn new(
        store: &Store,
        clock: SharedClock,
    ) -> Result<Self, store::Error> {
        let (turn, waiting) = (Arc::default(), Semaphore::new(WAITING));
        Ok(Self { clock, shelf: store.shelf("listings")?, turn, waiting })
    }

    /// Remembers what an answer shows. `in_place` says whether another page can stand in its place.
    pub(in crate::pipeline) fn remember(&self, event: &EventId, reply: &Reply, in_place: bool) {
        if reply.ids.is_empty() && reply.asked.is_none() && reply.made.is_none() {
            return;
        }
        let shown = Shown {
            at: self.clock.now(),
            ids: reply.ids.clone(),
            of: reply.ids_of,
            accused: reply.accused.clone(),
            of_wave: reply.of_wave,
            card: !reply.blocks.iter().any(|block| matches!(block, Block::Records(_))),
            asked: reply.asked.as_deref().cloned(),
            in_place,
            made: reply.made.clone(),
        };
        self.keep(event, &shown);
    }

    /// What stands in this message of the bot's, where that was shown of late.
    pub(in crate::pipeline) fn get(&self, event: &EventId) -> Option<Shown> {
        let shown = self.shelf.get(event.as_str()).unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "listings cannot be read");
            None
        });
        shown.filter(|shown| !self.is_old(shown))
    }

    /// The listing that somebody has asked for, or turned, last in a room, where its pages can be turned
    /// and that was of late.
    pub(in crate::pipeline) fn last(
        &self,
        room: &RoomId,
        by: &UserId,
    ) -> Result<Option<(OwnedEventId, Shown, Asked)>, store::Error> {
        let listings = self.shelf.all()?.into_iter().filter_map(|(event, shown)| {
            let asked = shown.asked.clone().filter(|asked| asked.room == room && asked.by == by)?;
            let event = OwnedEventId::try_from(event).ok()?;
            (!self.is_old(&shown)).then_some((event, shown, asked))
        });
        Ok(listings.max_by_key(|(_, shown, _)| shown.at))
    }

    /// What stands in a row, counted from 1, of the listing that somebody has asked for, or turned, last in
    /// a room within the last ten minutes.
    pub(in crate::pipeline) fn row(
        &self,
        room: &RoomId,
        by: &UserId,
        number: usize,
    ) -> Result<Named, Rowless> {
        let last = self.last(room, by).unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "listings cannot be read");
            None
        });
        let now = self.clock.now();
        let late = last.filter(|(_, shown, _)| now.duration_since(shown.at) <= subject::REMEMBERED);
        let (_, shown, asked) = late.ok_or(Rowless::NoList)?;
        let of = shown.of.filter(|_| asked.rows > 0).ok_or(Rowless::NoList)?;
        let id = number.checked_sub(1).filter(|at| *at < asked.rows);
        let id = id.and_then(|at| shown.ids.get(at)).ok_or(Rowless::Only(asked.rows))?;
        Ok(Named { of, id: id.clone() })
    }

    /// Lets nobody turn or pick from what stands in this message any more.
    pub(in crate::pipeline) fn retire(&self, event: &EventId) {
        if let Some(shown) = self.get(event) {
            self.keep(event, &Shown { asked: None, ..shown });
        }
    }

    /// Takes these accounts out of the groups of new accounts that were shown: a reply to one is not about
    /// them any more.
    pub(in crate::pipeline) fn take_out_of_waves(
        &self,
        users: &[OwnedUserId],
    ) -> Result<(), store::Error> {
        for (event, mut shown) in self.shelf.all()? {
            let before = shown.ids.len();
            shown.ids.retain(|id| !users.iter().any(|user| user.as_str() == id));
            if shown.of_wave && shown.ids.len() < before {
                self.shelf.put(&event, &shown)?;
            }
        }
        Ok(())
    }

    /// The turn of one who turns a listing; `None` where too many wait. Whoever can react in an
    /// operator's name must not have the bot look as often as they react, all at once.
    pub(in crate::pipeline) async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        let _place = self.waiting.try_acquire().ok()?;
        Some(self.turn.clone().lock_owned().await)
    }

    /// Puts what a message lists behind the words of a command that replies to it and lacks just
    /// that. Whoever keeps the homeserver can move a reply, so that what it is about must be asked.
    /// An answer instead where the command is about something else.
    pub(in crate::pipeline) fn takes(
        &self,
        words: &mut Vec<String>,
        parsed: &Parsed,
        reply_to: Option<&OwnedEventId>,
    ) -> Result<Taken, Box<Reply>> {
        let shown = reply_to.and_then(|event| self.get(event));
        let Some(mut shown) = shown.filter(|shown| !shown.ids.is_empty()) else {
            return Ok(Taken::default());
        };
        let of = shown.of.or_else(|| IdsOf::of(&shown.ids));
        let wanted = Wanted::of(words, parsed);
        // Of reports those are meant whom they accuse, and never who has reported them.
        let of_accused = wanted.fits(IdsOf::Accounts) && !shown.accused.is_empty();
        let (of, shown) = match of {
            Some(IdsOf::EventReports | IdsOf::AccountReports) if of_accused => {
                let ids = std::mem::take(&mut shown.accused);
                (Some(IdsOf::Accounts), Shown { ids, ..shown })
            }
            of => (of, shown),
        };
        if let Some(why) = wanted.unfit(of, shown.card) {
            return Err(Box::new(Reply::outcome(Status::NotUnderstood, why)));
        }
        if of == Some(IdsOf::AccountReports) && !wanted.account_reports {
            words.push("--users".to_owned());
        }
        if let [first, _, ..] = shown.ids.as_slice()
            && understand::looks(words, first)
        {
            let many = shown.ids.len();
            return Err(Box::new(Reply::outcome(
                Status::NotUnderstood,
                format!("that list holds {many}, and this looks at one; type which"),
            )));
        }
        let beyond = if of_accused { Some(accused(&shown)) } else { beyond(&shown) };
        list::append(words, shown.ids);
        Ok(Taken { any: true, beyond })
    }

    /// Forgets what is too old to be replied to; what of it could be turned until now.
    pub(in crate::pipeline) fn forget_old(
        &self,
    ) -> Result<Vec<(OwnedEventId, Asked)>, store::Error> {
        let mut over = Vec::new();
        for (event, shown) in self.shelf.all()? {
            if self.is_old(&shown) {
                self.shelf.remove(&event)?;
                over.extend(OwnedEventId::try_from(event).ok().zip(shown.asked));
            }
        }
        Ok(over)
    }

    fn is_old(&self, shown: &Shown) -> bool {
        self.clock.now().duration_since(shown.at) > REMEMBERED
    }

    fn keep(&self, event: &EventId, shown: &Shown) {
        if let Err(error) = self.shelf.put(event.as_str(), shown) {
            error!(error = &error as &dyn std::error::Error, "a listing cannot be kept");
        }
    }
}

/// Whom a command is about that replies to a list of reports.
fn accused(shown: &Shown) -> Line {
    let line = match shown.ids.len() {
        1 => "This is about the accused of these reports, and not about who has reported it."
            .to_owned(),
        n => format!(
            "This is about the {n} accused of these reports, and not about who has reported them."
        ),
    };
    Line::from(line)
}

/// That a listing has more than it shows, where it has.
fn beyond(shown: &Shown) -> Option<Line> {
    let count = shown.ids.len();
    let elsewhere = shown.asked.as_ref()?.elsewhere(count);
    let more = match elsewhere {
        Some(0) => return None,
        Some(more) => format!("{more} more"),
        None => "more".to_owned(),
    };
    let line = format!("This is about the {count} that were shown; the listing has {more}.");
    Some(Line::from(line))
}

#[cfg(test)]
mod tests {
    use ruma::{event_id, owned_room_id, owned_user_id, room_id, user_id};

    use super::*;
    use crate::pipeline::testing::Stage;

    #[tokio::test]
    async fn a_list_is_turned_in_its_room_by_its_asker_for_a_day() {
        let stage = Stage::set("http://127.0.0.1:1", "token");
        let listings = &stage.pipeline.listings;
        let (ann, room) = (owned_user_id!("@ann:synod.test"), owned_room_id!("!admin:synod.test"));
        let words = ["user".to_owned(), "list".to_owned()];
        let mut asked = Asked::new(ann.clone(), room.clone(), &words, Some("2".to_owned()));
        asked.total = Some(7);
        let ids = vec!["@a:synod.test".to_owned(), "@b:synod.test".to_owned()];
        let boxed = Some(Box::new(asked.clone()));
        let reply = Reply { asked: boxed, ids, ids_of: Some(IdsOf::Accounts), ..Reply::data("7") };
        let page = event_id!("$page");
        listings.remember(page, &reply, true);
        let last = |room: &RoomId, by: &UserId| listings.last(room, by).unwrap();
        assert_eq!(last(&room, &ann).map(|(event, ..)| event), Some(page.to_owned()));
        assert_eq!(last(room_id!("!other:synod.test"), &ann), None);
        assert_eq!(last(&room, user_id!("@moe:synod.test")), None);
        let mut words = vec!["user".to_owned(), "lock".to_owned()];
        let parsed = understand::parse(&words);
        let taken = listings.takes(&mut words, &parsed, Some(&page.to_owned())).unwrap();
        let beyond = taken.beyond.map(|line| line.text());
        let told = "This is about the 2 that were shown; the listing has 5 more.";
        assert_eq!((taken.any, beyond.as_deref()), (true, Some(told)));
        stage.clock.pass(24 * 60 * 60 + 1);
        assert!(listings.get(page).is_none() && last(&room, &ann).is_none());
        assert_eq!(listings.forget_old().unwrap(), [(page.to_owned(), asked)]);
        assert!(listings.forget_old().unwrap().is_empty());
    }
}
