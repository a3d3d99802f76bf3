//! Which questions a bare yes may be to: those since which nobody has said anything else.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ruma::{OwnedRoomId, RoomId};

/// The questions of each room that were the last word there. In memory only: after a restart a bare yes
/// does not say enough.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct LastWord(Mutex<HashMap<OwnedRoomId, LastAsked>>);

/// The questions since which nobody in a room has said anything else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct LastAsked {
    /// Their codes, in the order in which they were put.
    pub(in crate::pipeline) codes: Vec<String>,
    /// Whether the bot itself has said something else since the last of them.
    pub(in crate::pipeline) bot_spoke: bool,
}

/// The key under which the question with this code is said.
pub(in crate::pipeline) fn key_of_question(code: &str) -> String {
    format!("ask-{code}")
}

impl LastWord {
    /// A question is put.
    pub(in crate::pipeline) fn question_put(&self, room: &RoomId, code: &str) {
        let mut rooms = self.rooms();
        let last = rooms.entry(room.to_owned()).or_default();
        last.codes.push(code.to_owned());
        last.bot_spoke = false;
    }

    /// Somebody says something that answers no question: what is said after it may be about that.
    pub(in crate::pipeline) fn said(&self, room: &RoomId) {
        self.rooms().remove(room);
    }

    /// The bot says something under this key. It may be one of the questions themselves.
    pub(in crate::pipeline) fn bot_says(&self, room: &RoomId, key: &str) {
        if let Some(last) = self.rooms().get_mut(room)
            && !last.codes.iter().any(|code| key_of_question(code) == key)
        {
            last.bot_spoke = true;
        }
    }

    /// What a bare yes may be to just now.
    pub(in crate::pipeline) fn questions(&self, room: &RoomId) -> LastAsked {
        self.rooms().get(room).cloned().unwrap_or_default()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<OwnedRoomId, LastAsked>> {
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
        assert_eq!(last.questions(here).codes, ["1234", "5678"]);
        last.said(here);
        assert_eq!(last.questions(here), LastAsked::default());
        assert_eq!(last.questions(there).codes, ["9012"]);
        last.question_put(here, "3456");
        assert_eq!(last.questions(here).codes, ["3456"]);
    }

    #[test]
    fn a_word_of_the_bot_is_known_and_a_question_is_none() {
        let (last, here) = (LastWord::default(), room_id!("!a:b"));
        last.bot_says(here, "answer");
        assert_eq!(last.questions(here), LastAsked::default());
        last.question_put(here, "1234");
        last.bot_says(here, &key_of_question("1234"));
        assert!(!last.questions(here).bot_spoke);
        last.bot_says(here, "answer");
        assert!(last.questions(here).bot_spoke);
        last.question_put(here, "5678");
        let asked = LastAsked { codes: vec!["1234".into(), "5678".into()], bot_spoke: false };
        assert_eq!(last.questions(here), asked);
    }
}
