//! What the bot answers, as values: no verb writes Markdown or HTML, and none knows about clients.
//!
//! A [`Reply`] becomes Markdown (`markdown`), and the Markdown becomes the plain `body` and the
//! `formatted_body` of a message (`body`, `html`), cut into as many messages as the size limit asks
//! for (`split`). Text that came from the homeserver or from people there is [`Hostile`]: it reaches
//! a line only in quotation marks, cleaned (`clean`) and escaped.

use std::sync::Arc;

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
mod ids_of;
mod layout;
mod line;
mod markdown;
mod narrow;
#[cfg(test)]
pub(crate) mod phone;
mod row;
mod sheet;
mod split;
mod status;
mod terminal;
#[cfg(test)]
mod tests;
mod timed;
mod when;

pub use asked::{Asked, Turn, from_place};
pub use file::{File, Looks, Reading};
pub use hostile::Hostile;
pub use ids_of::IdsOf;
pub use layout::{Custom, Layout, Style};
pub use line::{Line, Span};
pub use sheet::{Beyond, Format, Sheet, Written};
pub use status::Status;
pub use terminal::{Screen, harmless};
pub use when::{When, ago, grouped, size, span, utc, utc_beside};

use timed::Manner;

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
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own about an answer")]
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
    /// The accounts that what it lists accuses of something, each once.
    pub accused: Vec<String>,
    /// Whether it lists a group of new accounts, so that whoever is taken out of waves is taken out of it
    /// too.
    pub of_wave: bool,
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
    /// Whether it goes into encrypted rooms only, where the config requires encryption: nobody has asked
    /// for it in the room.
    pub encrypted_only: bool,
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
        document.replace(markdown::APART, "").replace(markdown::COVER, "||")
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
