//! Splitting a line into words, and writing words as a line.
//!
//! There are quotes and nothing else: `#` begins an alias and `\` is a character, as in a regular
//! expression. A mark opens a quotation at the beginning of a word, behind the `=` of an option, or
//! right behind a quotation that ended; anywhere else it is an apostrophe. Quotations that touch
//! make one word.

use super::{
    Misread,
    characters::{self, Mark},
    links,
};

/// How much of the text a [`Misread`] repeats, in characters.
const EXCERPT: usize = 40;

/// A line as words.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The words.
    pub(super) words: Vec<Word>,
    /// Whether one differs from what was typed by more than quotation marks.
    pub(super) changed: bool,
}

/// One word.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// Its text without quotation marks.
    pub(super) text: String,
    /// Whether any of it stood in quotation marks.
    pub(super) quoted: bool,
    /// How many double marks stand in it as ordinary characters.
    doubles: usize,
}

/// Whether a line is taken to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As it comes from a keyboard that improves it.
    Typed,
    /// As it is, since it stands in backticks or a fence.
    Verbatim,
}

/// Splits a line.
pub(super) fn split(line: &str, style: Style) -> Result<Words, Misread> {
    let mut splitter = Splitter { rest: line, style, changed: false };
    let mut words = Vec::new();
    while let Some(word) = splitter.word()? {
        words.push(word);
    }
    Ok(Words { words, changed: splitter.changed })
}

/// Where the splitting has come to.
struct Splitter<'a> {
    rest: &'a str,
    style: Style,
    changed: bool,
}

impl Splitter<'_> {
    /// The next word, or `None` at the end.
    fn word(&mut self) -> Result<Option<Word>, Misread> {
        self.skip_space();
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut word = Word::default();
        self.dashes(&mut word);
        // Whether a mark here opens a quotation, and whether one has just ended.
        let (mut opens, mut ended) = (word.text.is_empty(), false);
        while let Some(c) = self.rest.chars().next().filter(|c| !c.is_whitespace()) {
            if opens && let Some(mark) = self.mark(c) {
                self.quotation(mark, &mut word)?;
                ended = true;
            } else if self.is_dropped(c, &word) {
                self.bump(c);
                self.changed = true;
            } else if ended {
                self.listing()?;
            } else if opens && self.link(&mut word)? {
                opens = false;
            } else {
                opens = c == '=' && word.text.starts_with('-') && !word.text.contains('=');
                self.bump(c);
                self.ordinary(c, &mut word);
            }
        }
        if word.doubles % 2 == 1 {
            return Err(Misread::Stray { word: excerpt(&word.text) });
        }
        Ok(Some(word))
    }

    fn skip_space(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            let dropped = self.is_dropped(c, &Word::default());
            if !c.is_whitespace() && !dropped {
                return;
            }
            self.changed |= self.style == Style::Typed && !c.is_ascii();
            self.bump(c);
        }
    }

    fn bump(&mut self, c: char) {
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
    }

    fn mark(&self, c: char) -> Option<Mark> {
        match self.style {
            Style::Typed => Mark::opening(c),
            Style::Verbatim => Mark::opening_verbatim(c),
        }
    }

    fn is_dropped(&self, c: char, word: &Word) -> bool {
        self.style == Style::Typed && characters::is_invisible(c, word.text.chars().next_back())
    }

    /// Takes dashes at the beginning of a word, which were hyphens. Behind one dash a single letter
    /// is a short option: there is no long one of that length.
    fn dashes(&mut self, word: &mut Word) {
        if self.style == Style::Verbatim {
            return;
        }
        let name =
            self.rest.trim_start_matches(|c| characters::is_dash(c) || characters::is_hyphen(c));
        let run = self.rest.strip_suffix(name).unwrap_or_default();
        // One that stands alone is punctuation of a sentence, and ends no options.
        let alone = name.is_empty() || name.starts_with(char::is_whitespace);
        if !run.contains(characters::is_dash) || alone {
            return;
        }
        let mut letters = name.chars().take_while(|&c| !c.is_whitespace() && c != '=');
        let short = run.chars().count() == 1
            && letters.next().is_some_and(char::is_alphabetic)
            && letters.next().is_none();
        word.text.push_str(if short { "-" } else { "--" });
        self.rest = name;
        self.changed = true;
    }

    /// Takes a quotation, from its opening mark to its closing one.
    fn quotation(&mut self, mark: Mark, word: &mut Word) -> Result<(), Misread> {
        let mut chars = self.rest.chars();
        let open = chars.next().unwrap_or_default();
        let text = chars.as_str();
        let Some((inside, rest)) =
            text.find(|c| mark.is_closed_by(c)).and_then(|end| text.split_at_checked(end))
        else {
            return Err(Misread::Unclosed { mark: open, text: excerpt(text) });
        };
        let mut rest = rest.chars();
        rest.next();
        self.rest = rest.as_str();
        word.quoted = true;
        if mark.is_verbatim() {
            word.text.push_str(inside);
            return Ok(());
        }
        self.changed = true;
        for c in mark.without_padding(inside).chars() {
            characters::push_plain(c, &mut word.text);
        }
        Ok(())
    }

    /// Leaves out the comma or bracket that lists a word in quotation marks, if nothing else stands
    /// behind the closing one.
    fn listing(&mut self) -> Result<(), Misread> {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (behind, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        if self.style == Style::Verbatim || !behind.chars().all(|c| ",;:.)]}".contains(c)) {
            return Err(Misread::Glued { text: excerpt(self.rest) });
        }
        self.rest = rest;
        self.changed = true;
        Ok(())
    }

    /// Takes a link if there is one, as the id that it stands for.
    fn link(&mut self, word: &mut Word) -> Result<bool, Misread> {
        let Some(link) = links::at_start(self.rest) else { return Ok(false) };
        if let Some(label) = link.label {
            links::agree(label, &link.id)?;
        }
        word.text.push_str(&link.id);
        self.rest = link.rest;
        self.changed = true;
        Ok(true)
    }

    fn ordinary(&mut self, c: char, word: &mut Word) {
        match self.style {
            Style::Typed => self.changed |= characters::push_plain(c, &mut word.text),
            Style::Verbatim => word.text.push(c),
        }
        word.doubles += usize::from(word.text.ends_with('"'));
    }
}

fn excerpt(text: &str) -> String {
    if text.chars().count() <= EXCERPT {
        return text.to_owned();
    }
    text.chars().take(EXCERPT).chain("...".chars()).collect()
}

/// Writes `words` as the command line that [`hear`](super::hear) reads back as just these words,
/// with the `!`.
///
/// The first must be the lower-case name of a group. A control character cannot be typed, least of
/// all a line break, which would begin another line: each is written as a space.
pub fn quote(words: &[String]) -> String {
    let mut line = String::from("!");
    for (place, word) in words.iter().enumerate() {
        if place > 0 {
            line.push(' ');
        }
        line.push_str(&quote_at(place, word));
    }
    line
}

/// How many words of a command are shown where it is not to be copied.
const SHOWN: usize = 24;

/// How many ids that stand one behind the other are shown; of more the first and the last.
const IDS_SHOWN: usize = 3;

/// The same for somebody who reads it, wherever a command is shown and not to be copied: of many ids in
/// a row the first and the last, with how many they are; of another long one, how it begins and how many
/// words follow.
pub fn shown(words: &[String]) -> String {
    let mut pieces = Vec::new();
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        let ids = rest.iter().take_while(|word| is_id(word)).count();
        match rest.split_at_checked(ids) {
            Some(([first, .., last], after)) if ids > IDS_SHOWN => {
                pieces.push(format!("{} … {} ({ids})", quote_word(first), quote_word(last)));
                rest = after;
            }
            _ => {
                let place = words.len() - rest.len();
                pieces.push(quote_at(place, word));
                rest = after;
            }
        }
    }
    match pieces.split_at_checked(SHOWN) {
        Some((shown, rest)) if !rest.is_empty() => {
            format!("!{} … (and {} more)", shown.join(" "), rest.len())
        }
        _ => format!("!{}", pieces.join(" ")),
    }
}

/// Whether a word says by its first character that it is an id.
fn is_id(word: &str) -> bool {
    word.starts_with(['@', '!', '#']) || word.starts_with("mxc://")
}

/// A word as it is written in its place of a command.
fn quote_at(place: usize, word: &str) -> String {
    // Upper case in the place of the verb must not be taken for a slip of the phone.
    let kept = place == 1 && word.contains(|c: char| c.is_ascii_uppercase());
    if kept { in_marks(word) } else { quote_word(word) }
}

/// One word as it can be typed anywhere in a command.
pub(super) fn quote_word(word: &str) -> String {
    let bare = !word.is_empty()
        && word.chars().all(|c| c.is_alphanumeric() || "!#$%&()*+,-./:;<=>?@\\^_{|}~".contains(c))
        && !word.contains(links::WITHIN)
        && !word.contains(links::SCHEME);
    if bare { word.to_owned() } else { in_marks(word) }
}

/// `word` in the first kind of marks that it does not hold itself, or in pieces where it holds
/// all of them.
fn in_marks(word: &str) -> String {
    let word: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match ['"', '\'', '`'].into_iter().find(|&mark| !word.contains(mark)) {
        Some(mark) => format!("{mark}{word}{mark}"),
        None => format!("\"{}\"", word.replace('"', r#""'"'""#)),
    }
}
