//! What a command is about.

use std::{borrow::Cow, fmt};

use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An account.
    User(OwnedUserId),
    /// A room.
    Room(OwnedRoomId),
    /// One file of media, by the server that it came from and its id there.
    Media(OwnedServerName, String),
    /// One device of an account.
    Device(OwnedUserId, OwnedDeviceId),
    /// One event, and the account that sent it.
    Event(OwnedUserId, OwnedEventId),
    /// A registration token.
    Token(String),
    /// Another server, as this one sends to it.
    Destination(OwnedServerName),
    /// A report of an event, by its number.
    EventReport(u64),
    /// A report of an account, by its number.
    UserReport(u64),
    /// This homeserver as a whole.
    Homeserver(OwnedServerName),
}

impl Subject {
    /// The account that a change of this subject falls upon, if it is an account's.
    pub fn user(&self) -> Option<&OwnedUserId> {
        match self {
            Self::User(user) | Self::Device(user, _) | Self::Event(user, _) => Some(user),
            _ => None,
        }
    }

    /// Its id as the homeserver takes it, not encoded: one part of a request's path, or one value in
    /// a query or a body. The account of a device and the server of a file are parts of their own, and
    /// who sent an event is none.
    pub fn segment(&self) -> Cow<'_, str> {
        match self {
            Self::User(user) => user.as_str().into(),
            Self::Room(room) => room.as_str().into(),
            Self::Media(_, id) | Self::Token(id) => id.as_str().into(),
            Self::Device(_, device) => device.as_str().into(),
            Self::Event(_, event) => event.as_str().into(),
            Self::Destination(server) | Self::Homeserver(server) => server.as_str().into(),
            Self::EventReport(id) | Self::UserReport(id) => id.to_string().into(),
        }
    }

    /// What stands for it in keys of the store. They outlive a version of the bot, so this never
    /// changes, whatever people are shown.
    pub fn key(&self) -> String {
        match self {
            Self::Media(server, id) => format!("mxc://{server}/{id}"),
            Self::Device(user, device) => format!("{device} of {user}"),
            Self::EventReport(id) => format!("report {id}"),
            Self::UserReport(id) => format!("account report {id}"),
            other => other.segment().into_owned(),
        }
    }

    /// The id by which the config may name it: a device and an event go by their account.
    pub fn owner_id(&self) -> String {
        self.user().map_or_else(|| self.key(), ToString::to_string)
    }

    /// As a command takes it, where it stands in a list of its kind.
    pub fn typed(&self) -> String {
        match self {
            Self::Media(server, id) => format!("mxc://{server}/{id}"),
            other => other.segment().into_owned(),
        }
    }

    /// What an operator types to show that they mean this subject and no other: the localpart of
    /// an account, the end of what is a room's or an event's own, the id of whatever else it is. Where an id
    /// has no such part it is the whole id, so that there is always something to type.
    pub fn phrase(&self) -> String {
        match self {
            Self::User(user) if user.localpart().is_empty() => user.to_string(),
            Self::User(user) => user.localpart().to_owned(),
            Self::Room(room) => end_of(room.as_str()),
            Self::Event(_, event) => end_of(event.as_str()),
            other => other.segment().into_owned(),
        }
    }

    /// What stands for the phrase in a command that is shown, to be put in its place.
    pub fn phrase_placeholder(&self) -> &'static str {
        match self {
            Self::User(user) if user.localpart().is_empty() => "WHOLE-ID",
            Self::User(_) => "LOCALPART",
            Self::Room(room) if opaque(room.as_str()).is_empty() => "WHOLE-ID",
            Self::Event(_, event) if opaque(event.as_str()).is_empty() => "WHOLE-ID",
            Self::Room(_) | Self::Event(..) => "END-OF-ID",
            Self::Media(..) => "FILE-ID",
            Self::Device(..) => "DEVICE-ID",
            Self::Token(_) => "TOKEN",
            Self::Destination(_) | Self::Homeserver(_) => "SERVER",
            Self::EventReport(_) | Self::UserReport(_) => "NUMBER",
        }
    }

    /// What the phrase is, in words, so that somebody who sees the subject knows what to type.
    pub fn phrase_in_words(&self) -> &'static str {
        match self {
            Self::User(user) if user.localpart().is_empty() => "the full id of the account",
            Self::User(_) => "the localpart of the account (the part between @ and :)",
            Self::Room(room) => match (own_length(room.as_str()), room.as_str().contains(':')) {
                (0, _) => "the full id of the room",
                (..PHRASE, true) => "the part of the room id between ! and :",
                (..PHRASE, false) => "the part of the room id after the !",
                (_, true) => "the last six characters of the room id before its colon",
                (_, false) => "the last six characters of the room id",
            },
            Self::Event(_, event) => {
                match (own_length(event.as_str()), event.as_str().contains(':')) {
                    (0, _) => "the full id of the event",
                    (..PHRASE, true) => "the part of the event id between $ and :",
                    (..PHRASE, false) => "the part of the event id after the $",
                    (_, true) => "the last six characters of the event id before its colon",
                    (_, false) => "the last six characters of the event id",
                }
            }
            Self::Media(..) => "the id of the file",
            Self::Device(..) => "the id of the device",
            Self::Token(_) => "the token itself",
            Self::Destination(_) => "the name of that server",
            Self::EventReport(_) | Self::UserReport(_) => "the number of the report",
            Self::Homeserver(_) => {
                "the name of this server (the part after the colon in its user ids)"
            }
        }
    }
}

/// How many characters of the id of a room or an event are its phrase.
const PHRASE: usize = 6;

/// What of the id of a room or an event is its own: in older room versions the name of a server follows
/// it, which is the same for many.
fn opaque(id: &str) -> &str {
    let id = id.strip_prefix(['!', '$']).unwrap_or(id);
    id.split_once(':').map_or(id, |(own, _)| own)
}

fn own_length(id: &str) -> usize {
    opaque(id).chars().count()
}

/// The end of what is an id's own.
fn end_of(id: &str) -> String {
    let before = own_length(id).saturating_sub(PHRASE);
    let end: String = opaque(id).chars().skip(before).collect();
    if end.is_empty() { id.to_owned() } else { end }
}

/// For people. What the homeserver takes is its [`segment`](Subject::segment), what a command takes
/// is as it is [`typed`](Subject::typed), and the store goes by its [`key`](Subject::key).
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Media(server, id) => write!(f, "mxc://{server}/{id}"),
            Self::Device(user, device) => write!(f, "{device} of {user}"),
            Self::EventReport(id) => write!(f, "report {id}"),
            Self::UserReport(id) => write!(f, "account report {id}"),
            other => f.write_str(&other.segment()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(room: &str) -> (String, &'static str) {
        let subject = Subject::Room(room.try_into().unwrap());
        (subject.phrase(), subject.phrase_in_words())
    }

    #[test]
    fn the_phrase_of_a_room_is_its_own_whatever_the_server() {
        let before_colon = "the last six characters of the room id before its colon";
        assert_eq!(phrase("!OGEhHVWSdvArJzumhm:x.test"), ("Jzumhm".to_owned(), before_colon));
        assert_eq!(phrase("!abcdefgh:x.test:8448"), ("cdefgh".to_owned(), before_colon));
        let (phrase_of_12, words) = phrase("!61vRMKke0G9kNnXKuGCEDtjbMmKnDT4cZAjOdezz5-A");
        assert_eq!(
            (phrase_of_12.as_str(), words),
            ("ezz5-A", "the last six characters of the room id")
        );
        let short = "the part of the room id between ! and :";
        assert_eq!(phrase("!ab:x.test"), ("ab".to_owned(), short));
        assert_eq!(phrase("!-b:x.test"), ("-b".to_owned(), short));
        assert_eq!(phrase("!äöüßéñç:x.test"), ("öüßéñç".to_owned(), before_colon));
    }

    #[test]
    fn an_event_goes_by_who_sent_it_and_its_phrase_is_its_own() {
        let event =
            |id: &str| Subject::Event("@ann:x.test".try_into().unwrap(), id.try_into().unwrap());
        let new = event("$TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go");
        assert_eq!((new.phrase().as_str(), new.phrase_placeholder()), ("9rK9Go", "END-OF-ID"));
        assert_eq!(event("$123456789:x.test").phrase(), "456789");
        assert_eq!(
            event("$123:x.test").phrase_in_words(),
            "the part of the event id between $ and :"
        );
        assert_eq!((new.owner_id().as_str(), new.typed()), ("@ann:x.test", new.to_string()));
    }

    #[test]
    fn two_rooms_of_one_server_have_each_its_own() {
        assert_ne!(phrase("!abcdefgh:x.test").0, phrase("!hgfedcba:x.test").0);
    }

    #[test]
    fn a_key_of_the_store_stays_what_it_was() {
        let server: OwnedServerName = "x.test:8448".try_into().unwrap();
        let user: OwnedUserId = "@ann:x.test".try_into().unwrap();
        for (subject, key) in [
            (Subject::User(user.clone()), "@ann:x.test"),
            (Subject::Room("!abc:x.test".try_into().unwrap()), "!abc:x.test"),
            (Subject::Media(server.clone(), "cat".to_owned()), "mxc://x.test:8448/cat"),
            (Subject::Device(user.clone(), "PHONE".into()), "PHONE of @ann:x.test"),
            (Subject::Event(user, "$one:x.test".try_into().unwrap()), "$one:x.test"),
            (Subject::Token("letmein".to_owned()), "letmein"),
            (Subject::Destination(server.clone()), "x.test:8448"),
            (Subject::EventReport(5), "report 5"),
            (Subject::UserReport(5), "account report 5"),
            (Subject::Homeserver(server), "x.test:8448"),
        ] {
            assert_eq!(subject.key(), key);
        }
    }
}
