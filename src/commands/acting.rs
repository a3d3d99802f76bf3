//! Who is made to act or to speak by a verb, and by which of its options.
//!
//! The homeserver lets whoever runs it act as anybody. So each verb that changes something stands
//! here, and each of its options: a test finds those that are missing, and makes a page of them.

/// What makes somebody act or speak.
#[derive(Debug)]
pub struct Acting {
    /// The verb.
    pub verb: &'static str,
    /// Its option, in its long form; nothing where it is the verb itself.
    pub option: &'static str,
    /// Who acts.
    pub who: &'static str,
    /// What they are made to do.
    pub does: &'static str,
    /// Of whom the gate hears besides who or what the command is about.
    pub reaches: Reaches,
    /// A command that does it: what it takes and amounts to is read from it.
    pub example: &'static str,
}

/// Of whom the gate hears besides who or what a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaches {
    /// Of nobody.
    Nobody,
    /// Of the rooms in which it is done.
    Rooms,
    /// Of the account that the option names.
    Account,
    /// Of each account and room that is named in the request.
    Named,
}

use Reaches::{Account, Named, Nobody, Rooms};

/// Who acts, and what they do.
type Acts = [&'static str; 2];

const fn acting(
    (verb, option): (&'static str, &'static str),
    [who, does]: Acts,
    reaches: Reaches,
    example: &'static str,
) -> Acting {
    Acting { verb, option, who, does, reaches, example }
}

const ITSELF: &str = "the account itself";
const KEEPER: &str = "the account of the admin token";
const NOTICES: &str = "the account of the server's notices";
const HOLDER: &str = "whoever gets the secret, as the account";

/// All that makes somebody act or speak.
pub const ACTING: &[Acting] = &[
    acting(
        ("user modify", "display-name"),
        [ITSELF, "shows it in its rooms"],
        Nobody,
        "user modify @ann:example.org -n Ann",
    ),
    acting(
        ("user modify", "avatar-url"),
        [ITSELF, "shows it in its rooms"],
        Nobody,
        "user modify @ann:example.org -v mxc://example.org/abc",
    ),
    acting(
        ("user modify", "password"),
        [HOLDER, "can log in and do everything"],
        Nobody,
        "user modify @ann:example.org -P secret",
    ),
    acting(
        ("user modify", "threepid"),
        ["anybody with the email address or phone number", "sets a new password by email"],
        Nobody,
        "user modify @ann:example.org -t email ann@mail.example",
    ),
    acting(
        ("user modify", "external-id"),
        ["the person with that account at the provider", "can log in and do everything"],
        Nobody,
        "user modify @ann:example.org --external-id oidc-x 5f0c2a",
    ),
    acting(
        ("user modify", "create"),
        ["a new account", "is created"],
        Nobody,
        "user modify @new:example.org --create",
    ),
    acting(
        ("user modify", "admin"),
        [ITSELF, "can do everything on the homeserver"],
        Nobody,
        "user modify @ann:example.org --admin",
    ),
    acting(
        ("user modify", "activate"),
        [ITSELF, "can be logged in to again"],
        Nobody,
        "user modify @gone:example.org --activate",
    ),
    acting(
        ("user modify", "deactivate"),
        [ITSELF, "leaves its rooms and declines invitations"],
        Nobody,
        "user modify @ann:example.org --deactivate",
    ),
    acting(
        ("user deactivate", ""),
        [ITSELF, "leaves its rooms and declines invitations"],
        Nobody,
        "user deactivate @ann:example.org",
    ),
    acting(
        ("user suspend", "tell"),
        [NOTICES, "says it to the account before that"],
        Nobody,
        "user suspend @ann:example.org --tell Hello",
    ),
    acting(
        ("user lock", "tell"),
        [NOTICES, "says it to the account before that"],
        Nobody,
        "user lock @ann:example.org --tell Hello",
    ),
    acting(
        ("user deactivate", "tell"),
        [NOTICES, "says it to the account before that"],
        Nobody,
        "user deactivate @ann:example.org --tell Hello",
    ),
    acting(
        ("user deactivate-regex", ""),
        ["each matching account", "leaves its rooms and declines invitations"],
        Nobody,
        "user deactivate-regex @ann:example.org",
    ),
    acting(
        ("user reactivate", ""),
        [ITSELF, "can be logged in to again"],
        Nobody,
        "user reactivate @gone:example.org",
    ),
    acting(
        ("user password", ""),
        [HOLDER, "can log in and do everything"],
        Nobody,
        "user password @ann:example.org",
    ),
    acting(
        ("user login", ""),
        [HOLDER, "can do everything, unseen by its owner"],
        Nobody,
        "user login @ann:example.org",
    ),
    acting(
        ("user register", ""),
        [HOLDER, "can log in and do everything"],
        Nobody,
        "user register @new:example.org",
    ),
    acting(
        ("user register", "admin"),
        [HOLDER, "can do everything on the homeserver"],
        Nobody,
        "user register @new:example.org --admin",
    ),
    acting(
        ("user admin", ""),
        [ITSELF, "can do everything on the homeserver"],
        Nobody,
        "user admin grant @ann:example.org",
    ),
    acting(
        ("user cross-signing-reset", ""),
        ["anybody logged in as the account", "replaces its keys without its password"],
        Nobody,
        "user cross-signing-reset @ann:example.org",
    ),
    acting(
        ("user redact", ""),
        [ITSELF, "redacts what it wrote"],
        Rooms,
        "user redact @ann:example.org",
    ),
    acting(
        ("user redact", "use-admin"),
        [KEEPER, "redacts what somebody wrote"],
        Rooms,
        "user redact @ann:example.org --use-admin",
    ),
    acting(
        ("user invites", "withdraw"),
        [
            "the account of the admin token where it may, else the account itself",
            "removes whom it has invited",
        ],
        Account,
        "user invites @ann:example.org --withdraw",
    ),
    acting(
        ("user invites", "reject"),
        ["each invited account of this server", "declines the invitation"],
        Named,
        "user invites @ann:example.org --reject",
    ),
    acting(
        ("event redact", ""),
        [
            "who sent it; for somebody of another server the account of the admin token",
            "redacts one event",
        ],
        Rooms,
        "event redact $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go",
    ),
    acting(
        ("room join", ""),
        [
            "the accounts; where the room is not open, the account of the admin token before them",
            "join the room; invites them",
        ],
        Rooms,
        "room join #lobby:example.org @bob:example.org",
    ),
    acting(
        ("room kick", ""),
        [KEEPER, "removes the accounts from the room"],
        Rooms,
        "room kick #lobby:example.org @ann:example.org",
    ),
    acting(
        ("room kick", "as-user"),
        [ITSELF, "leaves the room"],
        Rooms,
        "room kick #lobby:example.org @ann:example.org --as-user",
    ),
    acting(
        ("room make-admin", ""),
        [
            "the account of this server with the most power in the room",
            "gives the account of the admin token its power, and invites it",
        ],
        Nobody,
        "room make-admin #lobby:example.org",
    ),
    acting(
        ("room make-admin", "user-id"),
        [
            "the account of this server with the most power in the room",
            "gives that account its power, and invites it",
        ],
        Account,
        "room make-admin #lobby:example.org --user-id @bob:example.org",
    ),
    acting(
        ("room demote", ""),
        [KEEPER, "lowers the power of the account"],
        Account,
        "room demote #lobby:example.org @ann:example.org",
    ),
    acting(
        ("room demote", "as-user"),
        [ITSELF, "lowers its own power"],
        Account,
        "room demote #lobby:example.org @ann:example.org --as-user",
    ),
    acting(
        ("room delete", ""),
        ["everybody of this server in the room", "leaves it"],
        Nobody,
        "room delete #lobby:example.org",
    ),
    acting(
        ("room delete", "new-room-user-id"),
        [
            "that account; everybody of this server in the room",
            "makes a room and speaks in it; joins it",
        ],
        Account,
        "room delete #lobby:example.org -u @ann:example.org",
    ),
    acting(
        ("room delete", "room-name"),
        ["the account that makes the new room", "names it so"],
        Account,
        "room delete #lobby:example.org -u @ann:example.org -n Moved",
    ),
    acting(
        ("room delete", "message"),
        ["the account that makes the new room", "says it there"],
        Account,
        "room delete #lobby:example.org -u @ann:example.org -m Moved",
    ),
    acting(
        ("room empty", ""),
        ["everybody of this server in the room", "leaves it"],
        Nobody,
        "room empty #lobby:example.org",
    ),
    acting(
        ("notice send", ""),
        [NOTICES, "says it to one person; to operators and server admins for an admin only"],
        Nobody,
        "notice send @ann:example.org Hello",
    ),
    acting(
        ("notice send", "also"),
        [NOTICES, "says it to several"],
        Nobody,
        "notice send @ann:example.org Hello --also @bob:example.org",
    ),
    acting(
        ("notice send", "regex"),
        [NOTICES, "says it to many"],
        Nobody,
        "notice send @a.* Hello --regex",
    ),
    acting(
        ("notice send", "type"),
        [NOTICES, "sends any event into its room with somebody"],
        Nobody,
        "notice send @ann:example.org {} --type m.x",
    ),
    acting(
        ("notice send", "state-key"),
        [NOTICES, "changes its room with somebody"],
        Nobody,
        "notice send @ann:example.org {} --type m.room.topic --state-key \"\"",
    ),
    acting(
        ("regtok new", ""),
        ["anybody who knows the token", "registers an account"],
        Nobody,
        "regtok new",
    ),
    acting(
        ("regtok update", "uses-allowed"),
        ["anybody who knows the token", "registers an account"],
        Nobody,
        "regtok update welcome-friends --uses-allowed 3",
    ),
    acting(
        ("regtok update", "expire-at"),
        ["anybody who knows the token", "registers an account"],
        Nobody,
        "regtok update welcome-friends --expire-at 2026-12-01",
    ),
    acting(
        ("regtok update", "expiry-ts"),
        ["anybody who knows the token", "registers an account"],
        Nobody,
        "regtok update welcome-friends --expiry-ts 1796083200000",
    ),
    acting(
        ("raw", ""),
        ["same as the command that does this", "anything"],
        Named,
        "raw v9/nothing -m post",
    ),
    acting(
        ("matrix raw", ""),
        [KEEPER, "anything in rooms, in their directory, in profiles"],
        Named,
        "matrix raw client/v3/createRoom -m post",
    ),
];

/// The other verbs that change something, and the options with which nobody acts or speaks who does
/// not without them.
pub const QUIET: &[(&str, &[&str])] = &[
    ("user register", &["display-name", "password", "user-type"]),
    (
        "user modify",
        &[
            "",
            "clear-threepids",
            "lock",
            "no-admin",
            "no-logout",
            "password-prompt",
            "unlock",
            "user-type",
        ],
    ),
    ("user approve", &["", "withdraw"]),
    ("user deactivate", &["delete-media", "gdpr-erase"]),
    ("user deactivate-regex", &["batch-size", "dry-run", "gdpr-erase"]),
    ("user password", &["no-logout", "password"]),
    ("user login", &["expire", "expire-days", "expire-never", "expire-ts"]),
    ("user logout", &[""]),
    (
        "user prune-devices",
        &["", "device-id", "list-only", "min-days", "min-surviving", "never-seen"],
    ),
    ("user suspend", &["", "unsuspend"]),
    ("user unsuspend", &[""]),
    ("user lock", &[""]),
    ("user unlock", &[""]),
    ("user shadow-ban", &["", "unban"]),
    ("user validity", &["", "expire-at", "expiry-ts", "no-renewal-emails"]),
    ("user ratelimit", &["", "burst-count", "messages-per-second"]),
    ("user experimental", &["", "disable", "enable"]),
    ("user invites", &["", "open", "since"]),
    ("user redact", &["after", "before", "limit", "room"]),
    ("device create", &["", "display-name"]),
    ("device rename", &[""]),
    ("device delete", &[""]),
    ("room block", &["", "block", "unblock"]),
    ("room unblock", &[""]),
    ("room join", &["server-name"]),
    ("room kick", &["space"]),
    ("room extremities", &["", "delete"]),
    ("room delete", &["block", "force-purge", "no-purge", "quarantine-media", "v1"]),
    (
        "room purge-empty",
        &["", "batch-size", "block", "force-purge", "no-purge", "quarantine-media", "v1"],
    ),
    ("media quarantine", &["", "media-id", "mxc-uri", "room-id", "server-name", "user-id"]),
    ("media unquarantine", &["", "media-id", "mxc-uri", "server-name"]),
    ("media protect", &["", "media-id", "mxc-uri", "server-name"]),
    ("media unprotect", &["", "media-id", "mxc-uri", "server-name"]),
    (
        "media delete",
        &[
            "",
            "before",
            "before-days",
            "before-ts",
            "delete-profiles",
            "media-id",
            "mxc-uri",
            "server-name",
            "size",
        ],
    ),
    ("media delete-user", &[""]),
    ("media purge", &["", "before", "before-days", "before-ts"]),
    (
        "history purge",
        &["", "before", "before-days", "before-event-id", "before-ts", "delete-local"],
    ),
    ("report dismiss", &["", "users"]),
    ("regtok new", &["expire-at", "expiry-ts", "length", "token", "uses-allowed"]),
    ("regtok update", &[""]),
    ("regtok delete", &[""]),
    ("notice send", &["batch-size", "from-file", "markdown", "preview-length", "silent"]),
    ("federation reset", &[""]),
    ("background pause", &[""]),
    ("background resume", &[""]),
    ("background run", &["", "before", "old-key"]),
    ("raw", &["data", "data-file", "method"]),
    ("matrix raw", &["data", "data-file", "method", "prompt", "token"]),
];
