//! The operations of the Admin API of the Synapse that the tests run, and what reaches each.
//!
//! A test holds the list against the homeserver itself, and another that each is really reached.

/// What reaches an operation.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// One of the examples of this verb.
    Spoken(&'static str),
    /// This verb, with more than the homeserver of the tests has.
    Elsewhere(&'static str, &'static str),
    /// Nothing, and this is why.
    Unspoken(&'static str),
    /// Nothing yet: what is going to.
    Missing(&'static str),
}

use Reach::{Elsewhere, Missing, Spoken, Unspoken};

/// Why no example of a purge finds anything here.
const OLD: &str = "a new room has nothing that is old; takedowns.rs purges up to an event";

/// Why only one of the examples deletes anything here.
const ONCE: &str = "a room is deleted once; takedowns.rs does it with its files";

/// Each by its method and its path below `/_synapse/admin/`, in the order of the paths.
pub const OPERATIONS: &[(&str, &str, Reach)] = &[
    ("POST", "v1/account_validity/validity", Spoken("user validity")),
    ("GET", "v1/auth_providers/{provider}/users/{external_id}", Spoken("user auth-provider")),
    ("GET", "v1/background_updates/enabled", Unspoken("the status says it too")),
    ("POST", "v1/background_updates/enabled", Spoken("background pause")),
    ("POST", "v1/background_updates/start_job", Spoken("background run")),
    ("GET", "v1/background_updates/status", Spoken("background status")),
    ("POST", "v1/deactivate/{target_user_id}", Spoken("user deactivate")),
    ("GET", "v1/event_reports", Spoken("report list")),
    ("DELETE", "v1/event_reports/{report_id}", Spoken("report dismiss")),
    ("GET", "v1/event_reports/{report_id}", Spoken("report details")),
    ("GET", "v1/experimental_features/{user_id}", Spoken("user experimental")),
    ("PUT", "v1/experimental_features/{user_id}", Spoken("user experimental")),
    ("GET", "v1/federation/destinations", Spoken("federation list")),
    ("GET", "v1/federation/destinations/{destination}", Spoken("federation details")),
    ("GET", "v1/federation/destinations/{destination}/rooms", Spoken("federation rooms")),
    (
        "POST",
        "v1/federation/destinations/{destination}/reset_connection",
        Spoken("federation reset"),
    ),
    ("GET", "v1/fetch_event/{event_id}", Spoken("event details")),
    ("POST", "v1/join/{room_identifier}", Spoken("room join")),
    ("DELETE", "v1/media/{server_name}/{media_id}", Spoken("media delete")),
    ("GET", "v1/media/{server_name}/{media_id}", Spoken("media details")),
    ("POST", "v1/media/{server_name}/delete", Unspoken("the old way of media/delete")),
    ("POST", "v1/media/delete", Spoken("media delete")),
    ("POST", "v1/media/protect/{media_id}", Spoken("media protect")),
    ("POST", "v1/media/quarantine/{server_name}/{media_id}", Spoken("media quarantine")),
    ("GET", "v1/media/quarantine_changes", Spoken("media changes")),
    ("POST", "v1/media/unprotect/{media_id}", Spoken("media unprotect")),
    ("POST", "v1/media/unquarantine/{server_name}/{media_id}", Spoken("media unquarantine")),
    ("POST", "v1/purge_history/{room_id}", Elsewhere("history purge", OLD)),
    ("GET", "v1/purge_history_status/{purge_id}", Elsewhere("history purge", OLD)),
    ("POST", "v1/purge_media_cache", Spoken("media purge")),
    (
        "POST",
        "v1/quarantine_media/{room_id}",
        Unspoken("the old way of room/{room_id}/media/quarantine"),
    ),
    (
        "GET",
        "v1/register",
        Unspoken("it takes the shared secret; accounts are made by PUT v2/users"),
    ),
    (
        "POST",
        "v1/register",
        Unspoken("it takes the shared secret; accounts are made by PUT v2/users"),
    ),
    ("GET", "v1/registration_tokens", Spoken("regtok list")),
    ("DELETE", "v1/registration_tokens/{token}", Spoken("regtok delete")),
    ("GET", "v1/registration_tokens/{token}", Spoken("regtok details")),
    ("PUT", "v1/registration_tokens/{token}", Spoken("regtok update")),
    ("POST", "v1/registration_tokens/new", Spoken("regtok new")),
    ("POST", "v1/reset_password/{target_user_id}", Spoken("user password")),
    ("GET", "v1/room/{room_id}/media", Spoken("media list")),
    ("POST", "v1/room/{room_id}/media/quarantine", Elsewhere("room delete", ONCE)),
    ("GET", "v1/rooms", Spoken("room list")),
    (
        "DELETE",
        "v1/rooms/{room_id}",
        Unspoken("it answers when all is over, and nobody can see how far it is; v2 does the same"),
    ),
    ("GET", "v1/rooms/{room_id}", Spoken("room details")),
    ("GET", "v1/rooms/{room_id}/block", Spoken("room block-status")),
    ("PUT", "v1/rooms/{room_id}/block", Spoken("room block")),
    ("GET", "v1/rooms/{room_id}/context/{event_id}", Spoken("room context")),
    ("GET", "v1/rooms/{room_id}/hierarchy", Spoken("room hierarchy")),
    ("GET", "v1/rooms/{room_id}/members", Spoken("room members")),
    ("GET", "v1/rooms/{room_id}/messages", Spoken("room messages")),
    ("GET", "v1/rooms/{room_id}/state", Spoken("room state")),
    ("GET", "v1/rooms/{room_id}/timestamp_to_event", Spoken("room at")),
    ("DELETE", "v1/rooms/{room_identifier}/forward_extremities", Spoken("room extremities")),
    ("GET", "v1/rooms/{room_identifier}/forward_extremities", Spoken("room extremities")),
    ("POST", "v1/rooms/{room_identifier}/make_room_admin", Spoken("room make-admin")),
    ("GET", "v1/scheduled_tasks", Spoken("task list")),
    (
        "GET",
        "v1/search_users/{target_user_id}",
        Unspoken("it answers with the hashes of passwords; user search finds the same"),
    ),
    (
        "POST",
        "v1/send_server_notice",
        Unspoken("with a transaction it can be sent again without harm"),
    ),
    ("PUT", "v1/send_server_notice/{txn_id}", Spoken("notice send")),
    ("GET", "v1/server_version", Spoken("server version")),
    ("GET", "v1/statistics/database/rooms", Elsewhere("stats rooms", "it takes PostgreSQL")),
    ("GET", "v1/statistics/users/media", Spoken("stats media")),
    ("PUT", "v1/suspend/{target_user_id}", Spoken("user suspend")),
    ("GET", "v1/threepid/{medium}/users/{address}", Spoken("user 3pid")),
    ("POST", "v1/user/{user_id}/media/quarantine", Missing("media quarantine --user-id")),
    ("POST", "v1/user/{user_id}/redact", Spoken("user redact")),
    ("GET", "v1/user/redact_status/{redact_id}", Spoken("user redact-status")),
    ("GET", "v1/user_reports", Spoken("report list")),
    ("DELETE", "v1/user_reports/{report_id}", Spoken("report dismiss")),
    ("GET", "v1/user_reports/{report_id}", Spoken("report details")),
    ("GET", "v1/username_available", Spoken("user available")),
    (
        "POST",
        "v1/users/{user_id}/_allow_cross_signing_replacement_without_uia",
        Spoken("user cross-signing-reset"),
    ),
    ("GET", "v1/users/{user_id}/accountdata", Spoken("user account-data")),
    ("GET", "v1/users/{user_id}/admin", Unspoken("the account says it too")),
    ("PUT", "v1/users/{user_id}/admin", Spoken("user admin")),
    ("GET", "v1/users/{user_id}/cumulative_joined_room_count", Spoken("user joins")),
    ("GET", "v1/users/{user_id}/joined_rooms", Spoken("user details")),
    ("POST", "v1/users/{user_id}/login", Spoken("user login")),
    ("DELETE", "v1/users/{user_id}/media", Spoken("media delete-user")),
    ("GET", "v1/users/{user_id}/media", Spoken("user media")),
    ("GET", "v1/users/{user_id}/memberships", Spoken("user membership")),
    ("DELETE", "v1/users/{user_id}/override_ratelimit", Spoken("user ratelimit")),
    ("GET", "v1/users/{user_id}/override_ratelimit", Spoken("user ratelimit")),
    ("POST", "v1/users/{user_id}/override_ratelimit", Spoken("user ratelimit")),
    ("GET", "v1/users/{user_id}/pushers", Spoken("user pushers")),
    ("GET", "v1/users/{user_id}/sent_invite_count", Spoken("user invites")),
    ("DELETE", "v1/users/{user_id}/shadow_ban", Spoken("user shadow-ban")),
    ("POST", "v1/users/{user_id}/shadow_ban", Spoken("user shadow-ban")),
    ("GET", "v1/whois/{user_id}", Spoken("user whois")),
    ("DELETE", "v2/rooms/{room_id}", Spoken("room delete")),
    (
        "GET",
        "v2/rooms/{room_id}/delete_status",
        Unspoken("scheduled_tasks has those that wait, too"),
    ),
    ("GET", "v2/rooms/delete_status/{delete_id}", Spoken("room delete")),
    ("GET", "v2/users", Spoken("user list")),
    ("GET", "v2/users/{user_id}", Spoken("user details")),
    ("PUT", "v2/users/{user_id}", Spoken("user modify")),
    ("POST", "v2/users/{user_id}/delete_devices", Spoken("user logout")),
    ("GET", "v2/users/{user_id}/devices", Spoken("device list")),
    ("POST", "v2/users/{user_id}/devices", Spoken("device create")),
    ("DELETE", "v2/users/{user_id}/devices/{device_id}", Spoken("device delete")),
    ("GET", "v2/users/{user_id}/devices/{device_id}", Unspoken("the list of devices says it too")),
    ("PUT", "v2/users/{user_id}/devices/{device_id}", Spoken("device rename")),
    ("GET", "v3/users", Spoken("user list")),
];
