//! YAML as a tree that knows its lines.
//!
//! The parser's events are taken as they are, rather than through serde, whose first surprise is
//! its last word: here every fault of the file is to be told at once. The tree also keeps what
//! serde drops and people stumble over: whether a text was quoted, and YAML's own meaning of an
//! unquoted `!`, `&` and `*`.

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError};

use super::fault::Fault;

/// Collections within collections, beyond which a file is not read: ours needs four.
const DEPTH: usize = 32;

/// One node with the line that it begins on, counted from 1. Not `Debug`: it may hold a secret
/// that was written where none belongs.
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a node is.
pub(super) enum Value {
    /// Nothing was written.
    Empty,
    /// One piece of text; `plain` if it stands without quotes.
    Text { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys with their values, in order.
    Map(Vec<Entry>),
    /// Something that YAML knows and this file does not: a tag, an anchor, an alias.
    Foreign,
}

/// One key of a map and its value. `key` is empty where the key is no text.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) node: Node,
}

/// A collection that is still open.
enum Open {
    List { line: usize, foreign: bool, items: Vec<Node> },
    Map { line: usize, foreign: bool, entries: Vec<Entry>, key: Option<(String, usize)> },
}

/// Parses the one document of a file; `None` if there is nothing in it.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Fault> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEPTH;
    options.block_nesting_limit = DEPTH;
    let mut open = Vec::new();
    let mut root = None;
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        let line = span.start.line();
        let finished = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(second_document(line));
                }
                None
            }
            Event::Scalar(text, style, anchor, tag) => {
                let foreign = anchor != 0 || tag.is_some();
                Some(Node { line, value: scalar(text.into_owned(), style, foreign) })
            }
            Event::Alias(_) => Some(Node { line, value: Value::Foreign }),
            Event::SequenceStart(_, anchor, tag) => {
                let foreign = anchor != 0 || tag.is_some();
                open.push(Open::List { line, foreign, items: Vec::new() });
                None
            }
            Event::MappingStart(_, anchor, tag) => {
                let foreign = anchor != 0 || tag.is_some();
                open.push(Open::Map { line, foreign, entries: Vec::new(), key: None });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(close),
            _ => None,
        };
        if let Some(node) = finished {
            place(node, &mut open, &mut root);
        }
    }
    Ok(root.filter(|node| !matches!(node.value, Value::Empty)))
}

fn scalar(text: String, style: ScalarStyle, foreign: bool) -> Value {
    let plain = style == ScalarStyle::Plain;
    match text.as_str() {
        _ if foreign => Value::Foreign,
        "" | "~" | "null" if plain => Value::Empty,
        _ => Value::Text { text, plain },
    }
}

fn close(open: Open) -> Node {
    match open {
        Open::List { line, foreign: false, items } => Node { line, value: Value::List(items) },
        Open::Map { line, foreign: false, entries, .. } => {
            Node { line, value: Value::Map(entries) }
        }
        Open::List { line, .. } | Open::Map { line, .. } => Node { line, value: Value::Foreign },
    }
}

/// Puts a finished node where it belongs: into the innermost open collection, or at the root.
fn place(node: Node, open: &mut [Open], root: &mut Option<Node>) {
    match open.last_mut() {
        None => *root = Some(node),
        Some(Open::List { items, .. }) => items.push(node),
        Some(Open::Map { entries, key, .. }) => match key.take() {
            Some((key, line)) => entries.push(Entry { key, line, node }),
            None => *key = Some(as_key(node)),
        },
    }
}

fn as_key(node: Node) -> (String, usize) {
    match node.value {
        Value::Text { text, .. } => (text, node.line),
        _ => (String::new(), node.line),
    }
}

/// The parser's own words hold at most one character of the file, so they can be shown.
fn not_yaml(error: &ScanError) -> Fault {
    Fault {
        key: String::new(),
        line: Some(error.marker().line()),
        what: format!("this is not YAML: {} (column {})", error.info(), error.marker().col() + 1),
        instead: "Put ids that begin with @, ! or # in double quotes, and indent with spaces; \
            other mistakes can be found once this line is right"
            .to_owned(),
    }
}

fn second_document(line: usize) -> Fault {
    Fault {
        key: String::new(),
        line: Some(line),
        what: "a second YAML document begins here".to_owned(),
        instead: "Remove the line `---` and what you do not need".to_owned(),
    }
}
