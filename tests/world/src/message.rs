//! One event of a room's timeline, as a person's client has it.

use std::fmt;

use matrix_sdk::deserialized_responses::{
    TimelineEvent, TimelineEventKind, VerificationLevel, VerificationState,
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
use serde_json::Value;

/// An event of a timeline, after decryption where it came encrypted.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it was heard.
    pub room: OwnedRoomId,
    /// Its id.
    pub event_id: OwnedEventId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// Its type, such as `m.room.message`; `m.room.encrypted` if the client has no key for it.
    pub kind: String,
    /// `m.text`, `m.notice` and so on; empty if it has none.
    pub msgtype: String,
    /// The plain text as it is read, without word joiners, of which nothing is seen; of an edit, the new
    /// one. Empty if it has none.
    pub body: String,
    /// The HTML; of an edit, the new one.
    pub html: Option<String>,
    /// The event that it replies to; not one that only stands for older clients in a thread.
    pub reply_to: Option<OwnedEventId>,
    /// The event that the bot says that it answers, where it replies to another.
    pub answers: Option<OwnedEventId>,
    /// The event that began the thread in which it stands.
    pub thread: Option<OwnedEventId>,
    /// The event that it edits.
    pub replaces: Option<OwnedEventId>,
    /// The event that it reacts to, and the reaction.
    pub reaction: Option<(OwnedEventId, String)>,
    /// The event that it redacts.
    pub redacts: Option<OwnedEventId>,
    /// Whom it rings: `m.mentions`.
    pub mentions: Vec<OwnedUserId>,
    /// Whether it came encrypted.
    pub encrypted: bool,
    /// Whether it came from a device that its sender has signed.
    pub from_signed_device: bool,
    /// All of it.
    pub raw: Value,
}

impl Message {
    /// None for what is not an event with an id, a sender and a type.
    pub(crate) fn read(room: &RoomId, event: &TimelineEvent) -> Option<Self> {
        let raw: Value = event.raw().deserialize_as_unchecked().ok()?;
        let content = raw.get("content")?;
        let relates = content.get("m.relates_to");
        let relation = relates.and_then(|relates| text(relates, "rel_type"));
        let target: Option<OwnedEventId> = relates.and_then(|relates| id(relates, "event_id"));
        let of_type = |kind| target.clone().filter(|_| relation.as_deref() == Some(kind));
        let shown = content.get("m.new_content").unwrap_or(content);
        let mentions = content.pointer("/m.mentions/user_ids").and_then(Value::as_array);
        Some(Self {
            room: room.to_owned(),
            event_id: id(&raw, "event_id")?,
            sender: id(&raw, "sender")?,
            kind: text(&raw, "type")?,
            msgtype: text(shown, "msgtype").unwrap_or_default(),
            body: text(shown, "body").unwrap_or_default().replace('\u{2060}', ""),
            html: text(shown, "formatted_body"),
            reply_to: relates
                .filter(|relates| relates.get("is_falling_back") != Some(&Value::Bool(true)))
                .and_then(|relates| relates.get("m.in_reply_to"))
                .and_then(|reply| id(reply, "event_id")),
            answers: id(content, "synod.answers"),
            thread: of_type("m.thread"),
            replaces: of_type("m.replace"),
            reaction: of_type("m.annotation").zip(relates.and_then(|r| text(r, "key"))),
            redacts: id(content, "redacts").or_else(|| id(&raw, "redacts")),
            mentions: mentions
                .into_iter()
                .flatten()
                .filter_map(|user| user.as_str()?.try_into().ok())
                .collect(),
            encrypted: !matches!(event.kind, TimelineEventKind::PlainText { .. }),
            from_signed_device: is_from_signed_device(event),
            raw,
        })
    }

    /// Whether it answers this event.
    pub fn is_answer_to(&self, event: &EventId) -> bool {
        match &self.answers {
            Some(answered) => answered == event,
            None => self.reply_to.as_deref() == Some(event),
        }
    }

    /// Whether it only says that a command waits for another one: the answer follows.
    pub fn says_it_waits(&self) -> bool {
        self.body.starts_with("Waiting for ")
    }

    /// Whether it is a message that can be read, neither an edit nor anything about another one.
    pub fn is_message(&self) -> bool {
        self.kind == "m.room.message" && self.replaces.is_none()
    }
}

impl fmt::Display for Message {
    /// One line for the errors of tests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.event_id, self.sender.localpart(), self.kind)?;
        if let Some(target) = &self.reply_to {
            write!(f, " reply to {target}")?;
        }
        if let Some(target) = &self.replaces {
            write!(f, " edit of {target}")?;
        }
        if let Some((target, key)) = &self.reaction {
            write!(f, " {key} to {target}")?;
        }
        if !self.encrypted {
            f.write_str(" in clear")?;
        }
        write!(f, " {:?}", self.body)
    }
}

fn is_from_signed_device(event: &TimelineEvent) -> bool {
    let signed = [VerificationLevel::UnverifiedIdentity, VerificationLevel::VerificationViolation];
    event.encryption_info().is_some_and(|info| match &info.verification_state {
        VerificationState::Verified => true,
        VerificationState::Unverified(level) => signed.contains(level),
    })
}

fn text(value: &Value, key: &str) -> Option<String> {
    Some(value.get(key)?.as_str()?.to_owned())
}

fn id<T: for<'a> TryFrom<&'a str>>(value: &Value, key: &str) -> Option<T> {
    T::try_from(value.get(key)?.as_str()?).ok()
}
