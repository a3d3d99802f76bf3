//! From the parts of a path to the address that is asked.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::change::Path;
use crate::error::api::{Error, Kind};

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address of `path` below `base`.
///
/// Fails for a part that is empty or a dot segment: an empty one asks for another thing than was
/// meant (`/v2/users/`), and a dot segment would climb up the path, whichever way it is written.
pub(super) fn address<'a>(
    base: &Url,
    path: &Path,
    query: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Url, Error> {
    let mut whole = base.path().trim_end_matches('/').to_owned();
    for part in path.parts() {
        if matches!(part.as_str(), "" | "." | "..") {
            return Err(Error::new(Kind::Part));
        }
        whole.push('/');
        whole.extend(utf8_percent_encode(part, ENCODED));
    }
    let mut address = base.clone();
    address.set_fragment(None);
    address.set_query(None);
    address.set_path(&whole);
    // Whatever the parser made of it, only exactly what was meant is sent.
    if address.path() != whole {
        return Err(Error::new(Kind::Part));
    }
    let query: Vec<String> = query
        .into_iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                utf8_percent_encode(name, ENCODED),
                utf8_percent_encode(value, ENCODED)
            )
        })
        .collect();
    if !query.is_empty() {
        address.set_query(Some(&query.join("&")));
    }
    Ok(address)
}

/// Words of the API's own paths. Only these are logged: any other part is an id, or a secret such
/// as a registration token.
const WORDS: &[&str] = &[
    "_allow_cross_signing_replacement_without_uia",
    "_matrix",
    "_synapse",
    "account",
    "account_validity",
    "accountdata",
    "admin",
    "api",
    "auth_metadata",
    "auth_providers",
    "background_updates",
    "block",
    "by-username",
    "capabilities",
    "client",
    "compat-sessions",
    "context",
    "cumulative_joined_room_count",
    "database",
    "deactivate",
    "delete",
    "delete_devices",
    "delete_status",
    "destinations",
    "devices",
    "directory",
    "enabled",
    "event_reports",
    "experimental_features",
    "federation",
    "fetch_event",
    "finish",
    "forward_extremities",
    "hierarchy",
    "join",
    "joined_rooms",
    "lock",
    "login",
    "make_room_admin",
    "media",
    "members",
    "memberships",
    "messages",
    "new",
    "oauth2-sessions",
    "override_ratelimit",
    "personal-sessions",
    "profile",
    "protect",
    "purge_history",
    "purge_history_status",
    "purge_media_cache",
    "pushers",
    "quarantine",
    "quarantine_changes",
    "quarantine_media",
    "reactivate",
    "redact",
    "redact_status",
    "register",
    "registration_tokens",
    "reset_connection",
    "reset_password",
    "revoke",
    "room",
    "rooms",
    "scheduled_tasks",
    "search_users",
    "send_server_notice",
    "sent_invite_count",
    "server_version",
    "set-admin",
    "set-password",
    "shadow_ban",
    "site-config",
    "start_job",
    "state",
    "statistics",
    "status",
    "suspend",
    "threepid",
    "timestamp_to_event",
    "uk.timedout.msc4323",
    "unlock",
    "unprotect",
    "unquarantine",
    "unrevoke",
    "unstable",
    "upstream-oauth-links",
    "user",
    "user-emails",
    "user-registration-tokens",
    "user-sessions",
    "user_reports",
    "username_available",
    "users",
    "v1",
    "v2",
    "v3",
    "validity",
    "versions",
    "whoami",
    "whois",
];

/// The path for the log, every part that is not a word of the API replaced.
pub(super) fn template(path: &Path) -> String {
    path.parts().iter().fold(String::new(), |mut text, part| {
        text.push('/');
        text.push_str(if WORDS.contains(&part.as_str()) { part } else { "{}" });
        text
    })
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use ruma::{RoomId, UserId};

    use super::*;
    use crate::change::Subject;

    #[test]
    fn the_log_reads_the_route_and_not_whom_it_is_about() {
        let path = Path::admin(["v2", "users", "@ann:example.org", "devices"]);
        assert_eq!(template(&path), "/_synapse/admin/v2/users/{}/devices");
        let path = Path::admin(["v1", "registration_tokens", "letmein"]);
        assert_eq!(template(&path), "/_synapse/admin/v1/registration_tokens/{}");
    }

    #[test]
    fn every_operation_of_the_table_is_counted_as_itself() {
        use std::time::Duration;

        use crate::{change::Root, commands::operations::OPERATIONS, metrics::Metrics};

        let metrics = Metrics::counting([], crate::pipeline::operations()).unwrap();
        let process =
            crate::metrics::Process { sync_age: Duration::ZERO, healthy: true, ready: true };
        for one in OPERATIONS {
            let id = |part: &str| if part.starts_with('{') { "@a:b" } else { part }.to_owned();
            let path = Path::below(Root::Admin, one.path.split('/').map(id));
            metrics.requested(one.method, &template(&path), Duration::ZERO, None);
        }
        let text = metrics.text(process, None).unwrap();
        for one in OPERATIONS {
            let series = format!("_count{{operation=\"{} {}\"}} 1", one.method, one.path);
            assert!(text.contains(&series), "{} {} is not counted once", one.method, one.path);
        }
    }

    /// Subjects of every kind whose ids hold `text`.
    fn called(text: &str) -> Vec<Subject> {
        let user = UserId::parse(format!("@{text}:x.test")).unwrap();
        vec![
            Subject::Room(RoomId::parse(format!("!{text}:x.test")).unwrap()),
            Subject::Media("x.test".try_into().unwrap(), text.to_owned()),
            Subject::Device(user.clone(), text.into()),
            Subject::Token(text.to_owned()),
            Subject::User(user),
        ]
    }

    #[test]
    fn a_subject_is_one_part_of_the_address_whatever_is_in_its_id() {
        let base = Url::parse("https://x.test").unwrap();
        let of = |subject: &Subject| {
            address(&base, &Path::admin(["v1", &subject.segment(), "media"]), [])
        };
        for text in
            ["a/../b", "%2f%2E%2e", "a?b=c&d", "a#b", "a b", "ä\u{202e}猫", "a\\b", "@", "...."]
        {
            for subject in called(text) {
                let address = of(&subject).unwrap();
                let parts: Vec<_> = address.path().split('/').collect();
                let [_, "_synapse", "admin", "v1", part, "media"] = parts[..] else {
                    panic!("{subject:?} is sent to {address}")
                };
                assert_eq!(percent_decode_str(part).decode_utf8().unwrap(), subject.segment());
                assert_eq!((address.query(), address.fragment()), (None, None), "{subject:?}");
            }
        }
        // An id that is nothing but dots cannot be a part.
        for id in ["", ".", ".."] {
            assert!(of(&Subject::Token(id.to_owned())).is_err(), "{id:?}");
        }
    }
}
