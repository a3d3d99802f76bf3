//! A homeserver of several processes: real workers on `PostgreSQL` and Redis behind nginx.

use std::env;

use anyhow::{Context as _, Result};
use serde_json::json;
use synod::{
    change::{Path, Root},
    commands::operations::Operation,
};
use tokio::sync::OnceCell;
use world::{Account, Api, Message, Options, Processes, Proxy, Scene, Synapse, Worker, Workers};

use crate::{
    SYNOD,
    coverage::reach,
    jobs::{accounts, count, ended, lines, say_yes},
    support::{api, code, is, says, told_since},
};

/// Asks for every operation both ways, in place of those about files by their own address.
const WHOLE: &str = "SYNOD_WORKERS";

/// The answer to a command, or to the yes where it was a question.
async fn done(scene: &Scene, command: &str) -> Result<Message> {
    let answer = scene.ann_asks(command).await?;
    match code(&answer) {
        Ok(code) => scene.ann_asks(&format!("!confirm {code}")).await,
        Err(_) => Ok(answer),
    }
}

async fn start() -> Result<Synapse> {
    Synapse::start(Options { processes: Processes::Several, ..Options::default() }).await
}

/// One that the tests share which let all of its processes live.
async fn shared() -> Result<Synapse> {
    static SHARED: OnceCell<Synapse> = OnceCell::const_new();
    SHARED.get_or_try_init(start).await.cloned()
}

fn workers(synapse: &Synapse) -> Result<&Workers> {
    synapse.workers().context("it has workers")
}

/// Whether the media worker is asked for what is at this path below `/_synapse/admin/`.
fn is_of_media(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    Path::below(Root::Admin, path.split('/').map(str::to_owned)).is_of_media()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_works_with_the_addresses_of_two_processes_and_behind_nginx() -> Result<()> {
    let synapse = shared().await?;
    let whole = env::var_os(WHOLE).is_some();
    let wanted = |operation: &Operation| whole || is_of_media(operation.path);

    let scene = Scene::plan().on(&synapse).set().await?;
    let main = Proxy::start(&workers(&synapse)?.main_url()).await?;
    let media = Proxy::start(&workers(&synapse)?.media_url()).await?;
    let config = scene.config().set("homeserver.admin_url", main.url());
    let config = config.set("homeserver.media_admin_url", media.url());
    scene.start_bot(SYNOD, &config).await?;
    reach(&scene, &[&main, &media], &wanted).await.context("by two addresses")?;
    for (process, serves_files) in [(&main, false), (&media, true)] {
        let asked = process.answered().into_iter().map(|one| one.request.path);
        let admin: Vec<String> =
            asked.filter_map(|path| Some(path.strip_prefix("/_synapse/admin/")?.into())).collect();
        assert!(!admin.is_empty(), "files: {serves_files}");
        let others: Vec<&String> =
            admin.iter().filter(|path| is_of_media(path) != serves_files).collect();
        assert!(others.is_empty(), "asked of the wrong process, files: {serves_files}: {others:?}");
    }

    if whole {
        let scene = Scene::plan().on(&synapse).set().await?;
        let front = Proxy::start(&synapse.url()).await?;
        let config = scene.config().set("homeserver.admin_url", front.url());
        scene.start_bot(SYNOD, &config).await?;
        reach(&scene, &[&front], &wanted).await.context("behind nginx")?;
        println!("every operation was asked for by two addresses and behind nginx");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_does_is_told_and_in_force_on_the_others() -> Result<()> {
    let synapse = shared().await?;
    files_elsewhere(&synapse).await?;
    in_force(&synapse).await?;
    Ok(())
}

/// What the bot says of files where it knows only the main process, and what it does once it is told of
/// the other.
async fn files_elsewhere(synapse: &Synapse) -> Result<()> {
    let (main, media) = (workers(synapse)?.main_url(), workers(synapse)?.media_url());
    let scene = Scene::plan().on(synapse).set().await?;
    let config = scene.config().set("homeserver.admin_url", main);
    scene.start_bot(SYNOD, &config).await?;
    let eve = scene.subject("eve").await?;
    let file = api(&scene, &eve).await?.upload(vec![1, 2, 3], "image/png", "cat.png").await?;
    let key = "homeserver.media_admin_url";
    for command in [
        format!("!user media {}", eve.user_id),
        format!("!media quarantine {file}"),
        "!media purge --before 30d".to_owned(),
    ] {
        let refused = done(&scene, &command).await?;
        says(&refused, "Failed", &["serves files from a media worker", key]);
    }
    let details = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    says(&details, "", &[eve.user_id.as_str()]);
    says(&scene.ann_asks("!doctor").await?, "", &["files: a media worker serves them", key]);

    // An address that is no media worker's either.
    let wrong = config.clone().set(key, workers(synapse)?.client_url());
    scene.bot()?.configure(&wrong.to_string())?;
    let refused = scene.ann_asks("!config reload --plan").await?;
    says(&refused, "", &["files: ", "does not serve them", key]);

    scene.bot()?.configure(&config.set(key, media).to_string())?;
    scene.bot()?.hang_up(" ready").await?;
    says(&scene.ann_asks(&format!("!user media {}", eve.user_id)).await?, "", &["cat.png"]);
    says(&scene.ann_asks("!doctor --all").await?, "", &["files: served at"]);
    says(&done(&scene, &format!("!media quarantine {file}")).await?, "Done", &[&file]);
    let path = file.strip_prefix("mxc://").context("an address")?;
    let (_, found) = synapse.admin().get(&format!("/_synapse/admin/v1/media/{path}")).await?;
    assert_eq!(found["media_info"]["quarantined_by"], json!(scene.keeper().user_id));
    Ok(())
}

/// A room of theirs, and what came of saying something in it by another process than the main one.
async fn say(synapse: &Synapse, token: &str, room: &str, number: u32) -> Result<(u16, String)> {
    let api = Api::new(&workers(synapse)?.client_url(), token);
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}");
    let body = json!({ "msgtype": "m.text", "body": "hello" });
    let (status, answer) = api.put(&path, body).await?;
    Ok((status, answer["errcode"].as_str().unwrap_or_default().to_owned()))
}

/// What the main process is told is in force on a worker with the very next request.
async fn in_force(synapse: &Synapse) -> Result<()> {
    let scene = Scene::plan().on(synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let (_, made) = by_eve.post("/_matrix/client/v3/createRoom", json!({})).await?;
    let room = made["room_id"].as_str().context("a room")?;
    let says_it = async |number| say(synapse, by_eve.token(), room, number).await;
    assert_eq!(says_it(1).await?.0, 200);
    for (verb, back, errcode) in
        [("suspend", "unsuspend", "M_USER_SUSPENDED"), ("lock", "unlock", "M_USER_LOCKED")]
    {
        says(&done(&scene, &format!("!user {verb} {}", eve.user_id)).await?, "Done", &[]);
        assert_eq!(says_it(2).await?.1, errcode, "{verb}");
        says(&done(&scene, &format!("!user {back} {}", eve.user_id)).await?, "Done", &[]);
        let number = if verb == "lock" { 4 } else { 3 };
        assert_eq!(says_it(number).await?.0, 200, "{back}");
    }
    says(&done(&scene, &format!("!room block {room}")).await?, "Done", &[]);
    let bob = scene.subject("bob").await?;
    let by_bob = api(&scene, &bob).await?;
    let join = Api::new(&workers(synapse)?.client_url(), by_bob.token());
    let (status, _) = join.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    assert_eq!(status, 403, "a blocked room");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_process_dies_it_is_said_and_the_job_goes_on_when_it_is_back() -> Result<()> {
    let synapse = start().await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let workers = workers(&synapse)?;

    // The media worker: nginx answers in its place, with a page.
    workers.kill(Worker::Media).await?;
    let refused = scene.ann_asks(&format!("!user media {}", eve.user_id)).await?;
    says(&refused, "Failed", &["the proxy in front of the homeserver got no answer from it (502)"]);
    let details = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    says(&details, "", &[eve.user_id.as_str()]);
    workers.start(Worker::Media).await?;
    let listed = scene.ann_asks(&format!("!user media {}", eve.user_id)).await?;
    says(&listed, "", &["no files"]);

    let many = accounts(&scene, 60).await?;
    main_dies(&synapse, &scene, &many).await?;
    silent(&synapse, &scene, &many, (Worker::Events, false)).await?;
    silent(&synapse, &scene, &many, (Worker::Redis, true)).await?;
    Ok(())
}

/// The main process dies in the middle of a job, and comes back.
async fn main_dies(synapse: &Synapse, scene: &Scene, many: &[Account]) -> Result<()> {
    let question = scene.ann_asks(&format!("!user suspend{}", lines(many))).await?;
    let mark = scene.ann().mark();
    let yes = say_yes(scene, &question, many.len()).await?;
    until_some(scene, many, true).await?;
    synapse.kill().await?;
    told_since(scene, mark, "got no answer from it").await?;
    synapse.start_again().await?;
    let told = ended(scene, &yes).await?;
    says(&told, "Done · 60 of 60", &["done 60"]);
    assert_eq!(count(scene, many, "suspended").await?, 60);
    Ok(())
}

/// Waits until a job has begun that suspends them, or ends that.
async fn until_some(scene: &Scene, many: &[Account], suspended: bool) -> Result<()> {
    world::until("the job has begun", async || {
        for one in many.iter().take(2) {
            if is(scene, one, "suspended").await? == suspended {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await
}

/// Nobody can say or hear anything while what writes events is dead, or what tells the others of them; what
/// was asked before goes on, and its end is told when it is back.
async fn silent(
    synapse: &Synapse,
    scene: &Scene,
    many: &[Account],
    (worker, suspended): (Worker, bool),
) -> Result<()> {
    let workers = workers(synapse)?;
    let verb = if suspended { "suspend" } else { "unsuspend" };
    let question = scene.ann_asks(&format!("!user {verb}{}", lines(many))).await?;
    let yes = say_yes(scene, &question, many.len()).await?;
    until_some(scene, many, suspended).await?;
    workers.kill(worker).await?;
    world::until("the job is through", async || {
        let done = count(scene, many, "suspended").await?;
        Ok(done == if suspended { many.len() } else { 0 })
    })
    .await?;
    workers.start(worker).await?;
    let told = ended(scene, &yes).await.with_context(|| format!("{worker:?} is back"))?;
    says(&told, "Done · 60 of 60", &["done 60"]);
    Ok(())
}
