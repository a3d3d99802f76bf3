//! Commands that do not begin with their exclamation mark: behind the sign that begins those of other
//! programs, behind the word for it that a phone has heard, in brackets, or said to the bot by name.
//!
//! None of them is run, since people talk about commands too; whoever meant one is told.

use crate::input::{
    Ears,
    characters::{BANG_SIGNS, BANGS, OTHER_SIGNS},
    message::{Head, Style, trim},
};

/// What a phone writes of an exclamation mark that it is told.
const SPOKEN: [&str; 3] = ["exclamation mark ", "exclamation point ", "bang "];

/// The most characters before an exclamation mark that may be put there with it.
const MOST_BEFORE: usize = 4;

/// The command, without its sign, that a line is meant for which is none. `addressed` says whether it was
/// said to the bot.
pub(super) fn meant<'a>(line: &'a str, addressed: bool, ears: Ears<'_>) -> Option<&'a str> {
    let Ears { prefix, is_group, .. } = ears;
    let begins = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let word = text.get(..end).unwrap_or_default().to_lowercase();
        let behind = text.get(end..).unwrap_or_default();
        is_group(&word) && (behind.is_empty() || behind.starts_with(char::is_whitespace))
    };
    let is_known = |text: &str| matches!(Head::of(text, Style::Typed, ears), Head::Known(..));
    let spoken = SPOKEN.iter().find_map(|spoken| {
        let (said, rest) = line.split_at_checked(spoken.len())?;
        said.eq_ignore_ascii_case(spoken).then(|| trim(rest))
    });
    let emoji = line.strip_prefix(BANG_SIGNS).map(|rest| rest.trim_start_matches('\u{FE0F}'));
    let signed = line.strip_prefix(OTHER_SIGNS);
    let all = [spoken, emoji, signed].into_iter().flatten();
    // With a prefix of its own it is one of several bots, and what begins otherwise is for another.
    if let Some(command) = all.filter(|_| prefix.is_usual()).find(|text| begins(text)) {
        return Some(command);
    }
    let (before, behind) = prefix.split_once(line).unwrap_or((line, ""));
    let command = line.get(before.len()..).unwrap_or_default();
    let is_decoration = before.chars().count() <= MOST_BEFORE
        && !before.chars().any(|c| c.is_alphanumeric() || "@#$>=".contains(c))
        && (prefix.is_usual() || !before.contains(OTHER_SIGNS) && !before.contains(BANGS));
    let closing = [')', ']', '}', '|'];
    let inside = |text: &'a str| prefix.strip_again(text.trim_end_matches(closing));
    if is_decoration && is_known(command.trim_end_matches(closing)) {
        return Some(inside(behind));
    }
    if addressed && begins(line) {
        return Some(line);
    }
    (addressed && is_known(command)).then(|| prefix.strip_again(behind))
}
