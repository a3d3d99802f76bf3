//! The API of clients.

use super::Group;

mod raw;

/// The verbs about the API of clients.
pub const GROUP: Group = Group {
    name: "matrix",
    about: "Send requests to the API that clients use",
    verbs: &[raw::SPEC],
};
