//! How an answer is drawn for whoever asked: in the layout that the command names, else in that of
//! `!me`, else in that of the config; a page as long and times in the zone that `!me` says.
//!
//! Only what somebody asks for is drawn so, and only for them. What the bot says by itself, and what it
//! asks, looks the same to everybody.

use clap::parser::ValueSource;
use tracing::error;

use super::{
    Command, Origin, Pipeline,
    inbound::understand::{self, Understood},
};
use crate::{
    commands::{Ask, Options, Query},
    operators::Operator,
    preferences::Preference,
    reply::{Format, Layout, Reply, Style},
};

/// What an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// What was looked up on the homeserver.
    Look,
    /// What the bot itself knows.
    Known,
    /// Anything else.
    Other,
}

impl Pipeline {
    /// The answer as its asker wants it drawn. Only what was looked up is drawn in their layout:
    /// nothing is left out or cut of what was changed.
    pub(super) fn styled(
        &self,
        origin: Origin<'_>,
        operator: &Operator,
        command: &Command,
        reply: Reply,
    ) -> Reply {
        if reply.style.is_some() {
            return reply;
        }
        let typed = match command {
            Command::Read(_, options, _) | Command::Own(_, options, _) => options.layout,
            _ => None,
        };
        let sort = match command {
            Command::Read(..) => Sort::Look,
            Command::Own(..) if reply.status.is_none() => Sort::Known,
            _ => Sort::Other,
        };
        self.drawn(origin, operator, (sort, typed), reply)
    }

    /// The answer as its asker wants it drawn: what was looked up in the layout that was typed with it, if one
    /// was, and everything else in cards.
    pub(super) fn drawn(
        &self,
        origin: Origin<'_>,
        operator: &Operator,
        (sort, typed): (Sort, Option<Layout>),
        reply: Reply,
    ) -> Reply {
        let wanted = self.preference_of(operator);
        let layout = match origin.shell() {
            // A terminal is wider than a phone; what is right there is no matter of the room.
            Some(_) => typed,
            None if sort == Sort::Other => Some(Layout::Cards),
            None => typed.or(wanted.layout),
        };
        let zone = wanted.zone.and_then(|name| self.zones.named(&name));
        // Whoever types the layout wants all that there is.
        let narrow = sort == Sort::Look && typed.is_none() && origin.shell().is_none();
        let narrow = narrow.then(|| self.reader.server_name().to_owned());
        Reply { style: Some(Style { layout, zone, narrow }), ..reply }
    }

    /// What this operator wants; nothing where that cannot be read, for it is no reason to leave
    /// somebody without an answer.
    pub(super) fn preference_of(&self, operator: &Operator) -> Preference {
        let unread = |error: &crate::store::Error| {
            error!(error = error as &dyn std::error::Error, "preferences cannot be read");
        };
        self.preferences.of(&operator.user).inspect_err(unread).unwrap_or_default()
    }

    /// The same look at a page as long as its asker wants, where it is a list in a room whose length
    /// they have not typed. The length then stands in its words, for the command of the next page.
    pub(super) fn paged(
        &self,
        origin: Origin<'_>,
        operator: &Operator,
        words: &[String],
        options: &Options,
    ) -> Option<(Box<dyn Query>, Options, Vec<String>)> {
        let is_data = options.output.is_some_and(|format| format != Format::Human);
        if is_data || origin.shell().is_some() {
            return None;
        }
        let rows = self.preference_of(operator).rows?;
        let words = with_limit(words, rows)?;
        match understand::understand(&words) {
            Understood::Command(Ask::Read(query), options) => Some((query, options, words)),
            _ => None,
        }
    }
}

/// The words with the length of a page, where they are a list whose length was not typed.
fn with_limit(words: &[String], rows: u16) -> Option<Vec<String>> {
    let matches = understand::parse(words).ok()?;
    let mut verb = &matches;
    while let Some((_, below)) = verb.subcommand() {
        verb = below;
    }
    let typed = |id| verb.value_source(id) == Some(ValueSource::CommandLine);
    // Only what has pages can be followed to its end; of the other numbers some are no lengths.
    let takes = |id| verb.try_contains_id(id).is_ok();
    if !takes("limit") || !takes("all") || typed("limit") || typed("all") {
        return None;
    }
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let mut words = words.to_vec();
    words.splice(end..end, ["--limit".to_owned(), rows.to_string()]);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_added_where_there_are_pages_and_none_was_typed() {
        let limited = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            with_limit(&words, 30).map(|words| words.join(" "))
        };
        for (line, limit) in [
            ("user list", Some("user list --limit 30")),
            ("user list --from 30", Some("user list --from 30 --limit 30")),
            ("room members -- !a:x.test", Some("room members --limit 30 -- !a:x.test")),
            ("user list --limit 5", None),
            ("user list -l 5", None),
            ("user list --all", None),
            ("user details @ann:x.test", None),
            ("room context !a:x.test $b", None),
        ] {
            assert_eq!(limited(line).as_deref(), limit, "{line}");
        }
    }
}
