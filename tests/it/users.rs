//! Accounts on a real homeserver: making, opening and pruning them, and what is known of them.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Account, PATIENCE, Person, Scene};

use crate::{
    SYNOD,
    secrets::{direct_room, secret_told},
    support::{devices, is, offered, says, with_device, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_with_a_password_that_only_the_asker_knows() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let name = format!("new-{}", scene.bot_id().localpart());
    let register = format!("!user register {name} --display-name \"Somebody New\"");
    says(&scene.ann_asks(&format!("!user available {name}")).await?, "", &["is free"]);
    says(&scene.ann_asks(&register).await?, "Refused", &["only you may read"]);

    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    let done = with_yes(&scene, &register).await?;
    says(&done, "Done", &["is created", "Somebody New", "Server admin: no", "user deactivate"]);
    let user_id = format!("@{name}:synod.test").try_into()?;
    let new = Account { user_id, password: secret_told(&scene, &direct, mark).await? };
    scene.synapse().log_in(&new).await?;
    assert!(!done.body.contains(&new.password));

    says(&scene.ann_asks(&register).await?, "Refused", &["already exists"]);
    let taken = scene.ann_asks(&format!("!user available @{name}:synod.test")).await?;
    says(&taken, "", &["is taken", "!user details"]);
    says(&scene.ann_asks("!user available 12345").await?, "", &["cannot be"]);
    says(&scene.ann_asks("!user available _bridge_x").await?, "", &["bridge"]);
    says(&scene.ann_asks("!user register _bridge_x").await?, "Refused", &["bridge"]);
    let elsewhere = scene.ann_asks("!user register @new:elsewhere.example").await?;
    says(&elsewhere, "Refused", &["another server"]);
    let data = scene.ann_asks(&format!("!user available {name} -o json")).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data, json!({"available": false, "errcode": "M_USER_IN_USE"}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_account_is_opened_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    // Before its updates are through a new homeserver fails at opening an account.
    scene.synapse().log().wait_for("No more background updates", 0, 4 * PATIENCE).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let command = format!("!user reactivate {}", eve.user_id);
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["is not deactivated"]);
    for account in [&eve, &sam] {
        with_yes(&scene, &format!("!user deactivate {}", account.user_id)).await?;
    }
    let done = with_yes(&scene, &command).await?;
    says(&done, "Done", &["reactivated", "!user password", "No undo"]);
    assert!(!is(&scene, &eve, "deactivated").await? && is(&scene, &sam, "deactivated").await?);
    // Of these two only one is listed where only the deactivated are wanted.
    let tag = sam.user_id.localpart().trim_start_matches("sam-");
    let listed = scene.ann_asks(&format!("!user list --only-deactivated -n {tag}")).await?;
    says(&listed, "", &[sam.user_id.as_str()]);
    assert!(!listed.body.contains(eve.user_id.as_str()), "{}", listed.body);
    let all = scene.ann_asks(&format!("!user list -d -n {tag}")).await?;
    says(&all, "", &[sam.user_id.as_str(), eve.user_id.as_str()]);
    let both = with_yes(&scene, &format!("{command} {}", sam.user_id)).await?;
    says(&both, "Done", &[sam.user_id.as_str(), "is not deactivated"]);
    assert!(!is(&scene, &sam, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_deactivates_all_that_fit_and_nobody_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let mut spam = Vec::new();
    for name in ["spam-a", "spam-b", "spam-c"] {
        spam.push(scene.subject(name).await?);
    }
    let other = scene.subject("other").await?;
    let (_, tag) = spam[0].user_id.localpart().split_once("-a-").context("a tag")?;
    let pattern = format!("\"@spam-[a-z]-{tag}:synod\\.test\"");
    let dry = scene.ann_asks(&format!("!user deactivate-regex {pattern} --dry-run")).await?;
    says(&dry, "Nothing changed", &[spam[0].user_id.as_str(), "would be deactivated"]);
    let command = format!("!user deactivate-regex {pattern}");
    let question = scene.ann_asks(&command).await?;
    says(&question, "Deactivate 3 accounts, ", &["Lost for each:"]);
    let confirm = format!("!confirm {}", crate::support::code(&question)?);
    says(&scene.ann_asks(&confirm).await?, "Refused", &[]);
    assert!(!is(&scene, &spam[0], "deactivated").await?);
    let done = scene.ann_asks(&format!("{confirm} 3")).await?;
    says(&done, "Done", &["3 accounts", "not erased"]);
    for account in &spam {
        assert!(is(&scene, account, "deactivated").await?);
    }
    assert!(!is(&scene, &other, "deactivated").await?);
    says(&scene.ann_asks(&command).await?, "Not found", &["no account matches"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_pruned_after_they_were_listed() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, seen) = with_device(&scene, "eve").await?;
    // Made, and never seen.
    let made = scene.ann_asks(&format!("!device create {} EMPTY -n Spare", eve.user_id)).await?;
    says(&made, "Make the device", &["EMPTY"]);
    let yes = scene.ann_asks(&format!("!confirm {}", crate::support::code(&made)?)).await?;
    says(&yes, "Done", &["EMPTY", "created", "Spare"]);
    let again = scene.ann_asks(&format!("!device create {} EMPTY", eve.user_id)).await?;
    says(&again, "Nothing changed", &["already"]);

    let young = scene.ann_asks(&format!("!user prune-devices {}", eve.user_id)).await?;
    says(&young, "Nothing changed", &["no devices to delete", "1 device never seen"]);
    let localpart = eve.user_id.localpart();
    let limits = "-d 0 -s 1 --never-seen";
    let list = scene.ann_asks(&format!("!user prune-devices {localpart} {limits} -l")).await?;
    says(&list, "Nothing changed", &["EMPTY", "would be deleted", "not known"]);
    let done = with_yes(&scene, &format!("!user prune-devices {localpart} {limits}")).await?;
    says(&done, "Done", &["EMPTY", "deleted and logged out"]);
    assert_eq!(devices(&scene, &eve).await?.as_slice(), std::slice::from_ref(&seen));

    let old = scene.ann_asks(&format!("!user prune-devices {localpart} -i {seen}")).await?;
    says(&old, "Nothing changed", &["no devices to delete"]);
    let all = format!("!user prune-devices {localpart} -d 0 -s 0 -i {seen} --never-seen");
    says(&with_yes(&scene, &all).await?, "Done", &[&seen]);
    assert!(devices(&scene, &eve).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_another_name_and_its_old_one_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, device) = with_device(&scene, "eve").await?;
    let path = format!("/_synapse/admin/v2/users/{}/devices/{device}", eve.user_id);
    let name =
        async || anyhow::Ok(scene.synapse().admin().get(&path).await?.1["display_name"].clone());
    let details = format!("!device details {}", eve.user_id);
    let shown = scene.ann_asks(&format!("{details} {device}")).await?;
    says(&shown, &device, &["Last seen: ", "!device rename", "!device delete"]);
    assert!(!shown.body.contains("127.0.0.1"), "no address was asked for: {}", shown.body);
    let shown = scene.ann_asks(&format!("{details} {device} --show-ip")).await?;
    says(&shown, &device, &["IP: “127.0.0.1”", "1 connection of the account"]);
    let none = scene.ann_asks(&format!("{details} NOSUCH")).await?;
    says(&none, "Not found", &["has no device", "!device list"]);
    let rename = format!("!device rename {} {device}", eve.user_id);
    let done = scene.ann_asks(&format!("{rename} \"Eve's phone\"")).await?;
    says(&done, "Done", &["renamed", "Eve's phone"]);
    assert_eq!(name().await?, "Eve's phone");
    let same = scene.ann_asks(&format!("{rename} \"Eve's phone\"")).await?;
    says(&same, "Nothing changed", &["already"]);
    scene.ann_asks(&format!("{rename} Other")).await?;
    let second = scene.ann_asks(&format!("{rename} Third")).await?;
    says(&scene.ann_asks(offered(&second, "!undo")?).await?, "Done", &[]);
    assert_eq!(name().await?, "Other");
    let none = scene.ann_asks(&format!("!device rename {} NOSUCH Name", eve.user_id)).await?;
    says(&none, "Not found", &["has no device"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_sign_on_lead_to_an_account() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let mail = format!("{}@mail.example", eve.user_id.localpart());
    let external = format!("id/{}", eve.user_id.localpart());
    let fields = json!({
        "threepids": [{"medium": "email", "address": mail}],
        "external_ids": [{"auth_provider": "oidc-test", "external_id": external}],
    });
    let path = format!("/_synapse/admin/v2/users/{}", eve.user_id);
    assert_eq!(scene.synapse().admin().put(&path, fields).await?.0, 200);

    for typed in [mail.clone(), mail.to_uppercase()] {
        let found = scene.ann_asks(&format!("!user 3pid {typed}")).await?;
        says(&found, eve.user_id.as_str(), &["has", "!user details"]);
    }
    says(
        &scene.ann_asks("!user 3pid nobody@mail.example").await?,
        "Not found",
        &["no account here"],
    );
    let masked = scene.ann_asks(&format!("!user 3pid {}", eve.user_id)).await?;
    says(&masked, eve.user_id.as_str(), &["email"]);
    assert!(!masked.body.contains(&mail), "{}", masked.body);
    let full = scene.ann_asks(&format!("!user 3pid {} --show-3pid", eve.user_id)).await?;
    says(&full, "", &[&mail, &external]);
    let data = scene.ann_asks(&format!("!user 3pid {} -o json", eve.user_id)).await?;
    assert!(data.body.contains("oidc-test") && !data.body.contains(&external), "{}", data.body);

    let found = scene.ann_asks(&format!("!user auth-provider {external} -p oidc-test")).await?;
    says(&found, eve.user_id.as_str(), &["logs in as"]);
    let none = scene.ann_asks(&format!("!user auth-provider {external} -p test")).await?;
    says(&none, "Not found", &["begin with oidc-"]);
    let vic = scene.vic().await?;
    for look in [format!("3pid {mail}"), format!("auth-provider {external} -p oidc-test")] {
        says(&scene.ask(vic, &format!("!user {look}")).await?, "Refused", &[]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_keep_is_shown_by_kind_and_in_full_only_when_asked() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let api = scene.synapse().api(&scene.synapse().log_in(&eve).await?.0);
    let id = &eve.user_id;
    for (kind, content) in [
        ("m.direct", json!({"@friend:synod.test": ["!a"]})),
        ("m.secret_storage.key.abc", json!({"iv": "s3cret"})),
    ] {
        let path = format!("/_matrix/client/v3/user/{id}/account_data/{kind}");
        assert_eq!(api.put(&path, content).await?.0, 200);
    }
    let pusher = json!({"app_id": "org.app", "app_display_name": "App", "kind": "http",
        "device_display_name": "Phone", "lang": "en", "pushkey": "the-push-key",
        "data": {"url": "https://push.example/_matrix/push/v1/notify"}});
    assert_eq!(api.post("/_matrix/client/v3/pushers/set", pusher).await?.0, 200);

    let kinds = scene.ann_asks(&format!("!user account-data {id}")).await?;
    says(&kinds, id.as_str(), &["m.direct", "m.secret_storage.key.abc"]);
    assert!(!kinds.body.contains("@friend"), "{}", kinds.body);
    for format in ["human", "json", "csv"] {
        let full = format!("!user account-data {id} --show-content -o {format}");
        let full = scene.ann_asks(&full).await?;
        says(&full, "", &["@friend:synod.test"]);
        assert!(!full.body.contains("s3cret"), "{}", full.body);
    }
    let pushers = scene.ann_asks(&format!("!user pushers {id}")).await?;
    says(&pushers, id.as_str(), &["1 pusher", "App", "Phone"]);
    let data = scene.ann_asks(&format!("!user pushers {id} -o json")).await?;
    for answer in [&pushers, &data] {
        assert!(!answer.body.contains("the-push-key"), "{}", answer.body);
        assert!(!answer.body.contains("push.example"), "{}", answer.body);
    }
    let keys = scene.ann_asks(&format!("!user pushers {id} --show-keys")).await?;
    says(&keys, id.as_str(), &["the-push-key", "push.example"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_joins_are_counted_for_those_who_exist() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let api = scene.synapse().api(&scene.synapse().log_in(&eve).await?.0);
    let room = json!({"preset": "private_chat", "invite": [sam.user_id]});
    let (status, room) = api.post("/_matrix/client/v3/createRoom", room).await?;
    assert_eq!(status, 200);
    let leave =
        format!("/_matrix/client/v3/rooms/{}/leave", room["room_id"].as_str().context("a room")?);
    assert_eq!(api.post(&leave, json!({})).await?.0, 200);

    let id = &eve.user_id;
    let sent = scene.ann_asks(&format!("!user invites {id}")).await?;
    says(&sent, id.as_str(), &["has sent 1 invitation"]);
    let joins = scene.ann_asks(&format!("!user joins {id} --since 1h")).await?;
    says(&joins, id.as_str(), &["has joined 1 room since 20", "In now: no rooms"]);
    let before = scene.ann_asks(&format!("!user invites {id} --since 2100-01-01")).await?;
    says(&before, id.as_str(), &["no invitations since 2100-01-01 00:00 UTC"]);
    let data = scene.ann_asks(&format!("!user joins {id} -o json")).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["cumulative_joined_room_count"], 1);
    // The homeserver would answer 0 for them.
    for look in ["invites", "joins"] {
        let nobody = scene.ann_asks(&format!("!user {look} nobody-at-all")).await?;
        says(&nobody, "Not found", &["no such user"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn experimental_features_are_switched_on_and_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let path = format!("/_synapse/admin/v1/experimental_features/{}", eve.user_id);
    let on = async || {
        anyhow::Ok(
            scene.synapse().admin().get(&path).await?.1["features"]["msc3881"] == json!(true),
        )
    };
    let command = format!("!user experimental {}", eve.user_id);
    says(&scene.ann_asks(&command).await?, eve.user_id.as_str(), &["On: none", "msc3881"]);
    let done = scene.ann_asks(&format!("{command} --enable msc3881")).await?;
    says(&done, "Done", &["On: msc3881"]);
    assert!(on().await?);
    let again = scene.ann_asks(&format!("{command} -e msc3881")).await?;
    says(&again, "Nothing changed", &["already"]);
    says(&scene.ann_asks(offered(&done, "!undo")?).await?, "Done", &["On: none"]);
    assert!(!on().await?);
    // The homeserver fails over somebody who does not exist.
    let nobody = scene.ann_asks("!user experimental nobody-at-all -e msc3881").await?;
    says(&nobody, "Not found", &["no such user"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_be_replaced_for_ten_minutes_and_an_end_is_set() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    Person::login(scene.synapse(), eve.user_id.localpart(), &eve.password).await?;
    let done = with_yes(&scene, &format!("!user cross-signing-reset {}", eve.user_id)).await?;
    says(&done, "Done", &["may now replace its cross-signing keys", "Until: 20", "in 10 min"]);
    // Who has no keys has none to replace.
    let none = with_yes(&scene, &format!("!user cross-signing-reset {}", sam.user_id)).await?;
    says(&none, "Not found", &["nothing was done", "has no cross-signing keys"]);

    let validity = format!("!user validity {} -e 2100-01-01", eve.user_id);
    says(&with_yes(&scene, &validity).await?, "Done", &["2100-01-01"]);
    says(&scene.ann_asks("!user validity eve -t 1900000000").await?, "Not understood", &[]);
    let nobody = scene.ann_asks("!user validity nobody-at-all -e 2100-01-01").await?;
    says(&nobody, "Not found", &["no such user"]);
    Ok(())
}
