//! The lines of a message: which is the command, what is quoted, what is its body.

use ruma::RoomId;

use super::{
    Command, Heard, Misread, Reason, characters, links,
    words::{self, Style},
};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    /// Begins with `>`.
    Quote,
    /// Opens or closes a fenced block.
    Fence,
    /// Stands in a fenced block.
    Code,
    Plain,
}

type Line<'a> = (Kind, &'a str);

/// Reads a message from its text.
pub(super) fn read(text: &str, is_group: &dyn Fn(&str) -> bool) -> Heard {
    let lines = lines(text);
    let Some(start) =
        lines.iter().position(|&(kind, _)| !matches!(kind, Kind::Blank | Kind::Quote))
    else {
        let quoted = lines.iter().any(|&(kind, _)| kind == Kind::Quote);
        return Heard::Nothing(if quoted { Reason::Quote } else { Reason::Empty });
    };
    let (above, lines) = lines.split_at(start);
    let under_quote = above.last().is_some_and(|&(kind, _)| kind == Kind::Quote);
    let heard = match unfenced(lines) {
        Some(lines) => read_lines(&lines, Style::Verbatim, is_group),
        None => read_lines(lines, Style::Typed, is_group),
    };
    match heard {
        Heard::Nothing(_) | Heard::Misread(_) => heard,
        _ if under_quote => Heard::Misread(Misread::UnderQuote),
        _ => heard,
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut fenced = false;
    let mut kind = |line: &str| {
        let line = line.trim();
        let behind = line.trim_start_matches('`');
        let fence = line.len() - behind.len() >= 3 && !behind.contains('`');
        match line {
            // What follows an opening fence names a language; a closing one stands alone.
            _ if fence && (!fenced || behind.is_empty()) => {
                fenced = !fenced;
                Kind::Fence
            }
            _ if fenced => Kind::Code,
            "" => Kind::Blank,
            _ if line.starts_with('>') => Kind::Quote,
            _ => Kind::Plain,
        }
    };
    text.lines().map(|line| (kind(line), line)).collect()
}

/// The lines within the fence that surrounds the whole, if one does.
fn unfenced<'a>(lines: &[Line<'a>]) -> Option<Vec<Line<'a>>> {
    let ((Kind::Fence, _), lines) = lines.split_first()? else { return None };
    let end = lines.iter().position(|&(kind, _)| kind != Kind::Code).unwrap_or(lines.len());
    let (inside, behind) = lines.split_at(end);
    let alone = behind.iter().skip(1).all(|&(kind, _)| kind == Kind::Blank);
    alone.then(|| {
        // Without the fence these are plain lines, but what quotes there is not a quote.
        inside
            .iter()
            .map(|&(_, line)| {
                (if line.trim().is_empty() { Kind::Blank } else { Kind::Plain }, line)
            })
            .skip_while(|&(kind, _)| kind == Kind::Blank)
            .collect()
    })
}

/// Reads a message without quotes above it.
fn read_lines(lines: &[Line<'_>], style: Style, is_group: &dyn Fn(&str) -> bool) -> Heard {
    let Some((&(kind, line), below)) = lines.split_first() else {
        return Heard::Nothing(Reason::Empty);
    };
    let head = if kind == Kind::Plain { Head::of(line, style, is_group) } else { Head::Talk };
    let another = below.iter().any(|&(kind, line)| {
        kind == Kind::Plain && matches!(Head::of(line, style, is_group), Head::Known(..))
    });
    match head {
        Head::Known(..) | Head::Meant(..) if another => Heard::Misread(Misread::TwoCommands),
        Head::Known(line, style) | Head::Meant(line, style) => match command(line, style, below) {
            Ok(command) => Heard::Command(command),
            Err(misread) => Heard::Misread(misread),
        },
        _ if another => Heard::Misread(Misread::NotFirst),
        Head::RoomId => Heard::Nothing(Reason::RoomId),
        Head::Talk if below.iter().all(|&(kind, _)| matches!(kind, Kind::Blank | Kind::Quote)) => {
            answer(line).unwrap_or(Heard::Nothing(Reason::Talk))
        }
        Head::Talk => Heard::Nothing(Reason::Talk),
    }
}

/// A bare yes or no. A question mark makes it neither.
fn answer(line: &str) -> Option<Heard> {
    let said = line.trim().trim_end_matches(['.', ',', '!']).trim_end().to_ascii_lowercase();
    match said.as_str() {
        "yes" | "y" | "ok" => Some(Heard::Yes),
        "no" | "n" => Some(Heard::No),
        _ => None,
    }
}

/// How a line begins.
enum Head<'a> {
    /// With `!` and a group; the line behind the `!`.
    Known(&'a str, Style),
    /// With `!` and something that is meant for one.
    Meant(&'a str, Style),
    /// With a room id.
    RoomId,
    /// Otherwise.
    Talk,
}

impl<'a> Head<'a> {
    fn of(line: &'a str, style: Style, is_group: &dyn Fn(&str) -> bool) -> Self {
        let line = trim(line);
        let (line, style) =
            in_backticks(line).map_or((line, style), |line| (line, Style::Verbatim));
        let Some(behind) = line.strip_prefix('!') else { return Self::Talk };
        let command = trim(behind);
        let word: String = command
            .chars()
            .take_while(|c| !c.is_whitespace())
            .filter(|&c| style == Style::Verbatim || !characters::is_invisible(c, None))
            .collect();
        // With a space between it may be a command or an exclamation, so the word must be known.
        let spaced = behind.starts_with(char::is_whitespace);
        if word.is_empty() {
            Self::Talk
        } else if is_group(&word.to_ascii_lowercase()) {
            Self::Known(command, style)
        } else if spaced {
            Self::Talk
        } else if is_room_id(&word) {
            Self::RoomId
        } else if is_letters(word.trim_end_matches(['.', ',', ':', ';', '!', '?'])) {
            Self::Meant(command, style)
        } else {
            Self::Talk
        }
    }
}

fn is_letters(word: &str) -> bool {
    word.starts_with(char::is_alphabetic) && word.chars().all(|c| c.is_alphabetic() || c == '-')
}

/// Whether `!` and `opaque` make a room id: with a server, or a hash of 32 bytes in the newer room
/// versions.
fn is_room_id(opaque: &str) -> bool {
    if opaque.contains(':') {
        let Ok(room) = RoomId::parse(format!("!{opaque}")) else { return false };
        return room.server_name().is_some();
    }
    opaque.len() == 43 && opaque.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// `text` without space and invisible characters around it.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || characters::is_invisible(c, None))
}

/// What stands between the backticks that surround the whole of `line`, if they do.
fn in_backticks(line: &str) -> Option<&str> {
    let inside = line.trim_matches('`');
    let marks = line.len() - line.trim_start_matches('`').len();
    let as_many = line.len() - line.trim_end_matches('`').len() == marks;
    (marks > 0 && as_many && !inside.contains('`')).then(|| trim(inside))
}

fn command(line: &str, style: Style, below: &[Line<'_>]) -> Result<Command, Misread> {
    let split = words::split(line, style)?;
    let mut changed = split.changed;
    let words = split
        .words
        .into_iter()
        .enumerate()
        .map(|(place, mut word)| {
            let verb = word.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if place == 0 || (place == 1 && verb && !word.quoted) {
                word.text.make_ascii_lowercase();
            }
            word.text
        })
        .collect();
    let mut body = Vec::new();
    for &(kind, line) in below {
        match kind {
            Kind::Quote | Kind::Fence => {}
            Kind::Plain if style == Style::Typed => {
                let plain = links::without_labels(line)?;
                changed |= plain != line;
                body.push(plain);
            }
            Kind::Blank | Kind::Code | Kind::Plain => body.push(line.to_owned()),
        }
    }
    let is_blank = |line: &String| line.trim().is_empty();
    body.truncate(body.iter().rposition(|line| !is_blank(line)).map_or(0, |last| last + 1));
    let first = body.iter().position(|line| !is_blank(line)).unwrap_or(0);
    body.drain(..first);
    Ok(Command { words, body, changed })
}
