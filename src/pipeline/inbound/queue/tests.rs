//! Ten thousand messages come in three times as fast as within a minute, and what an operator asks
//! in between is answered as if there were none. And a command that ends in a fault takes no other
//! with it.

use std::time::{Duration, Instant};

use ruma::{OwnedEventId, owned_event_id, room_id};
use tokio::time::interval;
use world::{Account, Synapse, Things};

use crate::pipeline::{
    Doubt, Request, Said, Trust,
    inbound::queue::*,
    testing::{Fault, Stage},
};

/// Nothing answers there.
const NOWHERE: &str = "http://127.0.0.1:9";

const FLOOD: usize = 10_000;

/// They come ten at a time.
const AT_ONCE: usize = 10;
const EVERY: Duration = Duration::from_millis(20);

/// How long it takes to send one answer: slower than what could be answered comes in.
const SENDING: Duration = Duration::from_millis(5);

/// What an operator waits for an answer at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// What operators ask in between, each for something else, and what only the answer to it says.
const ASKED: [(&str, &str); 2] =
    [("!help user suspend", "Suspend an account"), ("!help room block", "Block a room")];

/// Lets all of these come in, and in between what `people` ask, who are answered in time.
async fn all_are_served(stage: &Stage, flood: Vec<Request>, people: [&str; 2]) {
    let (said, incoming) = mpsc::unbounded_channel();
    let ask = |number: usize| stage.request(people[number], ASKED[number].0);
    let mut asked = [0, 1].map(ask).into_iter();
    stage.heard.take_time(SENDING);
    let feeding = tokio::spawn(async move {
        let (mut pace, mut arrived) = (interval(EVERY), Vec::new());
        for (number, request) in flood.into_iter().enumerate() {
            if number % AT_ONCE == 0 {
                pace.tick().await;
            }
            said.send(Incoming::Request(request, InHand::default())).unwrap();
            if number % (FLOOD / 3) == FLOOD / 3 - 1
                && let Some(command) = asked.next()
            {
                arrived.push(Instant::now());
                said.send(Incoming::Request(command, InHand::default())).unwrap();
            }
        }
        arrived
    });
    serve(stage.pipeline.clone(), incoming, CancellationToken::new()).await;
    let arrived = feeding.await.unwrap();
    assert_eq!(arrived.len(), ASKED.len());
    for ((command, answer), arrived) in ASKED.into_iter().zip(arrived) {
        let answered = stage.heard.first(answer).expect(command);
        let waited = answered.duration_since(arrived);
        assert!(waited < PATIENCE, "{command} was answered after {waited:?}");
    }
}

fn message(text: String, reply_to: Option<OwnedEventId>) -> Said {
    Said::Message { body: text, formatted: None, reply_to, captions: false }
}

/// Everything that is said in a flood, by number.
fn noise(number: usize) -> Said {
    match number % 8 {
        0 => message("!user deactivate @ann:synod.test".to_owned(), None),
        1 => message("!confirm 4821".to_owned(), None),
        2 => message("yes".to_owned(), Some(owned_event_id!("$question"))),
        3 => message(format!("!usr {number}"), None),
        4 if number % 400 == 4 => message(format!("!user list {}", "x".repeat(60_000)), None),
        4 => message("!user list\n!user list".to_owned(), None),
        5 => Said::Edit { body: "!user suspend @ann:synod.test".to_owned() },
        6 => Said::Reaction { target: owned_event_id!("$question"), key: "✅".to_owned() },
        _ => message("good morning".to_owned(), None),
    }
}

fn flood(stage: &Stage, mut sender: impl FnMut(usize) -> (String, Trust)) -> Vec<Request> {
    let one = |number| {
        let (sender, trust) = sender(number);
        Request { trust, said: noise(number), ..stage.request(&sender, "") }
    };
    (0..FLOOD).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_from_strangers_hold_up_no_operator() {
    let stage = Stage::set(NOWHERE, "token");
    let doubt = Trust::Doubtful(Doubt::NotPinned);
    let flood = flood(&stage, |number| (format!("stranger{}", number % 50), doubt.clone()));
    all_are_served(&stage, flood, ["ann", "moe"]).await;
    let heard = stage.heard.all();
    assert_eq!(heard.len(), 3, "one line to all of them: {heard:?}");
    assert_eq!(stage.pipeline.audit.head().await.count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_in_an_operators_name_hold_up_neither_them_nor_others() {
    let stage = Stage::set(NOWHERE, "token");
    let doubts = [Doubt::Plaintext, Doubt::UnsignedDevice, Doubt::UnknownDevice];
    let flood = flood(&stage, |number| {
        let doubt = doubts.get(number % 4).copied().unwrap_or(Doubt::ChangedKey);
        ("ann".to_owned(), Trust::Doubtful(doubt))
    });
    all_are_served(&stage, flood, ["moe", "ann"]).await;
    assert_eq!(stage.pipeline.audit.head().await.count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_from_somebody_who_is_frozen_hold_up_no_other() {
    let stage = Stage::set(NOWHERE, "token");
    stage.say("ann", "!freeze @moe:synod.test").await;
    let before = stage.pipeline.audit.head().await.count;
    let session = || Trust::Signed { session: "session".to_owned() };
    let flood = flood(&stage, |_| ("moe".to_owned(), session()));
    all_are_served(&stage, flood, ["ann", "ann"]).await;
    assert_eq!(stage.pipeline.audit.head().await.count, before);
}

/// Lets all of these come in at once, and waits until the bot is done with them.
async fn served(stage: &Stage, said: &[(&str, &str)]) {
    let (send, incoming) = mpsc::unbounded_channel();
    for (sender, text) in said {
        send.send(Incoming::Request(stage.request(sender, text), InHand::default())).unwrap();
    }
    drop(send);
    let served = serve(stage.pipeline.clone(), incoming, CancellationToken::new());
    tokio::time::timeout(world::PATIENCE, served).await.expect("nobody waits for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_in_hand_until_it_is_answered() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.take_time(Duration::from_millis(200));
    let (send, incoming) = mpsc::unbounded_channel();
    let looks = TaskTracker::new();
    let look = stage.request("ann", ASKED[0].0);
    send.send(Incoming::Request(look, InHand::of(&looks))).unwrap();
    looks.close();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(stage.pipeline.clone(), incoming, stop.clone()));
    tokio::time::timeout(world::PATIENCE, looks.wait()).await.expect("it is answered");
    assert!(stage.heard.first(ASKED[0].1).is_some(), "the next sync does not get in its way");
    stop.cancel();
    served.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_one_command_stops_no_other_and_its_change_is_told_at_the_next_start() {
    let synapse = Synapse::shared().await.unwrap();
    let api = synapse.admin();
    let mut stage = Stage::set(&synapse.url(), api.token());
    let account = async |name: &str| {
        synapse.register(name, "correct horse battery", false, "somebody").await.unwrap()
    };
    let (eve, sam) = (account("fault-eve").await, account("fault-sam").await);
    let is = async |account: &Account, flag: &str| {
        api.account(&account.user_id).await.unwrap()[flag] == true
    };
    let (eves, sams) = (&eve.user_id, &sam.user_id);

    // Between the beginning of a change and its end.
    stage.say("ann", &format!("!user password {eves}")).await;
    let open = stage.pipeline.questions.open_in(room_id!("!admin:synod.test")).unwrap();
    let confirm = format!("!confirm {}", open[0].code);
    stage.heard.go_wrong(Fault::Secret);
    let before = stage.heard.all().len();
    let (suspend, lock) = (format!("!user suspend {sams}"), format!("!user lock {eves}"));
    served(&stage, &[("ann", &confirm), ("moe", &suspend), ("ann", &lock)]).await;
    let heard = stage.heard.all()[before..].to_vec();
    assert_eq!(heard.len(), 2, "of the fault the room hears nothing yet: {heard:?}");
    assert!(heard.iter().all(|said| said.contains("Done")), "{heard:?}");
    // The same subject and the same operator, too, wait for nothing any more.
    assert!(is(&eve, "locked").await && is(&sam, "suspended").await);
    assert_eq!(stage.pipeline.audit.left_open().unwrap().len(), 1);

    stage.start_again().await;
    let told = stage.heard.all()[before + 2..].join("\n");
    assert!(told.contains("Unknown") && told.contains("user password"), "{told}");
    assert!(told.contains(eves.as_str()) && told.contains("locked"), "what is so now: {told}");
    assert!(stage.pipeline.audit.left_open().unwrap().is_empty());

    // After its end, when it was to be told.
    stage.heard.go_wrong(Fault::Answer);
    let before = stage.heard.all().len();
    served(&stage, &[("ann", &format!("!user lock {sams}"))]).await;
    assert!(is(&sam, "locked").await);
    assert_eq!(stage.heard.all().len(), before);
    stage.start_again().await;
    let told = stage.heard.all()[before..].join("\n");
    assert!(told.contains("Done") && told.contains("before I could tell you"), "{told}");
    assert!(stage.pipeline.audit.verify().unwrap().whole().is_some());
}

#[tokio::test]
async fn a_fault_while_a_message_is_parsed_loses_nobodys_place() {
    let change = CancellationToken::new();
    let (next, told) = oneshot::channel();
    let next = Some(next);
    let shown = "!user suspend eve".to_owned();
    let pending = vec![Pending { over: change.clone(), names: Names::Anything, shown }];
    drop(Handover { next, pending });
    // What came before it is still waited for, and no longer than it takes.
    let turn = Turn::Parsing(told).still().expect("the change before it is not over");
    let before = turn.earlier().await;
    assert!(before.len() == 1 && !before[0].over.is_cancelled());
    change.cancel();
    assert!(before[0].over.is_cancelled() && Turn::After(before).still().is_none());
}

#[tokio::test]
async fn what_waits_here_does_not_become_too_old() {
    let stage = Stage::set(NOWHERE, "token");
    let last = || stage.heard.all().pop().unwrap_or_default();
    let arrived = stage.pipeline.receive(stage.request("ann", "!help user suspend")).unwrap();
    stage.clock.pass(3600);
    let task = stage.pipeline.parse(arrived);
    stage.pipeline.handle(task).await;
    assert!(last().contains("Suspend an account"), "{}", last());
    // Nothing old is run after an outage: it is as old as it was when it arrived.
    for (seconds, expired) in [(299, false), (301, true), (7200, true)] {
        let said = stage.request("ann", "!help user suspend");
        stage.clock.pass(seconds);
        stage.hand(said).await;
        assert_eq!(last().contains("Expired"), expired, "{seconds}: {}", last());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_goes_on_with_is_not_told_as_done_at_the_next_start() {
    let synapse = Synapse::shared().await.unwrap();
    let eve = synapse.register("goes-eve", "correct horse battery", false, "eve").await.unwrap();
    let things = Things::of(&synapse, eve).await.unwrap();
    let mut stage = Stage::set(&synapse.url(), synapse.admin().token());
    stage.say("ann", &format!("!room delete {}", things.room)).await;
    let open = stage.pipeline.questions.open_in(room_id!("!admin:synod.test")).unwrap();
    let phrase = open[0].about[0].0.phrase();
    stage.heard.go_wrong(Fault::Answer);
    let before = stage.heard.all().len();
    served(&stage, &[("ann", &format!("!confirm {} {phrase}", open[0].code))]).await;
    assert_eq!(stage.heard.all().len(), before, "nobody was told");
    stage.start_again().await;
    let told = stage.heard.all()[before..].join("\n");
    assert!(told.contains("is still working") && told.contains("room delete"), "{told}");
    assert!(!told.contains("**Done**"), "{told}");
}
