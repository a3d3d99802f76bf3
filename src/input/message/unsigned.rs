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

/// The command, without its sign, that a line is meant for which is none. `addressed` says whether it was
/// said to the bot.
pub(super) fn meant<'a>(
    line: &'a str,
    addressed: bool,
    is_group: &dyn Fn(&str) -> bool,
) -> Option<&'a str> {
    let begins = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let word = text.get(..end).unwrap_or_default().to_lowercase();
        let behind = text.get(end..).unwrap_or_default();
        is_group(&word) && (behind.is_empty() || behind.starts_with(char::is_whitespace))
    };
    let is_known = |text: &str| matches!(Head::of(text, Style::Typed, is_group), Head::Known(..));
    let spoken = SPOKEN.iter().find_map(|spoken| {
        let (said, rest) = line.split_at_checked(spoken.len())?;
        said.eq_ignore_ascii_case(spoken).then(|| trim(rest))
    });
    let emoji = line.strip_prefix(BANG_SIGNS).map(|rest| rest.trim_start_matches('\u{FE0F}'));
    let signed = line.strip_prefix(OTHER_SIGNS);
    if let Some(command) = [spoken, emoji, signed].into_iter().flatten().find(|text| begins(text)) {
        return Some(command);
    }
    let at = line.find(BANGS);
    let (before, command) = at.and_then(|at| line.split_at_checked(at)).unwrap_or((line, ""));
    let is_decoration = before.chars().count() <= MOST_BEFORE
        && !before.chars().any(|c| c.is_alphanumeric() || "@#$>=".contains(c));
    let inside = command.trim_end_matches([')', ']', '}', '|']);
    if is_decoration && is_known(inside) {
        return Some(inside.trim_start_matches(BANGS));
    }
    if addressed && begins(line) {
        return Some(line);
    }
    (addressed && is_known(command)).then(|| command.trim_start_matches(BANGS))
}
