//! Another server as this one sends to it, and what the verbs about them have in common.

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::Path,
    commands::arguments::bare,
    reply::{Fact, Line},
    synapse::{
        Error, Reader, holding,
        wire::{Plausible as _, known, passed},
    },
};

/// A server, as `GET /_synapse/admin/v1/federation/destinations/{destination}` shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Destination {
    /// Its name.
    #[serde(rename = "destination")]
    pub(super) name: String,
    /// When it was last tried in vain; 0 where nothing is wrong.
    #[serde(default)]
    retry_last_ts: Option<i64>,
    /// How long it is left alone after that.
    #[serde(default)]
    retry_interval: Option<i64>,
    #[serde(default, deserialize_with = "known")]
    failure_ts: Option<Timestamp>,
    last_successful_stream_ordering: Option<i64>,
}

impl Destination {
    /// Whether it is being left alone, since it could not be reached.
    pub(super) fn is_failing(&self) -> bool {
        self.retry_last_ts.is_some_and(|at| at > 0)
    }

    /// How it is reached.
    pub(super) fn facts(&self, now: Timestamp) -> Vec<Fact> {
        if !self.is_failing() {
            let said = if self.last_successful_stream_ordering.is_some() {
                "yes"
            } else {
                "no problems known; nothing from rooms was sent to it yet"
            };
            return vec![("Reached", said.into())];
        }
        let tried = self.retry_last_ts.and_then(|at| Timestamp::plausible(&at.into()));
        let (since, tried) = (passed(self.failure_ts, now), passed(tried, now));
        let waits = SignedDuration::from_millis(self.retry_interval.unwrap_or(0));
        let next = tried.and_then(|tried| tried.checked_add(waits).ok());
        vec![
            ("Reached", Line::new().strong("no")),
            ("Failing since", Line::new().ago(since, now)),
            ("Last tried", Line::new().ago(tried, now)),
            ("Next try", Line::new().ago(next, now)),
        ]
    }
}

/// The path of a server.
pub(super) fn path(server: &ServerName) -> Path {
    Path::admin(["v1", "federation", "destinations", server.as_str()])
}

/// A server as the homeserver says it, `None` where it has never sent anything there.
pub(super) async fn raw(server: &ServerName, reader: &Reader) -> Result<Option<Value>, Error> {
    let found: Option<Value> = reader.find(&path(server), &[]).await?;
    found.map(|found| holding(found, "destination")).transpose()
}

/// The refusal for a server to which nothing was ever sent.
pub(super) fn unknown(server: impl std::fmt::Display) -> Line {
    Line::new()
        .plain("this homeserver has never sent anything to ")
        .code(server)
        .plain(", or nobody here shares a room with it")
}

/// Reads the name of a server; whoever types an id means the server in it.
pub(super) fn server(text: &str) -> Result<OwnedServerName, String> {
    let text = bare(text);
    let name = match text.split_once(':') {
        Some((id, name)) if id.starts_with(['@', '!', '#']) => name,
        _ => text.trim_end_matches(['.', ',', ';', ':']),
    };
    ServerName::parse(name)
        .map_err(|_| "it is not the name of a server; one looks like example.org".to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::{self, now};

    /// A server as the homeserver has it, which can be reached or not.
    pub(in crate::commands::federation) fn remote(failing: bool) -> Value {
        let at = if failing { 1_795_183_200_000_i64 } else { 0 };
        json!({
            "destination": "remote.example", "retry_last_ts": at,
            "retry_interval": if failing { 3_600_000 } else { 0 },
            "failure_ts": failing.then_some(1_795_000_000_000_i64),
            "last_successful_stream_ordering": 12,
        })
    }

    #[test]
    fn a_server_that_cannot_be_reached_says_since_when_and_when_it_is_tried_again() {
        let told =
            |value: Value| testing::facts(&Destination::deserialize(value).unwrap().facts(now()));
        assert_eq!(told(remote(false)), "Reached: yes\n");
        assert_eq!(
            told(remote(true)),
            "Reached: **no**\n\
             Failing since: 2 days ago\n\
             Last tried: 3 min ago\n\
             Next try: in 57 min\n"
        );
        // Nothing was tried before there was time, nor will it have been.
        let odd = [json!(null), json!(1), json!(-5), json!(4_000_000_000_000_i64), json!("x")];
        for odd in odd.into_iter().chain([json!(i64::MAX), json!({})]) {
            let mut server = remote(true);
            server["failure_ts"] = odd.clone();
            if let Some(at) = odd.as_i64().filter(|at| *at > 0) {
                server["retry_last_ts"] = json!(at);
                let told = told(server);
                assert!(told.contains("Last tried: not known\nNext try: not known"), "{told}");
            } else {
                let told = told(server);
                assert!(told.contains("Failing since: not known\nLast tried: 3 min ago"), "{told}");
            }
        }
        let bare = told(json!({"destination": "remote.example"}));
        assert!(bare.contains("no problems known"), "{bare}");
    }

    #[test]
    fn a_server_is_named_by_its_name_or_by_whoever_is_on_it() {
        for typed in ["remote.example", "@ann:remote.example", "#lobby:remote.example"] {
            assert_eq!(server(typed).unwrap().as_str(), "remote.example");
        }
        assert_eq!(server("127.0.0.1:8448").unwrap().as_str(), "127.0.0.1:8448");
        for other in ["", "a b", "https://remote.example"] {
            assert!(server(other).is_err(), "{other}");
        }
    }
}
