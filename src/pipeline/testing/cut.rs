//! Every verb is killed between asking and reporting, wherever it waits for anything: the store,
//! the homeserver, the room. After each kill the bot begins anew on what was kept.
//!
//! The homeserver is a real one that is only looked at: what would change it is answered by a
//! proxy, so that every kill finds it as the one before.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use world::{Proxy, Synapse, Things};

use crate::{
    audit::Kind,
    commands::{Does, GROUPS, Spec},
    confirm::{Demand, State, Ticket},
    operators::{Policy, Protection, Rule, Stance},
    pipeline::{Request, testing::Stage},
    reply::Status,
};

/// A future that is dropped when it has waited so often.
pub(in crate::pipeline) struct Cut<F> {
    inner: Pin<Box<F>>,
    waits: usize,
}

impl<F: Future> Future for Cut<F> {
    /// Nothing where it was cut.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.waits == 0 => Poll::Ready(None),
            Poll::Pending => {
                self.waits -= 1;
                Poll::Pending
            }
        }
    }
}

/// A future that is dropped when it has waited so often.
pub(in crate::pipeline) fn cut<F: Future>(waits: usize, inner: F) -> Cut<F> {
    Cut { inner: Box::pin(inner), waits }
}

fn open_question(stage: &Stage) -> Option<Ticket> {
    let open = stage.pipeline.questions.open_in(ruma::room_id!("!admin:synod.test")).unwrap();
    open.into_iter().find(|ticket| ticket.state == State::Open)
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum What<'a> {
    /// What this command leads to.
    Command(&'a str),
    /// What the asker's yes to its question leads to.
    Confirm(&'a str),
    /// What another operator's yes to it leads to.
    Approve(&'a str),
}

impl What<'_> {
    fn command(&self) -> &str {
        match self {
            Self::Command(command) | Self::Confirm(command) | Self::Approve(command) => command,
        }
    }

    fn policy(self) -> Policy {
        let rule = Rule { others: 1, ..Rule::default() };
        let rules = if matches!(self, Self::Approve(_)) { vec![rule] } else { Vec::new() };
        Policy { rules, protection: Protection::all(Stance::Phrase), ..Policy::default() }
    }

    /// What is said last, and by whom, when everything before it has been said.
    async fn last_word(self, stage: &Stage) -> Request {
        let command = stage.request("ann", self.command());
        let (by, verb) = match self {
            Self::Command(_) => return command,
            Self::Confirm(_) => ("ann", "confirm"),
            Self::Approve(_) => ("moe", "approve"),
        };
        stage.hand(command).await;
        let ticket = open_question(stage).expect("it asks");
        let phrase = match &ticket.demand {
            Demand::Phrase(phrase) => phrase,
            Demand::Yes | Demand::Code => "",
        };
        stage.request(by, &format!("!{verb} {} {phrase}", ticket.code))
    }
}

/// How many verbs are killed beside each other: most of the time each waits for the homeserver.
const AT_ONCE: usize = 3;

/// The token that the homeserver answers for whoever acts as somebody.
const CUT: &str = "a_token_that_is_cut_off";

/// The homeserver behind a proxy of one's own, which answers what would change it. It says that it
/// goes on with everything, by an id that nobody will know.
struct Homeserver<'a> {
    proxy: Proxy,
    token: &'a str,
}

impl<'a> Homeserver<'a> {
    async fn of(synapse: &Synapse, token: &'a str) -> Self {
        let proxy = Proxy::start(&synapse.url()).await.unwrap();
        let ids = json!({ "delete_id": "cut", "purge_id": "cut", "redact_id": "cut", "access_token": CUT });
        proxy.keep_changes(ids);
        Self { proxy, token }
    }

    fn stage(&self, policy: Policy) -> Stage {
        Stage::with(policy, self.proxy.url(), self.token)
    }
}

/// Watches everything that goes on to its end, as the bot does beside what it is asked for.
async fn watch(stage: &Stage) {
    for watch in stage.pipeline.watcher.watches().all().unwrap() {
        stage.pipeline.watcher.watch_one(watch).await;
    }
}

/// What came of one kill.
struct Killed {
    /// Whether it was done before it.
    finished: bool,
    /// How many requests it sent.
    sent: usize,
    /// Whether the change was closed by itself and not because it was cut off.
    closed: bool,
    /// How many ends of what the homeserver went on with are on record.
    ended: usize,
}

/// Kills the bot after so many waits.
async fn killed(homeserver: &Homeserver<'_>, what: What<'_>, waits: usize) -> Killed {
    let proxy = &homeserver.proxy;
    let mut stage = homeserver.stage(what.policy());
    let said = what.last_word(&stage).await;
    let sent_before = proxy.changes().len();
    let heard_before = stage.heard.all().len();
    let whole = async {
        stage.hand(said.clone()).await;
        watch(&stage).await;
    };
    let finished = cut(waits, whole).await.is_some();
    stage.start_again().await;
    watch(&stage).await;

    let what = format!("{what:?}, killed after {waits} waits");
    let sent = proxy.changes()[sent_before..].to_vec();
    for (place, request) in sent.iter().enumerate() {
        let again = sent[..place].iter().any(|other| {
            (&other.method, &other.path, &other.body)
                == (&request.method, &request.path, &request.body)
        });
        assert!(!again, "{what}: sent twice: {request:?}");
    }
    assert!(
        stage.pipeline.audit.verify().unwrap().whole().is_some(),
        "{what}: the chain is broken"
    );
    assert!(stage.pipeline.audit.left_open().unwrap().is_empty(), "{what}: left open");
    let record = stage.pipeline.audit.last(20).unwrap();
    let of = |kind| record.iter().filter(move |kept| kept.entry.kind == kind);
    let (opened, ended) = (of(Kind::Opened).count(), of(Kind::Ended).count());
    assert!(opened <= 1, "{what}: opened {opened} times");
    let closed = of(Kind::Closed).filter_map(|kept| kept.record.as_ref());
    let closed = closed.filter(|closed| closed.status != Some(Status::Unknown)).count() == 1;
    let heard = stage.heard.all()[heard_before..].join("\n");
    assert!(stage.pipeline.watcher.watches().all().unwrap().is_empty(), "{what}: still watched");
    assert!(heard.matches("This was `#").count() >= ended, "{what}: no end was told: {heard}");
    if sent.is_empty() {
        let claimed = heard.contains("**Done**") || heard.contains("Unknown");
        assert!(!claimed || opened == 1, "{what}: nothing was sent, and it said: {heard}");
    } else {
        assert_eq!(opened, 1, "{what}: sent and not on record");
        assert!(!heard.is_empty(), "{what}: sent, and nobody was told");
        let denied = heard.contains("before I got to this");
        assert!(!denied, "{what}: it was sent, and it said: {heard}");
    }
    // The homeserver shows the same event once more.
    let handled = stage.hand(said).await;
    assert!(!handled, "{what}: dealt with twice");
    assert_eq!(proxy.changes().len(), sent_before + sent.len(), "{what}: sent again");
    Killed { finished, sent: sent.len(), closed, ended }
}

/// Kills it after one wait, after two, and so on until it is done before that; how many requests it
/// sends then, and how many ends it tells. What is on record as closed has them however it was
/// killed, each once.
async fn killed_everywhere(homeserver: &Homeserver<'_>, what: What<'_>) -> (usize, usize) {
    let mut ends = Vec::new();
    for waits in 0..2_000 {
        let killed = killed(homeserver, what, waits).await;
        if killed.closed {
            ends.push((waits, killed.ended));
        }
        if killed.finished {
            let untold = ends.iter().find(|(_, ended)| *ended != killed.ended);
            assert_eq!(untold, None, "{what:?}: it has {} ends", killed.ended);
            return (killed.sent, killed.ended);
        }
    }
    panic!("{what:?} never ends");
}

/// Kills a verb everywhere, in the first of its examples that does something with these things: the
/// requests it sends, and the ends it tells. `None` where none does.
async fn verb_killed(
    homeserver: &Homeserver<'_>,
    verb: &Spec,
    things: &Things,
) -> Option<(usize, usize)> {
    for example in verb.examples {
        let command = things.typed(example);
        let stage = homeserver.stage(What::Command(&command).policy());
        let before = homeserver.proxy.changes().len();
        stage.say("ann", &command).await;
        let confirms = open_question(&stage).is_some();
        if homeserver.proxy.changes().len() == before && !confirms {
            continue;
        }
        let mut done = killed_everywhere(homeserver, What::Command(&command)).await;
        if confirms {
            done = killed_everywhere(homeserver, What::Confirm(&command)).await;
        }
        assert!(done.0 > 0, "{command} sends something in the end");
        return Some(done);
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_is_killed_wherever_it_waits_and_runs_once_at_most() {
    let synapse = Synapse::shared().await.unwrap();
    let eve = synapse.register("cut-eve", "correct horse", false, "eve").await.unwrap();
    let things = Things::of(&synapse, eve).await.unwrap();
    let api = synapse.admin();
    let all = GROUPS.iter().flat_map(|group| {
        let changing = group.verbs.iter().filter(|verb| verb.does != Does::Look);
        changing.map(|verb| (group.words(verb), verb))
    });
    let mut left: Vec<(String, &Spec)> = all.collect();
    let mut ends = 0;
    for restrained in [false, true] {
        if restrained {
            things.restrain(&api).await.unwrap();
        }
        let (synapse, things, token) = (&synapse, &things, api.token());
        let killed = left.into_iter().map(|(name, verb)| async move {
            let homeserver = Homeserver::of(synapse, token).await;
            (verb_killed(&homeserver, verb, things).await, (name, verb))
        });
        let killed: Vec<_> = stream::iter(killed).buffer_unordered(AT_ONCE).collect().await;
        ends += killed.iter().filter_map(|(done, _)| *done).map(|(_, ended)| ended).sum::<usize>();
        left =
            killed.into_iter().filter(|(done, _)| done.is_none()).map(|(_, verb)| verb).collect();
    }
    let missing: Vec<String> = left.into_iter().map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "never killed: {missing:?}");
    // Rooms deleted, history purged, messages redacted.
    assert!(ends >= 3, "only {ends} were watched to an end");

    let homeserver = Homeserver::of(&synapse, api.token()).await;
    let unblock = things.typed("room unblock #lobby:example.org");
    assert!(killed_everywhere(&homeserver, What::Approve(&unblock)).await.0 > 0);
}
