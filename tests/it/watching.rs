//! What whoever watches the bot from outside sees of it: numbers, whether it is well, and why it is not.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Config, Fault, Options, PATIENCE, Proxy, Scene, Synapse, until, write_secret};

use crate::{
    SYNOD,
    record::export,
    support::{code, is, says, set_state, state, suspend},
};

/// Shows how the bot is on some port of this machine, and takes any outage for a long one.
fn shown(config: Config) -> Config {
    config.set("monitoring.listen", "127.0.0.1:0").set("monitoring.outage_after", "1s")
}

/// Status and body of what is shown at this path.
async fn get(scene: &Scene, path: &str) -> Result<(u16, String)> {
    let lines = scene.bot()?.log().lines_with("shows how it is");
    let port = lines.last().and_then(|line| line.split("127.0.0.1:").nth(1));
    let port: String = port.context("no port")?.chars().take_while(char::is_ascii_digit).collect();
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Returns when this is shown with this status and holds these words.
async fn shows(scene: &Scene, path: &str, status: u16, words: &str) -> Result<()> {
    let mut last = None;
    let seen = until(words, async || {
        let now = get(scene, path).await?;
        let seen = now.0 == status && now.1.contains(words);
        last = Some(now);
        Ok(seen)
    });
    seen.await.with_context(|| format!("{path} shows {last:?}"))
}

/// The value of a series, where there is one.
fn value(text: &str, series: &str) -> Option<f64> {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.and_then(|value| value.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_in_the_numbers_and_nobody_who_took_part_in_it() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, shown).await?;
    let (ann, room, eve) = (scene.ann(), scene.room(), scene.subject("eve").await?);
    let details = format!("!user details {}", eve.user_id);
    says(&scene.ann_asks(&details).await?, "", &[eve.user_id.as_str()]);
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    says(&scene.ask(scene.vic().await?, &suspend(&eve)).await?, "Refused", &[]);
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    code(&question)?;
    let said = ann.say(room, "what nobody will read").await?;
    let mut lost = ann.stored_event(room, &said).await?["content"].take();
    lost["session_id"] = json!("nobody has this session");
    let (log, mark) = (scene.bot()?.log(), scene.bot()?.log().mark());
    ann.send_in_clear(room, "m.room.encrypted", lost).await?;
    log.wait_for("cannot be decrypted yet", mark, PATIENCE).await?;

    shows(&scene, "/metrics", 200, "synod_answer_seconds_count{kind=\"look\"} 1\n").await?;
    let (_, text) = get(&scene, "/metrics").await?;
    for (series, wanted) in [
        ("synod_commands_total{outcome=\"answered\",verb=\"user details\"}", 1.0),
        ("synod_commands_total{outcome=\"done\",verb=\"user suspend\"}", 1.0),
        ("synod_commands_total{outcome=\"refused\",verb=\"user suspend\"}", 1.0),
        ("synod_commands_total{outcome=\"asked\",verb=\"user deactivate\"}", 1.0),
        ("synod_changes_total{outcome=\"done\",verb=\"user suspend\"}", 1.0),
        ("synod_undecryptable_events_total{outcome=\"waits\"}", 1.0),
        ("synod_undecryptable_events_total{outcome=\"given_up\"}", 0.0),
        (
            "synod_admin_api_request_seconds_count{operation=\"PUT v1/suspend/{target_user_id}\"}",
            1.0,
        ),
        ("synod_open_questions", 1.0),
        ("synod_jobs{state=\"running\"}", 0.0),
        ("synod_sanctions{state=\"due\"}", 0.0),
        ("synod_answers_waiting", 0.0),
        ("synod_own_keys_in_order{key=\"device\"}", 1.0),
        ("synod_own_keys_in_order{key=\"one_time\"}", 1.0),
        ("synod_admin_token_accepted", 1.0),
        ("synod_healthy", 1.0),
        ("synod_ready", 1.0),
        ("synod_read_only", 0.0),
    ] {
        assert_eq!(value(&text, series), Some(wanted), "{series} in\n{text}");
    }
    // At least the change, the refusal and the question.
    assert!(value(&text, "synod_record_entries").is_some_and(|entries| entries >= 4.0), "{text}");
    assert!(value(&text, "synod_store_bytes").is_some_and(|bytes| bytes > 1000.0), "{text}");
    assert!(value(&text, "synod_sync_age_seconds").is_some_and(|age| age < 60.0), "{text}");
    let (token, [moe, vic, _]) = (scene.admin_token()?, scene.accounts());
    let localpart = scene.bot_id().localpart();
    for told in [
        "@",
        "!",
        "$",
        room.as_str(),
        eve.user_id.localpart(),
        ann.user_id().localpart(),
        moe.user_id.localpart(),
        vic.user_id.localpart(),
        localpart,
        token.trim(),
        &scene.bot_account().password,
    ] {
        let line = text.lines().find(|line| line.contains(told));
        assert_eq!(line, None, "{told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_well_while_the_homeserver_is_gone_for_long_and_is_when_it_is_back() -> Result<()>
{
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start_with(SYNOD, shown).await?;
    scene.ann_asks("!me").await?;
    shows(&scene, "/healthz", 200, "ok: Connected to the homeserver\n").await?;
    shows(&scene, "/readyz", 200, "ok: Connected to the homeserver\n").await?;
    synapse.stop().await?;
    shows(&scene, "/readyz", 503, "the homeserver ").await?;
    shows(&scene, "/healthz", 503, "the homeserver has not answered for ").await?;
    let (_, text) = get(&scene, "/metrics").await?;
    assert_eq!(value(&text, "synod_healthy"), Some(0.0), "{text}");
    assert_eq!(value(&text, "synod_ready"), Some(0.0), "{text}");
    synapse.start_again().await?;
    shows(&scene, "/healthz", 200, "ok: Connected").await?;
    shows(&scene, "/readyz", 200, "ok: Connected").await?;
    scene.ann_asks("!me").await?;
    let (_, text) = get(&scene, "/metrics").await?;
    assert_eq!(value(&text, "synod_healthy"), Some(1.0), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_why_it_could_not_speak_or_act() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, shown).await?;
    let (ann, room, eve) = (scene.ann(), scene.room(), scene.subject("eve").await?);
    scene.ann_asks("!me").await?;
    shows(&scene, "/readyz", 200, "ok: ").await?;

    // Somebody takes its voice: a change is refused, and here it is said why.
    let power = state(ann, room, "m.room.power_levels").await?;
    let mut silenced = power.clone();
    silenced["events_default"] = json!(60);
    set_state(ann, room, "m.room.power_levels", silenced).await?;
    let (log, mark) = (scene.bot()?.log(), scene.bot()?.log().mark());
    ann.say(room, &suspend(&eve)).await?;
    log.wait_for("nothing is changed where I may not write", mark, PATIENCE).await?;
    shows(&scene, "/readyz", 503, "I may not write in 1 of my 1 admin rooms").await?;
    shows(&scene, "/healthz", 200, "ok: ").await?;
    shows(&scene, "/metrics", 200, "\nsynod_ready 0\n").await?;
    set_state(ann, room, "m.room.power_levels", power).await?;
    shows(&scene, "/readyz", 200, "ok: ").await?;
    assert!(!is(&scene, &eve, "suspended").await?);

    // Somebody logs the session of the admin token out.
    let old = scene.synapse().api(&scene.admin_token()?);
    assert_eq!(old.post("/_matrix/client/v3/logout", json!({})).await?.0, 200);
    shows(&scene, "/readyz", 503, "the homeserver does not accept my admin token\n").await?;
    shows(&scene, "/metrics", 200, "\nsynod_admin_token_accepted 0\n").await?;
    let (token, _) = scene.synapse().log_in(scene.keeper()).await?;
    write_secret(&scene.dir().join("admin-token"), &token)?;
    scene.bot()?.hang_up(" ready").await?;
    shows(&scene, "/readyz", 200, "ok: ").await?;
    shows(&scene, "/metrics", 200, "\nsynod_admin_token_accepted 1\n").await?;
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    Ok(())
}

/// What is said in the room and stands in no line of the log.
const CANARY: &str = "canary-7x9q";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_id_in_room_log_and_record_and_no_words_of_it_are_logged() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    // Into a pipe it writes for machines by itself.
    let config = config.set("log.format", "auto").set("log.filter", "warn,synod=trace");
    scene.start_bot(SYNOD, &config).await?;
    let (ann, room, eve) = (scene.ann(), scene.room(), scene.subject("eve").await?);
    for said in [
        format!("so {CANARY} it is"),
        format!("!user suspend {} --reason {CANARY}", eve.user_id),
        format!("!note add {} {CANARY}", eve.user_id),
        format!("!user suspned {CANARY}"),
        format!("!{CANARY}"),
    ] {
        ann.say(room, &said).await?;
    }
    scene.ann_asks("!me").await?;
    assert!(is(&scene, &eve, "suspended").await?);

    let caught = proxy.every(Method::GET, "/whois", Fault::Page(500));
    let answer = scene.ann_asks(&format!("!raw GET v1/whois/{}", eve.user_id)).await?;
    caught.lift();
    let (_, after) = answer.body.split_once("In the log under").context(answer.body.clone())?;
    let id: String = after.chars().filter(char::is_ascii_digit).take(6).collect();
    let log = scene.bot()?.log().text();
    let lines = log.lines().map(|line| Ok(serde_json::from_str::<Value>(line)?));
    let lines: Vec<Value> = lines.collect::<Result<_>>().with_context(|| log.clone())?;
    let of_it = lines.iter().filter(|line| line["request"]["id"] == id.as_str());
    let of_it: Vec<&str> = of_it.filter_map(|line| line["message"].as_str()).collect();
    assert!(of_it.contains(&"look") && of_it.contains(&"a command ended early"), "{of_it:?}");
    let (_, _, record) = export(&scene, "!audit export").await?;
    let looked = record.lines().find(|line| line.contains("whois")).context("on record")?;
    let looked: Value = serde_json::from_str(looked)?;
    assert_eq!(looked["record"]["request"], id.as_str(), "{looked}");

    let log = scene.bot()?.log();
    assert_eq!(log.lines_with(CANARY), [""; 0]);
    assert!(log.text().contains("a change") || log.text().contains("\"change\""), "it is logged");
    Ok(())
}
