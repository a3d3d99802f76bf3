//! What it means where the homeserver refuses a request of a verb: the cause, and what to do next.
//!
//! Each verb says so beside its requests, as data. What none of it fits is told by its kind.

use crate::{
    error::api::Error,
    reply::{Line, Status},
};

pub(super) mod looks;

/// What one refusal of the homeserver means.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// Its HTTP status.
    pub status: u16,
    /// Its `errcode`.
    pub errcode: &'static str,
    /// A part of the homeserver's own sentence that tells it from others of the same code; empty where
    /// there is no other.
    pub says: &'static str,
    /// The cause and what to do next, in words that follow the subject.
    pub means: &'static str,
    /// The first word of the answer, where nothing was changed before.
    pub ends: Status,
}

/// Stands as `errcode` of what the authentication service refuses, which has no such codes.
pub(super) const BY_SERVICE: &str = "SERVICE";

impl Meaning {
    /// What a refusal with this status, `errcode` and part of the homeserver's sentence means.
    pub const fn new(
        status: u16,
        errcode: &'static str,
        says: &'static str,
        means: &'static str,
    ) -> Self {
        let ends = if status == 404 { Status::NotFound } else { Status::Refused };
        Self { status, errcode, says, means, ends }
    }

    /// The same, where it says that what was typed is none of what it should be.
    #[must_use]
    pub const fn not_understood(self) -> Self {
        Self { ends: Status::NotUnderstood, ..self }
    }

    /// The same, where it says that what was typed is not known.
    #[must_use]
    pub const fn not_found(self) -> Self {
        Self { ends: Status::NotFound, ..self }
    }

    /// The same, where it says that the homeserver is not as it should be for this.
    #[must_use]
    pub const fn failed(self) -> Self {
        Self { ends: Status::Failed, ..self }
    }

    /// The same, where it says that there is nothing to do.
    #[must_use]
    pub const fn nothing_to_do(self) -> Self {
        Self { ends: Status::NothingChanged, ..self }
    }

    /// Whether this is the refusal.
    fn is(&self, error: &Error) -> bool {
        let says = error.message().map(crate::reply::Hostile::raw).unwrap_or_default();
        let code = if error.is_of_accounts() { Some(BY_SERVICE) } else { error.errcode() };
        error.status() == Some(self.status)
            && code == Some(self.errcode)
            && says.contains(self.says)
    }

    /// What this refusal means, the first of `known` that fits or else what its kind says. Nothing
    /// where it is no refusal of the request itself, such as a token that is not accepted.
    pub fn of<'a>(error: &Error, known: &'a [Self]) -> Option<&'a Self> {
        if error.is_foreign() {
            return None;
        }
        known.iter().find(|meaning| meaning.is(error)).or_else(|| in_general(error, GENERAL))
    }

    /// The same where the homeserver refused a look.
    pub fn of_look<'a>(error: &Error, known: &[&'a [Self]]) -> Option<&'a Self> {
        let general = in_general(error, looks::GENERAL)?;
        let mut all = known.iter().copied().flatten();
        Some(all.find(|meaning| meaning.is(error)).unwrap_or(general))
    }

    /// The words, in which commands stand between backticks.
    pub fn line(&self) -> Line {
        Line::new().marked(self.means)
    }

    /// Whether no verb knows this refusal, so that the homeserver's own words may say more.
    pub fn is_general(&self) -> bool {
        let mut general = GENERAL.iter().chain(looks::GENERAL);
        general.any(|general| general.means == self.means)
    }
}

/// What refusals of either of two requests mean: the first, and of the second those that the first does
/// not have.
pub(super) fn of_either(first: &[Meaning], second: &[Meaning]) -> Vec<Meaning> {
    let has = |one: &Meaning| {
        let same = |other: &Meaning| one.status == other.status && one.errcode == other.errcode;
        first.iter().any(|other| same(other) && one.says.contains(other.says))
    };
    first.iter().chain(second.iter().filter(|one| !has(one))).copied().collect()
}

/// What a refusal of this kind means, whatever was asked for, by one of these tables. Those of the
/// token, the route and the rate are told by themselves, and so is whatever something in front of the
/// homeserver says.
fn in_general(error: &Error, general: &'static [Meaning]) -> Option<&'static Meaning> {
    if error.is_foreign() {
        return None;
    }
    let code = error.errcode()?;
    let told = matches!(
        code,
        "M_UNRECOGNIZED"
            | "M_LIMIT_EXCEEDED"
            | "M_MISSING_TOKEN"
            | "M_UNKNOWN_TOKEN"
            | "M_USER_LOCKED"
            | "ORG_MATRIX_EXPIRED_ACCOUNT"
    );
    let message = error.message().map(crate::reply::Hostile::raw).unwrap_or_default();
    if told || message.contains("not a server admin") {
        return None;
    }
    general.iter().find(|general| Some(general.status) == error.status())
}

const GENERAL: &[Meaning] = &[
    Meaning::new(
        400,
        "",
        "",
        "the homeserver does not accept this request; check the account or room it is about",
    ),
    Meaning::new(
        403,
        "",
        "",
        "the homeserver forbids it: because of a rule or module of its own, or too little power in \
         the room",
    ),
    Meaning::new(
        404,
        "",
        "",
        "the homeserver no longer knows it, or something that was named with it; it did when I \
        looked. Look again",
    ),
    Meaning::new(409, "", "", "it conflicts with something that already exists"),
    Meaning::new(413, "", "", "it is too long for the homeserver; shorten it"),
];

/// The account is banned from the room that it would be in.
pub(super) const BANNED: Meaning = Meaning::new(
    403,
    "M_FORBIDDEN",
    "banned",
    "it is banned from the room; somebody with power there has to lift the ban first",
);

/// It takes no invitations from whom it would have one.
pub(super) const NO_INVITATIONS: Meaning = Meaning::new(
    403,
    "M_INVITE_BLOCKED",
    "",
    "it does not accept invitations, so it has to join by itself",
);

/// The room has gone since it was looked at.
pub(super) const ROOM_GONE: Meaning =
    Meaning::new(404, "M_NOT_FOUND", "", "the room is no longer known; look again");

/// What to us is the id of a room is none to the homeserver.
pub(super) const NO_ROOM_ID: Meaning = Meaning::new(
    400,
    "M_UNKNOWN",
    "legal room",
    "the homeserver says that this is not a room id; check it for a typo",
)
.not_understood();

/// What is said where the request fits another version of the homeserver.
const OTHER_VERSION: &str = "this version of the homeserver expects a different request; `!server \
                             version` shows the version";

/// The homeserver wants another body than the one of its version that we know.
pub(super) const OTHER_BODY: Meaning = Meaning::new(400, "M_BAD_JSON", "", OTHER_VERSION).failed();

/// The homeserver wants another value.
pub(super) const OTHER_VALUE: Meaning =
    Meaning::new(400, "M_INVALID_PARAM", "", OTHER_VERSION).failed();

/// An account cannot be both.
pub(super) const LOCKED_TOO: Meaning = Meaning::new(
    400,
    "M_UNKNOWN",
    "locked",
    "an account cannot be both locked and deactivated; choose one",
);

/// The account has gone since it was looked at.
pub(super) const ACCOUNT_GONE: Meaning =
    Meaning::new(404, "M_NOT_FOUND", "", "the account no longer exists; it did when I looked");

/// The same, as the homeserver says it where it looks for no account first.
pub(super) const NO_ROW: Meaning = Meaning::new(
    404,
    "M_UNKNOWN",
    "No row found",
    "nothing with that name exists any more; it did when I looked",
);

/// The homeserver goes by another name than the config says.
pub(super) const NOT_LOCAL: Meaning = Meaning::new(
    400,
    "M_UNKNOWN",
    "local user",
    "the homeserver says that it is an account of another server: its own name is not the one \
    after the colon",
)
.failed();

/// Accounts have their passwords elsewhere.
pub(super) const NO_PASSWORDS: Meaning = Meaning::new(
    403,
    "M_FORBIDDEN",
    "Password change disabled",
    "this homeserver does not store passwords (password_config in its configuration, or an \
    authentication service): set it where they are stored",
);

/// The account of the admin token is not acted as: it is what acts.
pub(super) const LOGIN_AS_SELF: Meaning = Meaning::new(
    400,
    "M_UNKNOWN",
    "login as self",
    "that is the account of my admin token, and nobody can log in as it this way",
);

/// The account has not agreed to the terms of the homeserver, and may not do anything before.
pub(super) const NO_CONSENT: Meaning = Meaning::new(
    403,
    "M_CONSENT_NOT_GIVEN",
    "",
    "the account that would do it has not agreed to the terms of this homeserver yet, and can do \
    nothing before",
);

/// What the account of the admin token cannot do to itself.
pub(super) const NOT_ITSELF: Meaning = Meaning::new(
    400,
    "M_UNKNOWN",
    "demote yourself",
    "the account of my admin token cannot remove its own admin flag; another server admin can",
);

/// What an account can be changed to: `PUT /_synapse/admin/v2/users/{user_id}`.
pub(super) const ACCOUNT: &[Meaning] = &[
    NO_PASSWORDS,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the homeserver does not allow that; if an authentication service manages the accounts, do \
         it there",
    ),
    Meaning::new(
        409,
        "M_UNKNOWN",
        "External id is already in use",
        "this single sign-on account already belongs to another account; remove it there first. \
        `!user auth-provider` finds that account",
    ),
    Meaning::new(
        400,
        "M_INVALID_USERNAME",
        "",
        "this cannot be the id of a new account: use only a-z, 0-9 and . _ = - / +, not only \
        digits, and at most 255 characters including the server name",
    )
    .not_understood(),
    Meaning::new(400, "M_USER_IN_USE", "", "this id is or was in use; choose another"),
    Meaning::new(400, "M_EXCLUSIVE", "", "ids like this are reserved for a bridge; choose another"),
    Meaning::new(
        400,
        "M_THREEPID_IN_USE",
        "",
        "this email address or phone number belongs to another account; `!user 3pid` finds it",
    ),
    NOT_ITSELF,
    Meaning::new(
        400,
        "M_UNKNOWN",
        "user type",
        "the homeserver does not know this type; use bot, support, regular, or one of \
        user_types.extra_user_types in its configuration",
    )
    .not_understood(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "password",
        "this homeserver reactivates an account only together with a password; `!user password` \
         sets one",
    ),
    LOCKED_TOO,
    NOT_LOCAL,
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept a value: a name can have at most 256 characters, a \
        picture's address 1000, a password 512",
    )
    .not_understood(),
    Meaning::new(400, "M_MISSING_PARAM", "", "this version of the homeserver needs one more value"),
    ACCOUNT_GONE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_requests_each_refusal_is_told_once() {
        const ANY: Meaning = Meaning::new(403, "M_FORBIDDEN", "", "any");
        const ONE: Meaning = Meaning::new(403, "M_FORBIDDEN", "banned", "one");
        const GONE: Meaning = Meaning::new(404, "M_NOT_FOUND", "", "gone");
        let means = |first: &[Meaning], second: &[Meaning]| -> Vec<&str> {
            of_either(first, second).iter().map(|one| one.means).collect()
        };
        assert_eq!(means(&[ANY], &[ONE, ANY, GONE]), ["any", "gone"]);
        assert_eq!(means(&[ONE], &[ANY, GONE]), ["one", "any", "gone"]);
    }

    #[test]
    fn what_no_verb_knows_is_told_by_its_kind_and_what_is_no_refusal_by_itself() {
        for (status, code) in [
            (400, "M_UNKNOWN"),
            (400, "M_BAD_JSON"),
            (400, "M_NOT_JSON"),
            (400, "M_INVALID_PARAM"),
            (400, "M_MISSING_PARAM"),
            (403, "M_FORBIDDEN"),
            (403, "M_UNKNOWN"),
            (404, "M_NOT_FOUND"),
            (404, "M_UNKNOWN"),
            (409, "M_UNKNOWN"),
            (413, "M_TOO_LARGE"),
        ] {
            let meaning = Meaning::of(&Error::refused(status, code, "RAW"), &[]).unwrap();
            assert!(meaning.is_general() && !meaning.means.contains("RAW"), "{status} {code}");
        }
        for (status, code, message) in [
            (401, "M_UNKNOWN_TOKEN", ""),
            (403, "M_FORBIDDEN", "You are not a server admin"),
            (404, "M_UNRECOGNIZED", ""),
            (405, "M_UNRECOGNIZED", ""),
            (429, "M_LIMIT_EXCEEDED", ""),
        ] {
            assert!(Meaning::of(&Error::refused(status, code, message), &[]).is_none(), "{code}");
        }
    }

    #[test]
    fn the_first_that_fits_is_meant_and_commands_can_be_copied() {
        const KNOWN: &[Meaning] = &[
            Meaning::new(403, "M_FORBIDDEN", "banned", "it is banned"),
            Meaning::new(403, "M_FORBIDDEN", "", "see `!room details`, then look again"),
        ];
        let of =
            |message| Meaning::of(&Error::refused(403, "M_FORBIDDEN", message), KNOWN).unwrap();
        assert_eq!(of("You are banned from here").means, "it is banned");
        let line = of("No").line();
        let wanted = Line::from("see ").command("!room details").plain(", then look again");
        assert_eq!(line, wanted);
        let other = Meaning::of(&Error::refused(403, "M_UNKNOWN", "banned"), KNOWN).unwrap();
        assert!(other.is_general(), "{other:?}");
    }
}
