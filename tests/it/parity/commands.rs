//! The commands of synadm, and what each is held against.

use serde_json::Value;

use super::turned::{addresses, id, joined, members, powers, rooms};

/// One of its commands.
pub(super) struct Command {
    /// As it is typed.
    pub(super) words: &'static str,
    /// Everything that it is held against.
    pub(super) held: &'static [Held],
}

/// What a command is held against. Words are those of the verbs' examples, in place of which real
/// things are put.
pub(super) enum Held {
    /// Both look, and show the same but for what is apart: the path in the data, and why.
    Look {
        /// synadm's words.
        theirs: &'static str,
        /// Synod's.
        ours: &'static str,
        /// Puts Synod's data into the shape of synadm's.
        turned: fn(Value) -> Value,
        /// Where they differ even so, with `*` for every place in a list, and why.
        apart: Apart,
    },
    /// Each changes a twin, and the homeserver has the same of both afterwards.
    Change {
        /// synadm's words.
        theirs: &'static str,
        /// Synod's.
        ours: &'static str,
        /// The path at which the homeserver is asked.
        state: &'static str,
    },
    /// It takes more than a row; the test is in `told.rs`.
    Told(&'static str),
    /// Synod has nothing of the kind, or something else in its place, and this is why.
    Instead(&'static str),
}

use Held::{Instead, Told};

/// Paths in the data, and why there is a difference.
type Apart = &'static [(&'static str, &'static str)];

/// Where the same words show the same.
const fn look(words: &'static str) -> Held {
    looks(words, words)
}

const fn looks(theirs: &'static str, ours: &'static str) -> Held {
    Held::Look { theirs, ours, turned: std::convert::identity, apart: &[] }
}

/// Where other words show the same, but for what is apart.
const fn apart(theirs: &'static str, ours: &'static str, apart: Apart) -> Held {
    Held::Look { theirs, ours, turned: std::convert::identity, apart }
}

/// Where the same words show the same in another shape, but for what is apart.
const fn turned(words: &'static str, turned: fn(Value) -> Value, apart: Apart) -> Held {
    Held::Look { theirs: words, ours: words, turned, apart }
}

/// Where the same words do the same, seen at a path.
const fn change(words: &'static str, state: &'static str) -> Held {
    changes(words, words, state)
}

const fn changes(theirs: &'static str, ours: &'static str, state: &'static str) -> Held {
    Held::Change { theirs, ours, state }
}

const PLACES: (&str, &str) = ("/offset", "the asker has typed it");
const BACK: (&str, &str) = ("/prev_batch", "a page says where to go on, not where it came from");
const TOTAL: (&str, &str) = ("/total", "every list says how many there are");
const NEXT: (&str, &str) = ("/next_token", "a text in every list, since some of the API's are");
const CREATORS: (&str, &str) = ("/rooms/*/creators", "synadm leaves them out: its fault 18");
const ABOVE: (&str, &str) = ("/rooms/*/creators_above", "since version 12 they are above all");
const BATCH: (&str, &str) = ("/rooms_w_power_levels_curr_batch", "the number of rows shows");
const MASKED: &str = "what leads to a person's other accounts takes --show-3pid";
const CONTENT: &str = "what people wrote takes --show-content";

const USER: &str = "/_synapse/admin/v2/users/@ann:example.org";
const BOB: &str = "/_synapse/admin/v2/users/@bob:example.org";
const NEW: &str = "/_synapse/admin/v2/users/@new:example.org";
const MEMBERS: &str = "/_synapse/admin/v1/rooms/!OGEhHVWSdvArJzumhm:example.org/members";
const POWERS: &str =
    "/_synapse/admin/v1/rooms/!OGEhHVWSdvArJzumhm:example.org/state?type=m.room.power_levels";
const BLOCK: &str = "/_synapse/admin/v1/rooms/!OGEhHVWSdvArJzumhm:example.org/block";
const FILE: &str = "/_synapse/admin/v1/media/synod.test/abcdefghijklmnopqrstuvwx";
const TOKEN: &str = "/_synapse/admin/v1/registration_tokens/for-the-choir";

/// All of them. Changes are made in this order, each to what the one before has left.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: "config",
        held: &[Instead("Synod reads a file, and `synod check` says what is wrong with it")],
    },
    Command { words: "version", held: &[looks("version", "server version")] },
    Command {
        words: "raw",
        held: &[
            look("raw v1/server_version"),
            look("raw v2/users/@ann:example.org"),
            look("raw v1/rooms?limit=3&order_by=name"),
            change(
                "raw v1/users/@ann:example.org/override_ratelimit --method post",
                "/_synapse/admin/v1/users/@ann:example.org/override_ratelimit",
            ),
            Told("a_raw_request_does_what_synadms_does"),
        ],
    },
    Command {
        words: "user list",
        held: &[
            look("user list"),
            looks("user list -d -l 3", "user list -d -l 3"),
            look("user list -d -G --sort-by creation_ts --reverse -f 1 -l 2"),
            look("user list --admins"),
            look("user list -A --exclude-user-type support"),
            look("user list --name twin"),
        ],
    },
    Command { words: "user search", held: &[looks("user search TWIN", "user search twin")] },
    Command {
        words: "user details",
        held: &[
            apart(
                "user details @ann:example.org",
                "user details @ann:example.org",
                &[("/external_ids/*/external_id", MASKED), ("/threepids/*/address", MASKED)],
            ),
            looks("user details @ann:example.org", "user details @ann:example.org --show-3pid"),
            look("user details @gone:example.org"),
        ],
    },
    Command {
        words: "user modify",
        held: &[
            change("user modify @ann:example.org -n \"Ann Lee\"", USER),
            change(
                "user modify @ann:example.org -v mxc://example.org/abcdefghijklmnopqrstuvwx",
                USER,
            ),
            change("user modify @ann:example.org --threepid email ann@mail.example", USER),
            change("user modify @ann:example.org --clear-threepids", USER),
            change("user modify @ann:example.org --user-type bot", USER),
            change("user modify @ann:example.org --user-type regular", USER),
            change("user modify @bob:example.org --admin", BOB),
            change("user modify @bob:example.org --no-admin", BOB),
            change("user modify @bob:example.org --lock", BOB),
            change("user modify @bob:example.org --unlock", BOB),
            change("user modify @bob:example.org --deactivate", BOB),
            change("user modify @bob:example.org --activate", BOB),
            changes(
                "user modify @new:example.org -n \"Somebody New\"",
                "user modify @new:example.org --create -n \"Somebody New\"",
                NEW,
            ),
        ],
    },
    Command {
        words: "user suspend",
        held: &[
            change("user suspend @ann:example.org", USER),
            change("user suspend @ann:example.org --unsuspend", USER),
        ],
    },
    Command {
        words: "user shadow-ban",
        held: &[
            change("user shadow-ban @ann:example.org", USER),
            change("user shadow-ban @ann:example.org --unban", USER),
        ],
    },
    Command { words: "user login", held: &[Told("a_login_is_as_good_as_synadms")] },
    Command { words: "user password", held: &[Told("a_password_is_as_good_as_synadms")] },
    Command { words: "user prune-devices", held: &[Told("the_same_devices_are_pruned")] },
    Command { words: "user redact", held: &[Told("a_redaction_takes_as_much_as_synadms")] },
    Command { words: "user redact-status", held: &[Told("a_redaction_takes_as_much_as_synadms")] },
    Command {
        words: "user whois",
        held: &[
            apart(
                "user whois @ann:example.org",
                "user whois @ann:example.org",
                &[("/devices//sessions/*/connections/*/ip", "addresses take --show-ip")],
            ),
            looks("user whois @ann:example.org", "user whois @ann:example.org --show-ip"),
        ],
    },
    Command {
        words: "user media",
        held: &[
            looks("user media --ts @ann:example.org", "user media @ann:example.org"),
            apart(
                "user media --ts @ann:example.org -s media_length -r -l 1",
                "user media @ann:example.org -s media_length -r -l 1",
                &[NEXT],
            ),
        ],
    },
    Command {
        words: "user membership",
        held: &[
            turned("user membership @ann:example.org --ids", joined, &[]),
            Held::Look {
                theirs: "user membership @ann:example.org",
                ours: "user membership @ann:example.org",
                turned: joined,
                apart: &[("/joined_rooms/*", "data have the id, which stays, and not the alias")],
            },
        ],
    },
    Command { words: "user 3pid", held: &[look("user 3pid ann@mail.example")] },
    Command {
        words: "user auth-provider",
        held: &[look("user auth-provider 5f0c2a --provider oidc-keycloak")],
    },
    Command {
        words: "room list",
        held: &[
            turned("room list", rooms, &[PLACES]),
            turned("room list --sort joined_members -r -l 1", rooms, &[PLACES]),
            turned("room list -f 1 -n lobby", rooms, &[PLACES, BACK]),
            turned("room list --not-empty -n lobby", rooms, &[PLACES]),
        ],
    },
    Command { words: "room search", held: &[turned("room search lobby", rooms, &[PLACES])] },
    Command {
        words: "room details",
        held: &[look("room details !OGEhHVWSdvArJzumhm:example.org")],
    },
    Command {
        words: "room state",
        held: &[
            apart(
                "room state !OGEhHVWSdvArJzumhm:example.org",
                "room state !OGEhHVWSdvArJzumhm:example.org",
                &[
                    TOTAL,
                    ("/state/*/content", CONTENT),
                    ("/state/*/content/displayname", CONTENT),
                    ("/state/*/prev_content", CONTENT),
                    ("/state/*/replaces_state", "it is in `unsigned` too"),
                    ("/state/*/unsigned", CONTENT),
                    ("/state/*/age", "it is in `unsigned` too"),
                    ("/state/*/user_id", "it is the sender too"),
                ],
            ),
            apart(
                "room state !OGEhHVWSdvArJzumhm:example.org",
                "room state !OGEhHVWSdvArJzumhm:example.org --show-content",
                &[TOTAL],
            ),
        ],
    },
    Command {
        words: "room members",
        held: &[turned("room members !OGEhHVWSdvArJzumhm:example.org", members, &[])],
    },
    Command {
        words: "room power-levels",
        held: &[
            turned(
                "room power-levels --name lobby",
                powers,
                &[
                    PLACES,
                    CREATORS,
                    ABOVE,
                    BATCH,
                    ("/rooms/*/joined_members", "it says how many the powers are over"),
                    ("/rooms/*/room_type", "it takes --all-details"),
                ],
            ),
            turned(
                "room power-levels --name lobby --all-details",
                powers,
                &[PLACES, CREATORS, ABOVE, BATCH],
            ),
        ],
    },
    Command {
        words: "room resolve",
        held: &[
            turned("room resolve #lobby:example.org", id, &[]),
            apart(
                "room resolve -r !OGEhHVWSdvArJzumhm:example.org",
                "room resolve !OGEhHVWSdvArJzumhm:example.org",
                &[("/room_id", "the id whose aliases they are")],
            ),
        ],
    },
    Command {
        words: "room join",
        held: &[change("room join #lobby:example.org @bob:example.org", MEMBERS)],
    },
    Command {
        words: "room make-admin",
        held: &[change(
            "room make-admin !OGEhHVWSdvArJzumhm:example.org --user-id @bob:example.org",
            POWERS,
        )],
    },
    Command {
        words: "room block",
        held: &[
            change("room block !OGEhHVWSdvArJzumhm:example.org", BLOCK),
            change("room block !OGEhHVWSdvArJzumhm:example.org --unblock", BLOCK),
        ],
    },
    Command {
        words: "room block-status",
        held: &[look("room block-status !OGEhHVWSdvArJzumhm:example.org")],
    },
    Command { words: "room delete", held: &[Told("a_deleted_room_is_gone_for_both")] },
    Command { words: "room delete-status", held: &[Told("a_deleted_room_is_gone_for_both")] },
    Command { words: "room purge-empty", held: &[Told("what_is_empty_goes_for_both")] },
    Command {
        words: "media list",
        held: &[
            turned("media list --room-id !OGEhHVWSdvArJzumhm:example.org", addresses, &[]),
            looks(
                "media list --user-id @ann:example.org --ts",
                "media list --user-id @ann:example.org",
            ),
        ],
    },
    Command {
        words: "media quarantine",
        held: &[
            change("media quarantine -u @ann:example.org", FILE),
            change("media unquarantine -U mxc://example.org/abcdefghijklmnopqrstuvwx", FILE),
            change("media quarantine -U mxc://example.org/abcdefghijklmnopqrstuvwx", FILE),
        ],
    },
    Command {
        words: "media unquarantine",
        held: &[change("media unquarantine -U mxc://example.org/abcdefghijklmnopqrstuvwx", FILE)],
    },
    Command {
        words: "media protect",
        held: &[change("media protect abcdefghijklmnopqrstuvwx", FILE)],
    },
    Command {
        words: "media delete",
        held: &[change("media delete -i abcdefghijklmnopqrstuvwx", FILE)],
    },
    Command { words: "media purge", held: &[Told("what_is_of_other_servers_is_purged")] },
    Command { words: "history purge", held: &[Told("a_purge_takes_as_much_as_synadms")] },
    Command { words: "history purge-status", held: &[Told("a_purge_takes_as_much_as_synadms")] },
    Command {
        words: "regtok new",
        held: &[change(
            "regtok new --token for-the-choir --uses-allowed 20 --expire-at 2030-01-01",
            TOKEN,
        )],
    },
    Command {
        words: "regtok update",
        held: &[
            change("regtok update for-the-choir --uses-allowed 10", TOKEN),
            change("regtok update for-the-choir -u -1 -t -1", TOKEN),
        ],
    },
    Command { words: "regtok delete", held: &[change("regtok delete for-the-choir", TOKEN)] },
    Command {
        words: "regtok list",
        held: &[
            apart("regtok list --ts", "regtok list", &[TOTAL]),
            apart("regtok list --ts --valid", "regtok list --valid", &[TOTAL]),
        ],
    },
    Command {
        words: "regtok details",
        held: &[looks("regtok details --ts welcome-friends", "regtok details welcome-friends")],
    },
    Command {
        words: "notice send",
        held: &[Told("a_notice_is_the_same_but_for_its_formatted_text")],
    },
    Command {
        words: "matrix login",
        held: &[Instead("whoever talks to Synod has a client; `user login` makes a token")],
    },
    Command {
        words: "matrix raw",
        held: &[
            look("matrix raw client/versions"),
            look("matrix raw client/v3/directory/list/room/!OGEhHVWSdvArJzumhm:example.org"),
            Told("a_raw_request_does_what_synadms_does"),
            Instead("--token and --prompt: Synod has one token, which nobody types in a room"),
        ],
    },
    Command {
        words: "group delete",
        held: &[Instead("the homeserver has no groups since 1.62: see the test in `told.rs`")],
    },
    Command {
        words: "user deactivate-regex",
        held: &[changes(
            "user deactivate-regex @bob:example.org",
            "user deactivate-regex \"@bob:example.org\"",
            BOB,
        )],
    },
    Command {
        words: "user deactivate",
        held: &[
            change("user deactivate @ann:example.org", USER),
            change("user deactivate @new:example.org --gdpr-erase", NEW),
        ],
    },
];
