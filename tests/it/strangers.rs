//! Everybody tries what they may not do, and the homeserver stays as it is.

use anyhow::{Context as _, Result};
use serde_json::json;
use synod::{
    change::Power,
    commands::{Ask, GROUPS, Group, Spec},
    input::{self, Command, Heard},
    operators::{Rank, Role},
};
use world::{Message, NewRoom, PATIENCE, Person, Scene, Things};

use crate::{
    SYNOD,
    everything::Watched,
    open_matters::{OpenMatters, answers, with_a_second_admin},
    support::{code, is, offered, says},
};

/// An example of a verb, as it is typed.
struct Example {
    typed: String,
    /// What right it takes.
    power: Power,
    /// Whether it changes something.
    changes: bool,
}

impl Example {
    fn of((group, verb): (&Group, &Spec), example: &str, things: &Things) -> Self {
        let heard = input::hear(&format!("!{example}"), None, &|_| true);
        let Heard::Command(Command { words, .. }) = heard else {
            panic!("{example} is not heard as a command")
        };
        let named = group.words(verb).split(' ').count();
        let command = verb.command().no_binary_name(true);
        let matches = command.try_get_matches_from(words.iter().skip(named)).unwrap();
        let (power, changes) = match verb.ask(&matches).unwrap().0 {
            Ask::Read(query) => (query.power(), false),
            Ask::Change(action) => (action.power(), true),
        };
        Self { typed: things.typed(example), power, changes }
    }
}

/// Every example of every verb, about these things: those that take no more than `rank` has, and
/// those that are beyond it.
fn examples(things: &Things, rank: Rank) -> (Vec<Example>, Vec<Example>) {
    let role = Role::from(rank);
    let verbs = GROUPS.iter().flat_map(|group| group.verbs.iter().map(move |verb| (group, verb)));
    let all = verbs.flat_map(|verb| {
        verb.1.examples.iter().map(move |example| Example::of(verb, example, things))
    });
    all.partition(|example| role.has(example.power))
}

/// Lets `person` say each command, and every one is refused.
async fn all_refused<T: AsRef<str>>(scene: &Scene, person: &Person, said: &[T]) -> Result<()> {
    for (command, answer) in answers(scene, person, said).await? {
        assert!(answer.starts_with("Refused · "), "{command}: {answer}");
    }
    Ok(())
}

/// What is beyond somebody, as they say it: to have it done, and about other things to see what it
/// would do.
fn beyond(watched: &Watched, rank: Rank) -> Vec<String> {
    let (_, free) = examples(&watched.free, rank);
    let (_, restrained) = examples(&watched.restrained, rank);
    let plans = restrained.iter().filter(|example| example.changes);
    let plans = plans.map(|example| {
        let planned = example.typed.split_whitespace().any(|word| word == "--plan");
        if planned { example.typed.clone() } else { format!("{} --plan", example.typed) }
    });
    free.iter().map(|example| example.typed.clone()).chain(plans).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_tries_everything_and_nothing_changes() -> Result<()> {
    let mut watched = Watched::start(with_a_second_admin).await?;
    watched.scene.stranger().await?;
    let open = OpenMatters::of_ann(&watched.scene, watched.things()).await?;
    watched.begin().await?;
    let scene = &watched.scene;
    let (stranger, room) = (scene.stranger().await?, scene.room());

    // Whatever takes the least is beyond a stranger too.
    let (looks, _) = examples(&watched.free, Rank::Viewer);
    let mut tried = beyond(&watched, Rank::Viewer);
    tried.extend(looks.into_iter().map(|look| look.typed));
    tried.extend(open.words());
    tried.extend(["!stop", "!freeze", "!unfreeze", "!audit", "!help", "yes"].map(str::to_owned));
    assert!(tried.len() > 200, "{}", tried.len());
    let mut said = Vec::new();
    for command in &tried {
        said.push(stranger.say(room, command).await?);
    }
    said.extend(open.answered_by(scene, stranger).await?);
    let (ann, last) = (scene.ann(), said.last().context("something was said")?);
    scene.unanswered(last).await?;
    let mut answers = ann.heard();
    answers.retain(|heard| {
        heard.sender == *scene.bot_id()
            && heard.reply_to.as_ref().is_some_and(|to| said.contains(to))
    });
    assert_eq!(answers.len(), 1, "one polite line: {answers:?}");
    assert!(answers[0].body.starts_with("Refused · "), "{}", answers[0].body);

    watched.nothing_changed("a stranger").await?;
    open.are_still_anns(scene).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_second_line_from_a_bot_that_was_started_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (stranger, eve) = (scene.stranger().await?, scene.subject("eve").await?);
    let suspend = format!("!user suspend {}", eve.user_id);
    let refused = scene.ask(stranger, &suspend).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    scene.bot()?.terminate().await?;
    let meanwhile = stranger.say(scene.room(), &suspend).await?;
    scene.bot()?.start_again().await?;
    scene.unanswered(&meanwhile).await?;
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let again = stranger.say(scene.room(), &suspend).await?;
    scene.unanswered(&again).await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_changes_nothing_and_sees_nothing_private() -> Result<()> {
    let mut watched = Watched::start(with_a_second_admin).await?;
    watched.scene.vic().await?;
    let open = OpenMatters::of_ann(&watched.scene, watched.things()).await?;
    watched.begin().await?;
    let scene = &watched.scene;
    let vic = scene.vic().await?;

    let (looks, _) = examples(&watched.free, Rank::Viewer);
    assert!(looks.iter().all(|look| !look.changes), "a viewer's powers change something");
    let beyond = beyond(&watched, Rank::Viewer);
    assert!(looks.len() > 50 && beyond.len() > 100, "{} {}", looks.len(), beyond.len());
    assert!(beyond.iter().any(|command| command.contains("--show-ip")), "{beyond:?}");
    all_refused(scene, vic, &beyond).await?;
    let id = watched.free.eve.user_id.as_str();
    let looks: Vec<String> = looks.into_iter().map(|look| look.typed).collect();
    for (look, answer) in answers(scene, vic, &looks).await? {
        if look.contains(id) && !answer.starts_with("Refused · ") {
            assert!(answer.contains(id), "{look}: {answer}");
        }
    }
    all_refused(scene, vic, &open.words()).await?;
    all_refused(scene, vic, &["!freeze", "!unfreeze"]).await?;
    not_theirs(scene, vic, &open).await?;
    watched.nothing_changed("a viewer").await?;
    open.are_still_anns(scene).await
}

/// Replies and reactions to somebody else's questions: a yes is refused, a no is not heard.
async fn not_theirs(scene: &Scene, person: &Person, open: &OpenMatters) -> Result<()> {
    let said = open.answered_by(scene, person).await?;
    let marker = person.say(scene.room(), "!me").await?;
    scene.answer(person, &marker).await?;
    let answers: Vec<Message> = said.iter().flat_map(|event| person.answers_to(event)).collect();
    // A reply and a reaction to each of three.
    assert_eq!(answers.len(), 6, "{answers:?}");
    for answer in answers {
        says(&answer, "Refused", &[]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderator_changes_only_what_takes_their_powers() -> Result<()> {
    let mut watched = Watched::start(with_a_second_admin).await?;
    watched.scene.moe().await?;
    let open = OpenMatters::of_ann(&watched.scene, watched.things()).await?;
    // Of server admins it is told elsewhere; this one is to be ordinary. And of a file that is
    // protected, a quarantine once lifted is not put back.
    let (api, kay) = (watched.scene.synapse().admin(), &watched.restrained);
    let path = format!("/_synapse/admin/v2/users/{}", kay.eve.user_id);
    api.put(&path, json!({ "admin": false })).await?;
    let file = kay.media.rsplit('/').next().unwrap_or_default();
    api.post(&format!("/_synapse/admin/v1/media/unprotect/{file}"), json!({})).await?;
    watched.begin().await?;
    let scene = &watched.scene;
    let moe = scene.moe().await?;

    all_refused(scene, moe, &beyond(&watched, Rank::Moderator)).await?;
    all_refused(scene, moe, &open.words()).await?;
    not_theirs(scene, moe, &open).await?;
    watched.nothing_changed("what is beyond a moderator").await?;
    let (theirs, _) = examples(&watched.free, Rank::Moderator);
    let (again, _) = examples(&watched.restrained, Rank::Moderator);
    let planned = |example: &Example| {
        let plan = if example.changes { " --plan" } else { "" };
        format!("{}{plan}", example.typed)
    };
    answers(scene, moe, &theirs.iter().map(planned).collect::<Vec<_>>()).await?;
    watched.nothing_changed("a moderator who looks and plans").await?;
    open.are_still_anns(scene).await?;
    // Ann's yes has made this one a server admin.
    let path = format!("/_synapse/admin/v2/users/{}", watched.free.eve.user_id);
    api.put(&path, json!({ "admin": false })).await?;

    let before = watched.everything().await?;
    let (mut done, mut asked) = (0, 0);
    let mut nothing = Vec::new();
    for (free, restrained) in theirs.iter().zip(&again).filter(|(free, _)| free.changes) {
        let mut command = &free.typed;
        let mut sent = watched.proxy.changes().len();
        let mut answer = scene.ask(moe, command).await?;
        // What takes something back has nothing to do where nothing is.
        if answer.body.starts_with("Nothing changed · ") {
            assert_eq!(watched.proxy.changes().len(), sent, "{command} sent something");
            command = &restrained.typed;
            answer = scene.ask(moe, command).await?;
        }
        if answer.body.starts_with("Done · ") {
            done += 1;
            let undone = scene.ask(moe, offered(&answer, "!undo")?).await?;
            says(&undone, "Done", &[]);
            is_again_as(&watched, &before, command).await?;
            sent = watched.proxy.changes().len();
        } else if let Ok(code) = code(&answer) {
            asked += 1;
            let no = match asked % 3 {
                0 => moe.say(scene.room(), &format!("!cancel {code}")).await?,
                1 => moe.reply(scene.room(), &answer.event_id, "no").await?,
                _ => moe.react(scene.room(), &answer.event_id, "❌").await?,
            };
            says(&scene.answer(moe, &no).await?, "Nothing changed", &["cancelled"]);
            let late = scene.ask(moe, &format!("!confirm {code}")).await?;
            says(&late, "Nothing changed", &["is already closed", "Cancelled at"]);
        } else {
            nothing.push((command.clone(), answer.body));
        }
        assert_eq!(watched.proxy.changes().len(), sent, "{command} sent something");
    }
    is_again_as(&watched, &before, "everything that a moderator may").await?;
    assert!(done > 20 && asked > 20, "done {done}, asked {asked}");
    let idle = |(command, _): &(String, String)| IDLE.iter().any(|part| command.contains(part));
    nothing.retain(|one| !idle(one));
    assert!(nothing.is_empty(), "neither done nor asked: {nothing:#?}");
    Ok(())
}

/// What has nothing to do with either set of things: nothing is so that it could change.
const IDLE: [&str; 10] = [
    // The account of the admin token is not in the room, so it takes another power.
    "room kick",
    "--dry-run",
    // All that is there is younger than a day.
    "history purge",
    "prune-devices",
    "--disable",
    "@bob:elsewhere.example",
    "-s elsewhere.example",
    "media unprotect",
    // What was sent there is encrypted.
    "media quarantine --room-id",
    "--users",
];

/// Waits until what was done and taken back is as it was `before`. The homeserver brings a name
/// into rooms some time after it has said yes, and says something in them for it.
async fn is_again_as(
    watched: &Watched,
    before: &crate::everything::Everything,
    command: &str,
) -> Result<()> {
    let passing = ["/messages", "/forward_extremities", "/state", "/scheduled_tasks"];
    let before = before.clone().without(&passing);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = watched.everything().await?.without(&passing);
        if now == before {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            now.is_as(&before, command);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderator_acts_on_nobody_who_is_protected() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let moe = scene.moe().await?;
    let (eve, api) = (scene.subject("eve").await?, scene.synapse().admin());
    let name = format!("boss-{}", eve.user_id.localpart());
    let boss = scene.synapse().register(&name, "correct horse", true, "boss").await?;
    let [_, vic, _] = scene.accounts();
    for protected in [&boss, vic] {
        let before = api.account(&protected.user_id).await?;
        let id = &protected.user_id;
        all_refused(
            &scene,
            moe,
            &[
                format!("!user suspend {id}"),
                format!("!user modify {id} --lock"),
                format!("!user modify {id} -n Nobody"),
                format!("!user deactivate {id} -e"),
            ],
        )
        .await?;
        assert_eq!(api.account(id).await?, before);
    }
    let done = scene.ask(moe, &format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_turns_the_bot_against_itself() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let api = scene.synapse().admin();
    for own in [scene.bot_account(), scene.keeper()] {
        let before = api.account(&own.user_id).await?;
        let id = &own.user_id;
        all_refused(
            &scene,
            scene.ann(),
            &[
                format!("!user suspend {id}"),
                format!("!user modify {id} --lock"),
                format!("!user modify {id} --no-admin"),
                format!("!user deactivate {id}"),
                format!("!user password {id}"),
                format!("!user login {id}"),
            ],
        )
        .await?;
        assert_eq!(api.account(id).await?, before);
    }
    let [moe, _, _] = scene.accounts();
    // An admin acts on an operator, with the phrase.
    let question = scene.ann_asks(&format!("!user suspend {}", moe.user_id)).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    let short = scene.ann_asks(&confirm).await?;
    assert!(short.body.starts_with("Refused · "), "{}", short.body);
    let done = scene.ann_asks(&format!("{confirm} {}", moe.user_id.localpart())).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, moe, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_invitation_leads_the_bot_nowhere() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (stranger, bot, eve) = (scene.stranger().await?, scene.bot_id(), scene.subject("eve"));
    let (eve, log) = (eve.await?, scene.bot()?.log());
    let suspend = format!("!user suspend {}", eve.user_id);
    for encrypted in [true, false] {
        let mark = log.mark();
        let new = NewRoom { encrypted, invite: vec![bot.clone()], ..NewRoom::default() };
        let room = stranger.create_room(&new).await?;
        // Also a bot that looks at its invitations once more does not follow this one.
        let ignored = log.wait_for(room.as_str(), mark, PATIENCE).await?;
        assert!(ignored.contains("an invitation is ignored"), "{ignored}");
        let said = stranger.say(&room, &suspend).await?;
        scene.bot()?.terminate().await?;
        scene.bot()?.start_again().await?;
        scene.unanswered(&said).await?;
        assert!(stranger.answers_to(&said).is_empty(), "it was answered there");
        let members = format!("/_synapse/admin/v1/rooms/{room}/members");
        let members = scene.synapse().admin().get(&members).await?.1;
        assert_eq!(members["members"], serde_json::json!([stranger.user_id()]), "{members}");
    }
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}
