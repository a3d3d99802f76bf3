//! Which facts say nothing that sets their subject apart, so that they stand behind a command and not
//! on a phone's screen.

use crate::reply::Fact;

/// Facts that hold of nearly everything.
const ORDINARY: &[(&str, &str)] = &[
    ("Server admin", "no"),
    ("State", "active"),
    ("Blocked", "no"),
    ("In the directory", "no"),
    ("Open reports", "0 of messages, 0 of the account"),
    ("Open reports", "0 of messages, none of accounts here"),
    ("Mail and telephone", "none"),
    ("Sign-on", "none"),
];

/// Facts that are of use about one, and noise in a row of several.
const MINOR: &[&str] = &["Created", "Last seen", "Devices", "Rooms", "Media"];

/// Whether this holds of nearly everything of its kind.
pub fn is_ordinary((label, value): &Fact) -> bool {
    ORDINARY.iter().any(|(one, usual)| one == label && value.text() == *usual)
}

/// Whether it is left out where several stand in a row.
pub fn is_minor((label, _): &Fact) -> bool {
    MINOR.contains(label)
}
