//! Server notices: what the homeserver itself says to its people.

use super::Group;

mod reach;
mod send;
pub(super) mod tell;
mod text;

/// The verbs about server notices.
pub const GROUP: Group = Group {
    name: "notice",
    about: "Send people messages in the homeserver's name",
    verbs: &[send::SPEC],
};
