//! What is written down: a record, and the entry of the chain that stands for it.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::Way;
use crate::{
    change::{Class, FactMap, Subject, Undo},
    freeze::What,
    reply::Status,
};

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A question was put.
    #[serde(rename = "asked")]
    QuestionPut,
    /// A command was not allowed.
    Refused,
    /// A question was cancelled.
    Cancelled,
    /// Somebody has approved what another asked for.
    Approved,
    /// A question was denied by somebody who might have approved it.
    Denied,
    /// A question was not answered in time.
    Expired,
    /// A change is about to be made.
    Opened,
    /// A change was made, or not; see `of`.
    Closed,
    /// What the homeserver went on with after a change is over; see `of`.
    Ended,
    /// The end of a change that ends by itself was moved; see `of` and `until`.
    Moved,
    /// Every open question was ended.
    Stopped,
    /// The bot or a person was frozen.
    Frozen,
    /// A freeze was lifted, or the first of two said that it may be.
    Unfrozen,
    /// Another configuration was put in force.
    Configured,
    /// Somebody looked at private things.
    Looked,
    /// Somebody who is no operator has sent commands.
    Strange,
    /// The bot itself noted something: a key pinned or accepted, a start after a crash.
    Noted,
    /// A change whose time was over was not taken back, and is left to the operators; see
    /// `undoes`.
    GivenUp,
    /// What stands in an earlier entry, without somebody who was erased since; see `redacts`.
    Redacted,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What this is a record of.
    pub kind: Kind,
    /// Who asked; nobody where the bot acted by itself.
    pub by: Option<OwnedUserId>,
    /// Who said yes last, where somebody had to.
    pub yes: Option<OwnedUserId>,
    /// Who said yes to what they had not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<OwnedUserId>,
    /// In which room.
    pub room: Option<OwnedRoomId>,
    /// By which event.
    pub event: Option<OwnedEventId>,
    /// By which way, where it was no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// The short id under which the log has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The command as understood, secrets masked.
    pub words: Vec<String>,
    /// What it was about.
    pub subjects: Vec<Subject>,
    /// The code of the question.
    pub ticket: Option<String>,
    /// The number of the record that this one closes.
    pub of: Option<u64>,
    /// The number of the change that this one takes back.
    pub undoes: Option<u64>,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was made without the others that it needed, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<String>,
    /// What was frozen, or is not frozen any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<What>,
    /// What it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The requests, as method and path.
    pub requests: Vec<String>,
    /// When it is to be taken back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How it ended.
    #[serde(rename = "word")]
    pub status: Option<Status>,
    /// How many of its subjects were changed, or may have been, where a change has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
    /// The state that was left, by subject: what an undo must find.
    pub left: Vec<(Subject, FactMap)>,
    /// How to take it back, one for each subject.
    pub undo: Vec<Undo>,
    /// Anything besides, in words.
    pub note: Option<String>,
    /// How many of its subjects were erased since, and do not stand in it any more.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub erased: usize,
    /// The number of the entry whose record this is, without those who were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacts: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_none_of_them(count: &usize) -> bool {
    *count == 0
}

impl Record {
    /// A record of this kind with nothing in it.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            by: None,
            yes: None,
            approvals: Vec::new(),
            room: None,
            event: None,
            way: None,
            request: None,
            words: Vec::new(),
            subjects: Vec::new(),
            ticket: None,
            of: None,
            undoes: None,
            reason: None,
            alone: None,
            freeze: None,
            class: None,
            requests: Vec::new(),
            until: None,
            status: None,
            changed: None,
            left: Vec::new(),
            undo: Vec::new(),
            note: None,
            erased: 0,
            redacts: None,
        }
    }
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What kind of record it stands for.
    pub kind: Kind,
    /// SHA-256 over salt and record, hexadecimal.
    pub digest: String,
    /// The hash of the entry before, hexadecimal; of the first: zeros.
    pub before: String,
    /// SHA-256 over everything above, hexadecimal.
    pub hash: String,
}

/// An entry with the record beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The link.
    pub entry: Entry,
    /// The salt of its digest, hexadecimal; it goes with the record.
    pub salt: Option<String>,
    /// The record, unless it has gone.
    pub record: Option<Record>,
}
