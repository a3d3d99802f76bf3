//! What a command from the shell comes to, without a homeserver where that is not needed.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt as _, future::BoxFuture};
use secrecy::SecretString;

use super::*;
use crate::{pipeline::testing::Stage, reply::Screen};

/// A terminal at which these lines are typed.
#[derive(Debug, Default)]
struct Typist {
    asks: bool,
    lines: Mutex<Vec<&'static str>>,
    shown: Mutex<String>,
    ended: Mutex<Option<Exit>>,
}

impl Typist {
    fn with(asks: bool, lines: &[&'static str]) -> Arc<Self> {
        let lines = Mutex::new(lines.iter().rev().copied().collect());
        Arc::new(Self { asks, lines, ..Self::default() })
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Console for Typist {
    fn can_ask(&self) -> bool {
        self.asks
    }

    fn is_open(&self) -> bool {
        true
    }

    fn show<'a>(&'a self, reply: &'a Reply, _: Shown) -> BoxFuture<'a, Result<(), Left>> {
        let text = reply.on_screen(Screen::default());
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        async { Ok(()) }.boxed()
    }

    fn ask(&self, _: Duration) -> BoxFuture<'_, Typed> {
        let line = self.lines.lock().unwrap_or_else(PoisonError::into_inner).pop();
        async move { line.map_or(Typed::Nothing, |line| Typed::Line(line.to_owned())) }.boxed()
    }

    fn secret<'a>(&'a self, _: &'a SecretString) -> BoxFuture<'a, Result<(), Left>> {
        async { Err(Left) }.boxed()
    }

    fn end(&self, exit: Exit) -> BoxFuture<'_, ()> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(exit);
        async {}.boxed()
    }
}

fn call(user: &str, line: &str) -> Call {
    let user = OwnedUserId::try_from(format!("@{user}:synod.test")).unwrap();
    Call { user, uid: 1000, words: line.split(' ').map(str::to_owned).collect() }
}

async fn run(stage: &Stage, user: &str, line: &str) -> (Exit, String) {
    let typist = Typist::with(false, &[]);
    let exit = stage.pipeline.exec(call(user, line), typist.clone()).await;
    assert_eq!(*typist.ended.lock().unwrap(), Some(exit), "it is said what is returned");
    (exit, typist.shown())
}

#[tokio::test]
async fn what_is_not_for_the_shell_is_refused_and_tells_the_room_nothing() {
    let stage = Stage::set("http://127.0.0.1:1", "none");
    for (user, line, exit, said) in [
        ("eve", "user list", Exit::Refused, "no longer an operator"),
        ("ann", "approve 1234 eve", Exit::Refused, "nobody can approve from a shell"),
        ("ann", "unfreeze", Exit::Refused, "synod unfreeze"),
        ("ann", "usr list", Exit::Usage, "there is no command !usr"),
        ("ann", "user list --yes", Exit::Usage, "does not exist here"),
        ("ann", "user details", Exit::Usage, "whom?"),
        ("ann", "user password @eve:synod.test --password x", Exit::Refused, ""),
        ("ann", "confirm 9999", Exit::NotFound, "no such question"),
        ("ann", "cancel", Exit::Unchanged, "you have no open question"),
        ("ann", "help", Exit::Done, "user"),
        ("ann", "!help", Exit::Done, "user"),
        ("ann", "user suspend --help", Exit::Done, "suspend"),
        ("moe", "user list", Exit::Failed, ""),
    ] {
        let (ended, shown) = run(&stage, user, line).await;
        assert_eq!(ended, exit, "{line}: {shown}");
        assert!(shown.contains(said), "{line}: {shown}");
    }
    assert!(stage.heard.all().is_empty(), "{:?}", stage.heard.all());
}

#[tokio::test]
async fn a_freeze_from_the_shell_holds_and_is_told_in_the_room() {
    let stage = Stage::set("http://127.0.0.1:1", "none");
    let (exit, _) = run(&stage, "moe", "freeze").await;
    assert_eq!(exit, Exit::Done);
    let told = stage.heard.all().join("\n").replace('\\', "");
    assert!(told.contains("!freeze") && told.contains("the shell, as user id 1000"), "{told}");
    assert!(stage.pipeline.freeze_control.bot_frozen().is_some());
    // Whoever is frozen is not served there either.
    assert_eq!(run(&stage, "moe", "freeze @ann:synod.test").await.0, Exit::Done);
    let (exit, shown) = run(&stage, "ann", "help").await;
    assert_eq!(exit, Exit::Refused, "{shown}");
}

#[test]
fn what_is_typed_to_a_question_takes_the_same_words_as_in_the_room() {
    let operator = Operator {
        user: ruma::owned_user_id!("@ann:synod.test"),
        person: "ann".to_owned(),
        role: crate::operators::Rank::Admin.into(),
    };
    let heard = |line: &str| heard(line, "4821", &operator);
    for yes in ["yes", "Yes.", " y \n", "ok"] {
        assert!(matches!(heard(yes), Ok(Said::Yes("4821"))), "{yes:?}");
    }
    for no in ["no", "N", "no.\n"] {
        assert!(matches!(heard(no), Ok(Said::No("4821"))), "{no:?}");
    }
    for command in ["confirm 4821 eve", "!confirm 4821", "cancel", "!cancel 4821"] {
        assert!(matches!(heard(command), Ok(Said::Command(_))), "{command:?}");
    }
    for nothing in
        ["", "sure", "confirm 1234", "user list", "!user list", "approve 4821", "yes yes"]
    {
        assert!(heard(nothing).is_err(), "{nothing:?}");
    }
}
