//! Bare answers to a question, and what somebody may have meant for one.

use super::{Heard, Reason};
use crate::{refs, unicode};

const YES: [&str; 8] = ["yes", "y", "ok", "okay", "\u{2705}", "\u{2714}", "\u{2611}", "\u{1F44D}"];

const NO: [&str; 5] = ["no", "n", "\u{274C}", "\u{2716}", "\u{1F44E}"];

/// What people answer with where nobody has told them how, in some languages.
const ALMOST: [&str; 37] = [
    "yep",
    "yeah",
    "yup",
    "sure",
    "aye",
    "yess",
    "confirm",
    "confirmed",
    "approve",
    "approved",
    "agreed",
    "go",
    "proceed",
    "do",
    "please",
    "ja",
    "jep",
    "oui",
    "si",
    "sí",
    "да",
    "tak",
    "hai",
    "sim",
    "evet",
    "はい",
    "是",
    "네",
    "nope",
    "nah",
    "nein",
    "non",
    "нет",
    "cancel",
    "deny",
    "abort",
    "stop",
];

/// The most words of an answer; more of them are talk.
const MOST_WORDS: usize = 3;

/// Reads a line that is no command. A question mark makes it no answer.
pub(super) fn heard(line: &str) -> Heard {
    let said: String = line
        .chars()
        .filter(|&c| !unicode::is_unseen(c) && !matches!(c, '\u{1F3FB}'..='\u{1F3FF}'))
        .map(refs::narrow)
        .collect();
    let said = said.trim().trim_matches(['*', '_', '`']).to_lowercase();
    let bare = said.trim_end_matches(['.', ',', '!', '\u{3002}']).trim_end();
    if YES.contains(&bare) {
        Heard::Yes
    } else if NO.contains(&bare) {
        Heard::No
    } else if is_almost(&said) {
        Heard::Nothing(Reason::Answer)
    } else {
        Heard::Nothing(Reason::Talk)
    }
}

/// Whether this may be meant for an answer: by its first word, or as the code of a question.
fn is_almost(said: &str) -> bool {
    let mut words = said
        .split(|c: char| c.is_whitespace() || c == ',')
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c.is_ascii()))
        .filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return false };
    let is_code = |word: &str| word.len() >= 4 && word.chars().all(|c| c.is_ascii_digit());
    let is_word = matches!(said, "+1" | "-1")
        || [&YES[..], &NO, &ALMOST].iter().any(|words| words.contains(&first));
    let rest = words.count();
    rest < MOST_WORDS && (is_word || rest == 0 && is_code(first))
}
