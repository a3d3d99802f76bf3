//! Whom and what a command names, as far as its words tell: for who has to wait for whom.

use std::collections::BTreeSet;

use ruma::ServerName;

use crate::refs::{Named, RoomRef, UserRef};

/// Groups whose verbs take a bare name for an id.
const BARE: &[&str] = &["user", "device"];

/// Whom and what a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) enum Names {
    /// Perhaps anything: a pattern, a list, a number that stands for something, or all.
    Anything,
    /// These and nothing else, in a spelling in which the same things are the same.
    These(BTreeSet<String>),
}

impl Names {
    /// What these words name, a command as it was understood, on this homeserver.
    pub(in crate::pipeline) fn of(words: &[String], server: &ServerName) -> Self {
        let [group, verb, rest @ ..] = words else { return Self::Anything };
        if verb.contains("regex") {
            return Self::Anything;
        }
        let mut rest = rest.iter();
        let mut named = BTreeSet::new();
        while let Some(word) = rest.next() {
            if word.starts_with('-') && word.len() > 1 {
                // What follows it may be its value. If it is not, less is known than could be.
                if !word.contains('=') {
                    rest.next();
                }
                continue;
            }
            match spelled(word, BARE.contains(&group.as_str()), server) {
                Some(name) => {
                    named.insert(name);
                }
                None => return Self::Anything,
            }
        }
        if named.is_empty() { Self::Anything } else { Self::These(named) }
    }

    /// What these subjects are, as they are typed.
    pub(in crate::pipeline) fn these(
        typed: impl Iterator<Item = String>,
        server: &ServerName,
    ) -> Self {
        let named: Option<BTreeSet<String>> =
            typed.map(|one| spelled(&one, false, server)).collect();
        named.filter(|named| !named.is_empty()).map_or(Self::Anything, Self::These)
    }

    /// Nothing that is kept by a homeserver.
    pub(in crate::pipeline) fn nothing() -> Self {
        Self::These(BTreeSet::new())
    }

    /// Whether both may be about the same thing.
    pub(in crate::pipeline) fn may_meet(&self, other: &Self) -> bool {
        let (Self::These(one), Self::These(other)) = (self, other) else {
            return *self != Self::nothing() && *other != Self::nothing();
        };
        let of = |names: &BTreeSet<String>, sign| names.iter().any(|name| name.starts_with(sign));
        let rooms = |names| of(names, '!') || of(names, '#');
        // Only the homeserver knows which room an alias is.
        let alias = (of(one, '#') && rooms(other)) || (of(other, '#') && rooms(one));
        alias || !one.is_disjoint(other)
    }
}

/// One word in the spelling in which it is compared; `None` where nobody knows what it is. With
/// `bare` a word without a sign is an account.
fn spelled(word: &str, bare: bool, server: &ServerName) -> Option<String> {
    let spelled = match word.parse::<Named>().ok()? {
        Named::User(user) => account(&user, server),
        // The part before the colon is never the same for two rooms.
        Named::Room(RoomRef::Id(id)) => id.as_str().split(':').next()?.to_owned(),
        Named::Room(RoomRef::Alias(alias)) => alias.to_string(),
        Named::Room(RoomRef::Local(alias)) => format!("{alias}:{server}"),
        Named::Event(id) | Named::File(id) => id,
        Named::Plain(word) if bare && word.chars().all(can_be_in_a_name) => {
            account(&word.parse().ok()?, server)
        }
        Named::Plain(_) => return None,
    };
    Some(spelled.to_lowercase())
}

fn can_be_in_a_name(c: char) -> bool {
    c.is_alphanumeric() || "._=-/+:".contains(c)
}

/// An account, without the name of this homeserver.
fn account(user: &UserRef, server: &ServerName) -> String {
    match user {
        UserRef::Id(id) if id.server_name().as_str().eq_ignore_ascii_case(server.as_str()) => {
            format!("@{}", id.localpart())
        }
        UserRef::Id(id) => id.to_string(),
        UserRef::Localpart(localpart) => format!("@{localpart}"),
    }
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    fn named(command: &str) -> Names {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        Names::of(&words, server_name!("x.test"))
    }

    #[test]
    fn a_look_waits_only_for_what_may_be_about_the_same() {
        for (change, look) in [
            ("user suspend eve", "user details @eve:x.test"),
            ("user suspend @Eve:x.test", "user details eve"),
            ("user suspend <@eve:X.test>,", "user details ＠eve"),
            ("user suspend eve:x.test", "user details eve,"),
            ("user suspend @eve:other.test.", "user details eve:other.test"),
            ("user suspend eve sam", "device list sam"),
            ("user deactivate eve --gdpr-erase", "user details eve"),
            ("room block !abc:x.test", "room details !abc"),
            ("room block #lobby", "room details !abc"),
            ("room block !abc", "room members #lobby:x.test"),
            ("user deactivate-regex ^spam", "user details spam1"),
            ("media quarantine mxc://x.test/abc", "media details mxc://x.test/abc"),
            ("room purge-empty", "room details !abc"),
            ("media purge --before 30d", "media list --room !abc"),
            ("user suspend eve", "user list"),
            ("user suspend eve", "user list --name sam"),
            ("undo 17", "user details sam"),
            ("confirm 4821", "user details sam"),
        ] {
            assert!(named(change).may_meet(&named(look)), "{change} / {look}");
            assert!(named(look).may_meet(&named(change)), "{look} / {change}");
        }
        for (change, look) in [
            ("user suspend eve", "user details sam"),
            ("user suspend @eve:x.test", "user details @eve:other.test"),
            ("user suspend eve", "room details !abc"),
            ("user suspend eve", "room details #lobby"),
            ("room block !abc:x.test", "room details !abd:x.test"),
            ("room block #lobby", "user details eve"),
            ("media quarantine mxc://x.test/abc", "media details mxc://x.test/abd"),
            ("device delete eve ABC", "device list sam"),
        ] {
            assert!(!named(change).may_meet(&named(look)), "{change} / {look}");
            assert!(!named(look).may_meet(&named(change)), "{look} / {change}");
        }
    }

    #[test]
    fn what_is_about_nothing_waits_for_nothing() {
        for change in ["user suspend eve", "user deactivate-regex ^spam", "undo 17"] {
            assert!(!named(change).may_meet(&Names::nothing()), "{change}");
            assert!(!Names::nothing().may_meet(&named(change)), "{change}");
        }
        let (eve, server) = (|| ["@eve:x.test".to_owned()].into_iter(), server_name!("x.test"));
        let asked = Names::these(eve(), server);
        assert!(asked.may_meet(&named("user details eve")));
        assert!(!asked.may_meet(&named("user details sam")));
    }

    #[test]
    fn an_option_is_nobody() {
        // The value of an option may be left out of what is known, and never taken for a subject.
        assert_eq!(named("user suspend --reason spam eve"), named("user suspend eve"));
        assert_eq!(named("user suspend eve --for 3d"), named("user suspend eve"));
        assert_eq!(named("user suspend --gdpr-erase eve"), Names::Anything);
    }
}
