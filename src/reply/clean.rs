//! What of a text is shown: one line, no controls, nothing invisible, nothing that turns the
//! direction of writing or overflows the line; and nothing of somebody else's that a client makes a
//! link or a mention of.

use std::net::IpAddr;

use unicode_segmentation::UnicodeSegmentation;

use super::{Hostile, markdown::APART};
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

/// Somebody else's words in quotation marks, with [`APART`] wherever a client would otherwise find an
/// address, an id or a call to the room in them. It is drawn as a word joiner, of which nothing is seen.
///
/// Clients look for links in text that has none. On both sides of a colon and of a dot: `matrix:` takes
/// whatever follows for its address, `www.` takes it in the simpler clients, an id takes whatever
/// precedes its server, and Android counts the joiner as a letter of a domain, but of none that exists
/// where it stands behind the dot. An IP address alone stays whole, so that it can be copied.
pub(super) fn unlinked(text: &Hostile) -> String {
    let quoted = quoted(text);
    if text.raw().parse::<IpAddr>().is_ok() {
        return quoted;
    }
    held_apart(&quoted)
}

/// The same of text in columns, of which only what stands in quotation marks is somebody else's: there are
/// clients that find links in code too. An id that is ours to give stays whole, so that it can be copied.
pub(super) fn unlinked_columns(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find('“') {
        let (ours, theirs) = rest.split_at(at);
        let end = theirs.find('”').map_or(theirs.len(), |end| end + '”'.len_utf8());
        let (theirs, after) = theirs.split_at(end);
        out.push_str(ours);
        if theirs.trim_matches(['“', '”']).parse::<IpAddr>().is_ok() {
            out.push_str(theirs);
        } else {
            out.push_str(&held_apart(theirs));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands in quotation marks, with [`APART`] in every address.
fn held_apart(quoted: &str) -> String {
    let mut out = String::with_capacity(quoted.len() + 8);
    let mut graphemes = quoted.graphemes(true).peekable();
    while let Some(grapheme) = graphemes.next() {
        // Before the mark that closes the quotation there is nothing to go on with.
        let next = graphemes.peek().and_then(|next| next.chars().next());
        let goes_on = next.is_some_and(|next| !matches!(next, ' ' | '\n' | '”'));
        let joins = goes_on && matches!(grapheme, ":" | "." | "。" | "．" | "｡");
        if joins && !out.ends_with(APART) {
            out.push(APART);
        }
        out.push_str(grapheme);
        // The only name of a host that takes no dot.
        let local_host =
            ends_with_local(&out) && next.is_some_and(|next| matches!(next, 'h' | 'H'));
        if joins || goes_on && grapheme == "@" || local_host {
            out.push(APART);
        }
    }
    out
}

fn ends_with_local(text: &str) -> bool {
    let at = text.len().checked_sub("local".len());
    at.and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("local"))
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

    /// As it is drawn, with `|` for what is invisible.
    fn apart(text: &str) -> String {
        unlinked(&Hostile::new(text)).replace(APART, "|")
    }

    #[test]
    fn nothing_in_a_name_is_an_address() {
        for (name, drawn) in [
            ("https://evil.example/login", "“https|:|//evil|.|example/login”"),
            ("WWW.evil.example", "“WWW|.|evil|.|example”"),
            ("see evil.example.", "“see evil|.|example.”"),
            ("матрица.рф", "“матрица|.|рф”"),
            ("evil。example", "“evil|。|example”"),
            ("matrix:u/eve:evil.test?a", "“matrix|:|u/eve|:|evil|.|test?a”"),
            ("mailto:eve@evil.example", "“mailto|:|eve@|evil|.|example”"),
            ("@eve:evil.example", "“@|eve|:|evil|.|example”"),
            ("#lobby:evil.example", "“#lobby|:|evil|.|example”"),
            ("@room and @ROOM", "“@|room and @|ROOM”"),
            ("http://LocalHost/x", "“http|:|//Local|Host/x”"),
            ("a::b @@c", "“a|:|:|b @|@|c”"),
            ("203.0.113.7:80", "“203|.|0|.|113|.|7|:|80”"),
        ] {
            assert_eq!(apart(name), drawn);
        }
    }

    #[test]
    fn what_nobody_takes_for_an_address_stays_as_it_is() {
        for name in ["Ann: the boss", "Dr. No", "so. ", "a @ b", "ends with @", "x:", "local hero"]
        {
            assert_eq!(apart(name), format!("“{}”", name.trim()));
        }
        for address in ["203.0.113.7", "2001:db8::1"] {
            assert_eq!(apart(address), format!("“{address}”"), "it can be copied");
        }
        assert_eq!(apart(""), "(none)");
        assert_eq!(apart("שלום.com"), "\u{2068}“שלום|.|com”\u{2069}");
    }

    #[test]
    fn in_columns_what_is_quoted_is_held_apart_and_no_id_of_ours() {
        let drawn = |text: &str| unlinked_columns(text).replace(APART, "|");
        for (columns, told) in [
            ("@ann:x.test  “https://a.b”  12", "@ann:x.test  “https|:|//a|.|b”  12"),
            ("Seen  “a.b\n      c.d.”  x.y", "Seen  “a|.|b\n      c|.|d.”  x.y"),
            ("IP  “203.0.113.7”  “@eve:x…”", "IP  “203.0.113.7”  “@|eve|:|x…”"),
            ("!a:x.test", "!a:x.test"),
            ("“@room", "“@|room"),
        ] {
            assert_eq!(drawn(columns), told);
        }
    }

    #[test]
    fn what_holds_links_apart_cannot_be_brought_along_and_has_its_bounds() {
        let name = format!("{}{APART}\u{2060}{}", "@".repeat(60), ":".repeat(60));
        let drawn = unlinked(&Hostile::new(name));
        assert!(drawn.len() <= 120 + 3 * 121 + "“”".len(), "{}", drawn.len());
        assert!(!drawn.contains("\u{2060}") && !drawn.contains(&format!("{APART}{APART}")));
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
