//! What a command is about by its words, and the dot that stands for what was named or listed last.
//!
//! A lone `.` in the place of an account, a room and so on stands for the one thing that the same
//! person's last command named, or that they picked, in that room, for ten minutes. `.3` stands for the
//! third row of the list that they asked for, or turned, last in that room, as long. A pick is a
//! reaction, which is in clear, and an old look can be sent again: so a change by a dot is always asked
//! first, with the whole id, and takes the code.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::understand::subjects;
use crate::reply::{IdsOf, Line, Reply, Status};

/// How long a dot stands for what was named.
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);

/// What is typed in the place of what was named last.
const DOT: &str = ".";

/// The number of the row that `.3` stands for.
fn row_of(word: &str) -> Option<usize> {
    let digits = word.strip_prefix(DOT)?;
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// Whether a word stands for something that was named or listed.
fn stands_for(word: &str) -> bool {
    word == DOT || row_of(word).is_some()
}

/// Something that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Named {
    /// What it is.
    pub(in crate::pipeline) of: IdsOf,
    /// Its id, as it was typed or shown.
    pub(in crate::pipeline) id: String,
}

/// What these words are about, where that is one thing.
pub(in crate::pipeline) fn one_named(words: &[String]) -> Option<Named> {
    match subjects(words).as_slice() {
        [(at, of)] => {
            let id = words.get(*at)?.clone();
            // What begins like an option is typed where it is meant.
            (!id.starts_with('-') && !stands_for(&id)).then_some(Named { of: *of, id })
        }
        _ => None,
    }
}

/// What each person has named last in each room. In memory only: it is forgotten after minutes.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct LastNamed(Mutex<HashMap<(OwnedRoomId, OwnedUserId), Last>>);

#[derive(Debug)]
struct Last {
    at: Timestamp,
    named: Named,
}

impl LastNamed {
    /// Somebody has named this.
    pub(in crate::pipeline) fn note(
        &self,
        room: &RoomId,
        by: &UserId,
        named: Named,
        at: Timestamp,
    ) {
        // Nothing is left half done in it.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, last| is_recent(last, at));
        all.insert((room.to_owned(), by.to_owned()), Last { at, named });
    }

    fn of(&self, room: &RoomId, by: &UserId, now: Timestamp) -> Option<Named> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = all.get(&(room.to_owned(), by.to_owned()))?;
        is_recent(last, now).then(|| last.named.clone())
    }

    /// Puts what somebody has named last in the place of each dot that stands for something, and a row of
    /// their last list in the place of a dot with its number; whether there was one. An answer instead
    /// where nothing was named or listed, or something else than what is wanted. In the thread of a case a
    /// dot stands for what that is about.
    pub(in crate::pipeline) fn stand_in(
        &self,
        words: &mut [String],
        (room, by): (&RoomId, &UserId),
        now: Timestamp,
        row: impl Fn(usize) -> Result<Named, Rowless>,
        in_thread: impl Fn(IdsOf) -> Option<Named>,
    ) -> Result<bool, Box<Reply>> {
        let mut any = false;
        for (at, of) in subjects(words) {
            let Some(word) = words.get_mut(at).filter(|word| stands_for(word)) else {
                continue;
            };
            let named = if let Some(number) = row_of(word) {
                row(number).map_err(|why| why.told(word, of))
            } else {
                let named = in_thread(of).or_else(|| self.of(room, by, now));
                named.ok_or_else(|| nothing_named(of))
            };
            let named = named.map_err(Box::new)?;
            if named.of != of {
                return Err(Box::new(unfit(word, &named, of)));
            }
            *word = named.id;
            any = true;
        }
        Ok(any)
    }
}

fn is_recent(last: &Last, now: Timestamp) -> bool {
    now.duration_since(last.at) <= REMEMBERED
}

fn nothing_named(wanted: IdsOf) -> Reply {
    Reply::outcome(
        Status::NotUnderstood,
        Line::new().code(DOT).plain(format!(
            " stands for what you named or picked in this room within the last ten minutes, and that is \
             nothing; type the id of {} instead",
            wanted.one()
        )),
    )
}

fn unfit(word: &str, named: &Named, wanted: IdsOf) -> Reply {
    let line = Line::new().code(word).plain(" stands for ").code(&named.id);
    let line = line.plain(format!(" now, {}, and this needs {}", named.of.one(), wanted.one()));
    Reply::outcome(Status::NotUnderstood, line.plain("; type its id"))
}

/// Why no row of a list has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Rowless {
    /// There is no list of late with rows that have numbers.
    NoList,
    /// The list has only so many.
    Only(usize),
}

impl Rowless {
    fn told(self, word: &str, wanted: IdsOf) -> Reply {
        let line = Line::new().code(word);
        let line = match self {
            Self::NoList => line.plain(
                " stands for a row of the list that you asked for in this room within the last ten \
                 minutes, and there is none",
            ),
            Self::Only(rows) => {
                line.plain(format!(" is no row of your last list in this room, which has {rows}"))
            }
        };
        let line = line.plain(format!("; type the id of {} instead", wanted.one()));
        Reply::outcome(Status::NotUnderstood, line)
    }
}

#[cfg(test)]
mod tests {
    use ruma::{room_id, user_id};

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_a_command_is_about_is_known_by_the_place_of_its_words() {
        for (line, named) in [
            ("user details @eve:x.test", Some((IdsOf::Accounts, "@eve:x.test"))),
            ("user suspend --reason . eve", Some((IdsOf::Accounts, "eve"))),
            ("user suspend eve --reason=spam --for 3d", Some((IdsOf::Accounts, "eve"))),
            ("user suspend -- @eve:x.test", Some((IdsOf::Accounts, "@eve:x.test"))),
            ("user suspend @eve:x.test @sam:x.test", None),
            ("user list -n eve", None),
            ("room details !r:x.test", Some((IdsOf::Rooms, "!r:x.test"))),
            ("room join !r:x.test @eve:x.test", None),
            ("media quarantine mxc://x.test/a", Some((IdsOf::Files, "mxc://x.test/a"))),
            ("report details 7", Some((IdsOf::EventReports, "7"))),
            ("report details 7 --users", Some((IdsOf::AccountReports, "7"))),
            ("federation details y.test", Some((IdsOf::Servers, "y.test"))),
            ("regtok details welcome", Some((IdsOf::Tokens, "welcome"))),
            ("user ratelimit set eve --messages-per-second 1", Some((IdsOf::Accounts, "eve"))),
            ("media quarantine --user-id eve", Some((IdsOf::Accounts, "eve"))),
            ("media list -u eve", Some((IdsOf::Accounts, "eve"))),
            ("media quarantine -r !r:x.test", Some((IdsOf::Rooms, "!r:x.test"))),
            ("media quarantine $event", Some((IdsOf::Files, "$event"))),
            ("room kick !r:x.test eve --as-user sam", None),
            ("note @eve:x.test spam", None),
            ("undo 7", None),
            ("user details -- -eve", None),
        ] {
            let named = named.map(|(of, id)| Named { of, id: id.to_owned() });
            assert_eq!(one_named(&words(line)), named, "{line}");
        }
    }

    #[test]
    fn a_dot_stands_for_what_the_same_person_named_there_of_late_and_for_nothing_else() {
        let (last, now) = (LastNamed::default(), Timestamp::UNIX_EPOCH);
        let (here, there) = (room_id!("!a:x.test"), room_id!("!b:x.test"));
        let (ann, moe) = (user_id!("@ann:x.test"), user_id!("@moe:x.test"));
        let eve = Named { of: IdsOf::Accounts, id: "@eve:x.test".to_owned() };
        last.note(here, ann, eve, now);
        let with = |line: &str, room: &RoomId, by: &UserId, after: i64| {
            let mut words = words(line);
            let at = now + SignedDuration::from_secs(after);
            let row = |number| match number {
                1 => Ok(Named { of: IdsOf::Accounts, id: "@raid-1:x.test".to_owned() }),
                2 => Ok(Named { of: IdsOf::Accounts, id: "@raid-2:x.test".to_owned() }),
                _ if here == room => Err(Rowless::Only(2)),
                _ => Err(Rowless::NoList),
            };
            let stood_in = last.stand_in(&mut words, (room, by), at, row, |_| None);
            stood_in.map(|any| (any, words.join(" "))).map_err(|reply| reply.title.text())
        };
        let done = |line: &str| Ok((true, line.to_owned()));
        assert_eq!(with("user suspend .", here, ann, 600), done("user suspend @eve:x.test"));
        assert_eq!(
            with("user suspend --reason . .", here, ann, 0),
            done("user suspend --reason . @eve:x.test"),
            "in a reason it is a dot"
        );
        let none = with("user suspend sam --reason .", here, ann, 0);
        assert_eq!(none, Ok((false, "user suspend sam --reason .".to_owned())));
        for (room, by, after) in [(there, ann, 0), (here, moe, 0), (here, ann, 601)] {
            let told = with("user suspend .", room, by, after).unwrap_err();
            assert!(told.contains("within the last ten minutes"), "{told}");
        }
        assert_eq!(
            with("user suspend .2 .1 . --reason .1", here, ann, 0),
            done("user suspend @raid-2:x.test @raid-1:x.test @eve:x.test --reason .1")
        );
        let told = with("user suspend .3", here, ann, 0).unwrap_err();
        assert!(
            told.contains(".3 is no row of your last list in this room, which has 2"),
            "{told}"
        );
        let told = with("user suspend .3", there, ann, 0).unwrap_err();
        assert!(told.contains("and there is none; type the id of an account"), "{told}");
        let told = with("room block .1", here, ann, 0).unwrap_err();
        assert!(told.contains(".1 stands for @raid-1:x.test now, an account"), "{told}");
        for plain in ["user suspend .0", "user suspend .1a", "user suspend ..", "user suspend .-1"]
        {
            assert_eq!(with(plain, here, ann, 0), Ok((false, plain.to_owned())));
        }
        let told = with("room block .", here, ann, 0).unwrap_err();
        assert!(told.contains("@eve:x.test now, an account, and this needs a room"), "{told}");
    }
}
