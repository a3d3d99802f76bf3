//! Links to users, rooms and events, and the ids that they stand for.

use std::fmt::Write as _;

use ruma::{MatrixToUri, MatrixUri, RoomAliasId, RoomId, UserId, matrix_uri::MatrixId};

use super::Misread;
use crate::{refs, unicode};

/// What begins a link of the web kind.
pub(super) const WEB: &str = "https://matrix.to/#/";

/// What every link of the web has in it, that of a client's own address too.
pub(super) const WITHIN: &str = "/#/";
/// What begins a link of the scheme of its own.
pub(super) const SCHEME: &str = "matrix:";

/// The longest label that is looked at, in bytes; a display name has at most 256 characters.
const LONGEST_LABEL: usize = 1024;
/// How much of a label is said, in characters.
const LONGEST_SAID: usize = 120;
/// The longest address that is looked at, in bytes: two ids, each byte of them percent-encoded,
/// and some servers to go through.
const LONGEST_ADDRESS: usize = 4096;

/// A link at the beginning of some text.
#[derive(Debug)]
pub(super) struct Link<'a> {
    /// The id that it stands for.
    pub(super) id: String,
    /// What it says, where it says something else than its address.
    pub(super) label: Option<&'a str>,
    /// The text behind it.
    pub(super) rest: &'a str,
}

/// The id that the link `address` stands for: a user, a room, an alias, or of an event in a room
/// the event alone.
pub(super) fn id(address: &str) -> Option<String> {
    // Servers to go through, which nobody here goes to.
    let (address, _) = address.split_once('?').unwrap_or((address, ""));
    // ruma's parser panics where slashes surround the path, which it takes off one by one.
    let id = if let Some(path) = web_path(address) {
        MatrixToUri::parse(&format!("{WEB}{}", path.trim_matches('/'))).ok()?.id().clone()
    } else {
        let path = address.strip_prefix(SCHEME)?.trim_matches('/');
        MatrixUri::parse(&format!("{SCHEME}{path}")).ok()?.id().clone()
    };
    let id = match id {
        MatrixId::User(id) => id.to_string(),
        MatrixId::Room(id) => id.to_string(),
        MatrixId::RoomAlias(id) => id.to_string(),
        MatrixId::Event(_, id) => id.to_string(),
        _ => return None,
    };
    (!id.chars().any(char::is_control)).then_some(id)
}

/// What the address of a link of the web kind has behind its `/#/`: that of matrix.to as people copy
/// it, or of a client's own page about a user or a room.
fn web_path(address: &str) -> Option<&str> {
    let (page, path) = address.split_once(WITHIN)?;
    let page = page.to_ascii_lowercase();
    let host = page.strip_prefix("https://").or_else(|| page.strip_prefix("http://"));
    if matches!(host.unwrap_or(&page), "matrix.to" | "www.matrix.to") {
        return Some(path);
    }
    // Of a client, the address says what its page is about.
    host?;
    path.strip_prefix("user/").or_else(|| path.strip_prefix("room/"))
}

/// What may open before a bare address and close behind it.
const OPENS: [char; 4] = ['(', '[', '{', '<'];
const CLOSES: [char; 9] = [')', ']', '}', '>', ',', ';', '.', '"', '\''];

/// The link that `text` begins with: `[label](address)`, `<address>` or a bare address that ends
/// with the word, perhaps in brackets.
pub(super) fn at_start(text: &str) -> Option<Link<'_>> {
    if let Some(link) = labelled(text) {
        return Some(link);
    }
    if let Some((address, rest)) = text.strip_prefix('<').and_then(|text| text.split_once('>')) {
        return Some(Link { id: id(address)?, label: None, rest });
    }
    let (address, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    if !address.contains(WITHIN) && !address.contains(SCHEME) {
        return None;
    }
    let address = address.trim_start_matches(OPENS).trim_end_matches(CLOSES);
    Some(Link { id: id(address)?, label: None, rest })
}

/// The link `[label](address)` that `text` begins with: what some clients write for a pill.
pub(super) fn labelled(text: &str) -> Option<Link<'_>> {
    let (label, text) = bracketed(text, '[', ']', LONGEST_LABEL)?;
    let (address, rest) = bracketed(text, '(', ')', LONGEST_ADDRESS)?;
    Some(Link { id: id(address)?, label: Some(label), rest })
}

/// What stands between the bracket that `text` begins with and the one that closes it, and what
/// comes behind. A backslash takes the meaning from the next character.
fn bracketed(text: &str, open: char, close: char, longest: usize) -> Option<(&str, &str)> {
    let text = text.strip_prefix(open)?;
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, c) in text.char_indices().take_while(|&(at, _)| at < longest) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return None,
            _ if c == open => depth += 1,
            _ if c == close && depth == 0 => {
                let (inside, rest) = text.split_at_checked(at)?;
                return Some((inside, rest.strip_prefix(close)?));
            }
            _ if c == close => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Refuses a link whose label names somebody or some room that it does not lead to, anywhere in it:
/// whoever chose that name wants to be taken for somebody else. One to a user whose id has a
/// character that cannot be seen is refused too.
pub(super) fn agree(label: &str, id: &str) -> Result<(), Misread> {
    if id.starts_with('@') && id.chars().any(unicode::is_unseen) {
        return Err(Misread::Unseen { shown: shown(id) });
    }
    let label: String = label
        .trim()
        .chars()
        .filter(|&c| c != '\\' && !unicode::is_unseen(c))
        .map(refs::narrow)
        .collect();
    let Some(other) = named(&label).find(|&(sigil, named)| !is_named(sigil, named, id)) else {
        return Ok(());
    };
    let (sigil, other) = other;
    let localpart = id.split_once(':').map_or(id, |(localpart, _)| localpart);
    let other = format!("{sigil}{other}");
    let twins = [id, localpart].iter().any(|one| one.to_lowercase() == other.to_lowercase());
    let label = label.chars().take(LONGEST_SAID).collect();
    Err(Misread::Disagrees { label, id: id.to_owned(), twins })
}

/// `id` with what cannot be seen in it made visible.
fn shown(id: &str) -> String {
    id.chars().fold(String::new(), |mut shown, c| {
        if unicode::is_unseen(c) {
            let _ = write!(shown, "<U+{:04X}>", u32::from(c));
        } else {
            shown.push(c);
        }
        shown
    })
}

/// The users and rooms that a label names, each as the sign that its id begins with and the rest:
/// whole ids anywhere, and at the beginning of a word `@ann` too.
fn named(label: &str) -> impl Iterator<Item = (char, &str)> {
    label.char_indices().filter_map(|(at, sigil)| {
        let (before, rest) = label.split_at_checked(at)?;
        let rest = rest.strip_prefix(sigil)?;
        let begins = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let word =
            rest.split(|c: char| c.is_whitespace() || "()[]{}<>\"'`,;|".contains(c)).next()?;
        let word = word.trim_end_matches(['.', ':', '!', '?', '*', '_', '~']);
        let whole = format!("{sigil}{word}");
        let is_id = match sigil {
            '@' => UserId::parse(&whole).is_ok(),
            '#' => RoomAliasId::parse(&whole).is_ok(),
            '!' => RoomId::parse(&whole).is_ok_and(|room| room.server_name().is_some()),
            _ => return None,
        };
        if is_id {
            return Some((sigil, word));
        }
        let short =
            word.split(|c: char| !c.is_ascii_alphanumeric() && !"._=-/+".contains(c)).next()?;
        let short = short.trim_end_matches(['.', '-', '/']);
        (sigil == '@' && begins && !short.is_empty()).then_some((sigil, short))
    })
}

/// Whether what a label names is where the link leads. The label of a link to an event says where
/// that stands and who wrote it.
fn is_named(sigil: char, named: &str, id: &str) -> bool {
    if id.starts_with('$') {
        return true;
    }
    let Some(id) = id.strip_prefix(sigil) else { return false };
    let localpart = id.split_once(':').map(|(localpart, _)| localpart);
    id == named || sigil == '@' && !named.contains(':') && localpart == Some(named)
}

/// `line` with the id in the place of each labelled link, outside backticks. A bare address stays:
/// in a text for others it is what they can follow.
pub(super) fn without_labels(line: &str) -> Result<String, Misread> {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    let mut code = false;
    while let Some(c) = rest.chars().next() {
        if c == '['
            && !code
            && let Some(link) = labelled(rest)
        {
            agree(link.label.unwrap_or_default(), &link.id)?;
            plain.push_str(&link.id);
            rest = link.rest;
            continue;
        }
        code ^= c == '`';
        plain.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Ok(plain)
}
