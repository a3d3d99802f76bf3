//! Commands that do not begin with their exclamation mark: behind the sign that begins those of other
//! programs, behind the word for it that a phone has heard, in brackets, or said to the bot by name.
//!
//! None of them is run, since people talk about commands too; whoever meant one is told.

use crate::input::{
    characters::{BANG_SIGNS, BANGS, OTHER_SIGNS},
    message::{Head, Style, trim},
};

/// What a phone writes of an exclamation mark that it is told.
const SPOKEN: [&str; 3] = ["exclamation mark ", "exclamation point ", "bang "];

/// The most characters before an exclamation mark that may be put there with it.
const MOST_BEFORE: usize = 4;

/// Whether a line that is no command is meant for one. `addressed` says whether it was said to the bot.
pub(super) fn is_meant(line: &str, addressed: bool, is_group: &dyn Fn(&str) -> bool) -> bool {
    let begins = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let word = text.get(..end).unwrap_or_default().to_lowercase();
        let behind = text.get(end..).unwrap_or_default();
        is_group(&word) && (behind.is_empty() || behind.starts_with(char::is_whitespace))
    };
    let is_known = |text: &str| matches!(Head::of(text, Style::Typed, is_group), Head::Known(..));
    let lower = line.to_lowercase();
    let spoken = SPOKEN.iter().find_map(|spoken| lower.strip_prefix(spoken));
    let signed = |signs: &[char]| line.strip_prefix(signs);
    let emoji = signed(&BANG_SIGNS).map(|behind| behind.trim_start_matches('\u{FE0F}'));
    if spoken.is_some_and(|text| begins(trim(text)))
        || emoji.is_some_and(begins)
        || signed(&OTHER_SIGNS).is_some_and(begins)
    {
        return true;
    }
    let at = line.find(BANGS);
    let (before, command) = at.and_then(|at| line.split_at_checked(at)).unwrap_or((line, ""));
    let is_decoration = before.chars().count() <= MOST_BEFORE
        && !before.chars().any(|c| c.is_alphanumeric() || "@#$>=".contains(c));
    let inside = command.trim_end_matches([')', ']', '}', '|']);
    (is_decoration && is_known(inside)) || (addressed && (begins(line) || is_known(command)))
}
