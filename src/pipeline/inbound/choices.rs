//! The commands that were offered under numbers, of which the next message of their asker picks one.
//!
//! A number says little, and may be meant for somebody else. So it counts only where its sender has said
//! nothing since, and for ten minutes; and a change that it picks is asked about with its full id, whatever
//! it costs. In memory only: after a restart a number is talk.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::clock::SharedClock;

/// How long a number picks one.
const WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// What was offered to each operator in each room.
#[derive(Debug)]
pub(in crate::pipeline) struct Choices {
    clock: SharedClock,
    offered: Mutex<HashMap<(OwnedRoomId, OwnedUserId), Offered>>,
}

/// What was offered to one of them there last.
#[derive(Debug, Default)]
struct Offered {
    /// How many messages they have sent there.
    said: u64,
    /// When it was offered, and the commands.
    commands: Option<(Timestamp, Vec<Vec<String>>)>,
}

impl Choices {
    pub(in crate::pipeline) fn new(clock: SharedClock) -> Self {
        Self { clock, offered: Mutex::default() }
    }

    /// Somebody says this; the command that it picks, if it is a number of one. Gives also the turn in
    /// which what is offered to it can be picked: the next one.
    pub(in crate::pipeline) fn said(
        &self,
        room: &RoomId,
        by: &UserId,
        text: &str,
    ) -> (Option<Vec<String>>, u64) {
        let mut all = self.all();
        let offered = all.entry((room.to_owned(), by.to_owned())).or_default();
        offered.said += 1;
        let commands = offered.commands.take();
        let commands = commands.filter(|(at, _)| self.clock.now().duration_since(*at) <= WITHIN);
        let picked = number(text).zip(commands);
        let picked = picked.and_then(|(n, (_, all))| all.into_iter().nth(n.checked_sub(1)?));
        (picked, offered.said)
    }

    /// Offers commands to what was said in this turn, unless they have said something since.
    pub(in crate::pipeline) fn offer(
        &self,
        room: &RoomId,
        by: &UserId,
        turn: u64,
        commands: &[Vec<String>],
    ) {
        let mut all = self.all();
        let Some(offered) = all.get_mut(&(room.to_owned(), by.to_owned())) else { return };
        if offered.said == turn && !commands.is_empty() {
            offered.commands = Some((self.clock.now(), commands.to_vec()));
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(OwnedRoomId, OwnedUserId), Offered>> {
        // Nothing is left half done in it.
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number that a message consists of.
fn number(text: &str) -> Option<usize> {
    let text = text.trim();
    let text = text.strip_suffix(['.', ')']).unwrap_or(text);
    (text.len() == 1).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ruma::{room_id, user_id};

    use super::*;
    use crate::clock::FixedClock;

    fn commands() -> Vec<Vec<String>> {
        ["user suspend", "user lock"]
            .map(|line| line.split(' ').map(str::to_owned).collect())
            .to_vec()
    }

    #[test]
    fn a_number_picks_a_command_that_was_offered_just_before() {
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let choices = Choices::new(clock.clone());
        let (here, there) = (room_id!("!a:b"), room_id!("!c:d"));
        let (ann, moe) = (user_id!("@ann:b"), user_id!("@moe:b"));
        let offer = || {
            let (_, turn) = choices.said(here, ann, "!ban eve");
            choices.offer(here, ann, turn, &commands());
        };
        let picks = |room, by, text| choices.said(room, by, text).0.map(|words| words.join(" "));
        offer();
        assert_eq!(picks(there, ann, "2"), None, "another room");
        assert_eq!(picks(here, moe, "2"), None, "somebody else");
        assert_eq!(picks(here, ann, " 2. ").as_deref(), Some("user lock"));
        assert_eq!(picks(here, ann, "2"), None, "once");
        for none in ["3", "0", "two", "22", "2 of them", "-1", "", "\u{0662}"] {
            offer();
            assert_eq!(picks(here, ann, none), None, "{none}");
            assert_eq!(picks(here, ann, "1"), None, "something was said since: {none}");
        }
        offer();
        clock.pass(WITHIN.as_secs() + 1);
        assert_eq!(picks(here, ann, "1"), None, "too late");
    }

    #[test]
    fn what_is_offered_too_late_is_not_offered() {
        let choices = Choices::new(Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH)));
        let (here, ann) = (room_id!("!a:b"), user_id!("@ann:b"));
        let (_, turn) = choices.said(here, ann, "!ban eve");
        choices.said(here, ann, "how many were they?");
        choices.offer(here, ann, turn, &commands());
        assert_eq!(choices.said(here, ann, "2").0, None);
    }
}
