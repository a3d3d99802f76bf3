//! Which words of a command name what it is about: those in the places of an account, a room and so on.

use clap::{Arg, ArgAction, Command};

use super::{GROUPS, ROOT};
use crate::reply::IdsOf;

/// The words that name what a verb of the catalogue is about, and what that is. What is typed as the
/// value of an option is none of them, unless the option stands for what the verb is about: one of those of
/// which one must be typed, such as `--user-id` of `media quarantine`.
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
    let mut nth = 0;
    let found = typed(command, words, head).into_iter().filter_map(|(at, option)| {
        if let Some(option) = option {
            return is_about(command, option).then_some((at, of(option)?));
        }
        let last = || places.last().copied().filter(several);
        let place = places.get(nth).copied().or_else(last);
        nth += 1;
        Some((at, of(place?)?))
    });
    found.collect()
}

/// Whether an option says what the command is about: it is one of those of which one must be typed.
fn is_about(command: &Command, option: &Arg) -> bool {
    let mut groups = command.get_groups().filter(|group| group.is_required_set());
    groups.any(|group| group.get_args().any(|id| id == option.get_id()))
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

/// The places of the words behind the first `head` that are no options, with the option of which each is
/// the value, where it is one.
fn typed<'a>(command: &'a Command, words: &[String], head: usize) -> Vec<(usize, Option<&'a Arg>)> {
    let mut found = Vec::new();
    let mut rest = words.iter().enumerate().skip(head);
    while let Some((at, word)) = rest.next() {
        if word == "--" {
            found.extend(rest.by_ref().map(|(at, _)| (at, None)));
        } else if !word.starts_with('-') || word.len() < 2 {
            found.push((at, None));
        } else if let Some(option) = takes_next(command, word) {
            found.extend(rest.next().map(|(at, _)| (at, Some(option))));
        }
    }
    found
}

/// The option, or the last of several in one word, that has its value in the next word.
fn takes_next<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let takes = |arg: &&Arg| arg.get_action().takes_values();
    if let Some(name) = word.strip_prefix("--") {
        let is_it = |arg: &&Arg| {
            arg.get_long() == Some(name)
                || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        return command.get_opts().find(is_it).filter(takes);
    }
    let mut letters = word.chars().skip(1);
    while let Some(letter) = letters.next() {
        let is_it = |arg: &&Arg| arg.get_short() == Some(letter);
        if let Some(option) = command.get_opts().find(is_it).filter(takes) {
            return letters.next().is_none().then_some(option);
        }
    }
    None
}
