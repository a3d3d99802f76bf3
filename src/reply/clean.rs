//! What of a text is shown: one line, no controls, nothing invisible, nothing that turns the
//! direction of writing or overflows the line.

use unicode_segmentation::UnicodeSegmentation;

use super::Hostile;
use crate::unicode;

/// Most graphemes of somebody else's text that are shown.
const HOSTILE_GRAPHEMES: usize = 120;
/// Most code points of it, so that its size is bounded too: at most 2 kB in a message.
const HOSTILE_CHARS: usize = 240;
/// Most code points of one grapheme: more than any living script stacks up, less than what paints
/// over the lines above and below.
const GRAPHEME_CHARS: usize = 6;

/// `text` on one line: white space of every kind becomes a space, whatever is invisible goes, and
/// floods of combining marks are cut.
pub(super) fn visible(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let text: String = text.chars().filter_map(shown).collect();
    text.graphemes(true).flat_map(|grapheme| grapheme.chars().take(GRAPHEME_CHARS)).collect()
}

/// Somebody else's words in quotation marks, so that nobody takes them for the bot's.
pub(super) fn quoted(text: &Hostile) -> String {
    if text.is_empty() {
        return "(none)".to_owned();
    }
    // The marks that quote may not stand in what is quoted: a name could close them and go on in
    // the bot's voice.
    let text: String = visible(text.raw()).chars().map(plain_quote).collect();
    let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return "(nothing visible)".to_owned();
    }
    let mut kept = String::new();
    let mut chars = 0;
    let mut cut = false;
    for (count, grapheme) in text.graphemes(true).enumerate() {
        chars += grapheme.chars().count();
        if count == HOSTILE_GRAPHEMES || chars > HOSTILE_CHARS {
            cut = true;
            break;
        }
        kept.push_str(grapheme);
    }
    // A mark without a letter would sit on the quotation mark; it gets the circle that stands for
    // a missing letter.
    let lone = format!("“{kept}").graphemes(true).next() != Some("“");
    let circle = if lone { "◌" } else { "" };
    let more = if cut { "…" } else { "" };
    isolated(&kept, format!("“{circle}{kept}”{more}"))
}

/// `drawn`, closed off from its surroundings where `text` is written from right to left: without
/// it the words and dates beside it would trade places with it on the screen.
pub(super) fn isolated(text: &str, drawn: String) -> String {
    if text.chars().any(unicode::is_right_to_left) {
        format!("\u{2068}{drawn}\u{2069}")
    } else {
        drawn
    }
}

fn shown(c: char) -> Option<char> {
    match c {
        // Braille's blank pattern is not white space to Unicode, but looks it.
        '\u{2800}' => Some(' '),
        c if c.is_whitespace() || c.is_ascii_control() && c != '\u{7f}' => Some(' '),
        c if c.is_control() || unicode::is_unseen(c) => None,
        c => Some(c),
    }
}

fn plain_quote(c: char) -> char {
    match c {
        '“' | '”' | '„' | '‟' | '❝' | '❞' | '〝' | '〞' | '〟' | '＂' => '"',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_as(text: &str) -> String {
        quoted(&Hostile::new(text))
    }

    #[test]
    fn an_empty_name_cannot_be_mistaken_for_one_that_says_so() {
        assert_eq!(shown_as(""), "(none)");
        assert_eq!(shown_as("(none)"), "“(none)”");
        assert_eq!(shown_as("\u{200b}\u{2800}\u{202e}"), "(nothing visible)");
    }

    #[test]
    fn everything_stays_on_one_line_and_in_its_direction() {
        assert_eq!(shown_as("a\r\n\tb\u{2028}c\u{85}d"), "“a b c d”");
        assert_eq!(shown_as("evil\u{202e}txt.exe\u{2069}"), "“eviltxt.exe”");
        assert_eq!(shown_as("שלום"), "\u{2068}“שלום”\u{2069}");
    }

    #[test]
    fn a_name_cannot_close_the_quotation_marks() {
        assert_eq!(shown_as("Ann” · admin: yes · x: “"), "“Ann\" · admin: yes · x: \"”");
    }

    #[test]
    fn floods_are_cut() {
        let flood = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(shown_as(&flood), format!("“a{}b”", "\u{301}".repeat(5)));
        assert_eq!(shown_as("\u{338}"), "“◌\u{338}”");
        assert_eq!(shown_as(&"é".repeat(121)), format!("“{}”…", "é".repeat(120)));
        assert_eq!(shown_as(&"x".repeat(120)), format!("“{}”", "x".repeat(120)));
    }
}
