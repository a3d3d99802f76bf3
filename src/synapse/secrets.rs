//! Named secrets, in memory only.

use std::{collections::BTreeMap, fmt};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::change::SLOT;

/// Secrets by name, for the steps of one change. They are wiped when this is dropped.
#[derive(Default)]
pub struct Secrets(BTreeMap<String, SecretString>);

impl Secrets {
    /// No secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `secret` under `name`; one that was there is wiped.
    pub fn put(&mut self, name: impl Into<String>, secret: SecretString) {
        self.0.insert(name.into(), secret);
    }

    /// The secret under `name`.
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// Takes the secret under `name` out.
    pub fn take(&mut self, name: &str) -> Option<SecretString> {
        self.0.remove(name)
    }

    /// The only secret, with its name; `None` where there is none, or several.
    pub fn only(&mut self) -> Option<(String, SecretString)> {
        if self.0.len() == 1 { self.0.pop_first() } else { None }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `body` with every `{"$secret": "NAME"}` replaced by the secret of that name; `None` where
    /// one is missing.
    pub(super) fn fill(&self, body: &Value) -> Option<Value> {
        Some(match body {
            Value::Object(map) => match slot(body) {
                Some(name) => Value::String(self.get(name)?.expose_secret().to_owned()),
                None => Value::Object(
                    map.iter()
                        .map(|(key, value)| Some((key.clone(), self.fill(value)?)))
                        .collect::<Option<_>>()?,
                ),
            },
            Value::Array(values) => {
                Value::Array(values.iter().map(|value| self.fill(value)).collect::<Option<_>>()?)
            }
            other => other.clone(),
        })
    }

    /// The access token under `name`, as the header that authorizes a request, which no log shows; `None`
    /// where there is none, or what no header can hold.
    pub(super) fn bearer(&self, name: &str) -> Option<HeaderValue> {
        let token = self.get(name)?.expose_secret();
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Moves the string at `pointer` of `body` into the slot `name` and leaves its name behind.
    /// Whether there was one; whatever else stood there is removed all the same.
    pub(super) fn cut(&mut self, body: &mut Value, pointer: &str, name: &str) -> bool {
        let Some(place) = body.pointer_mut(pointer) else { return false };
        match place.take() {
            Value::String(secret) => {
                self.put(name, secret.into());
                *place = json!({ SLOT: name });
                true
            }
            _ => false,
        }
    }

    /// Whether `text` holds one of the secrets.
    pub(super) fn shows_in(&self, text: &str) -> bool {
        self.0.values().map(ExposeSecret::expose_secret).any(|s| !s.is_empty() && text.contains(s))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The name of the slot that `value` is, if it is one.
fn slot(value: &Value) -> Option<&str> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get(SLOT)?.as_str()
}
