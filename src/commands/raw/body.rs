//! The body of a request as it is typed, and the secrets in it.

use std::fmt;

use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, json};

use crate::reply::Line;

/// What the name of a field holds where its value is a secret; each is also the name of the slot.
const SECRETS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "access_token",
    "refresh_token",
    "login_token",
    "private_key",
    "recovery_key",
    "session_data",
];

/// The field of a token, which is no secret where it is one with which people register.
const TOKEN: &str = "token";

/// The slot of a text that is one secret altogether.
const WHOLE: &str = "data";

/// A secret that was typed, by the name of its slot.
pub(super) type Typed = (&'static str, SecretString);

/// A body, in which slots stand for secrets.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) value: Value,
    pub(super) secrets: Vec<Typed>,
}

/// Why a body will not do, and what of it must not be kept.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) why: Line,
    pub(super) secrets: Vec<Typed>,
}

/// Which secret the value of a field is, if it is one. `tokens` says whether a bare token is.
pub(super) fn secret(field: &str, tokens: bool) -> Option<&'static str> {
    let field = field.to_lowercase();
    let named = SECRETS.into_iter().find(|name| field.contains(name));
    named.or_else(|| (tokens && field == TOKEN).then_some(TOKEN))
}

/// Reads the text of a body, which is an object of JSON.
pub(super) fn read(text: &str, tokens: bool) -> Result<Body, Fault> {
    let whole = || vec![(WHOLE, SecretString::from(text))];
    // What cannot be read may hold a secret all the same.
    let perhaps = || if secret(text, false).is_some() { whole() } else { Vec::new() };
    let fault = |why: &str, secrets| Fault { why: why.into(), secrets };
    let Ok(Once(mut value)) = serde_json::from_str(text) else {
        let why = "the data is not valid JSON, or names a field twice";
        return Err(fault(why, perhaps()));
    };
    if !value.is_object() {
        let why = "the data must be a JSON object, such as {\"block\": true}";
        return Err(fault(why, perhaps()));
    }
    let mut found = Vec::new();
    if !take(&mut value, tokens, &mut found) {
        let why = "the data contains a secret that is not text, two secrets of one kind, or a \
            placeholder of mine";
        return Err(fault(why, whole()));
    }
    // On record stands what was typed without the secret. That takes that it is found there.
    let again = found.iter().any(|(_, secret)| text.matches(secret.as_str()).count() != 1);
    if again {
        let why = "the data contains a secret with escapes, or the same secret twice";
        return Err(fault(why, whole()));
    }
    let secrets = found.into_iter().map(|(name, secret)| (name, secret.into())).collect();
    Ok(Body { value, secrets })
}

/// Puts slots in the place of secrets; false where that cannot be.
fn take(value: &mut Value, tokens: bool, found: &mut Vec<(&'static str, String)>) -> bool {
    match value {
        Value::Object(fields) => fields.iter_mut().all(|(field, value)| {
            let Some(name) = secret(field, tokens) else { return take(value, tokens, found) };
            let Value::String(secret) = value else { return false };
            let new = found.iter().all(|(other, _)| *other != name);
            if field.starts_with('$') || secret.is_empty() || !new {
                return false;
            }
            found.push((name, std::mem::take(secret)));
            *value = json!({ "$secret": name });
            true
        }),
        Value::Array(values) => values.iter_mut().all(|value| take(value, tokens, found)),
        _ => true,
    }
}

/// A value in which no object names a field twice: of two, the homeserver takes one, and nobody
/// would have looked at the other.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E: Error>(self, is: bool) -> Result<Once, E> {
                Ok(Once(is.into()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Once, E> {
                Ok(Once(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Once, E> {
                Ok(Once(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Once, E> {
                let number = Number::from_f64(number).ok_or_else(|| E::custom("no number"))?;
                Ok(Once(number.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Once, E> {
                Ok(Once(text.into()))
            }

            fn visit_unit<E: Error>(self) -> Result<Once, E> {
                Ok(Once(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
                let mut values = Vec::new();
                while let Some(Once(value)) = items.next_element()? {
                    values.push(value);
                }
                Ok(Once(values.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Once, A::Error> {
                let mut map = Map::new();
                while let Some((field, Once(value))) = fields.next_entry::<String, Once>()? {
                    if map.insert(field, value).is_some() {
                        return Err(A::Error::custom("twice"));
                    }
                }
                Ok(Once(map.into()))
            }
        }
        from.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn secrets(typed: &[Typed]) -> Vec<(&'static str, &str)> {
        typed.iter().map(|(name, secret)| (*name, secret.expose_secret())).collect()
    }

    #[test]
    fn a_secret_goes_into_a_slot_wherever_it_stands() {
        let body = read(r#"{"a": [{"new_Password": "hunter2"}], "token": "xyz"}"#, true).unwrap();
        assert_eq!(
            body.value,
            json!({"a": [{"new_Password": {"$secret": "password"}}], "token": {"$secret": "token"}})
        );
        assert_eq!(secrets(&body.secrets), [("password", "hunter2"), ("token", "xyz")]);
        let token = read(r#"{"token": "welcome"}"#, false).unwrap();
        assert_eq!((token.value, token.secrets.len()), (json!({"token": "welcome"}), 0));
    }

    #[test]
    fn what_stands_on_record_in_place_of_a_secret_means_the_same() {
        let body = read(r#"{"password": "hunter2"}"#, true).unwrap();
        let again = read(r#"{"password": "[password]"}"#, true).unwrap();
        assert_eq!(body.value, again.value);
    }

    #[test]
    fn what_cannot_be_masked_is_refused_and_kept_nowhere() {
        for text in [
            r#"{"password": "a\"b"}"#,
            r#"{"password": "\u0061b"}"#,
            r#"{"password": "aaa", "displayname": "aaa"}"#,
            r#"{"password": 7}"#,
            r#"{"password": ""}"#,
            r#"{"password": null}"#,
            r#"{"password": "a", "new_password": "b"}"#,
            r#"{"password": "hunter2", "displayname": {"$secret": "password"}}"#,
            r#"{"password": "hunter2", "password": "other"}"#,
            r#"{"password": "hunter2""#,
            r#"["password"]"#,
        ] {
            let fault = read(text, true).unwrap_err();
            assert_eq!(secrets(&fault.secrets), [("data", text)]);
            assert!(!format!("{fault:?}").contains("hunter2"));
        }
        for text in ["", "{", "[]", "1", r#"{"a": 1, "a": 2}"#, r#"{"a": {"b": 1, "b": 2}}"#] {
            assert!(read(text, true).unwrap_err().secrets.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_read_is_what_was_typed() {
        let text = r#"{"a": [1, -2, 3.5, true, null, "x"], "b": {}}"#;
        assert_eq!(read(text, true).unwrap().value, serde_json::from_str::<Value>(text).unwrap());
    }
}
