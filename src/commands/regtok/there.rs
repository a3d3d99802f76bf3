//! Registration tokens that the authentication service keeps, in the form of the homeserver's own.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    change::{Method, Path, Step},
    error::Stop,
    synapse::{Listed, Reader},
};

/// Where they are: below `/api/admin/v1`.
const LIST: &str = "user-registration-tokens";

/// A token, as the service shows it.
#[derive(Deserialize)]
struct There {
    token: String,
    usage_limit: Option<i64>,
    times_used: i64,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// Every token that the service has (`GET /api/admin/v1/user-registration-tokens`), oldest first.
pub(super) async fn all(reader: &Reader, valid: Option<bool>) -> Result<Vec<Value>, Stop> {
    let valid = valid.map(|valid| valid.to_string());
    let filters: Vec<(&str, &str)> =
        valid.iter().map(|valid| ("filter[valid]", valid.as_str())).collect();
    let listed = reader.all_listed::<There>(LIST, &filters).await?;
    Ok(listed.into_iter().map(row).collect())
}

fn row(Listed { id, attributes: token }: Listed<There>) -> Value {
    json!({
        "token": token.token,
        "uses_allowed": token.usage_limit,
        "pending": 0,
        "completed": token.times_used,
        "expiry_time": token.expires_at.map(Timestamp::as_millisecond),
        "revoked": token.revoked_at.is_some(),
        "id": id,
    })
}

/// The request that makes one with these fields, named as the homeserver names them.
pub(super) fn make(token: Option<&str>, fields: &Map<String, Value>) -> Step {
    let mut body = translated(fields);
    body.extend(token.map(|token| ("token".to_owned(), json!(token))));
    Step::new(Method::Post, Path::accounts([LIST]), Value::Object(body))
}

/// The request that changes these fields of the one with this id.
pub(super) fn change(id: &str, fields: &Map<String, Value>) -> Step {
    let path = Path::accounts([LIST, id]);
    Step::new(Method::Put, path, Value::Object(translated(fields))).idempotent()
}

/// The request that lets nobody register with it any more: the service deletes none.
pub(super) fn revoke(id: &str) -> Step {
    Step::new(Method::Post, Path::accounts([LIST, id, "revoke"]), Value::Null)
}

/// The request that takes that back.
pub(super) fn unrevoke(id: &str) -> Step {
    Step::new(Method::Post, Path::accounts([LIST, id, "unrevoke"]), Value::Null)
}

/// Fields under the names that the service has for them, moments as it writes them.
fn translated(fields: &Map<String, Value>) -> Map<String, Value> {
    let moment = |value: &Value| {
        let at = value.as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
        json!(at.map(|at| at.to_string()))
    };
    let pair = |(key, value): (&String, &Value)| match key.as_str() {
        "uses_allowed" => Some(("usage_limit".to_owned(), value.clone())),
        "expiry_time" => Some(("expires_at".to_owned(), moment(value))),
        _ => None,
    };
    fields.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_names_and_moments_of_the_service() {
        let fields =
            json!({ "uses_allowed": 3, "expiry_time": 4_102_444_800_000_i64, "length": 16 });
        let step = make(Some("welcome"), fields.as_object().unwrap());
        let body = json!({
            "usage_limit": 3, "expires_at": "2100-01-01T00:00:00Z", "token": "welcome",
        });
        assert_eq!(step.body, body);
        let fields = json!({ "expiry_time": null });
        let step = change("01J", fields.as_object().unwrap());
        assert_eq!(step.body, json!({ "expires_at": null }), "null clears it");
        assert!(step.idempotent && !revoke("01J").idempotent);
    }
}
