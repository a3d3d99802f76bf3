//! The record outside: in a file, in the room, and what goes from it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Fault, Message, NewRoom, Proxy, Scene};

use crate::{
    SYNOD,
    support::{code, is, offered, says, set_state, state},
};

/// What `synod audit verify` says of a file.
fn verify(file: &Path, head: Option<&str>) -> Result<Output> {
    let mut command = Command::new(SYNOD);
    command.args(["audit", "verify"]).arg(file);
    if let Some(head) = head {
        command.args(["--head", head]);
    }
    Ok(command.output()?)
}

fn well(output: &Output) -> bool {
    output.status.success()
}

async fn with_file() -> Result<(Scene, PathBuf)> {
    let scene = Scene::plan().set().await?;
    let file = scene.dir().join("record.jsonl");
    let config = scene.config().set("record.file", file.display().to_string());
    scene.start_bot(SYNOD, &config).await?;
    Ok((scene, file))
}

/// The hash that the room is told.
async fn head(scene: &Scene) -> Result<String> {
    let told = scene.ann_asks("!audit verify").await?;
    let hash = told.body.split_once("Last hash: ").with_context(|| told.body.clone())?.1;
    Ok(hash.chars().take_while(char::is_ascii_hexdigit).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_proves_what_was_changed_is_missing_or_was_cut_off() -> Result<()> {
    let (scene, file) = with_file().await?;
    let eve = scene.subject("eve").await?;
    let done = scene.ann_asks(&format!("!user suspend {} --reason spam", eve.user_id)).await?;
    says(&done, "Done", &[]);
    scene.ann_asks(&format!("!user unsuspend {}", eve.user_id)).await?;
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.ask(scene.vic().await?, &format!("!user suspend {}", eve.user_id)).await?;
    let head = head(&scene).await?;

    let whole = verify(&file, Some(&head))?;
    let said = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(well(&whole) && said.contains("unbroken") && said.contains(&head), "{said}");
    let text = fs::read_to_string(&file)?;
    assert!(text.contains(eve.user_id.as_str()) && text.contains("\"reason\":\"spam\""), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let other = file.with_extension("other");
    let check = |lines: &[&str]| -> Result<String> {
        fs::write(&other, lines.join("\n") + "\n")?;
        let output = verify(&other, Some(&head))?;
        assert!(!well(&output));
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let changed: Vec<String> = lines.iter().map(|line| line.replace("spam", "fun!")).collect();
    let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    assert!(check(&changed)?.contains("its details were changed"));
    assert!(check(&[&lines[..1], &lines[2..]].concat())?.contains("number 2: it is missing"));
    assert!(check(&lines[..lines.len() - 1])?.contains("its end was cut off"));
    assert!(!well(&verify(&file.with_extension("nowhere"), None)?));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_record_travels_unseen_with_what_the_bot_says() -> Result<()> {
    let (scene, file) = with_file().await?;
    let eve = scene.subject("eve").await?;
    let mark = scene.ann().mark();
    scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    let said = scene.ann().heard_since(mark);
    let mut travelled = Vec::new();
    for message in &said {
        assert!(!message.body.contains("\"digest\""), "{message}");
        let carried = message.raw["content"]["synod.record"].as_array().cloned();
        let carried = carried.unwrap_or_default();
        assert!(carried.is_empty() || message.encrypted, "{message}");
        travelled.extend(carried.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    let kept = fs::read_to_string(&file)?;
    assert_eq!(travelled.join("\n"), kept.trim_end());
    let head = head(&scene).await?;
    let room = file.with_extension("room");
    fs::write(&room, travelled.join("\n"))?;
    assert!(well(&verify(&room, Some(&head))?), "the room alone proves it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_erasure_goes_what_was_kept_of_the_person() -> Result<()> {
    let (scene, _) = with_file().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    for account in [&eve, &sam] {
        scene.ann_asks(&format!("!note {} lives in Ulm", account.user_id)).await?;
        scene.ann_asks(&format!("!user suspend {} --reason insults", account.user_id)).await?;
    }
    let question =
        scene.ann_asks(&format!("!user deactivate {} --gdpr-erase", eve.user_id)).await?;
    let yes = format!("!confirm {} {}", code(&question)?, eve.user_id.localpart());
    says(&scene.ann_asks(&yes).await?, "Done", &[]);
    assert!(is(&scene, &eve, "erased").await?);

    let notes = scene.ann_asks(&format!("!note list {}", eve.user_id)).await?;
    assert!(!notes.body.contains("Ulm"), "{}", notes.body);
    says(&scene.ann_asks(&format!("!note list {}", sam.user_id)).await?, "", &["Ulm"]);
    let list = |of: &str| format!("!audit list --limit 50 --on {of}");
    let left = scene.ann_asks(&list(eve.user_id.as_str())).await?;
    says(&left, "", &["deactivate"]);
    assert!(!left.body.contains("insults"), "{}", left.body);
    says(&scene.ann_asks(&list(sam.user_id.as_str())).await?, "", &["insults"]);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_leaves_what_was_done_to_others_in_the_same_command() -> Result<()> {
    let (scene, _) = with_file().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let both = format!("!user suspend --reason insults {} {}", eve.user_id, sam.user_id);
    let question = scene.ann_asks(&both).await?;
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["2 accounts"]);
    let erase = format!("!user deactivate {} --gdpr-erase", eve.user_id);
    let question = scene.ann_asks(&erase).await?;
    let yes = format!("!confirm {} {}", code(&question)?, eve.user_id.localpart());
    says(&scene.ann_asks(&yes).await?, "Done", &[]);

    let list = |of: &str| format!("!audit list --limit 50 --on {of}");
    let of_sam = scene.ann_asks(&list(sam.user_id.as_str())).await?;
    says(&of_sam, "", &[" suspended ", "insults", scene.ann().user_id().localpart()]);
    assert!(!of_sam.body.contains(eve.user_id.as_str()), "{}", of_sam.body);
    let of_eve = scene.ann_asks(&list(eve.user_id.as_str())).await?;
    assert!(!of_eve.body.contains("insults"), "{}", of_eve.body);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);

    // The undo of the others is still there, and is theirs alone.
    let undone = scene.ann_asks(offered(&done, "!undo")?).await?;
    says(&undone, "Done", &[sam.user_id.as_str()]);
    assert!(!undone.body.contains(eve.user_id.as_str()), "{}", undone.body);
    assert!(!is(&scene, &sam, "suspended").await?);
    Ok(())
}

/// What an export says, and the file that came with it: its message, and what it holds.
pub(crate) async fn export(scene: &Scene, ask: &str) -> Result<(Message, Message, String)> {
    let mark = scene.ann().mark();
    let answer = scene.ann_asks(ask).await?;
    let is_file = |message: &Message| message.msgtype == "m.file";
    let file = scene.ann().wait_for_since(mark, "the file", is_file).await?;
    let text = String::from_utf8(scene.ann().download(&file).await?)?;
    Ok((answer, file, text))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_record_comes_as_an_encrypted_file_that_proves_itself() -> Result<()> {
    let (scene, kept) = with_file().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    for account in [&eve, &sam] {
        let ask = format!("!user suspend {} --reason spam", account.user_id);
        says(&scene.ann_asks(&ask).await?, "Done", &[]);
    }
    let (answer, file, text) = export(&scene, "!audit export").await?;
    let lines: Vec<&str> = text.lines().collect();
    let last: Value = serde_json::from_str(lines.last().context("it is empty")?)?;
    let head = last["entry"]["hash"].as_str().context("no hash")?;
    says(&answer, "", &[&format!("{} entries", lines.len()), head]);
    assert!(file.encrypted && file.from_signed_device, "{file}");
    let content = &file.raw["content"];
    assert!(content["file"]["key"].is_object() && content.get("url").is_none(), "{content}");
    let stored = content["file"]["url"].as_str().context("no address")?;
    let (server, id) = stored.trim_start_matches("mxc://").split_once('/').context("no mxc")?;
    let download = format!("/_matrix/client/v1/media/download/{server}/{id}");
    // What is no JSON is shown as nothing.
    assert_eq!(scene.ann().api().get(&download).await?, (200, Value::Null));
    assert_eq!(last["entry"]["kind"], json!("looked"), "that it was taken away is on record");
    assert_eq!(text, fs::read_to_string(&kept)?, "the same lines as in the record's own file");

    let taken = kept.with_extension("taken");
    fs::write(&taken, &text)?;
    assert!(well(&verify(&taken, Some(head))?));
    fs::write(&taken, [&lines[..1], &lines[2..]].concat().join("\n"))?;
    let broken = verify(&taken, Some(head))?;
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(!well(&broken) && said.contains("number 2: it is missing"), "{said}");

    let part = format!("!audit export --on {} --outcome done", eve.user_id);
    let (answer, _, text) = export(&scene, &part).await?;
    says(&answer, "A part of the record: 1 of", &["Last hash"]);
    assert!(text.contains(eve.user_id.as_str()) && !text.contains(sam.user_id.as_str()), "{text}");

    let refused = scene.ask(scene.vic().await?, "!audit export").await?;
    assert!(refused.body.starts_with("Refused · "), "a viewer: {}", refused.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_homeserver_does_not_take_is_told_in_one_sentence() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    let mark = scene.ann().mark();
    let too_large = json!({ "errcode": "M_TOO_LARGE", "error": "no" });
    let _refused = proxy.next(Method::POST, "/media/v3/upload", Fault::Answer(413, too_large));
    let told = scene.ann_asks("!audit export").await?;
    let one = "it is larger than the homeserver accepts; ask for less at a time";
    says(&told, "Failed", &["I could not send record-", one]);
    assert!(!told.body.contains("entries"), "nothing is said of what is not there: {}", told.body);
    assert!(told.body.contains("It has ") && told.body.contains("\"seq\":1"), "{}", told.body);

    // What the homeserver says that it takes is asked for once.
    scene.bot()?.kill().await?;
    let least = json!({ "m.upload.size": 10 });
    let _said = proxy.next(Method::GET, "/media/config", Fault::Answer(200, least));
    scene.bot()?.start_again().await?;
    says(&scene.ann_asks("!audit export").await?, "Failed", &[one]);
    assert!(scene.ann().heard_since(mark).iter().all(|message| message.msgtype != "m.file"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_its_own_has_it_all_and_doctor_says_whether_the_bot_can_thin_it_out() -> Result<()>
{
    let scene = Scene::plan().set().await?;
    let ann = scene.ann();
    let invite = vec![scene.bot_id().clone()];
    let room = ann.create_room(&NewRoom { invite, ..NewRoom::default() }).await?;
    let config = scene.config().set("record.room", room.as_str());
    scene.start_bot(SYNOD, &config).await?;
    ann.sees_joined(&room, scene.bot_id()).await?;
    let begins = |message: &Message| message.room == room && message.body.contains("number 1 on");
    ann.wait_for("the beginning of the record", begins).await?;

    let eve = scene.subject("eve").await?;
    let ask = format!("!user suspend {} --reason spam", eve.user_id);
    says(&scene.ann_asks(&ask).await?, "Done", &[]);
    let ended = |message: &Message| message.room == room && message.body.contains(" suspended @");
    let told = ann.wait_for("the end of the change", ended).await?;
    assert!(told.encrypted && told.body.contains(eve.user_id.localpart()), "{told}");
    let here = |message: &&Message| message.room == room && message.sender == *scene.bot_id();
    let carried = |message: &Message| message.raw["content"]["synod.record"].as_array().cloned();
    let heard = ann.heard();
    let lines = heard.iter().filter(here).filter_map(carried).flatten();
    let lines: Vec<String> = lines.filter_map(|line| line.as_str().map(str::to_owned)).collect();
    let copy = scene.dir().join("copy.jsonl");
    fs::write(&copy, lines.join("\n"))?;
    assert!(well(&verify(&copy, Some(&head(&scene).await?))?), "{lines:?}");

    let command = ann.say(&room, &format!("!user unsuspend {}", eve.user_id)).await?;
    scene.unanswered(&command).await?;
    assert!(is(&scene, &eve, "suspended").await?, "no commands are taken there");
    let blocked = scene.ann_asks(&format!("!room block {room}")).await?;
    says(&blocked, "Refused", &["the room of the bot's record"]);

    let doctor = scene.ann_asks("!doctor").await?;
    says(&doctor, "", &["the bot may redact the record that it writes"]);
    let mut levels = state(ann, &room, "m.room.power_levels").await?;
    levels["events"]["m.room.redaction"] = 50.into();
    set_state(ann, &room, "m.room.power_levels", levels).await?;
    says(&scene.ann_asks("!doctor --all").await?, "", &["may write the record but not redact it"]);
    Ok(())
}
