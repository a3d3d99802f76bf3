//! The plain text beside the HTML: what its sender typed, as most clients send it, with the marks that
//! Markdown took out of the HTML.

use crate::input::{Prefix, links};

/// The plain text of a message as far as the HTML beside it has been read, from the sign of the command
/// on. Where the two do not say the same, it is of no use any more.
#[derive(Debug)]
pub(super) struct Source<'a> {
    rest: Option<&'a str>,
    /// The character that was read last.
    before: Option<char>,
}

impl<'a> Source<'a> {
    /// What stands behind the sign of the command in `body`.
    pub(super) fn behind_sign(body: &'a str, prefix: &Prefix) -> Self {
        let mut lines = body.lines().filter(|line| !line.trim_start().starts_with('>'));
        let rest = lines.find_map(|line| prefix.split_once(line)).map(|(_, rest)| rest);
        Self { rest, before: None }
    }

    /// Whether it has said something else than the HTML.
    pub(super) fn is_lost(&self) -> bool {
        self.rest.is_none()
    }

    /// Reads this text. White space may be any, and a backslash may stand before a character.
    pub(super) fn text(&mut self, said: &str) {
        let mut said_chars = said.chars().filter(|c| !c.is_whitespace());
        self.rest = self.rest.and_then(|rest| {
            said_chars.try_fold(rest, |rest, c| {
                let rest = rest.trim_start();
                let escaped = || rest.strip_prefix('\\')?.strip_prefix(c);
                rest.strip_prefix(c).or_else(escaped)
            })
        });
        self.before = said.chars().next_back().or(self.before);
    }

    /// Reads the mark that makes an element: it stands here, and was not made of another one. Some
    /// clients write their plain text anew from the HTML, and make `_` of the stars there; but within a
    /// word that makes no element.
    pub(super) fn opens(&mut self, marks: &'static [&'static str]) -> Option<&'static str> {
        let rest = self.rest?.trim_start();
        let mark = marks.iter().find(|mark| rest.starts_with(**mark))?;
        if mark.starts_with('_') && self.before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        self.rest = rest.strip_prefix(*mark);
        Some(mark)
    }

    /// Reads the mark that ends it; false where it does not stand here.
    pub(super) fn closes(&mut self, mark: &str) -> bool {
        let behind = self.rest.and_then(|rest| rest.trim_start().strip_prefix(mark));
        let within = behind.is_some_and(|rest| rest.starts_with(char::is_alphanumeric));
        self.rest = behind.filter(|_| !mark.starts_with('_') || !within);
        self.rest.is_some()
    }

    /// Reads the backticks around a piece of code, which keeps its text.
    pub(super) fn backticks(&mut self) {
        self.rest = self.rest.map(|rest| rest.trim_start().trim_start_matches('`'));
    }

    /// Reads what opens a link that keeps its label, or shows its address.
    pub(super) fn opens_link(&mut self) {
        let rest = self.rest.map(str::trim_start);
        self.rest = rest.map(|rest| rest.strip_prefix(['[', '<']).unwrap_or(rest));
    }

    /// Reads what closes it, with the address behind its label.
    pub(super) fn closes_link(&mut self) {
        self.rest = self.rest.map(|rest| {
            let address = rest.strip_prefix("](").and_then(|rest| rest.split_once(')'));
            let behind = address.map(|(_, rest)| rest);
            behind.or_else(|| rest.strip_prefix('>')).unwrap_or(rest)
        });
    }

    /// Reads a pill, however this client writes it.
    pub(super) fn pill(&mut self, id: &str, label: &str) {
        let Some(rest) = self.rest.map(str::trim_start) else { return };
        self.before = Some(')');
        if let Some(link) = links::at_start(rest).filter(|link| link.id == id) {
            self.rest = Some(link.rest);
            return;
        }
        let (bare, label) = (label.trim(), label.trim().trim_start_matches('@'));
        let spelled = [
            bare.to_owned(),
            format!("@[{label}]"),
            format!("@{label}"),
            id.to_owned(),
            label.to_owned(),
        ];
        self.rest = spelled.iter().find_map(|text| {
            let mut read = Source { rest: Some(rest), before: None };
            read.text(text);
            read.rest
        });
    }
}
