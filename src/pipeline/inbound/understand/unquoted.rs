//! Values of several words that were typed without quotation marks.
//!
//! Clap takes one word as the value of an option, and whatever follows as somebody whom the command
//! is about. So `--for 3 days` would end nothing and be about `@days`. A time that can be nothing
//! else is taken as one word; where a word may belong to a value or stand for somebody, the line is
//! not run, and the answer says what to type.

use std::any::TypeId;

use clap::{Arg, Command};

use crate::{
    commands::arguments::{Lasting, Moment, Since},
    pipeline::inbound::understand::{ROOT, misplaced::is_secret},
    refs::is_signed,
    reply::{Line, Reply, Status},
};

mod sentence;

/// The most words that one time is typed in: `1 day, 2 hours and ...` is somebody else's.
const MOST: usize = 6;

/// The arguments of the verb that the words begin with.
pub(super) struct Verb {
    arguments: Vec<&'static Arg>,
    /// Where the words behind its name begin.
    from: usize,
}

/// What a word behind the name of a verb is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// A word that is the value of no option.
    Place(usize),
    /// An option, and the word in which its value begins, with where in that word.
    Option(&'a Arg, Option<(usize, usize)>),
}

impl Verb {
    pub(super) fn of(words: &[String]) -> Option<Self> {
        let mut command: &'static Command = &ROOT;
        let (mut arguments, mut from) = (Vec::new(), 0);
        while let Some(below) = words.get(from).and_then(|word| command.find_subcommand(word)) {
            command = below;
            arguments.extend(command.get_arguments());
            from += 1;
        }
        (from > 0).then_some(Self { arguments, from })
    }

    pub(super) fn long(&self, name: &str) -> Option<&'static Arg> {
        self.arguments.iter().copied().find(|one| one.get_long() == Some(name))
    }

    /// Where the words behind its name begin.
    pub(super) fn begins(&self) -> usize {
        self.from
    }

    /// The option that a word is, and where in the word its value begins, if it does there.
    fn option(&self, word: &str) -> Option<(&'static Arg, Option<usize>)> {
        if let Some(long) = word.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or_default();
            let value = long.contains('=').then_some("--=".len() + name.len());
            return Some((self.long(name)?, value));
        }
        let mut letters = word.strip_prefix('-')?.chars();
        let letter = letters.next()?;
        let short = self.arguments.iter().copied().find(|one| one.get_short() == Some(letter))?;
        letters.as_str().is_empty().then_some((short, None))
    }

    /// The words behind its name as far as they are typed for it, without what follows `--`.
    pub(super) fn parts<'a>(&self, words: &'a [String]) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut at = self.from;
        while let Some(word) = words.get(at).filter(|word| *word != "--") {
            match self.option(word) {
                Some((option, Some(begins))) => {
                    parts.push(Part::Option(option, Some((at, begins))));
                }
                Some((option, None)) if option.get_action().takes_values() => {
                    at += 1;
                    parts.push(Part::Option(option, (at < words.len()).then_some((at, 0))));
                }
                Some((option, None)) => parts.push(Part::Option(option, None)),
                None if is_option(word) => {}
                None => parts.push(Part::Place(at)),
            }
            at += 1;
        }
        parts
    }

    /// Whether a word that is the value of no option may be a text.
    fn takes_text(&self) -> bool {
        self.arguments.iter().filter(|argument| argument.is_positional()).any(|argument| {
            argument.get_value_names().is_some_and(|names| names.iter().any(|name| name == "TEXT"))
        })
    }

    /// How many words it takes that are the value of no option; `None` where as many as one likes.
    fn places(&self) -> Option<usize> {
        let mut places = self.arguments.iter().filter(|argument| argument.is_positional());
        places.try_fold(0_usize, |sum, argument| {
            let most = argument.get_num_args().map_or(1, |values| values.max_values());
            let many =
                most == usize::MAX || matches!(argument.get_action(), clap::ArgAction::Append);
            (!many).then(|| sum.saturating_add(most))
        })
    }
}

fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// What reads the value of an argument, if that is a time.
fn reader(argument: &Arg) -> Option<fn(&str) -> bool> {
    let kind = argument.get_value_parser().type_id();
    if kind == TypeId::of::<Lasting>() {
        Some(|text| text.parse::<Lasting>().is_ok())
    } else if kind == TypeId::of::<Since>() {
        Some(|text| text.parse::<Since>().is_ok())
    } else if kind == TypeId::of::<Moment>() {
        Some(|text| text.parse::<Moment>().is_ok())
    } else {
        None
    }
}

/// How many of the words from `at` on are one time, the most that are. `begins` bytes of the first
/// do not belong to it.
fn length(words: &[String], (at, begins): (usize, usize), reads: fn(&str) -> bool) -> usize {
    let words = words.get(at..).unwrap_or_default();
    let mut text = String::new();
    let mut found = 0;
    for (n, word) in (1..=MOST).zip(words) {
        if n > 1 && is_option(word) {
            break;
        }
        let word = if n == 1 { word.get(begins..).unwrap_or_default() } else { word };
        text = if n == 1 { word.to_owned() } else { format!("{text} {word}") };
        if reads(&text) {
            found = n;
        }
    }
    found
}

/// The words with `many` of them from `at` on as one.
fn merged(words: &[String], at: usize, many: usize) -> Vec<String> {
    let (before, rest) = words.split_at_checked(at).unwrap_or((words, &[]));
    let (value, after) = rest.split_at_checked(many).unwrap_or((rest, &[]));
    [before, &[value.join(" ")], after].concat()
}

/// The words with each time of several that can be nothing else as one: that of `--for 3 days`.
pub(in crate::pipeline) fn joined(mut words: Vec<String>) -> Vec<String> {
    let Some(verb) = Verb::of(&words) else { return words };
    let mut done = 0;
    // Each round makes the line shorter, or ends it.
    while let Some(part) = verb.parts(&words).into_iter().nth(done) {
        done += 1;
        let Part::Option(option, Some(value)) = part else { continue };
        let Some(reads) = reader(option) else { continue };
        let alone = words.get(value.0).and_then(|word| word.get(value.1..));
        let many = length(&words, value, reads);
        if many > 1 && !alone.is_some_and(reads) {
            words = merged(&words, value.0, many);
        }
    }
    words
}

/// The answer to a line in which a word may belong to a value, or stand for somebody.
pub(in crate::pipeline) fn unclear(words: &[String]) -> Option<Reply> {
    let verb = Verb::of(words)?;
    let parts = verb.parts(words);
    let longer = parts.iter().find_map(|part| longer_time(words, *part));
    longer
        .or_else(|| parts.iter().find_map(|part| without_dashes(words, &verb, *part)))
        .or_else(|| sentence::unclear(words, &verb, &parts))
        .or_else(|| endless_reason(words, &verb, &parts))
}

/// `--for 1h 30min`, which could be one hour for two.
fn longer_time(words: &[String], part: Part<'_>) -> Option<Reply> {
    let Part::Option(option, Some(value)) = part else { return None };
    let many = length(words, value, reader(option)?);
    if many < 2 {
        return None;
    }
    let why = Line::new()
        .plain("it is not clear where the time behind ")
        .code(format!("--{}", option.get_long().unwrap_or_default()))
        .plain(" ends; put it in quotation marks, or write it as one word");
    Some(refusal(why).command("Did you mean", merged(words, value.0, many)))
}

/// `for 3d`, where a word that stands for somebody can stand.
fn without_dashes(words: &[String], verb: &Verb, part: Part<'_>) -> Option<Reply> {
    let Part::Place(at) = part else { return None };
    let word = words.get(at)?.to_lowercase();
    let reads: fn(&str) -> bool = match word.as_str() {
        "for" => |text| text.parse::<Lasting>().is_ok(),
        "until" => |text| text.parse::<Moment>().is_ok(),
        _ => return None,
    };
    // Of a look it may be what is searched for, and a text may hold anything.
    verb.long("plan")?;
    if verb.takes_text() {
        return None;
    }
    let many = length(words, (at + 1, 0), reads);
    if many == 0 {
        return None;
    }
    let time = words.get(at + 1..=at + many)?.join(" ");
    let typed = format!("{word} {time}");
    if verb.long(&word).is_none() {
        return Some(refusal(
            Line::new().plain("this does not end by itself, so it takes no ").code(typed),
        ));
    }
    let mut meant = merged(words, at + 1, many);
    *meant.get_mut(at)? = format!("--{word}");
    let why = Line::new()
        .plain("the time ")
        .code(typed)
        .plain(" is an option, which begins with two hyphens");
    Some(refusal(why).command("Did you mean", meant))
}

/// `--reason reported by anna`, which could be a reason of one word and two more accounts.
fn endless_reason(words: &[String], verb: &Verb, parts: &[Part<'_>]) -> Option<Reply> {
    let place = parts
        .iter()
        .position(|part| matches!(part, Part::Option(option, Some(_)) if is_reason(option)))?;
    let (before, behind) = parts.split_at_checked(place)?;
    let Some((Part::Option(option, Some((at, begins))), behind)) = behind.split_first() else {
        return None;
    };
    let value = words.get(*at)?.get(*begins..)?;
    // What holds a space stood in quotation marks.
    if value.contains(char::is_whitespace) {
        return None;
    }
    let run = behind.iter().take_while(|part| matches!(part, Part::Place(_))).count();
    let places = |parts: &[Part<'_>]| parts.iter().filter(|p| matches!(p, Part::Place(_))).count();
    let (first, all) = (places(before), places(parts));
    let fits = match verb.places() {
        Some(most) => all <= most,
        None if run == 0 => true,
        None if first > 0 => false,
        None => run == 1 || words.get(at + 1..=at + run)?.iter().all(|word| is_id(word)),
    };
    if run == 0 || fits {
        return None;
    }
    let name = format!("--{}", option.get_long()?);
    let why = Line::new()
        .plain("it is not clear where the text behind ")
        .code(&name)
        .plain(" ends; put it in quotation marks, behind those whom the command is about");
    let reply = refusal(why);
    // Before all of them, nobody knows which word is the first of them.
    Some(if first == 0 {
        reply
    } else {
        reply.command("Did you mean", merged(words, *at, run + 1))
    })
}

/// The answer to a line whose subjects stand in a list, below it or in what it replies to, where words
/// behind an unquoted text of it would be more of them: `--reason spam wave`.
pub(in crate::pipeline) fn unclear_before_list(words: &[String]) -> Option<Reply> {
    let verb = Verb::of(words)?;
    verb.long("plan")?;
    if verb.takes_text() {
        return None;
    }
    let parts = verb.parts(words);
    let place = |part: &Part<'_>| matches!(part, Part::Place(_));
    let begin = parts.iter().take_while(|part| !place(part)).count();
    let (Part::Option(option, Some((at, begins))), behind) =
        parts.get(begin.checked_sub(1)?..)?.split_first()?
    else {
        return None;
    };
    let value = words.get(*at)?.get(*begins..)?;
    let run = behind.iter().take_while(|part| place(part)).count();
    let named = words.get(at + 1..=at + run)?;
    if !is_free(option) || value.contains(char::is_whitespace) || named.iter().all(|w| is_id(w)) {
        return None;
    }
    let why = Line::new()
        .plain("it is not clear where the text behind ")
        .code(format!("--{}", option.get_long()?))
        .plain(" ends; put it in quotation marks, and send it with its list again");
    Some(refusal(why).command("Did you mean", merged(words, *at, run + 1)))
}

/// Whether the value of an option is a text of somebody's own, and no secret.
fn is_free(option: &Arg) -> bool {
    option.get_value_parser().type_id() == TypeId::of::<String>() && !is_secret(option)
}

fn is_reason(option: &Arg) -> bool {
    matches!(option.get_long(), Some("reason" | "alone"))
}

fn is_id(word: &str) -> bool {
    word.len() > 1 && is_signed(word)
}

/// The words with the value of the option before the word at `wrong`, which has no place, up to the
/// next option in one.
pub(super) fn quoted(words: &[String], wrong: usize) -> Option<Vec<String>> {
    let verb = Verb::of(words)?;
    let parts = verb.parts(words);
    let (option, at) = parts.iter().rev().find_map(|part| match part {
        Part::Option(option, Some((at, _))) if *at < wrong => Some((*option, *at)),
        _ => None,
    })?;
    let between = words.get(at + 1..)?;
    let run = between.iter().take_while(|word| !is_option(word)).count();
    (is_free(option) && at + run >= wrong).then(|| merged(words, at, run + 1))
}

pub(super) fn refusal(why: Line) -> Reply {
    Reply::outcome(Status::NotUnderstood, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        input::{Heard, hear},
        pipeline::inbound::understand::{
            Understood, complaint::complaint, is_first_word, parse, understand,
        },
        reply::Layout,
    };

    fn words(line: &str) -> Vec<String> {
        match hear(&format!("!{line}"), None, &is_first_word) {
            Heard::Command(command) => joined(command.words),
            other => panic!("{line} is not heard as a command: {other:?}"),
        }
    }

    fn told(reply: &Reply) -> String {
        reply.markdown(&Layout::default())
    }

    /// The command that an answer proposes, which must itself be understood.
    #[track_caller]
    fn proposed(line: &str) -> String {
        let reply = unclear(&words(line)).unwrap_or_else(|| panic!("{line} is run"));
        let told = told(&reply);
        let command = told.split("`!").nth(1).and_then(|rest| rest.split('`').next());
        let command = command.unwrap_or_else(|| panic!("{line}: nothing is proposed: {told}"));
        let again = words(command);
        assert!(unclear(&again).is_none(), "{command} is not clear either");
        assert!(!matches!(understand(&again), Understood::Reply(_)), "{command} does not work");
        command.to_owned()
    }

    #[test]
    fn a_time_of_several_words_is_one_where_it_can_be_nothing_else() {
        for (typed, understood) in [
            ("user suspend eve --for 3 days", "--for|3 days"),
            ("user suspend --for 2 weeks eve", "--for|2 weeks|eve"),
            ("user suspend eve --for=3 days --plan", "--for=3 days|--plan"),
            ("user lock eve --for 1 day 12 hours", "--for|1 day 12 hours"),
            ("room block #a:x.org --for 90 min", "--for|90 min"),
            ("sanction extend 17 --for 3 days", "--for|3 days"),
            ("audit list --since 2 weeks ago --limit 5", "--since|2 weeks ago|--limit|5"),
            ("user suspend eve --for 3d", "--for|3d"),
            ("user suspend eve --for \"3 days\" bob", "--for|3 days|bob"),
            ("user suspend eve --for soon bob", "--for|soon|bob"),
        ] {
            let words = words(typed).join("|");
            assert!(words.ends_with(understood), "{typed}: {words}");
            assert!(unclear(&words.split('|').map(str::to_owned).collect::<Vec<_>>()).is_none());
        }
    }

    #[test]
    fn a_time_that_could_be_somebody_is_asked_about() {
        for (typed, meant) in [
            ("user suspend eve --for 1h 30min", "user suspend eve --for \"1h 30min\""),
            (
                "user suspend eve --until 2026-12-01 10:00",
                "user suspend eve --until \"2026-12-01 10:00\"",
            ),
            ("user suspend eve for 3d", "user suspend eve --for 3d"),
            ("user suspend eve for 3 days", "user suspend eve --for \"3 days\""),
            ("user suspend eve bob FOR 3d --plan", "user suspend eve bob --for 3d --plan"),
            ("user suspend eve until 2026-12-01", "user suspend eve --until 2026-12-01"),
            ("room block #a:x.org for 2 weeks", "room block #a:x.org --for \"2 weeks\""),
            ("user suspend eve for a week", "user suspend eve --for \"a week\""),
            ("user suspend eve for three days", "user suspend eve --for \"three days\""),
            ("user suspend eve 3d", "user suspend eve --for 3d"),
        ] {
            assert_eq!(proposed(typed), meant, "{typed}");
        }
        let reply = unclear(&words("user deactivate eve for 3d")).unwrap();
        assert!(told(&reply).contains("does not end by itself"), "{}", told(&reply));
        for line in [
            "user search for 3d",
            "user suspend @for bob",
            "user suspend eve -- for 3d",
            "notice send eve We are down for 3 days",
        ] {
            assert!(unclear(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn nobody_is_made_of_the_words_of_a_reason() {
        for (typed, meant) in [
            (
                "user suspend eve --reason reported by anna",
                "user suspend eve --reason \"reported by anna\"",
            ),
            ("user lock eve --reason=spam bob", "user lock eve \"--reason=spam bob\""),
            (
                "user suspend eve --reason spam @bob:x.org --plan",
                "user suspend eve --reason \"spam @bob:x.org\" --plan",
            ),
            (
                "room block #a:x.org --reason bad place",
                "room block #a:x.org --reason \"bad place\"",
            ),
            ("undo 17 --reason wrong person", "undo 17 --reason \"wrong person\""),
            (
                "user deactivate eve --alone nobody is here",
                "user deactivate eve --alone \"nobody is here\"",
            ),
        ] {
            assert_eq!(proposed(typed), meant, "{typed}");
        }
        for line in ["user suspend --reason reported by anna", "user suspend --reason spam eve bob"]
        {
            let reply = unclear(&words(line)).unwrap();
            assert!(told(&reply).contains("quotation marks"), "{line}");
        }
        for line in [
            "user suspend eve --reason spam",
            "user suspend --reason spam eve",
            "user suspend --reason spam @eve:x.org @bob:x.org",
            "user suspend eve --reason \"reported by\" anna",
            "user suspend eve --reason spam --plan",
            "user suspend --reason spam -- eve bob",
            "device rename eve --reason old ABC Work",
            "note eve --reason is what he wrote",
        ] {
            assert!(unclear(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn nobody_is_added_to_a_list_by_the_words_of_a_reason() {
        for (typed, meant) in [
            ("user suspend --reason spam wave", "user suspend --reason \"spam wave\""),
            (
                "user suspend --plan --reason=spam by bots",
                "user suspend --plan \"--reason=spam by bots\"",
            ),
            ("user modify --display-name Ann Lee", "user modify --display-name \"Ann Lee\""),
            (
                "room block --reason bad #a:x.org place",
                "room block --reason \"bad #a:x.org place\"",
            ),
        ] {
            let reply = unclear_before_list(&words(typed)).unwrap_or_else(|| panic!("{typed}"));
            let told = told(&reply);
            assert!(told.contains(&format!("`!{meant}`")), "{typed}: {told}");
        }
        for line in [
            "user suspend --reason spam",
            "user suspend --reason \"spam wave\"",
            "user suspend --reason spam @eve:x.org",
            "user suspend eve --reason spam",
            "user suspend --for 3d eve",
            "user suspend eve",
            "user suspend",
            "user search --limit 5 eve",
            "notice send --reason spam eve hello",
        ] {
            assert!(unclear_before_list(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn nobody_is_made_of_the_words_of_a_sentence() {
        for (typed, meant) in [
            ("user suspend eve and bob", "user suspend eve bob"),
            ("user suspend eve & bob & sam --plan", "user suspend eve bob sam --plan"),
            ("user suspend @a:x.org und @b:x.org", "user suspend @a:x.org @b:x.org"),
            ("room block #a:x.org AND #b:x.org", "room block #a:x.org #b:x.org"),
            ("user suspend eve because he spams", "user suspend eve --reason \"he spams\""),
            ("user lock eve reason spam --plan", "user lock eve --reason spam --plan"),
            ("user suspend eve for spam", "user suspend eve --reason spam"),
            ("user suspend eve plan", "user suspend eve --plan"),
            ("device delete eve ABC and DEF", "device delete eve ABC DEF"),
            ("user deactivate eve bob Plan", "user deactivate eve bob --plan"),
        ] {
            assert_eq!(proposed(typed), meant, "{typed}");
        }
        for line in ["user suspend eve until friday", "user suspend eve until tomorrow"] {
            let reply = unclear(&words(line)).unwrap();
            assert!(told(&reply).contains("--until 2026-12-01"), "{line}");
        }
        for line in [
            "user suspend and",
            "user suspend eve @and @because @plan",
            "user suspend eve 3d4",
            "user search this and that",
            "notice send eve this and that because of the plan",
            "note eve he spams and spams",
            "user suspend eve -- and plan",
        ] {
            assert!(unclear(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn a_text_without_quotation_marks_is_proposed_with_them() {
        let words = words("user modify eve --display-name Ann Maria Lee --plan");
        let error = parse(&words).unwrap_err();
        let told = told(&complaint(&words, &error, None));
        let meant = "!user modify eve --display-name \"Ann Maria Lee\" --plan";
        assert!(told.contains(meant), "{told}");
    }
}
