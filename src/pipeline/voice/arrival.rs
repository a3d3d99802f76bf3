//! What a room is told when the bot comes into it, or is back after an outage.

use jiff::SignedDuration;
use ruma::RoomId;
use tracing::error;

use super::news::Announcements;
use crate::{
    operators::Roster,
    pipeline::{Unread, WhyUnread},
    reply::{Line, Reply, span, utc},
};

/// How many messages that could not be read are named one by one.
const NAMED: usize = 3;

impl Announcements {
    /// Says in a room, once for all time, that the bot is there.
    pub(super) async fn greet(&self, room: &RoomId, operators: Option<usize>) {
        match self.greeted.put_new(room.as_str(), &self.clock.now()) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "a room is not greeted");
                return;
            }
        }
        let reply = greeting(&self.roster, operators);
        self.voice.say_surely(room, None, "greeting", &reply).await;
    }

    /// Tells every room that the bot is back, and which of its messages could not be read.
    pub(super) async fn tell_back(&self, away: Option<SignedDuration>, unread: &[Unread]) {
        for room in &self.roster.rooms {
            let here: Vec<&Unread> = unread.iter().filter(|one| one.room == *room).collect();
            let Some(reply) = back(away, &here) else { continue };
            let transaction_key = format!("back-{}", self.clock.now().as_millisecond());
            self.voice.say_surely(room, None, &transaction_key, &reply).await;
        }
    }
}

/// That the bot is there, what it may do, and for whom.
fn greeting(roster: &Roster, operators: Option<usize>) -> Reply {
    let changes = if roster.read_only {
        " · read-only: I look and plan, and change nothing"
    } else {
        " · I look, and make changes"
    };
    let known = match operators {
        Some(0) => "I know no operator in this room yet".to_owned(),
        Some(1) => "I know 1 operator in this room".to_owned(),
        Some(count) => format!("I know {count} operators in this room"),
        None => "I take commands from the operators of my config".to_owned(),
    };
    Reply::data(Line::from("I am here · ").code(&roster.bot).plain(changes))
        .text(Line::from(known).plain(". Try ").command("!help"))
}

/// That the bot is back, if there is anything to tell.
fn back(away: Option<SignedDuration>, unread: &[&Unread]) -> Option<Reply> {
    let away = away.map(|away| format!("Back after {}", span(away)));
    if unread.is_empty() {
        return away.map(Reply::data);
    }
    let count = match unread.len() {
        1 => "1 message could not be read: ".to_owned(),
        count => format!("{count} messages could not be read: "),
    };
    let mut title = Line::from(away.map_or(String::new(), |away| away + "; ") + count.as_str());
    for (place, one) in unread.iter().take(NAMED).enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        title = title.plain(comma).code(&one.sender).plain(format!(" at {}", utc(one.sent)));
    }
    if let Some(more @ 1..) = unread.len().checked_sub(NAMED) {
        title = title.plain(format!(", and {more} more"));
    }
    let is = |why| unread.iter().any(|one| one.why == why);
    let mut reply = Reply::data(title);
    if is(WhyUnread::NotDecrypted) {
        reply = reply.note(
            "I have no keys for what cannot be decrypted. I try again for 5 minutes, then answer it",
        );
    }
    if is(WhyUnread::PlaceLost) {
        reply = reply.note("What was sent before I was away too long is not run; send it again");
    }
    Some(reply)
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;
    use crate::pipeline::{News, testing::Stage};

    #[tokio::test]
    async fn a_room_is_greeted_once_also_after_a_restart() {
        let mut stage = Stage::set("http://127.0.0.1:9", "token");
        let joined = |served| News::Joined {
            room: owned_room_id!("!admin:synod.test"),
            served,
            operators: Some(2),
        };
        stage.pipeline.announcements.tell(joined(false)).await;
        assert_eq!(stage.heard.all(), Vec::<String>::new(), "no commands are taken there");
        stage.pipeline.announcements.tell(joined(true)).await;
        stage.pipeline.announcements.tell(joined(true)).await;
        stage.start_again().await;
        stage.pipeline.announcements.tell(joined(true)).await;
        let said = stage.heard.all();
        assert_eq!(said.len(), 1, "{said:?}");
        for part in ["I am here", "@synod:synod.test", "make changes", "2 operators", "!help"] {
            assert!(said[0].contains(part), "{part} is not in {}", said[0]);
        }
    }

    #[tokio::test]
    async fn the_line_after_an_outage_names_what_could_not_be_read() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let minutes = SignedDuration::from_mins;
        let tell = async |away, unread| {
            stage.pipeline.announcements.tell(News::Back { away, unread }).await;
            stage.heard.all().pop().unwrap_or_default().replace('\\', "")
        };
        assert_eq!(tell(Some(minutes(4)), Vec::new()).await.trim(), "**Back after 4 min**");
        let unread = |number: i64| Unread {
            room: owned_room_id!("!admin:synod.test"),
            sender: owned_user_id!("@ann:synod.test"),
            sent: jiff::Timestamp::from_second(number * 60).unwrap(),
            why: WhyUnread::NotDecrypted,
        };
        let said = tell(Some(minutes(65)), (0..5).map(unread).collect()).await;
        for part in
            ["Back after 1 h 5 min; 5 messages could not be read", "1970-01-01 00:02", "2 more"]
        {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        assert!(!said.contains("00:03"), "{said}");
        let elsewhere = Unread { room: owned_room_id!("!other:synod.test"), ..unread(0) };
        let before = stage.heard.all().len();
        tell(None, vec![elsewhere]).await;
        assert_eq!(stage.heard.all().len(), before, "it was said in another room");
    }
}
