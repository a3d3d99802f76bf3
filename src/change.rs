//! A change as a value: what is touched, what was seen, what will be sent, what came of it.
//!
//! A verb looks and then computes these values; it never sends anything. The pipeline reads from
//! them everything that the verbs have in common: the question, the check for drift between
//! question and yes, the verification, the record and the undo.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use jiff::Timestamp;
use ruma::{OwnedDeviceId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::reply::{Fact, Line, Status};

mod named;
mod ordinary;

pub use named::{set, set_in_full};
pub use ordinary::{is_minor, is_ordinary};

/// What a change costs, which decides how yes must be said. Ordered from cheap to dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing is lost: its undo puts everything back. Runs at once.
    Reversible,
    /// Something cannot be put back as it was, but nothing that people made is gone; or it is done
    /// to several, or to fewer than were named, though each could be undone. One yes.
    Disruptive,
    /// Something that people made or had is gone. A code, sometimes with a phrase.
    Irreversible,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Reversible, Self::Disruptive, Self::Irreversible];

    /// Its name as the config writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reversible => "reversible",
            Self::Disruptive => "disruptive",
            Self::Irreversible => "irreversible",
        }
    }
}

/// A request by which the homeserver is asked whether it does something at all, where nothing that can
/// be looked at shows it.
///
/// It refuses each of these whatever it is set to, before it does anything; only why differs. So none
/// is a change, and there are no others than those that stand here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Whether it sends server notices: one for nobody. Where they are switched off that is what
    /// Synapse says, and else that an empty id is none of an account. It compares the two in this
    /// order, and sends after both (1.98 to 1.163).
    ServerNotices,
}

impl Probe {
    /// The request.
    pub fn step(self) -> Step {
        match self {
            Self::ServerNotices => {
                let nobody = serde_json::json!({ "user_id": "", "content": {} });
                Step::new(Method::Post, Path::admin(["v1", "send_server_notice"]), nobody)
            }
        }
    }
}

/// What right a command takes. Ordered as they are listed, not by strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Reading accounts, rooms, media, counts.
    Look,
    /// Reading IP addresses, content, account data, push keys.
    LookPrivate,
    /// Acting on ordinary accounts, rooms, media, reports.
    Moderate,
    /// Whatever makes or takes over an account.
    Account,
    /// Federation, background updates, notices to many, raw requests.
    Server,
}

impl Power {
    /// Every power.
    pub const ALL: [Self; 5] =
        [Self::Look, Self::LookPrivate, Self::Moderate, Self::Account, Self::Server];

    /// Its name as the config writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::LookPrivate => "look-private",
            Self::Moderate => "moderate",
            Self::Account => "account",
            Self::Server => "server",
        }
    }
}

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
            Self::User(user) | Self::Device(user, _) => Some(user),
            _ => None,
        }
    }

    /// Its id as the homeserver takes it, not encoded: one part of a request's path, or one value in
    /// a query or a body. The account of a device and the server of a file are parts of their own.
    pub fn segment(&self) -> Cow<'_, str> {
        match self {
            Self::User(user) => user.as_str().into(),
            Self::Room(room) => room.as_str().into(),
            Self::Media(_, id) | Self::Token(id) => id.as_str().into(),
            Self::Device(_, device) => device.as_str().into(),
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

    /// The id by which the config may name it: a device goes by its account.
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
    /// an account, the end of what is a room id's own, the id of whatever else it is. Where an id
    /// has no such part it is the whole id, so that there is always something to type.
    pub fn phrase(&self) -> String {
        match self {
            Self::User(user) if user.localpart().is_empty() => user.to_string(),
            Self::User(user) => user.localpart().to_owned(),
            Self::Room(room) => {
                let own = opaque(room);
                let before = own.chars().count().saturating_sub(PHRASE);
                let end: String = own.chars().skip(before).collect();
                if end.is_empty() { room.to_string() } else { end }
            }
            other => other.segment().into_owned(),
        }
    }

    /// What stands for the phrase in a command that is shown, to be put in its place.
    pub fn phrase_placeholder(&self) -> &'static str {
        match self {
            Self::User(user) if user.localpart().is_empty() => "WHOLE-ID",
            Self::User(_) => "LOCALPART",
            Self::Room(room) if opaque(room).is_empty() => "WHOLE-ID",
            Self::Room(_) => "END-OF-ID",
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
            Self::Room(room) => match (opaque(room).chars().count(), room.as_str().contains(':')) {
                (0, _) => "the full id of the room",
                (..PHRASE, true) => "the part of the room id between ! and :",
                (..PHRASE, false) => "the part of the room id after the !",
                (_, true) => "the last six characters of the room id before its colon",
                (_, false) => "the last six characters of the room id",
            },
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

/// How many characters of a room id are its phrase.
const PHRASE: usize = 6;

/// What of a room id is this room's own: in the room versions before 12 the name of a server follows
/// it, which is the same for many.
fn opaque(room: &RoomId) -> &str {
    let id = room.as_str();
    let id = id.strip_prefix('!').unwrap_or(id);
    id.split_once(':').map_or(id, |(own, _)| own)
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

/// Facts that bind: identity, and what the change touches or rests on. A name in here is never
/// something that the subject can alter at will.
pub type FactMap = BTreeMap<String, Value>;

/// Under this it is noted when somebody looked.
const NOW: &str = "now";

/// What was seen of one subject.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Label and text of each fact that the operator is shown; these never bind.
    pub display: Vec<Fact>,
    /// The facts that bind: if one differs when the yes arrives, the question is put again.
    pub preconditions: FactMap,
    /// Values that do not bind and are not shown as they are: what the words of the question and
    /// of the outcome, and the undo, are made from.
    pub extra: BTreeMap<String, Value>,
}

impl Snapshot {
    /// The binding fact `key` as a boolean; false where it is absent.
    pub fn is(&self, key: &str) -> bool {
        self.preconditions.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// What is shown under these labels, in the order in which it is shown.
    pub fn shown_as(&self, labels: &[&str]) -> impl Iterator<Item = Fact> {
        self.display.iter().filter(|(label, _)| labels.contains(label)).cloned()
    }

    /// The fact `key`, whether it binds or was only noted.
    pub fn fact(&self, key: &str) -> Option<&Value> {
        self.preconditions.get(key).or_else(|| self.extra.get(key))
    }

    /// Notes the moment of the look, on which a change or its words rest: neither may ask for the
    /// time itself.
    pub fn note_now(&mut self, now: Timestamp) {
        self.extra.insert(NOW.to_owned(), now.as_millisecond().into());
    }

    /// The moment of the look, where it was noted.
    pub fn noted_now(&self) -> Timestamp {
        let now = self.extra.get(NOW).and_then(Value::as_i64);
        now.and_then(|now| Timestamp::from_millisecond(now).ok()).unwrap_or_default()
    }
}

/// How an HTTP request changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Method {
    /// Its name as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Below what a path may lie. There is nothing else that is ever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `/_synapse/admin`
    Admin,
    /// `/_matrix/client`
    Client,
}

/// The parts of a request's path, each still as plain text; they are encoded when sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path(Vec<String>);

impl Path {
    /// A path below `/_synapse/admin`.
    pub fn admin<const N: usize>(parts: [&str; N]) -> Self {
        Self(["_synapse", "admin"].into_iter().chain(parts).map(str::to_owned).collect())
    }

    /// A path below `/_matrix/client`.
    pub fn client<const N: usize>(parts: [&str; N]) -> Self {
        Self(["_matrix", "client"].into_iter().chain(parts).map(str::to_owned).collect())
    }

    /// A path below `root`.
    pub fn below(root: Root, parts: impl IntoIterator<Item = String>) -> Self {
        let before = match root {
            Root::Admin => ["_synapse", "admin"],
            Root::Client => ["_matrix", "client"],
        };
        Self(before.into_iter().map(str::to_owned).chain(parts).collect())
    }

    /// The parts, in order, not encoded.
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

/// One request that changes something.
///
/// A string value `{"$secret": "NAME"}` anywhere in `body` is a named slot, filled from memory at
/// the moment of sending; the value itself never stands in a step, so a step can be shown, hashed
/// and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The request's method.
    pub method: Method,
    /// The request's path.
    pub path: Path,
    /// Query parameters in order.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Value,
    /// Whether sending it twice does no more harm than once.
    pub idempotent: bool,
    /// Where the answer holds secrets: JSON pointer into the body, and the name of the slot into
    /// which the value is moved before anybody reads the answer.
    pub reveals: Vec<(String, String)>,
}

impl Step {
    /// A step with a body, no query, nothing revealed, and not known to be idempotent.
    pub fn new(method: Method, path: Path, body: Value) -> Self {
        Self { method, path, query: Vec::new(), body, idempotent: false, reveals: Vec::new() }
    }

    /// The same step, marked as harmless to send twice.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The same step, whose answer holds a secret at `pointer` that goes into the slot `name`.
    #[must_use]
    pub fn revealing(mut self, pointer: &str, name: &str) -> Self {
        self.reveals.push((pointer.to_owned(), name.to_owned()));
        self
    }
}

/// What a verb wants done to one subject: the exact requests, and the state they should lead to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The requests in order; the first that fails ends the change.
    pub steps: Vec<Step>,
    /// The facts that should hold afterwards, and that an undo must find again: those that bind, and
    /// those that were noted under the same name.
    pub wanted: FactMap,
}

/// Why nothing is to be done to a subject, said before anything is asked or sent.
#[derive(Debug, Clone)]
pub struct Skip {
    /// [`Status::NothingChanged`], or one for which [`Status::is_no`] holds.
    pub status: Status,
    /// The present state, and why nothing is done because of it.
    pub why: Line,
    /// Commands that may be what was meant, ready to copy.
    pub instead: Vec<String>,
}

impl Skip {
    /// The wanted state is there already, or the subject does not exist.
    pub fn already(why: impl Into<Line>) -> Self {
        Self { status: Status::NothingChanged, why: why.into(), instead: Vec::new() }
    }

    /// It cannot be done, or must not be.
    pub fn refused(why: impl Into<Line>) -> Self {
        Self { status: Status::Refused, ..Self::already(why) }
    }

    /// The subject, or what was named with it, is not there.
    pub fn not_found(why: impl Into<Line>) -> Self {
        Self { status: Status::NotFound, ..Self::already(why) }
    }

    /// What was typed cannot be done to anything.
    pub fn not_understood(why: impl Into<Line>) -> Self {
        Self { status: Status::NotUnderstood, ..Self::already(why) }
    }

    /// The same, with one more command that may be what was meant.
    #[must_use]
    pub fn or(mut self, command: impl Into<String>) -> Self {
        self.instead.push(command.into());
        self
    }
}

/// The answer to one step, as far as it may be read: slots that it revealed hold their name.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; `Null` where there was none.
    pub body: Value,
}

/// How to take a change back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// The words of the command that puts it back, without the `!`.
    Command(Vec<String>),
    /// There is none; the text says what comes nearest.
    None(String),
    /// Each of these takes a part of it back; the text says what none of them does.
    Parts(Vec<Vec<String>>, String),
}

impl Undo {
    /// The commands that take it back, or parts of it.
    pub fn commands(&self) -> &[Vec<String>] {
        match self {
            Self::Command(words) => std::slice::from_ref(words),
            Self::Parts(ways, _) => ways,
            Self::None(_) => &[],
        }
    }
}

/// What came of a change to one subject, in words.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The first word of the answer. The pipeline lowers `Done` where the state that was wanted is
    /// not the state that was found.
    pub status: Status,
    /// What was done, beginning with the subject's id.
    pub title: Line,
    /// The state of the subject now.
    pub facts: Vec<(&'static str, Line)>,
    /// What remains, each with the command that deals with it.
    pub remains: Vec<(Line, Vec<String>)>,
    /// How to take it back.
    pub undo: Undo,
}

impl Outcome {
    /// It is done, as `title` says, and this is how to take it back.
    pub fn done(title: Line, undo: Undo) -> Self {
        Self { status: Status::Done, title, facts: Vec::new(), remains: Vec::new(), undo }
    }

    /// The same, with these facts about the subject as it is now.
    #[must_use]
    pub fn facts(mut self, facts: impl IntoIterator<Item = Fact>) -> Self {
        self.facts.extend(facts);
        self
    }

    /// The same, with what remains.
    #[must_use]
    pub fn remains(mut self, remains: impl IntoIterator<Item = (Line, Vec<String>)>) -> Self {
        self.remains.extend(remains);
        self
    }
}

/// How far work is that the homeserver goes on with after it has answered.
#[derive(Debug, Clone)]
pub enum Progress {
    /// It goes on, and this can be said of it.
    Goes(Vec<(&'static str, Line)>),
    /// It goes on with so many things left, and this can be said of it. Where these get no fewer for
    /// long, nothing works on it any more, and `stuck` is what came of it.
    Counts {
        /// How many are left.
        left: u64,
        /// What can be said of it.
        facts: Vec<Fact>,
        /// How it ended, if it did.
        stuck: Box<Outcome>,
    },
    /// It is over, and this came of it.
    Over(Outcome),
    /// It is over, and what was told when it began has come true: nothing more is said, unless it
    /// was told meanwhile that it goes on.
    AsToldBefore,
}

/// The text of a question beyond the facts: what will go and what will stay.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// One line that says what the change is.
    pub title: Line,
    /// What will be gone.
    pub goes: Vec<Line>,
    /// What will stay although one might think otherwise.
    pub stays: Vec<Line>,
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
            (Subject::Device(user, "PHONE".into()), "PHONE of @ann:x.test"),
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
