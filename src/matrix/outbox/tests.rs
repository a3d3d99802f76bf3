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
    let content = message(&drawn(), Some(event_id!("$a")), &Ring::Nobody);
    assert_eq!(content["msgtype"], "m.notice");
    assert_eq!(content["m.mentions"], json!({}));
    assert_eq!(content["m.relates_to"], json!({ "m.in_reply_to": { "event_id": "$a" } }));
}

#[test]
fn what_needs_a_person_rings_for_them_and_its_edit_does_not_ring_again() {
    let ring = Ring::These(vec![owned_user_id!("@ann:one.example")]);
    let content = message(&drawn(), None, &ring);
    assert_eq!(content["msgtype"], "m.text");
    assert_eq!(content["m.mentions"], json!({ "user_ids": ["@ann:one.example"] }));

    let edit = replacement(&drawn(), event_id!("$a"), &ring);
    assert_eq!(edit["m.mentions"], json!({}));
    assert_eq!(edit["m.new_content"]["m.mentions"], json!({}));
    assert_eq!(edit["m.new_content"]["body"], "Done");
    assert_eq!(edit["m.relates_to"], json!({ "rel_type": "m.replace", "event_id": "$a" }));
}
