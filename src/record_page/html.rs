//! The page itself.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use data_encoding::BASE64;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::{
    Error, Proof,
    chains::Chains,
    plot,
    read::{Details, Entry, Reading, sentence},
    weeks::Weeks,
};
use crate::unicode;

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Subjects that the search proposes at most: a browser has to show the list.
const PROPOSED: usize = 1_000;

pub(super) fn write(reading: &Reading, now: Timestamp, out: &mut dyn Write) -> Result<(), Error> {
    let chains = Chains::of(reading);
    let style = style();
    let (by_outcome, by_operator) = (Weeks::by_outcome(reading), Weeks::by_operator(reading));
    let begin = html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy(&style));
            meta name="referrer" content="no-referrer";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { "The record of a Synod" }
            style { (PreEscaped(style.as_str())) }
        }
        (PreEscaped("<body>"))
        h1 { "The record" }
        (proof(reading, now))
        @if let Some(weeks) = &by_outcome { (weekly("Results by week", weeks)?) }
        @if let Some(weeks) = &by_operator { (weekly("Operators by week", weeks)?) }
        (told_chains(reading, &chains))
        h2 { "Timeline" }
        (search(reading))
    };
    put(out, &begin)?;
    for entry in &reading.entries {
        put(out, &article(reading, &chains, entry))?;
    }
    let end = html! {
        script { (PreEscaped(SCRIPT)) }
        (PreEscaped("</body></html>\n"))
    };
    Ok(put(out, &end)?)
}

fn put(out: &mut dyn Write, markup: &Markup) -> io::Result<()> {
    out.write_all(markup.0.as_bytes())
}

/// The style, with the colours of the plots.
fn style() -> String {
    let colour = |(number, css): (usize, String)| format!(".c{number} {{ fill: {css}; }}\n");
    STYLE.chars().chain(plot::colours().map(colour).collect::<String>().chars()).collect()
}

/// Nothing may be asked for, and nothing run, but the script and the style that stand here.
fn policy(style: &str) -> String {
    let hash = |text: &str| BASE64.encode(&Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(style)
    )
}

/// Whether the chain holds.
fn proof(reading: &Reading, now: Timestamp) -> Markup {
    let Proof { head, broken, head_found } = &reading.proof;
    let when = |entry: Option<&Entry>| entry.map(time).unwrap_or_default();
    html! {
        div class={ "proof" @if !reading.proof.holds() { " bad" } } id="proof" {
            @match broken {
                None => p { strong { "The chain is intact: " } (head.count) " entries, unbroken from the first to the last. Last hash: \
                     " code { (head.hash) } },
                Some(broken) => p { strong { "The chain is broken: " } (broken.to_string()) ". Entries after that prove nothing, and are marked." },
            }
            @match head_found {
                Some(true) => p { "The hash that was given is in it: nothing up to there was cut \
                                   off or rewritten." },
                Some(false) => p { strong { "The hash that was given is not in it" } ": its end was cut off, or it was rolled back and \
                     rewritten." },
                None => p { "No hash from elsewhere was given to compare with, so a cut-off end \
                             would not show." },
            }
            p { "From " (when(reading.entries.first())) " to " (when(reading.entries.last())) ". This page was made at " (now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) "." }
        }
    }
}

/// A plot of the weeks, and its numbers.
fn weekly(title: &str, weeks: &Weeks) -> Result<Markup, Error> {
    let svg = plot::svg(weeks)?;
    Ok(html! {
        section {
            h2 { (title) }
            figure role="img" aria-label=(title) { (PreEscaped(svg)) }
            ul class="legend" {
                @for (series, name) in weeks.series.iter().enumerate() {
                    li { svg width="12" height="12" { rect width="12" height="12" class={ "c" (plot::colour_of(series)) } {} } (text(name)) }
                }
            }
            @if weeks.cut { p { "Earlier weeks are not in the chart." } }
            details {
                summary { "The numbers" }
                div class="scroll" {
                    table {
                        thead { tr { th { "Week of" } @for name in &weeks.series { th { (text(name)) } } } }
                        tbody {
                            @for (begin, counts) in weeks.begin.iter().zip(&weeks.counts) {
                                @if counts.iter().any(|count| *count > 0) {
                                    tr { th { (begin.to_string()) } @for count in counts { td { (count) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// What ended by itself, was moved or was taken back: each as one story.
fn told_chains(reading: &Reading, chains: &Chains) -> Markup {
    let all: Vec<_> = chains.told().collect();
    html! {
        @if !all.is_empty() {
            section {
                h2 { "Temporary measures, and what was undone" }
                @for (first, members) in all {
                    details class="chain" id={ "chain" (first) } {
                        summary { (link(first)) " " @if let Some(entry) = reading.get(first) { (command(entry)) } }
                        ol {
                            @for member in members {
                                @if let Some(entry) = reading.get(*member) { li { (step(entry)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One entry in the story of a chain.
fn step(entry: &Entry) -> Markup {
    let details = entry.details.as_ref();
    html! {
        (link(entry.seq)) " " (time(entry)) ": " strong { (headline(entry)) }
        @if let Some(by) = details.and_then(|one| one.by.as_ref()) { " by " code { (text(by)) } }
        @if let Some(until) = details.and_then(|one| one.until.as_ref()) { ", until " (text(until)) }
        " " (command(entry))
    }
}

fn search(reading: &Reading) -> Markup {
    let details = || reading.entries.iter().filter_map(|entry| entry.details.as_ref());
    let people: BTreeSet<&str> = details().flat_map(Details::people).collect();
    let subjects: BTreeSet<String> = details().flat_map(Details::subjects).collect();
    html! {
        form id="search" hidden {
            label { "Words" input type="search" name="q" autocomplete="off"; }
            label { "By"
                select name="by" {
                    option value="" { "anybody" }
                    @for one in people { option value=(one) { (plain(one)) } }
                }
            }
            label { "Account or room"
                input type="search" name="on" list="subjects" autocomplete="off";
            }
            datalist id="subjects" { @for one in subjects.iter().take(PROPOSED) { option value=(one) {} } }
            p id="count" role="status" {}
        }
        noscript { p { "The search needs JavaScript. Everything is listed below." } }
    }
}

fn article(reading: &Reading, chains: &Chains, entry: &Entry) -> Markup {
    let none = Details::default();
    let details = entry.details.as_ref().unwrap_or(&none);
    let people = details.people().into_iter().collect::<Vec<_>>().join("\n");
    let subjects = details.found_by().into_iter().collect::<Vec<_>>().join("\n");
    html! {
        article id={ "e" (entry.seq) } class=(class(entry)) data-by=(people) data-on=(subjects) {
            p {
                (link(entry.seq)) " " (time(entry)) " " strong { (headline(entry)) }
                @if let Some(by) = &details.by { " by " code { (text(by)) } }
            }
            @if entry.unproven { p { "After the break in the chain: nothing proves this." } }
            @if details.command().is_some() { p { (command(entry)) } }
            @if entry.details.is_none() { p { "Its details were deleted." } }
            dl { (facts(details)) (links(reading, chains, entry, details)) }
        }
    }
}

/// What is known of it.
fn facts(details: &Details) -> Markup {
    let subjects = details.subjects();
    let fact = |name: &str, value: &Option<String>| {
        html! { @if let Some(value) = value { dt { (name) } dd { (text(value)) } } }
    };
    html! {
        (listed("On", &subjects))
        @if details.erased > 0 { dt { "Erased since" } dd { (details.erased) } }
        (fact("Frozen", &details.frozen()))
        (fact("Reason", &details.reason))
        (fact("Alone, because", &details.alone))
        (fact("Class", &details.class))
        (fact("Yes by", &details.yes))
        (listed("Approved by", &details.approvals))
        (fact("Question", &details.ticket))
        (fact("Until", &details.until))
        @if let Some(changed) = details.changed { dt { "Changed" } dd { (changed) } }
        (listed("Requests", &details.requests))
        (listed("Undo", &details.ways_back()))
        (fact("Note", &details.note))
        (fact("Room", &details.room))
        (fact("Event", &details.event))
    }
}

fn listed(name: &str, values: &[String]) -> Markup {
    html! {
        @if !values.is_empty() {
            dt { (name) }
            dd {
                @if let [one] = values { code { (text(one)) } }
                @else { ul { @for value in values { li { code { (text(value)) } } } } }
            }
        }
    }
}

/// What it belongs to.
fn links(reading: &Reading, chains: &Chains, entry: &Entry, details: &Details) -> Markup {
    let backwards = chains.backwards(entry.seq);
    let known = |seq: u64| reading.get(seq).is_some();
    let to = |name: &str, seq: Option<u64>| {
        html! { @if let Some(seq) = seq { dt { (name) } dd { @if known(seq) { (link(seq)) } @else { "#" (seq) } } } }
    };
    html! {
        (to("Of", details.of))
        (to("Undoes", details.undoes))
        (to("What is left of", details.redacts))
        (to("Details as left in", entry.left_in))
        @if !backwards.is_empty() {
            dt { "Followed by" }
            dd { ul { @for (how, seq) in backwards { li { (link(*seq)) " " (how) } } } }
        }
        @if let Some(first) = chains.of_entry(entry.seq) {
            dt { "Chain" } dd { a href={ "#chain" (first) } { "from #" (first) } }
        }
    }
}

fn link(seq: u64) -> Markup {
    html! { a href={ "#e" (seq) } { "#" (seq) } }
}

fn time(entry: &Entry) -> Markup {
    html! {
        @match entry.when {
            Some(when) => time datetime=(when.to_string()) { (when.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) },
            None => (text(&entry.at)),
        }
    }
}

/// How it ended where that is known, or else what it is.
fn headline(entry: &Entry) -> Markup {
    let outcome = entry.details.as_ref().and_then(Details::outcome);
    text(&outcome.unwrap_or_else(|| sentence(&entry.kind)))
}

fn command(entry: &Entry) -> Markup {
    let command = entry.details.as_ref().and_then(Details::command);
    html! { @if let Some(command) = command { code { (text(&command)) } } }
}

/// By which it is coloured: only words of ours.
fn class(entry: &Entry) -> String {
    let outcome = entry.details.as_ref().and_then(Details::outcome).unwrap_or_default();
    let coloured = match (outcome.as_str(), entry.kind.as_str()) {
        ("Done", _) => "done",
        ("Done in part", _) => "part",
        ("Refused" | "Not understood" | "Not found" | "Failed", _) | (_, "refused") => "refused",
        ("Unknown", _) => "unknown",
        _ => "other",
    };
    let unproven = if entry.unproven { " unproven" } else { "" };
    format!("{coloured}{unproven}")
}

/// Somebody else's words: escaped, closed off from the direction of what stands around them, and with
/// what cannot be seen of them shown by its number.
fn text(words: &str) -> Markup {
    html! {
        bdi {
            @for piece in pieces(words) {
                @match piece {
                    Ok(seen) => (seen),
                    Err(unseen) => span class="unseen" { "U+" (format!("{:04X}", u32::from(unseen))) },
                }
            }
        }
    }
}

/// The same where no element can stand.
fn plain(words: &str) -> String {
    let number = |c: char| format!("[U+{:04X}]", u32::from(c));
    pieces(words).into_iter().map(|piece| piece.unwrap_or_else(number)).collect()
}

/// What is seen of a text, and between that what is not.
fn pieces(words: &str) -> Vec<Result<String, char>> {
    let mut pieces = Vec::new();
    let mut seen = String::new();
    for c in words.chars() {
        if c.is_control() || unicode::is_unseen(c) {
            if !seen.is_empty() {
                pieces.push(Ok(std::mem::take(&mut seen)));
            }
            pieces.push(Err(c));
        } else {
            seen.push(c);
        }
    }
    if !seen.is_empty() {
        pieces.push(Ok(seen));
    }
    pieces
}
