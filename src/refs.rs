//! Users and rooms as they are typed, before the homeserver says which they are.

use std::str::FromStr;

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId};

/// A user as typed: a whole id, or only the localpart of an account here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// `@ann:example.org`
    Id(OwnedUserId),
    /// `ann` or `@ann`
    Localpart(String),
}

impl FromStr for UserRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            let id = if text.starts_with('@') { text.to_owned() } else { format!("@{text}") };
            return UserId::parse(id)
                .map(Self::Id)
                .map_err(|_| "it is not a user id; one looks like @ann:example.org".to_owned());
        }
        let localpart = text.strip_prefix('@').unwrap_or(text);
        // Whatever the server could have: the historical grammar is printable ASCII, and beyond
        // that older servers took anything but whitespace.
        if localpart.is_empty() || localpart.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("it is not a user; type a whole id such as @ann:example.org, or ann for \
                        an account on this server"
                .to_owned());
        }
        if text.starts_with(['!', '#', '$', '+']) {
            return Err(format!(
                "a user is wanted here, and {text:.1} begins the id of something else; one looks \
                 like @ann:example.org"
            ));
        }
        Ok(Self::Localpart(localpart.to_owned()))
    }
}

/// A room as typed: an id, or an alias that is resolved when a verb looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomRef {
    /// `!abc` or `!abc:example.org`
    Id(OwnedRoomId),
    /// `#lobby:example.org`
    Alias(OwnedRoomAliasId),
    /// `#lobby`, an alias of this server
    Local(String),
}

impl FromStr for RoomRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.chars().next() {
            Some('!') => RoomId::parse(text).map(Self::Id).map_err(|_| {
                "it is not a room id; one looks like !abcdef:example.org, or !abcdef in newer rooms"
                    .to_owned()
            }),
            Some('#') if text.len() > 1 && !text.contains(':') => Ok(Self::Local(text.to_owned())),
            Some('#') => RoomAliasId::parse(text).map(Self::Alias).map_err(|_| {
                "it is not a room alias; one looks like #lobby:example.org".to_owned()
            }),
            _ => Err("a room is wanted here: its id begins with !, its alias with #".to_owned()),
        }
    }
}
