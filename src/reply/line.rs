//! One line of an answer, made of pieces.

use jiff::Timestamp;

use super::{Hostile, When, ago, clean};

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Our own words.
    Plain(String),
    /// Our own words, strong.
    Strong(String),
    /// An id, a code, a path: something to copy.
    Code(String),
    /// A command, with the `!` with which it is on record: something to copy. It is drawn with what
    /// commands begin with in the room.
    Command(String),
    /// The beginning of one among our own words, drawn like them.
    Named(String),
    /// Somebody else's words.
    Hostile(Hostile),
    /// Somebody else's words that are covered until whoever reads wants to see them. Where only text is
    /// shown, they are left out.
    Spoiler(Hostile),
    /// A moment, which stands in the time zone of whoever asked.
    Time(When),
}

/// What stands in the place of covered words where only text is shown.
pub(super) const COVERED: &str = "(covered)";

/// One line of an answer, made of pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(pub(crate) Vec<Span>);

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether one of its pieces is this id, code or command.
    pub(crate) fn names(&self, code: &str) -> bool {
        self.0.iter().any(|span| matches!(span, Span::Code(text) if text == code))
    }

    /// The same line without the pieces that are this id, code or command.
    pub(crate) fn without(&self, code: &str) -> Self {
        let is_it = |span: &&Span| !matches!(span, Span::Code(text) if text == code);
        Self(self.0.iter().filter(is_it).cloned().collect())
    }

    /// Appends words of our own.
    #[must_use]
    pub fn plain(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Plain(text.into()));
        self
    }

    /// Appends strong words of our own.
    #[must_use]
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Strong(text.into()));
        self
    }

    /// Appends an id, a code or a path.
    #[must_use]
    pub fn code(mut self, text: impl std::fmt::Display) -> Self {
        self.0.push(Span::Code(text.to_string()));
        self
    }

    /// Appends a command, which begins with `!` whatever commands begin with in the room.
    #[must_use]
    pub fn command(mut self, text: impl std::fmt::Display) -> Self {
        self.0.push(Span::Command(text.to_string()));
        self
    }

    /// Appends what is copied: a command where it begins like one, or something else.
    #[must_use]
    pub fn copied(self, text: &str) -> Self {
        if text.starts_with('!') { self.command(text) } else { self.code(text) }
    }

    /// Appends a text of our own in which ids, commands and the like stand between backticks.
    #[must_use]
    pub fn marked(self, text: &str) -> Self {
        text.split('`').enumerate().fold(self, |line, (n, part)| match n % 2 {
            0 => line.plain(part),
            _ => line.copied(part),
        })
    }

    /// Appends words of our own that name commands, such as "send !freeze": each `!` behind which
    /// `is_word` knows the word.
    #[must_use]
    pub fn naming(mut self, text: &str, is_word: &dyn Fn(&str) -> bool) -> Self {
        let mut rest = text;
        let mut from = 0;
        while let Some(at) = rest.get(from..).and_then(|rest| rest.find('!')).map(|at| at + from) {
            let (before, command) = rest.split_at(at);
            let name = command.get(1..).unwrap_or_default();
            let end = name.find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
            let (name, behind) = name.split_at(end.unwrap_or(name.len()));
            if before.ends_with(char::is_alphanumeric) || !is_word(name) || behind.starts_with(':')
            {
                from = at + 1;
                continue;
            }
            self = if before.is_empty() { self } else { self.plain(before) };
            self.0.push(Span::Named(format!("!{name}")));
            (rest, from) = (behind, 0);
        }
        if rest.is_empty() { self } else { self.plain(rest) }
    }

    /// Appends somebody else's words.
    #[must_use]
    pub fn hostile(mut self, text: &Hostile) -> Self {
        self.0.push(Span::Hostile(text.clone()));
        self
    }

    /// The same line, in which somebody else's words are covered.
    #[must_use]
    pub fn covered(self) -> Self {
        let cover = |span| match span {
            Span::Hostile(text) => Span::Spoiler(text),
            other => other,
        };
        Self(self.0.into_iter().map(cover).collect())
    }

    /// Appends another line's pieces.
    #[must_use]
    pub fn line(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Appends a moment with how long ago or ahead it is, or that it is not known: what never happened
    /// says so itself.
    #[must_use]
    pub fn time(self, at: Option<Timestamp>, now: Timestamp) -> Self {
        match at {
            Some(at) => self.when(When { at, now: Some(now) }),
            None => self.plain("not known"),
        }
    }

    /// Appends a moment, where it matters which; or that it is not known.
    #[must_use]
    pub fn at(self, at: impl Into<Option<Timestamp>>) -> Self {
        match at.into() {
            Some(at) => self.when(When { at, now: None }),
            None => self.plain("not known"),
        }
    }

    fn when(mut self, when: When) -> Self {
        self.0.push(Span::Time(when));
        self
    }

    /// The words alone, for a file: somebody else's in quotation marks.
    pub fn text(&self) -> String {
        let text = |span: &Span| match span {
            Span::Plain(text)
            | Span::Strong(text)
            | Span::Code(text)
            | Span::Command(text)
            | Span::Named(text) => text.clone(),
            Span::Hostile(text) => clean::quoted(text),
            Span::Spoiler(_) => COVERED.to_owned(),
            Span::Time(when) => when.said(None),
        };
        self.0.iter().map(text).collect()
    }

    /// The words as they are shown on one line: nothing in them steers a screen, and somebody else's
    /// are in quotation marks.
    pub(crate) fn shown(&self) -> String {
        let shown = |span: &Span| match span {
            Span::Plain(text) | Span::Strong(text) | Span::Named(text) => clean::visible(text),
            Span::Code(text) | Span::Command(text) => match clean::visible(text).trim() {
                "" => "(none)".to_owned(),
                text => text.to_owned(),
            },
            Span::Hostile(text) => clean::quoted(text),
            Span::Spoiler(_) => COVERED.to_owned(),
            Span::Time(when) => when.said(None),
        };
        self.0.iter().map(shown).collect::<String>().trim().to_owned()
    }

    /// The words of our own in it; what else stands in it is left out.
    pub(crate) fn own_words(&self) -> String {
        let own = |span: &Span| match span {
            Span::Plain(text) | Span::Strong(text) | Span::Named(text) => text.clone(),
            Span::Code(_) | Span::Command(_) | Span::Hostile(_) | Span::Spoiler(_) => {
                "…".to_owned()
            }
            Span::Time(when) => when.said(None),
        };
        self.0.iter().map(own).collect()
    }

    /// Whether it says nothing. An empty id or somebody's empty words do say something: `(none)`.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|span| match span {
            Span::Plain(text) | Span::Strong(text) => text.is_empty(),
            Span::Code(_)
            | Span::Command(_)
            | Span::Named(_)
            | Span::Hostile(_)
            | Span::Spoiler(_)
            | Span::Time(_) => false,
        })
    }

    /// The same line with these pieces where this id, code or command stands first.
    pub(crate) fn with_code(self, code: &str, pieces: Self) -> Self {
        let place = self.0.iter().position(|span| matches!(span, Span::Code(text) if text == code));
        let mut spans = self.0;
        if let Some(place) = place {
            spans.splice(place..=place, pieces.0);
        }
        Self(spans)
    }

    /// Appends how long ago a moment is, or how far ahead, as a list tells it; or that it is not known.
    #[must_use]
    pub fn ago(self, at: Option<Timestamp>, now: Timestamp) -> Self {
        self.plain(at.map_or_else(|| "not known".to_owned(), |at| ago(at, now)))
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new().plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new().plain(text)
    }
}
