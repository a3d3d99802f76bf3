//! For how long nothing was heard, over a failing homeserver or a bot that did not run, and what could
//! not be read of what was said meanwhile.

use jiff::{SignedDuration, Timestamp};

use crate::{
    pipeline::{News, Unread, WhyUnread},
    store::{self, Shelf, Store},
};

/// What is shorter than this is told only where a message is lost.
const TOLD: SignedDuration = SignedDuration::from_mins(1);

/// How often it is noted that the homeserver answers: less often than twice in what is told, for after
/// a kill the last note is all that is known.
const NOTED: SignedDuration = SignedDuration::from_secs(10);

const KEY: &str = "sync";

/// Since when nothing was heard, if that is so.
#[derive(Debug)]
pub(super) struct Away {
    /// When the homeserver last answered, as it is noted.
    notes: Shelf<Timestamp>,
    noted: Option<Timestamp>,
    since: Option<Timestamp>,
    /// Whether what is read now was said meanwhile.
    catching_up: bool,
    unread: Vec<Unread>,
}

impl Away {
    /// Away since the end of the run before, if there was one.
    pub(super) fn since_the_last_run(store: &Store) -> Result<Self, store::Error> {
        let notes: Shelf<Timestamp> = store.shelf("heard-at")?;
        let since = notes.get(KEY)?;
        Ok(Self { notes, noted: None, since, catching_up: since.is_some(), unread: Vec::new() })
    }

    /// Nothing is to be told of the time before now.
    pub(super) fn forget(&mut self) {
        self.since = None;
        self.catching_up = false;
    }

    /// The homeserver does not answer.
    pub(super) fn fails(&mut self, now: Timestamp) {
        self.since.get_or_insert(now);
        self.catching_up = true;
    }

    /// Messages that could not be read. They count where they were said while nothing was heard, or
    /// are lost.
    pub(super) fn could_not_read(&mut self, messages: impl IntoIterator<Item = Unread>) {
        let lost = |one: &Unread| one.why == WhyUnread::PlaceLost;
        let catching_up = self.catching_up;
        self.unread.extend(messages.into_iter().filter(|one| catching_up || lost(one)));
    }

    /// The homeserver answered, and `whole` is whether everything was read. What is to be told of the
    /// time before.
    pub(super) fn back(&mut self, now: Timestamp, whole: bool) -> Option<News> {
        if !whole {
            self.fails(now);
            return None;
        }
        self.heard(now);
        self.catching_up = false;
        let away = self.since.take().map(|since| now.duration_since(since));
        let away = away.filter(|away| *away >= TOLD);
        let mut unread = std::mem::take(&mut self.unread);
        if away.is_none() {
            // Each of these is answered by itself when it is given up.
            unread.retain(|one| one.why == WhyUnread::PlaceLost);
        }
        (away.is_some() || !unread.is_empty()).then_some(News::Back { away, unread })
    }

    /// Notes that the homeserver answers, or that the bot has heard all until it stopped.
    pub(super) fn heard(&mut self, now: Timestamp) {
        if self.noted.is_some_and(|noted| now.duration_since(noted) < NOTED) {
            return;
        }
        self.noted = Some(now);
        if let Err(error) = self.notes.put(KEY, &now) {
            tracing::error!(%error, "it is not noted that the homeserver answers");
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn message(why: WhyUnread) -> Unread {
        let (room, sender) = (owned_room_id!("!a:one.example"), owned_user_id!("@a:one.example"));
        Unread { room, sender, sent: at(0), why }
    }

    #[test]
    fn an_outage_of_a_minute_is_told_once_with_what_could_not_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), at(0)).unwrap().store;
        let mut away = Away::since_the_last_run(&store).unwrap();
        assert_eq!(away.back(at(0), true), None, "the first start of all");
        away.could_not_read([message(WhyUnread::NotDecrypted)]);
        assert_eq!(away.back(at(30), true), None, "no outage");

        away.fails(at(40));
        away.fails(at(70));
        assert_eq!(away.back(at(80), true), None, "too short");
        away.fails(at(100));
        away.could_not_read([message(WhyUnread::NotDecrypted)]);
        assert_eq!(away.back(at(150), false), None, "not everything is read");
        let news = News::Back {
            away: Some(SignedDuration::from_secs(240)),
            unread: vec![message(WhyUnread::NotDecrypted)],
        };
        assert_eq!(away.back(at(340), true), Some(news));
        assert_eq!(away.back(at(341), true), None, "told once");

        away.could_not_read([message(WhyUnread::PlaceLost)]);
        let news = News::Back { away: None, unread: vec![message(WhyUnread::PlaceLost)] };
        assert_eq!(away.back(at(342), true), Some(news), "lost, without an outage");
    }

    #[test]
    fn a_bot_that_did_not_run_was_away_since_it_last_heard() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), at(0)).unwrap().store;
        Away::since_the_last_run(&store).unwrap().heard(at(1000));
        let mut away = Away::since_the_last_run(&store).unwrap();
        let news = News::Back { away: Some(SignedDuration::from_secs(600)), unread: Vec::new() };
        assert_eq!(away.back(at(1600), true), Some(news));
        let mut away = Away::since_the_last_run(&store).unwrap();
        away.forget();
        assert_eq!(away.back(at(9000), true), None);
    }
}
