//! One field of an account: what it is to be, what it was, and what it is.

use serde_json::{Value, json};

use crate::{
    change::Snapshot,
    commands::user::details::masked,
    reply::{Fact, Hostile, Line},
    synapse::Account,
};

/// A field with the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// Empty for none.
    DisplayName(String),
    /// Empty for none.
    AvatarUrl(String),
    /// `None` for an ordinary account.
    UserType(Option<String>),
    Admin(bool),
    Locked(bool),
    Deactivated(bool),
    /// Medium and address.
    ThreePids(Vec<(String, String)>),
    /// Provider and id there.
    ExternalIds(Vec<(String, String)>),
}

/// Reads values that come in pairs; a pair of nothing stands for none at all. An error in words
/// that follow the name of the option.
pub(super) fn pairs(typed: &[String]) -> Result<Vec<(String, String)>, &'static str> {
    let mut pairs: Vec<(String, String)> = typed
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [kind, value] => Some((kind.clone(), value.clone())),
            _ => None,
        })
        .collect();
    let empty = |pair: &(String, String)| pair.0.is_empty() && pair.1.is_empty();
    if pairs.len() == 1 && pairs.iter().all(empty) {
        return Ok(Vec::new());
    }
    if pairs.iter().any(|(kind, value)| [kind, value].into_iter().any(|one| is_none(one))) {
        return Err(" needs two values; '' '' cannot be combined with others");
    }
    // In one order, so that they can be compared with what the homeserver has.
    pairs.sort();
    pairs.dedup();
    Ok(pairs)
}

/// Whether a word is none of two values: it is empty, or an option that followed too soon.
fn is_none(word: &str) -> bool {
    let short = word.starts_with('-') && word.chars().count() < 3;
    word.is_empty() || short || word.starts_with("--")
}

/// Notes the fields as they are, and binds what only an admin can alter.
pub(super) fn note(seen: &mut Snapshot, account: &Account) {
    let text = |text: &Option<Hostile>| json!(text.as_ref().map_or("", Hostile::raw));
    let mut threepids: Vec<(&str, &str)> = account
        .threepids
        .iter()
        .map(|threepid| (threepid.medium.raw(), threepid.address.raw()))
        .collect();
    let mut external: Vec<(&str, &str)> = account
        .external_ids
        .iter()
        .map(|id| (id.auth_provider.raw(), id.external_id.raw()))
        .collect();
    threepids.sort_unstable();
    external.sort_unstable();
    seen.extra.extend([
        ("displayname".to_owned(), text(&account.displayname)),
        ("avatar_url".to_owned(), text(&account.avatar_url)),
        ("user_type".to_owned(), json!(account.user_type)),
        ("threepids".to_owned(), pairs_to_json(&threepids, ["medium", "address"])),
        ("external_ids".to_owned(), pairs_to_json(&external, ["auth_provider", "external_id"])),
    ]);
    seen.preconditions.insert("locked".to_owned(), json!(account.locked));
    seen.preconditions.insert("erased".to_owned(), json!(account.erased));
}

fn pairs_to_json<S: AsRef<str>>(pairs: &[(S, S)], [kind, value]: [&str; 2]) -> Value {
    pairs.iter().map(|pair| json!({ kind: pair.0.as_ref(), value: pair.1.as_ref() })).collect()
}

fn pairs_from_json(pairs: Option<&Value>, [kind, value]: [&str; 2]) -> Vec<(String, String)> {
    let text = |pair: &Value, key| pair.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let pairs = pairs.and_then(Value::as_array).into_iter().flatten();
    pairs.filter_map(|pair| Some((text(pair, kind)?, text(pair, value)?))).collect()
}

impl Field {
    /// The type that is typed as `regular` is none.
    pub(super) fn user_type(typed: &str) -> Self {
        Self::UserType((!matches!(typed, "regular" | "")).then(|| typed.to_owned()))
    }

    /// The homeserver keeps mail addresses in lower case.
    pub(super) fn threepids(mut pairs: Vec<(String, String)>) -> Self {
        for (medium, address) in &mut pairs {
            if medium == "email" {
                *address = address.to_lowercase();
            }
        }
        pairs.sort();
        pairs.dedup();
        Self::ThreePids(pairs)
    }

    /// Its key in a request, and in what was seen.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::DisplayName(_) => "displayname",
            Self::AvatarUrl(_) => "avatar_url",
            Self::UserType(_) => "user_type",
            Self::Admin(_) => "admin",
            Self::Locked(_) => "locked",
            Self::Deactivated(_) => "deactivated",
            Self::ThreePids(_) => "threepids",
            Self::ExternalIds(_) => "external_ids",
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::DisplayName(_) => "Display name",
            Self::AvatarUrl(_) => "Picture",
            Self::UserType(_) => "Type",
            Self::Admin(_) => "Server admin",
            Self::Locked(_) => "Locked",
            Self::Deactivated(_) => "Deactivated",
            Self::ThreePids(_) => "Mail and telephone",
            Self::ExternalIds(_) => "Sign-on",
        }
    }

    /// The value in a request.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::DisplayName(text) | Self::AvatarUrl(text) => json!(text),
            Self::UserType(kind) => json!(kind),
            Self::Admin(is) | Self::Locked(is) | Self::Deactivated(is) => json!(is),
            Self::ThreePids(pairs) => pairs_to_json(pairs, ["medium", "address"]),
            Self::ExternalIds(pairs) => pairs_to_json(pairs, ["auth_provider", "external_id"]),
        }
    }

    /// The same field with the value that was seen; `None` where there was no account.
    pub(super) fn seen(&self, seen: &Snapshot) -> Option<Self> {
        if !seen.is("exists") {
            return None;
        }
        let noted = seen.extra.get(self.key());
        let text = || noted.and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(match self {
            Self::DisplayName(_) => Self::DisplayName(text()),
            Self::AvatarUrl(_) => Self::AvatarUrl(text()),
            Self::UserType(_) => {
                Self::UserType(noted.and_then(Value::as_str).map(ToOwned::to_owned))
            }
            Self::Admin(_) => Self::Admin(seen.is("admin")),
            Self::Locked(_) => Self::Locked(seen.is("locked")),
            Self::Deactivated(_) => Self::Deactivated(seen.is("deactivated")),
            Self::ThreePids(_) => Self::ThreePids(pairs_from_json(noted, ["medium", "address"])),
            Self::ExternalIds(_) => {
                Self::ExternalIds(pairs_from_json(noted, ["auth_provider", "external_id"]))
            }
        })
    }

    /// Whether the field has this value.
    pub(super) fn is_so(&self, seen: &Snapshot) -> bool {
        self.seen(seen).as_ref() == Some(self)
    }

    /// Old and new, before anything is done.
    pub(super) fn asked(&self, seen: &Snapshot) -> Fact {
        let line = match self.seen(seen) {
            Some(old) if old == *self => self.words(false).plain(", as it is"),
            Some(old) => old.words(true).plain(" → ").line(self.words(false)),
            None => self.words(false),
        };
        (self.label(), line)
    }

    /// Old and new as the homeserver has it now, whatever it answered.
    pub(super) fn applied(&self, before: &Snapshot, after: &Snapshot) -> Fact {
        let old = self.seen(before);
        let line = match (old, self.seen(after)) {
            (_, None) => "cannot be looked up".into(),
            (None, Some(new)) if new == *self => new.words(false),
            (Some(old), Some(new)) if new == *self => {
                old.words(true).plain(" → ").line(new.words(false))
            }
            (_, Some(new)) => {
                Line::new().strong("not applied").plain(": still ").line(new.words(true))
            }
        };
        (self.label(), line)
    }

    /// The value in words. What is `private` is masked: addresses that nobody typed here.
    fn words(&self, private: bool) -> Line {
        let text = |text: &str| match text {
            "" => "none".into(),
            text => Line::new().hostile(&Hostile::new(text)),
        };
        match self {
            Self::DisplayName(value) | Self::AvatarUrl(value) => text(value),
            Self::UserType(kind) => kind.as_deref().map_or_else(|| "regular".into(), text),
            Self::Admin(is) | Self::Locked(is) | Self::Deactivated(is) => {
                if *is { "yes" } else { "no" }.into()
            }
            Self::ThreePids(pairs) | Self::ExternalIds(pairs) if pairs.is_empty() => "none".into(),
            Self::ThreePids(pairs) | Self::ExternalIds(pairs) => {
                pairs.iter().enumerate().fold(Line::new(), |line, (n, (kind, value))| {
                    let value = Hostile::new(value);
                    line.plain(if n == 0 { "" } else { ", " })
                        .hostile(&Hostile::new(kind))
                        .plain(" ")
                        .hostile(&if private { masked(&value) } else { value })
                })
            }
        }
    }

    /// Whether what was seen before can be put back by words.
    pub(super) fn can_be_typed(&self, before: &Snapshot) -> bool {
        match self.seen(before).filter(|old| old != self) {
            Some(Self::ThreePids(pairs) | Self::ExternalIds(pairs)) => {
                pairs.iter().all(|(kind, value)| !is_none(kind) && !is_none(value))
            }
            _ => true,
        }
    }

    /// The options that restore what was seen before; none where nothing changed.
    pub(super) fn back(&self, before: &Snapshot) -> Vec<String> {
        let Some(old) = self.seen(before).filter(|old| old != self) else { return Vec::new() };
        let paired = |option: &str, pairs: &[(String, String)]| {
            let empty = [(String::new(), String::new())];
            let pairs = if pairs.is_empty() { &empty } else { pairs };
            pairs
                .iter()
                .flat_map(|(kind, value)| [option.to_owned(), kind.clone(), value.clone()])
                .collect()
        };
        let flag = |is: bool, yes: &str, no: &str| vec![if is { yes } else { no }.to_owned()];
        match &old {
            // In one word, so that a name which begins with a hyphen is no option.
            Self::DisplayName(name) => vec![format!("--display-name={name}")],
            Self::AvatarUrl(url) => vec![format!("--avatar-url={url}")],
            Self::UserType(kind) => {
                vec![format!("--user-type={}", kind.as_deref().unwrap_or("regular"))]
            }
            Self::Admin(is) => flag(*is, "--admin", "--no-admin"),
            Self::Locked(is) => flag(*is, "--lock", "--unlock"),
            Self::Deactivated(is) => flag(*is, "--deactivate", "--activate"),
            Self::ThreePids(pairs) => paired("--threepid", pairs),
            Self::ExternalIds(pairs) => paired("--external-id", pairs),
        }
    }
}
