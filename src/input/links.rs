//! Links to users, rooms and events, and the ids that they stand for.

use ruma::{MatrixToUri, MatrixUri, matrix_uri::MatrixId};

use super::Misread;

/// What begins a link of the web kind.
pub(super) const WEB: &str = "https://matrix.to/#/";
/// What begins a link of the scheme of its own.
pub(super) const SCHEME: &str = "matrix:";

/// The longest label that is looked at, in bytes; a display name has at most 256 characters.
const LONGEST_LABEL: usize = 1024;
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
    let id = if let Some(path) = address.strip_prefix(WEB) {
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

/// The link that `text` begins with: `[label](address)`, `<address>` or a bare address that ends
/// with the word.
pub(super) fn at_start(text: &str) -> Option<Link<'_>> {
    if text.starts_with('[') {
        return labelled(text);
    }
    let inside = text.strip_prefix('<');
    let link = inside.unwrap_or(text);
    if !link.starts_with(WEB) && !link.starts_with(SCHEME) {
        return None;
    }
    let (address, rest) = match inside {
        Some(inside) => inside.split_once('>')?,
        None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    Some(Link { id: id(address)?, label: None, rest })
}

/// The link `[label](address)` that `text` begins with: what some clients write for a pill.
pub(super) fn labelled(text: &str) -> Option<Link<'_>> {
    let (label, text) = bracketed(text, '[', ']', LONGEST_LABEL)?;
    let address = text.strip_prefix('(')?;
    if !address.starts_with(WEB) && !address.starts_with(SCHEME) {
        return None;
    }
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

/// Refuses a link whose label is a user's id and not the one that it leads to: whoever chose that
/// display name wants to be taken for somebody else.
pub(super) fn agree(label: &str, id: &str) -> Result<(), Misread> {
    let label: String = label.trim().chars().filter(|&c| c != '\\').collect();
    if label.starts_with('@') && label.contains(':') && label != id {
        return Err(Misread::Disagrees { label, id: id.to_owned() });
    }
    Ok(())
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
