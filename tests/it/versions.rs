//! Each verb on real Synapses of several versions: it works, or it says which version brings it. What
//! was seen is the table in `docs/versions.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use synod::{commands::GROUPS, reply::Status};
use world::{Message, Options, Passed, Proxy, Scene, Synapse, newest};

use crate::{
    SYNOD,
    coverage::{Played, Stage, in_order},
    secrets::direct_room,
    support::says,
};

mod effects;
mod page;

/// All that are tried, oldest first. The first is run each time, and the last is what all other
/// conversations run on.
const VERSIONS: [&str; 4] = ["1.98.0", "1.120.0", "1.150.0", "1.163.2"];

/// Names those to run, with commas between them.
const WANTED: &str = "SYNOD_VERSIONS";

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_works_or_says_which_version_brings_it() -> Result<()> {
    assert_eq!(VERSIONS.last(), Some(&newest()));
    let mut faults = Vec::new();
    for version in wanted() {
        match run(&version).await.and_then(|seen| page::hold(&version, &seen)) {
            Ok(()) => println!("every verb was tried on Synapse {version}"),
            Err(fault) => faults.push(format!("on Synapse {version}: {fault:#}")),
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_usual_verbs_do_is_so_on_the_homeserver() -> Result<()> {
    for version in wanted() {
        let synapse = Synapse::start(of(&version)).await?;
        let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
        effects::are_so(&scene).await.with_context(|| format!("on Synapse {version}"))?;
        println!("what the usual verbs do is so on Synapse {version}");
    }
    Ok(())
}

/// The versions that this run is about.
fn wanted() -> Vec<String> {
    let wanted = env::var(WANTED).unwrap_or_else(|_| VERSIONS[0].to_owned());
    wanted.split(',').map(str::to_owned).collect()
}

/// A homeserver of this version.
fn of(version: &str) -> Options {
    Options { version: Some(version.to_owned()), ..Options::default() }
}

/// What was seen of a verb.
#[derive(Debug, Default)]
struct Seen {
    /// Whether it has worked.
    works: bool,
    /// The version that brings it, where it said so.
    since: Option<String>,
    /// What of it, such as an option, it said comes with a later version, and that version.
    later: BTreeMap<String, String>,
    /// What was answered besides.
    besides: Vec<String>,
}

impl Seen {
    /// Whether there is nothing more to see.
    fn is_enough(&self) -> bool {
        self.works || self.since.is_some()
    }
}

/// Verbs whose examples find nothing to do here, and why. What they ask for has to be there all the same.
const NOTHING_HERE: [(&str, &str); 4] = [
    ("history purge-status", "nobody knows the number of a purge beforehand"),
    ("media delete", "where no named file can be deleted: none is old enough"),
    ("media purge", "no other server has sent a file"),
    ("stats rooms", "SQLite has no answer"),
];

/// What more is said of a verb whose examples find nothing to do in what is new.
const MORE: [(&str, &str); 1] = [(
    "history purge",
    "history purge #lobby:example.org -i $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go --delete-local",
)];

/// What is asked for in other words where a homeserver has nothing at such a path: the verbs, and a
/// part of the path.
const ANOTHER_WAY: [(&str, &[&str]); 7] = [
    (
        "/memberships",
        &[
            "notice send",
            "room join",
            "room kick",
            "room make-admin",
            "user deactivate",
            "user lock",
            "user redact",
        ],
    ),
    (
        "/scheduled_tasks",
        &[
            "room delete",
            "room delete-status",
            "room empty",
            "room purge-empty",
            "user redact-status",
        ],
    ),
    ("action_name=update_join_states", &["user modify"]),
    ("/user_reports", &["user details"]),
    ("/fetch_event/", &["history purge", "notice send", "user deactivate", "user lock"]),
    ("/v1/media/", &["media list"]),
    ("", &["raw", "matrix raw"]),
];

/// Says each example of each verb, to a homeserver of this version. Later ones rest on what earlier ones did.
async fn run(version: &str) -> Result<BTreeMap<String, Seen>> {
    let synapse = Synapse::start(of(version)).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    says(&scene.ann_asks("!server version").await?, "", &[version]);
    // What is secret is told in another room, which is made when it is first wanted.
    scene.ann_asks(&format!("!user login {}", scene.subject("any").await?.user_id)).await?;
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;

    let all: Vec<String> =
        GROUPS.iter().flat_map(|group| group.verbs.iter().map(|verb| group.words(verb))).collect();
    let mut seen: BTreeMap<String, Seen> =
        all.iter().map(|verb| (verb.clone(), Seen::default())).collect();
    let mut faults = Vec::new();
    for (name, restrained) in [("eve", false), ("sam", true)] {
        let stage = Stage::set(&scene, name).await?;
        if restrained {
            stage.things.restrain(&synapse.admin()).await?;
        }
        let left = all.iter().map(String::as_str);
        let left: BTreeSet<&str> =
            left.filter(|verb| !seen.get(*verb).is_some_and(Seen::is_enough)).collect();
        for (verb, examples) in in_order(&left) {
            let of_verb = seen.get_mut(&verb).context("each verb is there")?;
            let later = page::later_of(&verb)?;
            let more = MORE.iter().filter(|(of, _)| *of == verb).map(|(_, command)| *command);
            let examples = examples.iter().copied().chain(more).map(str::to_owned);
            for example in examples.chain(later) {
                let mark = (proxy.changes().len(), proxy.answered().len());
                let played = stage.play(&scene, &example).await?;
                let sent = proxy.changes().split_off(mark.0);
                let judged = judge(&verb, &played, &sent, of_verb);
                let judged = judged.and_then(|()| asked_in_vain(&proxy, mark.1, &verb));
                faults.extend(judged.err().map(|fault| format!("{example}: {fault:#}")));
            }
        }
    }
    for (verb, seen) in seen.iter().filter(|(_, seen)| !seen.is_enough()) {
        if NOTHING_HERE.iter().all(|(known, _)| known != verb) {
            faults.push(format!("nobody saw {verb} at work:\n{}", seen.besides.join("\n")));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n\n"));
    Ok(seen)
}

/// Fails where the homeserver was asked for what it does not have, other than to do it another way.
fn asked_in_vain(proxy: &Proxy, mark: usize, verb: &str) -> Result<()> {
    for answered in proxy.answered().split_off(mark) {
        let path = &answered.request.path;
        let known = ANOTHER_WAY.iter().any(|(part, verbs)| {
            path.contains(part) && verbs.contains(&verb) && answered.request.method == Method::GET
        });
        // Only where a service keeps the accounts it is there, so that is how one asks.
        let known = known || path == "/_matrix/client/v1/auth_metadata";
        ensure!(
            !answered.is_unknown_route || known,
            "{} {path} is not there",
            answered.request.method
        );
    }
    Ok(())
}

/// Notes what became of an example. Fails where the answer is a raw fault of the homeserver, or where
/// something was asked or sent before it was said that this one is too old.
fn judge(verb: &str, played: &Played, sent: &[Passed], seen: &mut Seen) -> Result<()> {
    let body = &played.answer.body;
    let said = |status: Status| body.starts_with(&format!("{} · ", status.as_str()));
    if let Some((option, since)) = too_old(&played.answer)? {
        ensure!(!played.asked, "it said so after a question: {body}");
        ensure!(sent.is_empty(), "it changed something: {sent:?}");
        match option {
            Some(option) => {
                seen.later.insert(option, since);
            }
            None => seen.since = Some(since),
        }
        return Ok(());
    }
    ensure!(
        !said(Status::Failed) || NOTHING_HERE.iter().any(|(known, _)| *known == verb),
        "{body}"
    );
    let is_look = !played.asked && !Status::ALL.iter().any(|status| said(*status));
    if said(Status::Done) || is_look {
        seen.works = true;
    } else {
        seen.besides.push(body.clone());
    }
    for raw in ["M_UNRECOGNIZED", "Unrecognized request", "does not have this function"] {
        ensure!(!body.contains(raw), "{body}");
    }
    Ok(())
}

/// The option, or what else is typed of a verb, for which this homeserver is too old, `None` for all of
/// the verb, and the version that brings it.
fn too_old(answer: &Message) -> Result<Option<(Option<String>, String)>> {
    let Some((_, what)) = answer.body.split_once("this homeserver is too old for ") else {
        return Ok(None);
    };
    says(answer, "Failed", &["it runs Synapse "]);
    let (_, since) = what.split_once("this needs ").context("no version is named")?;
    let since: String = since.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    // Either a verb, or an option or what else is typed of one.
    let option = what.split_once(" of !").map(|(option, _)| option.replace('`', ""));
    Ok(Some((option, since.trim_end_matches('.').to_owned())))
}
