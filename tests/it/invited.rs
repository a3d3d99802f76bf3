//! The open invitations of a spammer are found, withdrawn in the name of who has sent them, and declined in
//! the names of the invited where that is not possible.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    kicked::{is_ended, join, stands},
    support::{api, code, devices, make, says, watched, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn open_invitations_are_listed_withdrawn_and_declined() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let [eve, sam, tom] =
        [scene.subject("eve").await?, scene.subject("sam").await?, scene.subject("tom").await?];
    let (by_eve, by_tom) = (api(&scene, &eve).await?, api(&scene, &tom).await?);
    let own = (devices(&scene, &eve).await?, devices(&scene, &tom).await?);
    let [id, sam, tom_id] = [&eve, &sam, &tom].map(|account| account.user_id.as_str());
    let of = |option: &str| format!("!user invites {id} {option}");
    says(&scene.ann_asks(&of("--open")).await?, id, &["has no open invitations"]);
    says(&scene.ann_asks(&of("--withdraw")).await?, "Not found", &["no open invitations"]);

    let room = json!({"preset": "private_chat", "room_version": "11", "invite": [sam, tom_id]});
    let room = make(&by_eve, room).await?;
    let direct = json!({"preset": "trusted_private_chat", "room_version": "11",
                        "is_direct": true, "invite": [tom_id]});
    let direct = make(&by_eve, direct).await?;
    join(&by_tom, &room).await?;
    let open = scene.ann_asks(&of("--open")).await?;
    let count = "has 2 open invitations, in 2 rooms";
    says(&open, id, &[count, sam, &room, tom_id, &direct, "--withdraw"]);
    let data = scene.ann_asks(&of("--open -o csv")).await?;
    assert!(data.body.contains(&format!("{room},{sam},{id}")), "{}", data.body);
    let moe = scene.moe().await?;
    says(&scene.ask(moe, &of("--withdraw")).await?, "Refused", &["the role admin"]);

    // In a direct chat both have the same power, so that neither can remove the other.
    let question = scene.ann_asks(&of("--withdraw")).await?;
    says(&question, "Withdraw 1 invitation", &[&room, &direct, "takes the account over"]);
    assert!(proxy.changes().is_empty(), "a question withdraws nothing");
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &[&room, sam, "withdrawn"]);
    assert_eq!(stands(&scene, sam, &room).await?, ("leave".to_owned(), id.to_owned()));
    assert_eq!(stands(&scene, tom_id, &room).await?.0, "join", "who has joined stays");
    assert_eq!(stands(&scene, tom_id, &direct).await?.0, "invite");
    let kick = proxy.changes().into_iter().find(|passed| passed.path.ends_with("/kick"));
    is_ended(&scene, &kick.context("it was withdrawn")?.token).await?;
    let refused = scene.ann_asks(&of("--withdraw")).await?;
    says(&refused, "Refused", &["neither", id, "--reject"]);

    let done = with_yes(&scene, &of("--reject")).await?;
    says(&done, "Done", &[&direct, tom_id, "declined"]);
    assert_eq!(stands(&scene, tom_id, &direct).await?, ("leave".to_owned(), tom_id.to_owned()));
    let left = proxy.changes().into_iter().find(|passed| passed.path.ends_with("/leave"));
    is_ended(&scene, &left.context("it was declined")?.token).await?;
    says(&scene.ann_asks(&of("--open")).await?, id, &["has no open invitations"]);
    assert_eq!((devices(&scene, &eve).await?, devices(&scene, &tom).await?), own);
    Ok(())
}
