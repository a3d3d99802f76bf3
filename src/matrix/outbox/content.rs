//! The content of what is sent: messages and edits.

use std::fmt::Write as _;

use ruma::{EventId, OwnedUserId};
use serde_json::{Value, json};

use crate::{
    pipeline::stands_for_event,
    places::Place,
    reply::{Drawn, Ring},
};

/// Where the record travels in the content of a message.
pub(in crate::matrix) const CARRIED: &str = "synod.record";

/// Where an answer names what it answers to, where it replies to something else.
pub(in crate::matrix) const ANSWERS: &str = "synod.answers";

/// What a message is about, and where that has it stand.
#[derive(Debug, Default)]
pub(super) struct Standing<'a> {
    about: Option<&'a EventId>,
    place: Option<Place>,
}

impl<'a> Standing<'a> {
    /// That of what is said about an event, in the place that was noted for that, if one was.
    pub(super) fn new(about: Option<&'a EventId>, place: Option<Place>) -> Self {
        // What was typed in a shell is no event that anything could reply to.
        let about = about.filter(|about| !stands_for_event(about));
        Self { about, place: place.filter(|_| about.is_some()) }
    }

    /// The message that began the thread in which it stands.
    pub(super) fn thread(&self) -> Option<&EventId> {
        self.place.as_ref()?.thread.as_deref()
    }

    fn reply_to(&self) -> Option<&EventId> {
        self.place.as_ref().and_then(|place| place.reply_to.as_deref()).or(self.about)
    }

    /// Lets the content reply to what it is about.
    fn replying(&self, content: &mut Value) {
        let Some(reply_to) = self.reply_to() else { return };
        content["m.relates_to"] = match self.thread() {
            Some(root) => in_thread(root, reply_to, false),
            None => json!({ "m.in_reply_to": { "event_id": reply_to } }),
        };
        if let Some(about) = self.about.filter(|about| *about != reply_to) {
            content[ANSWERS] = json!(about);
        }
    }

    /// Lets the content stand beside what replies to that, as a message of its own.
    pub(super) fn beside(&self, mut content: Value) -> Value {
        if let (Some(root), Some(reply_to)) = (self.thread(), self.reply_to()) {
            content["m.relates_to"] = in_thread(root, reply_to, true);
        }
        content
    }
}

/// The relation of a message in a thread. Where it is `falling_back`, only clients that know no threads
/// show it as a reply.
fn in_thread(root: &EventId, reply_to: &EventId, falling_back: bool) -> Value {
    json!({
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": falling_back,
        "m.in_reply_to": { "event_id": reply_to },
    })
}

/// The content of an answer that replies to what it is about.
pub(super) fn answer(part: &Drawn, standing: &Standing<'_>, ring: &Ring) -> Value {
    let mut content = message(part, ring);
    standing.replying(&mut content);
    content
}

/// The content of a message. It always says whom it mentions, or clients guess from the text.
pub(super) fn message(part: &Drawn, ring: &Ring) -> Value {
    let (msgtype, mentions): (_, &[OwnedUserId]) = match ring {
        Ring::Nobody => ("m.notice", &[]),
        Ring::These(people) => ("m.text", people),
    };
    let mut content = formatted(msgtype, &part.body, &part.html);
    content["m.mentions"] =
        if mentions.is_empty() { json!({}) } else { json!({ "user_ids": mentions }) };
    content
}

/// The same content, with lines of the record in it that clients do not show. As text, so that
/// what is hashed is just what was hashed.
pub(super) fn carrying(mut content: Value, lines: &[String]) -> Value {
    if !lines.is_empty() {
        content[CARRIED] = json!(lines);
    }
    content
}

/// The content of an edit. Whoever was mentioned before is not called again.
pub(super) fn replacement(part: &Drawn, event: &EventId, ring: &Ring) -> Value {
    let msgtype = match ring {
        Ring::Nobody => "m.notice",
        Ring::These(_) => "m.text",
    };
    let mut body = String::from("* ");
    let mut html = String::from("* ");
    // Writing to a string cannot fail.
    let _ = write!(body, "{}", part.body);
    let _ = write!(html, "{}", part.html);
    let mut content = formatted(msgtype, &body, &html);
    content["m.new_content"] = formatted(msgtype, &part.body, &part.html);
    content["m.new_content"]["m.mentions"] = json!({});
    content["m.mentions"] = json!({});
    content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": event });
    content
}

fn formatted(msgtype: &str, body: &str, html: &str) -> Value {
    json!({
        "msgtype": msgtype,
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
    })
}
