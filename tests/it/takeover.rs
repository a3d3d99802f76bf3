//! What it takes to speak as somebody else: the account of an operator, and the key by which the
//! bot knows them.

use anyhow::{Context as _, Result};
use world::{Account, Message, Person, Scene};

use crate::{
    SYNOD,
    secrets::direct_room,
    support::{code, digits, is, says},
};

/// The end of the key that somebody has now, as it is typed to accept it.
async fn tail(person: &Person) -> Result<String> {
    let key = person.master_key().await?;
    Ok(key.get(key.len() - 6..).context("a key has six characters")?.to_owned())
}

/// The bot's news of the key that `person` has now, as `reader` has it.
async fn news(scene: &Scene, reader: &Person, person: &Person) -> Result<Message> {
    let key = person.master_key().await?;
    let told = |message: &Message| {
        let unasked = message.reply_to.is_none() && message.sender == *scene.bot_id();
        unasked && message.body.contains(&key)
    };
    reader.wait_for("the news of the key", told).await
}

/// Whether the password of an account lets somebody in.
async fn lets_in(scene: &Scene, account: &Account) -> bool {
    scene.synapse().log_in(account).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_takes_an_admin_who_is_another_person_in_sight_of_all_admins() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    // Ann and moe are one person; vic is somebody else.
    let config = scene
        .config()
        .operator_key(scene.ann().user_id(), "person", "ann")
        .operator_key(&moe.user_id, "person", "ann")
        .operator_key(&moe.user_id, "role", "admin")
        .operator_key(&vic.user_id, "role", "admin");
    scene.start_bot(SYNOD, &config).await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let eve = scene.subject("eve").await?;
    for person in [ann, moe, vic] {
        says(&scene.ask(person, "!me").await?, "", &["Role: admin"]);
    }

    ann.reset_identity().await?;
    let suspend = format!("!user suspend {}", eve.user_id);
    let said = ann.say(scene.room(), &suspend).await?;
    says(&scene.answer(ann, &said).await?, "Refused", &["not the one that I know"]);
    // Every other admin is rung, also one whom nobody needs for it.
    let told = news(&scene, vic, ann).await?;
    for admin in [moe, vic] {
        assert!(told.mentions.contains(admin.user_id()), "{:?}", told.mentions);
    }

    let accept = format!("!trust accept {} {}", ann.user_id(), tail(ann).await?);
    says(&scene.ask(moe, &accept).await?, "Refused", &["you cannot accept your own key"]);
    says(&scene.ann_asks(&suspend).await?, "Refused", &["not the one that I know"]);
    assert!(!is(&scene, &eve, "suspended").await?, "her other account made it count");

    says(&scene.ask(vic, &accept).await?, "Done", &[&ann.master_key().await?]);
    says(&scene.ann_asks(&suspend).await?, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);
    // Who looks finds that it changed, who tried, and who accepted it.
    let record = scene.ask(moe, "!audit list --limit 20").await?;
    says(&record, "", &["now has the", "accepted the master key", "refused"]);
    let line = record.body.lines().find(|line| line.contains("now has the"));
    let number = line.and_then(|line| line.rsplit_once('#')).context("it has a number")?.1;
    let changed = format!("{} now has the master key {}", ann.user_id(), ann.master_key().await?);
    says(&scene.ask(moe, &format!("!audit show {number}")).await?, "", &[&changed]);
    let by_vic = format!("!audit list --by {}", vic.user_id());
    says(&scene.ask(moe, &by_vic).await?, "", &["accepted the master key"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_admin_makes_another_operator_their_own_without_a_second_person() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe_account, vic, _] = scene.accounts();
    let config = scene.config().operator_key(&vic.user_id, "role", "admin");
    scene.start_bot(SYNOD, &config).await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let eve = scene.subject("eve").await?;
    for person in [ann, moe, vic] {
        says(&scene.ask(person, "!me").await?, "", &["Role:"]);
    }
    let id = moe.user_id();

    // Ann's direct room, in which secrets are told, is there already.
    let way = format!("!user password {}", eve.user_id);
    says(&scene.ann_asks(&way).await?, "Refused", &["direct room"]);
    let direct = direct_room(ann).await?;
    ann.sees_joined(&direct, scene.bot_id()).await?;

    // Whoever has ann's session begins with moe's account: every way into it takes vic.
    for verb in ["user password", "user login", "user cross-signing-reset"] {
        let question = scene.ann_asks(&format!("!{verb} {id}")).await?;
        says(&question, "", &["since it is protected", "!approve"]);
        assert_eq!(question.mentions, [vic.user_id().clone()], "{verb}: {:?}", question.raw);
        let number = digits(&question.body, "!approve")?;
        for word in ["confirm", "approve"] {
            let own = format!("!{word} {number} {}", id.localpart());
            says(&scene.ann_asks(&own).await?, "Refused", &[]);
        }
        let denied = scene.ask(vic, &format!("!deny {number}")).await?;
        says(&denied, "Nothing changed", &["denied"]);
    }
    assert!(lets_in(&scene, moe_account).await, "his password is another one");

    // Should it be had elsewhere: neither a device of their own nor a key of their own is his.
    let suspend = format!("!user suspend {}", eve.user_id);
    let thief = moe.login_unsigned_device().await?;
    let said = thief.say(scene.room(), &suspend).await?;
    says(&scene.answer(ann, &said).await?, "Refused", &["not verified"]);
    moe.reset_identity().await?;
    let said = moe.say(scene.room(), &suspend).await?;
    says(&scene.answer(ann, &said).await?, "Refused", &["not the one that I know"]);
    let told = news(&scene, vic, moe).await?;
    assert!(told.mentions.contains(vic.user_id()), "{:?}", told.mentions);
    let own = moe.say(scene.room(), &format!("!trust accept {id} {}", tail(moe).await?)).await?;
    says(&scene.answer(ann, &own).await?, "Refused", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);

    // A look at the key before it is accepted is what is left to the admins.
    let listed = scene.ask(vic, "!trust list").await?;
    assert!(!listed.body.contains(&moe.master_key().await?), "{}", listed.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_config_names_the_keys_no_other_is_believed_not_even_the_first() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe_account, vic_account, _] = scene.accounts();
    // Somebody was at the homeserver first: the key that it shows for moe is not his.
    let (ann, stranger) = (scene.ann(), scene.stranger().await?);
    let config = scene
        .config()
        .set("trust", "verified")
        .operator_key(ann.user_id(), "master_key", ann.master_key().await?)
        .operator_key(&moe_account.user_id, "role", "admin")
        .operator_key(&moe_account.user_id, "master_key", stranger.master_key().await?)
        .without_operator(&vic_account.user_id);
    scene.start_bot(SYNOD, &config).await?;
    let (moe, eve) = (scene.moe().await?, scene.subject("eve").await?);
    let suspend = format!("!user suspend {}", eve.user_id);
    says(&scene.ask(moe, &suspend).await?, "Refused", &["not the one that I know"]);
    assert!(!is(&scene, &eve, "suspended").await?);

    // Nor does another admin make it count, nor time, nor a restart.
    let accept = format!("!trust accept {} {}", moe.user_id(), tail(moe).await?);
    says(&scene.ann_asks(&accept).await?, "Refused", &["config"]);
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    says(&scene.ask(moe, &suspend).await?, "Refused", &["not the one that I know"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    let listed = scene.ann_asks("!trust list").await?;
    says(&listed, "", &[&stranger.master_key().await?, &ann.master_key().await?]);

    // Whose key stands there is served, also for what takes a code.
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    says(&scene.ann_asks(&confirm).await?, "Done", &[]);
    assert!(is(&scene, &eve, "deactivated").await?);
    Ok(())
}
