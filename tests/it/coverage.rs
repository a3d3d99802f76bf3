//! Which operations of the Admin API are reached, by which verb: each is really asked for here, with
//! real things, and answered by a real homeserver.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use synod::commands::{
    Does, GROUPS,
    operations::{OPERATIONS, Operation, Reach},
};
use world::{Answered, Message, Options, Proxy, Scene, Synapse, Things, operations};

use crate::{
    SYNOD,
    secrets::direct_room,
    support::{api, code},
};

/// What these do to their subjects leaves nothing for the others to do.
const LAST: [&str; 18] = [
    "user redact",
    "device delete",
    "user prune-devices",
    "user password",
    "user logout",
    "media delete",
    "media delete-user",
    "regtok delete",
    "report dismiss",
    "history purge",
    "room demote",
    "room kick",
    "user deactivate-regex",
    "user deactivate",
    "user modify",
    "room delete",
    "room empty",
    "room delete-status",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_are_those_of_the_homeserver() -> Result<()> {
    let mut here: Vec<(String, String)> =
        OPERATIONS.iter().map(|one| (one.path.to_owned(), one.method.to_owned())).collect();
    here.sort();
    let mut there = operations().await?;
    there.sort();
    assert_eq!(here, there);
    assert_eq!(here.len(), 103);
    Ok(())
}

#[test]
fn each_is_reached_by_a_verb_or_left_out_for_a_reason() {
    let verbs: BTreeSet<String> =
        GROUPS.iter().flat_map(|group| group.verbs.iter().map(|verb| group.words(verb))).collect();
    for Operation { method, path, reach, .. } in OPERATIONS {
        match reach {
            Reach::Spoken(verb) => assert!(verbs.contains(*verb), "there is no {verb}"),
            Reach::Elsewhere(verb, reason) => {
                assert!(verbs.contains(*verb), "{method} {path}");
                let file = reason
                    .split_whitespace()
                    .find(|word| word.rsplit_once('.').is_some_and(|(_, end)| end == "rs"));
                let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
                let text = file.map(|file| std::fs::read_to_string(format!("{dir}/{file}")));
                let asks = text.is_some_and(|text| text.is_ok_and(|text| text.contains(*verb)));
                assert!(asks, "{method} {path}: no test of {verb} in {file:?}");
            }
            Reach::Unspoken(reason) => assert!(!reason.is_empty(), "{method} {path}"),
        }
    }
}

/// The requests of each verb, with the status of their answers.
pub(crate) type Reached = BTreeMap<String, Vec<Answered>>;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_reached_by_its_verb_and_answered() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    let reached = reach(&scene, &[&proxy], &|_| true).await?;
    for Operation { method, path, reach, .. } in OPERATIONS {
        if matches!(reach, Reach::Unspoken(_)) {
            // What asks whether notices are switched on sends none.
            let speaks = |one: &Answered| !one.request.is_probe() && fits(method, path, one);
            let by = reached.iter().find(|(_, all)| all.iter().any(speaks));
            assert!(by.is_none(), "{method} {path} is spoken, by {:?}", by.map(|(verb, _)| verb));
        }
    }
    Ok(())
}

/// Says the examples of the verbs of all operations that are `wanted`, to a bot whose requests come by
/// these proxies. An error unless each of the operations is reached and answered with success.
pub(crate) async fn reach(
    scene: &Scene,
    proxies: &[&Proxy],
    wanted: &dyn Fn(&Operation) -> bool,
) -> Result<Reached> {
    let synapse = scene.synapse();
    // What is secret is told in another room, which is made when it is first wanted.
    scene.ann_asks(&format!("!user login {}", scene.subject("any").await?.user_id)).await?;
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;

    let answered = || proxies.iter().map(|proxy| proxy.answered()).collect::<Vec<_>>();
    let missing = |reached: &Reached| -> Vec<&'static Operation> {
        OPERATIONS.iter().filter(|one| wanted(one) && !is_reached(one, reached)).collect()
    };
    let mut reached = Reached::new();
    for restrained in [false, true] {
        let wanted = verbs(&missing(&reached));
        let name = if restrained { "sam" } else { "eve" };
        let stage = Stage::set(scene, name).await?;
        if restrained {
            stage.things.restrain(&synapse.admin()).await?;
        }
        for (verb, examples) in in_order(&wanted) {
            let marks: Vec<usize> = answered().iter().map(Vec::len).collect();
            for example in examples {
                stage.play(scene, example).await?;
            }
            let new =
                answered().into_iter().zip(marks).flat_map(|(mut all, mark)| all.split_off(mark));
            reached.entry(verb).or_default().extend(new);
        }
    }
    let missing: Vec<String> = missing(&reached)
        .into_iter()
        .map(|Operation { method, path, reach, .. }| {
            let answered = reached.values().flatten();
            let fits = answered.filter(|answered| fits(method, path, answered));
            let seen: BTreeSet<u16> = fits.map(|answered| answered.status).collect();
            format!("{method} {path}: {reach:?}, answered with {seen:?}")
        })
        .collect();
    ensure!(missing.is_empty(), "not reached:\n{}", missing.join("\n"));
    Ok(reached)
}

/// The verbs that ought to reach what is left.
fn verbs(left: &[&Operation]) -> BTreeSet<&'static str> {
    left.iter()
        .filter_map(|operation| match operation.reach {
            Reach::Spoken(verb) => Some(verb),
            _ => None,
        })
        .collect()
}

fn is_reached(operation: &Operation, reached: &Reached) -> bool {
    let Operation { method, path, reach, .. } = operation;
    let Reach::Spoken(verb) = reach else { return true };
    let answered = reached.get(*verb).into_iter().flatten();
    let mut good = answered.filter(|answered| (200..300).contains(&answered.status));
    good.any(|answered| fits(method, path, answered))
}

/// Whether a request is one for an operation.
fn fits(method: &str, template: &str, answered: &Answered) -> bool {
    let asked = answered.request.path.split('?').next().unwrap_or_default();
    let Some(asked) = asked.strip_prefix("/_synapse/admin/") else { return false };
    let (asked, template) = (asked.split('/'), template.split('/'));
    answered.request.method.as_str() == method
        && asked.clone().count() == template.clone().count()
        && asked.zip(template).all(|(part, wanted)| wanted.starts_with('{') || part == wanted)
}

/// The verbs among these and their examples: first what looks, last what leaves nothing.
pub(crate) fn in_order(wanted: &BTreeSet<&str>) -> Vec<(String, &'static [&'static str])> {
    let mut verbs = Vec::new();
    for group in GROUPS {
        for verb in group.verbs {
            let name = group.words(verb);
            if wanted.contains(name.as_str()) {
                let place = LAST.iter().position(|last| *last == name);
                let place = place.map_or(usize::from(verb.does != Does::Look), |at| at + 2);
                verbs.push((place, name, verb.examples));
            }
        }
    }
    verbs.sort_by_key(|(place, ..)| *place);
    verbs.into_iter().map(|(_, name, examples)| (name, examples)).collect()
}

/// Waits until the homeserver is through with what it goes on with after this answer, if it does.
async fn through(scene: &Scene, answer: &Message) -> Result<()> {
    let Some((_, number)) = answer.body.split_once("On record as #") else { return Ok(()) };
    if !answer.body.contains("has started") {
        return Ok(());
    }
    let this_was = format!("This was #{}", number.trim());
    let over =
        |message: &Message| message.sender == *scene.bot_id() && message.body.contains(&this_was);
    scene.ann().wait_for(&this_was, over).await.map(|_| ())
}

/// Things for all examples, and what they do not have by themselves.
pub(crate) struct Stage {
    pub(crate) things: Things,
    event: String,
    task: String,
    mail: String,
}

/// What became of an example that was said.
pub(crate) struct Played {
    /// The first answer, or the one to the last yes.
    pub(crate) answer: Message,
    /// Whether the first answer was a question.
    pub(crate) asked: bool,
}

/// What stands for the id of something that an older homeserver does not have.
const NONE: &str = "none-here";

/// Whether a homeserver did what it was asked for; an error unless it did or is too old for it.
fn is_done((status, answer): &(u16, Value), what: &str) -> Result<bool> {
    let cannot = answer["errcode"] == "M_UNRECOGNIZED";
    ensure!(*status == 200 || cannot, "{what}: {status} {answer}");
    Ok(!cannot)
}

impl Stage {
    pub(crate) async fn set(scene: &Scene, name: &str) -> Result<Self> {
        let synapse = scene.synapse();
        let things = Things::of(synapse, scene.subject(name).await?).await?;
        let (admin, user) = (synapse.admin(), &things.eve.user_id);
        let by = api(scene, &things.eve).await?;
        let path = format!("/_synapse/admin/v2/users/{user}");
        // Nobody else on this homeserver may have them, also of another scene.
        let own = user.localpart();
        let mail = format!("{own}@mail.example");
        let more = json!({
            "threepids": [{ "medium": "email", "address": mail }],
            "external_ids": [{ "auth_provider": "oidc-keycloak", "external_id": own }],
        });
        let (status, answer) = admin.put(&path, more).await?;
        ensure!(status == 200, "not furnished: {answer}");
        let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/1", things.room);
        let said = by.put(&path, json!({ "msgtype": "m.text", "body": "hello" })).await?.1;
        // The reports of users are counted by themselves.
        let report = format!("/_matrix/client/v3/users/{user}/report");
        for _ in 0..things.report {
            let answered = scene.ann().api().post(&report, json!({ "reason": "" })).await?;
            if !is_done(&answered, "a report")? {
                break;
            }
        }
        let redact = format!("/_synapse/admin/v1/user/{}/redact", things.bob.user_id);
        let task = admin.post(&redact, json!({ "rooms": [] })).await?;
        let has_task = is_done(&task, "a redaction")?;
        let task = if has_task { task.1["redact_id"].as_str().context("a task")? } else { NONE };
        Ok(Self {
            mail,
            event: said["event_id"].as_str().context("an event")?.to_owned(),
            task: task.to_owned(),
            things,
        })
    }

    /// Says an example, and yes to the question that may follow.
    pub(crate) async fn play(&self, scene: &Scene, example: &str) -> Result<Played> {
        let named = [
            ("$TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go", self.event.as_str()),
            ("WByXcIMNwxDiOqtO", self.task.as_str()),
            ("ann@mail.example", self.mail.as_str()),
            ("5f0c2a", self.mail.split('@').next().unwrap_or_default()),
        ];
        let example =
            named.iter().fold(example.to_owned(), |text, (from, to)| text.replace(from, to));
        let typed = self.things.typed(&example);
        let answer = scene.ann_asks(&typed).await?;
        let Ok(code) = code(&answer) else { return Ok(Played { answer, asked: false }) };
        let localpart = self.things.eve.user_id.localpart();
        let own = self.things.room.split(':').next().unwrap_or_default();
        let end = own.chars().rev().take(6).collect::<String>();
        let end: String = end.chars().rev().collect();
        let mut phrases = vec![String::new(), localpart.to_owned(), "1".to_owned(), end];
        phrases.extend(["bob-", "gone-", "new-"].map(|kind| format!("{kind}{localpart}")));
        phrases.extend(
            [world::SERVER_NAME, self.things.device.as_str(), "BRIDGEDEV"].map(str::to_owned),
        );
        for phrase in phrases {
            let said = scene.ann_asks(&format!("!confirm {code} {phrase}")).await?;
            if !said.body.contains("phrase") {
                through(scene, &said).await?;
                return Ok(Played { answer: said, asked: true });
            }
        }
        Ok(Played { answer, asked: true })
    }
}
