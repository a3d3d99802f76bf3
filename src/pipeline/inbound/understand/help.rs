//! The help: what can be typed, all of it on one screen of a phone, a group, or one command.

use crate::{
    commands::{GROUPS, Group, Spec},
    input::{Heard, hear},
    operators::Role,
    pipeline::{
        inbound::understand::{ROOT, complaint, is_first_word, is_for, parse},
        own::OWN,
    },
    reply::{Block, Line, Reply, Status},
};

mod page;
#[cfg(test)]
mod tests;

pub(super) use page::{examples, words_of};

/// What a night takes most often, the likeliest first, as help names it, and what each does in few
/// words.
const NIGHT: &[(&str, &str)] = &[
    ("user details", "who somebody is"),
    ("report list", "what was reported"),
    ("user suspend", "reads, cannot write"),
    ("user lock", "cannot even read"),
    ("user redact", "empty what they wrote"),
    ("user deactivate", "end the account"),
    ("room details", "what a room is"),
    ("room block", "nobody can join it"),
    ("media quarantine", "hide a file"),
    (UNDO, "take a change back"),
    ("freeze", "I change nothing"),
    ("user search", "find an account"),
    ("user membership", "in which rooms"),
    ("room search", "find a room"),
    ("room members", "who is in a room"),
    ("media list", "the files of a room"),
    ("audit", "what was done"),
    ("me", "what you may do"),
];

/// How many of them are shown.
const SHOWN: usize = 11;

/// It takes back what others do, so that it is nothing to whoever may do none of that.
const UNDO: &str = "undo";

/// What a night takes most often, as help shows it to whoever may do all of it.
pub(super) fn of_a_night() -> impl Iterator<Item = &'static str> {
    NIGHT.iter().take(SHOWN).map(|(name, _)| *name)
}

/// What the words of a request for help name.
enum Named {
    /// Nothing: help is for everything.
    All,
    /// A way to answer a question.
    Answer,
    /// A group.
    Group(&'static Group),
    /// A command by its own name, with the tree down to it.
    Command(Vec<&'static str>, Vec<&'static clap::Command>),
    /// A verb that several groups have, each as it is typed.
    Several(Vec<String>),
    /// Nothing that could be typed.
    Unknown,
}

impl Named {
    fn by(words: &[String]) -> Self {
        let Some(first) = words.first() else { return Self::All };
        let (path, way) = way_to(words);
        let group = GROUPS.iter().find(|group| path.first() == Some(&group.name));
        match (group, path.len()) {
            (_, 0) if is_answer(first) => Self::Answer,
            (None, 0) => Self::without_group(words),
            (Some(group), 1) if group.alone().is_none() => match words.len() {
                1 => Self::Group(group),
                _ => Self::Unknown,
            },
            _ => Self::Command(path, way),
        }
    }

    /// The verb that is meant by its own word alone: `suspend`.
    fn without_group(words: &[String]) -> Self {
        let all = |group: &'static Group| group.verbs.iter().map(move |verb| (group, verb));
        let is_it = |verb: &Spec| {
            let word = words.first().map(String::as_str).unwrap_or_default();
            verb.name == word || verb.aliases.contains(&word)
        };
        let found = GROUPS.iter().flat_map(all).filter(|(_, verb)| is_it(verb));
        let found: Vec<String> = found.map(|(group, verb)| group.words(verb)).collect();
        match found.as_slice() {
            [] => Self::Unknown,
            [one] => {
                let words: Vec<String> = one.split(' ').map(str::to_owned).collect();
                let (path, way) = way_to(&words);
                Self::Command(path, way)
            }
            _ => Self::Several(found),
        }
    }
}

/// How far these words lead into the tree of commands: each by its own name, and what stands there.
pub(super) fn way_to(words: &[String]) -> (Vec<&'static str>, Vec<&'static clap::Command>) {
    let (mut path, mut way) = (Vec::new(), Vec::new());
    let mut command: &'static clap::Command = &ROOT;
    for word in words {
        let Some(below) = command.find_subcommand(word) else { break };
        path.push(below.get_name());
        way.push(below);
        command = below;
    }
    (path, way)
}

/// Whether this alone answers a question.
fn is_answer(word: &str) -> bool {
    matches!(hear(word, None, &is_first_word), Heard::Yes | Heard::No)
}

/// The words of a request for help as the command tree has them: without what was typed besides, and
/// with the group that a verb belongs to where only one has it.
pub(in crate::pipeline) fn meant(words: &[String]) -> Vec<String> {
    let mut words: Vec<String> =
        words.iter().filter(|word| !matches!(word.as_str(), "--help" | "-h")).cloned().collect();
    if let Some(first) = words.first_mut() {
        *first = first.trim_start_matches('!').to_owned();
    }
    words.retain(|word| !word.is_empty());
    for word in words.iter_mut().take(3) {
        *word = word.to_lowercase();
    }
    match Named::by(&words) {
        Named::Command(path, _) => path.into_iter().map(str::to_owned).collect(),
        _ => words,
    }
}

/// The help for what the words name: everything, a group, or one command.
pub(in crate::pipeline) fn help(words: &[String], role: Option<&Role>) -> Reply {
    let words = meant(words);
    match Named::by(&words) {
        Named::All => help_all(role),
        Named::Answer => answers(),
        Named::Group(group) => help_group(group, role),
        Named::Command(path, way) => page::of(&path, &way, role),
        Named::Several(verbs) => which(&verbs),
        Named::Unknown => unknown(&words, role),
    }
}

/// The verbs of a group that somebody with this role may say.
fn verbs_for<'a>(group: &'a Group, role: Option<&Role>) -> Vec<&'a Spec> {
    group.verbs.iter().filter(|verb| is_for(role, &group.words(verb))).collect()
}

/// What is most wanted at night, then by which words all the rest begins.
fn help_all(role: Option<&Role>) -> Reply {
    let changes = is_for(role, "user suspend");
    let may = |name: &str| is_for(role, name) && (name != UNDO || changes);
    let night: Vec<Line> = NIGHT
        .iter()
        .filter(|(name, _)| may(name))
        .take(SHOWN)
        .map(|(name, what)| Line::new().command(format!("!{name}")).plain(format!(": {what}")))
        .collect();
    let groups = GROUPS.iter().filter(|group| !verbs_for(group, role).is_empty());
    let groups: Vec<&str> = groups.map(|group| group.name).collect();
    let own = OWN.iter().filter(|own| own.name != "help" && is_for(role, own.name));
    let own: Vec<&str> = own.map(|own| own.name).collect();
    Reply::data("What I can do")
        .with(Block::List(Line::new(), night))
        .text(Line::new().strong("Groups").plain(format!(": {}", groups.join(", "))))
        .text(Line::new().strong("About me").plain(format!(": {}", own.join(", "))))
        .text(
            Line::new()
                .plain("More: ")
                .command("!help user")
                .plain(" · ")
                .command("!help user suspend"),
        )
}

/// What a verb does, in one clause.
fn in_short(command: &clap::Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let ends = [": ", "; ", ", which ", ", and "].map(|mark| about.find(mark));
    let end = ends.into_iter().flatten().min().unwrap_or(about.len());
    about.get(..end).unwrap_or(&about).to_owned()
}

/// One line for each verb of a group.
fn help_group(group: &Group, role: Option<&Role>) -> Reply {
    let verbs = verbs_for(group, role);
    let first = verbs.first().map_or("", |verb| verb.name);
    let verbs = verbs.iter().map(|verb| {
        let about = format!(": {}", in_short(&verb.command()));
        Line::new().command(format!("!{}", group.words(verb))).plain(about)
    });
    Reply::data(Line::new().command(format!("!{}", group.name)).plain(format!(": {}", group.about)))
        .with(Block::List(Line::new(), verbs.collect()))
        .text(Line::new().plain("More: ").command(format!("!help {} {first}", group.name)))
}

/// How a question is answered.
fn answers() -> Reply {
    Reply::data("Yes and no to a question")
        .with(Block::List(
            "Yes, by whoever asked for it".into(),
            vec![
                Line::from("✅ below the question, or ")
                    .code("yes")
                    .plain(" as a reply to it, where the question offers that"),
                Line::new()
                    .command("!confirm CODE")
                    .plain(" in any case, with the phrase behind it that the question wants"),
            ],
        ))
        .with(Block::List(
            "No".into(),
            vec![
                Line::from("❌ below the question, or ").code("no").plain(" as a reply to it"),
                Line::new().command("!cancel CODE"),
            ],
        ))
        .with(Block::List(
            "To what somebody else asked for".into(),
            vec![Line::new().command("!approve CODE"), Line::new().command("!deny CODE")],
        ))
        .text(
            Line::new()
                .command("!pending")
                .plain(" lists the open questions. More: ")
                .command("!help confirm")
                .plain(" · ")
                .command("!help approve"),
        )
}

/// The answer where several groups have that verb.
fn which(verbs: &[String]) -> Reply {
    let commands = verbs.iter().map(|verb| {
        let words = std::iter::once("help").chain(verb.split(' ')).map(str::to_owned).collect();
        (Line::new(), words)
    });
    Reply::data("Which one?").with(Block::Commands(commands.collect()))
}

/// A word that was typed, as far as anybody wants to read it again.
pub(super) fn shortened(word: &str) -> String {
    match word.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("{}…", word.get(..end).unwrap_or_default()),
        None => word.to_owned(),
    }
}

/// How much of a word is repeated, in characters: no word of a command is longer.
const REPEATED: usize = 40;

/// The answer where nothing of that name can be typed, with the nearest that can.
fn unknown(words: &[String], role: Option<&Role>) -> Reply {
    // What stands behind a first word that is none is nothing that was to be a command.
    let known = way_to(words).0.len();
    let typed = words.iter().take(known + 1).map(|word| shortened(word)).collect::<Vec<_>>();
    let typed = typed.join(" ");
    let nearest = parse(words).err().and_then(|error| complaint::nearest(words, &error, role));
    let nearest = nearest.map(|words| meant(&words));
    let line = Line::new().plain("there is no command ").command(format!("!{typed}"));
    let group = way_to(words).0.first().map(|group| (*group).to_owned());
    let (line, named) = match (nearest, group) {
        (Some(nearest), _) => (line.plain(". Did you mean"), nearest),
        (None, Some(group)) => (line.plain(". Those that there are"), vec![group]),
        (None, None) => (line.plain(". All of them"), Vec::new()),
    };
    let words = std::iter::once("help".to_owned()).chain(named).collect();
    Reply::outcome(Status::NotUnderstood, line.plain(":"))
        .with(Block::Commands(vec![(Line::new(), words)]))
}
