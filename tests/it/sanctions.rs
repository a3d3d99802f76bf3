//! Changes that end by themselves.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use world::{Account, Message, Scene};

use crate::{
    SYNOD,
    support::{is, offered, says, told_in_reply},
};

async fn set_suspended(scene: &Scene, eve: &Account, to: bool) -> Result<()> {
    let path = format!("/_synapse/admin/v1/suspend/{}", eve.user_id);
    let (status, _) = scene.synapse().admin().put(&path, json!({ "suspend": to })).await?;
    assert_eq!(status, 200);
    Ok(())
}

/// Everything of an account and a room that a sanction can touch.
async fn state(scene: &Scene, eve: &Account, room: &str) -> Result<[Value; 3]> {
    let api = scene.synapse().admin();
    let limit = format!("/_synapse/admin/v1/users/{}/override_ratelimit", eve.user_id);
    let block = format!("/_synapse/admin/v1/rooms/{room}/block");
    let blocked = api.get(&block).await?.1["block"].clone();
    Ok([api.account(&eve.user_id).await?, api.get(&limit).await?.1, blocked])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sanction_ends_by_itself_and_the_room_is_told() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (id, room) = (&eve.user_id, "!nobody-knows-it:elsewhere.example");
    let before = state(&scene, &eve, room).await?;
    for command in [
        format!("!user suspend {id}"),
        format!("!user lock {id}"),
        format!("!user shadow-ban {id}"),
        format!("!user ratelimit set {id} --messages-per-second 1 --burst-count 2"),
        format!("!room block {room}"),
    ] {
        let imposed = scene.ann_asks(&format!("{command} --for 3s --reason \"a test\"")).await?;
        says(&imposed, "Done", &["Ends: by itself, "]);
        assert_ne!(state(&scene, &eve, room).await?, before, "{command}");
        let lifted = told_in_reply(&scene, &imposed, "undid it as planned").await?;
        assert!(lifted.body.starts_with("Done · "), "{}", lifted.body);
        assert!(lifted.mentions.is_empty(), "it needs nobody");
        assert_eq!(state(&scene, &eve, room).await?, before, "{command}");
        let undo = scene.ann_asks(offered(&imposed, "!undo")?).await?;
        says(&undo, "Nothing changed", &["already been undone"]);
    }
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lifting_ends_what_has_an_end_and_nothing_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let number =
        |answer: &Message| -> Result<String> { crate::support::digits(&answer.body, "!undo ") };
    let suspended = scene.ann_asks(&format!("!user suspend {} --for 3d", eve.user_id)).await?;
    let freed = scene.ann_asks(&format!("!user unsuspend {}", eve.user_id)).await?;
    says(&freed, "Done", &[]);
    let lift = format!("!sanction lift {}", number(&freed)?);
    let refused = scene.ann_asks(&lift).await?;
    says(&refused, "Not found", &["is not a temporary measure", "!sanction list"]);
    assert!(!is(&scene, &eve, "suspended").await?, "lifting has suspended somebody");
    let over = scene.ann_asks(&format!("!sanction lift {}", number(&suspended)?)).await?;
    says(&over, "Nothing changed", &["has ended, by"]);

    // A suspension without an end is not lifted either: its undo takes it back.
    let forever = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    let refused = scene.ann_asks(&format!("!sanction lift {}", number(&forever)?)).await?;
    says(&refused, "Not found", &["is not a temporary measure"]);
    assert!(is(&scene, &eve, "suspended").await?);
    scene.ann_asks(offered(&forever, "!undo")?).await?;
    let suspended = scene.ann_asks(&format!("!user suspend {} --for 3d", eve.user_id)).await?;
    let lifted = scene.ann_asks(&format!("!sanction lift {}", number(&suspended)?)).await?;
    says(&lifted, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_due_while_the_bot_was_down_is_lifted_at_the_next_start() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let imposed = scene.ann_asks(&format!("!user suspend {} --for 8s", eve.user_id)).await?;
    says(&imposed, "Done", &["Ends"]);
    scene.bot()?.kill().await?;
    assert!(is(&scene, &eve, "suspended").await?);
    scene.bot()?.start_again().await?;
    told_in_reply(&scene, &imposed, "undid it as planned").await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_changed_is_told_and_left_alone() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let imposed = scene.ann_asks(&format!("!user suspend {} --for 8s", eve.user_id)).await?;
    says(&imposed, "Done", &["Ends"]);
    set_suspended(&scene, &eve, false).await?;
    let left = told_in_reply(&scene, &imposed, "did not lift it").await?;
    says(&left, "Nothing changed", &["suspended was yes and is no"]);
    assert_eq!(left.mentions, [scene.ann().user_id().clone()], "somebody should look at it");
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_so_already_says_by_whom_and_does_not_end() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let suspend = |account: &Account| format!("!user suspend {} --for 3d", account.user_id);

    set_suspended(&scene, &sam, true).await?;
    let by_hand = scene.ann_asks(&suspend(&sam)).await?;
    says(&by_hand, "Nothing changed", &["not done through me", "does not end"]);
    set_suspended(&scene, &sam, false).await?;

    let plain = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    says(&plain, "Done", &[]);
    let again = scene.ann_asks(&suspend(&sam)).await?;
    let by_ann = format!("by {}, #", scene.ann().user_id());
    says(&again, "Nothing changed", &["already", &by_ann, "does not end by itself"]);
    says(&scene.ann_asks(&format!("!user unsuspend {}", sam.user_id)).await?, "Done", &[]);
    set_suspended(&scene, &sam, true).await?;
    let otherwise = scene.ann_asks(&suspend(&sam)).await?;
    says(&otherwise, "Nothing changed", &["not done through me"]);

    let imposed = scene.ann_asks(&suspend(&eve)).await?;
    let number = offered(&imposed, "!undo")?.trim_start_matches("!undo ").to_owned();
    let again = scene.ann_asks(&suspend(&eve)).await?;
    says(&again, "Nothing changed", &["It ends by itself, ", &format!("#{number}")]);
    let details = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    says(&details, "", &["Ends by itself:", &format!("#{number}")]);

    let listed = scene.ann_asks("!sanction").await?;
    says(&listed, "One temporary measure", &[&number, "in 2 days"]);
    let moved = scene.ann_asks(&format!("!sanction extend {number} --for 1d")).await?;
    says(&moved, "Done", &["Ended: ", "Ends: "]);
    says(&scene.ann_asks("!sanction list").await?, "One", &["in 3 days"]);
    let back = scene.ann_asks(offered(&moved, "!sanction extend")?).await?;
    says(&back, "Done", &[]);
    says(&scene.ann_asks("!sanction list").await?, "One", &["in 2 days"]);
    assert!(is(&scene, &eve, "suspended").await?);

    says(
        &scene.ann_asks(&format!("!sanction lift {number}")).await?,
        "Done",
        &["is no longer suspended"],
    );
    assert!(!is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    for verb in ["lift lena", "extend lena --for 1d"] {
        let refused = scene.ann_asks(&format!("!sanction {verb}")).await?;
        says(&refused, "Not understood", &["by its number, such as 17", "!sanction list"]);
    }
    let over = scene.ann_asks(&format!("!sanction extend {number} --for 1d")).await?;
    says(&over, "Nothing changed", &["has ended"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_below_ends_it_early() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    let imposed = scene.ann_asks(&format!("!user suspend {id} --for 3d")).await?;
    let number = offered(&imposed, "!undo")?.trim_start_matches("!undo ").to_owned();
    let moe = scene.moe().await?;
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    for early in [
        format!("!user unsuspend {id}"),
        format!("!undo {number}"),
        format!("!sanction lift {number}"),
        format!("!sanction extend {number} --until {tomorrow}"),
    ] {
        let answer = scene.ask(moe, &early).await?;
        assert!(answer.body.starts_with("Refused · "), "{early}: {}", answer.body);
        assert!(is(&scene, &eve, "suspended").await?, "{early}");
    }
    let later = scene.ask(moe, &format!("!sanction extend {number} --for 1d")).await?;
    says(&later, "Done", &[]);
    let vic = scene.vic().await?;
    let extend = format!("!sanction extend {number} --for 1d");
    says(&scene.ask(vic, &extend).await?, "Refused", &["the role"]);
    says(&scene.ann_asks(&format!("!user unsuspend {id}")).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_none_is_refused_and_nothing_is_done() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    for (end, says_why) in [
        ("--for 3m", "min or mo"),
        ("--for soon", "such as 3d"),
        ("--until 03/04", "2026-11-01"),
        ("--until 2020-01-01", "that date is in the past"),
        ("--for 3d --until 2030-01-01", "cannot"),
        ("--for 19000y", "that time is too long"),
    ] {
        let answer = scene.ann_asks(&format!("!user suspend {id} {end}")).await?;
        says(&answer, "Not understood", &[says_why]);
    }
    let look = scene.ann_asks(&format!("!user ratelimit {id} --for 3d")).await?;
    says(&look, "Not understood", &["only looks"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    Ok(())
}
