//! What of an answer is shown: everything but what is nobody's business.

use serde_json::Value;

use super::body;
use crate::commands::user::account_data::KEYS;

/// What stands in place of what is not shown.
const WITHHELD: &str = "(withheld)";

/// How access tokens and the like begin, as Synapse and its authentication service make them.
const TOKENS: [&str; 5] = ["syt_", "syr_", "mat_", "mct_", "mcr_"];

/// The answer without secrets and keys; `tokens` says whether a bare token is a secret.
pub(super) fn masked(value: Value, tokens: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let mask = |(field, value): (String, Value)| {
                let value = match value {
                    Value::Null | Value::Bool(_) => value,
                    _ if is_withheld(&field, tokens) => WITHHELD.into(),
                    value => masked(value, tokens),
                };
                (field, value)
            };
            Value::Object(fields.into_iter().map(mask).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| masked(item, tokens)).collect(),
        Value::String(text) if TOKENS.iter().any(|begin| text.starts_with(begin)) => {
            WITHHELD.into()
        }
        other => other,
    }
}

fn is_withheld(field: &str, tokens: bool) -> bool {
    body::secret(field, tokens).is_some() || KEYS.iter().any(|begin| field.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_and_keys_are_withheld_wherever_they_stand() {
        let said = json!({
            "users": [{"name": "@ann:example.org", "password_hash": "$2b$12$x"}],
            "access_token": "abc", "token": "t", "x": ["syt_YW5u_x"], "logout": false,
            "password": null, "next_token": "5",
            "account_data": {"global": {"m.megolm_backup.v1": {"encrypted": {}}, "m.direct": {}}},
        });
        let withheld = "(withheld)";
        let shown = json!({
            "users": [{"name": "@ann:example.org", "password_hash": withheld}],
            "access_token": withheld, "token": withheld, "x": [withheld], "logout": false,
            "password": null, "next_token": "5",
            "account_data": {"global": {"m.megolm_backup.v1": withheld, "m.direct": {}}},
        });
        assert_eq!(masked(said, true), shown);
        let token = json!({"registration_tokens": [{"token": "welcome"}]});
        assert_eq!(masked(token.clone(), false), token);
    }
}
