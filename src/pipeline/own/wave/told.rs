//! What is said of new accounts and their groups.

use jiff::{SignedDuration, Timestamp};
use ruma::ServerName;
use serde_json::{Map, json};

use super::{
    group::{Account, By, Group},
    last::{Counts, Found, Wave, letters},
};
use crate::{
    change::Path,
    config::WaveThreshold,
    error::Stop,
    refs::without_server,
    reply::{
        Block, Fact, File, Format, Hostile, IdsOf, Line, Record, Reply, Ring, Sheet, grouped, span,
        utc,
    },
    synapse::Reader,
    wave_alerts::WaveAlert,
};

/// How many groups are shown.
const GROUPS: usize = 10;

/// How many accounts of a group are shown as samples.
const SAMPLES: usize = 3;

/// How many addresses or clients of a group are shown.
const NAMED: usize = 3;

/// How many accounts of a group are shown one by one: more of them come as a file.
const ROWS: usize = 20;

/// How many that look real are named.
const REAL: usize = 20;

/// Numbers in words: `1 account`, `2,940 accounts`.
fn count(many: usize, one: &str, several: &str) -> String {
    match many {
        0 => format!("no {several}"),
        1 => format!("1 {one}"),
        many => format!("{} {several}", grouped(many)),
    }
}

fn accounts(many: usize) -> String {
    count(many, "account", "accounts")
}

/// The groups of a wave, the largest first, each with samples and with what its accounts have in common.
pub(super) async fn overview(wave: &Wave, hours: &str, reader: &Reader) -> Reply {
    let found = found(wave);
    let title = format!("{} created in the last {hours}{found}", accounts(wave.accounts));
    let mut reply = Reply::data(title);
    let records = records(wave, reader).await;
    if !records.is_empty() {
        let commands = (0..records.len()).take(SAMPLES).map(|place| {
            let letters = letters(place);
            (Line::from(format!("Show {letters}")), words(&["wave", "show", &letters]))
        });
        let commands = commands.collect();
        reply = reply.with(Block::Records(records)).with(Block::Commands(commands));
    }
    let more = wave.groups.len().saturating_sub(GROUPS);
    if more > 0 {
        reply = reply.note(format!(
            "{} more, smaller than these; they are shown by their letters, the last by {}.",
            count(more, "group", "groups"),
            letters(wave.groups.len() - 1)
        ));
    }
    let reply = notes(wave).into_iter().fold(reply, Reply::note);
    Reply { encrypted_only: wave.private, ..reply }
}

/// A wave of which the bot tells by itself: the groups as whoever may not see addresses is shown them.
/// Letters are those of who asks, so that no group can be shown by its letter yet.
pub(super) async fn alert(
    alert: &WaveAlert,
    wave: &Wave,
    threshold: WaveThreshold,
    reader: &Reader,
) -> Reply {
    let first = if alert.times > 1 { "The wave of new accounts has grown: " } else { WAVE };
    let more = if alert.more { " or more" } else { "" };
    let title = Line::from(format!("{first}{}{more} created since ", accounts(alert.accounts)))
        .at(alert.since)
        .plain(found(wave));
    let mut reply = Reply::data(title);
    let records = records(wave, reader).await;
    if !records.is_empty() {
        reply = reply.with(Block::Records(records));
    }
    let within = SignedDuration::try_from(threshold.within).unwrap_or(SignedDuration::MAX);
    let why = format!(
        "Told because {} or more were created within {}. I have done nothing about it.",
        grouped(threshold.accounts),
        span(within)
    );
    let reply = reply.command("To review the groups and act on them", asks_for(alert, wave.at));
    let reply = notes(wave).into_iter().fold(reply.note(why), Reply::note);
    Reply { encrypted_only: true, ring: Ring::These(Vec::new()), ..reply }
}

/// How the message about a wave begins that was not told before.
const WAVE: &str = "A wave of new accounts: ";

/// How far back `!wave` looks by itself, less the time in which somebody sends it.
const USUAL: SignedDuration = SignedDuration::from_hours(5);

/// The command that shows these accounts.
fn asks_for(alert: &WaveAlert, now: Timestamp) -> Vec<String> {
    let age = now.duration_since(alert.since);
    if age <= USUAL {
        return words(&["wave"]);
    }
    let hours = format!("{}h", age.as_hours() + 1);
    words(&["wave", "--since", &hours])
}

/// How many groups there are, and how many accounts in none.
fn found(wave: &Wave) -> String {
    match (wave.groups.len(), wave.alone) {
        (0, _) => ", no group among them".to_owned(),
        (groups, 0) => format!(": {}, nobody outside", count(groups, "group", "groups")),
        (groups, alone) => {
            format!(": {}, {} in none", count(groups, "group", "groups"), grouped(alone))
        }
    }
}

/// The largest groups.
async fn records(wave: &Wave, reader: &Reader) -> Vec<Record> {
    let mut records = Vec::new();
    for (place, found) in wave.groups.iter().take(GROUPS).enumerate() {
        records.push(record(place, found, wave, reader).await);
    }
    records
}

/// What is not in the groups, and what was not looked at.
fn notes(wave: &Wave) -> Vec<Line> {
    let more = wave.more.then(|| {
        Line::from(format!(
            "There are more new accounts: I looked at the newest {}. A shorter --since shows whether \
             these are all of a group.",
            grouped(wave.accounts)
        ))
    });
    let kept = (wave.kept > 0).then(|| {
        Line::new()
            .plain(format!("{} left out, taken out of waves before: ", accounts(wave.kept)))
            .command("!wave keep --list")
    });
    let plain = [
        (wave.bridged, "of bridges left out."),
        (wave.unreached, "left out that your role does not reach."),
        (wave.unread, "could not be looked up, so they are in no group."),
    ];
    let plain = plain.into_iter().filter(|(many, _)| *many > 0);
    let plain = plain.map(|(many, what)| Line::from(format!("{} {what}", accounts(many))));
    let reports = (!wave.reports_read).then(|| Line::from("Not all reports could be read."));
    let private = (!wave.private).then(|| {
        Line::new()
            .plain("IP addresses and clients were not looked at; to group by them too, add ")
            .code("--show-ip")
    });
    more.into_iter().chain(kept).chain(plain).chain(reports).chain(private).collect()
}

/// A group in one line: `A · 2,940 accounts · names like raid-#`.
fn title(place: usize, many: usize, group: &Group) -> Line {
    let line = Line::new().strong(letters(place)).plain(format!(" · {}", accounts(many)));
    let names = match &group.by {
        By::Name(names) => Some(names.clone()),
        By::Address(_) => group.names(),
    };
    match names {
        Some(names) => line.plain(" · names like ").code(names),
        None => line.plain(" · from one IP address"),
    }
}

/// A group with what its accounts have in common.
async fn record(place: usize, found: &Found, wave: &Wave, reader: &Reader) -> Record {
    let Found { group, counts } = found;
    let (own, all) = (reader.server_name(), group.accounts.len());
    let samples = group.accounts.iter().take(SAMPLES);
    let samples = samples.enumerate().fold(Line::new(), |line, (n, account)| {
        let line = line.plain(if n == 0 { "" } else { ", " });
        line.code(without_server(account.user.as_str(), own))
    });
    let mut facts: Vec<Fact> = vec![("Samples", samples)];
    if let Some((first, last)) = group.made() {
        facts.push(("Created", made(first, last, wave.at)));
    }
    if let Some((room, many)) = group.room() {
        let path = Path::admin(["v1", "rooms", room.as_str()]);
        let called: serde_json::Value = reader.get(&path, &[]).await.unwrap_or_default();
        let name = called["canonical_alias"].as_str().or(called["name"].as_str());
        let line = match name {
            Some(name) => Line::new().hostile(&Hostile::new(name)).plain(" ").code(&room),
            None => Line::new().code(&room),
        };
        facts.push(("Room", line.plain(format!(" ({})", of_all(many, all)))));
    }
    if wave.private {
        let addresses: Vec<(Hostile, usize)> =
            group.addresses().into_iter().map(|(one, many)| (one.show().clone(), many)).collect();
        facts.extend(most_frequent("IP addresses", &addresses, all));
        facts.extend(most_frequent("Clients", &group.clients(), all));
    }
    facts.extend(counts.map(|counts| ("Per hour", per_hour(counts, all))));
    facts.extend(reported(group));
    let restrained = group.accounts.iter().filter(|account| account.restrained).count();
    if restrained > 0 {
        facts.push(("Suspended or locked", of_all(restrained, all).into()));
    }
    let real = group.reality().iter().filter(|reasons| !reasons.is_empty()).count();
    facts.push(("Look real", if real == 0 { "none".to_owned() } else { grouped(real) }.into()));
    Record { title: title(place, all, group), facts }
}

/// `3`, or `all`.
fn of_all(many: usize, all: usize) -> String {
    if many == all { "all".to_owned() } else { grouped(many) }
}

/// `within 20 min, the last 3 h ago`.
fn made(first: Timestamp, last: Timestamp, now: Timestamp) -> Line {
    let within = span(last.duration_since(first));
    Line::from(format!("within {within}, the last ")).ago(Some(last), now)
}

/// Addresses or clients: `“192.0.2.7” (1,200), “192.0.2.8” (40) and 3 more`; nothing where none is known.
fn most_frequent(label: &'static str, found: &[(Hostile, usize)], all: usize) -> Option<Fact> {
    let named = found.iter().take(NAMED).enumerate();
    let line = named.fold(Line::new(), |line, (n, (text, many))| {
        let line = line.plain(if n == 0 { "" } else { ", " }).hostile(text);
        line.plain(format!(" ({})", of_all(*many, all)))
    });
    let line = match found.len().saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {} more", grouped(more))),
    };
    (!found.is_empty()).then_some((label, line))
}

/// `310 invitations, 12 rooms joined, by 200 of them`.
fn per_hour(counts: Counts, all: usize) -> Line {
    let minutes = u64::try_from(counts.within.as_mins()).unwrap_or(1).max(1);
    let rate = |many: u64| {
        let rate = many.saturating_mul(60).div_ceil(minutes);
        usize::try_from(rate).unwrap_or(usize::MAX)
    };
    let line = format!(
        "{}, {}",
        count(rate(counts.invites), "invitation", "invitations"),
        count(rate(counts.joins), "room joined", "rooms joined")
    );
    Line::from(if counts.of == all {
        line
    } else {
        format!("{line}, by {} of them", grouped(counts.of))
    })
}

/// Reports of accounts of a group.
fn reported(group: &Group) -> Option<Fact> {
    let reports: u64 = group.accounts.iter().map(|account| account.reports).sum();
    let accused = group.accounts.iter().filter(|account| account.reports > 0).count();
    let reports = usize::try_from(reports).unwrap_or(usize::MAX);
    let line = format!("{} of {}", count(reports, "report", "reports"), accounts(accused));
    (reports > 0).then(|| ("Reports", line.into()))
}

/// The accounts of a group, so that a reply to it can be about them; those that look real only where all
/// are wanted, and told in any case.
pub(super) fn shown(
    place: usize,
    group: &Group,
    all: bool,
    wave: &Wave,
    (reader, now): (&Reader, Timestamp),
) -> Result<Reply, Stop> {
    let own = reader.server_name();
    let reality = group.reality();
    let both: Vec<(&Account, &Vec<String>)> = group.accounts.iter().zip(&reality).collect();
    let (real, listed): (Vec<_>, Vec<_>) =
        both.into_iter().partition(|(_, reasons)| !reasons.is_empty());
    let listed = if all { [real.clone(), listed].concat() } else { listed };
    let none_else = listed.is_empty() && !real.is_empty();
    let many = if none_else { real.len() } else { listed.len() };
    let all_real = if none_else { ", and all of them look real" } else { "" };
    let mut reply = Reply::data(title(place, many, group).plain(all_real));
    if listed.len() > ROWS {
        let file = file(&listed)?;
        let line = Line::new().plain("All of them are in ").code(&file.name);
        let line = line.plain(format!(" ({}); the newest:", file.size()));
        reply = reply.text(line).attaching(file);
    }
    let samples = if listed.len() > ROWS { SAMPLES } else { ROWS };
    let records: Vec<Record> =
        listed.iter().take(samples).map(|(account, _)| row(account, now)).collect();
    if !records.is_empty() {
        reply = reply.with(Block::Records(records));
    }
    if !real.is_empty() {
        reply = reply.with(named_as_real(&real, all, own));
    }
    if !all && !real.is_empty() {
        let words = words(&["wave", "show", &letters(place), "--all"]);
        reply = reply.command("List these too", words);
    }
    if !listed.is_empty() {
        reply = reply.with(offered(listed.len()));
    }
    reply = reply.note(
        Line::new()
            .plain("To take somebody out of waves: ")
            .command("!wave keep")
            .plain(format!(". New accounts since {}, as they were ", utc(wave.since)))
            .ago(Some(wave.at), now)
            .plain("."),
    );
    reply.ids = listed.iter().map(|(account, _)| account.user.to_string()).collect();
    reply.ids_of = Some(IdsOf::Accounts);
    reply.of_wave = true;
    Ok(reply)
}

/// An account of a group.
fn row(account: &Account, now: Timestamp) -> Record {
    let mut title = Line::new().code(&account.user);
    if let Some(name) = &account.displayname {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![("Created", Line::new().ago(Some(account.created), now))];
    if account.restrained {
        facts.push(("State", Line::new().strong("suspended or locked")));
    }
    if account.reports > 0 {
        facts.push(("Reports", account.reports.to_string().into()));
    }
    facts.push(("Rooms", account.rooms.len().to_string().into()));
    Record { title, facts }
}

/// Those that look real, each with why.
fn named_as_real(real: &[(&Account, &Vec<String>)], all: bool, own: &ServerName) -> Block {
    let listed = if all { "in this list" } else { "left out of this list" };
    let verb = if real.len() == 1 { "looks" } else { "look" };
    let head = format!("{} {verb} real, {listed}:", accounts(real.len()));
    let mut lines: Vec<Line> = real
        .iter()
        .take(REAL)
        .map(|(account, reasons)| {
            let id = without_server(account.user.as_str(), own);
            Line::new().code(id).plain(format!(": {}", reasons.join(", ")))
        })
        .collect();
    if real.len() > REAL {
        lines.push(Line::from(format!("and {} more", grouped(real.len() - REAL))));
    }
    Block::List(head.into(), lines)
}

/// What can be done with the accounts of a list.
fn offered(many: usize) -> Block {
    let these = if many == 1 { "it".to_owned() } else { format!("these {}", grouped(many)) };
    let of = |what: &str| Line::from(format!("{what} {these}, as a reply to this message"));
    let with = |verb: &str| words(&["user", verb, "--reason", "raid"]);
    Block::Commands(vec![
        (of("Suspend"), with("suspend")),
        (of("Lock"), with("lock")),
        (of("Deactivate"), with("deactivate")),
    ])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The columns of the file of a group.
const COLUMNS: &[&str] =
    &["user_id", "displayname", "creation_ts", "rooms", "email", "reports", "looks_real"];

/// All accounts of a group as a file, without their addresses.
fn file(listed: &[(&Account, &Vec<String>)]) -> Result<File, Stop> {
    let mut sheet = Sheet::new(Format::Csv);
    sheet.begin("wave", COLUMNS)?;
    for (account, reasons) in listed {
        sheet.row(&json!({
            "user_id": account.user,
            "displayname": account.displayname,
            "creation_ts": account.created.as_millisecond(),
            "rooms": account.rooms.len(),
            "email": account.email,
            "reports": account.reports,
            "looks_real": reasons.join(", "),
        }))?;
    }
    sheet.end(&Map::new())?;
    Ok(sheet.file()?)
}
