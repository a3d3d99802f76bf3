//! The account of the admin token among the members of a room: what it may do there to another. And what
//! is said where something is done in another account's own name instead.

use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::{holders::Holders, power::Power};
use crate::{
    change::{Skip, Snapshot},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

/// The account of the admin token, as it stands in a room to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keeper {
    /// Its id.
    pub(super) id: OwnedUserId,
    /// Whether it is in the room.
    pub(super) inside: bool,
    /// Its power there, that of the other, and what removing somebody takes; nothing where the homeserver
    /// has no state of the room.
    powers: Option<(Power, Power, i64)>,
}

impl Keeper {
    /// How it stands to `user` in `room`.
    pub(super) async fn over(user: &UserId, room: &RoomId, reader: &Reader) -> Result<Self, Stop> {
        let id = reader.caller().await?;
        let inside = reader.joined_rooms(&id).await?.iter().any(|joined| joined == room);
        let powers = if inside {
            let holders = Holders::of(room, reader).await?;
            holders.map(|all| (all.power(&id), all.power(user), all.needed_to_kick()))
        } else {
            None
        };
        Ok(Self { id, inside, powers })
    }

    /// Whether it may remove the other from the room.
    pub(super) fn may_remove(&self) -> bool {
        let Some((own, other, needed)) = self.powers else { return false };
        self.inside && own.rank() >= needed && own.rank() > other.rank()
    }

    /// Whether it may lower the power of the other, where changing power takes so much.
    pub(super) fn may_lower(&self, needed: i64) -> bool {
        let Some((own, other, _)) = self.powers else { return false };
        self.inside && own.rank() >= needed && own.rank() > other.rank()
    }

    /// Notes it, for [`why_not`].
    pub(super) fn note(&self, seen: &mut Snapshot) {
        let words = |power: Power| match power {
            Power::Creator => "that of a creator".to_owned(),
            Power::Level { has, .. } => has.to_string(),
        };
        let powers = self.powers.map(|(own, other, needed)| {
            json!({ "own": words(own), "other": words(other), "needed": needed })
        });
        let noted = json!({ "id": self.id, "inside": self.inside, "powers": powers });
        seen.extra.insert(KEY.to_owned(), noted);
    }

    #[cfg(test)]
    pub(super) fn made(inside: bool, own: Power, other: Power) -> Self {
        let id = OwnedUserId::try_from("@keeper:example.org").unwrap();
        Self { id, inside, powers: inside.then_some((own, other, 50)) }
    }
}

/// Who may remove whom from a room, by the power that its state gives them.
pub(in crate::commands) struct Removers(Option<Holders>);

impl Removers {
    /// Those of `room`; nobody where the homeserver has no state of it.
    pub(in crate::commands) async fn of(room: &RoomId, reader: &Reader) -> Result<Self, Stop> {
        Ok(Self(Holders::of(room, reader).await?))
    }

    /// Whether `by`, who is in the room, may remove `whom`, or take back their invitation.
    pub(in crate::commands) fn may_remove(&self, by: &UserId, whom: &UserId) -> bool {
        self.0.as_ref().is_some_and(|holders| {
            let (own, other) = (holders.power(by).rank(), holders.power(whom).rank());
            own >= holders.needed_to_kick() && own > other
        })
    }

    /// Those of a room of an old version with these levels, made by nobody of its members.
    #[cfg(test)]
    pub(in crate::commands) fn made(levels: Value) -> Self {
        let event = |content: Value| {
            let event = json!({ "sender": "@maker:example.org", "content": content });
            serde_json::from_value(event).unwrap()
        };
        Self(Some(Holders::made(event(json!({})), Some(event(levels)), false)))
    }
}

/// Under this it is kept how it stands.
const KEY: &str = "keeper";

/// Why the account of the admin token cannot remove `user` from `room`.
pub(super) fn why_not(seen: &Snapshot, user: &str, room: &str) -> Line {
    let needed = seen.extra.get(KEY).and_then(|noted| noted["powers"]["needed"].as_i64());
    cannot(seen, ("remove", user), room, needed.unwrap_or_default())
}

/// Why it cannot lower the power of `user` in `room`, where changing power takes so much.
pub(super) fn why_not_lower(seen: &Snapshot, user: &str, room: &str, needed: i64) -> Line {
    cannot(seen, ("demote", user), room, needed)
}

fn cannot(seen: &Snapshot, (deed, user): (&str, &str), room: &str, needed: i64) -> Line {
    let noted = seen.extra.get(KEY).unwrap_or(&Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = Line::from("the account of my admin token, ").code(text(&noted["id"]));
    let powers = &noted["powers"];
    if powers.is_null() {
        return line
            .plain(", is not in ")
            .code(room)
            .plain(format!(", so it cannot {deed} anybody there. With power in the room it can"));
    }
    line.plain(format!(", cannot {deed} ")).code(user).plain(" in ").code(room).plain(format!(
        ": its power there is {}, that of the other is {}, and it takes more than that, and at least \
         {needed}",
        text(&powers["own"]),
        text(&powers["other"]),
    ))
}

/// How something is done in an account's own name; `deed` is what is done, in words.
pub(in crate::commands) fn in_its_own_name(deed: &str) -> Line {
    Line::from("in its own name, which ").strong("takes the account over for a moment").plain(format!(
        ": I make a temporary access token that acts as it, {deed}, and end the token. Its devices stay \
         logged in; everybody in the room sees it as its own doing"
    ))
}

/// The refusal where nobody can act in the name of an account since it is locked.
pub(in crate::commands) fn locked(user: &str) -> Skip {
    let why = " is locked, so nobody can act in its name, not even the homeserver's admin";
    Skip::refused(Line::new().code(user).plain(why))
}
