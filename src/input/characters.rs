//! What phones and clients make of plain characters, and how it is undone.

use crate::unicode;

/// What begins a command: the exclamation mark, also as keyboards for Chinese and Japanese have it.
pub(super) const BANGS: [char; 3] = ['!', '\u{FF01}', '\u{FE57}'];

/// What a phone offers for an exclamation mark. It may as well be an exclamation.
pub(super) const BANG_SIGNS: [char; 4] = ['\u{2757}', '\u{2755}', '\u{203C}', '\u{A1}'];

/// What begins the commands of other programs, or lies beside the exclamation mark on a keyboard.
pub(super) const OTHER_SIGNS: [char; 10] = ['/', '.', '?', '\\', ',', ';', '$', '%', '&', '1'];

/// A dash that a phone makes of two hyphens.
pub(super) fn is_dash(c: char) -> bool {
    matches!(c, '\u{2012}'..='\u{2015}' | '\u{2E3A}' | '\u{2E3B}' | '\u{FE58}' | '\u{FE31}')
}

/// A hyphen, typographic or not; the sign for minus among them.
pub(super) fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}' | '\u{2011}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}')
}

/// Whether `c` is invisible where it stands, behind `before`, and comes from copying or from a
/// composer rather than from the person.
///
/// Joiners and variation selectors shape emoji and some scripts, so they go only where they can
/// have no effect: at the beginning and behind ASCII.
pub(super) fn is_invisible(c: char, before: Option<char>) -> bool {
    let is_without_effect = || before.is_none_or(|before| before.is_ascii());
    !c.is_ascii()
        && (unicode::turns_direction(c)
            || unicode::guides_breaks(c)
            || unicode::shapes(c) && is_without_effect())
}

/// Appends `c` to `text` as a keyboard without typography would have typed it. True where that
/// makes a difference.
pub(super) fn push_plain(c: char, text: &mut String) -> bool {
    match c {
        _ if is_invisible(c, text.chars().next_back()) => {}
        '\u{2026}' => text.push_str("..."),
        _ if is_hyphen(c) => text.push('-'),
        _ if is_double(c) => text.push('"'),
        _ if is_single(c) => text.push('\''),
        _ if c.is_whitespace() => text.push(' '),
        _ => {
            text.push(c);
            return false;
        }
    }
    !c.is_ascii()
}

fn is_double(c: char) -> bool {
    matches!(c, '"' | '\u{201C}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{FF02}')
}

fn is_single(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}'..='\u{201B}' | '\u{2039}' | '\u{203A}')
}

/// A mark that opens a quotation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(char);

impl Mark {
    /// The mark `c`, if it is one that opens a quotation at the beginning of a word.
    pub(super) fn opening(c: char) -> Option<Self> {
        (c == '`' || is_double(c) || is_single(c)).then_some(Self(c))
    }

    /// The same among the marks that a keyboard without typography has.
    pub(super) fn opening_verbatim(c: char) -> Option<Self> {
        matches!(c, '`' | '"' | '\'').then_some(Self(c))
    }

    /// Whether the text inside stays as it is. A straight mark was typed or copied as it is, and a
    /// backtick says so; behind a curly one the phone has been at the rest too.
    pub(super) fn is_verbatim(self) -> bool {
        self.0.is_ascii()
    }

    /// Whether `c` closes it. A straight mark is closed by itself, so that the other kinds can
    /// stand inside; a curly one by any of its kind, since languages do not agree on the pairs.
    pub(super) fn is_closed_by(self, c: char) -> bool {
        match self.0 {
            open if open.is_ascii() => c == open,
            open if is_double(open) => is_double(c),
            _ => is_single(c),
        }
    }

    /// `inside` without the no-break space that French puts inside its marks.
    pub(super) fn without_padding(self, inside: &str) -> &str {
        if !matches!(self.0, '\u{AB}' | '\u{2039}') {
            return inside;
        }
        let padding = ['\u{A0}', '\u{202F}'];
        let inside = inside.strip_prefix(padding).unwrap_or(inside);
        inside.strip_suffix(padding).unwrap_or(inside)
    }
}
