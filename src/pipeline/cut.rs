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

use serde_json::json;
use world::{Proxy, Synapse, Things};

use super::{Request, testing::Stage};
use crate::{
    audit::Kind,
    commands::{Does, GROUPS},
    confirm::{State, Ticket},
    gate::{Demand, Policy, Protection, Rule, Stance},
};

/// A future that is dropped when it has waited so often.
struct Cut<F> {
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

fn cut<F: Future>(waits: usize, inner: F) -> Cut<F> {
    Cut { inner: Box::pin(inner), waits }
}

fn open_question(stage: &Stage) -> Option<Ticket> {
    let open = stage.pipeline.tickets.open_in(ruma::room_id!("!admin:synod.test")).unwrap();
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

/// Kills the bot after so many waits. Whether it was done before; and how many requests it sent.
async fn killed(
    (base, token): (&str, &str),
    proxy: &Proxy,
    what: What<'_>,
    waits: usize,
) -> (bool, usize) {
    let mut stage = Stage::with(what.policy(), base, token);
    let said = what.last_word(&stage).await;
    let sent_before = proxy.changes().len();
    let heard_before = stage.heard.all().len();
    let finished = cut(waits, stage.hand(said.clone())).await.is_some();
    stage.start_again().await;

    let what = format!("{what:?}, killed after {waits} waits");
    let sent = proxy.changes()[sent_before..].to_vec();
    for (place, request) in sent.iter().enumerate() {
        let again = sent[..place].iter().any(|other| {
            (&other.method, &other.path, &other.body)
                == (&request.method, &request.path, &request.body)
        });
        assert!(!again, "{what}: sent twice: {request:?}");
    }
    assert!(stage.pipeline.audit.verify().unwrap().is_ok(), "{what}: the chain is broken");
    assert!(stage.pipeline.audit.left_open().unwrap().is_empty(), "{what}: left open");
    let opened = stage.pipeline.audit.last(20).unwrap();
    let opened = opened.iter().filter(|kept| kept.entry.kind == Kind::Opened).count();
    assert!(opened <= 1, "{what}: opened {opened} times");
    let heard = stage.heard.all()[heard_before..].join("\n");
    if sent.is_empty() {
        let claimed = heard.contains("**Done**") || heard.contains("Unknown");
        assert!(!claimed || opened == 1, "{what}: nothing was sent, and it said: {heard}");
    } else {
        assert_eq!(opened, 1, "{what}: sent and not on record");
        assert!(!heard.is_empty(), "{what}: sent, and nobody was told");
        let denied = heard.contains("before I came to this");
        assert!(!denied, "{what}: it was sent, and it said: {heard}");
    }
    // The homeserver shows the same event once more.
    let handled = stage.hand(said).await;
    assert!(!handled, "{what}: dealt with twice");
    assert_eq!(proxy.changes().len(), sent_before + sent.len(), "{what}: sent again");
    (finished, sent.len())
}

/// Kills it after one wait, after two, and so on until it is done before that.
async fn killed_everywhere(homeserver: (&str, &str), proxy: &Proxy, what: What<'_>) -> usize {
    for waits in 0..2_000 {
        let (finished, sent) = killed(homeserver, proxy, what, waits).await;
        if finished {
            return sent;
        }
    }
    panic!("{what:?} never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_is_killed_wherever_it_waits_and_runs_once_at_most() {
    let synapse = Synapse::shared().await.unwrap();
    let proxy = Proxy::start(&synapse.url()).await.unwrap();
    let eve = synapse.register("cut-eve", "correct horse", false, "eve").await.unwrap();
    let things = Things::of(&synapse, eve).await.unwrap();
    let (api, url) = (synapse.admin(), proxy.url().to_owned());
    let homeserver = (url.as_str(), api.token());
    proxy.keep_changes(json!({}));
    let mut sent = std::collections::BTreeMap::new();
    for restrained in [false, true] {
        if restrained {
            things.restrain(&api).await.unwrap();
        }
        let verbs = GROUPS.iter().flat_map(|group| group.verbs.iter().map(move |v| (group, v)));
        let changing = verbs.filter(|(_, verb)| verb.does != Does::Look);
        for (group, verb) in changing {
            let name = group.words(verb);
            for example in verb.examples {
                if sent.contains_key(&name) {
                    break;
                }
                let command = things.typed(example);
                let stage = Stage::set(homeserver.0, homeserver.1);
                let before = proxy.changes().len();
                stage.say("ann", &command).await;
                let confirms = open_question(&stage).is_some();
                if proxy.changes().len() == before && !confirms {
                    continue;
                }
                let number = if confirms {
                    killed_everywhere(homeserver, &proxy, What::Command(&command)).await;
                    killed_everywhere(homeserver, &proxy, What::Confirm(&command)).await
                } else {
                    killed_everywhere(homeserver, &proxy, What::Command(&command)).await
                };
                assert!(number > 0, "{command} sends something in the end");
                sent.insert(name.clone(), number);
            }
        }
    }
    let unblock = things.typed("room unblock #lobby:example.org");
    assert!(killed_everywhere(homeserver, &proxy, What::Approve(&unblock)).await > 0);
    let all = GROUPS.iter().flat_map(|group| {
        let changing = group.verbs.iter().filter(|verb| verb.does != Does::Look);
        changing.map(|verb| group.words(verb))
    });
    let missing: Vec<String> = all.filter(|name| !sent.contains_key(name)).collect();
    assert!(missing.is_empty(), "never killed: {missing:?}");
}
