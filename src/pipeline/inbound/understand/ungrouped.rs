//! Commands without their group, and words that other programs have for them: `suspend eve`, `userlist`,
//! `rooms`, `ban eve`.
//!
//! None of them is run: the answer has the whole command, to be sent as it stands. Where several may be
//! meant, it has each of them.

use clap::error::ErrorKind;

use crate::{
    commands::{GROUPS, Group},
    operators::Role,
    pipeline::inbound::understand::{
        choices, is_first_word, is_for, listed_as, parse, unquoted::refusal, verb,
    },
    reply::{Line, Reply},
};

/// The most commands of which an answer says that they may be meant.
pub(super) const MOST: usize = 5;

/// Stands for what was typed behind the word.
const REST: &str = "…";

/// What other programs and people call it, and the commands that do it here, the likeliest first.
const SYNONYMS: &[(&[&str], &[&str])] = &[
    (&["yes", "y", "ok", "okay"], &["confirm …"]),
    (&["no", "n", "nevermind"], &["cancel …"]),
    (&["commands", "man", "usage"], &["help …"]),
    (
        &["ban", "disable", "block"],
        &["user suspend …", "user lock …", "user deactivate …", "room block …"],
    ),
    (
        &["unban", "enable"],
        &["user unsuspend …", "user unlock …", "user reactivate …", "room unblock …"],
    ),
    (&["mute", "silence"], &["user suspend …", "user shadow-ban …"]),
    (&["unmute"], &["user unsuspend …", "user shadow-ban … --unban"]),
    (&["kick"], &["user suspend …", "user logout …", "room delete …"]),
    (&["logoff", "signout"], &["user logout …"]),
    (&["shadowban"], &["user shadow-ban …"]),
    (&["erase", "forget"], &["user deactivate … --gdpr-erase"]),
    (&["delete", "remove", "rm"], &["user deactivate …", "room delete …", "media delete …"]),
    (&["nuke", "shutdown"], &["room delete …", "user deactivate …"]),
    (&["clean", "cleanup"], &["room purge-empty", "media purge …", "history purge …"]),
    (&["passwd", "pw", "reset-password", "resetpassword"], &["user password …"]),
    (&["adduser", "useradd", "signup"], &["user register …"]),
    (&["promote", "op"], &["user admin grant …", "room make-admin …"]),
    (&["demote", "deop"], &["user admin revoke …"]),
    (&["info", "about"], &["user details …", "room details …"]),
    (&["find", "lookup"], &["user search …", "room search …"]),
    (&["sessions"], &["device list …", "user whois …"]),
    (&["ip", "ips"], &["user whois …"]),
    (&["email", "mail", "phone"], &["user 3pid …"]),
    (&["announce", "broadcast", "message", "msg"], &["notice send …"]),
    (&["abuse"], &["report list"]),
    (&["servers", "peers"], &["federation list"]),
    (&["tokens"], &["regtok list"]),
    (&["log", "logs"], &["audit list"]),
    (&["ping", "health"], &["doctor"]),
    (&["status"], &["doctor", "background status"]),
    (&["whoami"], &["me"]),
    (&["sanctions"], &["sanction list"]),
    (&["notes"], &["note list"]),
    (&["jobs"], &["job list"]),
];

/// The answer to a command without its group, for somebody with this role.
pub(in crate::pipeline) fn unclear(words: &[String], role: &Role) -> Option<Reply> {
    let first = words.first().filter(|first| !is_first_word(first))?;
    let may = |words: &Vec<String>| listed_as(words).is_none_or(|name| is_for(Some(role), &name));
    let meant: Vec<Vec<String>> = meant(words).into_iter().filter(may).take(MOST).collect();
    if meant.is_empty() {
        return None;
    }
    let why = Line::new().plain("there is no command ").command(format!("!{first}"));
    let reply = choices::offering(refusal(why), meant);
    Some(reply.command("All commands", vec!["help".to_owned()]))
}

/// The commands that may be meant by these words, the first of which begins none; the likeliest first.
pub(super) fn meant(words: &[String]) -> Vec<Vec<String>> {
    let found = candidates(words);
    let fitting: Vec<Vec<String>> = found.iter().filter(|words| fits(words)).cloned().collect();
    if fitting.is_empty() { found } else { fitting }
}

/// The same with those that cannot be about what was typed.
pub(super) fn candidates(words: &[String]) -> Vec<Vec<String>> {
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    if let Some(words) = joined(first, rest).or_else(|| several(first, rest)) {
        return vec![words];
    }
    let synonyms = SYNONYMS.iter().filter(|(names, _)| names.contains(&first.as_str()));
    let synonyms = synonyms.flat_map(|(_, commands)| commands.iter());
    let synonyms = synonyms.map(|command| filled_in(command, rest));
    let mut found: Vec<Vec<String>> = Vec::new();
    for words in named(first, rest).into_iter().chain(synonyms) {
        if !found.contains(&words) {
            found.push(words);
        }
    }
    let about = about(rest);
    found.sort_by_key(|words| words.first().map(String::as_str) != about);
    found
}

/// Whether a command can be about what was typed, or lacks only what it is about.
fn fits(words: &[String]) -> bool {
    parse(words).map_or_else(|error| error.kind() == ErrorKind::MissingRequiredArgument, |_| true)
}

/// The group that what was typed belongs to, where it says so.
fn about(rest: &[String]) -> Option<&'static str> {
    rest.iter().find_map(|word| match word.chars().next()? {
        '!' | '#' => Some("room"),
        '@' => Some("user"),
        '$' => Some("event"),
        _ if word.starts_with("mxc://") => Some("media"),
        _ => None,
    })
}

/// The groups that have several verbs.
fn groups() -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(|group| group.alone().is_none())
}

fn with(head: &[&str], rest: &[String]) -> Vec<String> {
    head.iter().map(|&word| word.to_owned()).chain(rest.iter().cloned()).collect()
}

/// Group and verb in one word: `userlist`, `user.details`.
fn joined(first: &str, rest: &[String]) -> Option<Vec<String>> {
    groups().find_map(|group| {
        let behind = first.strip_prefix(group.name)?;
        let name = behind.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        verb(group, Some(name)).map(|verb| with(&[group.name, verb.name], rest))
    })
}

/// The name of a group in the plural: `rooms`, `rooms details #lobby`, `devices eve`.
fn several(first: &str, rest: &[String]) -> Option<Vec<String>> {
    let group = groups().find(|group| first.strip_suffix('s') == Some(group.name))?;
    let word = rest.first().map(String::as_str);
    match verb(group, word) {
        Some(verb) => Some(with(&[group.name, verb.name], rest.get(1..).unwrap_or_default())),
        None => verb(group, Some("list")).map(|list| with(&[group.name, list.name], rest)),
    }
}

/// A verb without its group, which several groups may have: those of accounts first.
fn named(first: &str, rest: &[String]) -> Vec<Vec<String>> {
    let all = groups().filter_map(|group| Some((group, verb(group, Some(first))?)));
    all.map(|(group, verb)| with(&[group.name, verb.name], rest)).collect()
}

/// A command with what was typed in its place.
fn filled_in(command: &str, rest: &[String]) -> Vec<String> {
    command
        .split(' ')
        .flat_map(|word| if word == REST { rest.to_vec() } else { vec![word.to_owned()] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        operators::Rank,
        pipeline::inbound::understand::{Understood, understand},
        reply::Layout,
    };

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn lines(line: &str) -> String {
        meant(&words(line)).iter().map(|words| words.join(" ")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_synonym_stands_for_commands_and_is_none_itself() {
        let about = |command: &str| match command.split(' ').next() {
            Some("room" | "history") => "!abc:x.org",
            Some("media") if command.contains("purge") => "--before=30d",
            Some("media") => "mxc://x.org/abc",
            Some("confirm" | "cancel") => "4821",
            Some("help") => "user",
            _ => "@eve:x.org",
        };
        let mut seen = std::collections::BTreeSet::new();
        for (names, commands) in SYNONYMS {
            assert!((1..=MOST).contains(&commands.len()), "{names:?}");
            for name in *names {
                assert!(!is_first_word(name), "{name} begins commands");
                assert!(seen.insert(name), "{name} twice");
            }
            for command in *commands {
                let filled = filled_in(command, &[about(command).to_owned()]);
                assert!(fits(&filled), "{command}");
            }
        }
    }

    #[test]
    fn a_verb_without_its_group_is_the_whole_command() {
        for (typed, meant) in [
            ("suspend eve", "user suspend eve"),
            ("userlist", "user list"),
            ("user.suspend eve", "user suspend eve"),
            ("lock eve --for 3d", "user lock eve --for 3d"),
            ("whois eve", "user whois eve"),
            ("devices eve", "device list eve"),
            ("rooms", "room list"),
            ("rooms details #a:x.org", "room details #a:x.org"),
            ("users", "user list"),
            ("reports", "report list"),
            ("erase eve", "user deactivate eve --gdpr-erase"),
            ("ban eve", "user suspend eve; user lock eve; user deactivate eve"),
            ("ban #a:x.org", "room block #a:x.org"),
            (
                "block @eve:x.org",
                "user suspend @eve:x.org; user lock @eve:x.org; user deactivate @eve:x.org",
            ),
            ("kick @eve:x.org", "user suspend @eve:x.org; user logout @eve:x.org"),
            ("quarantine mxc://x.org/a", "media quarantine mxc://x.org/a"),
            ("whoami", "me"),
            ("yes 4821", "confirm 4821"),
        ] {
            assert_eq!(lines(typed), meant, "{typed}");
        }
        assert!(lines("purge !abc:x.org").starts_with("history purge !abc:x.org"));
        assert!(lines("details !abc:x.org").starts_with("room details !abc:x.org"));
        assert!(lines("delete #a:x.org").starts_with("room delete #a:x.org"));
        assert_eq!(lines("frobnicate all"), "");
    }

    #[test]
    fn what_is_offered_is_understood_and_within_the_role() {
        let told = |line: &str, rank: Rank| {
            let role: std::sync::Arc<Role> = rank.into();
            unclear(&words(line), &role).map(|reply: Reply| reply.markdown(&Layout::default()))
        };
        let moderator = told("ban eve", Rank::Moderator).unwrap();
        assert!(moderator.contains("`!user suspend eve`"), "{moderator}");
        assert!(moderator.contains("`!user deactivate eve`"), "{moderator}");
        assert_eq!(told("ban eve", Rank::Viewer), None, "nothing that a viewer may send");
        assert_eq!(told("user ban eve", Rank::Admin), None, "a group has its own answer");
        for line in ["suspend eve", "ban eve", "kick eve", "rooms", "devices eve", "find eve"] {
            for words in meant(&words(line)) {
                assert!(!matches!(understand(&words), Understood::Reply(_)), "{words:?}");
            }
        }
    }
}
