//! How much of a phone's screen an answer takes, for the tests that hold the targets.

use unicode_width::UnicodeWidthStr as _;

use super::{Layout, Reply};

/// Characters of a line on a phone that is 390 pixels wide.
const COLUMNS: usize = 45;

/// Lines of a screen.
pub(crate) const SCREEN: usize = 30;

/// What a notification shows of the first line.
pub(crate) const NOTIFICATION: usize = 80;

/// The plain text of an answer, without what nobody sees.
pub(crate) fn body(reply: &Reply) -> String {
    let messages = reply.draw(Layout::default());
    let bodies: Vec<String> =
        messages.iter().map(|message| message.body.replace('\u{2060}', "")).collect();
    bodies.join("\n\n")
}

/// How many lines a text takes there, empty ones too.
pub(crate) fn lines(text: &str) -> usize {
    text.lines().map(wrapped).sum()
}

fn wrapped(line: &str) -> usize {
    let (mut lines, mut used) = (1, 0);
    for word in line.split(' ') {
        let width = word.width();
        if used > 0 && used + 1 + width > COLUMNS {
            (lines, used) = (lines + 1, 0);
        }
        used += width + usize::from(used > 0);
        // What is longer than a line is broken anywhere.
        lines += used.saturating_sub(1) / COLUMNS;
        used = if used > COLUMNS { (used - 1) % COLUMNS + 1 } else { used };
    }
    lines
}

#[test]
fn lines_are_counted_as_they_are_wrapped() {
    assert_eq!(lines("short"), 1);
    assert_eq!(lines(""), 0);
    assert_eq!(lines("a\n\nb"), 3);
    assert_eq!(lines("word ".repeat(9).trim_end()), 1);
    assert_eq!(lines(&["word"; 10].join(" ")), 2);
    assert_eq!(lines(&"x".repeat(46)), 2);
}
