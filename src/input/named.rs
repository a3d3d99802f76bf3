//! What a text names: the ids in it and those behind its links.

use ruma::{EventId, RoomAliasId, RoomId, UserId};

use super::{LONGEST, Prefix, links, markup};
use crate::refs;

/// The accounts, rooms, events and files that a message names by a link, a mention or a whole id, each
/// once and in their order. Of what is quoted in it, or says one and leads to another, nothing.
pub fn named_in(body: &str, formatted: Option<&str>) -> Vec<String> {
    if body.len() > LONGEST || formatted.is_some_and(|html| html.len() > LONGEST) {
        return Vec::new();
    }
    let text = match formatted
        .map_or(markup::Rebuilt::NoPills, |html| markup::rebuild(html, body, &Prefix::default()))
    {
        markup::Rebuilt::Text { text, doubt: None } => text,
        markup::Rebuilt::NoPills => body.to_owned(),
        markup::Rebuilt::Text { .. } | markup::Rebuilt::TooMuch | markup::Rebuilt::Eaten => {
            return Vec::new();
        }
    };
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('>')) {
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (id, behind) = if let Some(link) = links::at_start(rest) {
                if link.label.is_some_and(|label| links::agree(label, &link.id).is_err()) {
                    return Vec::new();
                }
                (Some(link.id), link.rest)
            } else {
                let (word, behind) =
                    rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
                (Some(refs::bare(word)).filter(|word| is_whole(word)), behind)
            };
            found.extend(id.filter(|id| !found.contains(id)));
            rest = behind.trim_start();
        }
    }
    found
}

/// Whether a word is a whole id, and no part of a sentence that only begins like one.
fn is_whole(word: &str) -> bool {
    match word.chars().next() {
        Some('@') => UserId::parse(word).is_ok(),
        Some('!') => {
            RoomId::parse(word).is_ok_and(|room| word.len() > 40 || room.server_name().is_some())
        }
        Some('#') => RoomAliasId::parse(word).is_ok(),
        Some('$') => word.len() > 40 && EventId::parse(word).is_ok(),
        _ => word.starts_with("mxc://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_what_it_links_to_and_whole_ids_and_nothing_else() {
        let event = "$TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go";
        for (body, ids) in [
            ("look at https://matrix.to/#/@eve:x.test please", &["@eve:x.test"][..]),
            ("matrix:u/eve:x.test", &["@eve:x.test"]),
            ("it is @eve:x.test, again", &["@eve:x.test"]),
            ("@eve:x.test and https://matrix.to/#/@eve:x.test", &["@eve:x.test"]),
            ("@eve:x.test and @sam:x.test", &["@eve:x.test", "@sam:x.test"]),
            ("[Eve](https://matrix.to/#/@eve:x.test) it is", &["@eve:x.test"]),
            ("[@sam:x.test](https://matrix.to/#/@eve:x.test) it is", &[]),
            ("> @sam:x.test said\n\n@eve:x.test", &["@eve:x.test"]),
            ("$5 for eve! #fun @ home", &[]),
            (event, &[event]),
            ("see mxc://x.test/abc", &["mxc://x.test/abc"]),
        ] {
            assert_eq!(named_in(body, None), ids, "{body}");
        }
        let pill = r#"look at <a href="https://matrix.to/#/@eve:x.test">Eve</a>"#;
        assert_eq!(named_in("look at Eve", Some(pill)), ["@eve:x.test"]);
    }
}
