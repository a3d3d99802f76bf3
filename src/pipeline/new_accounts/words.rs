//! New accounts, in words.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    new_accounts::{Batch, Like, LookedUp, NewAccount, Used, Whose},
    reply::{Block, Fact, Line, Reply, grouped, span},
};

/// How many patterns of names are told.
const PATTERNS: usize = 3;
/// How many tokens are told.
const TOKENS: usize = 5;
/// From so many rooms, or invitations sent, on it stands out that an account has them already.
const MANY: u64 = 10;
/// Groups of new accounts are looked for in so many hours at most.
const LONGEST: i64 = 7 * 24;
/// From so many accounts on it is told within what time they were created.
const SEVERAL: usize = 3;

/// New accounts, as one message; with whole tokens where everybody there may see them.
pub(super) fn said(batch: &Batch, whole_tokens: bool, now: Timestamp) -> Reply {
    let token = Tokens { batch, whole: whole_tokens }.told();
    let reply = match batch.named.as_slice() {
        [one] if batch.count == 1 && !batch.at_least => alone(one, token, now),
        named => together(batch, named, token, now),
    };
    let waiting: Vec<String> =
        batch.named.iter().filter(|one| one.waits).map(|one| one.id.to_string()).collect();
    let approve = ["user", "approve"].map(str::to_owned).into_iter().chain(waiting.iter().cloned());
    let reply =
        if waiting.is_empty() { reply } else { reply.command("Approve", approve.collect()) };
    Reply { encrypted_only: true, ..reply }
}

/// One new account.
fn alone(account: &NewAccount, token: Option<Line>, now: Timestamp) -> Reply {
    let title = Line::from("New account ").line(named(account));
    let mut facts: Vec<Fact> = vec![("Created", Line::new().ago(Some(account.created), now))];
    let looked_up = account.looked_up.as_ref();
    match looked_up.and_then(way) {
        Some(way) => facts.push(("How", way)),
        None => facts.extend(token.map(|token| ("Registration token", token))),
    }
    let mut outs = stands_out(account);
    outs.extend(looked_up.filter(|one| !one.email).map(|_| "no email address".into()));
    facts.extend(joined(outs).map(|outs| ("Stands out", outs)));
    if looked_up.is_none() {
        facts.push(("Not known", "I could not look it up".into()));
    }
    if account.waits {
        facts.push(("Approval", "it cannot log in until an admin approves it".into()));
    }
    let details = ["user", "details", account.id.as_str()].map(str::to_owned).to_vec();
    Reply::data(title).facts(facts).command("Look at it", details)
}

/// Several new accounts.
fn together(batch: &Batch, named: &[NewAccount], token: Option<Line>, now: Timestamp) -> Reply {
    let more = if batch.at_least { "at least " } else { "" };
    let title = Line::from(format!("{more}{} new accounts", grouped(batch.count)));
    let title = if batch.looks > 1 { title.plain(" since ").at(batch.since) } else { title };
    let mut facts: Vec<Fact> = named.iter().map(|one| ("Account", row(one, now))).collect();
    let others = batch.count.saturating_sub(named.len());
    if others > 0 {
        facts.push(("Account", format!("and {} more", grouped(others)).into()));
    }
    if batch.count >= SEVERAL {
        let (first, last) = batch.created;
        let within = match last.duration_since(first) {
            short if short.as_secs() < 60 => "a minute".to_owned(),
            long => span(long),
        };
        let line = Line::from(format!("within {within}, the last ")).ago(Some(last), now);
        facts.push(("Created", line));
    }
    for (pattern, count) in batch.alike().into_iter().take(PATTERNS) {
        let line = Line::new().code(pattern).plain(format!(", {} of them", grouped(count)));
        facts.push(("Names alike", line));
    }
    if batch.looked_up > 0 {
        let (without, of) = (grouped(batch.without_email), grouped(batch.looked_up));
        let of = if batch.looked_up < batch.count { format!("{of} that I looked up") } else { of };
        facts.push(("Without an email address", format!("{without} of {of}").into()));
    }
    facts.extend(token.map(|token| ("Registration token", token)));
    if batch.bridged > 0 {
        let line = format!("{} of application services", grouped(batch.bridged));
        facts.push(("Left out", line.into()));
    }
    if batch.waiting > 0 {
        let line = format!("{} not approved yet, and cannot log in", grouped(batch.waiting));
        facts.push(("Approval", line.into()));
    }
    let reply = Reply::data(title).facts(facts);
    if batch.is_storm() { reply.with(Block::Commands(vec![wave(batch, now)])) } else { reply }
}

/// The command that groups them.
fn wave(batch: &Batch, now: Timestamp) -> (Line, Vec<String>) {
    let hours = now.duration_since(batch.created.0).as_hours().saturating_add(1);
    let since = format!("{}h", hours.clamp(1, LONGEST));
    let words = ["wave", "--since", &since].map(str::to_owned).to_vec();
    ("Find those that belong together".into(), words)
}

/// Its id and the name that people see.
fn named(account: &NewAccount) -> Line {
    let line = Line::new().code(&account.id);
    match &account.name {
        Some(name) => line.plain(" ").hostile(name),
        None => line,
    }
}

/// A new account among several.
fn row(account: &NewAccount, now: Timestamp) -> Line {
    let line = named(account).plain(", created ").ago(Some(account.created), now);
    let way = account.looked_up.as_ref().and_then(way);
    let outs = way.into_iter().chain(stands_out(account));
    outs.fold(line, |line, out| line.plain(" · ").line(out))
}

/// How it was made, as far as that is known and was not by registering.
fn way(looked_up: &LookedUp) -> Option<Line> {
    if let Some((by, number)) = &looked_up.made {
        let line = Line::from("made through me by ").code(by).plain(", ");
        return Some(line.code(format!("#{number}")));
    }
    let provider = looked_up.provider.as_ref()?;
    Some(Line::from("signs on with ").hostile(provider))
}

/// What stands out of it.
fn stands_out(account: &NewAccount) -> Vec<Line> {
    let mut outs = Vec::new();
    if let Some(Like { user, whose }) = &account.like {
        let whose = match whose {
            Whose::Operator => ", an operator",
            Whose::Bot => ", an account of mine",
            Whose::Protected => ", which the config protects",
        };
        let line = Line::new().strong("its name reads like that of").plain(" ").code(user);
        outs.push(line.plain(whose));
    }
    let Some(looked_up) = &account.looked_up else { return outs };
    if let Some(rooms) = looked_up.rooms.filter(|rooms| *rooms as u64 >= MANY) {
        outs.push(format!("in {} rooms already", grouped(rooms)).into());
    }
    if let Some(sent) = looked_up.invitations.filter(|sent| *sent >= MANY) {
        let sent = grouped(usize::try_from(sent).unwrap_or(usize::MAX));
        outs.push(format!("has sent {sent} invitations already").into());
    }
    if looked_up.deactivated {
        outs.push("deactivated already".into());
    }
    outs
}

fn joined(lines: Vec<Line>) -> Option<Line> {
    lines.into_iter().reduce(|line, other| line.plain(" · ").line(other))
}

/// Which registration tokens were used meanwhile.
struct Tokens<'a> {
    batch: &'a Batch,
    /// Whether they are shown whole.
    whole: bool,
}

impl Tokens<'_> {
    /// What is known; nothing where there are none, or nobody can have used one.
    fn told(&self) -> Option<Line> {
        let batch = self.batch;
        if !batch.at_least && batch.not_registered >= batch.count {
            return None;
        }
        let used = match &batch.used {
            Used::NoTokens => return None,
            Used::NotKnown => return Some("I could not compare how often each was used".into()),
            Used::These(used) if used.is_empty() => return Some("none was used meanwhile".into()),
            Used::These(used) => used,
        };
        let Some(token) = batch.registered_with() else { return Some(self.counts(used)) };
        let line = self.shown(token);
        let by = batch.count.saturating_sub(batch.not_registered);
        let whom = match by {
            _ if batch.count == 1 => String::new(),
            _ if by == batch.count => " by all of them".to_owned(),
            1 => " by one of them".to_owned(),
            many => format!(" by {} of them", grouped(many)),
        };
        let often = if by == 1 { "once" } else { "as often" };
        Some(line.plain(format!("{whom}, since it was used {often} meanwhile, and no other was")))
    }

    /// How often each was used, where nobody can tell by whom.
    fn counts(&self, used: &BTreeMap<String, u64>) -> Line {
        let mut used: Vec<(&String, u64)> = used.iter().map(|(token, n)| (token, *n)).collect();
        used.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let more = used.len().saturating_sub(TOKENS);
        let mut line = Line::new();
        for (place, (token, count)) in used.into_iter().take(TOKENS).enumerate() {
            let times = match usize::try_from(count).unwrap_or(usize::MAX) {
                1 => " was used once".to_owned(),
                count => format!(" was used {} times", grouped(count)),
            };
            line = line.plain(if place == 0 { "" } else { ", " }).line(self.shown(token));
            line = line.plain(times);
        }
        let line = if more > 0 { line.plain(format!(", {more} others too")) } else { line };
        line.plain(" meanwhile; the homeserver does not say by whom")
    }

    /// A token as those in the room may see it.
    fn shown(&self, token: &str) -> Line {
        if self.whole {
            return Line::new().code(token);
        }
        // Whoever reads all of it can register.
        let length = token.chars().count();
        let begin: String = token.chars().take((length / 4).min(4)).collect();
        if begin.is_empty() {
            "a short one".into()
        } else {
            Line::new().code(format!("{begin}…"))
        }
    }
}
