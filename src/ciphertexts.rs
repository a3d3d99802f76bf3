//! Which ciphertexts have been used.
//!
//! A ciphertext is known by its place: the Megolm session and the index in it. A server can send it
//! again at any time, under another event id or the same one and with whatever time it likes, and
//! the SDK decrypts it for as long as it has the session, which is for ever. So no place is ever
//! forgotten; instead each session has one record with the ranges of the places that were used.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedEventId;
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// How long the event that used a place may come to it again: while the bot is about it. Far
/// shorter than the journal remembers the event, so that none can run when the journal has
/// forgotten it.
const SAME: SignedDuration = SignedDuration::from_hours(1);

/// So many events are remembered with their places, of each session.
const RECENT: usize = 64;

/// Above this many ranges the oldest two become one: what lies between them counts as used. No
/// client leaves that many places out.
const RANGES: usize = 2_000;

/// Where a ciphertext stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The Megolm session.
    pub session: &'a str,
    /// The message index in it.
    pub index: u32,
}

/// The places of one session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Used {
    /// From the first to the last of each range, in their order, none next to another.
    ranges: Vec<(u32, u32)>,
    /// The events that used places lately.
    recent: Vec<(u32, OwnedEventId, Timestamp)>,
}

/// The file that an event holds, which several commands may be about.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OfFile {
    event: OwnedEventId,
    first: Timestamp,
}

/// The ciphertexts that have been used.
#[derive(Debug, Clone)]
pub struct Ciphertexts {
    sessions: Shelf<Used>,
    /// Files that commands were about, by their places.
    files: Shelf<OfFile>,
}

impl Ciphertexts {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        let ciphertexts = Self {
            sessions: store.shelf("ratchet-sessions")?,
            files: store.shelf("ratchet-files")?,
        };
        ciphertexts.take_over(&store.shelf("ratchet")?)?;
        Ok(ciphertexts)
    }

    /// Stores of before had one record for each place. Cut off in the middle, it is done again.
    fn take_over(&self, before: &Shelf<OwnedEventId>) -> Result<(), store::Error> {
        let mut sessions: BTreeMap<String, Vec<(String, u32)>> = BTreeMap::new();
        for (key, _) in before.all()? {
            let Some((session, index)) = key.rsplit_once(':') else { continue };
            let Ok(index) = u32::from_str_radix(index, 16) else { continue };
            sessions.entry(session.to_owned()).or_default().push((key.clone(), index));
        }
        for (session, places) in sessions {
            let mut used = self.sessions.get(&session)?.unwrap_or_default();
            for (_, index) in &places {
                used.add(*index);
            }
            self.sessions.put(&session, &used)?;
            // Only now: what is written later reaches the disk later.
            for (key, _) in &places {
                before.remove(key)?;
            }
        }
        Ok(())
    }

    /// Notes that `event` uses a place; false if that was used before, by another event, or by this
    /// one long ago.
    pub fn first_use(
        &self,
        place: Place<'_>,
        event: &OwnedEventId,
        now: Timestamp,
    ) -> Result<bool, store::Error> {
        let Place { session, index } = place;
        loop {
            let before = self.sessions.get(session)?;
            let mut used = before.clone().unwrap_or_default();
            if !used.add(index) {
                return Ok(used.is_same(index, event, now));
            }
            used.remember(index, event, now);
            let kept = match before {
                Some(before) => self.sessions.swap(session, &before, &used)?,
                None => self.sessions.put_new(session, &used)?,
            };
            // Where another task was quicker, look again.
            if kept {
                return Ok(true);
            }
        }
    }

    /// Whether a place comes after the one that `event` has used lately, in the same session; false where
    /// that is not known.
    pub fn is_after(&self, place: Place<'_>, event: &OwnedEventId) -> Result<bool, store::Error> {
        let used = self.sessions.get(place.session)?.unwrap_or_default();
        let mut recent = used.recent.iter();
        Ok(recent.any(|(index, by, _)| by == event && *index < place.index))
    }

    /// The same for the file that `event` holds, to which any number of commands may reply while it
    /// is [remembered](Self::forget_files_before): false if another event was at this place before.
    pub fn first_use_by_file(
        &self,
        place: Place<'_>,
        event: &OwnedEventId,
        now: Timestamp,
    ) -> Result<bool, store::Error> {
        let key = format!("{}:{:08x}", place.session, place.index);
        if let Some(file) = self.files.get(&key)? {
            return Ok(file.event == *event);
        }
        if !self.first_use(place, event, now)? {
            return Ok(false);
        }
        self.files.put_new(&key, &OfFile { event: event.clone(), first: now })?;
        Ok(true)
    }

    /// Forgets which files commands were about that were first used before `limit`. Their places
    /// stay used, so that nothing is taken from them any more.
    pub fn forget_files_before(&self, limit: Timestamp) -> Result<(), store::Error> {
        for (place, file) in self.files.all()? {
            if file.first < limit {
                self.files.remove(&place)?;
            }
        }
        Ok(())
    }
}

impl Used {
    /// Adds a place; false if it is in a range already.
    fn add(&mut self, index: u32) -> bool {
        // The first range that does not end before it.
        let at = self.ranges.partition_point(|&(_, last)| last < index);
        if self.ranges.get(at).is_some_and(|&(first, _)| first <= index) {
            return false;
        }
        self.ranges.insert(at, (index, index));
        self.join(at);
        if let Some(before) = at.checked_sub(1) {
            self.join(before);
        }
        if self.ranges.len() > RANGES {
            let (_, last) = self.ranges.remove(1);
            self.ranges[0].1 = last;
        }
        true
    }

    /// Makes this range and the next one, where it follows without a gap.
    fn join(&mut self, at: usize) {
        let (Some(&(first, end)), Some(&(begin, last))) =
            (self.ranges.get(at), self.ranges.get(at + 1))
        else {
            return;
        };
        if end.checked_add(1) == Some(begin) {
            self.ranges[at] = (first, last);
            self.ranges.remove(at + 1);
        }
    }

    fn remember(&mut self, index: u32, event: &OwnedEventId, now: Timestamp) {
        self.recent.retain(|(_, _, at)| now.duration_since(*at) <= SAME);
        self.recent.push((index, event.clone(), now));
        let over = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..over);
    }

    fn is_same(&self, index: u32, event: &OwnedEventId, now: Timestamp) -> bool {
        self.recent
            .iter()
            .any(|(used, by, at)| *used == index && by == event && now.duration_since(*at) <= SAME)
    }
}

#[cfg(test)]
mod tests {
    use ruma::{EventId, owned_event_id};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), NOW).unwrap().store;
        (dir, store)
    }

    fn at(session: &str, index: u32) -> Place<'_> {
        Place { session, index }
    }

    fn event(number: u32) -> OwnedEventId {
        EventId::parse(format!("${number}")).unwrap()
    }

    #[test]
    fn many_places_of_a_session_are_one_small_record_and_each_stays_used() {
        let (_dir, store) = open();
        let used = Ciphertexts::new(&store).unwrap();
        // In an order like that of messages that overtake each other.
        for index in (0..5_000_u32).map(|index| index ^ 1) {
            assert!(used.first_use(at("one", index), &event(index), NOW).unwrap());
        }
        for index in (0..5_000).step_by(7) {
            assert!(!used.first_use(at("one", index), &owned_event_id!("$copy"), NOW).unwrap());
        }
        assert!(used.first_use(at("other", 3), &event(3), NOW).unwrap(), "another session");
        let kept = used.sessions.all().unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0].1.ranges, [(0, 4_999)]);
        assert!(serde_json::to_vec(&kept[0].1).unwrap().len() < 8 << 10);
    }

    #[test]
    fn places_far_apart_stay_used_and_do_not_grow_without_end() {
        let (_dir, store) = open();
        let used = Ciphertexts::new(&store).unwrap();
        for index in (0..3 * 2_100).step_by(3) {
            assert!(used.first_use(at("one", index), &event(index), NOW).unwrap());
        }
        let kept = used.sessions.all().unwrap();
        assert_eq!(kept[0].1.ranges.len(), RANGES);
        for index in (0..3 * 2_100).step_by(3) {
            assert!(!used.first_use(at("one", index), &owned_event_id!("$copy"), NOW).unwrap());
        }
        assert!(used.first_use(at("one", u32::MAX), &event(1), NOW).unwrap());
        assert!(!used.first_use(at("one", u32::MAX), &event(2), NOW).unwrap());
    }

    #[test]
    fn an_event_comes_to_its_own_place_again_for_a_short_time_only() {
        let (_dir, store) = open();
        let used = Ciphertexts::new(&store).unwrap();
        assert!(used.first_use(at("one", 1), &event(1), NOW).unwrap());
        assert!(used.first_use(at("one", 1), &event(1), NOW + SAME).unwrap());
        let late = NOW + SAME + SignedDuration::from_secs(1);
        assert!(!used.first_use(at("one", 1), &event(1), late).unwrap());
    }

    #[test]
    fn a_file_is_replied_to_again_and_again_and_its_copy_never() {
        let (_dir, store) = open();
        let used = Ciphertexts::new(&store).unwrap();
        let (file, copy) = (event(1), event(2));
        let first = |event: &OwnedEventId, days: i64| {
            let now = NOW + SignedDuration::from_hours(24 * days);
            used.first_use_by_file(at("one", 7), event, now).unwrap()
        };
        assert!(first(&file, 0) && first(&file, 3));
        assert!(!first(&copy, 0) && !first(&copy, 3));
        assert!(!used.first_use(at("one", 7), &copy, NOW).unwrap(), "nor as a message");
        used.forget_files_before(NOW + SignedDuration::from_hours(24 * 90)).unwrap();
        assert!(!first(&file, 91) && !first(&copy, 91), "its place stays used");
        // What was a command first is no file a week later.
        assert!(used.first_use(at("one", 8), &file, NOW).unwrap());
        let late = NOW + SignedDuration::from_hours(24 * 7);
        assert!(!used.first_use_by_file(at("one", 8), &file, late).unwrap());
    }

    #[test]
    fn the_places_of_an_earlier_store_are_taken_over() {
        let (_dir, store) = open();
        let before: Shelf<OwnedEventId> = store.shelf("ratchet").unwrap();
        for index in 0..300_u32 {
            before.put(&format!("one:{index:08x}"), &event(index)).unwrap();
            before.put(&format!("other:{:08x}", index * 2), &event(index)).unwrap();
        }
        for _ in 0..2 {
            let used = Ciphertexts::new(&store).unwrap();
            assert!(before.all().unwrap().is_empty());
            assert_eq!(used.sessions.all().unwrap().len(), 2);
            let copy = owned_event_id!("$copy");
            for index in 0..300 {
                assert!(!used.first_use(at("one", index), &copy, NOW).unwrap());
                assert!(!used.first_use(at("other", index * 2), &copy, NOW).unwrap());
            }
        }
        let used = Ciphertexts::new(&store).unwrap();
        assert!(used.first_use(at("other", 1), &owned_event_id!("$new"), NOW).unwrap());
    }
}
