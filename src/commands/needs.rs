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
    /// Options that came later than it did. An older homeserver does not have what they ask for, or
    /// ignores it: it would redact everything where only what is older was meant.
    pub later: &'static [Later],
}

/// An option that a verb has had only since some version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// The name of its argument: `use_admin`.
    pub argument: &'static str,
    /// What it is called where it is no option: `named files`.
    pub what: Option<&'static str>,
    /// The first version that does what it says.
    pub since: Version,
}

impl Later {
    /// The option of this argument.
    pub const fn new(argument: &'static str, major: u32, minor: u32) -> Self {
        Self { argument, what: None, since: Version::new(major, minor) }
    }

    /// The same, called so where several arguments are one thing, or one is typed without dashes.
    #[must_use]
    pub const fn called(self, what: &'static str) -> Self {
        Self { what: Some(what), ..self }
    }

    /// As it is typed, `--use-admin`, or as it is called.
    pub fn typed(&self) -> String {
        let option = || format!("--{}", self.argument.replace('_', "-"));
        self.what.map_or_else(option, str::to_owned)
    }

    /// The same after `line`.
    fn named(&self, line: Line) -> Line {
        match self.what {
            Some(what) => line.plain(what),
            None => line.code(self.typed()),
        }
    }

    /// Why a homeserver of this version cannot do what it says, typed with `verb`. A version that is
    /// not known is new enough.
    pub fn unmet(&self, verb: &str, version: Option<Version>) -> Option<Line> {
        let version = version.filter(|version| *version < self.since)?;
        Some(
            self.named(Line::new().plain("this homeserver is too old for "))
                .plain(" of ")
                .command(format!("!{verb}"))
                .plain(format!(": it runs Synapse {version}, and this needs {}", self.since)),
        )
    }
}

/// What a verb can do where an authentication service keeps the accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delegated {
    /// The same.
    #[default]
    Same,
    /// What it does here, to which something must be done there; both where the config says how to reach
    /// the service.
    Half,
    /// Nothing, or nothing that has an effect.
    Nothing,
    /// The same, by the service's own admin API, where the config says how to reach it.
    There,
    /// The same without these options, and nothing with them: they amount to what has no effect there.
    Without(&'static [&'static str]),
}

/// The section of the config that says how to reach the authentication service.
const SERVICE: &str = "homeserver.authentication_service";

/// Who keeps the accounts of this homeserver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accounts {
    /// The homeserver itself.
    #[default]
    Own,
    /// An authentication service, and the config does not say how to reach it.
    OutOfReach,
    /// An authentication service that the bot can ask.
    InReach,
}

impl Needs {
    /// Whether it takes nothing that not every homeserver has.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What help says of it, whatever homeserver it is.
    pub fn told(&self) -> Vec<Line> {
        let since = self.since.map(|since| Line::from(format!("Synapse {since} or newer")));
        let delegated = match self.delegated {
            Delegated::Same => None,
            Delegated::Half => Some(Line::from(
                "if an authentication service manages the accounts, do the same there too, unless \
                 homeserver.authentication_service is in my configuration",
            )),
            Delegated::Nothing => Some(Line::from(
                "a homeserver that manages its own accounts, without an authentication service",
            )),
            Delegated::There => Some(
                Line::new()
                    .plain("if an authentication service manages the accounts: ")
                    .code(SERVICE)
                    .plain(" in my configuration"),
            ),
            Delegated::Without(options) => Some(Line::new().plain("for ").code(options.join(" and ")).plain(
                ": a homeserver that manages its own accounts, without an authentication service",
            )),
        };
        let mut later = Vec::new();
        for option in self.later {
            let since = format!(": Synapse {} or newer", option.since);
            let line = option.named(Line::new().plain("for ")).plain(since);
            // Several arguments may be one thing.
            if !later.contains(&line) {
                later.push(line);
            }
        }
        since.into_iter().chain(delegated).chain(later).collect()
    }

    /// Why a homeserver of this version, whose accounts are kept so, cannot serve it, `verb`. A version that
    /// is not known is new enough.
    pub fn unmet(&self, verb: &str, version: Option<Version>, accounts: Accounts) -> Option<Line> {
        let verb = |line: Line| line.command(format!("!{verb}"));
        if let (Some(since), Some(version)) = (self.since, version)
            && version < since
        {
            return Some(
                verb(Line::new().plain("this homeserver is too old for "))
                    .plain(format!(": it runs Synapse {version}, and this needs {since}")),
            );
        }
        let no_effect = || {
            verb(
                Line::new()
                    .plain("an authentication service manages the accounts of this homeserver: "),
            )
            .plain(" has no effect here. Do it there")
        };
        match (self.delegated, accounts) {
            (Delegated::Nothing, Accounts::OutOfReach | Accounts::InReach) => Some(no_effect()),
            (Delegated::There, Accounts::OutOfReach) => Some(
                no_effect()
                    .plain(", or have whoever runs me set ")
                    .code(SERVICE)
                    .plain(" in my configuration, so that I can"),
            ),
            _ => None,
        }
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

/// The verb of these words; more words may follow.
pub(super) fn spec(words: &str) -> Option<&'static Spec> {
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
        let told = redact.unmet("user redact", OLD, Accounts::Own).map(|line| line.text());
        assert_eq!(
            told.as_deref(),
            Some(
                "this homeserver is too old for !user redact: it runs Synapse 1.99, and this needs \
                 1.116"
            )
        );
        assert!(redact.unmet("user redact", NEW, Accounts::OutOfReach).is_none());
        assert!(redact.unmet("user redact", None, Accounts::Own).is_none());
    }

    #[test]
    fn what_an_authentication_service_keeps_is_not_changed_here() {
        for verb in ["user password", "user admin grant", "user lock", "regtok new"] {
            let told = needs(verb).unmet(verb, NEW, Accounts::OutOfReach).map(|line| line.text());
            assert!(told.is_some_and(|told| told.contains("manages the accounts")), "{verb}");
            assert!(needs(verb).unmet(verb, NEW, Accounts::Own).is_none(), "{verb}");
        }
        for verb in ["user lock", "user unlock", "user password", "user admin", "user reactivate"] {
            assert!(needs(verb).unmet(verb, NEW, Accounts::InReach).is_none(), "{verb}");
            let told = needs(verb).unmet(verb, NEW, Accounts::OutOfReach).unwrap().text();
            assert!(told.contains("homeserver.authentication_service"), "{told}");
        }
        let verb = "user validity";
        assert!(needs(verb).unmet(verb, NEW, Accounts::InReach).is_some());
        for verb in ["user suspend", "user deactivate", "user list", "room delete", "help"] {
            assert!(needs(verb).unmet(verb, NEW, Accounts::OutOfReach).is_none(), "{verb}");
        }
    }

    #[test]
    fn an_option_that_would_be_ignored_is_told_with_the_version() {
        let later = needs("user redact").later;
        let before = later.iter().find(|option| option.argument == "before").unwrap();
        let told = before.unmet("user redact", Some(Version::new(1, 150)));
        assert_eq!(
            told.map(|line| line.text()).as_deref(),
            Some(
                "this homeserver is too old for --before of !user redact: it runs Synapse 1.150, and \
                this needs 1.157"
            )
        );
        assert!(before.unmet("user redact", NEW).is_none());
        assert!(before.unmet("user redact", None).is_none());
    }

    #[test]
    fn options_that_came_later_are_options_of_their_verb() {
        for spec in GROUPS.iter().flat_map(|group| group.verbs) {
            let command = spec.command();
            for option in spec.needs.later {
                let argument = command.get_arguments().find(|arg| *arg.get_id() == option.argument);
                let argument = argument.expect("it is one of its arguments");
                let long = argument.get_long().map(|long| format!("--{long}"));
                assert!(option.what.is_some() || long == Some(option.typed()), "{}", spec.name);
                assert!(spec.needs.since.is_none_or(|since| since < option.since));
            }
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
