//! Which questions a bare yes may be to: those since which nobody has said anything else.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ruma::{OwnedRoomId, RoomId};

/// The codes of the questions of each room that were the last word there. In memory only: after a
/// restart a bare yes does not say enough.
#[derive(Debug, Default)]
pub(super) struct LastWord(Mutex<HashMap<OwnedRoomId, Vec<String>>>);

impl LastWord {
    /// A question is put.
    pub(super) fn question_put(&self, room: &RoomId, code: &str) {
        self.rooms().entry(room.to_owned()).or_default().push(code.to_owned());
    }

    /// Somebody says something that answers no question: what is said after it may be about that.
    pub(super) fn said(&self, room: &RoomId) {
        self.rooms().remove(room);
    }

    /// What a bare yes may be to just now.
    pub(super) fn questions(&self, room: &RoomId) -> Vec<String> {
        self.rooms().get(room).cloned().unwrap_or_default()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<OwnedRoomId, Vec<String>>> {
        // Nothing is left half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ruma::room_id;

    use super::*;

    #[test]
    fn a_word_of_anybody_comes_between_in_its_own_room_only() {
        let (last, here, there) = (LastWord::default(), room_id!("!a:b"), room_id!("!c:d"));
        last.question_put(here, "1234");
        last.question_put(here, "5678");
        last.question_put(there, "9012");
        assert_eq!(last.questions(here), ["1234", "5678"]);
        last.said(here);
        assert!(last.questions(here).is_empty());
        assert_eq!(last.questions(there), ["9012"]);
        last.question_put(here, "3456");
        assert_eq!(last.questions(here), ["3456"]);
    }
}
