//! Passwords that were typed where none is looked for.
//!
//! A secret that stands where a verb takes one is kept out of everything. One that stands elsewhere
//! is a word like others to whoever says what was wrong. So wherever a line is not understood, and
//! the verb in it, or the one that it comes nearest, takes a secret, whatever has no place of its
//! own is taken for one: nothing of that line is repeated, and it does not stay in the room.

use std::{any::TypeId, collections::BTreeMap, sync::LazyLock};

use clap::{Arg, Command, error::ContextKind};
use ruma::UserId;
use secrecy::SecretString;

use crate::{
    commands::{GROUPS, Group, Spec},
    input::Prefix,
    pipeline::{
        inbound::understand::{
            ROOT,
            complaint::{SKIPPERS, whole_context},
            help::words_of,
            is_first_word, ungrouped,
        },
        own::OWN,
    },
    reply::{Line, Reply, Status},
};

/// The verb that may have been meant with a line that may hold a secret.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct Meant {
    group: &'static Group,
    verb: &'static Spec,
}

/// What may have been meant with words that are not run, where they, or the lines below them, may
/// hold a secret.
pub(in crate::pipeline) fn meant(words: &[String], lines: &[String]) -> Option<Meant> {
    let apart: Vec<String>;
    let words = match words {
        [first, rest @ ..] if first == "help" => rest,
        // What an alias is to stand for, in one word or in several.
        [first, add, _, rest @ ..] if first == "alias" && add == "add" => {
            apart = rest.iter().flat_map(|word| word.split_whitespace()).map(bare_word).collect();
            &apart
        }
        words => words,
    };
    let (first, rest) = words.split_first()?;
    if OWN.iter().any(|own| own.name == first) {
        return None;
    }
    if let Some(group) = GROUPS.iter().find(|group| group.name == first) {
        return in_group(group, rest, lines, true).or_else(|| by_option(rest));
    }
    if let Some(found) = ungrouped::candidates(words).iter().find_map(|one| meant(one, lines)) {
        return Some(found);
    }
    // The group was mistyped, or left out. A secret has something before it.
    if words.len() < 3 && lines.is_empty() {
        return by_option(words);
    }
    let near = near(first, GROUPS.iter().map(|group| group.name));
    let found = GROUPS.iter().find_map(|group| {
        let sure = near.iter().any(|name| name == group.name);
        in_group(group, rest, lines, sure).or_else(|| in_group(group, words, lines, false))
    });
    found.or_else(|| by_option(words))
}

/// The same of a message that could not even be taken apart into words.
pub(in crate::pipeline) fn meant_in_text(text: &str, prefix: &Prefix) -> Option<Meant> {
    let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.iter().enumerate().find_map(|(place, line)| {
        // What may stand before a command, a mention of the bot among it.
        let before = |(at, _): &(usize, &str)| {
            line.get(..*at).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
        };
        let signed = line.match_indices(['!', '\u{FF01}']).find(before);
        let signed = signed.and_then(|(at, bang)| line.get(at + bang.len()..));
        let found = |command: &str| {
            let bare = |word| bare_word(prefix.without(word));
            let mut words: Vec<String> = command.split_whitespace().map(bare).collect();
            words.iter_mut().take(2).for_each(|word| word.make_ascii_lowercase());
            meant(&words, lines.get(place + 1..).unwrap_or_default())
        };
        if !prefix.is_usual()
            && let Some(meant) = prefix.behind(line).or_else(|| unsigned(line)).and_then(found)
        {
            return Some(meant);
        }
        // With another sign, or none.
        signed.or_else(|| unsigned(line)).and_then(found)
    })
}

/// A word without quotation marks around it, or the sign before it.
fn bare_word(word: &str) -> String {
    word.trim_start_matches('!').trim_matches(['"', '\'', '`', '“', '”', '„']).to_owned()
}

/// A line from the first word on that begins commands, whatever sign stands before that.
fn unsigned(line: &str) -> Option<&str> {
    let begins = line.char_indices().filter(|&(at, c)| {
        let before = line.get(..at).unwrap_or_default();
        c.is_alphabetic() && !before.ends_with(char::is_alphabetic)
    });
    let mut lines = begins.filter_map(|(at, _)| line.get(at..));
    lines.find(|rest| {
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        rest.get(..end).is_some_and(|word| is_first_word(&word.to_ascii_lowercase()))
    })
}

/// The answer to a line that may hold a secret. `removed` says whether it is out of the room.
pub(in crate::pipeline) fn told(meant: Meant, removed: bool) -> Reply {
    let line = Line::from(
        "that may hold a password in a place where I look for none, so nothing of it was done and I \
         repeat nothing of it. ",
    )
    .plain(if removed {
        "I removed your message; treat the password as leaked: everybody in the room could read \
         it"
    } else {
        "I could not remove your message: remove it yourself, and treat the password as leaked"
    });
    let example = meant.verb.examples.first().copied().unwrap_or_default();
    let named = meant.group.words(meant.verb);
    let about = std::iter::once("help").chain(named.split(' ')).map(str::to_owned).collect();
    Reply::outcome(Status::Refused, line)
        .command("The right way, such as", words_of(example))
        .command("What it takes", about)
}

/// The verb of a group that may be meant. Unless the group is `sure`, a verb must be near.
fn in_group(
    group: &'static Group,
    words: &[String],
    lines: &[String],
    sure: bool,
) -> Option<Meant> {
    let of_group = TAKERS.iter().filter(|(meant, _)| meant.group.name == group.name);
    let takers: Vec<&(Meant, Command)> = of_group.collect();
    if takers.is_empty() {
        return None;
    }
    let found = |verb: &'static Spec, words: &[String]| {
        let (meant, command) = takers.iter().find(|(meant, _)| meant.verb.name == verb.name)?;
        holds(command, words, lines).then_some(*meant)
    };
    if let Some(verb) = group.alone() {
        return found(verb, words).filter(|_| sure);
    }
    let (typed, rest) = words.split_first()?;
    if let Some(verb) = super::verb(group, Some(typed)) {
        return found(verb, rest);
    }
    let near = near(typed, group.verbs.iter().map(|verb| verb.name));
    let mut verbs = group.verbs.iter();
    if near.is_empty() {
        // It may be meant for any.
        return verbs.find_map(|verb| found(verb, rest)).filter(|_| sure);
    }
    let mut verbs = verbs.filter(|verb| near.iter().any(|name| name == verb.name));
    verbs.find_map(|verb| found(verb, rest))
}

/// Those of the names that may be meant by what was typed, as clap has it.
pub(super) fn near(typed: &str, names: impl Iterator<Item = &'static str>) -> Vec<String> {
    let names = names.filter(|name| !name.is_empty());
    let all = names.fold(Command::new("!").no_binary_name(true), |all, name| {
        all.subcommand(Command::new(name))
    });
    let all = all.subcommand_required(true).disable_help_subcommand(true);
    match all.try_get_matches_from([typed]) {
        Ok(_) => vec![typed.to_owned()],
        Err(error) => {
            let near = whole_context(&error, ContextKind::SuggestedSubcommand);
            near.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
    }
}

/// Whether the verb of these words takes a secret.
pub(super) fn takes_secret(words: &[String]) -> bool {
    TAKERS.iter().any(|(meant, _)| {
        let name = meant.group.words(meant.verb);
        let name: Vec<&str> = name.split(' ').collect();
        words.iter().map(String::as_str).take(name.len()).eq(name)
    })
}

pub(super) fn is_secret(argument: &Arg) -> bool {
    argument.get_value_parser().type_id() == TypeId::of::<SecretString>()
}

/// Every verb that takes a secret, with its command. Built once, since whoever floods the room has
/// each of their messages compared with them.
static TAKERS: LazyLock<Vec<(Meant, Command)>> = LazyLock::new(|| {
    let all = GROUPS.iter().flat_map(|group| group.verbs.iter().map(move |verb| (group, verb)));
    let all = all.map(|(group, verb)| (Meant { group, verb }, verb.command()));
    all.filter(|(_, command)| command.get_arguments().any(is_secret)).collect()
});

/// Whether something in these words, or in the lines below them, has no place of its own in this
/// command, or stands in that of a secret.
fn holds(command: &Command, words: &[String], lines: &[String]) -> bool {
    let is_id = |word: &str| UserId::parse(word).is_ok();
    let mut lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    if lines.any(|line| !is_id(line)) {
        return true;
    }
    let places = command.get_arguments().filter(|argument| argument.is_positional()).count();
    let (mut ids, mut others) = (0, 0);
    let mut options = true;
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if options && word == "--" {
            options = false;
        } else if options && word.len() > 1 && word.starts_with('-') {
            let next = words.peek().is_some_and(|next| !next.starts_with('-'));
            match option(command, word) {
                Typed::Suspect => return true,
                Typed::Secret { attached } if attached || next => return true,
                Typed::Takes(values) => words.by_ref().take(values).for_each(drop),
                Typed::Secret { .. } | Typed::Harmless => {}
            }
        } else if is_id(word) {
            ids += 1;
        } else {
            others += 1;
        }
    }
    others > places.saturating_sub(ids)
}

/// What a word that begins with a hyphen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typed {
    /// The option of a secret, or what looks like it, perhaps with the secret in the same word.
    Secret { attached: bool },
    /// An option that takes so many of the words behind it.
    Takes(usize),
    /// An option, or a slip of one, that holds nothing.
    Harmless,
    /// Perhaps a secret itself.
    Suspect,
}

impl Typed {
    fn of(argument: &Arg, attached: bool) -> Self {
        if is_secret(argument) {
            return Self::Secret { attached };
        }
        let takes = argument.get_action().takes_values() && !attached;
        let values = argument.get_num_args().map_or(1, |values| values.min_values());
        if takes { Self::Takes(values) } else { Self::Harmless }
    }
}

fn option(command: &Command, word: &str) -> Typed {
    let Some(long) = word.strip_prefix("--") else { return short(command, word) };
    let (name, attached) = match long.split_once(['=', ':']) {
        Some((name, _)) => (name, true),
        None => (long, false),
    };
    let named = |name: &str| command.get_arguments().find(|one| one.get_long() == Some(name));
    if let Some(argument) = named(name) {
        return Typed::of(argument, attached);
    }
    if let Some(values) = LONG.get(name) {
        return if attached { Typed::Suspect } else { Typed::Takes(*values) };
    }
    if SKIPPERS.contains(&word) {
        return Typed::Harmless;
    }
    let near = near_options(command, name);
    if attached || near.is_empty() {
        Typed::Suspect
    } else if near.iter().filter_map(|name| named(name)).any(is_secret) {
        Typed::Secret { attached }
    } else {
        Typed::Harmless
    }
}

/// The names of those of its options that may be meant by a name that is none of them.
fn near_options(command: &Command, name: &str) -> Vec<String> {
    let command = command.clone().no_binary_name(true);
    let Err(error) = command.try_get_matches_from([format!("--{name}")]) else { return Vec::new() };
    let near = whole_context(&error, ContextKind::SuggestedArg);
    let names = near.split(", ").filter_map(|name| name.strip_prefix("--"));
    names.map(str::to_owned).collect()
}

/// A word of short options, the last of which may hold its value.
fn short(command: &Command, word: &str) -> Typed {
    // A long one behind one hyphen, which is told as that.
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default().to_lowercase();
    if let Some(values) =
        LONG.get(&name).filter(|_| name.chars().count() > 1 && !word.contains('='))
    {
        return Typed::Takes(*values);
    }
    let mut letters = word.chars().skip(1);
    let alone = word.chars().count() == 2;
    while let Some(letter) = letters.next() {
        let argument = command.get_arguments().find(|one| one.get_short() == Some(letter));
        let Some(argument) = argument else {
            return if alone { Typed::Harmless } else { Typed::Suspect };
        };
        if argument.get_action().takes_values() {
            return Typed::of(argument, letters.next().is_some());
        }
    }
    Typed::Harmless
}

/// The name of every long option that there is, and how many words it takes: what is none of this
/// verb is still no secret.
static LONG: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
    fn walk(command: &Command, found: &mut BTreeMap<String, usize>) {
        for argument in command.get_arguments() {
            let values = match Typed::of(argument, false) {
                Typed::Takes(values) => values,
                Typed::Harmless => 0,
                Typed::Secret { .. } | Typed::Suspect => continue,
            };
            found.extend(argument.get_long().map(|name| (name.to_owned(), values)));
        }
        command.get_subcommands().for_each(|below| walk(below, found));
    }
    let mut found = BTreeMap::from([("help".to_owned(), 0)]);
    walk(&ROOT, &mut found);
    found
});

/// The long options of secrets, each with a verb that has it.
static SECRET: LazyLock<BTreeMap<String, Meant>> = LazyLock::new(|| {
    let mut found = BTreeMap::new();
    for (meant, command) in TAKERS.iter() {
        let secrets = command.get_arguments().filter(|argument| is_secret(argument));
        for name in secrets.filter_map(Arg::get_long).filter(|name| !LONG.contains_key(*name)) {
            found.entry(name.to_owned()).or_insert(*meant);
        }
    }
    found
});

/// The verb that has the option of a secret, where one was typed with a value, whatever the verb.
fn by_option(words: &[String]) -> Option<Meant> {
    words.iter().enumerate().find_map(|(place, word)| {
        let name = word.strip_prefix("--")?;
        match name.split_once('=') {
            Some((name, _)) => SECRET.get(name).copied(),
            None => words.get(place + 1).and_then(|_| SECRET.get(name)).copied(),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::pipeline::inbound::understand::misplaced::*;

    /// Whether a message that is not run is taken for one that may hold a secret.
    fn suspected(text: &str) -> bool {
        let (line, below) = text.split_once('\n').unwrap_or((text, ""));
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let lines: Vec<String> = below.lines().map(str::to_owned).collect();
        meant(&words, &lines).is_some()
    }

    #[test]
    fn a_secret_is_suspected_wherever_it_stands() {
        for text in [
            "user modify eve -p hunter2",
            "user password eve hunter2",
            "user password hunter2 @eve:x.test",
            "user password @eve:x.test hunter2 --no-logout",
            "user register foo hunter4",
            "user password eve --pasword x",
            "user password --pasword x",
            "user password eve --pasword=x",
            "user password eve --secret=x",
            "user password eve --hunter2",
            "user password eve --password:hunter2",
            "user.password eve hunter2",
            "userpassword eve hunter2",
            "user password eve because hunter2",
            "user password eve -P=hunter2",
            "user password eve -Phunter2",
            "user password eve -nphunter2",
            "user password eve -password hunter2",
            "user password eve -plan=hunter2",
            "user password eve -p hunter2 --bogus",
            "user password eve --bogus -p hunter2",
            "user password eve --display-name=hunter2",
            "user password eve\nhunter2",
            "user password\neve\nhunter2",
            "user password\n@eve:x.test\nhunter2",
            "user passwrd eve hunter2",
            "user pw eve hunter2",
            "user registr foo hunter4",
            "usr password eve hunter2",
            "usr passwrd eve hunter2",
            "password eve hunter2",
            "help user passwrd eve hunter2",
            "user password eve hunter2 --help",
            "user modify eve --threepid email a@b.c hunter2",
            "raw PUT v2/users/@eve:x.test {password:hunter2}",
            "raw v2/users/@eve:x.test -m putt -d {\"password\":\"hunter2\"}",
            "user login eve --password hunter2",
            "room details !x:x.test --password=hunter2",
            "matrix raw client/v3/login -t hunter2 --bogus",
            "alias add pass user password eve hunter2",
            "passwd eve hunter2",
            "adduser foo hunter4",
        ] {
            assert!(suspected(text), "{text}");
        }
        for text in [
            "!user password eve \"hunter2",
            "hello\n`!usr password eve hunter2`",
            "- ！user password eve hunter2",
            "**!user** password eve hunter2",
            "@synod:x.test !user password eve \"hunter2",
            "/user password eve hunter2",
            "1user password eve hunter2",
            "(!user password eve hunter2)",
            "synod: user password eve hunter2",
            "exclamation mark user password eve hunter2",
        ] {
            assert!(meant_in_text(text, &Prefix::default()).is_some(), "{text}");
        }
    }

    #[test]
    fn an_ordinary_slip_is_told_as_it_is() {
        for text in [
            "user suspnd eve spam",
            "user suspend eve --reson spam",
            "user password",
            "user password eve --no-logot",
            "user password eve --yes",
            "user password eve --plan --for 3d",
            "user password eve -plan",
            "regtok new --token welcome --bogus",
            "user password @eve:x.test @sam:x.test",
            "user password\n@eve:x.test\n@sam:x.test",
            "user modify eve --display-name Eve --bogu",
            "user modify eve --threepid email",
            "user details eve now",
            "usr suspend eve spam",
            "room delete !x:x.test --blok",
            "room password x y",
            "frobnicate all of it",
            "help user password",
            "note @eve:x.test password hunter2",
            "raw v1/rooms",
        ] {
            let text = text.replace("--bogu", "--display-nam");
            assert!(!suspected(&text), "{text}");
        }
        assert!(meant_in_text("!user suspend \"eve", &Prefix::default()).is_none());
    }

    #[test]
    fn nothing_of_it_is_repeated_and_the_right_way_is_shown() {
        let words = ["user", "pasword", "eve", "hunter2"].map(str::to_owned);
        let reply = told(meant(&words, &[]).unwrap(), true);
        let said = reply.markdown(&crate::reply::Layout::default());
        assert!(!said.contains("hunter2") && !said.contains("eve "), "{said}");
        assert!(said.contains("!user password @ann:example.org"), "{said}");
        let modify = ["user", "modify", "eve", "-p", "hunter2", "--bogus"].map(str::to_owned);
        let said = told(meant(&modify, &[]).unwrap(), true);
        let said = said.markdown(&crate::reply::Layout::default());
        assert!(said.contains("!user modify @ann:example.org -n \"Ann Lee\""), "{said}");
        let kept = told(meant(&words, &[]).unwrap(), false);
        let said = kept.markdown(&crate::reply::Layout::default());
        assert!(said.contains("remove it yourself"), "{said}");
    }

    proptest! {
        /// Wherever one more word stands in a line of a verb that takes a secret, it is suspected,
        /// or the line is understood.
        #[test]
        fn one_word_too_many_is_suspected(
            secret in "[A-Za-z0-9!$%+]{6,12}[0-9]", place in 0_usize..4, verb in 0_usize..3,
        ) {
            let verb = ["password", "modify", "register"][verb];
            let mut words = ["user", verb, "@eve:x.test", "--plan"].map(str::to_owned).to_vec();
            words.insert((place + 2).min(words.len()), secret);
            prop_assert!(meant(&words, &[]).is_some(), "{words:?}");
        }
    }
}
