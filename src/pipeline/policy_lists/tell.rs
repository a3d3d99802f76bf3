//! Saying what rules of policy lists fit here, in the first admin room.

use std::collections::BTreeSet;

use ruma::OwnedEventId;
use tracing::warn;

use super::{PolicyWatch, WatchedList, fetch::NOBODY_IN_IT};
use crate::{
    change::Subject,
    policy_lists::{
        About, Counts, Few, Fit, List, Measure, MeasureState, Recommendation, Rule, Told, Withdrawn,
    },
    reply::{Block, Fact, IdsOf, Line, Record, Reply, grouped},
    store,
};

/// How many rules are shown one by one in a message, and how many samples of what a pattern fits.
const ROWS: usize = 20;
const SAMPLES: usize = 5;

impl PolicyWatch {
    /// Says what is to be said of a list, as far as that works; how many messages they were.
    pub(super) async fn tell(
        &self,
        watched: &WatchedList,
        list: &mut List,
    ) -> Result<usize, store::Error> {
        let named = watched.named.as_str();
        let Some(rules) = &self.below.rules.policy_lists else { return Ok(0) };
        let mut told = 0;
        while let Some(first) = list.untold.first().cloned() {
            let reply = self.words(watched, list, &first);
            let reply = Reply { encrypted_only: true, ..reply };
            let key = format!("policy {named} {}", list.told);
            let said = match &first {
                // What follows from it is an answer to this message.
                Told::Acting(fit) => match self.say(&rules.room, &key, &reply).await {
                    Some(event) => {
                        self.announced(watched, fit, event).await?;
                        true
                    }
                    None => false,
                },
                _ => self.below.voice.say_surely(&rules.room, None, &key, &reply).await,
            };
            if !said {
                break;
            }
            list.untold.remove(0);
            list.told = list.told.saturating_add(1);
            self.below.lists.keep(named, list).await?;
            // What the bot does by itself has a cap of its own.
            if !matches!(first, Told::Acting(_)) {
                self.has_told(named);
            }
            told += 1;
        }
        Ok(told)
    }

    async fn say(&self, room: &ruma::RoomId, key: &str, reply: &Reply) -> Option<OwnedEventId> {
        let said = self.below.voice.say(room, None, key, reply).await;
        let untold = |error: &_| {
            warn!(error = error as &dyn std::error::Error, "a rule is not announced yet");
        };
        said.inspect_err(untold).ok()
    }

    /// Keeps that a measure was announced by this message.
    async fn announced(
        &self,
        watched: &WatchedList,
        fit: &Fit,
        event: OwnedEventId,
    ) -> Result<(), store::Error> {
        let Some((id, subject)) = only(fit) else { return Ok(()) };
        // Cut off after it was kept, it is not announced a second time.
        if self.below.lists.measure(&id)?.is_some() {
            return Ok(());
        }
        let measure = Measure {
            subject,
            list: watched.named.to_string(),
            rule: fit.rule.clone(),
            at: self.now(),
            words: command(watched, fit.rule.about, std::slice::from_ref(&id), false),
            state: MeasureState::Announced(event),
        };
        self.below.lists.keep_measure(&id, &measure).await
    }

    /// The number of a list, as `policy list` shows it.
    fn number(&self, watched: &WatchedList) -> usize {
        let place = self.watched().iter().position(|list| list.named == watched.named);
        place.unwrap_or_default() + 1
    }

    fn words(&self, watched: &WatchedList, list: &List, told: &Told) -> Reply {
        let head = Line::from(format!("Policy list {}", self.number(watched)));
        let show = ["policy", "show", &self.number(watched).to_string()].map(str::to_owned);
        let show = show.to_vec();
        match told {
            Told::First(counts) => {
                let reply = Reply::data(
                    head.plain(format!(" was read for the first time: {}", rules(counts.all()))),
                );
                let reply = reply.facts(vec![source(watched)]).facts(facts(counts));
                let note = if watched.acts {
                    "Nothing was done because of what was on it before. From now on I act on new \
                     rules that name one account or room here, and tell you of the others"
                } else {
                    "Nothing was done. From now on I tell you of new rules that fit something here"
                };
                reply.command("What fits now", show).note(note)
            }
            Told::Users(fits) => fitting(head, watched, fits, About::Users),
            Told::Rooms(fits) => fitting(head, watched, fits, About::Rooms),
            Told::Acting(fit) => acting(head, watched, fit),
            Told::Pattern(fit) => pattern(head, watched, fit),
            Told::More(more) => {
                let line =
                    head.plain(format!(" has {} more that fit something here", rules(*more)));
                Reply::data(line).facts(vec![source(watched)]).command("All of them", show)
            }
            Told::Withdrawn(gone) => withdrawn(head, watched, gone),
            Told::Fault(why) => {
                let reply = Reply::data(head.plain(format!(" cannot be read: {why}")));
                let reply = reply.facts(vec![source(watched)]).note(
                    "Until then what I know of it stays as it is. I try again every few minutes",
                );
                if !NOBODY_IN_IT.contains(&why.as_str()) {
                    return reply;
                }
                let room = list.room.as_ref().map_or(watched.named.as_str(), |room| room.as_str());
                let somebody = format!("@USER:{}", self.below.reader.server_name());
                let join = ["room", "join", room, &somebody].map(str::to_owned).to_vec();
                reply.command("To let an account of this homeserver join it", join)
            }
            Told::ReadAgain => {
                Reply::data(head.plain(" can be read again")).facts(vec![source(watched)])
            }
        }
    }
}

/// The only account or room that a rule fits.
fn only(fit: &Fit) -> Option<(String, Subject)> {
    let id = fit.fits.ids.first()?;
    let subject = match fit.rule.about {
        About::Users => Subject::User(id.as_str().try_into().ok()?),
        About::Rooms => Subject::Room(id.as_str().try_into().ok()?),
        About::Servers => return None,
    };
    Some((id.clone(), subject))
}

fn rules(count: usize) -> String {
    match count {
        1 => "1 rule".to_owned(),
        many => format!("{} rules", grouped(many)),
    }
}

/// The list, as the config names it.
fn source(watched: &WatchedList) -> Fact {
    ("List", Line::new().code(&watched.named))
}

/// How many rules there are of each kind.
pub(super) fn facts(counts: &Counts) -> Vec<Fact> {
    let Counts { users, rooms, servers, takedowns, patterns, .. } = *counts;
    let Counts { fit_users, fit_rooms, fit_patterns, unread, .. } = *counts;
    let mut facts: Vec<Fact> =
        vec![("About accounts", grouped(users).into()), ("About rooms", grouped(rooms).into())];
    if servers > 0 {
        let line = format!("{}; only counted: Synapse cannot block a server", grouped(servers));
        facts.push(("About servers", line.into()));
    }
    if takedowns > 0 {
        facts.push(("Recommend a takedown", grouped(takedowns).into()));
    }
    if patterns > 0 {
        let line =
            format!("{}; {} of them fit something here", grouped(patterns), grouped(fit_patterns));
        facts.push(("Patterns", line.into()));
    }
    facts.push(("Name accounts here", grouped(fit_users).into()));
    facts.push(("Name rooms known here", grouped(fit_rooms).into()));
    let not = [
        (unread.hashed, "name only a hash"),
        (unread.other, "recommend something else"),
        (unread.nameless, "name nothing that could be an id"),
    ];
    let not: Vec<String> = not
        .into_iter()
        .filter(|(many, _)| *many > 0)
        .map(|(many, why)| format!("{} {why}", grouped(many)))
        .collect();
    if !not.is_empty() {
        facts.push(("Not understood", not.join(", ").into()));
    }
    facts
}

/// What a rule says: `ban by @mod:example.org: “spam”`.
pub(super) fn says(rule: &Rule) -> Line {
    let line = Line::from(rule.recommendation.as_str()).plain(" by ").code(&rule.sender);
    match &rule.reason {
        Some(reason) => line.plain(": ").hostile(reason),
        None => line,
    }
}

/// The words of what is done to these, with the list as the reason where somebody is to send them.
fn command(watched: &WatchedList, about: About, ids: &[String], reason: bool) -> Vec<String> {
    let verb = if about == About::Rooms { ["room", "block"] } else { watched.on_users };
    let mut words: Vec<String> = verb.map(str::to_owned).to_vec();
    words.extend_from_slice(ids);
    if reason {
        words.extend(["--reason".to_owned(), format!("policy list {}", watched.named)]);
    }
    words
}

/// What is done to these, for a command to copy.
fn label(watched: &WatchedList, about: About, many: bool) -> &'static str {
    match (about, watched.on_users[1], many) {
        (About::Rooms, _, false) => "Block it",
        (About::Rooms, _, true) => "Block them",
        (_, "lock", false) => "Lock it",
        (_, "lock", true) => "Lock them",
        (_, _, false) => "Suspend it",
        (_, _, true) => "Suspend them",
    }
}

/// One rule with what it fits, and what is left alone of that.
fn record(fit: &Fit) -> Record {
    let title = Line::new().hostile(&fit.rule.entity);
    let title = match fit.fits.ids.as_slice() {
        [one] if !fit.rule.is_pattern() => Line::new().code(one),
        _ => title,
    };
    let mut facts: Vec<Fact> =
        vec![(if fit.changed { "Rule now" } else { "Rule" }, says(&fit.rule))];
    for (id, why) in fit.left_alone.iter().take(SAMPLES) {
        facts.push(("Left alone", Line::new().code(id).plain(": ").plain(why.as_str())));
    }
    Record { title, facts }
}

/// Rules that name accounts or rooms by their whole ids.
fn fitting(head: Line, watched: &WatchedList, fits: &[Fit], about: About) -> Reply {
    let what = if about == About::Rooms { "room" } else { "account" };
    // Several rules can name the same.
    let ids: BTreeSet<String> = fits.iter().flat_map(|fit| fit.fits.ids.iter().cloned()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let line = match fits {
        [Fit { fits: few, .. }] if !few.ids.is_empty() => {
            few.ids.iter().fold(head.plain(" names "), Line::code)
        }
        [one] => head.plain(" names ").hostile(&one.rule.entity).plain(", which is left alone"),
        several => head.plain(format!(" names {} {what}s here", grouped(several.len()))),
    };
    let reply = Reply::data(line).facts(vec![source(watched)]);
    let reply = reply.with(Block::Records(fits.iter().take(ROWS).map(record).collect()));
    let reply = match fits.len().saturating_sub(ROWS) {
        0 => reply,
        more => reply.note(format!("{} more are not shown", grouped(more))),
    };
    let reply = asking(reply, watched, about, &ids);
    takedown_note(reply, fits.iter())
}

/// Offers what can be done to these.
fn asking(reply: Reply, watched: &WatchedList, about: About, ids: &[String]) -> Reply {
    if ids.is_empty() {
        return reply.note("Nothing was done");
    }
    let ids_of = Some(if about == About::Rooms { IdsOf::Rooms } else { IdsOf::Accounts });
    let shown: Vec<String> = ids.iter().take(ROWS).cloned().collect();
    let keep = ["policy", "keep"].into_iter().map(str::to_owned).chain(shown.iter().cloned());
    let words = command(watched, about, &shown, true);
    let reply = reply
        .command(label(watched, about, shown.len() > 1), words)
        .command("Let go, so that no rule is told or acted on for it", keep.collect())
        .note("Nothing was done");
    Reply { ids: ids.to_vec(), ids_of, ..reply }
}

fn takedown_note<'a>(reply: Reply, mut fits: impl Iterator<Item = &'a Fit>) -> Reply {
    if fits.any(|fit| fit.rule.recommendation == Recommendation::Takedown) {
        return reply.note(
            "A takedown recommends to remove it with what it holds. I never do that by myself: look at \
             it first",
        );
    }
    reply
}

/// That the bot is about to act.
fn acting(head: Line, watched: &WatchedList, fit: &Fit) -> Reply {
    let does = match (fit.rule.about, watched.on_users[1]) {
        (About::Rooms, _) => ": I block it",
        (_, "lock") => ": I lock it",
        _ => ": I suspend it",
    };
    let line = fit.fits.ids.iter().take(1).fold(head.plain(" names "), Line::code).plain(does);
    Reply::data(line).facts(vec![source(watched), ("Rule", says(&fit.rule))])
}

/// A pattern that fits something here.
fn pattern(head: Line, watched: &WatchedList, fit: &Fit) -> Reply {
    let what = match (fit.rule.about, fit.fits.count) {
        (About::Rooms, 1) => "room known",
        (About::Rooms, _) => "rooms known",
        (_, 1) => "account",
        _ => "accounts",
    };
    let line = head
        .plain(" has the pattern ")
        .hostile(&fit.rule.entity)
        .plain(format!(", which fits {} {what} here", count(&fit.fits)));
    let mut facts = vec![source(watched), ("Rule", says(&fit.rule))];
    let samples = fit.fits.ids.iter().take(SAMPLES).enumerate();
    let samples = samples
        .fold(Line::new(), |line, (n, id)| line.plain(if n == 0 { "" } else { ", " }).code(id));
    if !samples.is_empty() {
        facts.push(("Samples", samples));
    }
    for (id, why) in fit.left_alone.iter().take(SAMPLES) {
        facts.push(("Left alone", Line::new().code(id).plain(": ").plain(why.as_str())));
    }
    let reply = Reply::data(line).facts(facts);
    let ids = if fit.fits.count == fit.fits.ids.len() { fit.fits.ids.clone() } else { Vec::new() };
    let ids_of = Some(match fit.rule.about {
        About::Rooms => IdsOf::Rooms,
        About::Users | About::Servers => IdsOf::Accounts,
    });
    let reply = reply.note(if ids.is_empty() {
        "Nothing was done, and a pattern never makes me act by myself"
    } else {
        "Nothing was done, and a pattern never makes me act by myself. A command that replies to this \
         is about all that it fits"
    });
    let ids_of = ids_of.filter(|_| !ids.is_empty());
    takedown_note(Reply { ids, ids_of, ..reply }, std::iter::once(fit))
}

fn count(few: &Few) -> String {
    let count = grouped(few.count);
    if few.at_least { format!("at least {count}") } else { count }
}

/// Rules that are gone.
fn withdrawn(head: Line, watched: &WatchedList, gone: &[Withdrawn]) -> Reply {
    let line = match gone {
        [one] => head.plain(" has withdrawn its rule about ").hostile(&one.rule.entity),
        several => head
            .plain(format!(" has withdrawn {} that fitted something here", rules(several.len()))),
    };
    let records = gone.iter().take(ROWS).map(|one| {
        let title = Line::new().hostile(&one.rule.entity);
        let mut facts: Vec<Fact> = vec![("It was", says(&one.rule))];
        if one.rule.is_pattern() {
            facts.push(("It fitted", count(&one.fitted).into()));
        }
        Record { title, facts }
    });
    let reply = Reply::data(line).facts(vec![source(watched)]);
    let reply = reply.with(Block::Records(records.collect()));
    reply.note("What operators did because of it stays as it is; what I did by myself I undo")
}
