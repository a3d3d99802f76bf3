//! Two people in an encrypted room of a real homeserver: what every other test builds on.

use std::time::Instant;

use anyhow::Result;
use world::{NewRoom, Options, Person, Synapse};

async fn person(synapse: &Synapse, name: &str) -> Result<Person> {
    let account = synapse.register(name, "correct horse", false, name).await?;
    let started = Instant::now();
    let person = Person::login(synapse, name, &account.password).await?;
    println!("login of {name}: {:?}", started.elapsed());
    Ok(person)
}

#[tokio::test]
async fn two_people_talk_encrypted() -> Result<()> {
    let started = Instant::now();
    let synapse = Synapse::shared().await?;
    println!("homeserver: {:?}", started.elapsed());
    let ann = person(&synapse, "talk-ann").await?;
    let bob = person(&synapse, "talk-bob").await?;

    let started = Instant::now();
    let invite = vec![bob.user_id().clone()];
    let powers = [(bob.user_id().clone(), 50)].into();
    let room = ann.create_room(&NewRoom { invite, powers, ..NewRoom::default() }).await?;
    bob.join(&room).await?;
    ann.sees_joined(&room, bob.user_id()).await?;
    println!("room with both: {:?}", started.elapsed());

    let started = Instant::now();
    let question = ann.say(&room, "how are you?").await?;
    let heard = bob.next_message_from(ann.user_id()).await?;
    println!("first message: {:?}", started.elapsed());
    assert_eq!((heard.event_id, heard.body.as_str()), (question.clone(), "how are you?"));
    assert!(heard.encrypted && heard.from_signed_device);
    let stored = ann.stored_event(&room, &question).await?;
    assert_eq!(stored["type"], "m.room.encrypted");

    let answer = bob.reply(&room, &question, "well").await?;
    assert_eq!(ann.answer_to(&question).await?.body, "well");
    let started = Instant::now();
    let second = ann.say(&room, "good").await?;
    bob.wait_for("good", |message| message.event_id == second).await?;
    println!("later message: {:?}", started.elapsed());

    bob.edit(&room, &answer, "very well").await?;
    let edit = ann.edit_of(&answer, |_| true).await?;
    assert_eq!((edit.body.as_str(), edit.sender), ("very well", bob.user_id().clone()));

    let reaction = ann.react(&room, &answer, "✅").await?;
    assert_eq!(bob.reaction_to(&answer, "✅").await?, *ann.user_id());
    assert_eq!(bob.reactions_to(&answer).len(), 1);
    ann.redact(&room, &reaction).await?;
    bob.wait_for("the redaction", |message| message.redacts.as_ref() == Some(&reaction)).await?;
    assert!(bob.reactions_to(&answer).is_empty());
    Ok(())
}

#[tokio::test]
async fn what_an_attacker_would_send_arrives_as_such() -> Result<()> {
    let synapse = Synapse::shared().await?;
    let ann = person(&synapse, "harm-ann").await?;
    let bob = person(&synapse, "harm-bob").await?;
    let invite = vec![bob.user_id().clone()];
    let room = ann.create_room(&NewRoom { invite, ..NewRoom::default() }).await?;
    bob.join(&room).await?;
    ann.sees_joined(&room, bob.user_id()).await?;

    let original = ann.say(&room, "once").await?;
    let replayed = ann.replay(&room, &original).await?;
    assert_ne!(original, replayed);
    let again = bob.wait_for("the replay", |message| message.event_id == replayed).await?;
    // The SDK does not mind, so whoever obeys commands must.
    assert!(again.encrypted && again.body == "once", "{again}");

    let clear = ann.say_in_clear(&room, "in clear").await?;
    let heard = bob.wait_for("clear text", |message| message.event_id == clear).await?;
    assert!(!heard.encrypted && heard.body == "in clear");

    let thief = ann.login_unsigned_device().await?;
    assert!(!thief.is_signed().await?);
    let stolen = thief.say(&room, "it is me").await?;
    let heard = bob.wait_for("the thief", |message| message.event_id == stolen).await?;
    assert!(heard.encrypted && !heard.from_signed_device);

    let before = ann.master_key().await?;
    let started = Instant::now();
    ann.reset_identity().await?;
    println!("new identity: {:?}", started.elapsed());
    assert_ne!(ann.master_key().await?, before);
    assert!(ann.is_signed().await?);
    assert!(!bob.enable_recovery().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_homeserver_of_ones_own_has_its_limits_and_comes_back_with_its_data() -> Result<()> {
    let options = Options { default_rate_limits: true, ..Options::default() };
    let synapse = Synapse::start(options).await?;
    let ann = person(&synapse, "ann").await?;
    let room = ann.create_room(&NewRoom::default()).await?;
    let mut limited = None;
    while limited.is_none() {
        limited = ann.say_in_clear(&room, "hurry").await.err();
    }
    assert!(limited.is_some_and(|error| error.to_string().contains("429")));

    synapse.stop().await?;
    assert!(synapse.admin().account(ann.user_id()).await.is_err(), "it still answers");
    synapse.start_again().await?;
    assert_eq!(synapse.admin().account(ann.user_id()).await?["displayname"], "ann");
    let mark = ann.mark();
    ann.redact(&room, &ann.heard()[mark - 1].event_id).await?;
    ann.wait_for_since(mark, "the sync to go on", |message| message.redacts.is_some()).await?;

    synapse.kill().await?;
    let folder = synapse.dir().to_owned();
    drop((synapse, ann));
    assert!(!folder.exists(), "its data stays behind");
    Ok(())
}
