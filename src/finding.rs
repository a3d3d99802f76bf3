//! One thing that was looked at, how it is, and what to do about it.

use std::fmt;

use crate::unicode;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Ok,
    /// The bot works, but not as well or as safely as it could.
    Warn,
    /// The bot does not work like this, or is not safe.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub mark: Mark,
    /// What was found, without a full stop.
    pub what: String,
    /// What to do about it, without a full stop.
    pub to_do: Option<String>,
}

impl Mark {
    /// It as four letters.
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok  ",
            Self::Warn => "warn",
            Self::Bad => "BAD ",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}.", self.mark.as_str(), one_line(&self.what))?;
        self.to_do.iter().try_for_each(|to_do| write!(f, " {}.", one_line(to_do)))
    }
}

/// How far the text is from the left: the mark and two spaces.
const INDENT: usize = 6;

/// The fewest columns that a text is broken to.
const FEWEST: usize = 20;

/// The lines of a text beside the mark; a word that is longer than a line stays whole.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.saturating_sub(INDENT).max(FEWEST);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Some of the words come from the homeserver: without line breaks, signs that steer a terminal,
/// or signs that turn the direction of writing.
fn one_line(text: &str) -> String {
    let steers = |c: char| c.is_control() || unicode::turns_direction(c);
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

impl Finding {
    /// The same for somebody's terminal with so many columns: what was found, and on lines of its own
    /// what to do, indented below the mark.
    pub fn on_screen(&self, columns: usize) -> String {
        let indent = " ".repeat(INDENT);
        let found = wrapped(&format!("{}.", one_line(&self.what)), columns);
        let to_do = self.to_do.iter().flat_map(|to_do| {
            let lines = wrapped(&format!("{}.", one_line(to_do)), columns.saturating_sub(2));
            let lines = lines.into_iter().enumerate();
            lines.map(|(n, line)| if n == 0 { format!("→ {line}") } else { format!("  {line}") })
        });
        let lines = found.into_iter().chain(to_do).enumerate();
        let lines = lines.map(|(n, line)| match n {
            0 => format!("{}  {line}", self.mark.as_str()),
            _ => format!("{indent}{line}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn ok(what: impl Into<String>) -> Self {
        Self { mark: Mark::Ok, what: what.into(), to_do: None }
    }

    pub(crate) fn warn(what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { mark: Mark::Warn, what: what.into(), to_do: Some(to_do.into()) }
    }

    pub(crate) fn bad(what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { mark: Mark::Bad, what: what.into(), to_do: Some(to_do.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_terminal_what_to_do_stands_below_what_was_found() {
        let finding = Finding::bad(
            "rooms[0]: everybody can join it who has its alias, and would read what is said",
            "Set it to invited people only",
        );
        assert_eq!(
            finding.on_screen(50),
            "BAD   rooms[0]: everybody can join it who has its\n      alias, and would read what is \
             said.\n      → Set it to invited people only."
        );
        assert_eq!(Finding::ok("disk: 3 GB are free").on_screen(80), "ok    disk: 3 GB are free.");
        assert!(finding.on_screen(0).lines().count() > 3, "it is never broken to nothing");
    }
}
