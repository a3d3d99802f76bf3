//! Words to a command, by clap without a binary name.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::{
    complaint::complaint,
    help::{help, way_to},
};
use crate::{
    change::Power,
    commands::{Ask, GROUPS, Group, Options, Spec},
    input::{Heard, hear},
    operators::Role,
    pipeline::{
        change::together::{Part, Together},
        own::{OWN, Own},
    },
    reply::{Reply, Status},
};

pub use described::{Described, descriptions};
pub(in crate::pipeline) use positions::subjects;

/// What a line of words means.
#[derive(Debug)]
pub(in crate::pipeline) enum Understood {
    /// A command of the catalogue, with what was typed besides where it changes something.
    Command(Ask, Options),
    /// A command of the bot's own, with what was typed besides where it changes something.
    Own(Box<dyn Own>, Options),
    /// No command; the answer says why.
    Reply(Reply),
}

/// Every command that there is, built once. It has no name of its own: the first word is a group.
static ROOT: LazyLock<clap::Command> = LazyLock::new(|| {
    let mut root = quiet(clap::Command::new("!")).no_binary_name(true).subcommand_required(true);
    for group in GROUPS {
        root = root.subcommand(group_command(group));
    }
    for own in OWN {
        root = root.subcommand(quiet(own.command()));
    }
    root
});

/// The tree with which words are parsed. Parsing fills in what clap works out of it, so it takes a
/// tree of its own, which is filled once and not copied for each line.
static PARSER: LazyLock<Mutex<clap::Command>> = LazyLock::new(|| Mutex::new(ROOT.clone()));

/// What clap makes of a line of words.
pub(in crate::pipeline) type Parsed = Result<clap::ArgMatches, clap::Error>;

/// Parses a line of words.
pub(in crate::pipeline) fn parse(words: &[String]) -> Parsed {
    PARSER.lock().unwrap_or_else(PoisonError::into_inner).try_get_matches_from_mut(words)
}

fn group_command(group: &Group) -> clap::Command {
    if let Some(verb) = group.alone() {
        return quiet(verb.command().name(group.name));
    }
    quiet(clap::Command::new(group.name))
        .about(group.about)
        .subcommand_required(true)
        .subcommands(group.verbs.iter().map(|verb| quiet(verb.command())))
}

fn quiet(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).disable_version_flag(true)
}

/// A copy of the command tree, to complete and describe all of it.
pub fn command_tree() -> clap::Command {
    ROOT.clone()
}

/// A copy of the command tree, for checks over all of it.
#[cfg(test)]
pub(in crate::pipeline) fn root() -> clap::Command {
    ROOT.clone()
}

/// Every verb by its own name, with the words below it: `sanction extend`.
pub fn verbs() -> Vec<String> {
    fn walk(command: &clap::Command, before: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands() {
            let name = format!("{before}{}", below.get_name());
            walk(below, &format!("{name} "), found);
            found.push(name);
        }
    }
    let mut found = Vec::new();
    walk(&ROOT, "", &mut found);
    found
}

/// Whether a message that begins with `!` and this word is meant for the bot.
pub fn is_first_word(word: &str) -> bool {
    GROUPS.iter().any(|group| group.name == word)
        || OWN.iter().any(|own| own.name == word || own.aliases.contains(&word))
}

/// What each verb may take, by the name under which help lists it: the verb and the power of each
/// of its examples.
static TAKES: LazyLock<HashMap<String, Vec<Takes>>> = LazyLock::new(|| {
    let groups = GROUPS
        .iter()
        .flat_map(|group| group.verbs.iter().map(|verb| (group.words(verb), verb.examples)));
    let own = OWN.iter().map(|own| (own.name.to_owned(), own.examples));
    groups.chain(own).map(|(name, examples)| (name, takes(examples))).collect()
});

#[derive(Debug)]
struct Takes {
    verb: String,
    /// Absent where every operator may say it.
    power: Option<Power>,
}

fn takes(examples: &[&str]) -> Vec<Takes> {
    let one = |example: &&str| {
        let Heard::Command(command) = hear(&format!("!{example}"), None, &is_first_word) else {
            return None;
        };
        let words = command.words;
        let matches = parse(&words).ok()?;
        Some(match matched(&matches).ok()? {
            Understood::Command(Ask::Read(query), options) => {
                Takes { verb: options.verb, power: Some(query.power()) }
            }
            Understood::Command(Ask::Change(action), options) => {
                Takes { verb: options.verb, power: Some(action.power()) }
            }
            Understood::Own(own, options) => Takes { verb: options.verb, power: own.power() },
            Understood::Reply(_) => return None,
        })
    };
    examples.iter().filter_map(one).collect()
}

/// Whether help lists this verb for somebody with that role.
fn is_for(role: Option<&Role>, name: &str) -> bool {
    let Some(role) = role else { return true };
    let allows = |takes: &Takes| takes.power.is_none_or(|power| role.allows(power, &takes.verb));
    TAKES.get(name).is_some_and(|all| all.iter().any(allows))
}

/// Reads a line of words.
pub(in crate::pipeline) fn understand(words: &[String]) -> Understood {
    read(words, parse(words), None)
}

/// Reads a line of words that was parsed, by somebody with this role; what it answers shows nothing that they may
/// not do.
pub(in crate::pipeline) fn understand_for(
    words: &[String],
    parsed: Parsed,
    role: &Role,
) -> Understood {
    read(words, parsed, Some(role))
}

fn read(words: &[String], parsed: Parsed, role: Option<&Role>) -> Understood {
    match parsed {
        Ok(matches) => matched(&matches).unwrap_or_else(|error| misunderstood(words, &error, role)),
        Err(error) => match one_by_one(words) {
            Some(understood) => understood,
            None => misunderstood(words, &error, role),
        },
    }
}

/// Whether the words are a command but for whom it is about.
pub(in crate::pipeline) fn names_nobody(parsed: &Parsed) -> bool {
    matches!(parsed, Err(error) if error.kind() == ErrorKind::MissingRequiredArgument)
}

/// Whether the words, with this one more, are a look: that is at one thing.
pub(in crate::pipeline) fn looks(words: &[String], at: &str) -> bool {
    let words = [words, &["--".to_owned(), at.to_owned()]].concat();
    matches!(understand(&words), Understood::Command(Ask::Read(_), _))
}

/// The names of the arguments that the words lack, as the usage shows them: `USER`.
pub(in crate::pipeline) fn missing(parsed: &Parsed) -> Vec<String> {
    let Err(error) = parsed else { return Vec::new() };
    let all = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(all)) => all.clone(),
        Some(ContextValue::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let name = |usage: &String| {
        let name = usage.trim_start_matches(['<', '-']);
        name.split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    all.iter().map(name).collect()
}

/// A change that takes one subject, said of a list: the same for each. `None` where it is no such
/// thing, or does not stand for itself with the first of them.
fn one_by_one(words: &[String]) -> Option<Understood> {
    let dashes = words.iter().position(|word| word == "--")?;
    let (head, list) = words.split_at_checked(dashes + 1)?;
    if list.len() < 2 {
        return None;
    }
    let mut parts = Vec::new();
    let mut first = None;
    for subject in list {
        let mut words = head.to_vec();
        words.push(subject.clone());
        let matches = parse(&words).ok()?;
        let Ok(Understood::Command(Ask::Change(action), options)) = matched(&matches) else {
            return None;
        };
        parts.push(Part { action, verb: options.verb.clone(), found: None });
        first.get_or_insert(options);
    }
    let together = Together::new(parts)?;
    Some(Understood::Command(Ask::Change(Box::new(together)), first?))
}

fn matched(matches: &clap::ArgMatches) -> Result<Understood, clap::Error> {
    let unknown = || clap::Error::new(ErrorKind::InvalidSubcommand);
    let (first, rest) = matches.subcommand().ok_or_else(unknown)?;
    if let Some(own) = OWN.iter().find(|own| own.name == first) {
        let options = Options::read(rest).of(&[own.name], rest);
        return own.read(rest).map(|read| Understood::Own(read, options));
    }
    let group = GROUPS.iter().find(|group| group.name == first).ok_or_else(unknown)?;
    let (verb, rest) = if let Some(verb) = group.alone() {
        (verb, rest)
    } else {
        let (name, rest) = rest.subcommand().ok_or_else(unknown)?;
        (group.verbs.iter().find(|verb| verb.name == name).ok_or_else(unknown)?, rest)
    };
    let (ask, options) = verb.ask(rest)?;
    if matches!(ask, Ask::Read(_)) && !options.is_empty() {
        return Ok(Understood::Reply(Reply::outcome(
            Status::NotUnderstood,
            "this only looks, and an option of a change came with it; leave that out, or say what \
             is to be changed",
        )));
    }
    Ok(Understood::Command(ask, options.of(&[group.words(verb).as_str()], rest)))
}

fn misunderstood(words: &[String], error: &clap::Error, role: Option<&Role>) -> Understood {
    Understood::Reply(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            help(words, role)
        }
        ErrorKind::MissingSubcommand => {
            let named: Vec<String> = way_to(words).0.into_iter().map(str::to_owned).collect();
            help(&named, role)
        }
        _ => complaint(words, error, role),
    })
}

/// The name under which help lists the verb of these words.
pub(in crate::pipeline) fn listed_as(words: &[String]) -> Option<String> {
    let first = words.first()?;
    if OWN.iter().any(|own| own.name == first) {
        return Some(first.clone());
    }
    let group = GROUPS.iter().find(|group| group.name == first)?;
    Some(group.words(verb(group, words.get(1).map(String::as_str))?))
}

/// The verb of a group that its second word names, if it does.
fn verb(group: &Group, word: Option<&str>) -> Option<&'static Spec> {
    if let Some(verb) = group.alone() {
        return Some(verb);
    }
    let word = word?;
    group.verbs.iter().find(|verb| verb.name == word || verb.aliases.contains(&word))
}

#[cfg(test)]
mod acting;
pub(in crate::pipeline) mod alias;
pub(in crate::pipeline) mod cases;
mod choices;
mod complaint;
mod described;
pub(in crate::pipeline) mod help;
pub(in crate::pipeline) mod misplaced;
mod positions;
pub(in crate::pipeline) mod spelling;
pub(in crate::pipeline) mod structured;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
pub(in crate::pipeline) mod tokens;
pub(in crate::pipeline) mod ungrouped;
pub(in crate::pipeline) mod unquoted;
