//! Media on a real homeserver: quarantine by content, and the way out of it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Account, Api, Scene};

use crate::{
    SYNOD,
    verbs::{offered, says},
};

/// The interface of an account that logs in for it.
async fn api(scene: &Scene, account: &Account) -> Result<Api> {
    Ok(scene.synapse().api(&scene.synapse().log_in(account).await?.0))
}

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
    says(&undone, "Done", &["out of quarantine", "Released with it"]);
    for one in [&file, &copy, &other] {
        assert_eq!(quarantined_by(&scene, one).await?, Value::Null, "{one}");
    }
    assert_eq!(download(&by_sam, &file).await?, 200);

    let (_, id) = path_of(&other)?.split_once('/').context("server and id")?;
    says(&scene.ann_asks(&format!("!media quarantine -i {id}")).await?, "Done", &[&other]);
    let released = scene.ann_asks(&format!("!media unquarantine -i {id} -s synod.test")).await?;
    says(&released, "Done", &["out of quarantine"]);
    assert_eq!(quarantined_by(&scene, &other).await?, Value::Null);
    says(&scene.ann_asks(offered(&released, "!undo")?).await?, "Done", &["is in quarantine"]);
    assert_eq!(quarantined_by(&scene, &other).await?, json!(scene.keeper().user_id));
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
        says(&unknown, "Refused", &["no such file"]);
        let remote = format!("!media {verb} mxc://elsewhere.example/nosuchfile");
        says(&scene.ann_asks(&remote).await?, "Refused", &["no copy of it"]);
    }
    says(&scene.ann_asks("!media quarantine cat.png").await?, "Refused", &["mxc://"]);
    let vic = scene.vic().await?;
    let viewer = scene.ask(vic, &format!("!media quarantine {file}")).await?;
    says(&viewer, "Refused", &["moderator"]);
    Ok(())
}
