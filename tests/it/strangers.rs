//! Everybody tries what they may not do, and the homeserver stays as it is.

use anyhow::{Context as _, Result};
use synod::{
    commands::{Ask, GROUPS, Spec},
    input::{self, Command, Heard},
};
use world::{Account, NewRoom, PATIENCE, Person, Scene};

use crate::{
    SYNOD,
    basics::{code, is},
};

/// Whether an example of a verb changes something.
fn changes(verb: &Spec, example: &str) -> bool {
    let heard = input::hear(&format!("!{example}"), None, &|_| true);
    let Heard::Command(Command { words, .. }) = heard else {
        panic!("{example} is not heard as a command")
    };
    let command = verb.command().no_binary_name(true);
    let matches = command.try_get_matches_from(words.iter().skip(2)).unwrap();
    matches!(verb.ask(&matches).unwrap().0, Ask::Change(_))
}

/// The examples that change something, or those that do not, about `eve` in place of whom they
/// name.
fn examples(eve: &Account, wanted: impl Fn(bool) -> bool) -> Vec<String> {
    let verbs = GROUPS.iter().flat_map(|group| group.verbs);
    let examples = verbs
        .flat_map(|verb| verb.examples.iter().filter(|example| wanted(changes(verb, example))));
    let about = |example: &&str| {
        let new = format!("@new-{}", eve.user_id.localpart());
        let server = eve.user_id.server_name().as_str();
        let example = example.replace("@ann:example.org", eve.user_id.as_str());
        format!("!{}", example.replace("@new:example.org", &format!("{new}:{server}")))
    };
    examples.map(about).collect()
}

/// Whether the account that an example would create is there.
async fn is_created(scene: &Scene, eve: &Account) -> Result<bool> {
    let path = format!(
        "/_synapse/admin/v2/users/@new-{}:{}",
        eve.user_id.localpart(),
        eve.user_id.server_name()
    );
    Ok(scene.synapse().admin().get(&path).await?.0 == 200)
}

/// Lets `person` say each command, and every one is refused.
async fn all_refused(scene: &Scene, person: &Person, commands: &[String]) -> Result<()> {
    for command in commands {
        let answer = scene.ask(person, command).await?;
        assert!(answer.body.starts_with("Refused"), "{command}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_tries_everything_and_nothing_changes() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (stranger, room) = (scene.stranger().await?, scene.room());
    let (eve, api) = (scene.subject("eve").await?, scene.synapse().admin());
    let question = scene.ann_asks(&format!("!user modify {} --admin", eve.user_id)).await?;
    let code = code(&question)?;
    let before = api.account(&eve.user_id).await?;

    let mut tried = examples(&eve, |_| true);
    assert!(tried.len() > 20, "{tried:?}");
    tried.extend([
        "!limits lift".to_owned(),
        "!undo 1".to_owned(),
        "!audit".to_owned(),
        format!("!trust accept {} AAAAAA", scene.ann().user_id()),
        format!("!cancel {code}"),
        format!("!confirm {code}"),
    ]);
    let mut said = Vec::new();
    for command in &tried {
        said.push(stranger.say(room, command).await?);
    }
    said.push(stranger.reply(room, &question.event_id, "yes").await?);
    said.push(stranger.react(room, &question.event_id, "✅").await?);
    said.push(stranger.react(room, &question.event_id, "❌").await?);
    let (ann, last) = (scene.ann(), said.last().context("something was said")?);
    scene.unanswered(last).await?;
    let answers: Vec<_> = said.iter().flat_map(|event| ann.answers_to(event)).collect();
    assert_eq!(answers.len(), 1, "one polite line: {answers:?}");
    assert!(answers[0].body.starts_with("Refused"), "{}", answers[0].body);

    assert_eq!(api.account(&eve.user_id).await?, before);
    assert!(!is_created(&scene, &eve).await?);
    // The question is still ann's to answer.
    let done = scene.ann_asks(&format!("!confirm {code}")).await?;
    assert!(done.body.starts_with("Done"), "{}", done.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_second_line_from_a_bot_that_was_started_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (stranger, eve) = (scene.stranger().await?, scene.subject("eve").await?);
    let suspend = format!("!user suspend {}", eve.user_id);
    let refused = scene.ask(stranger, &suspend).await?;
    assert!(refused.body.starts_with("Refused"), "{}", refused.body);
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
    let scene = Scene::start(SYNOD).await?;
    let vic = scene.vic().await?;
    let (eve, api) = (scene.subject("eve").await?, scene.synapse().admin());
    let before = api.account(&eve.user_id).await?;
    all_refused(&scene, vic, &examples(&eve, |changes| changes)).await?;
    let looks = examples(&eve, |changes| !changes);
    let (private, open): (Vec<_>, Vec<_>) =
        looks.into_iter().partition(|look| look.contains("--show-"));
    assert!(private.len() >= 3, "{private:?}");
    all_refused(&scene, vic, &private).await?;
    for look in open.iter().filter(|look| look.contains(eve.user_id.as_str())) {
        let answer = scene.ask(vic, look).await?;
        assert!(answer.body.contains(eve.user_id.as_str()), "{look}: {}", answer.body);
    }
    assert_eq!(api.account(&eve.user_id).await?, before);
    assert!(!is_created(&scene, &eve).await?);

    // Nor is somebody else's question a viewer's to answer.
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    all_refused(
        &scene,
        vic,
        &[
            format!("!confirm {}", code(&question)?),
            format!("!cancel {}", code(&question)?),
            "!trust accept @x:synod.test AAAAAA".to_owned(),
            "!limits lift".to_owned(),
        ],
    )
    .await?;
    assert_eq!(api.account(&eve.user_id).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderator_moderates_ordinary_accounts_and_takes_over_none() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let moe = scene.moe().await?;
    let (eve, api) = (scene.subject("eve").await?, scene.synapse().admin());
    let before = api.account(&eve.user_id).await?;
    let takes_over = |command: &String| {
        [
            "user password",
            "user login",
            "user admin",
            "user register",
            "user reactivate",
            "user validity",
            "user cross-signing-reset",
            "regtok",
            "--regex",
            "--before",
            "room make-admin",
            "room join",
            "room extremities",
            "federation reset",
            "background ",
            "--admin",
            "--threepid",
            "--create",
        ]
        .iter()
        .any(|part| command.contains(part))
    };
    let mut commands = examples(&eve, |changes| changes);
    commands.retain(takes_over);
    assert!(commands.len() >= 8, "{commands:?}");
    all_refused(&scene, moe, &commands).await?;
    assert_eq!(api.account(&eve.user_id).await?, before);
    assert!(!is_created(&scene, &eve).await?);

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
    assert!(done.body.starts_with("Done"), "{}", done.body);
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
    assert!(short.body.starts_with("Refused"), "{}", short.body);
    let done = scene.ann_asks(&format!("{confirm} {}", moe.user_id.localpart())).await?;
    assert!(done.body.starts_with("Done"), "{}", done.body);
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
