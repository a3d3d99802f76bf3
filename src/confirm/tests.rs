use std::sync::Arc;

use ruma::{owned_event_id, owned_room_id, owned_user_id, room_id, user_id};

use super::*;
use crate::{
    clock::FixedClock,
    operators::{Operator, Rank},
};

fn draft(demand: Demand) -> Draft {
    Draft {
        asker: owned_user_id!("@ann:x.test"),
        room: owned_room_id!("!admin:x.test"),
        asked_by: owned_event_id!("$asked"),
        words: vec!["user".into(), "deactivate".into(), "@eve:x.test".into()],
        about: vec![(Subject::User(owned_user_id!("@eve:x.test")), FactMap::new())],
        class: Class::Irreversible,
        demand,
        holds_secret: false,
        undoes: None,
        second: None,
        alone: None,
        totp: false,
        referenced: false,
        expires: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(10),
    }
}

struct Desk {
    tickets: Tickets,
    clock: Arc<FixedClock>,
    _dir: tempfile::TempDir,
}

fn desk() -> Desk {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    let opened = Store::open(&dir.path().join("store"), clock_now(&clock)).unwrap();
    let tickets = Tickets::new(&opened.store, clock.clone()).unwrap();
    Desk { tickets, clock, _dir: dir }
}

fn clock_now(clock: &Arc<FixedClock>) -> Timestamp {
    crate::clock::Clock::now(clock.as_ref())
}

impl Desk {
    async fn take(&self, code: &str, yes: Yes, by: &UserId, event: &str) -> Result<(), No> {
        self.answer(code, &yes, &somebody(by), event).await.map(|_| ())
    }

    async fn answer(&self, code: &str, yes: &Yes, by: &Operator, event: &str) -> Result<Taken, No> {
        let (event, room) = (ruma::EventId::parse(event).unwrap(), room_id!("!admin:x.test"));
        let answer = Answer { yes, by, room, event: &event, secret_here: false, totp: None };
        match self.tickets.take(code, &answer).await.unwrap() {
            Taken::Not(no) => Err(no),
            taken => Ok(taken),
        }
    }
}

/// An account that is a person of its own.
fn somebody(user: &UserId) -> Operator {
    Operator { user: user.to_owned(), role: Rank::Admin.into(), person: user.to_string() }
}

fn code() -> Yes {
    Yes::Code(Vec::new())
}

fn ann() -> &'static UserId {
    user_id!("@ann:x.test")
}

#[tokio::test]
async fn a_ticket_is_taken_once_and_the_second_yes_is_told() {
    let desk = desk();
    let ticket = desk.tickets.put(draft(Demand::Code)).await.unwrap();
    assert_eq!(desk.take(&ticket.code, code(), ann(), "$1").await, Ok(()));
    assert!(matches!(desk.take(&ticket.code, code(), ann(), "$2").await, Err(No::Over(_))));
    desk.tickets.end(&ticket.code, End::Run(Some(7)), Some(ann())).await.unwrap();
    let Err(No::Over(over)) = desk.take(&ticket.code, code(), ann(), "$1").await else {
        panic!("an ended ticket is over for everybody");
    };
    assert!(matches!(over.state, State::Ended { how: End::Run(Some(7)), .. }));
}

#[tokio::test]
async fn of_two_yeses_at_once_one_takes_the_ticket() {
    let desk = desk();
    let ticket = desk.tickets.put(draft(Demand::Code)).await.unwrap();
    let tries = (0..20).map(|n| {
        let event = format!("$try{n}");
        let code_of = ticket.code.clone();
        let desk = &desk;
        async move { desk.take(&code_of, code(), ann(), &event).await.is_ok() }
    });
    let won = futures_util::future::join_all(tries).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}

#[tokio::test]
async fn a_yes_late_by_another_elsewhere_or_too_light_does_nothing() {
    let desk = desk();
    let ticket = desk.tickets.put(draft(Demand::Phrase("eve".into()))).await.unwrap();
    let try_with = |yes| desk.take(&ticket.code, yes, ann(), "$1");
    assert!(matches!(try_with(Yes::Light).await, Err(No::NeedsCode(_))));
    assert!(matches!(try_with(code()).await, Err(No::NeedsPhrase(_))));
    assert!(matches!(try_with(Yes::Code(vec!["mallory".into()])).await, Err(No::WrongPhrase(_))));
    assert!(matches!(
        desk.take(&ticket.code, code(), user_id!("@moe:x.test"), "$1").await,
        Err(No::NotYours(asker)) if asker == ann()
    ));
    let answer = Answer {
        yes: &Yes::Code(vec!["eve".into()]),
        by: &somebody(ann()),
        room: room_id!("!other:x.test"),
        event: &owned_event_id!("$1"),
        secret_here: false,
        totp: None,
    };
    let elsewhere = desk.tickets.take(&ticket.code, &answer).await.unwrap();
    assert!(matches!(elsewhere, Taken::Not(No::Elsewhere)));
    desk.clock.pass(601);
    assert!(matches!(try_with(Yes::Code(vec!["eve".into()])).await, Err(No::Late(_))));
    let expired = desk.tickets.expire().await.unwrap();
    assert_eq!(expired.len(), 1);
    assert!(desk.tickets.expire().await.unwrap().is_empty(), "told once");
    assert!(matches!(
        desk.tickets.get(&ticket.code).unwrap().unwrap().state,
        State::Ended { how: End::Expired, .. }
    ));
}

#[tokio::test]
async fn a_question_whose_secret_died_with_the_process_says_so() {
    let desk = desk();
    let secret = Draft { holds_secret: true, ..draft(Demand::Code) };
    let ticket = desk.tickets.put(secret).await.unwrap();
    assert!(matches!(desk.take(&ticket.code, code(), ann(), "$1").await, Err(No::SecretGone(_))));
}

/// A question of ann's that takes so many of moe, bea and bea's other account.
fn for_others(others: usize) -> Draft {
    let may = ["@moe:x.test", "@bea:x.test", "@bea2:x.test"];
    let may = may.map(|user| UserId::parse(user).unwrap()).to_vec();
    let second = Some(Second { others, may, approvals: Vec::new() });
    Draft { second, ..draft(Demand::Phrase("eve".into())) }
}

#[tokio::test]
async fn what_takes_two_others_takes_two_persons_who_may_and_never_the_asker() {
    let desk = desk();
    let ticket = desk.tickets.put(for_others(2)).await.unwrap();
    let phrase = || vec!["eve".to_owned()];
    let approve = Yes::Approve(phrase());
    let (moe, vic) = (somebody(user_id!("@moe:x.test")), somebody(user_id!("@vic:x.test")));
    let bea = |user: &UserId| Operator { person: "bea".to_owned(), ..somebody(user) };
    let say = |yes: Yes, by: Operator| {
        let (desk, code) = (&desk, ticket.code.clone());
        async move { desk.answer(&code, &yes, &by, "$1").await }
    };
    for yes in [Yes::Code(phrase()), Yes::Light] {
        assert!(matches!(say(yes.clone(), somebody(ann())).await, Err(No::NeedsOthers(_))));
        assert!(matches!(say(yes, moe.clone()).await, Err(No::NeedsOthers(_))));
    }
    assert!(matches!(say(approve.clone(), somebody(ann())).await, Err(No::MayNotApprove(_))));
    assert!(matches!(say(approve.clone(), vic).await, Err(No::MayNotApprove(_))));
    assert!(matches!(say(Yes::Approve(vec![]), moe.clone()).await, Err(No::NeedsPhrase(_))));
    let first = say(approve.clone(), bea(user_id!("@bea:x.test"))).await;
    assert!(matches!(first, Ok(Taken::Part(_))), "{first:?}");
    let again = say(approve.clone(), bea(user_id!("@bea2:x.test"))).await;
    assert!(matches!(again, Err(No::Approved(_))), "another account is no other person");
    let Ok(Taken::Whole(_, consent)) = say(approve.clone(), moe.clone()).await else {
        panic!("the second person is the last that is needed");
    };
    assert!(consent.approved_by(&moe.user) && consent.approved_by(user_id!("@bea:x.test")));
    assert!(matches!(say(approve, moe).await, Err(No::Over(_))));
}

#[tokio::test]
async fn of_two_approvals_at_once_neither_is_lost() {
    let desk = desk();
    let ticket = desk.tickets.put(for_others(2)).await.unwrap();
    let approve = Yes::Approve(vec!["eve".into()]);
    let (moe, bea) = (somebody(user_id!("@moe:x.test")), somebody(user_id!("@bea:x.test")));
    let (one, other) = tokio::join!(
        desk.answer(&ticket.code, &approve, &moe, "$1"),
        desk.answer(&ticket.code, &approve, &bea, "$2")
    );
    let whole = [one, other].into_iter().filter(|t| matches!(t, Ok(Taken::Whole(..)))).count();
    assert_eq!(whole, 1);
}

#[tokio::test]
async fn nobody_approves_what_takes_its_askers_own_yes() {
    let desk = desk();
    let ticket = desk.tickets.put(draft(Demand::Code)).await.unwrap();
    let moe = user_id!("@moe:x.test");
    let approve = || Yes::Approve(Vec::new());
    assert!(matches!(desk.take(&ticket.code, approve(), moe, "$1").await, Err(No::NotYours(_))));
    assert!(matches!(
        desk.take(&ticket.code, approve(), ann(), "$1").await,
        Err(No::NeedsAsker(_))
    ));
}

#[tokio::test]
async fn who_is_alone_waits_and_who_needs_a_password_shows_one() {
    let desk = desk();
    let from = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(5);
    let alone = desk.tickets.put(Draft { alone: Some(from), ..draft(Demand::Code) });
    let alone = alone.await.unwrap();
    assert!(matches!(desk.take(&alone.code, code(), ann(), "$1").await, Err(No::TooEarly(_))));
    let totp = desk.tickets.put(Draft { totp: true, ..draft(Demand::Code) }).await.unwrap();
    assert!(matches!(desk.take(&totp.code, code(), ann(), "$1").await, Err(No::NeedsTotp(_))));
    desk.clock.pass(301);
    assert_eq!(desk.take(&alone.code, code(), ann(), "$1").await, Ok(()));
}

#[test]
fn the_form_in_which_a_ticket_is_kept_does_not_change_by_accident() {
    let ticket = Ticket {
        code: "4821".into(),
        asker: ann().to_owned(),
        room: owned_room_id!("!admin:x.test"),
        asked_by: owned_event_id!("$asked"),
        question: Some(owned_event_id!("$question")),
        words: vec!["user".into()],
        about: draft(Demand::Code).about,
        class: Class::Irreversible,
        demand: Demand::Phrase("eve".into()),
        holds_secret: false,
        undoes: None,
        second: None,
        alone: None,
        totp: false,
        referenced: false,
        put: Timestamp::UNIX_EPOCH,
        expires: Timestamp::UNIX_EPOCH,
        state: State::Ended { how: End::Run(Some(7)), by: None, at: Timestamp::UNIX_EPOCH },
    };
    assert_eq!(
        serde_json::to_string(&ticket).unwrap(),
        concat!(
            r#"{"code":"4821","asker":"@ann:x.test","room":"!admin:x.test","#,
            r#""asked_by":"$asked","question":"$question","words":["user"],"#,
            r#""about":[[{"user":"@eve:x.test"},{}]],"class":"irreversible","#,
            r#""demand":{"phrase":"eve"},"holds_secret":false,"#,
            r#""undoes":null,"put":"1970-01-01T00:00:00Z","expires":"1970-01-01T00:00:00Z","#,
            r#""state":{"ended":{"how":{"run":7},"by":null,"at":"1970-01-01T00:00:00Z"}}}"#
        )
    );
}
