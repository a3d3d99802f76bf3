//! Commands that are written otherwise than they are: in one word, without their group, with a colon
//! for a space, with an option in capitals or behind one hyphen.

use clap::error::{ContextKind, ErrorKind};

use crate::{
    commands::GROUPS,
    pipeline::inbound::understand::{complaint::whole_context, unquoted::Verb, verb},
    reply::{Line, Reply, Status},
};

/// The command that was meant with a first word that begins none: `userdetails`, `user.details`,
/// `suspend`, `yes`.
pub(super) fn respelled(words: &[String]) -> Option<Vec<String>> {
    let (first, rest) = words.split_first()?;
    let whole = |head: &[&str]| {
        let head = head.iter().map(|word| (*word).to_owned());
        head.chain(rest.iter().cloned()).collect::<Vec<_>>()
    };
    match first.as_str() {
        "yes" | "y" | "ok" | "okay" => return Some(whole(&["confirm"])),
        "no" | "n" => return Some(whole(&["cancel"])),
        _ => {}
    }
    let groups = || GROUPS.iter().filter(|group| group.alone().is_none());
    let joined = groups().find_map(|group| {
        let behind = first.strip_prefix(group.name)?;
        let name = behind.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        verb(group, Some(name)).map(|verb| whole(&[group.name, verb.name]))
    });
    if joined.is_some() {
        return joined;
    }
    let named: Vec<&str> = groups()
        .filter(|group| verb(group, Some(first)).is_some())
        .map(|group| group.name)
        .collect();
    // What it is about says which of several groups is meant.
    let about = rest.iter().find_map(|word| match word.chars().next()? {
        '!' | '#' => Some("room"),
        '@' => Some("user"),
        '$' => Some("event"),
        _ if word.starts_with("mxc://") => Some("media"),
        _ => None,
    });
    let group = about
        .filter(|group| named.contains(group))
        .or_else(|| named.iter().copied().find(|group| *group == "user"))
        .or_else(|| named.first().copied())?;
    Some(whole(&[group, first]))
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
    for word in words.iter_mut().take_while(|word| *word != "--") {
        let Some(long) = word.strip_prefix("--") else { continue };
        let name = long.split('=').next().unwrap_or_default();
        let small = name.to_lowercase();
        if verb.long(name).is_none() && verb.long(&small).is_some() {
            *word = format!("--{small}{}", long.get(name.len()..).unwrap_or_default());
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
            spelling::{in_small_letters, method_as_option, one_hyphen},
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
