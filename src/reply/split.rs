//! Cutting an answer into as many messages as the size limit asks for.
//!
//! The reply is cut, not its drawing: into atoms (a line, a fact, a record, a point), of which as
//! many as fit are put together again and drawn as one message. So no part can have an unclosed
//! tag, and an id is cut only where it alone is larger than a message.

use std::collections::VecDeque;

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use super::{
    Block, Drawn, Layout, Line, Record, Span,
    body::body,
    clean::visible,
    html::{events, html},
    markdown::{Section, command, document, fact_line},
    timed::Manner,
};

/// Most bytes of both bodies of one message in the JSON of its content. The homeserver's limit for an
/// event is 65,536 bytes, of which encryption and the event around it take a third. An edit holds both
/// bodies twice.
pub(super) const MOST_BYTES: usize = 40_000;
/// Less than this cannot be asked for: it holds the longest piece that is never cut.
const LEAST_BYTES: usize = 4_000;
/// What is kept free for "(2 of 3)" in both bodies.
const LABEL_BYTES: usize = 80;

/// Draws `sections` as messages, at least one, of at most so many bytes.
pub(super) fn messages(sections: &[Section], manner: Manner<'_>, most_bytes: usize) -> Vec<Drawn> {
    let whole = draw(sections, manner);
    let limit = most_bytes.max(LEAST_BYTES);
    let size = size(&whole);
    if size <= limit {
        return vec![if whole.body.is_empty() { nothing() } else { whole }];
    }
    let mut left: VecDeque<Atom> = atoms(sections).into();
    let mut guess = left.len() * limit / size * 15 / 16;
    let mut parts = Vec::new();
    while !left.is_empty() {
        let (taken, drawn) = fill(left.make_contiguous(), guess, limit - LABEL_BYTES, manner);
        if let Some(drawn) = drawn {
            left.drain(..taken);
            guess = taken;
            // Empty lines may come to stand alone; a message of them would say nothing.
            if !drawn.body.is_empty() {
                parts.push(drawn);
            }
        } else if let Some(first) = left.pop_front() {
            shatter(first, &mut left);
        }
    }
    match parts.len() {
        0 => parts.push(nothing()),
        1 => {}
        _ => label(&mut parts),
    }
    parts
}

/// Says on each part which it is: at the end of the first, whose first words are those of the
/// answer, and at the beginning of the others.
fn label(parts: &mut [Drawn]) {
    let count = parts.len();
    for (index, part) in parts.iter_mut().enumerate() {
        let label = format!("({} of {count})", index + 1);
        if index == 0 {
            part.body = format!("{}\n\n{label}", part.body);
            part.html = format!("{}<p>{label}</p>", part.html);
        } else {
            part.body = format!("{label}\n\n{}", part.body);
            part.html = format!("<p>{label}</p>{}", part.html);
        }
    }
}

/// What is sent where there is nothing to say, since a message without text is none.
fn nothing() -> Drawn {
    Drawn { body: "(nothing)".to_owned(), html: "<p>(nothing)</p>".to_owned() }
}

fn draw(sections: &[Section], manner: Manner<'_>) -> Drawn {
    let markdown = document(sections, manner);
    let drawn = events(&markdown);
    // Columns and narrow rows are for the eye, and cut. Notifications and screen readers get all of it,
    // in words.
    let body = match (manner.layout, manner.narrow) {
        (Layout::Code, _) | (Layout::Cards, Some(_)) => {
            body(&events(&document(sections, manner.in_layout(Layout::Cards).whole())))
        }
        (Layout::Cards, None) | (Layout::List, _) => body(&drawn),
    };
    Drawn { body, html: html(&drawn) }
}

/// Bytes of both bodies in the JSON of an event's content.
pub(super) fn size(drawn: &Drawn) -> usize {
    #[derive(Serialize)]
    struct Content<'a> {
        body: &'a str,
        formatted_body: &'a str,
    }
    let content = Content { body: &drawn.body, formatted_body: &drawn.html };
    // Strings always serialise; if they did not, nothing that depends on the size could be sent.
    serde_json::to_vec(&content).map_or(usize::MAX, |json| json.len())
}

/// The smallest part of an answer that is drawn by itself, and the block that it came from:
/// neighbours from one block are put together again.
#[derive(Debug, Clone)]
struct Atom {
    origin: usize,
    section: Section,
}

/// How many atoms fit, with their drawing; none if the first alone does not.
///
/// Begins with `guess` and goes up or down by proportion until a message is nearly full, so that
/// it is drawn once or twice, whatever it holds.
fn fill(atoms: &[Atom], guess: usize, limit: usize, manner: Manner<'_>) -> (usize, Option<Drawn>) {
    let (mut fits, mut drawn) = (0, None);
    let mut too_many = atoms.len() + 1;
    let mut next = guess.clamp(1, atoms.len());
    let mut growths = 0;
    while fits < next && next < too_many {
        let tried = draw(&joined(atoms.iter().take(next)), manner);
        let size = size(&tried);
        if size > limit {
            too_many = next;
        } else {
            (fits, drawn) = (next, Some(tried));
            growths += 1;
            if growths == 3 || size > limit / 8 * 7 {
                break;
            }
        }
        let proportion = next * limit / size;
        next = proportion.clamp((fits + 1).min(too_many - 1), too_many - 1);
    }
    (fits, drawn)
}

/// Blocks as they were before they were taken apart.
fn joined<'a>(atoms: impl Iterator<Item = &'a Atom>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut origin = None;
    for atom in atoms {
        let absorbed = origin == Some(atom.origin)
            && sections.last_mut().is_some_and(|last| absorb(last, &atom.section));
        if !absorbed {
            sections.push(atom.section.clone());
        }
        origin = Some(atom.origin);
    }
    sections
}

/// Appends `next` to `into` where both are the same kind of block.
fn absorb(into: &mut Section, next: &Section) -> bool {
    let (Section::Block(into), Section::Block(next)) = (into, next) else { return false };
    match (into, next) {
        (Block::Facts(facts), Block::Facts(more)) => facts.extend_from_slice(more),
        (Block::Records(records), Block::Records(more)) => records.extend_from_slice(more),
        (Block::Commands(commands), Block::Commands(more)) => commands.extend_from_slice(more),
        (Block::List(_, points), Block::List(heading, more)) if heading.is_empty() => {
            points.extend_from_slice(more);
        }
        (Block::Code(text), Block::Code(more)) => {
            text.push('\n');
            text.push_str(more);
        }
        _ => return false,
    }
    true
}

fn atoms(sections: &[Section]) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for (origin, section) in sections.iter().enumerate() {
        let mut add = |block| atoms.push(Atom { origin, section: Section::Block(block) });
        match section {
            Section::Block(Block::Facts(facts)) => {
                for fact in facts {
                    add(Block::Facts(vec![fact.clone()]));
                }
            }
            Section::Block(Block::Records(records)) => {
                for record in records {
                    add(Block::Records(vec![record.clone()]));
                }
            }
            Section::Block(Block::Commands(commands)) => {
                for command in commands {
                    add(Block::Commands(vec![command.clone()]));
                }
            }
            Section::Block(Block::List(heading, points)) if !points.is_empty() => {
                let mut heading = heading.clone();
                for point in points {
                    add(Block::List(std::mem::take(&mut heading), vec![point.clone()]));
                }
            }
            Section::Block(Block::Code(text)) => {
                text.lines().for_each(|line| add(Block::Code(line.to_owned())));
            }
            section => atoms.push(Atom { origin, section: section.clone() }),
        }
    }
    atoms
}

/// Puts the pieces of an atom that fills more than a message back in front of `left`. What cannot
/// be cut is smaller than any message, so nothing is dropped.
fn shatter(atom: Atom, left: &mut VecDeque<Atom>) {
    let origin = atom.origin;
    for section in pieces(atom.section).into_iter().rev() {
        left.push_front(Atom { origin, section });
    }
}

fn pieces(section: Section) -> Vec<Section> {
    let block = match section {
        Section::Title(word, line) => {
            let (first, rest) = halves(line);
            return vec![Section::Title(word, first), Section::Block(Block::Text(rest))];
        }
        Section::Block(block) => block,
    };
    let blocks = match block {
        Block::Text(line) => both(halves(line), Block::Text),
        Block::Note(line) => both(halves(line), Block::Note),
        Block::Code(text) => both(cut(&text), Block::Code),
        Block::Facts(facts) => {
            facts.iter().map(|(label, value)| Block::Text(fact_line(label, value))).collect()
        }
        Block::Commands(commands) => {
            commands.iter().map(|(what_for, words)| Block::Text(command(what_for, words))).collect()
        }
        Block::Records(records) => records.into_iter().flat_map(record_pieces).collect(),
        Block::List(heading, points) if heading.is_empty() => {
            let half = |point| both(halves(point), |half| Block::List(Line::new(), vec![half]));
            points.into_iter().flat_map(half).collect()
        }
        Block::List(heading, points) => {
            vec![Block::Text(heading), Block::List(Line::new(), points)]
        }
    };
    blocks.into_iter().map(Section::Block).collect()
}

fn record_pieces(record: Record) -> Vec<Block> {
    let mut blocks = Vec::with_capacity(record.facts.len() + 1);
    if !record.title.is_empty() {
        blocks.push(if record.facts.is_empty() {
            Block::Text(record.title)
        } else {
            Block::Records(vec![Record { title: record.title, facts: Vec::new() }])
        });
    }
    blocks.extend(record.facts.into_iter().map(|fact| Block::Facts(vec![fact])));
    blocks
}

fn both<T>((first, second): (T, T), block: impl Fn(T) -> Block) -> Vec<Block> {
    vec![block(first), block(second)]
}

/// A line in two: between pieces, or, where it is one piece, inside it. Somebody else's words are
/// never cut: their second half would stand there without quotation marks.
fn halves(mut line: Line) -> (Line, Line) {
    if line.0.len() > 1 {
        let rest = line.0.split_off(line.0.len() / 2);
        return (line, Line(rest));
    }
    let one = |span| Line(vec![span]);
    match line.0.pop() {
        Some(Span::Plain(text)) => pair(&text, |half| one(Span::Plain(half))),
        Some(Span::Strong(text)) => pair(&text, |half| one(Span::Strong(half))),
        // What is not seen goes first: a half without anything to see would be drawn as "(none)".
        Some(Span::Code(text)) => pair(visible(&text).trim(), |half| one(Span::Code(half))),
        Some(Span::Command(text)) => {
            let (first, second) = cut(visible(&text).trim());
            (one(Span::Command(first)), one(Span::Code(second)))
        }
        Some(whole @ (Span::Hostile(_) | Span::Spoiler(_) | Span::Time(_) | Span::Named(_))) => {
            (one(whole), Line::new())
        }
        None => (Line::new(), Line::new()),
    }
}

fn pair(text: &str, line: impl Fn(String) -> Line) -> (Line, Line) {
    let (first, second) = cut(text);
    (line(first), line(second))
}

/// A text in two, at white space in its second quarter where there is any, else between two
/// graphemes.
fn cut(text: &str) -> (String, String) {
    let middle = text.len() / 2;
    let mut at = 0;
    let mut space = None;
    for (start, grapheme) in text.grapheme_indices(true) {
        let end = start + grapheme.len();
        if end > middle && at > 0 {
            break;
        }
        at = end;
        if end > middle / 2 && grapheme.trim().is_empty() {
            space = Some(end);
        }
    }
    let (first, second) = text.split_at_checked(space.unwrap_or(at)).unwrap_or((text, ""));
    (first.to_owned(), second.to_owned())
}
