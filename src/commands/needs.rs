//! What a verb takes of the homeserver that not every homeserver has.

use super::{GROUPS, Spec};
use crate::{reply::Line, synapse::Version};

/// What a verb takes of the homeserver, beyond its being a Synapse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The first version that serves it, where people may still run an older one.
    pub since: Option<Version>,
    /// What becomes of it where an authentication service keeps the accounts.
    pub delegated: Delegated,
}

/// What a verb can do where an authentication service keeps the accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delegated {
    /// The same.
    #[default]
    Same,
    /// What it does here, to which something must be done there.
    Half,
    /// Nothing, or nothing that has an effect.
    Nothing,
}

impl Needs {
    /// Whether it takes nothing that not every homeserver has.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What help says of it, whatever homeserver it is.
    pub fn told(&self) -> Vec<Line> {
        let since = self.since.map(|since| format!("Synapse {since} or newer").into());
        let delegated = match self.delegated {
            Delegated::Same => None,
            Delegated::Half => Some(
                "where an authentication service keeps the accounts, the same to be done there too",
            ),
            Delegated::Nothing => Some(
                "a homeserver that keeps its accounts itself, without an authentication service",
            ),
        };
        since.into_iter().chain(delegated.map(Line::from)).collect()
    }

    /// Why a homeserver cannot serve it, `verb`, of this version and with or without such a
    /// service. A version that is not known is new enough.
    pub fn unmet(&self, verb: &str, version: Option<Version>, is_delegated: bool) -> Option<Line> {
        let verb = |line: Line| line.code(format!("!{verb}"));
        if let (Some(since), Some(version)) = (self.since, version)
            && version < since
        {
            return Some(
                verb(Line::new().plain("this homeserver is too old for "))
                    .plain(format!(": it is Synapse {version}, and that came with {since}")),
            );
        }
        (is_delegated && self.delegated == Delegated::Nothing).then(|| {
            verb(Line::new().plain("the accounts of this homeserver are delegated: ")).plain(
                " has no effect here, since an authentication service keeps them. Do it there",
            )
        })
    }
}

/// What the verb of these words takes; more words may follow.
pub fn needs(words: &str) -> Needs {
    spec(words).map(|spec| spec.needs).unwrap_or_default()
}

/// Whether the path that the verb of these words asks for is typed with it; more words may follow.
pub fn takes_path(words: &str) -> bool {
    spec(words).is_some_and(|spec| spec.takes_path)
}

fn spec(words: &str) -> Option<&'static Spec> {
    let mut words = words.split(' ');
    let (group, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let group = GROUPS.iter().find(|known| known.name == group);
    let is_it = |spec: &&Spec| spec.name == verb || spec.aliases.contains(&verb);
    group.and_then(|group| group.verbs.iter().find(is_it))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Option<Version> = Some(Version::new(1, 99));
    const NEW: Option<Version> = Some(Version::new(1, 163));

    #[test]
    fn who_is_too_old_is_told_both_versions() {
        let redact = needs("user redact");
        let told = redact.unmet("user redact", OLD, false).map(|line| line.text());
        assert_eq!(
            told.as_deref(),
            Some(
                "this homeserver is too old for !user redact: it is Synapse 1.99, and that came \
                 with 1.116"
            )
        );
        assert!(redact.unmet("user redact", NEW, true).is_none());
        assert!(redact.unmet("user redact", None, false).is_none());
    }

    #[test]
    fn what_an_authentication_service_keeps_is_not_changed_here() {
        for verb in ["user password", "user admin grant", "user lock", "regtok new"] {
            let told = needs(verb).unmet(verb, NEW, true).map(|line| line.text());
            assert!(told.is_some_and(|told| told.contains("are delegated")), "{verb}");
            assert!(needs(verb).unmet(verb, NEW, false).is_none(), "{verb}");
        }
        for verb in ["user suspend", "user deactivate", "user list", "room delete", "help"] {
            assert!(needs(verb).unmet(verb, NEW, true).is_none(), "{verb}");
        }
    }

    #[test]
    fn help_says_it_of_each_that_needs_something_and_of_no_other() {
        for spec in GROUPS.iter().flat_map(|group| group.verbs) {
            assert_eq!(spec.needs.told().is_empty(), spec.needs.is_empty(), "{}", spec.name);
        }
        assert!(needs("no such").is_empty() && needs("").is_empty());
    }
}
