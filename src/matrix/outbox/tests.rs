//! What is sent, as it is sent.

use ruma::{event_id, owned_user_id};

use super::*;
use crate::reply::Drawn;

fn drawn() -> Drawn {
    Drawn { body: "Done".to_owned(), html: "<p>Done</p>".to_owned() }
}

#[test]
fn the_same_answer_has_the_same_transaction_and_others_have_not() {
    let first = transaction(&["$a", "answer", "0"]);
    assert_eq!(first, transaction(&["$a", "answer", "0"]));
    for other in [["$a", "answer", "1"], ["$b", "answer", "0"], ["$aa", "nswer", "0"]] {
        assert_ne!(first, transaction(&other));
    }
}

#[test]
fn an_answer_that_needs_nobody_is_a_notice_and_mentions_nobody() {
    let standing = Standing::new(Some(event_id!("$a")), None);
    let content = answer(&drawn(), &standing, &Ring::Nobody);
    assert_eq!(content["msgtype"], "m.notice");
    assert_eq!(content["m.mentions"], json!({}));
    assert_eq!(content["m.relates_to"], json!({ "m.in_reply_to": { "event_id": "$a" } }));
}

#[test]
fn what_needs_a_person_rings_for_them_and_its_edit_does_not_ring_again() {
    let ring = Ring::These(vec![owned_user_id!("@ann:one.example")]);
    let content = answer(&drawn(), &Standing::default(), &ring);
    assert_eq!(content["msgtype"], "m.text");
    assert_eq!(content["m.mentions"], json!({ "user_ids": ["@ann:one.example"] }));

    let edit = replacement(&drawn(), event_id!("$a"), &ring);
    assert_eq!(edit["m.mentions"], json!({}));
    assert_eq!(edit["m.new_content"]["m.mentions"], json!({}));
    assert_eq!(edit["m.new_content"]["body"], "Done");
    assert_eq!(edit["m.relates_to"], json!({ "rel_type": "m.replace", "event_id": "$a" }));
}

/// Where the answer to a message in this thread stands, or that to a reaction to this message.
fn place(thread: Option<&str>, reply_to: Option<&str>) -> Place {
    let event = |id: &str| OwnedEventId::try_from(id).unwrap();
    Place {
        at: jiff::Timestamp::UNIX_EPOCH,
        reply_to: reply_to.map(event),
        thread: thread.map(event),
    }
}

#[test]
fn what_answers_to_a_thread_stands_in_it() {
    let standing = Standing::new(Some(event_id!("$a")), Some(place(Some("$root"), None)));
    let content = answer(&drawn(), &standing, &Ring::Nobody);
    let relation = |falling_back: bool| {
        json!({
            "rel_type": "m.thread", "event_id": "$root", "is_falling_back": falling_back,
            "m.in_reply_to": { "event_id": "$a" },
        })
    };
    assert_eq!(content["m.relates_to"], relation(false));
    assert_eq!(content[ANSWERS], Value::Null);
    let further = standing.beside(message(&drawn(), &Ring::Nobody));
    assert_eq!(further["m.relates_to"], relation(true));
    let usual = Standing::new(Some(event_id!("$a")), None);
    assert_eq!(usual.beside(message(&drawn(), &Ring::Nobody))["m.relates_to"], Value::Null);
}

#[test]
fn a_reaction_is_answered_by_a_reply_to_what_it_is_about() {
    let standing = Standing::new(Some(event_id!("$a")), Some(place(None, Some("$question"))));
    let content = answer(&drawn(), &standing, &Ring::Nobody);
    assert_eq!(content["m.relates_to"], json!({ "m.in_reply_to": { "event_id": "$question" } }));
    assert_eq!(content[ANSWERS], "$a");
}
