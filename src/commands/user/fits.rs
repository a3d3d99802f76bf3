//! Accounts whose whole id fits a pattern, all of them collected before anything is done to one.

use regex::Regex;
use serde_json::Value;

use super::page;
use crate::{error::Stop, synapse::Reader};

/// How many accounts are asked for at once.
const PAGE: u64 = 500;

/// A pattern that begins to fit at the beginning of an id, `@` and all.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Pattern(Regex);

impl std::str::FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty, and would match everybody".to_owned());
        }
        Regex::new(&format!("^(?:{text})")).map(Self).map_err(|error| {
            let why = error.to_string();
            let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("it is not a regular expression: {last}. An example: @spam-.*:example\\.org")
        })
    }
}

impl Pattern {
    /// Whether an id fits.
    pub(in crate::commands) fn fits(&self, id: &str) -> bool {
        self.0.is_match(id)
    }
}

/// The accounts, as the homeserver lists them, that are not deactivated and fit. Pages are asked
/// for to the end before anything is done: what leaves the list meanwhile would hide others.
pub(in crate::commands) async fn rows(
    pattern: &Pattern,
    locked: bool,
    reader: &Reader,
) -> Result<Vec<Value>, Stop> {
    let query = [
        ("order_by", "name".to_owned()),
        ("deactivated", "false".to_owned()),
        ("locked", locked.to_string()),
    ];
    let (mut from, mut found) = (None::<String>, Vec::new());
    loop {
        let page = page::fetch(reader, "v2", &query, from.as_deref(), PAGE).await?;
        let empty = page.rows.is_empty();
        let fits = |row: &Value| row["name"].as_str().is_some_and(|id| pattern.fits(id));
        found.extend(page.rows.into_iter().filter(fits));
        if empty || page.next.is_none() || page.next == from {
            return Ok(found);
        }
        from = page.next;
    }
}

/// The ids of the accounts that fit; a refusal where there is none.
pub(in crate::commands) async fn ids(
    pattern: &Pattern,
    locked: bool,
    reader: &Reader,
) -> Result<Vec<ruma::OwnedUserId>, Stop> {
    let rows = rows(pattern, locked, reader).await?;
    let found: Vec<_> =
        rows.iter().filter_map(|row| row["name"].as_str()?.try_into().ok()).collect();
    if found.is_empty() {
        return Err(Stop::not_found(
            "no account matches. The pattern is matched against full ids, such as \
            @ann:example.org, from their beginning",
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_held_against_the_beginning_of_the_whole_id() {
        let fits = |pattern: &str, id| pattern.parse::<Pattern>().unwrap().fits(id);
        assert!(fits("@spam-", "@spam-1:example.org"));
        assert!(fits("@(a|b)nn", "@ann:example.org"));
        assert!(!fits("spam", "@spam-1:example.org"));
        // The alternatives are held together, so that none of them fits anywhere else.
        assert!(!fits("@x|ann", "@ann:example.org"));
        assert!(!fits("@Ann", "@ann:example.org"));
    }

    #[test]
    fn nonsense_is_named() {
        let fault = |text: &str| text.parse::<Pattern>().unwrap_err();
        assert!(fault("").contains("empty") && fault("  ").contains("empty"));
        assert!(fault("@(spam").contains("not a regular expression"), "{}", fault("@(spam"));
    }
}
