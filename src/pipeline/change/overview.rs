//! What is said of so many subjects that nobody reads about each: what stands out among them, what
//! holds of each and of how many, who is left out and why. The list itself is a file.

use std::{collections::BTreeMap, io};

use ruma::ServerName;
use serde_json::{Map, Value, json};

use crate::{
    change::{Skip, Subject, set},
    commands::Action,
    gate::{AT_A_GLANCE, Target},
    notes::Notes,
    operators::Roster,
    pipeline::change::{Looked, Plan, report::line_of},
    reply::{Block, File, Format, Line, Reply, Sheet, Span},
};

/// How many of those that are left out are named for each reason, and of those that stand out.
const NAMED: usize = 3;

/// How many of the operators are named.
const OPERATORS_NAMED: usize = 10;

/// The most that is said of what goes and stays; the file says the rest.
const SAID: usize = 8;

/// The most reasons for which some are left out that are told; the file says the rest.
const REASONS: usize = 8;

/// How many lines of what somebody must know before a yes are shown.
const WARNINGS: usize = 40;

/// How many days older than most of them an account must be to stand out.
const OLDER: u64 = 30;

/// In how many more rooms than most of them an account must be to stand out.
const MORE_ROOMS: u64 = 20;

/// How many times as much it must be besides.
const TIMES: u64 = 10;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Names subjects after a heading, the rest as dots.
fn naming<'a>(line: Line, subjects: impl Iterator<Item = &'a Subject>, named: usize) -> Line {
    let mut subjects = subjects.peekable();
    let mut line = line;
    for n in 0..named {
        let Some(subject) = subjects.next() else { break };
        line = line.plain(if n == 0 { ": " } else { ", " }).code(subject);
    }
    if subjects.peek().is_some() { line.plain(" …") } else { line }
}

fn is_operator(roster: &Roster, subject: &Subject) -> bool {
    subject.user().is_some_and(|user| roster.operator(user).is_some())
}

/// What can stand out: what one of a kind is called, what several are, and whether a subject is one.
type Kind<'a> = (&'a str, &'a str, &'a dyn Fn(&Plan, &Target) -> bool);

/// What one should know of some of those that a change is about before one says yes to all.
pub(in crate::pipeline) fn stands_out(
    looked: &Looked,
    roster: &Roster,
    notes: Option<&Notes>,
) -> Vec<Line> {
    let has_note = |plan: &Plan| {
        let about = plan.subject.user().zip(notes);
        about.is_some_and(|(user, notes)| notes.about(user, 1).is_ok_and(|notes| !notes.is_empty()))
    };
    let number = |plan: &Plan, key: &str| plan.seen.extra.get(key).and_then(Value::as_u64);
    let (rooms, created) =
        (median(looked, |plan| number(plan, "rooms")), median(looked, |plan| number(plan, "age")));
    let much = |plan: &Plan, key: &str, median: u64, least: u64| {
        number(plan, key)
            .is_some_and(|n| n >= median.saturating_mul(TIMES).max(median.saturating_add(least)))
    };
    let mail = |plan: &Plan| number(plan, "addresses").is_some_and(|n| n > 0);
    let with_mail = looked.plans.iter().filter(|plan| mail(plan)).count();
    let few_have_mail = with_mail * 2 <= looked.plans.len();
    let named = |target: &Target| roster.policy.protection.named(&target.subject).is_some();
    let kinds: [Kind<'_>; 8] = [
        ("operator", "operators", &|plan, _| is_operator(roster, &plan.subject)),
        ("server admin", "server admins", &|_, target| target.server_admin),
        ("protected by the config", "protected by the config", &|_, target| named(target)),
        ("bridged account", "bridged account", &|_, target| target.bridged),
        ("with a note", "with a note", &|plan, _| has_note(plan)),
        ("much older than the rest", "much older than the rest", &|plan, _| {
            much(plan, "age", created, OLDER * DAY)
        }),
        ("in far more rooms than the rest", "in far more rooms than the rest", &|plan, _| {
            much(plan, "rooms", rooms, MORE_ROOMS)
        }),
        (
            "with an email address or phone number",
            "with an email address or phone number",
            &|plan, _| few_have_mail && mail(plan),
        ),
    ];
    let mut lines = Vec::new();
    for (place, (one, many, is_so)) in kinds.into_iter().enumerate() {
        let those: Vec<&Subject> = looked
            .plans
            .iter()
            .zip(&looked.targets)
            .filter(|(plan, target)| is_so(plan, target))
            .map(|(plan, _)| &plan.subject)
            .collect();
        if !those.is_empty() {
            let named = if place == 0 { OPERATORS_NAMED } else { NAMED };
            let line = Line::from(how_many(&those, one, many));
            lines.push(naming(line, those.into_iter(), named));
        }
    }
    lines
}

fn how_many(those: &[&Subject], one: &str, many: &str) -> String {
    format!("{} {}", those.len(), if those.len() == 1 { one } else { many })
}

/// What lies in the middle of a number of all of them.
fn median(looked: &Looked, of: impl Fn(&Plan) -> Option<u64>) -> u64 {
    let mut all: Vec<u64> = looked.plans.iter().filter_map(of).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// A line that is said of some or all subjects, in whatever numbers.
struct Said {
    line: Line,
    least: u64,
    most: u64,
    count: usize,
}

/// What is said of all of them, each in whatever numbers: what was said first stands first. And of how
/// many it is said.
fn counted(lines: impl Iterator<Item = Vec<Line>>) -> (Vec<Said>, usize) {
    let mut said: BTreeMap<String, Said> = BTreeMap::new();
    let mut order = Vec::new();
    let mut total = 0;
    for lines in lines {
        total += 1;
        for line in lines {
            let (kind, number) = kind(&line);
            let number = number.unwrap_or_default();
            let one = said.entry(kind.clone()).or_insert_with(|| {
                order.push(kind);
                Said { line, least: number, most: number, count: 0 }
            });
            one.count += 1;
            (one.least, one.most) = (one.least.min(number), one.most.max(number));
        }
    }
    (order.iter().filter_map(|kind| said.remove(kind)).collect(), total)
}

/// What goes, or stays, of all of them: first that which holds of each, then what holds of some, with
/// how many.
fn of_all(lines: impl Iterator<Item = Vec<Line>>) -> (Vec<Line>, Vec<Line>) {
    let (all, total) = counted(lines);
    let (each, mut some): (Vec<Said>, Vec<Said>) = all.into_iter().partition(|o| o.count == total);
    some.sort_by_key(|one| std::cmp::Reverse(one.count));
    let of_some = some
        .iter()
        .take(SAID)
        .map(|one| Line::from(format!("{} of {total}: ", one.count)).line(one.in_words()));
    (each.iter().take(SAID).map(Said::in_words).collect(), of_some.collect())
}

/// Stands for a subject in a line that is the same for all of them.
const SOME: &str = "…";

/// What is done to several, as one line that names them as a set; and, where something else is done to
/// some of them, what that is, with how many they are.
pub(in crate::pipeline) fn title(
    action: &dyn Action,
    plans: &[Plan],
    own: &ServerName,
) -> (Line, Vec<Line>) {
    let of = |plan: &Plan| {
        let title = action.question(&plan.subject, &plan.seen).title;
        vec![title.with_code(&plan.subject.to_string(), Line::new().code(SOME))]
    };
    let (mut said, total) = counted(plans.iter().map(of));
    said.sort_by_key(|one| std::cmp::Reverse(one.count));
    let set = set(plans.iter().map(|plan| &plan.subject), own);
    let Some(most) = said.first().map(Said::in_words) else { return (set, Vec::new()) };
    let head =
        if most.names(SOME) { most.with_code(SOME, set) } else { most.plain(", for ").line(set) };
    let others = said.iter().skip(1).take(SAID);
    let others = others
        .map(|one| Line::from(format!("{} of {total}: ", one.count)).line(one.in_words()))
        .collect();
    (head, others)
}

impl Said {
    /// The line with the least and the most in the place of its number.
    fn in_words(&self) -> Line {
        if self.least == self.most {
            return self.line.clone();
        }
        let range = format!("{} to {}", self.least, self.most);
        let with_range = |text: &str| {
            let begin = text.find(|c: char| c.is_ascii_digit());
            let Some((before, rest)) = begin.and_then(|at| text.split_at_checked(at)) else {
                return text.to_owned();
            };
            format!("{before}{range}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        };
        let spans = self.line.0.iter().map(|span| match span {
            Span::Plain(text) => Span::Plain(with_range(text)),
            Span::Strong(text) => Span::Strong(with_range(text)),
            Span::Code(_)
            | Span::Command(_)
            | Span::Named(_)
            | Span::Hostile(_)
            | Span::Spoiler(_)
            | Span::Time(_) => span.clone(),
        });
        Line(spans.collect())
    }
}

/// A line without its number, where our own words in it have just one, and that number. Lines of one
/// kind say the same of different subjects.
fn kind(line: &Line) -> (String, Option<u64>) {
    let ours: String = line
        .0
        .iter()
        .map(|span| match span {
            Span::Plain(text) | Span::Strong(text) => text.as_str(),
            Span::Code(_)
            | Span::Command(_)
            | Span::Named(_)
            | Span::Hostile(_)
            | Span::Spoiler(_) => "",
            // A moment has more than one number.
            Span::Time(_) => "0 0",
        })
        .collect();
    let numbers: Vec<&str> =
        ours.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect();
    let text = line.text();
    match numbers.as_slice() {
        [one] => (text.replacen(one, "#", 1), one.parse().ok()),
        _ => (text, None),
    }
}

/// What is said of more than one sees at a glance: what is done, which come first and last, what goes
/// and stays.
pub(in crate::pipeline) fn many(reply: Reply, action: &dyn Action, looked: &Looked) -> Reply {
    let (Some(first), Some(last)) = (looked.plans.first(), looked.plans.last()) else {
        return reply;
    };
    let title = action.question(&first.subject, &first.seen).title;
    let reply = reply.facts(vec![
        ("All alike", title),
        ("First", Line::new().code(&first.subject)),
        ("Last", Line::new().code(&last.subject)),
    ]);
    goes_and_stays(reply, action, &looked.plans)
}

/// What goes and what stays, a paragraph each: of one as it is, of several what holds of each and then
/// what holds of some.
pub(in crate::pipeline) fn goes_and_stays(
    reply: Reply,
    action: &dyn Action,
    plans: &[Plan],
) -> Reply {
    let question = |plan: &Plan| action.question(&plan.subject, &plan.seen);
    let explained = of_all(plans.iter().map(|plan| action.explanations(&plan.subject)));
    let reply = explained.0.into_iter().chain(explained.1).fold(reply, Reply::text);
    if let [one] = plans {
        let question = question(one);
        let reply = paragraph(reply, "Lost: ", question.goes);
        return paragraph(reply, "Stays: ", question.stays);
    }
    let unnamed = |plan: &Plan, lines: Vec<Line>| -> Vec<Line> {
        lines.into_iter().map(|line| line.without(&plan.subject.to_string())).collect()
    };
    let goes = of_all(plans.iter().map(|plan| unnamed(plan, question(plan).goes)));
    let stays = of_all(plans.iter().map(|plan| unnamed(plan, question(plan).stays)));
    let reply = paragraph(reply, "Lost for each: ", goes.0);
    let reply = paragraph(reply, "Lost for some: ", goes.1);
    let reply = paragraph(reply, "Stays: ", stays.0);
    paragraph(reply, "Stays for some: ", stays.1)
}

/// Points as one paragraph, which takes less of a phone's screen than a line for each.
fn paragraph(reply: Reply, head: &str, points: Vec<Line>) -> Reply {
    let mut line = Line::from(head);
    let mut points = points.into_iter().peekable();
    if points.peek().is_none() {
        return reply;
    }
    while let Some(point) = points.next() {
        line = line.line(point);
        if points.peek().is_some() {
            line = line.plain("; ");
        }
    }
    reply.text(line)
}

/// What somebody must know before they say yes, of each subject.
pub(in crate::pipeline) fn warned(reply: Reply, action: &dyn Action, plans: &[Plan]) -> Reply {
    let of = |plan: &Plan| action.warnings(&plan.subject, &plan.seen);
    let warnings: Vec<Vec<Line>> = plans.iter().map(of).filter(|lines| !lines.is_empty()).collect();
    let about = warnings.len();
    let mut lines: Vec<Line> = warnings.into_iter().flatten().collect();
    if lines.is_empty() {
        return reply;
    }
    if lines.len() > WARNINGS {
        lines.truncate(WARNINGS);
        lines.push(format!("… {about} have warnings like these").into());
    }
    reply.with(Block::List("Check this first:".into(), lines))
}

/// Those that are left out, by why, a few of each named; operators before all others.
pub(in crate::pipeline) fn left_out(
    reply: Reply,
    skips: &[(Subject, Skip)],
    roster: &Roster,
) -> Reply {
    if skips.is_empty() {
        return reply;
    }
    let lines = by_reason(skips, roster);
    reply.with(Block::List(format!("Left out, {}:", skips.len()).into(), lines))
}

/// Why nothing is done to these, one line for each reason.
pub(in crate::pipeline) fn by_reason(skips: &[(Subject, Skip)], roster: &Roster) -> Vec<Line> {
    // What is said of one names it; without its name it is the same for all of a kind.
    let why = |subject: &Subject, skip: &Skip| {
        skip.why.without(&subject.to_string()).text().trim().trim_end_matches(':').to_owned()
    };
    let mut reasons: Vec<(String, Vec<&Subject>)> = Vec::new();
    for (subject, skip) in skips {
        let why = why(subject, skip);
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, subjects)) => subjects.push(subject),
            None => reasons.push((why, vec![subject])),
        }
    }
    let operators = |subjects: &[&Subject]| {
        subjects.iter().filter(|subject| is_operator(roster, subject)).count()
    };
    for (_, subjects) in &mut reasons {
        subjects.sort_by_key(|subject| !is_operator(roster, subject));
    }
    reasons.sort_by_key(|(_, subjects)| operators(subjects) == 0);
    let line = |(why, subjects): &(String, Vec<&Subject>)| {
        let line = Line::from(format!("{} · ", subjects.len())).plain(why.clone());
        let named = operators(subjects).clamp(NAMED, OPERATORS_NAMED);
        naming(line, subjects.iter().copied(), named)
    };
    let rest: usize = reasons.iter().skip(REASONS).map(|(_, subjects)| subjects.len()).sum();
    let more =
        (rest > 0).then(|| Line::from(format!("{rest}, for other reasons; the file says which")));
    reasons.iter().take(REASONS).map(line).chain(more).collect()
}

/// Whether there are more than are told one by one.
pub(in crate::pipeline) fn are_many<T>(all: &[T]) -> bool {
    all.len() > AT_A_GLANCE
}

/// The list of those that a change is about, with what is shown of each and what goes with it.
pub(in crate::pipeline) fn list(
    name: &str,
    action: &dyn Action,
    looked: &Looked,
) -> io::Result<File> {
    let mut columns = vec!["subject"];
    for (label, _) in looked.plans.iter().flat_map(|plan| &plan.seen.display) {
        if !columns.contains(label) {
            columns.push(*label);
        }
    }
    columns.extend(["goes", "stays"]);
    let lines = |lines: Vec<Line>| lines.iter().map(Line::text).collect::<Vec<_>>().join("; ");
    let rows = looked.plans.iter().map(|plan| {
        let question = action.question(&plan.subject, &plan.seen);
        let shown = plan.seen.display.iter();
        let shown = shown.map(|(label, value)| ((*label).to_owned(), json!(value.text())));
        let mut row: Map<String, Value> = shown.collect();
        row.insert("subject".to_owned(), json!(plan.subject.typed()));
        row.insert("goes".to_owned(), json!(lines(question.goes)));
        row.insert("stays".to_owned(), json!(lines(question.stays)));
        Value::Object(row)
    });
    sheet(name, &columns, rows)
}

/// Those that are left out, with why.
pub(in crate::pipeline) fn list_left_out(
    name: &str,
    skips: &[(Subject, Skip)],
) -> io::Result<File> {
    let rows = skips.iter().map(|(subject, skip)| {
        json!({ "subject": subject.typed(), "outcome": skip.status.as_str(), "why": skip.why.text() })
    });
    sheet(name, &["subject", "outcome", "why"], rows)
}

/// The requests to each, in their order.
pub(in crate::pipeline) fn list_requests(name: &str, looked: &Looked) -> io::Result<File> {
    let rows = looked.plans.iter().flat_map(|plan| {
        let subject = plan.subject.typed();
        let steps = plan.change.steps.iter();
        steps.map(move |step| json!({ "subject": subject, "request": line_of(step) }))
    });
    sheet(name, &["subject", "request"], rows)
}

fn sheet(
    name: &str,
    columns: &[&'static str],
    rows: impl Iterator<Item = Value>,
) -> io::Result<File> {
    let mut sheet = Sheet::new(Format::Csv);
    sheet.begin("list", columns)?;
    for row in rows {
        sheet.row(&row)?;
    }
    sheet.end(&Map::new())?;
    let mut file = sheet.file()?;
    name.clone_into(&mut file.name);
    Ok(file)
}

/// The answer with this file, or with a word that there is none.
pub(in crate::pipeline) fn with_file(reply: Reply, file: io::Result<File>) -> Reply {
    match file {
        Ok(file) => {
            let line = Line::new().plain("All of them are in ").code(&file.name);
            reply.text(line).attaching(file)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "there is no file");
            reply.text("I could not write their list to a file")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_each_is_true_of_each_and_the_rest_is_counted() {
        let devices = |n: u64| match n {
            1 => Line::from("1 device"),
            n => Line::from(format!("{n} devices")),
        };
        let place = |n: u64| Line::from(format!("its place in {n} rooms"));
        let password = || Line::from("its password");
        let (each, some) = of_all(
            [
                vec![password(), place(2), devices(3)],
                vec![password(), place(120), devices(1)],
                vec![password(), place(2), devices(14), Line::new().code("x").plain(" too")],
            ]
            .into_iter(),
        );
        let text = |lines: &[Line]| lines.iter().map(Line::text).collect::<Vec<_>>();
        assert_eq!(text(&each), ["its password", "its place in 2 to 120 rooms"]);
        assert_eq!(text(&some), ["2 of 3: 3 to 14 devices", "1 of 3: 1 device", "1 of 3: x too"]);
        let many = (0..40).map(|n| vec![Line::from(format!("room {n} of {n}"))]);
        let (each, some) = of_all(many);
        assert_eq!((each.len(), some.len()), (0, SAID));
    }

    #[test]
    fn thousands_that_are_left_out_for_many_reasons_are_one_summary() {
        let stage = crate::pipeline::testing::Stage::set("http://127.0.0.1:9", "token");
        let skip = |n: usize| {
            let user = Subject::User(format!("@x{n}:synod.test").try_into().unwrap());
            (user, Skip::refused(format!("no such user, variant {}", n % 50)))
        };
        let skips: Vec<(Subject, Skip)> = (0..4000).map(skip).collect();
        let lines = by_reason(&skips, &stage.pipeline.roster);
        assert_eq!(lines.len(), REASONS + 1);
        let last = lines.last().unwrap().text();
        assert!(last.contains("for other reasons"), "{last}");
    }
}
