//! Words that stand for the beginning of a command, in the room for which somebody has made them.
//!
//! What an alias stands for is read as if it had been typed: what it costs, takes and is refused for
//! follows from those words. It stands for nothing that has an answer of its own, and looks like nothing
//! that can be typed.

use clap::error::ErrorKind;

use crate::{
    commands::GROUPS,
    input::{Heard, hear, quote},
    pipeline::inbound::{
        read::as_meant,
        understand::{
            command_tree, is_first_word, misplaced, parse, ungrouped,
            unquoted::{self, Part, Verb},
        },
    },
    reply::{Line, Reply},
};

/// The most characters of a name.
const LONGEST_NAME: usize = 24;

/// The fewest, so that a slip is none.
const SHORTEST_NAME: usize = 3;

/// The most characters of what it stands for.
const LONGEST: usize = 300;

/// From how many characters on two slips may lie between a name and a word that can be typed.
const LONG_NAME: usize = 6;

/// The words that are typed with an alias, in the place that they have in what it stands for: behind what
/// it names, and before its options. What can be no option stays at the end.
pub(in crate::pipeline) fn expanded(alias: &[String], rest: &[String]) -> Vec<String> {
    let end = rest.iter().position(|word| word == "--").unwrap_or(rest.len());
    let (rest, literal) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    let place = Verb::of(alias).map_or(alias.len(), |verb| {
        let last = verb.parts(alias).into_iter().rev().find_map(|part| match part {
            Part::Place(at) => Some(at + 1),
            Part::Option(..) => None,
        });
        last.unwrap_or_else(|| verb.begins())
    });
    let (head, options) = alias.split_at_checked(place).unwrap_or((alias, &[]));
    [head, rest, options, literal].concat()
}

/// The words that an alias is to stand for, as they were typed behind its name: one word in quotation
/// marks, or all of them. An answer instead where it can stand for no such thing.
pub(in crate::pipeline) fn stands_for(typed: &[String]) -> Result<Vec<String>, Line> {
    let words = match typed {
        [whole] => match hear(&format!("!{}", whole.trim_start_matches('!')), None, &is_first_word)
        {
            Heard::Command(command) if command.body.is_empty() => command.words,
            _ => return Err(Line::new().code(whole).plain(" is no command")),
        },
        [first, rest @ ..] => {
            let first = first.trim_start_matches('!').to_lowercase();
            std::iter::once(first).chain(rest.iter().cloned()).collect()
        }
        [] => return Err("say what it stands for, such as \"user suspend --reason spam\"".into()),
    };
    let words = as_meant(words);
    let line = quote(&words);
    if line.chars().count() > LONGEST {
        return Err(format!("what it stands for has at most {LONGEST} characters").into());
    }
    let of_catalogue = GROUPS.iter().any(|group| words.first().is_some_and(|w| w == group.name));
    if !of_catalogue {
        return Err(Line::new().command(line).plain(
            " is no command about the homeserver, and an alias stands for such a one only, never for \
             an answer, a freeze or another alias",
        ));
    }
    if words.iter().any(|word| word == "--") {
        return Err(Line::new()
            .code("--")
            .plain(" can be typed after an alias, but an alias cannot contain it"));
    }
    if misplaced::takes_secret(&words) {
        return Err(
            "a command that takes a password has no alias: what is typed with it has to be \
                    found out of the room whatever slips"
                .into(),
        );
    }
    if let Some(reply) = unquoted::unclear(&words) {
        return Err(reply.title);
    }
    match parse(&words) {
        Ok(_) => Ok(words),
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => Ok(words),
        Err(_) => Err(Line::new().command(line).plain(" is not understood as it stands")),
    }
}

/// Why a word can be the name of no alias, if it cannot.
pub(in crate::pipeline) fn unfit_name(name: &str) -> Option<Line> {
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && (SHORTEST_NAME..=LONGEST_NAME).contains(&name.len());
    if !is_name {
        return Some(
            format!(
                "the name of an alias has {SHORTEST_NAME} to {LONGEST_NAME} small letters a to z, and \
                 hyphens between them"
            )
            .into(),
        );
    }
    let because = |line: Line| line.plain(", so it cannot be the name of an alias");
    if let Some(meant) = ungrouped::meant(&[name.to_owned()]).into_iter().next() {
        let line = Line::new().code(name).plain(" may be meant for ").command(quote(&meant));
        return Some(because(line));
    }
    let is_answer =
        !matches!(hear(name, None, &is_first_word), Heard::Nothing(crate::input::Reason::Talk));
    if is_answer {
        return Some(because(
            Line::new().code(name).plain(" may be meant for an answer to a question"),
        ));
    }
    let slips = if name.len() < LONG_NAME { 1 } else { 2 };
    let near = words().into_iter().find(|word| distance(name, word) <= slips)?;
    Some(because(Line::new().code(name).plain(" is too much like ").code(near)))
}

/// Every word by which a command is typed, and those for yes and no.
fn words() -> Vec<String> {
    fn walk(command: &clap::Command, found: &mut Vec<String>) {
        for below in command.get_subcommands() {
            found.push(below.get_name().to_owned());
            found.extend(below.get_all_aliases().map(str::to_owned));
            walk(below, found);
        }
    }
    let mut found = vec!["yes".to_owned(), "okay".to_owned(), "no".to_owned()];
    walk(&command_tree(), &mut found);
    found
}

/// How many slips lie between two words: letters that are another, missing, too many, or exchanged with
/// their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at =
                |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&row, j) + usize::from(a != b)).min(at(&row, j + 1) + 1);
            least = least.min(at(&next, j) + 1);
            let exchanged =
                i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if exchanged {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

/// The answer with what an alias stood for.
pub(in crate::pipeline) fn shown(reply: Reply, name: &str, words: &[String]) -> Reply {
    let line = Line::new().command(format!("!{name}")).plain(" stands for ");
    reply.note(line.command(crate::input::shown(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(line: &str) -> Vec<String> {
        match hear(&format!("!{line}"), None, &is_first_word) {
            Heard::Command(command) => command.words,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_typed_with_an_alias_stands_before_its_options() {
        for (alias, typed, whole) in [
            ("user suspend --reason spam", "spam eve bob", "user suspend eve bob --reason spam"),
            (
                "user suspend --reason \"spam in the lobby\" --for 3d",
                "spam eve",
                "user suspend eve --reason \"spam in the lobby\" --for 3d",
            ),
            (
                "user suspend --reason spam",
                "spam eve --plan",
                "user suspend eve --plan --reason spam",
            ),
            ("user suspend --reason spam", "spam -- eve", "user suspend --reason spam -- eve"),
            ("room join !abc:x.org", "hall eve", "room join !abc:x.org eve"),
            ("user list", "all", "user list"),
            ("raw v1/rooms", "rum --method get", "raw v1/rooms --method get"),
        ] {
            let typed = words_of(typed);
            let whole_words = expanded(&words_of(alias), &typed[1..]);
            assert_eq!(quote(&whole_words), format!("!{whole}"), "{alias}");
        }
    }

    #[test]
    fn an_alias_stands_for_a_command_of_the_catalogue_only() {
        let read = |typed: &str| stands_for(&words_of(&format!("alias {typed}"))[1..]);
        for typed in [
            "\"user suspend --reason spam\"",
            "user suspend --reason spam",
            "\"!user suspend --reason spam\"",
            "User suspend --Reason spam",
        ] {
            assert_eq!(read(typed).unwrap(), ["user", "suspend", "--reason", "spam"], "{typed}");
        }
        for typed in [
            "confirm 4821",
            "approve 4821",
            "freeze",
            "alias list",
            "audit list",
            "spam",
            "suspend eve",
            "user",
            "user frobnicate",
            "user password",
            "user modify -n x",
            "user suspend eve for 3d",
            "user suspend -- eve",
            "user suspend --bogus",
        ] {
            assert!(read(typed).is_err(), "{typed}: {:?}", read(typed));
        }
    }

    #[test]
    fn the_name_of_an_alias_is_like_nothing_that_can_be_typed() {
        for name in ["spam", "raid", "nospam", "trolls", "lobby-spam", "bye"] {
            assert!(unfit_name(name).is_none(), "{name}: {:?}", unfit_name(name).map(|l| l.text()));
        }
        for name in [
            "user",
            "usr",
            "suspend",
            "suspnd",
            "unsuspnd",
            "confirm",
            "comfirm",
            "yes",
            "yess",
            "ja",
            "no",
            "y",
            "ok",
            "cancel",
            "cancle",
            "stop",
            "stpo",
            "ban",
            "kick",
            "rooms",
            "userlist",
            "details",
            "detail",
            "list",
            "lits",
            "show",
            "x",
            "a b",
            "Spam",
            "spam2",
            "-spam",
            "spam!",
            "alias",
            "aliases",
            "",
            "averyveryverylongnamefora",
            "frezee",
            "undo",
            "undoo",
            "lock",
        ] {
            assert!(unfit_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn slips_are_counted() {
        for (one, other, slips) in [
            ("spam", "spam", 0),
            ("spma", "spam", 1),
            ("spa", "spam", 1),
            ("spaam", "spam", 1),
            ("spin", "spam", 2),
            ("", "spam", 4),
        ] {
            assert_eq!(distance(one, other), slips, "{one} {other}");
        }
    }
}
