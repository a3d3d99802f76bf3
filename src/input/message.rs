//! The lines of a message: which is the command, what is quoted, what is its body.

use ruma::RoomId;

use super::{
    Command, Ears, Heard, Misread, Prefix, Reason, answers, characters, links,
    words::{self, Style},
};

mod unsigned;

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
pub(super) fn read(text: &str, ears: Ears<'_>) -> Heard {
    let lines = lines(text);
    let Some(start) =
        lines.iter().position(|&(kind, _)| !matches!(kind, Kind::Blank | Kind::Quote))
    else {
        return only_quotes(&lines, ears);
    };
    let (above, lines) = lines.split_at(start);
    let under_quote = above.last().is_some_and(|&(kind, _)| kind == Kind::Quote);
    let heard = match unfenced(lines) {
        Some(lines) => read_lines(&lines, Style::Verbatim, ears),
        None => read_lines(lines, Style::Typed, ears),
    };
    match heard {
        Heard::Nothing(_) | Heard::Misread(_) => heard,
        _ if under_quote => Heard::Misread(Misread::UnderQuote),
        _ => heard,
    }
}

/// A message in which nothing stands beside quotes. A command that is quoted is not run; it deserves
/// an answer where it is all there is.
fn only_quotes(lines: &[Line<'_>], ears: Ears<'_>) -> Heard {
    let mut quotes = lines.iter().filter(|&&(kind, _)| kind == Kind::Quote);
    let Some((_, first)) = quotes.next() else { return Heard::Nothing(Reason::Empty) };
    let inside = first.trim_start().trim_start_matches('>');
    let is_command = matches!(Head::of(inside, Style::Typed, ears), Head::Known(..));
    if is_command && quotes.next().is_none() {
        Heard::Misread(Misread::Quoted)
    } else {
        Heard::Nothing(Reason::Quote)
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
fn read_lines(lines: &[Line<'_>], style: Style, ears: Ears<'_>) -> Heard {
    let Some((&(kind, line), below)) = lines.split_first() else {
        return Heard::Nothing(Reason::Empty);
    };
    let alone = below.iter().all(|&(kind, _)| matches!(kind, Kind::Blank | Kind::Quote));
    let head = match kind {
        Kind::Plain => match Head::of(line, style, ears) {
            Head::Talk if style == Style::Typed => Head::within(line, alone, ears),
            head => head,
        },
        _ => Head::Talk,
    };
    let another = below.iter().any(|&(kind, line)| {
        kind == Kind::Plain && matches!(Head::of(line, style, ears), Head::Known(..))
    });
    match head {
        Head::Known(..) | Head::Meant(..) if another => Heard::Misread(Misread::TwoCommands),
        Head::Known(line, style) | Head::Meant(line, style) => match command(line, style, below) {
            Ok(command) => Heard::Command(command),
            Err(misread) => Heard::Misread(misread),
        },
        Head::Unclear(misread) => Heard::Misread(misread),
        _ if another => Heard::Misread(Misread::NotFirst),
        Head::RoomId => Heard::Nothing(Reason::RoomId),
        Head::Talk if alone && !is_for_another(line, ears) => {
            answers::heard(unaddressed(line, ears).unwrap_or(line))
        }
        Head::Talk => Heard::Nothing(Reason::Talk),
    }
}

/// How a line begins.
enum Head<'a> {
    /// With the prefix and a group; the line behind the prefix.
    Known(&'a str, Style),
    /// With the prefix and something that is meant for one.
    Meant(&'a str, Style),
    /// With a room id.
    RoomId,
    /// With a known command that is not to be run, and why.
    Unclear(Misread),
    /// Otherwise.
    Talk,
}

impl<'a> Head<'a> {
    fn of(line: &'a str, style: Style, ears: Ears<'_>) -> Self {
        let Ears { prefix, is_group, .. } = ears;
        let line = trim(line);
        let (line, style) =
            in_backticks(line).map_or((line, style), |line| (line, Style::Verbatim));
        let Some(first) = prefix.strip(line) else { return Self::Talk };
        // A key that was pressed twice; without a known word behind it is an exclamation.
        let behind = prefix.strip_again(first);
        let doubled = behind.len() < first.len();
        let command = trim(behind);
        let word: String = command
            .chars()
            .take_while(|c| !c.is_whitespace())
            .filter(|&c| style == Style::Verbatim || !characters::is_invisible(c, None))
            .collect();
        // With a space between it may be a command or an exclamation, so the word must be known; behind
        // another sign, such as a full stop, people go on talking.
        let spaced = behind.starts_with(char::is_whitespace);
        if word.is_empty() || spaced && !prefix.is_usual() {
            Self::Talk
        } else if is_group(&word.to_ascii_lowercase()) {
            Self::Known(command, style)
        } else if spaced || doubled {
            Self::Talk
        } else if prefix.is_usual() && is_room_id(&word) {
            Self::RoomId
        } else if is_joined(&word, is_group)
            || is_letters(word.trim_end_matches(['.', ',', ':', ';', '!', '?']))
        {
            Self::Meant(command, style)
        } else {
            Self::Talk
        }
    }
}

impl<'a> Head<'a> {
    /// The same of a line that does not begin with the prefix, without what people and clients put before a
    /// command or around it: a mention of the `bot`, a bullet, the marks of bold and italic text.
    /// Nothing but a known command is found there, unless it is the bot that is spoken to. A bullet
    /// makes it one of several where other lines follow.
    fn within(line: &'a str, alone: bool, ears: Ears<'_>) -> Self {
        let line = trim(line);
        let unaddressed = unaddressed(line, ears);
        let text = unaddressed.unwrap_or(line);
        let (text, bulleted) = unbulleted(text).map_or((text, false), |text| (text, true));
        let text = unspoiled(text).unwrap_or(text);
        let bare = text.trim_start_matches(STYLES);
        let marks = text.strip_suffix(bare).unwrap_or_default();
        let Some(whole) = unstyled(bare, marks) else {
            let plain = bare.replace(STYLES, "");
            let is_known = matches!(Head::of(&plain, Style::Typed, ears), Head::Known(..));
            return if is_known { Self::Unclear(Misread::Styled) } else { Self::Talk };
        };
        let whole = unspoiled(whole).unwrap_or(whole);
        let usual = Prefix::default();
        let head = match Self::of(whole, Style::Typed, ears) {
            // Whoever says the name of the bot speaks to no other.
            Self::Talk if unaddressed.is_some() => {
                Self::of(whole, Style::Typed, Ears { prefix: &usual, ..ears })
            }
            head => head,
        };
        match head {
            Self::Known(..) if marks.contains("~~") => Self::Unclear(Misread::StruckOut),
            Self::Known(..) if bulleted && !alone => Self::Unclear(Misread::Bulleted),
            known @ Self::Known(..) => known,
            meant @ Self::Meant(..) if unaddressed.is_some() && !bulleted && marks.is_empty() => {
                meant
            }
            _ if is_quoted(line, ears) => Self::Unclear(Misread::Quoted),
            _ => match unsigned::meant(text, unaddressed.is_some(), ears) {
                Some(command) => {
                    Self::Unclear(Misread::Unsigned { command: alone.then(|| command.to_owned()) })
                }
                None => Self::Talk,
            },
        }
    }
}

/// Whether a line begins like a command of another bot, which no answer of this one's is: `!confirm 4821`.
fn is_for_another(line: &str, ears: Ears<'_>) -> bool {
    let is_sign = |c: char| c.is_ascii_punctuation() && characters::OTHER_SIGNS.contains(&c);
    let begins = |c: char| characters::BANGS.contains(&c) || is_sign(c);
    !ears.prefix.is_usual() && trim(line).starts_with(begins)
}

/// What makes text bold, italic or struck out.
const STYLES: [char; 3] = ['*', '_', '~'];

/// `line` without the mention of the bot that it begins with: its id, or its localpart with an `@`
/// before it or a colon behind it, as clients without pills write it.
fn unaddressed<'a>(line: &'a str, ears: Ears<'_>) -> Option<&'a str> {
    let bot = ears.bot?;
    let separators = [':', ',', ';', '\u{FF1A}', '\u{FF0C}'];
    let line = trim(line);
    if let Some(behind) = line.strip_prefix(bot.as_str()) {
        let rest = behind.trim_start_matches(separators);
        return (rest.len() < behind.len() || rest.starts_with(char::is_whitespace))
            .then(|| trim(rest));
    }
    let text = line.strip_prefix(['@', '\u{FF20}']).unwrap_or(line);
    let (name, behind) = text.split_at_checked(bot.localpart().len())?;
    let rest = behind.trim_start_matches(separators);
    let separated = text.len() < line.len() || rest.len() < behind.len();
    let begins = |c: char| c.is_whitespace() || characters::BANGS.contains(&c);
    let goes_on =
        rest.starts_with(begins) || rest.len() < behind.len() && ears.prefix.strip(rest).is_some();
    (name.eq_ignore_ascii_case(bot.localpart()) && separated && goes_on).then(|| trim(rest))
}

/// `line` without the bullet that it begins with.
fn unbulleted(line: &str) -> Option<&str> {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = if number.len() < line.len() {
        number.strip_prefix(['.', ')'])?
    } else {
        line.strip_prefix(['-', '*', '+', '•', '‣', '◦', '·', '–', '—'])?
    };
    behind.starts_with(char::is_whitespace).then(|| trim(behind))
}

/// `text` without the marks of a spoiler around it.
fn unspoiled(text: &str) -> Option<&str> {
    text.strip_prefix("||")?.strip_suffix("||").map(trim)
}

/// `text` without the marks at its end that close those before it, if all of them do.
fn unstyled<'a>(text: &'a str, marks: &str) -> Option<&'a str> {
    let closing: String = marks.chars().rev().collect();
    text.strip_suffix(closing.as_str())
}

/// Whether a line is a known command in quotation marks.
fn is_quoted(line: &str, ears: Ears<'_>) -> bool {
    let mut chars = line.chars();
    let opens = chars.next().and_then(characters::Mark::opening).is_some();
    opens && matches!(Head::of(chars.as_str(), Style::Typed, ears), Head::Known(..))
}

/// Whether a word is one that begins commands, with something else than a space behind it:
/// `user.details`.
fn is_joined(word: &str, is_group: &dyn Fn(&str) -> bool) -> bool {
    let end = word.find(|c: char| !c.is_alphabetic()).unwrap_or(word.len());
    word.split_at_checked(end).is_some_and(|(first, behind)| {
        behind.starts_with(['.', '/', '_', ':', ',', ';', '=', '+'])
            && is_group(&first.to_ascii_lowercase())
    })
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
            if place == 0 {
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
