//! Which operation a request is, and the work of which verbs it does, by what stands in it.
//!
//! A verb says what it amounts to before anything is looked at. What it then sends is compared with
//! the list of operations as well, so that no verb can forget to say it.

use serde_json::Value;

use super::{OPERATIONS, Operation};
use crate::change::{Method, Snapshot, Step};

/// A verb whose work an operation does too, where all of this holds.
pub type Work = (&'static str, &'static [When]);

/// What holds of a request, so that it does the work of a verb.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// Its body has something under this key.
    Has(&'static str),
    /// Its body has this under that key, or what is neither true nor false.
    Is(&'static str, bool),
    /// Its body has something under another key than these.
    Beyond(&'static [&'static str]),
    /// What it is done to was not found without this, which is a fact that binds.
    Found(&'static str),
    /// What it is done to was found without this, which is a fact that binds.
    Missing(&'static str),
    /// Nothing in it tells: only what is asked for by its path, which could be meant so, is held
    /// to be that.
    Untold,
}

impl When {
    fn holds(self, body: &Value, seen: &Snapshot) -> bool {
        let missing = |fact| seen.preconditions.get(fact) == Some(&Value::Bool(false));
        match self {
            Self::Has(key) => has(body, key),
            Self::Is(key, is) => has(body, key) && body.get(key) != Some(&Value::Bool(!is)),
            Self::Beyond(keys) => {
                let fields = body.as_object();
                fields.is_some_and(|fields| fields.keys().any(|key| !keys.contains(&key.as_str())))
            }
            Self::Found(fact) => !missing(fact),
            Self::Missing(fact) => missing(fact),
            Self::Untold => false,
        }
    }
}

/// Whether a body has something under a key.
pub(super) fn has(body: &Value, key: &str) -> bool {
    body.get(key).is_some_and(|value| !value.is_null())
}

impl Operation {
    /// The verbs whose work a request for it does, with this body, to what was seen.
    fn done(&self, body: &Value, seen: &Snapshot) -> impl Iterator<Item = &'static str> {
        let holds = |all: &[When]| all.iter().all(|when| when.holds(body, seen));
        let own = self.spoken().filter(|_| holds(self.own));
        let too = self.too.iter().filter(move |(_, when)| holds(when)).map(|(verb, _)| *verb);
        own.into_iter().chain(self.also.iter().copied()).chain(too)
    }
}

/// The verbs whose work this request does, whichever verb sends it: what the config says of them
/// holds for it.
pub fn verbs(step: &Step, seen: &Snapshot) -> Vec<&'static str> {
    let [root, api, parts @ ..] = step.path.parts() else { return Vec::new() };
    match (root.as_str(), api.as_str()) {
        ("_synapse", "admin") => {}
        ("_matrix", "client") => return verbs_of_clients(step.method, parts),
        _ => return Vec::new(),
    }
    let method = Some(step.method);
    match exactly(method, parts) {
        Some((operation, _)) => operation.done(&step.body, seen).collect(),
        None => extended(method, parts).into_iter().flat_map(Operation::verbs).collect(),
    }
}

/// What verbs ask of the API of clients, by its path behind the version, and the verb whose work that is.
const OF_CLIENTS: &[(Method, &str, &str)] = &[
    (Method::Post, "rooms/{room_id}/kick", "room kick"),
    (Method::Post, "rooms/{room_id}/leave", "room kick"),
    (Method::Put, "rooms/{room_id}/state/m.room.power_levels", "room demote"),
    // The end of a token that the same change has made.
    (Method::Post, "logout", "user login"),
];

fn verbs_of_clients(method: Method, parts: &[String]) -> Vec<&'static str> {
    let behind = parts.get(1..).unwrap_or_default();
    let same =
        OF_CLIENTS.iter().filter(|(by, path, _)| *by == method && fits(path, behind).is_some());
    same.map(|(_, _, verb)| *verb).collect()
}

/// The values that stand in a path for the names in braces, by these names.
pub type Values = Vec<(&'static str, String)>;

/// The operation of the Admin API that this is, if it is known; `None` as the method is `GET`.
pub fn exactly(method: Option<Method>, parts: &[String]) -> Option<(&'static Operation, Values)> {
    nearest(of_method(method), parts)
}

/// What the path of a request extends, which is none of these itself: it begins with all of their
/// parts, or its last one with their last word. A homeserver may take it for them: up to Synapse
/// 1.150 some of its patterns end before the path does.
pub fn extended(method: Option<Method>, parts: &[String]) -> Vec<&'static Operation> {
    of_method(method).filter(|one| extends(one.path, parts)).collect()
}

fn of_method(method: Option<Method>) -> impl Iterator<Item = &'static Operation> {
    let method = method.map_or("GET", Method::as_str);
    OPERATIONS.iter().filter(move |operation| operation.method == method)
}

/// Of the operations with such a path, that of which most words are the same, and of several the
/// dearest.
pub fn nearest(
    operations: impl Iterator<Item = &'static Operation>,
    parts: &[String],
) -> Option<(&'static Operation, Values)> {
    let fitting = operations.filter_map(|one| fits(one.path, parts).map(|values| (one, values)));
    fitting.min_by_key(|(one, values)| (values.len(), std::cmp::Reverse(one.class)))
}

fn fits(template: &'static str, parts: &[String]) -> Option<Values> {
    if template.split('/').count() != parts.len() {
        return None;
    }
    let mut values = Values::new();
    for (word, part) in template.split('/').zip(parts) {
        match word.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => values.push((name, part.clone())),
            None if word == part => {}
            None => return None,
        }
    }
    Some(values)
}

fn extends(template: &str, parts: &[String]) -> bool {
    let last = template.split('/').count() - 1;
    parts.len() > last
        && template.split('/').zip(parts).enumerate().all(|(place, (word, part))| {
            word.starts_with('{') || word == part || (place == last && part.starts_with(word))
        })
}

#[cfg(test)]
mod tests;
