//! Words to a command, by clap without a binary name, and clap's complaints to kind sentences.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{
    change::Power,
    commands::{Ask, GROUPS, Group, Options, Spec},
    input::{Heard, hear},
    operators::Role,
    pipeline::{
        change::together::{Part, Together},
        own::{OWN, Own},
    },
    reply::{Block, Line, Reply, Status},
};

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

/// Options of synadm that skip the question. They do not exist here.
const SKIPPERS: &[&str] = &["--yes", "--batch", "--no-confirm", "--non-interactive", "--scripting"];

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
            Status::Refused,
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
        ErrorKind::MissingSubcommand => match place(words) {
            Place::Group(group) => help_group(group, role),
            _ => help_all(role),
        },
        _ => complaint(words, error, role),
    })
}

/// What a complaint of clap means: what was wrong, the nearest right command, and the usage of
/// that one command.
fn complaint(words: &[String], error: &clap::Error, role: Option<&Role>) -> Reply {
    let mut reply = Reply::outcome(Status::Refused, wrong(error));
    let nearest = nearest(words, error);
    if let Some(nearest) = nearest.filter(|words| listed_as(words).is_none_or(|n| is_for(role, &n)))
    {
        reply = reply.command("Did you mean", nearest);
    }
    match place(words) {
        Place::Verb(command) => reply.with(Block::Code(usage(*command))),
        Place::Group(group) => {
            reply.command("All of its verbs", vec!["help".into(), group.name.into()])
        }
        Place::Nowhere => reply.command("All commands", vec!["help".into()]),
    }
}

/// What was wrong, in one sentence.
fn wrong(error: &clap::Error) -> Line {
    let said = |kind| context(error, kind);
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            Line::new().plain("there is no command ").code(said(ContextKind::InvalidSubcommand))
        }
        ErrorKind::UnknownArgument => {
            let option = said(ContextKind::InvalidArg);
            if SKIPPERS.contains(&option.as_str()) {
                return Line::new().code(option).plain(
                    " does not exist here: what can be undone runs at once, and for the rest the \
                     question is the point",
                );
            }
            Line::new().plain("it does not take ").code(option)
        }
        ErrorKind::MissingRequiredArgument => {
            Line::new().plain("it needs ").code(said(ContextKind::InvalidArg))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error),
        ErrorKind::ArgumentConflict => Line::new()
            .code(said(ContextKind::InvalidArg))
            .plain(" and ")
            .code(said(ContextKind::PriorArg))
            .plain(" cannot be used together"),
        ErrorKind::TooManyValues => {
            let option = said(ContextKind::InvalidArg);
            Line::new().code(option).plain(" takes no value, or not so many")
        }
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => Line::new()
            .code(said(ContextKind::InvalidArg))
            .plain(" was given the wrong number of values"),
        _ => Line::from("it cannot be understood"),
    }
}

fn invalid_value(error: &clap::Error) -> Line {
    let (value, argument) =
        (context(error, ContextKind::InvalidValue), context(error, ContextKind::InvalidArg));
    if value.is_empty() {
        return Line::new().code(argument).plain(" needs a value");
    }
    let line = Line::new().code(value).plain(" will not do for ").code(argument);
    let choices = context(error, ContextKind::ValidValue);
    match (std::error::Error::source(error), choices.is_empty()) {
        (Some(why), _) => line.plain(": ").plain(number_fault(&why.to_string())),
        (None, false) => line.plain("; it takes: ").plain(choices),
        (None, true) => line,
    }
}

/// What the library says of a number, for people.
fn number_fault(why: &str) -> String {
    let range = why.split_once(" is not in ").map(|(_, range)| range);
    match (why, range) {
        ("invalid digit found in string" | "cannot parse integer from empty string", _) => {
            "write a whole number in plain digits, such as 1000".to_owned()
        }
        ("number too large to fit in target type", _) => "it is too large".to_owned(),
        (_, Some(range)) => match range.split_once("..=").or_else(|| range.split_once("..")) {
            Some((from, "")) => format!("it takes {from} or more"),
            Some((from, to)) => format!("it takes {from} to {to}"),
            None => why.to_owned(),
        },
        _ => why.to_owned(),
    }
}

/// How much an answer repeats of what was typed, in characters: an id is shorter.
const REPEATED: usize = 300;

/// How much of what is longer than that, which nobody wants to read again.
const BEGINNING: usize = 40;

fn context(error: &clap::Error, kind: ContextKind) -> String {
    let text = whole_context(error, kind);
    if text.chars().nth(REPEATED).is_none() {
        return text;
    }
    text.chars().take(BEGINNING).chain(['…']).collect()
}

fn whole_context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        Some(ContextValue::StyledStrs(texts)) => {
            texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        Some(ContextValue::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The same words with the wrong one put right, where clap has a suggestion.
fn nearest(words: &[String], error: &clap::Error) -> Option<Vec<String>> {
    // Of several suggestions clap puts the likeliest last.
    let likeliest = |kind| {
        let all = context(error, kind);
        let last = all.rsplit(", ").next().unwrap_or_default().to_owned();
        (!last.is_empty()).then_some(last)
    };
    if error.kind() == ErrorKind::InvalidSubcommand
        && matches!(place(words), Place::Nowhere)
        && let Some(words) = spelling::respelled(words)
    {
        return Some(words);
    }
    if let Some(words) = spelling::separated(words, error) {
        return Some(words);
    }
    let suggested = error.get(ContextKind::SuggestedArg).is_some();
    if error.kind() == ErrorKind::UnknownArgument && !suggested {
        let wrong = whole_context(error, ContextKind::InvalidArg);
        let at = words.iter().position(|word| *word == wrong)?;
        return unquoted::quoted(words, at);
    }
    let (wrong, right) = match error.kind() {
        ErrorKind::InvalidSubcommand => (
            likeliest(ContextKind::InvalidSubcommand)?,
            likeliest(ContextKind::SuggestedSubcommand)?,
        ),
        ErrorKind::UnknownArgument => {
            (likeliest(ContextKind::InvalidArg)?, likeliest(ContextKind::SuggestedArg)?)
        }
        ErrorKind::InvalidValue => {
            (likeliest(ContextKind::InvalidValue)?, likeliest(ContextKind::SuggestedValue)?)
        }
        _ => return None,
    };
    let at = words.iter().position(|word| *word == wrong)?;
    let mut words = words.to_vec();
    words[at] = right;
    Some(words)
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

/// How far the words lead into the tree of commands.
enum Place {
    Verb(Box<clap::Command>),
    Group(&'static Group),
    Nowhere,
}

fn place(words: &[String]) -> Place {
    let Some(first) = words.first() else { return Place::Nowhere };
    if let Some(own) = OWN.iter().find(|own| own.name == first) {
        return Place::Verb(Box::new(own.command().bin_name(format!("!{}", own.name))));
    }
    let Some(group) = GROUPS.iter().find(|group| group.name == first) else {
        return Place::Nowhere;
    };
    match verb(group, words.get(1).map(String::as_str)) {
        Some(verb) => Place::Verb(Box::new(named(group, verb))),
        None => Place::Group(group),
    }
}

/// The verb of a group that its second word names, if it does.
fn verb(group: &Group, word: Option<&str>) -> Option<&'static Spec> {
    if let Some(verb) = group.alone() {
        return Some(verb);
    }
    let word = word?;
    group.verbs.iter().find(|verb| verb.name == word || verb.aliases.contains(&word))
}

fn named(group: &Group, verb: &Spec) -> clap::Command {
    verb.command().bin_name(format!("!{}", group.words(verb)))
}

fn usage(command: clap::Command) -> String {
    quiet(command).render_usage().to_string()
}

/// The help for what the words name: everything, a group, or one command.
pub(in crate::pipeline) fn help(words: &[String], role: Option<&Role>) -> Reply {
    let words: Vec<String> =
        words.iter().filter(|w| !matches!(w.as_str(), "--help" | "-h")).cloned().collect();
    match place(&words) {
        Place::Verb(command) => {
            let reply = help_verb(*command, &words);
            match listed_as(&words) {
                Some(name) if !is_for(role, &name) => {
                    reply.note("Your role does not let you send this")
                }
                _ => reply,
            }
        }
        Place::Group(group) if words.len() < 2 => help_group(group, role),
        _ if words.is_empty() => help_all(role),
        // Whatever it is, it leads nowhere: say so as for a command that does not exist.
        _ => match read(&words, parse(&words), role) {
            Understood::Reply(reply) => reply,
            Understood::Command(..) | Understood::Own(..) => help_all(role),
        },
    }
}

/// The verbs of a group that somebody with this role may say.
fn verbs_for<'a>(group: &'a Group, role: Option<&Role>) -> Vec<&'a Spec> {
    group.verbs.iter().filter(|verb| is_for(role, &group.words(verb))).collect()
}

fn help_all(role: Option<&Role>) -> Reply {
    let groups = GROUPS.iter().map(|group| (group, verbs_for(group, role)));
    let groups = groups.filter(|(_, verbs)| !verbs.is_empty()).map(|(group, verbs)| {
        let verbs: Vec<&str> = verbs.iter().map(|verb| verb.name).collect();
        let about = match group.alone() {
            Some(_) => format!(" — {}", group.about),
            None => format!(" — {}: {}", group.about, verbs.join(", ")),
        };
        Line::new().code(format!("!{}", group.name)).plain(about)
    });
    let own = OWN.iter().filter(|own| is_for(role, own.name)).map(|own| {
        let about = own.command().get_about().map(ToString::to_string).unwrap_or_default();
        Line::new().code(format!("!{}", own.name)).plain(format!(" — {about}"))
    });
    Reply::data("What I can do")
        .with(Block::List("About the homeserver".into(), groups.collect()))
        .with(Block::List("About what I am asked".into(), own.collect()))
        .note(
            Line::new()
                .plain("More about each: ")
                .code("!help user")
                .plain(", ")
                .code("!help user details"),
        )
}

fn help_group(group: &Group, role: Option<&Role>) -> Reply {
    let verbs = verbs_for(group, role);
    let first = verbs.first().map_or("", |verb| verb.name);
    let verbs = verbs.iter().map(|verb| {
        let about = verb.command().get_about().map(ToString::to_string).unwrap_or_default();
        Line::new().code(format!("!{}", group.words(verb))).plain(format!(" — {about}"))
    });
    Reply::data(Line::new().code(format!("!{}", group.name)))
        .with(Block::List(group.about.into(), verbs.collect()))
        .note(Line::new().plain("More about one: ").code(format!("!help {} {}", group.name, first)))
}

fn help_verb(command: clap::Command, words: &[String]) -> Reply {
    let name = command.get_bin_name().unwrap_or_default().to_owned();
    let mut command = quiet(command);
    let text = command.render_long_help().to_string();
    let reply = Reply::data(Line::new().code(name)).with(Block::Code(text.trim_end().to_owned()));
    let verb = GROUPS
        .iter()
        .find(|group| words.first().is_some_and(|word| word == group.name))
        .and_then(|group| verb(group, words.get(1).map(String::as_str)));
    let Some(verb) = verb else { return reply };
    let reply = match verb.needs.told() {
        needs if needs.is_empty() => reply,
        needs => reply.with(Block::List("It takes".into(), needs)),
    };
    let lines =
        verb.examples.iter().map(|example| Line::new().code(format!("!{example}"))).collect();
    reply.with(Block::List("For example".into(), lines))
}

#[cfg(test)]
mod acting;
pub(in crate::pipeline) mod misplaced;
mod positions;
pub(in crate::pipeline) mod spelling;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
pub(in crate::pipeline) mod tokens;
pub(in crate::pipeline) mod unquoted;
