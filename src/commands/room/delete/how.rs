//! How a room is deleted: what it is told with the question, its requests, and what is taken back.

use serde_json::{Value, json};

use super::{
    super::{deletion, known},
    ELSEWHERE,
    files::FREE,
};
use crate::{
    change::{Change, FactMap, Method, Path, Question, Skip, Snapshot, Step, Subject, Undo},
    reply::Line,
};

/// How people come back into a room that is still there.
const MEMBERS: &str = "Members: each must join again, or be put back by `!room join`; if the room is not \
                       open to everybody, somebody in it must invite them";

// How a room is deleted. No doc comment: it would become the verb's help.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub(in crate::commands::room) struct How {
    /// Also block it, so that nobody here can join it again
    #[arg(short, long)]
    pub(super) block: bool,
    /// Quarantine its files first, as far as this server knows them
    #[arg(long)]
    pub(super) quarantine_media: bool,
    /// Only remove everybody, and keep the room
    #[arg(long, conflicts_with = "force_purge")]
    pub(super) no_purge: bool,
    /// Delete the room even if somebody could not be removed from it
    #[arg(long)]
    pub(super) force_purge: bool,
    /// Has no effect: I always delete in the background, and watch it
    #[arg(long = "v1")]
    pub(super) first_version: bool,
}

impl How {
    /// Everybody of this server is put out of the room, and nothing else.
    pub(in crate::commands::room) const fn only_remove() -> Self {
        Self {
            block: false,
            quarantine_media: false,
            no_purge: true,
            force_purge: false,
            first_version: false,
        }
    }

    /// What stays of it: a room that it blocks stays blocked.
    pub(in crate::commands::room) fn lasting(&self) -> FactMap {
        self.block.then(|| ("blocked".to_owned(), json!(true))).into_iter().collect()
    }

    /// How what it does besides is taken back: just what it has changed.
    pub(in crate::commands::room) fn undo(&self, subject: &Subject, before: &Snapshot) -> Undo {
        let mut ways = Vec::new();
        let mut rest = self.not_back(before);
        if self.block && !before.is("blocked") {
            ways.push(vec!["room".to_owned(), "unblock".to_owned(), subject.typed()]);
        }
        if self.quarantine_media {
            match before.extra.get(FREE).and_then(Value::as_array) {
                Some(free) => {
                    let free = free.iter().filter_map(Value::as_str).map(str::to_owned);
                    let words = ["media", "unquarantine"].map(str::to_owned).into_iter();
                    let words: Vec<String> = words.chain(free).collect();
                    ways.extend((words.len() > 2).then_some(words));
                }
                None => {
                    rest.push_str(
                        "\nFiles: they were too many to note which of them were quarantined; \
                         `!media unquarantine` releases each",
                    );
                }
            }
        }
        if ways.is_empty() { Undo::None(rest) } else { Undo::Parts(ways, rest) }
    }

    /// What does not come back by itself, part by part, and what comes nearest.
    fn not_back(&self, before: &Snapshot) -> String {
        let elsewhere = before.extra.get(ELSEWHERE).and_then(Value::as_u64);
        let parts: &[&str] = match (self.no_purge, elsewhere) {
            (true, Some(0)) => {
                &["Members: nobody is left in the room, so nobody can join it again"]
            }
            (true, _) => &[MEMBERS],
            (false, Some(0)) => &[
                "The room, its messages and its members: nobody else has them, so they are gone for \
                 good",
                "Aliases: they can be given to another room, see `!matrix raw`",
            ],
            (false, _) => &[
                "The room: other servers still have it; if it is not blocked, `!room join` with \
                 --server-name brings an account and the room back",
                MEMBERS,
                "Messages: only those that other servers send again, once somebody here is in it",
                "Aliases of this server: once somebody here is in the room, by `!matrix raw \
                 client/v3/directory/room/ALIAS -m put`",
            ],
        };
        parts.join("\n")
    }

    /// The verbs that it amounts to besides.
    pub(in crate::commands::room) fn amounts_to(&self) -> Vec<&'static str> {
        [(self.block, "room block"), (self.quarantine_media, "media quarantine")]
            .into_iter()
            .filter_map(|(asked, verb)| asked.then_some(verb))
            .collect()
    }

    /// The text of the question.
    pub(in crate::commands::room) fn question(
        &self,
        subject: &Subject,
        seen: &Snapshot,
    ) -> Question {
        let verb = if self.no_purge { "Put everybody of this server out of " } else { "Delete " };
        let mut question = Question {
            title: Line::new().plain(verb).code(subject),
            goes: vec!["everybody of this server who is in it is put out".into()],
            stays: vec!["the room and everything in it on other servers".into()],
        };
        if self.no_purge {
            question.stays.push("what this server has of it".into());
        } else {
            question.goes.push("what this server has of it: messages, state, aliases".into());
        }
        if self.quarantine_media {
            question.goes.push("its files go into quarantine, with every copy of them".into());
        } else {
            question.stays.push(
                Line::from("its files: with ")
                    .code("--quarantine-media")
                    .plain(" nobody gets them"),
            );
        }
        let blocked = self.block || seen.is("blocked");
        question.stays.push(if blocked {
            Line::new().strong("BLOCKED").plain(" afterwards: nobody here joins it again")
        } else {
            Line::new()
                .strong("NOT BLOCKED")
                .plain(" afterwards: whoever is invited joins it again; with ")
                .code("--block")
                .plain(" nobody does")
        });
        question
    }

    /// The requests: `POST /_synapse/admin/v1/room/{room_id}/media/quarantine` where that is
    /// wanted, and `DELETE /_synapse/admin/v2/rooms/{room_id}`. With whom makes a new room, its
    /// name and its message.
    pub(in crate::commands::room) fn change(
        &self,
        subject: &Subject,
        seen: &Snapshot,
        [new_room_user_id, room_name, message]: [Option<Value>; 3],
    ) -> Result<Change, Skip> {
        if !seen.is("exists") {
            // The homeserver would take it, and call it complete.
            let why = known::unknown(subject).plain(", so there is nothing to delete");
            return Err(Skip::not_found(why).or(format!("room block {}", subject.typed())));
        }
        if let Some(task) = seen.extra.get("running").and_then(Value::as_str) {
            let mut skip = known::already(subject, "is already being deleted");
            skip.instead = vec![format!("room delete-status -d {task}")];
            return Err(skip);
        }
        let id = subject.segment();
        let mut steps = Vec::new();
        if self.quarantine_media {
            let path = Path::admin(["v1", "room", &id, "media", "quarantine"]);
            steps.push(Step::new(Method::Post, path, json!({})).idempotent());
        }
        let body = deletion::body([
            ("block", Some(json!(self.block))),
            ("purge", Some(json!(!self.no_purge))),
            ("force_purge", self.force_purge.then_some(json!(true))),
            ("new_room_user_id", new_room_user_id),
            ("room_name", room_name),
            ("message", message),
        ]);
        let path = Path::admin(["v2", "rooms", &id]);
        // Not twice: what was begun and goes on would be refused, and told as if it had failed.
        steps.push(Step::new(Method::Delete, path, body));
        Ok(Change { steps, wanted: FactMap::new() })
    }
}
