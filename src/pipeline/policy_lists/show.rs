//! What the rules of a list fit at this moment, as a listing that a command can reply to.

use std::collections::BTreeMap;

use ruma::{RoomId, UserId};

use super::{PolicyWatch, WatchedList, fetch, tell};
use crate::{
    change::Subject,
    error::Stop,
    policy_lists::{About, Kept, List, Pattern, Rule, RuleKey},
    reply::{Block, Fact, IdsOf, Line, Record, Reply, grouped},
    store,
    synapse::Reader,
};

/// How many are shown one by one.
const ROWS: usize = 20;
/// How many that are left alone are named.
const NAMED: usize = 10;
/// How many comparisons with patterns are made for one answer, and after how many others have their turn.
const COMPARISONS: usize = 1_000_000;
const AT_ONCE: usize = 2_000;

/// What is to be shown.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct Shown {
    /// Rooms, and not accounts.
    pub(in crate::pipeline) rooms: bool,
    /// Also what patterns fit.
    pub(in crate::pipeline) patterns: bool,
}

/// What fits, each with a rule that names it, and what was not compared.
#[derive(Default)]
struct Fitting<'a> {
    found: BTreeMap<String, &'a Rule>,
    /// How many patterns there are that were left out.
    patterns: usize,
    /// Whether there is more here than was looked through.
    more: bool,
}

impl PolicyWatch {
    /// What the rules of the list with this place in the config fit now.
    pub(in crate::pipeline) async fn shown(
        &self,
        place: usize,
        what: Shown,
        reader: &Reader,
    ) -> Result<Reply, Stop> {
        let Some(watched) = self.watched().get(place) else {
            return Err(Stop::not_found("there is no such policy list").or(&["policy", "list"]));
        };
        let rules = self.below.lists.rules(watched.named.as_str())?;
        let fitting = self.fitting_now(&rules, what, reader).await?;
        let (mut listed, mut alone) = (Vec::new(), Vec::new());
        for (id, rule) in &fitting.found {
            if reader.may_name(&subject(id)?).is_err() {
                continue;
            }
            match self.left_alone(id, true).await? {
                None => listed.push((id, *rule)),
                Some(why) => alone.push(Line::new().code(id).plain(": ").plain(why)),
            }
        }
        Ok(listing(place, what, &fitting, &listed, alone))
    }

    async fn fitting_now<'a>(
        &self,
        rules: &'a BTreeMap<RuleKey, Kept>,
        what: Shown,
        reader: &Reader,
    ) -> Result<Fitting<'a>, Stop> {
        let (about, here) = if what.rooms {
            (About::Rooms, fetch::rooms(&reader.afresh()).await?)
        } else {
            (About::Users, fetch::accounts(&reader.afresh()).await?)
        };
        let mut fitting = Fitting { more: here.more, ..Fitting::default() };
        let mut left = COMPARISONS;
        for kept in rules.values().filter(|kept| kept.rule.about == about) {
            let (rule, id) = (&kept.rule, kept.rule.entity.raw());
            let known = kept.fits.as_ref().is_some_and(|fits| !fits.is_empty());
            if !rule.is_pattern() {
                if here.ids.contains_key(id) || here.more && known {
                    fitting.found.insert(id.to_owned(), rule);
                }
                continue;
            }
            let Some(pattern) = rule.pattern(reader.server_name()) else { continue };
            left = if what.patterns { left.saturating_sub(here.ids.len()) } else { 0 };
            if left == 0 {
                fitting.patterns += 1;
                continue;
            }
            for id in fitting_ids(&pattern, &here).await {
                fitting.found.entry(id).or_insert(rule);
            }
        }
        Ok(fitting)
    }

    /// All lists with what is known of them.
    pub(in crate::pipeline) fn overview(&self) -> Result<Reply, store::Error> {
        let watched = self.watched();
        if watched.is_empty() {
            let reply = Reply::data("No policy lists are watched");
            return Ok(reply.note("Name them under `policy_lists` in my config"));
        }
        let mut records = Vec::new();
        for (place, list) in watched.iter().enumerate() {
            let known = self.below.lists.list(list.named.as_str())?.unwrap_or_default();
            let rules = self.below.lists.rules(list.named.as_str())?;
            records.push(self.record(place, list, &known, &rules)?);
        }
        let title = match watched.len() {
            1 => "One policy list is watched".to_owned(),
            many => format!("{many} policy lists are watched"),
        };
        let reply = Reply::data(title).with(Block::Records(records));
        let show = vec!["policy".to_owned(), "show".to_owned(), "1".to_owned()];
        Ok(reply.command("What the first fits now", show))
    }

    fn record(
        &self,
        place: usize,
        watched: &WatchedList,
        list: &List,
        rules: &BTreeMap<RuleKey, Kept>,
    ) -> Result<Record, store::Error> {
        let named = watched.named.as_str();
        let title = Line::from(format!("{} · ", place + 1)).code(named);
        let mode = if watched.acts {
            format!("acts by itself, at most {} an hour", watched.per_hour)
        } else {
            "tells, and leaves it to you".to_owned()
        };
        let counts = super::compare::counts(rules, list);
        let mut facts: Vec<Fact> = vec![("Rules", grouped(counts.all()).into())];
        facts.extend(tell::facts(&counts));
        let open = rules.values().filter(|kept| kept.fits.is_none()).count();
        if open > 0 {
            facts.push(("Not compared yet", grouped(open).into()));
        }
        facts.push(("Mode", mode.into()));
        let measures = self.below.lists.measures()?;
        let measures = measures.iter().filter(|(_, measure)| measure.list == named).count();
        if measures > 0 {
            facts.push(("Acted on", grouped(measures).into()));
        }
        facts.push(("Read", Line::new().ago(list.read, self.now())));
        if let Some(why) = &list.fault {
            facts.push(("Not read", why.as_str().into()));
        } else if self.has_failed(named) {
            facts.push(("Not read", "the homeserver did not answer; I try again".into()));
        } else if self.is_told_too_often(named) {
            facts.push(("Not read", "it has changed too often within this hour".into()));
        }
        Ok(Record { title, facts })
    }
}

/// The ids that a pattern fits, without those of server admins.
async fn fitting_ids(pattern: &Pattern, here: &fetch::Listed) -> Vec<String> {
    let mut ids = Vec::new();
    for (n, (id, admin)) in here.ids.iter().enumerate() {
        if n % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        if !admin && pattern.fits(id) {
            ids.push(id.clone());
        }
    }
    ids
}

fn subject(id: &str) -> Result<Subject, Stop> {
    if let Ok(user) = UserId::parse(id) {
        return Ok(Subject::User(user));
    }
    let room = RoomId::parse(id);
    room.map(Subject::Room).map_err(|_| Stop::failed("the homeserver lists what is no id"))
}

fn listing(
    place: usize,
    what: Shown,
    fitting: &Fitting<'_>,
    listed: &[(&String, &Rule)],
    alone: Vec<Line>,
) -> Reply {
    let (one, several) =
        if what.rooms { ("room known here", "rooms known here") } else { ("account", "accounts") };
    let count = match listed.len() {
        0 => format!("no {several}"),
        1 => format!("1 {one}"),
        many => format!("{} {several}", grouped(many)),
    };
    let verb = if what.patterns { "fits" } else { "names" };
    let mut reply = Reply::data(format!("Policy list {} {verb} {count}", place + 1));
    let records = listed.iter().take(ROWS).map(|(id, rule)| {
        let mut facts: Vec<Fact> = vec![("Rule", tell::says(rule))];
        if rule.is_pattern() {
            facts.push(("Pattern", Line::new().hostile(&rule.entity)));
        }
        Record { title: Line::new().code(id), facts }
    });
    let records: Vec<Record> = records.collect();
    if !records.is_empty() {
        reply = reply.with(Block::Records(records));
    }
    if listed.len() > ROWS {
        reply = reply.note(format!("{} more are not shown", grouped(listed.len() - ROWS)));
    }
    if !alone.is_empty() {
        let more = alone.len().saturating_sub(NAMED);
        let mut lines: Vec<Line> = alone.into_iter().take(NAMED).collect();
        lines.extend((more > 0).then(|| Line::from(format!("and {} more", grouped(more)))));
        reply = reply.with(Block::List("Left alone:".into(), lines));
    }
    if fitting.patterns > 0 {
        let patterns = format!("{} patterns are left out; to include them, add ", fitting.patterns);
        reply = reply.note(Line::from(patterns).code("--patterns"));
    }
    if fitting.more {
        reply = reply.note("I looked through the first 10,000 only");
    }
    if listed.is_empty() {
        return reply;
    }
    let example = if what.rooms { "!room block" } else { "!user suspend" };
    let note = Line::from("A command that replies to this is about all of them: ").command(example);
    let ids = listed.iter().map(|(id, _)| (*id).clone()).collect();
    let ids_of = Some(if what.rooms { IdsOf::Rooms } else { IdsOf::Accounts });
    Reply { ids, ids_of, ..reply.note(note) }
}
