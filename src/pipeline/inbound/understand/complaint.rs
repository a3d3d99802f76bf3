//! What is said where a command cannot be read: clap's complaints as kind sentences.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Place, is_for, listed_as, place, quiet, spelling, unquoted};
use crate::{
    operators::Role,
    reply::{Block, Line, Reply, Status},
};

/// Options of synadm that skip the question. They do not exist here.
pub(super) const SKIPPERS: &[&str] =
    &["--yes", "--batch", "--no-confirm", "--non-interactive", "--scripting"];

/// What a complaint of clap means: what was wrong, the nearest right command, and the usage of
/// that one command.
pub(super) fn complaint(words: &[String], error: &clap::Error, role: Option<&Role>) -> Reply {
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

pub(super) fn usage(command: clap::Command) -> String {
    quiet(command).render_usage().to_string()
}
