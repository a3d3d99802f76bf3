//! What it means where the homeserver refuses a look: the cause, and what to do next.
//!
//! Looks are alike by what they ask for, so that each names the tables here that hold for it. What the
//! homeserver answers stands in the servlets of its Admin API and in what these call.

use super::Meaning;

/// The tables that hold for a look, in the order in which they are asked.
pub type Tables = &'static [&'static [Meaning]];

const OTHER_NAME: &str = "to the homeserver this is an account of another server, so it goes by \
    another name than the config says; whoever runs me writes an account of the homeserver itself as \
    bot.user_id";

const NO_ACCOUNT: &str = "the homeserver has no such account; `!user search` finds accounts by a part \
    of their ids";

/// An account, or what belongs to one.
pub(in crate::commands) const ACCOUNT: &[Meaning] = &[
    Meaning::new(400, "M_UNKNOWN", "local user", OTHER_NAME).failed(),
    Meaning::new(400, "M_UNKNOWN", "must be local", OTHER_NAME).failed(),
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "UserID",
        "the homeserver does not take this for the id of an account, which looks like \
         @ann:example.org; `!user search` finds it by a part",
    )
    .not_understood(),
    Meaning::new(404, "M_NOT_FOUND", "", NO_ACCOUNT),
    Meaning::new(404, "M_UNKNOWN", "No row found", NO_ACCOUNT),
];

const NO_DEVICE: &str =
    "the account has no such device, or not any more; `!device list` shows those it has";

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
    "no account of this homeserver has that; look for a slip, also in capitals. `!user search` finds \
     accounts by their names",
)];

/// A name that an account could have.
pub(in crate::commands) const NEW_NAME: &[Meaning] = &[Meaning::new(
    400,
    "M_UNKNOWN",
    "ascii",
    "this cannot be the id of an account, which has only a-z, 0-9 and . _ = - / + before its colon; \
     take another",
).not_understood()];

const NO_ROOM_ID: &str = "the homeserver does not take this for the id of a room; `!room search` finds \
    rooms by their names and aliases";

const NO_ROOM: &str = "the homeserver does not know this room, or not any more; `!room search` finds \
    those that it knows";

/// A room, or what is in it.
pub(in crate::commands) const ROOM: &[Meaning] = &[
    Meaning::new(400, "M_UNKNOWN", "legal room ID", NO_ROOM_ID).not_understood(),
    Meaning::new(400, "M_INVALID_PARAM", "Room", NO_ROOM_ID).not_understood(),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the homeserver shows this of a room only to those who are in it; `!room members` names them",
    ),
    Meaning::new(404, "M_NOT_FOUND", "", NO_ROOM),
    Meaning::new(404, "M_UNKNOWN", "No row found", NO_ROOM),
];

/// A number that is none for the homeserver.
const NOT_A_NUMBER: Meaning = Meaning::new(
    400,
    "M_INVALID_PARAM",
    "positive integer",
    "the homeserver does not take one of these numbers, which have to be whole and not below 0; leave \
     out one option after the other",
).not_understood();

const NO_SUCH_PLACE: &str =
    "the homeserver does not know this place; leave --from out to begin anew";

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
    "the room has nothing on that side of this moment; take another, or look in the other direction",
)];

const NO_EVENT: &str = "the homeserver does not know this event, or not in this room; look for a slip \
    in its id, which begins with $. `!room messages` shows the ids of a room's";

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
    "the homeserver knows no such work, or not any more: it forgets it a week after its end. `!task \
     list` shows what it knows",
)];

/// A registration token.
pub(in crate::commands) const TOKEN: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "there is no such token, or not any more; `!regtok list` shows those there are",
)];

const WHICH_REPORT: &str = "`!report list` shows the numbers of those there are";

/// A report.
pub(in crate::commands) const REPORT: &[Meaning] = &[
    Meaning::new(400, "M_INVALID_PARAM", "report_id", WHICH_REPORT).not_understood(),
    Meaning::new(
        404,
        "M_NOT_FOUND",
        "",
        "there is no such report, or somebody has dismissed it; `!report list` shows those there are",
    ),
];

/// Another server, as this one sends to it.
pub(in crate::commands) const DESTINATION: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "this homeserver has never sent anything to a server of that name; `!federation list` shows those \
     it knows",
)];

/// A file.
pub(in crate::commands) const FILE: &[Meaning] = &[Meaning::new(
    404,
    "M_NOT_FOUND",
    "",
    "the homeserver has no such file, or not any more; `!user media` shows those of an account, `!media \
     list` those of a room",
)];

/// What went into quarantine and out of it.
pub(in crate::commands) const CHANGES: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "token",
    "nothing has happened yet after this place; leave --from out to begin with the first change",
)
.not_found()];

/// Since when something is counted.
pub(in crate::commands) const SINCE: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "from_ts",
    "the homeserver does not take this moment to count from; write a date such as 2026-11-01",
)
.not_understood()];

/// How much people have uploaded.
pub(in crate::commands) const USAGE: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "until_ts",
    "the time would end before it begins; give it a later end or an earlier beginning",
)
.not_understood()];

/// A page of what there is, sought and sorted.
pub(in crate::commands) const PAGE: &[Meaning] = &[
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "search_term",
        "what is looked for is empty; give a part of a name, in quotes where it has spaces",
    ).not_understood(),
    NOT_A_NUMBER,
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not take one of these numbers, dates or orders; leave --from out to begin \
         anew, then one option after the other",
    ).not_understood(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "ascii",
        "the homeserver compares these ids by plain letters only; leave out what has others",
    ).not_understood(),
];

/// What a refusal of a look means by its kind, whatever was looked at.
pub(super) const GENERAL: &[Meaning] = &[
    Meaning::new(
        400,
        "",
        "",
        "the homeserver does not take what I asked as it is; look for a slip in an id, a date or a \
         number, then leave out one option after the other",
    )
    .not_understood(),
    Meaning::new(
        403,
        "",
        "",
        "the homeserver does not show it: a rule or a module of its own forbids that, and its log \
         says which",
    ),
    Meaning::new(
        404,
        "",
        "",
        "the homeserver does not know it, or not any more; look for a slip in its name",
    ),
    Meaning::new(409, "", "", "something else is going on with it; look again in a moment")
        .failed(),
    Meaning::new(413, "", "", "that is more than the homeserver takes at once; ask for less"),
    Meaning::new(414, "", "", "that is more than the homeserver takes at once; ask for less"),
];
