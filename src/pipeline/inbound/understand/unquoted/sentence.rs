//! Words of a sentence among those whom a command is about: `eve and bob`, `eve because he spams`,
//! `eve until friday`, `eve plan`. Each would be somebody's name.

use crate::{
    commands::arguments::Lasting,
    pipeline::inbound::understand::unquoted::{Part, Verb, merged, refusal},
    reply::{Line, Reply},
};

/// Words between two of a list.
const AND: [&str; 4] = ["and", "und", "&", "+"];

/// Words before a reason.
const BECAUSE: [&str; 5] = ["reason", "reason:", "because", "for", "since"];

/// The answer to a line in which a word behind the first that the command is about belongs to a
/// sentence. Whoever is really called so is meant by an id, or by a name with its `@`.
pub(super) fn unclear(words: &[String], verb: &Verb, parts: &[Part<'_>]) -> Option<Reply> {
    // Of a look it may be what is searched for, and a text may hold anything.
    verb.long("plan")?;
    if verb.takes_text() || verb.places().is_some() {
        return None;
    }
    let places: Vec<usize> = parts
        .iter()
        .filter_map(|part| if let Part::Place(at) = part { Some(*at) } else { None })
        .collect();
    let behind_first = places.get(1..)?;
    behind_first.iter().find_map(|&at| {
        let word = words.get(at)?.to_lowercase();
        let run = run(&places, at);
        match word.as_str() {
            "plan" | "plan." | "/plan" => Some(option(words, at, "plan")),
            "until" => Some(date()),
            word if AND.contains(&word) => Some(list(words, &places)),
            word if BECAUSE.contains(&word) => reason(words, verb, at, run),
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => time(words, verb, at),
            _ => None,
        }
    })
}

/// How many words from `at` on stand beside each other in the places of subjects.
fn run(places: &[usize], at: usize) -> usize {
    (at..at + places.len()).take_while(|place| places.contains(place)).count()
}

fn option(words: &[String], at: usize, name: &str) -> Reply {
    let mut meant = words.to_vec();
    if let Some(word) = meant.get_mut(at) {
        *word = format!("--{name}");
    }
    let why = Line::new()
        .code(name)
        .plain(" would be an account here, and an option begins with two hyphens");
    refusal(why).command("Did you mean", meant)
}

fn date() -> Reply {
    refusal(
        Line::new()
            .plain("a time is an option, and what stands behind ")
            .code("until")
            .plain(" would be somebody's name; write it as ")
            .code("--until 2026-12-01")
            .plain(" or ")
            .code("--for 3d"),
    )
}

fn list(words: &[String], places: &[usize]) -> Reply {
    let is_and = |(at, word): &(usize, &String)| {
        places.contains(at) && AND.contains(&word.to_lowercase().as_str())
    };
    let meant = words.iter().enumerate().filter(|word| !is_and(word)).map(|(_, word)| word.clone());
    let why = "each word here stands for somebody; put nothing but spaces between them";
    refusal(Line::from(why)).command("Did you mean", meant.collect())
}

fn reason(words: &[String], verb: &Verb, at: usize, run: usize) -> Option<Reply> {
    let why = Line::new().plain("a reason is an option, and without it ").code(words.get(at)?);
    let why = why.plain(" and what follows would be names");
    if verb.long("reason").is_none() || run < 2 {
        return Some(refusal(why.plain("; name only those whom it is about")));
    }
    let mut meant = merged(words, at + 1, run - 1);
    "--reason".clone_into(meant.get_mut(at)?);
    Some(refusal(why.plain("; put it in quotation marks")).command("Did you mean", meant))
}

fn time(words: &[String], verb: &Verb, at: usize) -> Option<Reply> {
    words.get(at)?.parse::<Lasting>().ok()?;
    verb.long("for")?;
    let mut meant = words.to_vec();
    meant.insert(at, "--for".to_owned());
    let why = Line::new()
        .code(words.get(at)?)
        .plain(" would be an account here, and a time is an option");
    Some(refusal(why).command("Did you mean", meant))
}
