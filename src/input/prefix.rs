//! With what commands begin in the room: an exclamation mark, unless the config says otherwise.

use super::characters;

/// The longest name in a prefix, in characters.
const LONGEST_NAME: usize = 8;

/// The signs that may begin commands, each as keyboards for Chinese and Japanese have it too. Left out is
/// what a client takes for markup or for a command of its own, what begins an id, what mentions somebody,
/// and what stands before the words of people.
const SIGNS: &[&[char]] = &[
    &characters::BANGS,
    &['.', '\u{FF0E}', '\u{3002}', '\u{FE52}'],
    &['?', '\u{FF1F}', '\u{FE56}'],
    &['%', '\u{FF05}', '\u{FE6A}'],
    &['&', '\u{FF06}', '\u{FE60}'],
    &['=', '\u{FF1D}', '\u{FE66}'],
];

/// What every command begins with: a sign alone, such as `.`, or one with a short name and a space behind
/// it, such as `!s `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The sign in each of its forms, the plain one first.
    sign: &'static [char],
    /// In small letters; empty where the sign stands alone.
    name: String,
}

impl Default for Prefix {
    fn default() -> Self {
        Self { sign: SIGNS[0], name: String::new() }
    }
}

/// Why a text can be no prefix, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It begins otherwise, so that people could begin to talk with it, or clients would keep it.
    #[error("it does not begin with one of the signs ! . ? % & =")]
    Sign,
    /// What follows the sign is no name.
    #[error("a sign is followed by nothing, or by a name of 1 to 8 small letters and digits")]
    Name,
    /// A name has to end somewhere.
    #[error("the name in it is not followed by one space")]
    Space,
}

impl std::str::FromStr for Prefix {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let first = text.chars().next();
        let begins = |sign: &&&[char]| sign.first().copied() == first;
        let sign = SIGNS.iter().find(begins).ok_or(Unfit::Sign)?;
        let behind: String = text.chars().skip(1).collect();
        let name = behind.strip_suffix(' ').unwrap_or(&behind);
        let is_name = (1..=LONGEST_NAME).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        match (behind.as_str(), is_name, name.len() < behind.len()) {
            ("", ..) => Ok(Self { sign, name: String::new() }),
            (_, false, _) => Err(Unfit::Name),
            (_, true, false) => Err(Unfit::Space),
            (_, true, true) => Ok(Self { sign, name: name.to_owned() }),
        }
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.before(""))
    }
}

impl Prefix {
    /// Whether it is the exclamation mark, with which commands are on record and in the documentation.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The name in it, which is no word of a command.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that begins with `!`, as it is typed in the room.
    pub fn typed(&self, command: &str) -> String {
        command.strip_prefix('!').map_or_else(|| command.to_owned(), |rest| self.before(rest))
    }

    fn before(&self, rest: &str) -> String {
        let sign = self.sign.first().copied().unwrap_or('!');
        let space = if self.name.is_empty() { "" } else { " " };
        format!("{sign}{}{space}{rest}", self.name)
    }

    /// The line without the prefix that it begins with. A phone may have made its name begin with a
    /// capital letter.
    pub(super) fn strip<'a>(&self, line: &'a str) -> Option<&'a str> {
        let behind = line.strip_prefix(self.sign)?;
        if self.name.is_empty() {
            return Some(behind);
        }
        let (name, rest) = behind.split_at_checked(self.name.len())?;
        let is_it = name.eq_ignore_ascii_case(&self.name) && rest.starts_with(char::is_whitespace);
        is_it.then(|| rest.trim_start())
    }

    /// The same without what a key that was pressed twice has put there. A full stop or a question mark
    /// does not begin a command then: `...` and `??` begin words of people.
    pub(super) fn strip_again<'a>(&self, behind: &'a str) -> &'a str {
        if self.is_usual() { behind.trim_start_matches(characters::BANGS) } else { behind }
    }

    /// Where a text may have its first command, and how that goes on behind the prefix. A sign within a
    /// word begins none. Behind a mention of the bot, `!` does as well.
    pub(super) fn split_once<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        if self.is_usual() {
            return text.split_once(characters::BANGS);
        }
        text.char_indices().find_map(|(at, _)| {
            let (before, rest) = text.split_at_checked(at)?;
            let within = before.ends_with(char::is_alphanumeric);
            let behind = self.strip(rest).or_else(|| rest.strip_prefix(characters::BANGS));
            behind.filter(|_| !within).map(|behind| (before, behind))
        })
    }

    /// What stands behind the prefix, wherever it may be in the line.
    pub fn behind<'a>(&self, line: &'a str) -> Option<&'a str> {
        self.split_once(line).map(|(_, behind)| behind)
    }

    /// The word of a command that is a command itself, as `help` takes one, without the prefix.
    pub fn without<'a>(&self, words: &'a str) -> &'a str {
        self.strip(words).unwrap_or(words)
    }
}

#[cfg(test)]
mod tests;
