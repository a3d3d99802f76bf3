//! The text of a message from its HTML, for the sake of its pills.

use ruma::html::{ElementData, Html, NodeData, NodeRef};

use super::{Misread, characters, links, words::quote_word};

/// How many tags are read. The parser's work and the depth of its tree grow faster than the
/// message for HTML that is made to that end, and a tree is taken down recursively.
const MOST_TAGS: usize = 1_000;

/// What came of the HTML.
#[derive(Debug)]
pub(super) enum Rebuilt {
    /// There is nothing in it that the plain text has not.
    NoPills,
    /// It is too much to be read.
    TooMuch,
    /// The text with the id in the place of each pill.
    Text {
        /// The text.
        text: String,
        /// Why it may not be what was typed.
        doubt: Option<Misread>,
    },
}

/// Rebuilds the text of a message.
pub(super) fn rebuild(html: &str) -> Rebuilt {
    if !html.contains(links::SCHEME) && !html.contains(links::WITHIN) {
        return Rebuilt::NoPills;
    }
    if html.matches('<').count() > MOST_TAGS {
        return Rebuilt::TooMuch;
    }
    let html = Html::parse(html);
    let mut text = Text::default();
    // A stack of our own: the tree may be deeper than that of the thread.
    let mut visits = Vec::new();
    push_all(html.last_child(), &mut visits);
    while let Some(visit) = visits.pop() {
        match visit {
            Visit::Enter(node) => match node.data() {
                NodeData::Text(said) => text.push(&said.borrow()),
                NodeData::Element(element) => {
                    let tag = Tag::of(&element.name.local);
                    if tag == Tag::Hidden || (tag == Tag::Link && text.pill(element, &node)) {
                        continue;
                    }
                    text.enter(tag);
                    visits.push(Visit::Leave(tag));
                    push_all(node.last_child(), &mut visits);
                }
                _ => {}
            },
            Visit::Leave(tag) => text.leave(tag),
        }
    }
    if text.pills == 0 {
        return Rebuilt::NoPills;
    }
    Rebuilt::Text { text: text.written, doubt: text.doubt }
}

enum Visit {
    Enter(NodeRef),
    Leave(Tag),
}

/// Puts a node and its elder siblings upon the stack, so that the eldest comes first.
fn push_all(last: Option<NodeRef>, visits: &mut Vec<Visit>) {
    let mut next = last;
    while let Some(node) = next {
        next = node.prev_sibling();
        visits.push(Visit::Enter(node));
    }
}

/// What an element means for the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Break,
    /// Stands on lines of its own.
    Block,
    /// So, with an empty line above.
    Paragraph,
    Cell,
    Code,
    Pre,
    /// What Markdown makes of `*` and `_`.
    Styled,
    /// What it makes of `~~`.
    Struck,
    Link,
    /// Quoted, or nothing that anybody sees.
    Hidden,
    Other,
}

impl Tag {
    fn of(name: &str) -> Self {
        match name {
            "br" => Self::Break,
            "p" => Self::Paragraph,
            "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "li" | "table"
            | "tr" | "details" | "summary" | "hr" => Self::Block,
            "td" | "th" => Self::Cell,
            "code" => Self::Code,
            "pre" => Self::Pre,
            "em" | "i" | "strong" | "b" => Self::Styled,
            "del" | "s" | "strike" => Self::Struck,
            "a" => Self::Link,
            "mx-reply" | "blockquote" | "script" | "style" | "template" => Self::Hidden,
            _ => Self::Other,
        }
    }
}

/// The text as far as it is rebuilt.
#[derive(Debug, Default)]
struct Text {
    written: String,
    pills: usize,
    /// Depth of `pre` and of `code`.
    pre: usize,
    code: usize,
    doubt: Option<Misread>,
    /// Of each styled element that is open, whether it began before the command.
    styled: Vec<bool>,
}

impl Text {
    fn push(&mut self, said: &str) {
        if self.pre > 0 {
            self.written.push_str(said);
            return;
        }
        for c in said.chars() {
            // A line break in the source is a space, and space at the beginning of a line nothing.
            if !c.is_ascii_whitespace() {
                self.written.push(c);
            } else if !self.at_line_start() {
                self.written.push(' ');
            }
        }
    }

    fn enter(&mut self, tag: Tag) {
        match tag {
            Tag::Break => self.written.push('\n'),
            Tag::Block => self.end_line(),
            Tag::Paragraph => {
                self.end_line();
                if !self.written.is_empty() && !self.written.ends_with("\n\n") {
                    self.written.push('\n');
                }
            }
            Tag::Pre => {
                self.end_line();
                self.written.push_str("```\n");
                self.pre += 1;
            }
            Tag::Code => {
                self.code += 1;
                self.backtick();
            }
            Tag::Styled | Tag::Struck => {
                let before = self.is_first_line() && !self.written.contains(characters::BANGS);
                self.styled.push(before);
                if before {
                    self.written.push_str(mark(tag));
                } else if self.is_first_line() {
                    self.doubt.get_or_insert(Misread::Styled);
                }
            }
            Tag::Cell | Tag::Link | Tag::Hidden | Tag::Other => {}
        }
    }

    fn leave(&mut self, tag: Tag) {
        match tag {
            Tag::Block | Tag::Paragraph => self.end_line(),
            Tag::Pre => {
                self.pre -= 1;
                self.end_line();
                self.written.push_str("```\n");
            }
            Tag::Code => {
                self.backtick();
                self.code -= 1;
            }
            Tag::Cell => self.written.push(' '),
            Tag::Styled | Tag::Struck => {
                if self.styled.pop() == Some(true) {
                    self.written.push_str(mark(tag));
                }
            }
            Tag::Break | Tag::Link | Tag::Hidden | Tag::Other => {}
        }
    }

    /// Code within a line is marked as it was typed; a fence marks itself.
    fn backtick(&mut self) {
        if self.pre == 0 {
            self.written.push('`');
        }
    }

    /// Writes the id of a link that is a pill. A link that shows its own address is none: the
    /// words are read from that address.
    fn pill(&mut self, element: &ElementData, node: &NodeRef) -> bool {
        let attributes = element.attrs.borrow();
        let href = attributes.iter().find(|attribute| &*attribute.name.local == "href");
        let Some(id) = href.and_then(|href| links::id(&href.value)) else { return false };
        let label = label(node);
        if links::id(label.trim()).is_some() {
            return false;
        }
        if let Err(misread) = links::agree(&label, &id) {
            self.doubt.get_or_insert(misread);
        }
        self.pills += 1;
        let verbatim = self.pre > 0 || self.code > 0;
        self.written.push_str(&if verbatim { id } else { quote_word(&id) });
        true
    }

    fn end_line(&mut self) {
        if !self.at_line_start() {
            self.written.push('\n');
        }
    }

    fn at_line_start(&self) -> bool {
        self.written.is_empty() || self.written.ends_with('\n')
    }

    fn is_first_line(&self) -> bool {
        !self.written.trim_start().contains('\n')
    }
}

/// What stands before and behind a text for what an element makes of it.
fn mark(tag: Tag) -> &'static str {
    if tag == Tag::Struck { "~~" } else { "*" }
}

/// The text within a node.
fn label(node: &NodeRef) -> String {
    let mut label = String::new();
    let mut visits = Vec::new();
    push_all(node.last_child(), &mut visits);
    while let Some(visit) = visits.pop() {
        if let Visit::Enter(node) = visit {
            if let Some(said) = node.as_text() {
                label.push_str(&said.borrow());
            }
            push_all(node.last_child(), &mut visits);
        }
    }
    label
}
