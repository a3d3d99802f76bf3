//! The text of a message from its HTML, for the sake of its pills.

use ruma::html::{ElementData, Html, NodeData, NodeRef};

use super::{Misread, Prefix, links, words::quote_word};

mod source;

use source::Source;

/// How many tags are read. The parser's work and the depth of its tree grow faster than the
/// message for HTML that is made to that end, and a tree is taken down recursively.
const MOST_TAGS: usize = 1_000;

/// What came of the HTML.
#[derive(Debug)]
pub(super) enum Rebuilt {
    /// There is nothing in it that the plain text has not.
    NoPills,
    /// So, but characters that Markdown took for marks are in neither.
    Eaten,
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

/// The beginnings of the tags that Markdown makes of marks.
const STYLED: [&str; 6] = ["<em", "<i>", "<strong", "<b>", "<del", "<s"];

/// Rebuilds the text of a message whose plain text is `body`, in which commands begin with this prefix.
pub(super) fn rebuild(html: &str, body: &str, prefix: &Prefix) -> Rebuilt {
    let pills = html.contains(links::SCHEME) || html.contains(links::WITHIN);
    let styled = STYLED.iter().any(|tag| html.contains(tag));
    let too_much = html.matches('<').count() > MOST_TAGS;
    match (pills, styled) {
        (true, _) if too_much => return Rebuilt::TooMuch,
        (true, _) => {}
        (false, true) if !too_much => {}
        (false, _) => return Rebuilt::NoPills,
    }
    let html = Html::parse(html);
    let mut text = Text::beside(body, prefix);
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
        return if text.eaten { Rebuilt::Eaten } else { Rebuilt::NoPills };
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
    /// What Markdown makes of one `*` or `_`.
    Emphasis,
    /// What it makes of two.
    Strong,
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
            "em" | "i" => Self::Emphasis,
            "strong" | "b" => Self::Strong,
            "del" | "s" | "strike" => Self::Struck,
            "a" => Self::Link,
            "mx-reply" | "blockquote" | "script" | "style" | "template" => Self::Hidden,
            _ => Self::Other,
        }
    }
}

impl Tag {
    /// What may have been typed for it.
    fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Emphasis => &["*", "_"],
            Self::Strong => &["**", "__"],
            // What is struck out is not meant, or was no mark: both are to be asked about.
            _ => &[],
        }
    }
}

/// The text as far as it is rebuilt.
#[derive(Debug)]
struct Text<'a> {
    written: String,
    pills: usize,
    /// Depth of `pre` and of `code`.
    pre: usize,
    code: usize,
    doubt: Option<Misread>,
    /// Whether a mark within the command stands in no text.
    eaten: bool,
    /// Whether one was read from the plain text.
    marked: bool,
    /// The mark of each styled element that is open.
    styled: Vec<Mark>,
    body: &'a str,
    prefix: &'a Prefix,
    /// The plain text from the sign of the command on, once that has been read.
    source: Option<Source<'a>>,
}

/// What a styled element had for its marks.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// It stands before the command, and around it.
    Around(&'static str),
    /// It stands within it, as the plain text says.
    Within(&'static str),
    /// Nobody knows, or needs to.
    Unknown,
}

impl<'a> Text<'a> {
    fn beside(body: &'a str, prefix: &'a Prefix) -> Self {
        Self {
            written: String::new(),
            pills: 0,
            pre: 0,
            code: 0,
            doubt: None,
            eaten: false,
            marked: false,
            styled: Vec::new(),
            body,
            prefix,
            source: None,
        }
    }

    /// Reads the same in the plain text, from the sign of the command on.
    fn follow(&mut self, said: &str) {
        if let Some(source) = &mut self.source {
            source.text(said);
            // What was taken for the marks then was something else that looks like them.
            if source.is_lost() && self.marked && self.is_first_line() {
                self.eat();
            }
        } else if let Some((_, behind)) = self.prefix.split_once(said) {
            let mut source = Source::behind_sign(self.body, self.prefix);
            source.text(behind);
            self.source = Some(source);
        }
    }

    fn push(&mut self, said: &str) {
        self.follow(said);
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
            Tag::Emphasis | Tag::Strong | Tag::Struck => self.enter_styled(tag),
            Tag::Link => {
                if let Some(source) = &mut self.source {
                    source.opens_link();
                }
            }
            Tag::Cell | Tag::Hidden | Tag::Other => {}
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
            Tag::Emphasis | Tag::Strong | Tag::Struck => self.leave_styled(),
            Tag::Link => {
                if let Some(source) = &mut self.source {
                    source.closes_link();
                }
            }
            Tag::Break | Tag::Hidden | Tag::Other => {}
        }
    }

    fn enter_styled(&mut self, tag: Tag) {
        let mark = if !self.is_first_line() {
            Mark::Unknown
        } else if self.source.is_none() {
            Mark::Around(if tag == Tag::Struck { "~~" } else { "*" })
        } else {
            let marks = self.source.as_mut().and_then(|source| source.opens(tag.marks()));
            marks.map_or_else(|| self.eat(), Mark::Within)
        };
        self.marked |= matches!(mark, Mark::Within(_));
        self.styled.push(mark);
        if let Mark::Around(mark) | Mark::Within(mark) = mark {
            self.written.push_str(mark);
        }
    }

    fn leave_styled(&mut self) {
        match self.styled.pop() {
            Some(Mark::Around(mark)) => self.written.push_str(mark),
            Some(Mark::Within(mark)) => {
                if !self.source.as_mut().is_some_and(|source| source.closes(mark)) {
                    self.eat();
                }
                self.written.push_str(mark);
            }
            Some(Mark::Unknown) | None => {}
        }
    }

    /// Notes that it is not known what was typed.
    fn eat(&mut self) -> Mark {
        self.eaten = true;
        self.doubt.get_or_insert(Misread::Styled);
        Mark::Unknown
    }

    /// Code within a line is marked as it was typed; a fence marks itself.
    fn backtick(&mut self) {
        if let Some(source) = &mut self.source {
            source.backticks();
        }
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
        if let Some(source) = &mut self.source {
            source.pill(&id, &label);
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
