//! Which words of a command name what it is about: those in the places of an account, a room and so on.

use clap::{Arg, ArgAction, Command};

use super::{GROUPS, ROOT};
use crate::reply::IdsOf;

/// The words that name what a verb of the catalogue is about, and what that is. What is typed as the
/// value of an option is none of them.
pub(in crate::pipeline) fn subjects(words: &[String]) -> Vec<(usize, IdsOf)> {
    let Some((command, head)) = leaf(words) else { return Vec::new() };
    let of_reports = words.first().is_some_and(|word| word == "report");
    let about_accounts = words.iter().any(|word| matches!(word.as_str(), "--users" | "-u"));
    let of = |arg: &Arg| {
        Some(match arg.get_value_names()?.first()?.as_str() {
            "USER" | "USERS" => IdsOf::Accounts,
            "ROOM" | "ROOMS" => IdsOf::Rooms,
            "FILE" | "FILES" => IdsOf::Files,
            "EVENT" | "EVENTS" => IdsOf::Events,
            "TOKEN" => IdsOf::Tokens,
            "SERVER" | "DESTINATION" => IdsOf::Servers,
            "NUMBER" if of_reports && about_accounts => IdsOf::AccountReports,
            "NUMBER" if of_reports => IdsOf::EventReports,
            _ => return None,
        })
    };
    let places: Vec<&Arg> = command.get_positionals().collect();
    let several = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
    let typed = positional(command, words, head).into_iter().enumerate();
    let found = typed.filter_map(|(nth, at)| {
        let last = || places.last().copied().filter(several);
        Some((at, of(places.get(nth).copied().or_else(last)?)?))
    });
    found.collect()
}

/// The command of the catalogue to which the words lead, and how many of them lead there.
fn leaf(words: &[String]) -> Option<(&'static Command, usize)> {
    GROUPS.iter().find(|group| words.first().is_some_and(|word| word == group.name))?;
    let mut command: &Command = &ROOT;
    let mut head = 0;
    while command.has_subcommands() {
        command = command.find_subcommand(words.get(head)?)?;
        head += 1;
    }
    Some((command, head))
}

/// The places of the words behind the first `head` that are neither options nor their values.
fn positional(command: &Command, words: &[String], head: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rest = words.iter().enumerate().skip(head);
    while let Some((at, word)) = rest.next() {
        if word == "--" {
            found.extend(rest.by_ref().map(|(at, _)| at));
        } else if !word.starts_with('-') || word.len() < 2 {
            found.push(at);
        } else if takes_next(command, word) {
            rest.next();
        }
    }
    found
}

/// Whether an option, or the last of several in one word, has its value in the next word.
fn takes_next(command: &Command, word: &str) -> bool {
    let takes = |arg: &Arg| arg.get_action().takes_values();
    if let Some(name) = word.strip_prefix("--") {
        let is_it = |arg: &&Arg| {
            arg.get_long() == Some(name)
                || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        return command.get_opts().find(is_it).is_some_and(takes);
    }
    let mut letters = word.chars().skip(1);
    while let Some(letter) = letters.next() {
        let is_it = |arg: &&Arg| arg.get_short() == Some(letter);
        if command.get_opts().find(is_it).is_some_and(takes) {
            return letters.next().is_none();
        }
    }
    false
}
