//! What is demanded of whom: the rules of `questions`, and what is `protected`.

use std::{sync::Arc, time::Duration};

use regex::Regex;
use wildmatch::WildMatch;

use super::{
    Policy, Protection, Reach, Role, Rule, Stance,
    section::{Field, Reported, Section},
    value,
};
use crate::change::{Class, Power};

const POWERS: &[(&str, Power)] =
    &[("moderate", Power::Moderate), ("account", Power::Account), ("server", Power::Server)];

const STANCES: &[(&str, Stance)] = &[
    ("phrase", Stance::Phrase),
    ("second_person", Stance::SecondPerson),
    ("refused", Stance::Refused),
];

const ALONE_AFTER: Duration = Duration::from_mins(5);

/// The most that a rule or a limit counts.
const MOST: usize = 10_000;

/// The part of `questions` that says what is demanded.
pub(super) fn demands(section: &Section<'_>, known: &[String]) -> Result<Policy, Reported> {
    let reactions = section.field("reactions", "true").flag(true);
    let alone = section.field("alone", "false").flag(false);
    let alone_after = section.field("alone_after", "5min").optional(value::duration);
    let unreviewed = section
        .field("unreviewed", "20")
        .optional(|field, text| value::count(field, text, 1..=MOST));
    let reason = section.field("reason", "'^TICKET-[0-9]+'").optional(pattern_of_a_reason);
    let rules = optional_list(&section.field("rules", "others: 1"), |item| {
        super::read::within(item.section(), |section| rule(section, known))
    });
    let other = Policy::default();
    Ok(Policy {
        reactions: reactions?,
        rules: rules?,
        alone: alone?.then_some(alone_after?.unwrap_or(ALONE_AFTER)),
        unreviewed: unreviewed?.unwrap_or(other.unreviewed),
        reason: reason?,
        ..other
    })
}

fn rule(section: &Section<'_>, known: &[String]) -> Result<Rule, Reported> {
    let verbs = optional_list(&section.field("verbs", "\"user deactivate\""), |item| {
        item.required(|field, text| verbs(field, text, known))
    });
    let classes = Class::ALL.map(|class| (class.as_str(), class));
    let class = choice(&section.field("class", "irreversible"), &classes);
    let power = choice(&section.field("power", "account"), POWERS);
    let count = |field: &Field<'_>, least| {
        field.optional(|field, text| value::count(field, text, least..=MOST))
    };
    let subjects = count(&section.field("subjects", "10"), 1);
    let protected_field = section.field("protected", "true");
    let protected = protected_field.is_named().then(|| protected_field.flag(true)).transpose();
    let others = count(&section.field("others", "1"), 0);
    let totp = section.field("totp", "false").flag(false);
    let reason = section.field("reason", "false").flag(false);
    let rule = Rule {
        verbs: verbs?,
        class: class?,
        power: power?,
        subjects: subjects?,
        protected: protected?,
        others: others?.unwrap_or_default(),
        totp: totp?,
        reason: reason?,
    };
    if rule.others == 0 && !rule.totp && !rule.reason {
        return Err(section.wrong(
            "this rule requires nothing",
            "Write `others: 1`, `totp: true` or `reason: true`",
        ));
    }
    Ok(rule)
}

/// A role of the config's own.
pub(super) fn role(section: &Section<'_>, known: &[String]) -> Result<Arc<Role>, Reported> {
    let name = section.field("name", "spam-team").required(value::name);
    let powers: Result<Vec<Power>, Reported> =
        section.field("powers", "moderate").list().and_then(|items| {
            let all = Power::ALL.map(|power| (power.as_str(), power));
            let powers: Vec<_> = items.iter().map(|item| item.choice(&all, None)).collect();
            powers.into_iter().collect()
        });
    let patterns =
        |key, example| optional_list(&section.field(key, example), |item| item.required(id));
    let only_verbs = optional_list(&section.field("verbs", "\"user suspend\""), |item| {
        item.required(|field, text| verbs(field, text, known))
    });
    let on = patterns("on", "\"@*:example.org\"");
    let not_on = patterns("not_on", "\"@staff-*\"");
    let reach = Reach { verbs: only_verbs?, on: on?, not_on: not_on? };
    Ok(Arc::new(Role::own(name?, powers?.into_iter().collect(), reach)))
}

/// The section `protected`. Where it says nothing, a second person is asked, unless one is `lone`:
/// then nobody could answer.
pub(super) fn protection(section: &Section<'_>, lone: bool) -> Result<Protection, Reported> {
    let default = if lone { Stance::Phrase } else { Stance::SecondPerson };
    let stance = |key| section.field(key, "second_person").choice(STANCES, Some(default));
    let server_admins = stance("server_admins");
    let operators = stance("operators");
    let bridged = stance("bridged");
    let subjects =
        optional_list(&section.field("subjects", "id: \"@abuse:example.org\""), |item| {
            super::read::within(item.section(), |section| {
                let id = section.field("id", "\"@abuse:example.org\"").required(id);
                let stance = section.field("change", "refused").choice(STANCES, None);
                Ok((id?, stance?))
            })
        });
    Ok(Protection {
        server_admins: server_admins?,
        operators: operators?,
        bridged: bridged?,
        subjects: subjects?,
    })
}

/// What a list holds; nothing where the key is absent.
pub(super) fn optional_list<T>(
    field: &Field<'_>,
    read: impl Fn(&Field<'_>) -> Result<T, Reported>,
) -> Result<Vec<T>, Reported> {
    if !field.is_named() {
        return Ok(Vec::new());
    }
    let items: Vec<Result<T, Reported>> = field.list()?.iter().map(read).collect();
    items.into_iter().collect()
}

pub(super) fn choice<T: Copy>(
    field: &Field<'_>,
    choices: &[(&'static str, T)],
) -> Result<Option<T>, Reported> {
    field.is_named().then(|| field.choice(choices, None)).transpose()
}

/// A pattern of verbs, which must fit one that there is: a slip here would leave a hole.
fn verbs(field: &Field<'_>, text: &str, known: &[String]) -> Result<WildMatch, Reported> {
    let pattern = WildMatch::new(text);
    if known.iter().any(|verb| pattern.matches(verb)) {
        return Ok(pattern);
    }
    Err(field.wrong(
        "there is no such command",
        "Write it as it is typed after the !, such as \"user deactivate\", or \"user *\" for a \
         whole group",
    ))
}

/// The id of a user or room, or a pattern of such.
fn id(field: &Field<'_>, text: &str) -> Result<WildMatch, Reported> {
    if text.starts_with(['@', '!', '*']) && text.len() > 1 {
        return Ok(WildMatch::new(text));
    }
    Err(field.wrong(
        "this is neither a user id nor a room id",
        "Write \"@user:example.org\", \"!room:example.org\", or with * as a wildcard \
        \"@_irc_*:example.org\", in double quotes",
    ))
}

fn pattern_of_a_reason(field: &Field<'_>, text: &str) -> Result<Regex, Reported> {
    Regex::new(text).map_err(|_| {
        field.wrong(
            "this is not a regular expression",
            "Write one in single quotes, such as '^TICKET-[0-9]+'",
        )
    })
}
