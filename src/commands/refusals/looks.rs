//! What it means where the homeserver refuses a look: the cause, and what to do next.
//!
//! Looks are alike by what they ask for, so that each names the tables here that hold for it. What the
//! homeserver answers stands in the servlets of its Admin API and in what these call.

use super::Meaning;

/// The tables that hold for a look, in the order in which they are asked.
pub type Tables = &'static [&'static [Meaning]];

const OTHER_NAME: &str = "the homeserver says that this is an account of another server, so its \
    name differs from my config; whoever runs me must write an account of the homeserver itself as \
    bot.user_id";

const NO_ACCOUNT: &str = "there is no such account; `!user search` finds accounts by a part of \
                          their ids";

/// An account, or what belongs to one.
pub(in crate::commands) const ACCOUNT: &[Meaning] = &[
    Meaning::new(400, "M_UNKNOWN", "local user", OTHER_NAME).failed(),
    Meaning::new(400, "M_UNKNOWN", "must be local", OTHER_NAME).failed(),
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "UserID",
        "this is not a valid user id, which looks like @ann:example.org; `!user search` finds \
        accounts by a part of the id",
    )
    .not_understood(),
    Meaning::new(404, "M_NOT_FOUND", "", NO_ACCOUNT),
    Meaning::new(404, "M_UNKNOWN", "No row found", NO_ACCOUNT),
];

const NO_DEVICE: &str =
    "the account has no such device, or no longer has it; `!device list` shows its devices";

/// One device of an account. What is not found is the device where nothing else is named.
pub(in crate::commands) const DEVICE: &[Meaning] = &[
    Meaning::new(404, "M_NOT_FOUND", "Not found", NO_DEVICE),
    Meaning::new(404, "M_NOT_FOUND", "No device", NO_DEVICE),
];

/// What people sign in with elsewhere: an address, a number, an account of another service.
pub(in crate::commands) const SIGN_ON: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "no account of this homeserver has that; check for typos, also in capital letters. `!user \
    search` finds accounts by their names",
)];

/// A name that an account could have.
pub(in crate::commands) const NEW_NAME: &[Meaning] = &[Meaning::new(
    400,
    "M_UNKNOWN",
    "ascii",
    "this cannot be a user id, which has only a-z, 0-9 and . _ = - / + before the colon; choose \
     another",
)
.not_understood()];

const NO_ROOM_ID: &str = "this is not a valid room id; `!room search` finds rooms by their names \
    and aliases";

const NO_ROOM: &str = "the homeserver does not know this room, or no longer knows it; `!room \
    search` finds the rooms that it knows";

/// A room, or what is in it.
pub(in crate::commands) const ROOM: &[Meaning] = &[
    Meaning::new(400, "M_UNKNOWN", "legal room ID", NO_ROOM_ID).not_understood(),
    Meaning::new(400, "M_INVALID_PARAM", "Room", NO_ROOM_ID).not_understood(),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the homeserver shows this only to members of the room; `!room members` lists them",
    ),
    Meaning::new(404, "M_NOT_FOUND", "", NO_ROOM),
    Meaning::new(404, "M_UNKNOWN", "No row found", NO_ROOM),
];

/// A number that is none for the homeserver.
const NOT_A_NUMBER: Meaning = Meaning::new(
    400,
    "M_INVALID_PARAM",
    "positive integer",
    "the homeserver does not accept one of these numbers, which must be whole and not negative; \
    leave out one option after the other",
)
.not_understood();

const NO_SUCH_PLACE: &str =
    "the homeserver does not know this position; leave out --from to start at the beginning";

/// A place in a room's messages, or in the rooms of a space.
pub(in crate::commands) const PLACE: &[Meaning] = &[
    Meaning::new(400, "M_INVALID_PARAM", "token", NO_SUCH_PLACE).not_found(),
    Meaning::new(400, "M_UNKNOWN", "parameter is invalid", NO_SUCH_PLACE).not_found(),
    NOT_A_NUMBER,
];

/// A moment in a room's history.
pub(in crate::commands) const MOMENT: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "find event",
    "the room has nothing before or after this time; choose another time, or the other direction",
)];

const NO_EVENT: &str = "the homeserver does not know this event, or not in this room; check the \
    id, which begins with $, for typos. `!room messages` shows the event ids of a room";

/// An event. Not found, it is "Event not found" in one place and "Could not find event" in another.
pub(in crate::commands) const EVENT: &[Meaning] = &[
    Meaning::new(404, "M_NOT_FOUND", "vent", NO_EVENT),
    Meaning::new(404, "M_UNKNOWN", "vent", NO_EVENT),
];

/// Work that the homeserver goes on with.
pub(in crate::commands) const WORK: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "id '",
    "the homeserver knows no such task, or has forgotten it: it does so a week after the end. \
    `!task list` shows the tasks that it knows",
)];

/// A registration token.
pub(in crate::commands) const TOKEN: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "there is no such token, or it no longer exists; `!regtok list` shows all tokens",
)];

const WHICH_REPORT: &str = "`!report list` shows the numbers of all reports";

/// A report.
pub(in crate::commands) const REPORT: &[Meaning] = &[
    Meaning::new(400, "M_INVALID_PARAM", "report_id", WHICH_REPORT).not_understood(),
    Meaning::new(
        404,
        "M_NOT_FOUND",
        "",
        "there is no such report, or somebody has dismissed it; `!report list` shows all reports",
    ),
];

/// Another server, as this one sends to it.
pub(in crate::commands) const DESTINATION: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "this homeserver has never sent anything to a server of that name; `!federation list` shows \
    the servers it knows",
)];

/// A file.
pub(in crate::commands) const FILE: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "the homeserver has no such file, or no longer has it; `!user media` lists the files of an \
    account, `!media list` those of a room",
)];

/// What went into quarantine and out of it.
pub(in crate::commands) const CHANGES: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "token",
    "nothing has happened after this position yet; leave out --from to start with the first change",
)
.not_found()];

/// Since when something is counted.
pub(in crate::commands) const SINCE: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "from_ts",
    "the homeserver does not accept this start; write a date such as 2026-11-01",
)
.not_understood()];

/// How much people have uploaded.
pub(in crate::commands) const USAGE: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "until_ts",
    "the end is before the start; give a later end or an earlier start",
)
.not_understood()];

/// A page of what there is, sought and sorted.
pub(in crate::commands) const PAGE: &[Meaning] = &[
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "search_term",
        "the search text is empty; type a part of a name, in quotes if it has spaces",
    )
    .not_understood(),
    NOT_A_NUMBER,
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept one of these numbers, dates or sort orders; leave out \
        --from first, then one option after the other",
    )
    .not_understood(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "ascii",
        "the homeserver accepts only plain letters in these ids; leave out those with other \
         characters",
    )
    .not_understood(),
];

/// What a refusal of a look means by its kind, whatever was looked at.
pub(super) const GENERAL: &[Meaning] = &[
    Meaning::new(
        400,
        "",
        "",
        "the homeserver does not accept this request; check ids, dates and numbers for typos, then \
        leave out one option after the other",
    )
    .not_understood(),
    Meaning::new(
        403,
        "",
        "",
        "the homeserver does not show it: a rule or module of its own forbids that, and its log \
         says which",
    ),
    Meaning::new(
        404,
        "",
        "",
        "the homeserver does not know it, or no longer knows it; check the name for typos",
    ),
    Meaning::new(409, "", "", "something else is happening to it; look again in a moment").failed(),
    Meaning::new(413, "", "", "that is more than the homeserver handles at once; ask for less"),
    Meaning::new(414, "", "", "that is more than the homeserver handles at once; ask for less"),
];
