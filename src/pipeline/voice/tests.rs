use super::*;
use crate::{pipeline::testing::Stage, reply::Layout};

fn drawn(status: Option<Status>, error: &Unsent) -> String {
    let file = || File::new("job-7.csv", mime::TEXT_CSV_UTF_8, b"subject\n@eve:x\n".to_vec());
    let reply = match status {
        Some(status) => Reply::outcome(status, "3 of 4: `user suspend`"),
        None => Reply::data("4 accounts, all of them in a file"),
    };
    unattached(&reply.attaching(file()), &file(), error).markdown(&Layout::default())
}

#[test]
fn what_was_done_stays_said_where_its_file_cannot_be_sent() {
    let refused = Unsent::Refused("no".into());
    let done = drawn(Some(Status::DoneInPart), &refused);
    assert!(done.contains("Done in part") && done.contains("3 of 4"), "{done}");
    assert!(done.contains("I could not send") && done.contains("@eve:x"), "{done}");
    let look = drawn(None, &Unsent::TooLarge);
    assert!(look.contains("Failed") && look.contains("ask for less at a time"), "{look}");
    assert!(!look.contains("all of them in a file"), "there is none: {look}");
    assert!(look.contains("It has 2 lines") && look.contains("@eve:x"), "{look}");
}

#[tokio::test]
async fn while_nobody_could_read_it_nothing_is_changed_and_a_freeze_holds() {
    let stage = Stage::set("http://127.0.0.1:9", "token");
    stage.heard.ail(Some(Ailment::Unsigned));
    let refused =
        ["!user suspend @eve:synod.test", "!trust accept @moe:synod.test AAAAAA", "!unfreeze"];
    for command in refused {
        stage.say("ann", command).await;
    }
    stage.say("ann", "!freeze").await;
    stage.say("moe", "!unfreeze").await;
    assert!(stage.pipeline.freeze_control.bot_frozen().is_some());
    assert!(stage.pipeline.audit.left_open().unwrap().is_empty(), "a change was begun");

    stage.heard.ail(None);
    stage.pipeline.voice.backlog().say_all().await;
    let said = stage.heard.all();
    assert_eq!(said.len(), refused.len() + 2, "{said:?}");
    let (first, rest) = said.split_first().unwrap();
    assert!(first.contains("frozen"), "the freeze is told first: {said:?}");
    assert!(rest.iter().all(|one| one.contains("nobody could read what I say")), "{rest:?}");
}
