//! Media on a real homeserver: quarantine by content, and the way out of it.

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Api, Fault, Options, Scene, Synapse};

use crate::{
    SYNOD,
    support::{api, code, is, offered, says, watched, with_yes},
};

/// Bytes that no other test uploads: what has the same content shares its fate.
fn picture(scene: &Scene) -> Vec<u8> {
    scene.bot_id().as_bytes().to_vec()
}

fn path_of(mxc: &str) -> Result<&str> {
    mxc.strip_prefix("mxc://").context("an address")
}

/// Who has quarantined a file, null for nobody.
async fn quarantined_by(scene: &Scene, mxc: &str) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/media/{}", path_of(mxc)?);
    Ok(scene.synapse().admin().get(&path).await?.1["media_info"]["quarantined_by"].clone())
}

/// The status with which a download is answered.
async fn download(api: &Api, mxc: &str) -> Result<u16> {
    Ok(api.get(&format!("/_matrix/client/v1/media/download/{}", path_of(mxc)?)).await?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_goes_by_the_content_and_so_does_its_undo() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let file = by_eve.upload(picture(&scene), "image/png", "cat.png").await?;
    let copy = by_eve.upload(picture(&scene), "image/png", "again.png").await?;
    let other = by_sam.upload(picture(&scene), "image/png", "mine.png").await?;
    assert_eq!(download(&by_sam, &file).await?, 200);

    let free = scene.ann_asks(&format!("!media unquarantine {file}")).await?;
    says(&free, "Nothing changed", &["is not in quarantine"]);
    let moe = scene.moe().await?;
    let done = scene.ask(moe, &format!("!media quarantine {file}")).await?;
    says(&done, "Done", &[&file, "cat.png", eve.user_id.as_str(), "1 more by the same account"]);
    for one in [&file, &copy, &other] {
        assert_eq!(quarantined_by(&scene, one).await?, json!(scene.keeper().user_id), "{one}");
        assert_eq!(download(&by_sam, one).await?, 404);
    }
    let again = scene.ann_asks(&format!("!media quarantine -U {file}")).await?;
    says(&again, "Nothing changed", &["already"]);

    let undone = scene.ann_asks(offered(&done, "!undo")?).await?;
    says(&undone, "Done", &["released from quarantine", "Released with it"]);
    for one in [&file, &copy, &other] {
        assert_eq!(quarantined_by(&scene, one).await?, Value::Null, "{one}");
    }
    assert_eq!(download(&by_sam, &file).await?, 200);

    let (_, id) = path_of(&other)?.split_once('/').context("server and id")?;
    says(&scene.ann_asks(&format!("!media quarantine -i {id}")).await?, "Done", &[&other]);
    let released = scene.ann_asks(&format!("!media unquarantine -i {id} -s synod.test")).await?;
    says(&released, "Done", &["released from quarantine"]);
    assert_eq!(quarantined_by(&scene, &other).await?, Value::Null);
    says(&scene.ann_asks(offered(&released, "!undo")?).await?, "Done", &["quarantined"]);
    assert_eq!(quarantined_by(&scene, &other).await?, json!(scene.keeper().user_id));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_an_account_or_a_room_is_quarantined_and_comes_back_but_what_was_so()
-> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let file = |name: &str| format!("{name} of {}", eve.user_id).into_bytes();
    let mut files = Vec::new();
    for name in ["one.png", "two.png", "kept.png", "before.png"] {
        files.push(by_eve.upload(file(name), "image/png", name).await?);
    }
    let [one, two, kept, before] = files.as_slice() else { bail!("four files") };
    let foreign = by_sam.upload(file("mine.png"), "image/png", "mine.png").await?;
    says(&scene.ann_asks(&format!("!media protect {kept}")).await?, "Done", &[]);
    says(&scene.ann_asks(&format!("!media quarantine {before}")).await?, "Done", &[]);
    let ours = json!(scene.keeper().user_id);

    // The protected one and the one that is there already are named, and left out.
    let whole = format!("!media quarantine --user-id {}", eve.user_id);
    let question = scene.ann_asks(&whole).await?;
    says(&question, "", &["protected", kept, before, "already"]);
    for free in [one, two] {
        assert_eq!(quarantined_by(&scene, free).await?, Value::Null);
    }
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &[one, two]);
    for (file, by) in [(one, &ours), (two, &ours), (before, &ours), (kept, &Value::Null)] {
        assert_eq!(quarantined_by(&scene, file).await?, *by, "{file}");
    }
    assert_eq!(quarantined_by(&scene, &foreign).await?, Value::Null);
    let question = scene.ann_asks(offered(&done, "!undo")?).await?;
    says(&scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?, "Done", &[]);
    for (file, by) in [(one, &Value::Null), (two, &Value::Null), (before, &ours)] {
        assert_eq!(quarantined_by(&scene, file).await?, *by, "{file}");
    }

    let made = by_eve.post("/_matrix/client/v3/createRoom", json!({})).await?.1;
    let room = made["room_id"].as_str().context("a room")?;
    for (n, url) in [one, &foreign].into_iter().enumerate() {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{n}");
        let image = json!({ "msgtype": "m.image", "body": "a picture", "url": url });
        assert_eq!(by_eve.put(&path, image).await?.0, 200);
    }
    let question = scene.ann_asks(&format!("!media quarantine -r {room}")).await?;
    says(&question, "", &["files in encrypted messages"]);
    says(&scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?, "Done", &[]);
    for (file, by) in [(one, &ours), (&foreign, &ours), (two, &Value::Null)] {
        assert_eq!(quarantined_by(&scene, file).await?, *by, "{file}");
    }
    for (command, word, why) in [
        ("!media quarantine -u @nobody-at-all".to_owned(), "Not found", "there is no account"),
        ("!media quarantine -u @bob:elsewhere.example".to_owned(), "Refused", "--room-id"),
        (
            format!("!media quarantine -u {}", scene.stranger().await?.user_id()),
            "Nothing changed",
            "no file",
        ),
        (
            "!media quarantine -r !nowhere:synod.test".to_owned(),
            "Not found",
            "does not know the room",
        ),
    ] {
        says(&scene.ann_asks(&command).await?, word, &[why]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_protected_files_are_refused_though_the_homeserver_says_yes() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let file = api(&scene, &eve).await?.upload(picture(&scene), "image/png", "cat.png").await?;
    let (_, id) = path_of(&file)?.split_once('/').context("server and id")?;
    let protect = format!("/_synapse/admin/v1/media/protect/{id}");
    assert_eq!(scene.synapse().admin().post(&protect, json!({})).await?.0, 200);
    let protected = scene.ann_asks(&format!("!media quarantine {file}")).await?;
    says(&protected, "Refused", &["is protected from quarantine"]);
    assert_eq!(quarantined_by(&scene, &file).await?, Value::Null);

    for verb in ["quarantine", "unquarantine"] {
        let unknown = scene.ann_asks(&format!("!media {verb} mxc://synod.test/nosuchfile")).await?;
        says(&unknown, "Not found", &["no such file"]);
        let remote = format!("!media {verb} mxc://elsewhere.example/nosuchfile");
        says(&scene.ann_asks(&remote).await?, "Not found", &["no copy of it"]);
    }
    says(&scene.ann_asks("!media quarantine cat.png").await?, "Not understood", &["mxc://"]);
    let vic = scene.vic().await?;
    let viewer = scene.ask(vic, &format!("!media quarantine {file}")).await?;
    says(&viewer, "Refused", &["moderator"]);
    Ok(())
}

/// What the homeserver knows of a file, null where it has none.
async fn info(scene: &Scene, mxc: &str) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/media/{}", path_of(mxc)?);
    Ok(scene.synapse().admin().get(&path).await?.1["media_info"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_protected_stays_out_of_quarantine_until_that_ends() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let file = api(&scene, &eve).await?.upload(picture(&scene), "image/png", "cat.png").await?;
    let (_, id) = path_of(&file)?.split_once('/').context("server and id")?;
    let protected = async || {
        let is = info(&scene, &file).await?["safe_from_quarantine"].clone();
        anyhow::Ok(is == json!(true) || is == json!(1))
    };
    let done = scene.ann_asks(&format!("!media protect {id}")).await?;
    says(&done, "Done", &[&file, "protected from quarantine", "cat.png"]);
    assert!(protected().await?);
    let again = scene.ann_asks(&format!("!media protect {file}")).await?;
    says(&again, "Nothing changed", &["already"]);
    says(&scene.ann_asks(&format!("!media quarantine {file}")).await?, "Refused", &["protected"]);
    let details = scene.ann_asks(&format!("!media details {file}")).await?;
    says(&details, &file, &["cat.png", "Protected: from quarantine", "SHA-256", "Done through me"]);

    says(&scene.ann_asks(offered(&done, "!undo")?).await?, "Done", &["is no longer protected"]);
    assert!(!protected().await?);
    let free = scene.ann_asks(&format!("!media unprotect -i {id}")).await?;
    says(&free, "Nothing changed", &["is not protected"]);
    scene.ann_asks(&format!("!media quarantine {file}")).await?;
    let late = scene.ann_asks(&format!("!media protect {file}")).await?;
    says(&late, "Done", &["It is still in quarantine", "!media unquarantine"]);
    says(&scene.ann_asks("!media protect nosuchfile").await?, "Not found", &["no such file"]);
    let remote = scene.ann_asks("!media protect mxc://elsewhere.example/x").await?;
    says(&remote, "Refused", &["another server"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_deleted_whatever_protects_it_and_several_at_once() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let mut files = Vec::new();
    for name in ["one.png", "two.png", "three.png"] {
        files.push(by_eve.upload(picture(&scene), "image/png", name).await?);
    }
    let [one, two, three] = files.as_slice() else { panic!("three files") };
    scene.ann_asks(&format!("!media protect {one}")).await?;
    let question = scene.ann_asks(&format!("!media delete {one}")).await?;
    says(&question, "Delete", &[one, "one.png", "its protection, which is one from quarantine"]);
    assert_ne!(info(&scene, one).await?, Value::Null);
    let done = with_yes(&scene, &format!("!media delete {one}")).await?;
    says(&done, "Done", &[one, "deleted", "one.png", "No undo"]);
    assert_eq!(info(&scene, one).await?, Value::Null);
    says(&scene.ann_asks(&format!("!media delete {one}")).await?, "Not found", &["no such file"]);

    let both = scene.ann_asks(&format!("!media delete {two} {three} {two}")).await?;
    says(&both, "Delete 2 files, ", &["two.png", "three.png"]);
    let confirm = format!("!confirm {} 2", code(&both)?);
    says(&scene.ann_asks(&confirm).await?, "Done", &["2 files"]);
    assert_eq!(info(&scene, two).await?, Value::Null);
    assert_eq!(info(&scene, three).await?, Value::Null);
    let remote = scene.ann_asks("!media delete mxc://elsewhere.example/x").await?;
    says(&remote, "Refused", &["another server", "!media purge"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_an_account_goes_and_nothing_of_anybody_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    // More than the homeserver deletes where nothing is said.
    for _ in 0..101 {
        by_eve.upload(picture(&scene), "image/png", "cat.png").await?;
    }
    let other = api(&scene, &sam).await?.upload(picture(&scene), "image/png", "mine.png").await?;
    let command = format!("!media delete-user {}", eve.user_id);
    let question = scene.ann_asks(&command).await?;
    says(&question, "Delete everything", &[eve.user_id.as_str(), "101 files"]);
    let done = with_yes(&scene, &command).await?;
    says(&done, "Done", &["no files left here", "Deleted: 101", "Left: 0"]);
    let path = format!("/_synapse/admin/v1/users/{}/media", eve.user_id);
    assert_eq!(scene.synapse().admin().get(&path).await?.1["total"], 0);
    assert_ne!(info(&scene, &other).await?, Value::Null);
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["has no files"]);
    let nobody = scene.ann_asks("!media delete-user nobody-at-all").await?;
    says(&nobody, "Not found", &["no such user"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_and_large_goes_and_what_is_protected_stays() -> Result<()> {
    // It is about every large file there is, so nobody else may have one.
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let large = by_eve.upload(vec![1; 3_200_000], "video/mp4", "large.mp4").await?;
    let kept = by_eve.upload(vec![2; 3_200_000], "video/mp4", "kept.mp4").await?;
    let small = by_eve.upload(picture(&scene), "image/png", "small.png").await?;
    scene.ann_asks(&format!("!media protect {kept}")).await?;
    let command = "!media delete --before-days 0 --size 3MB";
    let question = scene.ann_asks(command).await?;
    says(&question, "Delete every file of this server", &["larger than 2.9 MiB", "At most: "]);
    assert_ne!(info(&scene, &large).await?, Value::Null);
    let confirm = format!("!confirm {}", code(&question)?);
    says(&scene.ann_asks(&confirm).await?, "Refused", &[]);
    let done = scene.ann_asks(&format!("{confirm} synod.test")).await?;
    says(&done, "Done", &["1 file deleted"]);
    assert_eq!(info(&scene, &large).await?, Value::Null);
    for there in [&kept, &small] {
        assert_ne!(info(&scene, there).await?, Value::Null, "{there}");
    }
    let future = scene.ann_asks("!media delete --before 2100-01-01").await?;
    says(&future, "Not understood", &["in the future"]);
    let seconds = scene.ann_asks("!media purge --before-ts 1793491200").await?;
    says(&seconds, "Not understood", &[]);
    let purged = with_yes(&scene, "!media purge --before-days 30").await?;
    says(&purged, "Nothing changed", &["no such copy"]);
    let moe = scene.moe().await?;
    for bulk in ["!media purge -d 30", "!media delete -d 30"] {
        says(&scene.ask(moe, bulk).await?, "Refused", &["admin"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_room_are_listed_with_what_they_are() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let wanted = json!({"preset": "public_chat"});
    let (_, room) = by_eve.post("/_matrix/client/v3/createRoom", wanted).await?;
    let room = room["room_id"].as_str().context("a room")?;
    let file = by_eve.upload(picture(&scene), "image/png", "cat.png").await?;
    for n in 0..2 {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{n}");
        let image = json!({"msgtype": "m.image", "body": "cat.png", "url": file});
        assert_eq!(by_eve.put(&path, image).await?.0, 200);
    }
    for typed in [room.to_owned(), format!("-r {room}")] {
        let list = scene.ann_asks(&format!("!media list {typed}")).await?;
        says(&list, room, &["1 file, all shown", &file, "cat.png", "encrypted messages"]);
    }
    let data = scene.ann_asks(&format!("!media list {room} -o json")).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["media"], json!([{"mxc": file, "list": "local"}]));
    let own = scene.ann_asks(&format!("!media list -u {}", eve.user_id)).await?;
    says(&own, eve.user_id.as_str(), &["1 file", "cat.png"]);
    let nowhere = scene.ann_asks("!media list !nowhere:synod.test").await?;
    says(&nowhere, "Not found", &["does not know the room"]);

    // What other tests have done before is none of this one's business.
    let mut from = 0;
    loop {
        let path = format!("/_synapse/admin/v1/media/quarantine_changes?from={from}");
        let (_, page) = scene.synapse().admin().get(&path).await?;
        from = page["next_batch"].as_u64().context("a next page")?;
        if page["changes"].as_array().is_none_or(Vec::is_empty) {
            break;
        }
    }
    scene.ann_asks(&format!("!media quarantine {file}")).await?;
    let changes = scene.ann_asks(&format!("!media changes --from {from}")).await?;
    says(&changes, "", &[&file, "into quarantine"]);
    scene.ann_asks(&format!("!media unquarantine {file}")).await?;
    let page = scene.ann_asks(&format!("!media changes --from {from} --limit 1")).await?;
    let next = format!("--from {from}+1");
    // Nor is what they do meanwhile.
    says(&page, "1 change, and there are more", &[" quarantine", &next]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_with_all_that_it_has_uploaded_and_a_half_is_told_as_one() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let files = async |of: &Account| -> Result<u64> {
        let path = format!("/_synapse/admin/v1/users/{}/media", of.user_id);
        Ok(scene.synapse().admin().get(&path).await?.1["total"].as_u64().unwrap_or_default())
    };
    for account in [&eve, &sam] {
        let own = api(&scene, account).await?;
        for n in 0..2 {
            let content = [picture(&scene), format!("{n} of {}", account.user_id).into()].concat();
            own.upload(content, "image/png", "a.png").await?;
        }
    }
    let command = format!("!user deactivate {} --delete-media", eve.user_id);
    let question = scene.ann_asks(&command).await?;
    says(&question, "Deactivate", &["delete its files: 2 files, ", "protected"]);
    assert_eq!(files(&eve).await?, 2);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["is deactivated", "2 files deleted, 0 left"]);
    assert!(is(&scene, &eve, "deactivated").await?);
    assert_eq!((files(&eve).await?, files(&sam).await?), (0, 2), "nobody else's");
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["already deactivated"]);

    let refusal = json!({"errcode": "M_UNKNOWN", "error": "no"});
    let path = format!("/_synapse/admin/v1/users/%40{}", sam.user_id.localpart());
    let caught = proxy.next(Method::DELETE, &path, Fault::Answer(403, refusal));
    let command = format!("!user deactivate {} --delete-media", sam.user_id);
    let half = with_yes(&scene, &command).await?;
    caught.reached().await?;
    says(&half, "Done in part", &["it is deactivated; no files deleted, 2 left"]);
    assert!(is(&scene, &sam, "deactivated").await?);
    let question = scene.ann_asks(&command).await?;
    says(&question, "Delete all files of", &["2 files", "deactivated already"]);
    says(&scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?, "Done", &["0 left"]);
    assert_eq!(files(&sam).await?, 0);
    Ok(())
}
