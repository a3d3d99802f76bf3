//! With what a listing was asked, so that its asker can turn its pages and pick from it.

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

/// To which page a listing is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The one before.
    Previous,
    /// The one after.
    Next,
}

impl Turn {
    /// Both, in the order in which they stand under a listing.
    pub const ALL: [Self; 2] = [Self::Previous, Self::Next];

    /// The reaction that turns to it, as clients send it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Previous => "\u{2b05}\u{fe0f}",
            Self::Next => "\u{27a1}\u{fe0f}",
        }
    }
}

/// With what a listing was asked, and what of it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// By whom.
    pub by: OwnedUserId,
    /// In which room.
    pub room: OwnedRoomId,
    /// The words of the command, as they were understood.
    words: Vec<String>,
    /// Where the pages begin that come after the first, as far as they are known.
    begins: Vec<String>,
    /// Which page is shown, counted from 0.
    shown: usize,
    /// How many of its rows are numbered.
    pub rows: usize,
    /// How many there are on all pages, where that is known.
    pub total: Option<u64>,
}

impl Asked {
    /// A listing of which the first page is shown; where the next one begins is `next`.
    pub fn new(by: OwnedUserId, room: OwnedRoomId, words: &[String], next: Option<String>) -> Self {
        let begins = next.into_iter().collect();
        Self { by, room, words: words.to_vec(), begins, shown: 0, rows: 0, total: None }
    }

    /// The same with another page shown, as that was found.
    #[must_use]
    pub fn showing(mut self, page: usize, found: Option<&Self>, next: Option<String>) -> Self {
        self.begins.truncate(page);
        self.begins.extend(next);
        self.shown = page;
        self.rows = found.map_or(0, |found| found.rows);
        self.total = found.and_then(|found| found.total).or(self.total);
        self
    }

    /// The number of the page that is turned to, where there is such a page.
    pub fn turned(&self, turn: Turn) -> Option<usize> {
        match turn {
            Turn::Previous => self.shown.checked_sub(1),
            Turn::Next => (self.begins.len() > self.shown).then_some(self.shown + 1),
        }
    }

    /// The words of the command that shows a page.
    pub fn words_of(&self, page: usize) -> Vec<String> {
        let begin = page.checked_sub(1).and_then(|before| self.begins.get(before));
        begin.map_or_else(|| self.words.clone(), |begin| from_place(&self.words, begin))
    }

    /// How many of them come on other pages than the one that shows `shown` of them; `None` where that
    /// is not known, although there are some.
    pub fn elsewhere(&self, shown: usize) -> Option<u64> {
        match self.total {
            Some(total) => Some(total.saturating_sub(shown as u64)),
            None if Turn::ALL.iter().all(|turn| self.turned(*turn).is_none()) => Some(0),
            None => None,
        }
    }
}

/// The same command from another place on. Of several places the last counts, so that the one that
/// an earlier page was asked with needs no looking for, unless it is this one's.
pub fn from_place(words: &[String], begin: &str) -> Vec<String> {
    let (words, rest) = match words.iter().position(|word| word == "--") {
        Some(at) => words.split_at(at),
        None => (words, [].as_slice()),
    };
    let words = match words {
        [before @ .., option, _] if option == "--from" => before,
        words => words,
    };
    let words = words.iter().map(String::as_str).chain(["--from", begin]);
    words.map(str::to_owned).chain(rest.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_next_page_is_the_same_command_from_another_place_on() {
        let again = from_place(&words("user list -f 5 -d"), "105");
        assert_eq!(again, words("user list -f 5 -d --from 105"));
        assert_eq!(from_place(&again, "205"), words("user list -f 5 -d --from 205"));
        // What stands behind the hyphens is no option, and stays the last.
        let media = from_place(&words("user media -- @eve:x.test"), "20");
        assert_eq!(media, words("user media --from 20 -- @eve:x.test"));
        assert_eq!(from_place(&media, "40"), words("user media --from 40 -- @eve:x.test"));
    }

    #[test]
    fn a_listing_is_turned_there_and_back_and_no_further_than_it_goes() {
        let (ann, room) = (owned_user_id!("@ann:x.test"), owned_room_id!("!r:x.test"));
        let first = Asked::new(ann, room, &words("user list -f 5"), Some("25".to_owned()));
        assert_eq!((first.turned(Turn::Previous), first.turned(Turn::Next)), (None, Some(1)));
        assert_eq!(first.words_of(1), words("user list -f 5 --from 25"));
        let second = first.clone().showing(1, None, Some("45".to_owned()));
        assert_eq!((second.turned(Turn::Previous), second.turned(Turn::Next)), (Some(0), Some(2)));
        let last = second.showing(2, None, None);
        assert_eq!((last.turned(Turn::Previous), last.turned(Turn::Next)), (Some(1), None));
        assert_eq!(last.words_of(1), words("user list -f 5 --from 25"));
        assert_eq!(last.words_of(0), words("user list -f 5"));
        let back = last.showing(0, None, Some("25".to_owned()));
        assert_eq!(back, first);
    }
}
