//! What the bot answers, as values: no verb writes Markdown or HTML, and none knows about clients.
//!
//! A [`Reply`] becomes Markdown (`markdown`), and the Markdown becomes the plain `body` and the
//! `formatted_body` of a message (`body`, `html`), cut into as many messages as the size limit asks
//! for (`split`). Text that came from the homeserver or from people there is [`Hostile`]: it reaches
//! a line only in quotation marks, cleaned (`clean`) and escaped.

use std::sync::Arc;

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

mod asked;
mod body;
mod cells;
mod clean;
mod columns;
mod file;
mod hostile;
mod html;
mod layout;
mod markdown;
mod narrow;
#[cfg(test)]
pub(crate) mod phone;
mod row;
mod sheet;
mod split;
mod terminal;
#[cfg(test)]
mod tests;
mod timed;
mod when;

pub use asked::{Asked, Turn, from_place};
pub use file::{File, Looks, Reading};
pub use hostile::Hostile;
pub use layout::{Custom, Layout, Style};
pub use sheet::{Beyond, Format, Sheet, Written};
pub use terminal::{Screen, harmless};
pub use when::{When, ago, grouped, size, span, utc, utc_beside};

use timed::Manner;

/// The first word of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was asked for was done, and was verified.
    Done,
    /// Some of it was done.
    DoneInPart,
    /// It was in the wanted state before, or there was nothing to do it to.
    NothingChanged,
    /// A right or a rule is against it; nothing was done.
    Refused,
    /// What was typed is no command; nothing was done.
    NotUnderstood,
    /// Nobody and nothing is known by what was typed; nothing was done.
    NotFound,
    /// The homeserver, what stands before it, or the bot's own disk failed; nothing was done.
    Failed,
    /// The yes came too late.
    Expired,
    /// It was sent, and nobody knows what became of it.
    Unknown,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::DoneInPart,
        Self::NothingChanged,
        Self::Refused,
        Self::NotUnderstood,
        Self::NotFound,
        Self::Failed,
        Self::Expired,
        Self::Unknown,
    ];

    /// The word as the room reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::DoneInPart => "Done in part",
            Self::NothingChanged => "Nothing changed",
            Self::Refused => "Refused",
            Self::NotUnderstood => "Not understood",
            Self::NotFound => "Not found",
            Self::Failed => "Failed",
            Self::Expired => "Expired",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether nothing was done, although it was not as wanted before.
    pub fn is_no(self) -> bool {
        match self {
            Self::Refused | Self::NotUnderstood | Self::NotFound | Self::Failed => true,
            Self::Done
            | Self::DoneInPart
            | Self::NothingChanged
            | Self::Expired
            | Self::Unknown => false,
        }
    }
}

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
    /// A moment, which stands in the time zone of whoever asked.
    Time(When),
}

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
            Span::Time(when) => when.said(None),
        };
        self.0.iter().map(shown).collect::<String>().trim().to_owned()
    }

    /// The words of our own in it; what else stands in it is left out.
    pub(crate) fn own_words(&self) -> String {
        let own = |span: &Span| match span {
            Span::Plain(text) | Span::Strong(text) | Span::Named(text) => text.clone(),
            Span::Code(_) | Span::Command(_) | Span::Hostile(_) => "…".to_owned(),
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
            | Span::Time(_) => false,
        })
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

/// Label and value.
pub type Fact = (&'static str, Line);

/// One entry of a listing: what it is, and facts about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// What it is: normally its id.
    pub title: Line,
    /// Facts about it.
    pub facts: Vec<Fact>,
}

/// A part of an answer. Each is drawn as top-level blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A line of its own.
    Text(Line),
    /// Label and value, one pair a line.
    Facts(Vec<Fact>),
    /// A listing, drawn in the layout that its asker or the config wants.
    Records(Vec<Record>),
    /// A heading line and points below it.
    List(Line, Vec<Line>),
    /// Text in fixed pitch, as it is: help, usage.
    Code(String),
    /// Something besides: smaller matter, hints.
    Note(Line),
    /// Commands ready to copy, each with what it is for.
    Commands(Vec<(Line, Vec<String>)>),
}

/// Who is told so that their device rings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ring {
    /// Nobody: `m.notice`, no mention.
    #[default]
    Nobody,
    /// These people: `m.text`, mentioned.
    These(Vec<OwnedUserId>),
}

/// What the ids of a listing are the ids of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdsOf {
    /// Accounts.
    Accounts,
    /// Rooms.
    Rooms,
    /// Files.
    Files,
    /// Devices of one account.
    Devices,
    /// Registration tokens.
    Tokens,
    /// Other servers.
    Servers,
    /// Reports of events, by their numbers.
    EventReports,
    /// Reports of accounts, by their numbers.
    AccountReports,
}

impl IdsOf {
    /// Several of them, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Rooms => "rooms",
            Self::Files => "files",
            Self::Devices => "devices",
            Self::Tokens => "registration tokens",
            Self::Servers => "servers",
            Self::EventReports => "reports of events",
            Self::AccountReports => "reports of accounts",
        }
    }

    /// One of them, in words.
    pub fn one(self) -> &'static str {
        match self {
            Self::Accounts => "an account",
            Self::Rooms => "a room",
            Self::Files => "a file",
            Self::Devices => "a device",
            Self::Tokens => "a registration token",
            Self::Servers => "a server",
            Self::EventReports => "a report of an event",
            Self::AccountReports => "a report of an account",
        }
    }

    /// The words of the command that shows one of them; none of what takes more than its id.
    pub fn card(self, id: &str) -> Option<Vec<String>> {
        let words: &[&str] = match self {
            Self::Accounts => &["user", "details"],
            Self::Rooms => &["room", "details"],
            Self::Files => &["media", "details"],
            Self::Tokens => &["regtok", "details"],
            Self::Servers => &["federation", "details"],
            Self::EventReports => &["report", "details"],
            Self::AccountReports => &["report", "details", "--users"],
            Self::Devices => return None,
        };
        Some(words.iter().copied().chain(["--", id]).map(str::to_owned).collect())
    }

    /// What ids are that say it themselves, by the sign that all of them begin with.
    pub fn of(ids: &[String]) -> Option<Self> {
        let begin = |sign: &str| ids.iter().all(|id| id.starts_with(sign));
        if begin("@") {
            Some(Self::Accounts)
        } else if begin("!") {
            Some(Self::Rooms)
        } else if begin("mxc://") {
            Some(Self::Files)
        } else {
            None
        }
    }
}

/// A change that can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its number.
    pub number: u64,
    /// Who asked for it.
    pub by: OwnedUserId,
    /// In which room.
    pub room: OwnedRoomId,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The first word, where the answer is about a change.
    pub status: Option<Status>,
    /// The rest of the first line.
    pub title: Line,
    /// Everything after it.
    pub blocks: Vec<Block>,
    /// Who is told.
    pub ring: Ring,
    /// Where the next page of a listing begins, as its `--from` takes it.
    pub next: Option<String>,
    /// The ids of what it lists, as they are typed: a reply to it can be about all of them.
    pub ids: Vec<String>,
    /// What those are the ids of.
    pub ids_of: Option<IdsOf>,
    /// How many it would list on all its pages, where that is known.
    pub total: Option<u64>,
    /// With what it was asked, where it is a listing that its asker can turn or pick from.
    pub asked: Option<Box<Asked>>,
    /// The change that it tells of, where that can be taken back.
    pub made: Option<Made>,
    /// A file that is sent with it. Shared, since answers are copied.
    pub file: Option<Arc<File>>,
    /// Lines of the record that travel with it, unseen.
    pub carried: Vec<String>,
    /// Whether it is said before what else waits to be said in its room.
    pub urgent: bool,
    /// Whether it may repeat what somebody typed, so that it is written down nowhere.
    pub repeats: bool,
    /// The commands that it offers under numbers, of which its asker may send one.
    pub choices: Vec<Vec<String>>,
    /// How it is drawn for whoever asked. Where nothing is said it is what the bot says by itself, or
    /// asks: cards, in which nothing is cut, and UTC.
    pub style: Option<Style>,
}

impl Reply {
    /// An answer that is data.
    pub fn data(title: impl Into<Line>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// An answer about a change.
    pub fn outcome(status: Status, title: impl Into<Line>) -> Self {
        Self { status: Some(status), title: title.into(), ..Self::default() }
    }

    /// Appends a block.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Appends a line of its own.
    #[must_use]
    pub fn text(self, line: impl Into<Line>) -> Self {
        self.with(Block::Text(line.into()))
    }

    /// Appends label and value pairs; nothing where there are none.
    #[must_use]
    pub fn facts(self, facts: Vec<Fact>) -> Self {
        if facts.is_empty() { self } else { self.with(Block::Facts(facts)) }
    }

    /// Appends a note.
    #[must_use]
    pub fn note(self, line: impl Into<Line>) -> Self {
        self.with(Block::Note(line.into()))
    }

    /// Appends one command to copy, given as its words without the `!`.
    #[must_use]
    pub fn command(self, what_for: impl Into<Line>, words: Vec<String>) -> Self {
        self.with(Block::Commands(vec![(what_for.into(), words)]))
    }

    /// Says where the next page begins, where there is one: the answer then ends with the command
    /// for it.
    #[must_use]
    pub fn with_next(mut self, from: Option<String>) -> Self {
        self.next = from;
        self
    }

    /// Sends a file with it. The answer follows the file and speaks of it as sent; where it could
    /// not be sent, that is said, with the beginning of what it holds.
    #[must_use]
    pub fn attaching(mut self, file: File) -> Self {
        self.file = Some(Arc::new(file));
        self
    }

    /// Lets it be said before what else waits to be said in its room.
    #[must_use]
    pub fn urgently(mut self) -> Self {
        self.urgent = true;
        self
    }

    /// Says that it may repeat what somebody typed, which might be a secret in the wrong place.
    #[must_use]
    pub fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// Makes this answer ring for these people.
    #[must_use]
    pub fn ringing(mut self, who: Vec<OwnedUserId>) -> Self {
        self.ring = Ring::These(who);
        self
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The plain text: `body`.
    pub body: String,
    /// The HTML: `formatted_body` in the format `org.matrix.custom.html`.
    pub html: String,
}

impl Reply {
    /// The answer as one Markdown document in which nobody else's text is markup, for those who read it as
    /// it is: nothing in it keeps a client from making links. In this layout where whoever asked wants no
    /// other.
    pub fn markdown(&self, layout: &Layout) -> String {
        let document = markdown::document(&markdown::sections(self), self.drawn_in(layout.into()));
        document.replace(markdown::APART, "")
    }

    /// The answer as one message or, where it is larger than a message can be, several that say which
    /// they are: "(2 of 3)". It is cut between blocks, records, facts or lines; inside a line only
    /// where that line alone is larger than a message. In this layout where whoever asked wants no
    /// other.
    pub fn draw<'a>(&self, custom: impl Into<Custom<'a>>) -> Vec<Drawn> {
        self.draw_within(custom, split::MOST_BYTES)
    }

    /// The answer as one message that replaces another, whose event then holds it twice; none where it is
    /// larger than that can be.
    pub fn draw_as_edit<'a>(&self, custom: impl Into<Custom<'a>>) -> Option<Drawn> {
        let mut parts = self.draw_within(custom, split::MOST_BYTES / 20 * 11);
        if parts.len() == 1 { parts.pop() } else { None }
    }

    fn draw_within<'a>(&self, custom: impl Into<Custom<'a>>, most_bytes: usize) -> Vec<Drawn> {
        split::messages(&markdown::sections(self), self.drawn_in(custom.into()), most_bytes)
    }

    /// What the bot says by itself, or asks, has one layout: nothing is cut of what a yes rests on.
    fn drawn_in<'a>(&'a self, Custom { layout, prefix }: Custom<'a>) -> Manner<'a> {
        match &self.style {
            None => Manner { layout: Layout::Cards, zone: None, narrow: None, prefix },
            Some(Style { layout: wanted, zone, narrow }) => Manner {
                layout: wanted.unwrap_or(layout),
                zone: zone.as_ref(),
                narrow: narrow.as_deref(),
                prefix,
            },
        }
    }
}

impl Line {
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
