//! What a command is about by its words, and the dot that stands for what was named last.
//!
//! A lone `.` in the place of an account, a room and so on stands for the one thing that the same
//! person's last command named, or that they picked, in that room, for ten minutes. A pick is a reaction,
//! which is in clear, and an old look can be sent again: so a change by a dot is always asked first,
//! with the whole id, and takes the code.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::understand::subjects;
use crate::reply::{IdsOf, Line, Reply, Status};

/// How long a dot stands for what was named.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);

/// What is typed in the place of what was named last.
const DOT: &str = ".";

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
            (!id.starts_with('-') && id != DOT).then_some(Named { of: *of, id })
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

    /// Puts what somebody has named last in the place of each dot that stands for something; whether there
    /// was one. An answer instead where nothing was named, or something else than what is wanted.
    pub(in crate::pipeline) fn stand_in(
        &self,
        words: &mut [String],
        (room, by): (&RoomId, &UserId),
        now: Timestamp,
    ) -> Result<bool, Box<Reply>> {
        let mut any = false;
        for (at, of) in subjects(words) {
            let Some(word) = words.get_mut(at).filter(|word| word.as_str() == DOT) else {
                continue;
            };
            let named = self.of(room, by, now);
            let named = named.ok_or_else(|| Box::new(nothing_named(of)))?;
            if named.of != of {
                return Err(Box::new(unfit(&named, of)));
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

fn unfit(named: &Named, wanted: IdsOf) -> Reply {
    let line = Line::new().code(DOT).plain(" stands for ").code(&named.id);
    let line = line.plain(format!(" now, {}, and this needs {}", named.of.one(), wanted.one()));
    Reply::outcome(Status::NotUnderstood, line.plain("; type its id"))
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
            let stood_in = last.stand_in(&mut words, (room, by), at);
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
        let told = with("room block .", here, ann, 0).unwrap_err();
        assert!(told.contains("@eve:x.test now, an account, and this needs a room"), "{told}");
    }
}
