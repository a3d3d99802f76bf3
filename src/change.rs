//! A change as a value: what is touched, what was seen, what will be sent, what came of it.
//!
//! A verb looks and then computes these values; it never sends anything. The pipeline reads from
//! them everything that the verbs have in common: the question, the check for drift between
//! question and yes, the verification, the record and the undo.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::reply::{Fact, Line, Status};

mod as_account;
mod named;
mod ordinary;
mod step;
mod subject;

pub use as_account::{TOKEN_LEFT, as_account};
pub use named::{set, set_in_full};
pub use ordinary::{is_minor, is_ordinary};
pub use step::{Method, Part, Path, Root, SLOT, Step};
pub use subject::Subject;

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
    /// There is none; the text says what comes nearest, see [`parts`](Self::parts).
    None(String),
    /// Each of these takes a part of it back; the text says what none of them does, see
    /// [`parts`](Self::parts).
    Parts(Vec<Vec<String>>, String),
}

impl Undo {
    /// What a text says that does not come back, part by part: each line of it is one, with commands
    /// between backticks.
    pub fn parts(text: &str) -> Vec<Line> {
        text.lines().map(|part| Line::new().marked(part)).collect()
    }

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
