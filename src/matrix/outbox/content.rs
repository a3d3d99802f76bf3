//! The content of what is sent: messages and edits.

use std::fmt::Write as _;

use ruma::{EventId, OwnedUserId};
use serde_json::{Value, json};

use crate::{
    pipeline::stands_for_event,
    reply::{Drawn, Ring},
};

/// Where the record travels in the content of a message.
pub(in crate::matrix) const CARRIED: &str = "synod.record";

/// The content of a message. It always says whom it mentions, or clients guess from the text.
pub(super) fn message(part: &Drawn, about: Option<&EventId>, ring: &Ring) -> Value {
    let (msgtype, mentions): (_, &[OwnedUserId]) = match ring {
        Ring::Nobody => ("m.notice", &[]),
        Ring::These(people) => ("m.text", people),
    };
    let mut content = formatted(msgtype, &part.body, &part.html);
    content["m.mentions"] =
        if mentions.is_empty() { json!({}) } else { json!({ "user_ids": mentions }) };
    // What was typed in a shell is no event that anything could reply to.
    if let Some(about) = about.filter(|about| !stands_for_event(about)) {
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": about } });
    }
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
