//! The operations of the Admin API of the Synapse that the tests run, and what reaches each.
//!
//! Of each it is also known what it weighs where it is asked for by its path: what its verb weighs
//! with everything that a body could hold. A test holds the list against the homeserver itself,
//! others that each is really reached and that none weighs less than its verb.

use serde_json::Value;

use crate::change::{Class, Power};

mod matching;

pub use matching::{Values, When, Work, exactly, extended, nearest, verbs};

/// What reaches an operation.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// One of the examples of this verb.
    Spoken(&'static str),
    /// This verb, with more than the homeserver of the tests has: the reason, with the file of the
    /// test that has it.
    Elsewhere(&'static str, &'static str),
    /// Nothing, and this is why.
    Unspoken(&'static str),
}

use Class::{Disruptive, Irreversible, Reversible};
use Power::{Account, Look, LookPrivate, Moderate, Server};
use Reach::{Elsewhere, Spoken, Unspoken};
use When::{Beyond, Found, Has, Is, Missing, Untold};

/// An operation: what is asked for by one method at the paths of one form.
#[derive(Debug)]
pub struct Operation {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Its path below `/_synapse/admin/`, with names in braces for what stands in it. The name says
    /// what that is: `{user_id}`, `{room_id}`.
    pub path: &'static str,
    /// What reaches it.
    pub reach: Reach,
    /// The right that it takes, to see all of its answer or with any body, but for what is
    /// `dearer`.
    pub power: Power,
    /// What takes another right: a key of its body, and that right.
    pub dearer: &'static [(&'static str, Power)],
    /// What it costs with any body; `None` where it only looks.
    pub class: Option<Class>,
    /// What must hold of a request for it to do the work of the verb that reaches it.
    pub own: &'static [When],
    /// Verbs besides the one that reaches it whose work it does too.
    pub also: &'static [&'static str],
    /// Verbs whose work some requests for it do too.
    pub too: &'static [Work],
    /// Whether it asks for a phrase by its nature, with the body that makes it worst.
    pub phrase: bool,
    /// What its body must name, since that is whom or what it is done to, or in.
    pub names: Names,
    /// Where its answer would hold a secret: the verb that is to be used.
    pub withheld: Option<&'static str>,
}

/// What the body of a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Nothing that must be known.
    Nothing,
    /// The account that it is done to, under this key.
    Subject(&'static str),
    /// Accounts or rooms besides, under this key.
    Others(&'static str),
    /// Perhaps an account that is made to act, under this key.
    Actor(&'static str),
}

impl Operation {
    pub(super) const fn new(
        (method, path): (&'static str, &'static str),
        power: Power,
        class: Option<Class>,
        reach: Reach,
    ) -> Self {
        Self {
            method,
            path,
            reach,
            power,
            dearer: &[],
            class,
            own: &[],
            also: &[],
            too: &[],
            phrase: false,
            names: Names::Nothing,
            withheld: None,
        }
    }

    /// It takes another right where its body has something under one of these keys.
    const fn dearer(self, dearer: &'static [(&'static str, Power)]) -> Self {
        Self { dearer, ..self }
    }

    /// It does the work of the verb that reaches it only where this holds.
    const fn own_when(self, own: &'static [When]) -> Self {
        Self { own, ..self }
    }

    /// It does the work of these verbs too, where what stands with them holds.
    const fn too(self, too: &'static [Work]) -> Self {
        Self { too, ..self }
    }

    /// It does the work of these verbs too.
    pub(super) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    pub(super) const fn phrase(self) -> Self {
        Self { phrase: true, ..self }
    }

    /// It is done to the account under this key of its body.
    const fn about(self, key: &'static str) -> Self {
        Self { names: Names::Subject(key), ..self }
    }

    /// The account under this key of its body is made to act, where there is one.
    const fn acting_as(self, key: &'static str) -> Self {
        Self { names: Names::Actor(key), ..self }
    }

    /// What stands under this key of its body, besides its subject, must be there.
    const fn naming(self, key: &'static str) -> Self {
        Self { names: Names::Others(key), ..self }
    }

    /// Its answer would hold a secret, which this verb deals with.
    const fn withheld(self, verb: &'static str) -> Self {
        Self { withheld: Some(verb), ..self }
    }

    /// The verb that reaches it.
    fn spoken(&self) -> Option<&'static str> {
        match self.reach {
            Spoken(verb) | Elsewhere(verb, _) => Some(verb),
            Unspoken(_) => None,
        }
    }

    /// The verbs whose work it does, with any body.
    pub fn verbs(&self) -> impl Iterator<Item = &'static str> + use<> {
        let too = self.too.iter().map(|(verb, _)| *verb);
        let all = self.spoken().into_iter().chain(self.also.iter().copied()).chain(too);
        let mut found = Vec::new();
        for verb in all {
            if !found.contains(&verb) {
                found.push(verb);
            }
        }
        found.into_iter()
    }

    /// The right that it takes with this body.
    pub fn power_with(&self, body: &Value) -> Power {
        let dearer = self.dearer.iter().rev().find(|(key, _)| matching::has(body, key));
        dearer.map_or(self.power, |(_, power)| *power)
    }
}

pub(super) const fn look(path: &'static str, power: Power, reach: Reach) -> Operation {
    Operation::new(("GET", path), power, None, reach)
}

const fn post(path: &'static str, class: Class, power: Power, reach: Reach) -> Operation {
    Operation::new(("POST", path), power, Some(class), reach)
}

const fn put(path: &'static str, class: Class, power: Power, reach: Reach) -> Operation {
    Operation::new(("PUT", path), power, Some(class), reach)
}

const fn delete(path: &'static str, class: Class, power: Power, reach: Reach) -> Operation {
    Operation::new(("DELETE", path), power, Some(class), reach)
}

/// The fields of an account that have verbs of their own.
const OWN_FIELDS: &[&str] =
    &["password", "logout_devices", "admin", "deactivated", "erase", "locked", "approved"];

/// What the fields of an account can be made to do. What an account is made with changes nothing.
const EVERY_FIELD: &[Work] = &[
    ("user register", &[Missing("exists")]),
    ("user deactivate", &[Is("deactivated", true)]),
    ("user reactivate", &[Is("deactivated", false), Found("exists")]),
    ("user lock", &[Is("locked", true)]),
    ("user unlock", &[Is("locked", false), Found("exists")]),
    ("user approve", &[Has("approved"), Found("exists")]),
    ("user password", &[Has("password"), Found("exists")]),
    ("user admin", &[Has("admin"), Found("exists")]),
    ("user admin", &[Is("admin", true)]),
];

/// What the deletion of a room does besides. In the new room somebody speaks, and everybody is put
/// into it.
const WITH_A_ROOM: &[Work] = &[
    ("room block", &[Is("block", true)]),
    ("room empty", &[Is("purge", false)]),
    ("room join", &[Has("new_room_user_id")]),
    ("notice send", &[Has("new_room_user_id")]),
];

/// Where somebody else is made to act, it takes what it takes to act as an account.
const AS_SOMEBODY: &[(&str, Power)] = &[("new_room_user_id", Account)];

/// What is no message can change the room of the notices, in the name of their account.
const AS_THE_SERVER: &[(&str, Power)] = &[("type", Server), ("state_key", Server)];

/// Why rooms have no sizes here.
const ON_POSTGRESQL: &str = "SQLite has no answer; statistics.rs asks on PostgreSQL";

/// Why no example of a purge finds anything here.
const OLD: &str = "a new room has nothing that is old; takedowns.rs purges up to an event";

/// Why only one of the examples deletes anything here.
const ONCE: &str = "a room is deleted once; takedowns.rs does it with its files";

/// All of them, in the order of their paths.
pub const OPERATIONS: &[Operation] = &[
    post("v1/account_validity/validity", Disruptive, Account, Spoken("user validity"))
        .about("user_id"),
    look(
        "v1/auth_providers/{provider}/users/{external_id}",
        LookPrivate,
        Spoken("user auth-provider"),
    ),
    look("v1/background_updates/enabled", Look, Unspoken("the status says it too")),
    post("v1/background_updates/enabled", Reversible, Server, Spoken("background pause"))
        .own_when(&[Is("enabled", false)])
        .too(&[("background resume", &[Is("enabled", true)])]),
    post("v1/background_updates/start_job", Disruptive, Server, Spoken("background run")),
    look("v1/background_updates/status", Look, Spoken("background status")),
    post("v1/deactivate/{target_user_id}", Irreversible, Moderate, Spoken("user deactivate"))
        .phrase(),
    look("v1/event_reports", Look, Spoken("report list")),
    delete("v1/event_reports/{report_id}", Irreversible, Moderate, Spoken("report dismiss")),
    look("v1/event_reports/{report_id}", LookPrivate, Spoken("report details")),
    look("v1/experimental_features/{user_id}", Look, Spoken("user experimental")),
    put("v1/experimental_features/{user_id}", Reversible, Moderate, Spoken("user experimental")),
    look("v1/federation/destinations", Look, Spoken("federation list")),
    look("v1/federation/destinations/{destination}", Look, Spoken("federation details")),
    look("v1/federation/destinations/{destination}/rooms", Look, Spoken("federation rooms")),
    post(
        "v1/federation/destinations/{destination}/reset_connection",
        Disruptive,
        Server,
        Spoken("federation reset"),
    ),
    look("v1/fetch_event/{event_id}", LookPrivate, Spoken("event details")),
    post("v1/join/{room_identifier}", Disruptive, Account, Spoken("room join")).about("user_id"),
    delete("v1/media/{server_name}/{media_id}", Irreversible, Moderate, Spoken("media delete")),
    look("v1/media/{server_name}/{media_id}", Look, Spoken("media details")),
    post(
        "v1/media/{server_name}/delete",
        Irreversible,
        Server,
        Unspoken("the old way of media/delete"),
    )
    .also(&["media delete"])
    .phrase(),
    post("v1/media/delete", Irreversible, Server, Spoken("media delete")).phrase(),
    post("v1/media/protect/{media_id}", Reversible, Moderate, Spoken("media protect")),
    post(
        "v1/media/quarantine/{server_name}/{media_id}",
        Reversible,
        Moderate,
        Spoken("media quarantine"),
    ),
    look("v1/media/quarantine_changes", Look, Spoken("media changes")),
    post("v1/media/unprotect/{media_id}", Reversible, Moderate, Spoken("media unprotect")),
    post(
        "v1/media/unquarantine/{server_name}/{media_id}",
        Reversible,
        Moderate,
        Spoken("media unquarantine"),
    ),
    post("v1/purge_history/{room_id}", Irreversible, Moderate, Elsewhere("history purge", OLD))
        .phrase(),
    post(
        "v1/purge_history/{room_id}/{event_id}",
        Irreversible,
        Moderate,
        Unspoken("the event can stand in the body as well"),
    )
    .also(&["history purge"])
    .phrase(),
    look("v1/purge_history_status/{purge_id}", Look, Elsewhere("history purge", OLD)),
    post("v1/purge_media_cache", Disruptive, Server, Spoken("media purge")),
    post(
        "v1/quarantine_media/{room_id}",
        Irreversible,
        Moderate,
        Unspoken("the old way of room/{room_id}/media/quarantine"),
    )
    .also(&["media quarantine"]),
    look(
        "v1/register",
        Account,
        Unspoken("it takes the shared secret; accounts are created by PUT v2/users"),
    )
    .withheld("user register"),
    post(
        "v1/register",
        Disruptive,
        Account,
        Unspoken("it takes the shared secret; accounts are created by PUT v2/users"),
    )
    .withheld("user register"),
    look("v1/registration_tokens", Account, Spoken("regtok list")),
    delete("v1/registration_tokens/{token}", Disruptive, Account, Spoken("regtok delete")),
    look("v1/registration_tokens/{token}", Account, Spoken("regtok details")),
    put("v1/registration_tokens/{token}", Reversible, Account, Spoken("regtok update")),
    post("v1/registration_tokens/new", Reversible, Account, Spoken("regtok new")),
    post("v1/reset_password/{target_user_id}", Disruptive, Account, Spoken("user password")),
    look("v1/room/{room_id}/media", Look, Spoken("media list")),
    post(
        "v1/room/{room_id}/media/quarantine",
        Irreversible,
        Moderate,
        Elsewhere("room delete", ONCE),
    )
    .own_when(&[Untold])
    .also(&["media quarantine"]),
    look("v1/rooms", Look, Spoken("room list")),
    delete(
        "v1/rooms/{room_id}",
        Irreversible,
        Moderate,
        Unspoken("it answers when all is over, and nobody can see how far it is; v2 does the same"),
    )
    .also(&["room delete"])
    .too(WITH_A_ROOM)
    .dearer(AS_SOMEBODY)
    .acting_as("new_room_user_id")
    .phrase(),
    look("v1/rooms/{room_id}", Look, Spoken("room details")),
    look("v1/rooms/{room_id}/block", Look, Spoken("room block-status")),
    put("v1/rooms/{room_id}/block", Reversible, Moderate, Spoken("room block"))
        .own_when(&[Is("block", true)])
        .too(&[("room unblock", &[Is("block", false)])]),
    look("v1/rooms/{room_id}/context/{event_id}", LookPrivate, Spoken("room context")),
    look("v1/rooms/{room_id}/hierarchy", Look, Spoken("room hierarchy")),
    look("v1/rooms/{room_id}/members", Look, Spoken("room members")),
    look("v1/rooms/{room_id}/messages", LookPrivate, Spoken("room messages")),
    look("v1/rooms/{room_id}/state", LookPrivate, Spoken("room state")),
    look("v1/rooms/{room_id}/timestamp_to_event", Look, Spoken("room at")),
    delete(
        "v1/rooms/{room_identifier}/forward_extremities",
        Disruptive,
        Server,
        Spoken("room extremities"),
    ),
    look("v1/rooms/{room_identifier}/forward_extremities", Look, Spoken("room extremities")),
    post(
        "v1/rooms/{room_identifier}/make_room_admin",
        Disruptive,
        Account,
        Spoken("room make-admin"),
    )
    .naming("user_id"),
    look("v1/scheduled_tasks", Look, Spoken("task list")),
    look(
        "v1/search_users/{target_user_id}",
        LookPrivate,
        Unspoken("it answers with the hashes of passwords; user search finds the same"),
    )
    .withheld("user search"),
    post(
        "v1/send_server_notice",
        Disruptive,
        Moderate,
        Unspoken("with a transaction it can be sent again without harm"),
    )
    .about("user_id")
    .dearer(AS_THE_SERVER)
    .also(&["notice send"]),
    put("v1/send_server_notice/{txn_id}", Disruptive, Moderate, Spoken("notice send"))
        .about("user_id")
        .dearer(AS_THE_SERVER),
    look("v1/server_version", Look, Spoken("server version")),
    look("v1/statistics/database/rooms", Look, Elsewhere("stats rooms", ON_POSTGRESQL)),
    look("v1/statistics/users/media", Look, Spoken("stats media")),
    put("v1/suspend/{target_user_id}", Reversible, Moderate, Spoken("user suspend"))
        .own_when(&[Is("suspend", true)])
        .too(&[("user unsuspend", &[Is("suspend", false)])]),
    look("v1/threepid/{medium}/users/{address}", LookPrivate, Spoken("user 3pid")),
    post(
        "v1/user/{user_id}/media/quarantine",
        Irreversible,
        Moderate,
        Unspoken(
            "it does not say which it took, and has no way back; each file is taken by itself",
        ),
    )
    .also(&["media quarantine"]),
    post("v1/user/{user_id}/redact", Irreversible, Moderate, Spoken("user redact")).naming("rooms"),
    look("v1/user/redact_status/{redact_id}", Look, Spoken("user redact-status")),
    look("v1/user_reports", Look, Spoken("report list")),
    delete("v1/user_reports/{report_id}", Irreversible, Moderate, Spoken("report dismiss")),
    look("v1/user_reports/{report_id}", LookPrivate, Spoken("report details")),
    look("v1/username_available", Look, Spoken("user available")),
    post(
        "v1/users/{user_id}/_allow_cross_signing_replacement_without_uia",
        Disruptive,
        Account,
        Spoken("user cross-signing-reset"),
    ),
    look("v1/users/{user_id}/accountdata", LookPrivate, Spoken("user account-data")),
    look("v1/users/{user_id}/admin", Look, Unspoken("the account says it too")),
    put("v1/users/{user_id}/admin", Disruptive, Account, Spoken("user admin")),
    look("v1/users/{user_id}/cumulative_joined_room_count", Look, Spoken("user joins")),
    look("v1/users/{user_id}/joined_rooms", Look, Spoken("user details")),
    post("v1/users/{user_id}/login", Disruptive, Account, Spoken("user login"))
        .withheld("user login"),
    delete("v1/users/{user_id}/media", Irreversible, Moderate, Spoken("media delete-user"))
        .also(&["media delete"]),
    look("v1/users/{user_id}/media", Look, Spoken("user media")),
    look("v1/users/{user_id}/memberships", Look, Spoken("user membership")),
    delete("v1/users/{user_id}/override_ratelimit", Reversible, Moderate, Spoken("user ratelimit")),
    look("v1/users/{user_id}/override_ratelimit", Look, Spoken("user ratelimit")),
    post("v1/users/{user_id}/override_ratelimit", Reversible, Moderate, Spoken("user ratelimit")),
    look("v1/users/{user_id}/pushers", LookPrivate, Spoken("user pushers")),
    look("v1/users/{user_id}/sent_invite_count", Look, Spoken("user invites")),
    delete("v1/users/{user_id}/shadow_ban", Reversible, Moderate, Spoken("user shadow-ban")),
    post("v1/users/{user_id}/shadow_ban", Reversible, Moderate, Spoken("user shadow-ban")),
    look("v1/whois/{user_id}", LookPrivate, Spoken("user whois")),
    delete("v2/rooms/{room_id}", Irreversible, Moderate, Spoken("room delete"))
        .too(WITH_A_ROOM)
        .dearer(AS_SOMEBODY)
        .acting_as("new_room_user_id")
        .phrase(),
    look(
        "v2/rooms/{room_id}/delete_status",
        Look,
        Unspoken("scheduled_tasks has those that wait, too"),
    ),
    look("v2/rooms/delete_status/{delete_id}", Look, Spoken("room delete")),
    look("v2/users", Look, Spoken("user list")),
    look("v2/users/{user_id}", LookPrivate, Spoken("user details")),
    put("v2/users/{user_id}", Irreversible, Account, Spoken("user modify"))
        .own_when(&[Found("exists"), Beyond(OWN_FIELDS)])
        .too(EVERY_FIELD),
    post("v2/users/{user_id}/delete_devices", Disruptive, Moderate, Spoken("user logout"))
        .also(&["device delete"])
        .too(&[("user prune-devices", &[Untold])]),
    look("v2/users/{user_id}/devices", LookPrivate, Spoken("device list")),
    post("v2/users/{user_id}/devices", Disruptive, Moderate, Spoken("device create")),
    delete("v2/users/{user_id}/devices/{device_id}", Disruptive, Moderate, Spoken("device delete"))
        .also(&["user logout"]),
    look("v2/users/{user_id}/devices/{device_id}", LookPrivate, Spoken("device details")),
    put("v2/users/{user_id}/devices/{device_id}", Reversible, Moderate, Spoken("device rename"))
        .own_when(&[Found("device")])
        .too(&[("device create", &[Missing("device")])]),
    look("v3/users", Look, Spoken("user list")),
];
