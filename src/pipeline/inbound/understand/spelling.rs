//! Commands that are written otherwise than they are: with a full stop behind a word, with a colon for a
//! space, with an option in capitals or behind one hyphen.

use clap::{
    Arg,
    error::{ContextKind, ErrorKind},
};

use crate::{
    commands::{GROUPS, Group},
    pipeline::inbound::understand::{
        ROOT, complaint::whole_context, is_first_word, misplaced::near, ungrouped, unquoted::Verb,
        verb,
    },
    reply::{Line, Reply, Status},
};

/// The command that was meant with a first word that begins none, the likeliest of several.
pub(super) fn respelled(words: &[String]) -> Option<Vec<String>> {
    ungrouped::meant(words).into_iter().next()
}

/// The words with the verb in small letters: a phone capitalises, and people do. Where no verb is to stand,
/// such as behind an alias, an id may, in which capitals count.
pub(in crate::pipeline) fn verb_in_small_letters(mut words: Vec<String>) -> Vec<String> {
    let [first, second, ..] = words.as_mut_slice() else { return words };
    let small = second.to_ascii_lowercase();
    let takes_verb = |group: &Group| group.alone().is_none() && group.name == first;
    let is_named = ROOT.find_subcommand(first.as_str()).is_some_and(|of| {
        let value = of.get_positionals().next().map(Arg::get_possible_values).unwrap_or_default();
        of.find_subcommand(&small).is_some() || value.iter().any(|one| one.matches(&small, false))
    });
    let is_name = small.chars().all(|c| c.is_ascii_alphanumeric() || "-.,;:!?".contains(c));
    // What is near no verb may be what somebody wants to see.
    let is_meant = || {
        let group = GROUPS.iter().find(|group| takes_verb(group));
        group.is_some_and(|group| {
            let name = small.trim_end_matches(['.', ',', ';', ':', '!', '?']);
            !near(name, group.verbs.iter().map(|verb| verb.name)).is_empty()
        })
    };
    if is_named || is_name && (first == "help" || is_meant()) {
        *second = small;
    }
    words
}

/// The words without the comma or full stop behind the name of the group or the verb, which has none.
pub(in crate::pipeline) fn without_stops(mut words: Vec<String>) -> Vec<String> {
    let bare =
        |word: &str| word.trim_end_matches(['.', ',', ';', ':', '!', '?', '\u{3002}']).to_owned();
    if let Some(first) = words.first_mut() {
        let name = bare(first);
        if is_first_word(&name) {
            *first = name;
        }
    }
    let group = words.first().and_then(|first| GROUPS.iter().find(|group| group.name == first));
    if let (Some(group), Some(second)) = (group.filter(|g| g.alone().is_none()), words.get_mut(1)) {
        let name = bare(second);
        if verb(group, Some(&name)).is_some() {
            *second = name;
        }
    }
    words
}

/// The words with an option apart from what was typed for its value: `--reason:spam`, `--plan=yes`.
pub(super) fn separated(words: &[String], error: &clap::Error) -> Option<Vec<String>> {
    let verb = Verb::of(words)?;
    let at = match error.kind() {
        ErrorKind::UnknownArgument => {
            let wrong = whole_context(error, ContextKind::InvalidArg);
            words.iter().position(|word| *word == wrong)?
        }
        ErrorKind::TooManyValues => {
            words.iter().position(|word| word.starts_with("--") && word.contains('='))?
        }
        _ => return None,
    };
    let (name, value) = words.get(at)?.strip_prefix("--")?.split_once([':', '='])?;
    let option = verb.long(name)?;
    let takes = option.get_action().takes_values();
    let means_no = matches!(value.to_lowercase().as_str(), "no" | "false" | "off" | "0");
    let spelled: Vec<String> = match (takes, value) {
        (true, "") => return None,
        (true, value) => vec![format!("--{name}"), value.to_owned()],
        (false, _) if means_no => Vec::new(),
        (false, _) => vec![format!("--{name}")],
    };
    let (before, behind) = words.split_at_checked(at)?;
    Some([before, &spelled, behind.get(1..).unwrap_or_default()].concat())
}

/// The words with the name of each option in small letters, where only that makes it one.
pub(in crate::pipeline) fn in_small_letters(mut words: Vec<String>) -> Vec<String> {
    let Some(verb) = Verb::of(&words) else { return words };
    let mut options = words.iter_mut().take_while(|word| *word != "--");
    while let Some(word) = options.next() {
        let Some(long) = word.strip_prefix("--") else { continue };
        let (name, value) = long.split_at(long.find('=').unwrap_or(long.len()));
        let small = name.to_lowercase();
        let Some(option) = verb.long(name).or_else(|| verb.long(&small)) else { continue };
        // What follows may look like an option, and is its value.
        if value.is_empty() && option.get_action().takes_values() {
            options.next();
        }
        if verb.long(name).is_none() {
            *word = format!("--{small}{value}");
        }
    }
    words
}

/// The words of a request with its method as the option that it is: `raw GET v1/rooms` is how it is
/// written everywhere else.
pub(in crate::pipeline) fn method_as_option(mut words: Vec<String>) -> Vec<String> {
    let at = match words.as_slice() {
        [raw, ..] if raw == "raw" => 1,
        [matrix, raw, ..] if matrix == "matrix" && raw == "raw" => 2,
        _ => return words,
    };
    let [.., method, endpoint] = words.get(..at + 2).unwrap_or_default() else { return words };
    let method = method.to_ascii_lowercase();
    if METHODS.contains(&method.as_str()) && !endpoint.starts_with('-') {
        words.remove(at);
        words.insert(at + 1, method);
        words.insert(at + 1, "--method".to_owned());
    }
    words
}

/// The methods that a request can have.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// The answer to a long option behind one hyphen: `-plan` would be four short ones.
pub(in crate::pipeline) fn one_hyphen(words: &[String]) -> Option<Reply> {
    let verb = Verb::of(words)?;
    let (at, name, behind) =
        words.iter().take_while(|word| *word != "--").enumerate().find_map(|(at, word)| {
            let long = word.strip_prefix('-').filter(|long| !long.starts_with('-'))?;
            let name = long.split('=').next().unwrap_or_default();
            let is_long = name.chars().count() > 1 && verb.long(&name.to_lowercase()).is_some();
            is_long.then(|| (at, name, long.get(name.len()..).unwrap_or_default()))
        })?;
    let mut meant = words.to_vec();
    *meant.get_mut(at)? = format!("--{}{behind}", name.to_lowercase());
    let why = Line::new()
        .code(format!("-{name}"))
        .plain(" would be several short options; a long one begins with two hyphens");
    Some(Reply::outcome(Status::NotUnderstood, why).command("Did you mean", meant))
}

#[cfg(test)]
mod tests {
    use crate::{
        input::{Heard, hear},
        pipeline::inbound::understand::{
            complaint::complaint,
            is_first_word, parse,
            spelling::{
                in_small_letters, method_as_option, one_hyphen, verb_in_small_letters,
                without_stops,
            },
        },
        reply::{Layout, Reply},
    };

    fn words(line: &str) -> Vec<String> {
        match hear(&format!("!{line}"), None, &is_first_word) {
            Heard::Command(command) => command.words,
            other => panic!("{line} is not heard as a command: {other:?}"),
        }
    }

    fn told(reply: &Reply) -> String {
        reply.markdown(&Layout::default())
    }

    #[track_caller]
    fn refused(line: &str) -> String {
        let words = words(line);
        told(&complaint(&words, &parse(&words).unwrap_err(), None))
    }

    #[test]
    fn a_first_word_that_begins_none_is_answered_with_the_whole_command() {
        for (typed, meant) in [
            ("userdetails eve", "!user details eve"),
            ("user-details eve", "!user details eve"),
            ("user.suspend eve", "!user suspend eve"),
            ("room/block #a:x.org", "!room block #a:x.org"),
            ("suspend eve", "!user suspend eve"),
            ("deactivate @eve:x.org", "!user deactivate @eve:x.org"),
            ("details !abc:x.org", "!room details !abc:x.org"),
            ("details eve", "!user details eve"),
            ("quarantine mxc://x.org/abc", "!media quarantine mxc://x.org/abc"),
            ("block #a:x.org", "!room block #a:x.org"),
            ("yes 4821", "!confirm 4821"),
            ("ok", "!confirm"),
            ("no 4821", "!cancel 4821"),
        ] {
            let told = refused(typed);
            assert!(told.contains(&format!("`{meant}`")), "{typed}: {told}");
        }
    }

    #[test]
    fn a_verb_in_capitals_is_the_verb_and_an_id_keeps_them() {
        for (typed, meant) in [
            ("User Suspend Eve", "user suspend Eve"),
            ("user Suspnd Eve", "user suspnd Eve"),
            ("help User", "help user"),
            ("trust Accept @Ann:x.org k", "trust accept @Ann:x.org k"),
            ("audit List", "audit list"),
            ("regtok AbXyZ", "regtok AbXyZ"),
            ("room UBQ4", "room UBQ4"),
            ("note Eve spams", "note Eve spams"),
            ("freeze Moe", "freeze Moe"),
            ("spam Eve", "spam Eve"),
            ("raw V1/rooms", "raw V1/rooms"),
        ] {
            assert_eq!(verb_in_small_letters(words(typed)).join(" "), meant, "{typed}");
        }
    }

    #[test]
    fn a_full_stop_behind_the_name_of_a_command_is_not_part_of_it() {
        for (typed, meant) in [
            ("user list.", "user list"),
            ("user, list", "user list"),
            ("help?", "help"),
            ("user: suspend; eve,", "user suspend eve,"),
            ("stop!", "stop"),
            ("raw, v1/rooms.", "raw v1/rooms."),
            ("user lisst.", "user lisst."),
            ("usr. list", "usr. list"),
            ("help user.", "help user."),
        ] {
            assert_eq!(without_stops(words(typed)).join(" "), meant, "{typed}");
        }
    }

    #[test]
    fn an_option_with_its_value_attached_is_taken_apart() {
        for (typed, meant) in [
            ("user suspend eve --reason:spam", "!user suspend eve --reason spam"),
            ("user suspend eve --for:3d", "!user suspend eve --for 3d"),
            ("user suspend eve --plan=yes", "!user suspend eve --plan"),
            ("user suspend eve --plan=false", "!user suspend eve"),
            ("user suspend eve --plan:", "!user suspend eve --plan"),
        ] {
            let told = refused(typed);
            assert!(told.contains(&format!("`{meant}`")), "{typed}: {told}");
        }
    }

    #[test]
    fn an_option_in_capitals_is_the_option() {
        for (typed, meant) in [
            ("user suspend eve --PLAN", "user suspend eve --plan"),
            ("user suspend eve --Reason=SPAM --For 3d", "user suspend eve --reason=SPAM --for 3d"),
            ("user list --Limit 5", "user list --limit 5"),
            ("user suspend eve -- --PLAN", "user suspend eve -- --PLAN"),
            ("user suspend eve --Bogus", "user suspend eve --Bogus"),
            ("user suspend eve --reason --PLAN", "user suspend eve --reason --PLAN"),
        ] {
            assert_eq!(in_small_letters(words(typed)).join(" "), meant);
        }
    }

    #[test]
    fn a_long_option_behind_one_hyphen_is_never_several_short_ones() {
        for (typed, meant) in [
            ("user suspend eve -plan", "!user suspend eve --plan"),
            ("user modify eve -plan -n Eve", "!user modify eve --plan -n Eve"),
            ("user list -Limit 5", "!user list --limit 5"),
            ("user suspend eve -for=3d", "!user suspend eve --for=3d"),
        ] {
            let told = one_hyphen(&words(typed)).map(|reply| told(&reply)).unwrap_or_default();
            assert!(told.contains(&format!("`{meant}`")), "{typed}: {told}");
        }
        for typed in
            ["user list -l5", "user list -n Ann", "user suspend eve --plan", "user list -dl 5"]
        {
            assert!(one_hyphen(&words(typed)).is_none(), "{typed}");
        }
    }

    #[test]
    fn a_method_in_front_of_a_path_is_the_option() {
        let read = |text: &str| {
            let words = text.split(' ').map(str::to_owned).collect();
            method_as_option(words).join(" ")
        };
        for (typed, meant) in [
            ("raw GET v1/rooms", "raw v1/rooms --method get"),
            ("raw delete v1/rooms/!a -d {}", "raw v1/rooms/!a --method delete -d {}"),
            ("matrix raw Put client/v3/x", "matrix raw client/v3/x --method put"),
            ("raw v1/rooms", "raw v1/rooms"),
            ("raw get", "raw get"),
            ("raw get -m put", "raw get -m put"),
            ("raw patch v1/rooms", "raw patch v1/rooms"),
            ("matrix raw", "matrix raw"),
            ("user details get now", "user details get now"),
        ] {
            assert_eq!(read(typed), meant);
        }
        // What is one word too many there is still taken for a secret.
        let words = read("raw PUT v2/users/@eve:x.test hunter2");
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        assert!(parse(&words).is_err(), "{words:?}");
    }

    #[test]
    fn what_is_wrong_with_a_number_is_said_for_people() {
        for (typed, said) in [
            ("user list --limit 1,000", "a whole number in plain digits"),
            ("user list --limit 1k", "a whole number in plain digits"),
            ("user list --limit five", "a whole number in plain digits"),
            ("user list --limit 0", "it takes 1 to 1000"),
            ("user list --limit 5000", "it takes 1 to 1000"),
            ("user list --limit 99999999999999999999", "it is too large"),
        ] {
            let told = refused(typed);
            assert!(told.contains(said) && !told.contains("digit found"), "{typed}: {told}");
        }
    }
}
