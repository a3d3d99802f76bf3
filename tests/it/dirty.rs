//! A homeserver that is old and was mistreated: every verb works, and what is not known is never told
//! as a value. `tests/world/DIRTY.md` describes it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use synod::commands::{Does, GROUPS};
use world::{Api, Dirty, Message, Options, Scene, Synapse, until};

use crate::{
    SYNOD,
    support::{code, says, with_yes},
};

/// What the bot answers where it cannot read what the homeserver says.
const NOT_UNDERSTOOD: [&str; 3] =
    ["something else may answer", "I cannot read", "In the log under"];

/// Rooms at whose state the homeserver itself fails.
const FAILS: [&str; 3] = ["no-version", "odd-version", "off-file"];

/// What is said of these where the homeserver fails, and of nothing else.
const TOLD_OF_FAILS: [&str; 4] = [
    "!room state no-version: Failed · the homeserver failed to handle the request; its log says \
     why (500 M_UNKNOWN: Internal server error)",
    "!room messages no-version --limit 20: Failed · the homeserver failed to handle the request; \
    its log says why (500 M_UNKNOWN: Internal server error)",
    "!room at no-version 2026-11-01T10:00Z: Failed · the homeserver failed to handle the request; \
    its log says why (500 M_UNKNOWN: Internal server error)",
    "!room at off-file 2026-11-01T10:00Z: Failed · the homeserver failed to handle the request; \
    its log says why (500 M_UNKNOWN: Internal server error)",
];

/// What is looked at at once.
const AT_ONCE: usize = 12;

/// A dirty homeserver with the bot on it.
async fn set() -> Result<(Dirty, Scene)> {
    let synapse = Synapse::start(Options::default()).await?;
    let dirty = Dirty::make(&synapse).await?;
    let scene = Scene::plan().on(&synapse).in_clear().start(SYNOD).await?;
    Ok((dirty, scene))
}

/// As it stands in a path.
fn encoded(id: &str) -> String {
    let encode = |c: char| match c {
        '/' => "%2F".to_owned(),
        ' ' => "%20".to_owned(),
        '#' => "%23".to_owned(),
        '?' => "%3F".to_owned(),
        c => c.to_string(),
    };
    id.chars().map(encode).collect()
}

async fn get(api: &Api, path: &str) -> Result<Value> {
    let (status, answer) = api.get(&format!("/_synapse/admin/{path}")).await?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(answer)
}

async fn data(scene: &Scene, command: &str) -> Result<Value> {
    let answer = scene.ann_asks(&format!("{command} -o json")).await?;
    serde_json::from_str(&answer.body).with_context(|| format!("{command}: {}", answer.body))
}

/// What is asked of each, and the answers.
async fn all(scene: &Scene, commands: Vec<String>) -> Result<Vec<(String, Message)>> {
    let asks = commands.into_iter().map(|command| async move {
        let answer = scene.ann_asks(&command).await.with_context(|| command.clone())?;
        anyhow::Ok((command, answer))
    });
    let answers: Vec<Result<_>> = stream::iter(asks).buffered(AT_ONCE).collect().await;
    answers.into_iter().collect()
}

/// Every look at every subject, by the examples of the catalogue.
fn looks(dirty: &Dirty) -> Vec<String> {
    let tokens: Vec<String> = dirty.tokens.iter().map(|token| format!("\"{token}\"")).collect();
    // What nobody can type: whoever has a space in their name is named by a link.
    let users: Vec<String> =
        dirty.users().values().filter(|user| !user.contains(' ')).cloned().collect();
    let rooms: Vec<String> = dirty.rooms().values().cloned().collect();
    let subjects: [(&str, Vec<String>); 6] = [
        ("@ann:example.org", users),
        ("#lobby:example.org", rooms.clone()),
        ("!OGEhHVWSdvArJzumhm:example.org", rooms),
        ("mxc://example.org/abcdefghijklmnopqrstuvwx", dirty.files.to_vec()),
        ("welcome-friends", tokens),
        ("4711", vec![dirty.report.to_string()]),
    ];
    let mut looks = Vec::new();
    for group in GROUPS {
        for verb in group.verbs.iter().filter(|verb| verb.does == Does::Look) {
            let Some(example) = verb.examples.first() else { continue };
            let of = subjects.iter().find(|(name, _)| example.contains(name));
            match of {
                Some((name, ids)) => {
                    looks.extend(ids.iter().map(|id| format!("!{}", example.replace(name, id))));
                }
                None => looks.push(format!("!{example}")),
            }
        }
    }
    looks
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_at_everything_odd_is_answered_and_tells_only_what_is_known() -> Result<()> {
    let (dirty, scene) = set().await?;
    let (mut refused, mut failed) = (Vec::new(), Vec::new());
    for (command, answer) in all(&scene, looks(&dirty)).await? {
        if NOT_UNDERSTOOD.iter().any(|words| answer.body.contains(words)) {
            match FAILS.iter().find(|room| command.contains(dirty.room(room))) {
                Some(room) => {
                    let first = answer.body.lines().next().unwrap_or_default();
                    let told = format!("{command}: {first}");
                    failed.push(told.replace(dirty.room(room), room));
                }
                None => refused.push(format!("{command}\n{}", answer.body)),
            }
        }
        assert!(!answer.body.contains("Last seen: never"), "{command}: {}", answer.body);
        assert!(!answer.body.contains(": null"), "{command}: {}", answer.body);
        assert!(answer.body.len() < 40_000, "{command}: {}", answer.body.len());
    }
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
    assert_eq!(failed, TOLD_OF_FAILS, "{}", failed.join("\n"));

    accounts(&dirty, &scene).await?;
    rooms(&dirty, &scene).await?;
    room_left(&dirty, &scene).await?;
    things(&dirty, &scene).await
}

/// What its makers know of the accounts.
async fn accounts(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let list = scene.ann_asks("!user list -d --limit 1000").await?;
    says(&list, "", &["@with space:synod.test", "@Alice:synod.test", "@42:synod.test", "guest"]);
    let row = async |user: &str| {
        let (name, _) = user.trim_start_matches('@').split_once(':').context("an id")?;
        let listed = data(scene, &format!("!user list -d -i {name}")).await?;
        let mut rows = listed["users"].as_array().into_iter().flatten();
        rows.find(|row| row["name"] == user).cloned().context(name.to_owned())
    };
    let details = async |name: &str| {
        scene.ann_asks(&format!("!user details {} --all", dirty.user(name))).await
    };
    for (name, created, seen) in [
        ("old", false, false),
        ("zero", false, false),
        ("negative", false, false),
        ("huge", false, false),
        ("future", false, false),
        ("imported", true, false),
        ("quiet", true, true),
        ("42", true, false),
    ] {
        let told = details(name).await?;
        let is = |label: &str| told.body.contains(&format!("{label}: not known"));
        assert_eq!(is("Created"), !created, "{}", told.body);
        assert_eq!(is("Last seen"), !seen, "{}", told.body);
        let data = data(scene, &format!("!user details {}", dirty.user(name))).await?;
        let row = row(dirty.user(name)).await?;
        assert_eq!(data["last_seen_ts"], row["last_seen_ts"], "{data} {row}");
        assert_eq!(data["last_seen_ts"].is_null(), !seen, "{data}");
        assert_eq!(row["creation_ts"].as_i64(), data["creation_ts"].as_i64().map(|at| at * 1000));
        assert_eq!(data["creation_ts"].is_null(), !created, "{data}");
    }
    says(&details("imported").await?, "", &["Created: 2020-09-13 12:26"]);
    says(&details("bridged").await?, "", &["Bridged by: \u{201c}bridge\u{201d}"]);
    let quiet = details("quiet").await?;
    says(&quiet, "", &["(40 days ago)"]);
    let asked = scene.ann_asks(&format!("!user deactivate {} --plan", dirty.user("quiet"))).await?;
    assert!(!asked.body.contains("not known"), "{}", asked.body);
    let since = scene.ann_asks("!user list --since 1h --limit 1000").await?;
    says(&since, "", &[dirty.user("eve"), dirty.user("quiet")]);
    assert!(!since.body.contains(dirty.user("imported")), "{}", since.body);

    let begun = Instant::now();
    let many = details("many").await?;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    says(&many, "", &["Devices: 3000", "Last seen: 2020-09-13"]);
    assert!(many.body.len() < 2_000, "{}", many.body.len());
    Ok(())
}

/// What its makers know of the rooms that somebody is in.
async fn rooms(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let details = async |name: &str| {
        scene.ann_asks(&format!("!room details {} --all", dirty.room(name))).await
    };
    for name in ["negative", "absurd", "inhabited", "no-counts", "no-statistics"] {
        let told = details(name).await?;
        says(&told, "", &["Members: not known", "Who may join: everybody", "Encrypted: no"]);
        let data = data(scene, &format!("!room details {}", dirty.room(name))).await?;
        assert_eq!(data["joined_members"], Value::Null, "{data}");
    }
    for name in ["no-state", "no-statistics"] {
        let told = details(name).await?;
        says(&told, "", &[name, "Who may read: members, all of it"]);
        assert!(!told.body.contains("cannot take part"), "{}", told.body);
        let data = data(scene, &format!("!room details {}", dirty.room(name))).await?;
        assert_eq!(data["federatable"], true, "{data}");
        assert_eq!(data["join_rules"], "public", "{data}");
    }
    says(&details("no-version").await?, "", &["Version: not known", "Members: 1"]);
    says(&details("odd-version").await?, "", &["org.example.odd"]);
    let off_file = details("off-file").await?;
    says(&off_file, "Not found", &["does not know the room"]);
    for name in ["negative", "absurd"] {
        let listed = data(scene, &format!("!room list -n {}", dirty.room(name))).await?;
        assert_eq!(listed["rooms"][0]["room_id"], dirty.room(name), "{listed}");
        assert_eq!(listed["rooms"][0]["joined_members"], Value::Null, "{listed}");
    }
    let empty = scene.ann_asks("!room list --empty --name negative").await?;
    assert!(!empty.body.contains(dirty.room("negative")), "{}", empty.body);
    // The room's first event and its levels are gone, and who made it is not.
    let power = scene.ann_asks(&format!("!room power-levels {}", dirty.room("no-create"))).await?;
    says(&power, "", &["Creators, above all: not known"]);
    Ok(())
}

/// A room that this server has left is told as it was then.
async fn room_left(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let left = dirty.room("left");
    let then = "this is the state from then";
    let details = scene.ann_asks(&format!("!room details {left} --all")).await?;
    says(&details, "", &[then, "Left", "Encrypted: yes", "Members: nobody from here"]);
    says(&details, "", &["Who may join: everybody"]);
    assert!(!details.body.contains("cannot take part"), "{}", details.body);
    let data = data(scene, &format!("!room details {left}")).await?;
    assert_eq!(data["as_of_leaving"], true, "{data}");
    let power = scene.ann_asks(&format!("!room power-levels {left}")).await?;
    says(&power, "", &[then, "100: ", dirty.user("eve")]);
    let banned = scene.ann_asks(&format!("!room members {left} -m ban")).await?;
    says(&banned, "", &[then, "@spam:synod.test"]);
    says(&scene.ann_asks(&format!("!room members {left}")).await?, "", &[then]);
    let state = scene.ann_asks(&format!("!room state {left} -t m.room.join_rules")).await?;
    says(&state, "", &[then, "m.room.join_rules", "1 state event"]);
    Ok(())
}

/// Files, reports and tokens.
async fn things(dirty: &Dirty, scene: &Scene) -> Result<()> {
    for file in &dirty.files[1..3] {
        let told = scene.ann_asks(&format!("!media details {file}")).await?;
        says(&told, "", &["Size: not known", "Created: not known"]);
    }
    says(&scene.ann_asks("!stats media").await?, "", &[dirty.user("eve"), "Size: "]);
    let report = scene.ann_asks(&format!("!report details {}", dirty.report)).await?;
    says(&report, "", &["the event no longer exists"]);
    says(&scene.ann_asks("!report list --users").await?, "", &["@never-was:synod.test"]);
    let token = scene.ann_asks("!regtok details \"a b/ü?#\"").await?;
    says(&token, "", &["expired", "not known of none (-1)"]);
    says(
        &scene.ann_asks("!regtok details for-ever").await?,
        "",
        &["valid", "too far in the future"],
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_something_odd_works_or_says_what_stands_in_its_way() -> Result<()> {
    let (dirty, scene) = set().await?;
    flags(&dirty, &scene).await?;
    alike(&dirty, &scene).await?;
    emptied(&dirty, &scene).await?;
    ended(&dirty, &scene).await?;
    // Reports from a room that is deleted are gone too.
    things_changed(&dirty, &scene).await?;
    rooms_changed(&dirty, &scene).await
}

/// Accounts with odd moments and ids are suspended and locked like others.
async fn flags(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let api = scene.synapse().admin();
    for name in ["old", "zero", "huge", "negative", "future", "Caps!~x", "a.b_c=d/e+f-g", "42"] {
        let user = dirty.user(name);
        for (verb, flag) in [("suspend", "suspended"), ("lock", "locked")] {
            says(&scene.ann_asks(&format!("!user {verb} {user}")).await?, "Done", &[user]);
            let account = get(&api, &format!("v2/users/{}", encoded(user))).await?;
            assert_eq!(account[flag], true, "{account}");
        }
    }
    Ok(())
}

/// Nothing is done to one of two accounts that differ only in capitals until it is said which.
async fn alike(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let api = scene.synapse().admin();
    let suspended = async |user: &str| {
        anyhow::Ok(get(&api, &format!("v2/users/{user}")).await?["suspended"] == json!(true))
    };
    let (small, large) = (dirty.user("alice"), dirty.user("Alice"));
    for typed in ["!user suspend Alice", "!User suspend alice", "!user suspend @Alice"] {
        let which = scene.ann_asks(typed).await?;
        says(
            &which,
            "Not understood",
            &["which one?", small, large, &format!("!user suspend {small}")],
        );
        assert!(!suspended(small).await? && !suspended(large).await?, "{typed}");
    }
    // There is nobody else who is called so.
    says(&scene.ann_asks("!user suspend quiet").await?, "Done", &[dirty.user("quiet")]);
    says(&scene.ann_asks(&format!("!user suspend {large}")).await?, "Done", &[large]);
    assert!(suspended(large).await? && !suspended(small).await?);
    Ok(())
}

/// What is only flagged as deactivated leaves its rooms and loses its devices.
async fn ended(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let api = scene.synapse().admin();
    for (name, erase) in [("hull", " --gdpr-erase"), ("shell", "")] {
        let user = dirty.user(name);
        let command = format!("!user deactivate {user}{erase}");
        let asked = scene.ann_asks(&command).await?;
        says(&asked, "", &["again, which is flagged so and still has", "room"]);
        let number = code(&asked)?;
        let phrase = if erase.is_empty() { "" } else { name };
        let told = scene.ann_asks(&format!("!confirm {number} {phrase}")).await?;
        says(&told, "Done", &[user]);
        until("it has left its rooms", async || {
            let rooms = get(&api, &format!("v1/users/{user}/joined_rooms")).await?;
            Ok(rooms["total"] == 0)
        })
        .await?;
        let devices = get(&api, &format!("v2/users/{user}/devices")).await?;
        assert_eq!(devices["total"], 0, "{devices}");
        says(&scene.ann_asks(&command).await?, "Nothing changed", &[user, "already"]);
    }
    Ok(())
}

/// Which rooms are empty is not believed where somebody is in them, nor guessed where it is not known.
async fn emptied(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let plan = scene.ann_asks("!room purge-empty --plan").await?;
    says(&plan, "", &[dirty.room("left")]);
    for name in ["negative", "absurd"] {
        assert!(!plan.body.contains(dirty.room(name)), "{name}: {}", plan.body);
    }
    says(&plan, "", &[dirty.room("inhabited"), "is not empty"]);
    Ok(())
}

/// Rooms are blocked and deleted whatever their statistics say.
async fn rooms_changed(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let api = scene.synapse().admin();
    for name in ["negative", "absurd", "no-state", "no-counts", "no-statistics", "odd-version"] {
        let room = dirty.room(name);
        says(&scene.ann_asks(&format!("!room block {room}")).await?, "Done", &[room]);
        assert_eq!(get(&api, &format!("v1/rooms/{room}/block")).await?["block"], true, "{name}");
    }
    for name in ["negative", "no-statistics"] {
        let room = dirty.room(name);
        let asked = scene.ann_asks(&format!("!room delete {room}")).await?;
        let number = code(&asked)?;
        let end: String = room.chars().skip(room.chars().count() - 6).collect();
        let told = scene.ann_asks(&format!("!confirm {number} {end}")).await?;
        assert!(told.body.contains(room), "{}", told.body);
        until("it is gone", async || {
            Ok(api.get(&format!("/_synapse/admin/v1/rooms/{room}")).await?.0 == 404)
        })
        .await?;
    }
    Ok(())
}

/// Files, reports and tokens are put away.
async fn things_changed(dirty: &Dirty, scene: &Scene) -> Result<()> {
    let api = scene.synapse().admin();
    let row = |file: &str| format!("v1/media/{}", file.trim_start_matches("mxc://"));
    for file in &dirty.files[..3] {
        says(&scene.ann_asks(&format!("!media quarantine {file}")).await?, "Done", &[]);
        let info = get(&api, &row(file)).await?;
        assert!(info["media_info"]["quarantined_by"].is_string(), "{info}");
        says(&with_yes(scene, &format!("!media delete {file}")).await?, "Done", &[]);
        assert_eq!(api.get(&format!("/_synapse/admin/{}", row(file))).await?.0, 404);
    }
    let dismissed = with_yes(scene, &format!("!report dismiss {}", dirty.report)).await?;
    says(&dismissed, "Done", &[]);
    assert_eq!(get(&api, "v1/event_reports").await?["total"], 0);
    says(&scene.ann_asks("!regtok update for-ever -u 3").await?, "Done", &["Used: 0 of 3"]);
    for token in dirty.tokens {
        says(&with_yes(scene, &format!("!regtok delete \"{token}\"")).await?, "Done", &[]);
    }
    assert_eq!(get(&api, "v1/registration_tokens").await?["registration_tokens"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_statistics_rooms_are_not_listed_and_each_can_be_looked_at() -> Result<()> {
    let extra = "stats: {enabled: false}\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    for command in ["!room list", "!room search lobby", "!room power-levels", "!room purge-empty"] {
        let told = scene.ann_asks(command).await?;
        says(&told, "Failed", &["keeps no room statistics"]);
    }
    let told = scene.ann_asks(&format!("!room details {} --all", scene.room())).await?;
    says(&told, "", &["Encrypted: yes", "Members: not known", "Who may join: invite only"]);
    assert!(!told.body.contains("cannot take part"), "{}", told.body);
    // Reports are joined to them, so that none is shown: that is no reason to say that there are none.
    let eve = scene.subject("eve").await?;
    let says_so = scene.ann().say(scene.room(), "spam").await?;
    let path = format!("/_matrix/client/v3/rooms/{}/report/{says_so}", scene.room());
    assert_eq!(scene.ann().api().post(&path, json!({ "reason": "spam" })).await?.0, 200);
    for command in ["!report list".to_owned(), format!("!report list --room {}", scene.room())] {
        says(&scene.ann_asks(&command).await?, "Failed", &["hides all reports", "cannot tell"]);
    }
    for user in [scene.ann().user_id(), &eve.user_id] {
        let told = scene.ann_asks(&format!("!user details {user} --all")).await?;
        says(&told, "", &["Open reports: unknown for messages", "0 of the account"]);
    }
    let doctor = scene.ann_asks("!doctor").await?;
    says(&doctor, "", &["keeps no room statistics", "background run populate_stats_process_rooms"]);
    Ok(())
}
