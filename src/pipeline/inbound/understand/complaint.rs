//! What is said where a command cannot be read: clap's complaints as kind sentences.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{
    help::{examples, way_to, words_of},
    is_first_word, is_for, listed_as, parse, spelling, unquoted,
};
use crate::{
    operators::Role,
    reply::{Block, Line, Reply, Status},
};

/// Options of synadm that skip the question. They do not exist here.
pub(super) const SKIPPERS: &[&str] =
    &["--yes", "--batch", "--no-confirm", "--non-interactive", "--scripting"];

/// The answer to a command that cannot be read: what is wrong in one sentence, and below it the
/// command as it was probably meant, or one that shows how it is typed.
pub(super) fn complaint(words: &[String], error: &clap::Error, role: Option<&Role>) -> Reply {
    let wrong = wrong(words, error);
    let (wrong, commands) = if let Some(nearest) = nearest(words, error, role) {
        (wrong.plain(". Did you mean:"), vec![(Line::new(), nearest)])
    } else if let Some(showing) = showing(words, error, role) {
        let all = help(&way_to(words).0);
        let commands = vec![(Line::new(), showing), (Line::from("All its commands"), all)];
        (wrong.plain(". Did you mean:"), commands)
    } else {
        let (wrong, command) = instead(words, error, wrong);
        (wrong, vec![(Line::new(), command)])
    };
    Reply::outcome(Status::NotUnderstood, wrong).with(Block::Commands(commands))
}

/// The command for the help about these words.
fn help(words: &[&str]) -> Vec<String> {
    std::iter::once("help").chain(words.iter().copied()).map(str::to_owned).collect()
}

/// The verbs that show one thing.
const SHOWING: [&str; 2] = ["details", "show"];

/// The command that shows what was named behind a group in place of a verb: `user details ann` for
/// `user ann`.
fn showing(words: &[String], error: &clap::Error, role: Option<&Role>) -> Option<Vec<String>> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let (path, way) = way_to(words);
    let (group, named) = words.split_at_checked(path.len())?;
    let verb = SHOWING
        .into_iter()
        .find(|verb| way.last().is_some_and(|command| command.find_subcommand(verb).is_some()))?;
    let showing = [group, &[verb.to_owned()], named].concat();
    let may = listed_as(&showing).is_none_or(|name| is_for(role, &name));
    (may && parse(&showing).is_ok()).then_some(showing)
}

/// The sentence with what leads to a command that is right, and that command.
fn instead(words: &[String], error: &clap::Error, wrong: Line) -> (Line, Vec<String>) {
    let (path, way) = way_to(words);
    let leaf = way.last().is_some_and(|command| !command.is_subcommand_required_set());
    match (path.as_slice(), leaf) {
        ([], _) => (wrong.plain(". All commands:"), help(&[])),
        (path, false) => (wrong.plain(". Its commands:"), help(path)),
        (path, true) => match shown_by(path, words, error) {
            Some(example) if error.kind() == ErrorKind::MissingRequiredArgument => {
                (wrong.plain(" For example:"), words_of(example))
            }
            Some(example) => (wrong.plain(". For example:"), words_of(example)),
            None if error.kind() == ErrorKind::MissingRequiredArgument => {
                (wrong.plain(" What it takes:"), help(path))
            }
            None => (wrong.plain(". What it takes:"), help(path)),
        },
    }
}

/// The example of a command that shows how what is wrong is typed.
fn shown_by(path: &[&str], words: &[String], error: &clap::Error) -> Option<&'static str> {
    let all = examples(path);
    let has = |example: &str, option: &str| example.split(' ').any(|word| word == option);
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let options: Vec<&String> =
                words.iter().filter(|word| word.starts_with("--") && word.len() > 2).collect();
            let alike = all.iter().find(|ex| options.iter().all(|option| has(ex, option)));
            alike.or_else(|| all.first()).copied()
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let name = bare(&context(error, ContextKind::InvalidArg));
            if name.starts_with('-') {
                all.iter().find(|example| has(example, &name)).copied()
            } else {
                all.first().copied()
            }
        }
        _ => None,
    }
}

/// What was wrong, in one sentence without its end.
fn wrong(words: &[String], error: &clap::Error) -> Line {
    let named = |kind| bare(&context(error, kind));
    let command = format!("!{}", way_to(words).0.join(" "));
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = context(error, ContextKind::InvalidSubcommand);
            let space = if command == "!" { "" } else { " " };
            Line::new().plain("there is no command ").command(format!("{command}{space}{typed}"))
        }
        ErrorKind::UnknownArgument => {
            let typed = context(error, ContextKind::InvalidArg);
            if SKIPPERS.contains(&typed.as_str()) {
                return Line::new().code(typed).plain(
                    " does not exist here: what can be undone runs at once, and for the rest the \
                     question is the point",
                );
            }
            let line = Line::new().code(&typed);
            if typed.starts_with('-') {
                return line.plain(" is no option of ").command(command);
            }
            line.plain(" is one word too many for ")
                .command(command)
                .plain("; put a text with spaces in quotes")
        }
        ErrorKind::MissingRequiredArgument => missing(error),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error),
        ErrorKind::ArgumentConflict => Line::new()
            .code(named(ContextKind::InvalidArg))
            .plain(" and ")
            .code(named(ContextKind::PriorArg))
            .plain(" cannot be used together"),
        ErrorKind::TooManyValues => Line::new()
            .code(named(ContextKind::InvalidArg))
            .plain(" takes no value, or not so many"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => Line::new()
            .code(named(ContextKind::InvalidArg))
            .plain(" was given the wrong number of values"),
        _ => Line::from("it cannot be understood"),
    }
}

/// The name of an argument without what the library writes around it: `--limit` of
/// `--limit <NUMBER>`, `USER` of `<USER>...`.
fn bare(usage: &str) -> String {
    let first = usage.split_whitespace().next().unwrap_or_default();
    let name = first.trim_start_matches(['<', '[']);
    name.split(['>', ']', '=']).next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// What is asked for where words are missing.
fn missing(error: &clap::Error) -> Line {
    let all = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(all)) => all.clone(),
        Some(ContextValue::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let asked = all.iter().map(|usage| {
        let name = bare(usage);
        if name.starts_with('-') {
            return Line::new().plain("what for ").code(name);
        }
        match QUESTIONS.iter().find(|(asked, _)| *asked == name) {
            Some((_, question)) => Line::from(*question),
            None => Line::from(format!("which {}", name.to_lowercase().replace('_', " "))),
        }
    });
    let asked = asked.enumerate().fold(Line::new(), |line, (n, question)| match n {
        0 => question,
        _ => line.plain(", and ").line(question),
    });
    asked.plain("?")
}

/// What is asked for in place of an argument with this name.
const QUESTIONS: &[(&str, &str)] = &[
    ("USER", "whom"),
    ("ADDRESS|USER", "which address, or whom"),
    ("ALIAS|ID", "which room"),
    ("CODE", "which question, by its code"),
    ("DATE|AGE", "when"),
    ("ENDPOINT", "which path"),
    ("JOB", "which of its jobs"),
    ("TEXT", "with which text"),
    ("TO", "to whom"),
    ("TOKEN", "which registration token"),
];

fn invalid_value(error: &clap::Error) -> Line {
    let value = context(error, ContextKind::InvalidValue);
    let argument = bare(&context(error, ContextKind::InvalidArg));
    if value.is_empty() {
        return Line::new().code(argument).plain(" needs a value");
    }
    let line = Line::new().code(value).plain(" will not do for ").code(argument);
    let choices = context(error, ContextKind::ValidValue);
    match (std::error::Error::source(error), choices.is_empty()) {
        (Some(why), _) => line.plain(": ").naming(&number_fault(&why.to_string()), &is_first_word),
        (None, false) => line.plain(": it takes one of ").plain(choices),
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

/// How long a part of an option's name must be to stand for all of it, in bytes.
const SHORTEST_PART: usize = 4;

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

pub(super) fn whole_context(error: &clap::Error, kind: ContextKind) -> String {
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

/// The same words with the wrong one put right, where that is a command that somebody with this role
/// may send.
pub(super) fn nearest(
    words: &[String],
    error: &clap::Error,
    role: Option<&Role>,
) -> Option<Vec<String>> {
    let nearest = put_right(words, error)?;
    listed_as(&nearest).is_none_or(|name| is_for(role, &name)).then_some(nearest)
}

/// The same words with the one option of the verb whose name has the typed one in it: `--erase` for
/// `--gdpr-erase`.
fn with_whole_option(words: &[String], error: &clap::Error) -> Option<Vec<String>> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let wrong = whole_context(error, ContextKind::InvalidArg);
    let part = wrong.strip_prefix("--").filter(|part| part.len() >= SHORTEST_PART)?;
    let (_, way) = way_to(words);
    let names = way.last()?.get_arguments().filter_map(clap::Arg::get_long);
    let mut whole = names.filter(|name| name.split('-').any(|piece| piece == part));
    let (Some(name), None) = (whole.next(), whole.next()) else { return None };
    let at = words.iter().position(|word| *word == wrong)?;
    let mut words = words.to_vec();
    words[at] = format!("--{name}");
    Some(words)
}

/// The same words with the wrong one put right, where it is known how.
fn put_right(words: &[String], error: &clap::Error) -> Option<Vec<String>> {
    // Of several suggestions clap puts the likeliest last.
    let likeliest = |kind| {
        let all = context(error, kind);
        let last = all.rsplit(", ").next().unwrap_or_default().to_owned();
        (!last.is_empty()).then_some(last)
    };
    if error.kind() == ErrorKind::InvalidSubcommand
        && way_to(words).0.is_empty()
        && let Some(words) = spelling::respelled(words)
    {
        return Some(words);
    }
    if let Some(words) = spelling::separated(words, error) {
        return Some(words);
    }
    if let Some(words) = with_whole_option(words, error) {
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
