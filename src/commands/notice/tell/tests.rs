use super::*;
use crate::{
    change::{FactMap, Method, Path, Step},
    commands::user::testing::{self, ann, now},
};

/// A change that can be undone, of an account that exists.
#[derive(Debug)]
struct Mute;

#[async_trait]
impl Action for Mute {
    fn class(&self, _many: usize) -> Class {
        Class::Reversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    async fn subjects(&self, _reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![ann()])
    }

    async fn snapshot(&self, _subject: &Subject, _reader: &Reader) -> Result<Snapshot, Stop> {
        Ok(seen(json!({}), Reachable::Joined))
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        Question { title: Line::new().plain("Mute ").code(subject), ..Question::default() }
    }

    fn change(&self, _subject: &Subject, _seen: &Snapshot) -> Result<Change, Skip> {
        let step = Step::new(Method::Put, Path::admin(["v1", "mute"]), json!({}));
        let wanted = FactMap::from([("muted".to_owned(), json!(true))]);
        Ok(Change { steps: vec![step.idempotent()], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        _before: &Snapshot,
        answers: &[Answer],
        _after: &Snapshot,
    ) -> Outcome {
        let title =
            Line::new().code(subject).plain(format!(" is muted by {} answer", answers.len()));
        Outcome::done(title, Undo::Command(vec!["unmute".to_owned()]))
    }
}

fn seen(account: Value, reachable: Reachable) -> Snapshot {
    let mut seen = testing::snapshot_of(&testing::account(account));
    seen.note_now(now());
    seen.extra.insert(REACHABLE.to_owned(), json!(reachable));
    seen
}

fn told(then: Then) -> Told<Mute> {
    Told {
        action: Mute,
        text: Text::lines("Stop it\\nor else"),
        then,
        several: false,
        meanings: BEFORE,
    }
}

fn warned(then: Then, seen: &Snapshot) -> String {
    let lines = told(then).warnings(&ann(), seen);
    lines.iter().map(testing::line).collect::<Vec<_>>().join("\n")
}

fn answered() -> Vec<Answer> {
    let answer = |body| Answer { status: 200, body };
    vec![answer(json!({"event_id": "$x"})), answer(json!({}))]
}

#[test]
fn the_notice_is_sent_first_and_makes_it_dearer() {
    let told = told(Then::Suspended);
    assert_eq!((told.class(1), told.power()), (Class::Disruptive, Power::Moderate));
    assert_eq!(Told { several: true, ..told }.power(), Power::Server, "as notices to many");
    let told = self::told(Then::Suspended);
    assert_eq!(told.amounts_to(), ["notice send"]);
    assert!(told.probe().is_some());
    let change = told.change(&ann(), &seen(json!({}), Reachable::Joined)).unwrap();
    let [notice, mute] = change.steps.as_slice() else { panic!("{change:?}") };
    assert_eq!(notice.path.parts()[3], "send_server_notice");
    assert!(!notice.idempotent, "it is sent once");
    assert_eq!(
        notice.body,
        json!({"user_id": "@ann:example.org",
               "content": {"msgtype": "m.text", "body": "Stop it\nor else"}})
    );
    assert_eq!(mute.path.parts()[3], "mute");
    assert!(change.wanted.contains_key("muted"));
}

#[test]
fn without_a_text_it_is_the_change_alone() {
    let Ask::Change(action) = Tell::default().before(Mute, Then::Locked, true, BEFORE) else {
        panic!("a change stays one")
    };
    assert_eq!((action.class(1), action.power()), (Class::Reversible, Power::Moderate));
    assert!(testing::parse::<Tell>(&["--tell", " "]).is_err(), "an empty text says nothing");
    assert!(testing::parse::<Tell>(&["--tell", "\\n"]).is_err());
}

#[test]
fn who_cannot_read_it_is_told_of_before_the_question() {
    let at = |reachable| seen(json!({}), reachable);
    assert_eq!(warned(Then::Suspended, &at(Reachable::Joined)), "");
    let left = warned(Then::Suspended, &at(Reachable::Left));
    assert!(left.starts_with("`@ann:example.org` has left its room for notices"), "{left}");
    assert!(left.ends_with("and a suspended account cannot join"), "{left}");
    let locked = warned(Then::Locked, &at(Reachable::Joined));
    assert!(locked.contains("reads nothing while it is locked"), "{locked}");
    let gone = warned(Then::Deactivated, &at(Reachable::New));
    assert_eq!(gone.lines().count(), 2, "{gone}");
    assert!(gone.contains("logged out right after the notice"), "{gone}");
    let mut before = at(Reachable::Joined);
    before.extra.insert(LOCKED.to_owned(), json!(true));
    assert!(warned(Then::Suspended, &before).contains("is locked already"));
    let bridged = seen(json!({"appservice_id": "irc"}), Reachable::New);
    let bridged = warned(Then::Deactivated, &bridged);
    assert_eq!(
        bridged,
        "`@ann:example.org` is a bridged account: probably nobody reads the notice"
    );
}

#[test]
fn a_deactivated_account_is_not_told_anything() {
    let gone = seen(json!({"deactivated": true}), Reachable::Joined);
    let skip = testing::skip(&told(Then::Deactivated).change(&ann(), &gone).unwrap_err());
    assert_eq!(
        skip,
        "Refused · `@ann:example.org` is deactivated, so nobody would read the notice; send the same \
         without --tell"
    );
}

#[test]
fn the_question_shows_the_text_and_the_outcome_that_it_stays() {
    let verb = told(Then::Suspended);
    let before = seen(json!({}), Reachable::Joined);
    let explained: Vec<String> = verb.explanations(&ann()).iter().map(testing::line).collect();
    assert_eq!(explained, ["Before that it is told, as a server notice: “Stop it or else”"]);
    let asked = testing::question(&verb.question(&ann(), &before));
    assert!(asked.contains("Stays:\n- the notice: it cannot be taken back"), "{asked}");

    let mut after = seen(json!({}), Reachable::Joined);
    after.extra.insert("muted".to_owned(), json!(true));
    after.extra.insert(REACH.to_owned(), json!(Reach::Joined));
    let done = testing::outcome(&verb.outcome(&ann(), &before, &answered(), &after));
    assert_eq!(
        done,
        "Done · `@ann:example.org` is muted by 1 answer\n\
         Told: “Stop it or else”. It got a notice from the homeserver; an undo does not take that back\n\
         Undo: !unmute"
    );
    after.extra.insert("muted".to_owned(), json!(false));
    let half = testing::outcome(&verb.outcome(&ann(), &before, &answered(), &after));
    assert!(half.starts_with("Done in part · `@ann:example.org` was told, but"), "{half}");
}

#[test]
fn a_refusal_is_of_the_notice_or_of_what_follows() {
    const GONE: Meaning = Meaning::new(404, "M_NOT_FOUND", "", "gone");
    let all = meanings(&[GONE]);
    assert_eq!(all.len(), BEFORE.len() + 1);
    assert_eq!(all.last().map(|meaning| meaning.means), Some("gone"));
    assert!(all.first().is_some_and(|meaning| meaning.means.contains("disabled")));
}
