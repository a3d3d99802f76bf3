//! Walking the tree: sections, their fields, and the book in which faults are written down.

use std::{cell::RefCell, collections::BTreeSet};

use super::{
    fault::Fault,
    tree::{Entry, Node, Value},
};

/// The proof that a fault was written down: nothing else makes one. A reader that returns it may
/// give up its value without any fault being lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported(());

/// What was found out while reading.
#[derive(Default)]
pub(super) struct Book {
    faults: RefCell<Vec<Fault>>,
    asked: RefCell<BTreeSet<String>>,
}

impl Book {
    /// Writes a fault down.
    pub(super) fn add(&self, fault: Fault) -> Reported {
        self.faults.borrow_mut().push(fault);
        Reported(())
    }

    /// The faults in the order of their lines, those without a line first; and every key that was
    /// asked for, with `[]` for the items of a list.
    pub(super) fn close(self) -> (Vec<Fault>, BTreeSet<String>) {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        (faults, self.asked.into_inner())
    }
}

/// A map of the file.
pub(super) struct Section<'a> {
    book: &'a Book,
    path: String,
    line: Option<usize>,
    entries: &'a [Entry],
    known: RefCell<Vec<&'static str>>,
    /// Whether a key in here may be a secret that was typed as one, and is not to be named.
    delicate: bool,
}

impl<'a> Section<'a> {
    /// The map at the root of the file.
    pub(super) fn root(book: &'a Book, node: &'a Node) -> Result<Self, Reported> {
        Field {
            book,
            path: String::new(),
            line: None,
            node: Some(node),
            example: "read_only: true",
        }
        .section()
    }

    /// The field `key`, there or not. `example` is what could stand after its colon.
    pub(super) fn field(&self, key: &'static str, example: &'static str) -> Field<'a> {
        self.known.borrow_mut().push(key);
        let path = if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) };
        self.book.asked.borrow_mut().insert(generic(&path));
        let entry = self.entries.iter().find(|entry| entry.key == key);
        Field {
            book: self.book,
            path,
            line: entry.map(|entry| entry.line).or(self.line),
            node: entry.map(|entry| &entry.node),
            example,
        }
    }

    /// Writes a key down that an earlier version knew, where it stands there, with what to write in its
    /// place.
    pub(super) fn gone(&self, key: &'static str, what: &str, instead: &str) {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else { return };
        // Known from here on, so that it is told once.
        self.known.borrow_mut().push(key);
        self.book.add(Fault {
            key: join(&self.path, key),
            line: Some(entry.line),
            what: what.to_owned(),
            instead: instead.to_owned(),
        });
    }

    /// Every key with its field, where the keys are not ours to know; a fault where one stands there
    /// twice or is no text. The keys are in no fault's path, for they may be anything.
    pub(super) fn entries(
        self,
        example: &'static str,
    ) -> Result<Vec<(&'a str, Field<'a>)>, Reported> {
        let mut lost = None;
        let mut fields = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let before = self.entries[..place].iter().find(|other| other.key == entry.key);
            let (line, node) = (Some(entry.line), Some(&entry.node));
            let field = Field { book: self.book, path: self.path.clone(), line, node, example };
            if entry.key.is_empty() {
                lost =
                    Some(field.wrong("this key is not text", "Write a name, a colon and a value"));
            } else if let Some(before) = before {
                let what = format!("this key is already in line {}", before.line);
                lost = Some(field.wrong(what, "Keep one of the two"));
            } else {
                fields.push((entry.key.as_str(), field));
            }
        }
        lost.map_or(Ok(fields), Err)
    }

    /// A fault of the section as a whole.
    pub(super) fn wrong(&self, what: &str, instead: &str) -> Reported {
        self.book.add(Fault {
            key: self.path.clone(),
            line: self.line,
            what: what.to_owned(),
            instead: instead.to_owned(),
        })
    }

    /// Writes down keys that nobody asked for, and keys that stand there twice. To be called when
    /// every field has been asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for (place, entry) in self.entries.iter().enumerate() {
            let before = self.entries[..place].iter().find(|other| other.key == entry.key);
            if !known.contains(&entry.key.as_str()) {
                self.unknown(entry, &known);
            } else if let Some(before) = before {
                self.book.add(Fault {
                    key: join(&self.path, &entry.key),
                    line: Some(entry.line),
                    what: format!("this key is already in line {}", before.line),
                    instead: "Keep one of the two".to_owned(),
                });
            }
        }
    }

    fn unknown(&self, entry: &Entry, known: &[&'static str]) {
        let nameable = !self.delicate && looks_like_a_key(&entry.key);
        let near = known.iter().copied().min_by_key(|key| distance(key, &entry.key));
        let near = near.filter(|key| nameable && distance(key, &entry.key) * 2 <= key.len());
        self.book.add(Fault {
            key: if nameable { join(&self.path, &entry.key) } else { self.path.clone() },
            line: Some(entry.line),
            what: "there is no such key here".to_owned(),
            instead: match near {
                Some(near) => format!("Write `{near}:`, or remove the line"),
                None => format!("Remove it, or write one of: {}", known.join(", ")),
            },
        });
    }
}

/// One key of a section, or one item of a list, that may be absent.
pub(super) struct Field<'a> {
    book: &'a Book,
    path: String,
    line: Option<usize>,
    node: Option<&'a Node>,
    example: &'static str,
}

impl<'a> Field<'a> {
    /// A value that stands in no file.
    pub(super) fn alone(book: &'a Book, node: &'a Node) -> Self {
        Self { book, path: String::new(), line: None, node: Some(node), example: "" }
    }

    /// Whether the key stands there, be it with nothing after it.
    pub(super) fn is_named(&self) -> bool {
        self.node.is_some()
    }

    /// Writes down what is wrong with the value and what to write instead.
    pub(super) fn wrong(&self, what: impl Into<String>, instead: impl Into<String>) -> Reported {
        self.book.add(Fault {
            key: self.path.clone(),
            line: self.line,
            what: what.into(),
            instead: instead.into(),
        })
    }

    /// The value, which must be there.
    pub(super) fn required<T>(
        &self,
        read: impl FnOnce(&Self, &str) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        read(self, self.text()?.0)
    }

    /// The value where there is one.
    pub(super) fn optional<T>(
        &self,
        read: impl FnOnce(&Self, &str) -> Result<T, Reported>,
    ) -> Result<Option<T>, Reported> {
        // A key with nothing after it is not the same as no key: somebody meant to write a value.
        if self.is_named() { self.required(read).map(Some) } else { Ok(None) }
    }

    /// `true` or `false`, without quotes; `default` where the key is absent.
    pub(super) fn flag(&self, default: bool) -> Result<bool, Reported> {
        if !self.is_named() {
            return Ok(default);
        }
        match self.text()? {
            ("true", true) => Ok(true),
            ("false", true) => Ok(false),
            _ => Err(self.wrong(
                "this is neither true nor false",
                "Write `true` or `false`, without quotes",
            )),
        }
    }

    /// One of a few words; `default` where the key is absent, a fault if there is no default.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&'static str, T)],
        default: Option<T>,
    ) -> Result<T, Reported> {
        if let (false, Some(default)) = (self.is_named(), default) {
            return Ok(default);
        }
        let (text, _) = self.text()?;
        choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong("this value is not allowed here", format!("Write {}", words.join(" or ")))
        })
    }

    /// The items of a list, which must be there and not be empty.
    pub(super) fn list(&self) -> Result<Vec<Field<'a>>, Reported> {
        match self.node.map(|node| &node.value) {
            Some(Value::List(items)) if !items.is_empty() => Ok(items
                .iter()
                .enumerate()
                .map(|(place, node)| Field {
                    book: self.book,
                    path: format!("{}[{place}]", self.path),
                    line: Some(node.line),
                    node: Some(node),
                    example: self.example,
                })
                .collect()),
            None | Some(Value::Empty) => Err(self.absent()),
            Some(Value::List(_)) => Err(self.wrong(
                "the list is empty",
                format!("Write at least one item, such as `- {}`", self.example),
            )),
            Some(_) => Err(self.wrong(
                "this is not a list",
                format!("Put each item on its own line, such as `- {}`", self.example),
            )),
        }
    }

    /// The section below this key, which must be there.
    pub(super) fn section(&self) -> Result<Section<'a>, Reported> {
        match self.node.map(|node| &node.value) {
            Some(Value::Map(entries)) => Ok(self.open(entries)),
            None | Some(Value::Empty) => Err(self.absent()),
            Some(_) => Err(self.wrong(
                "keys with values are needed here",
                format!("Write them indented below, such as `{}`", self.example),
            )),
        }
    }

    /// The section below this key, or an empty one where the key is absent.
    pub(super) fn optional_section(&self) -> Result<Section<'a>, Reported> {
        if self.is_named() { self.section() } else { Ok(self.open(&[])) }
    }

    /// The section below this key, in which no unknown key is named since it may be a secret.
    /// `None` if one piece of text stands there instead.
    pub(super) fn delicate_section(&self) -> Result<Option<Section<'a>>, Reported> {
        match self.node.map(|node| &node.value) {
            Some(Value::Text { .. } | Value::Foreign) => Ok(None),
            _ => self.section().map(|section| Some(Section { delicate: true, ..section })),
        }
    }

    /// The section below this key, an empty one where the key is absent. `None` if one piece of text
    /// stands there instead.
    pub(super) fn section_or_text(&self) -> Result<Option<Section<'a>>, Reported> {
        match self.node.map(|node| &node.value) {
            Some(Value::Text { .. } | Value::Foreign) => Ok(None),
            _ => self.optional_section().map(Some),
        }
    }

    fn open(&self, entries: &'a [Entry]) -> Section<'a> {
        Section {
            book: self.book,
            path: self.path.clone(),
            line: self.line,
            entries,
            known: RefCell::default(),
            delicate: false,
        }
    }

    /// The text, and whether it stands without quotes.
    fn text(&self) -> Result<(&'a str, bool), Reported> {
        match self.node.map(|node| &node.value) {
            Some(Value::Text { text, .. }) if holds_placeholder(text) => Err(self.wrong(
                "this is still a placeholder",
                format!(
                    "Replace the angle brackets and what is in them with your own value, such as \
                     {}",
                    self.example
                ),
            )),
            Some(Value::Text { text, plain }) => Ok((text, *plain)),
            None | Some(Value::Empty) => Err(self.absent()),
            Some(Value::Foreign) => Err(self.wrong(
                "without quotes, a leading !, & or * has a special meaning in YAML",
                format!("Put the value in double quotes, such as {}", self.example),
            )),
            Some(Value::List(_) | Value::Map(_)) => Err(self.wrong(
                "a single text value is needed here",
                format!("Write it on the line of the key, such as {}", self.example),
            )),
        }
    }

    fn absent(&self) -> Reported {
        if !self.is_named() {
            return self.wrong("this key is missing", format!("Write {}", self.written()));
        }
        self.wrong(
            "the value is missing (text after an unquoted # is a comment)",
            format!("Write {}", self.written()),
        )
    }

    /// The example as it would stand in the file.
    fn written(&self) -> String {
        match self.path.rsplit('.').next() {
            Some(key) if !key.ends_with(']') => format!("`{key}: {}`", self.example),
            _ => format!("`{}`", self.example),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The path with the places in lists left out: `operators[].role`.
fn generic(path: &str) -> String {
    let mut parts = path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + "[]" + part)
}

/// Whether a text holds a placeholder of config.example.yaml, such as `<your-name>`. Nothing that may
/// stand in a config looks like one, not even a regular expression: its groups have no hyphen.
fn holds_placeholder(text: &str) -> bool {
    let mut names = text.split("<your-").skip(1).filter_map(|rest| rest.split_once('>'));
    names.any(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    })
}

/// Whether a text is plainly a key and no value, so that it can be repeated.
fn looks_like_a_key(text: &str) -> bool {
    (1..=24).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_lowercase() || "_-".contains(character))
}

/// How many letters must be put in, taken out or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, counterpart) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *counterpart);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
