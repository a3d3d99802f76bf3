//! In whose name the homeserver could give power in a room, and why it cannot where that is so.

use ruma::{OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};

use super::super::{
    holders::{Holders, present},
    known::{self, Room},
    power::Power,
};
use crate::{
    change::{Skip, Subject},
    error::Stop,
    reply::{Fact, Line},
    synapse::Reader,
};

/// How many of those who have power are named.
const NAMED: usize = 3;
/// The level that a creator can give.
const BY_A_CREATOR: i64 = 100;

/// What decides whether power can be given in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Standing {
    /// Whether the homeserver has state of the room.
    pub(super) state: bool,
    /// Whether somebody of this server is in it.
    pub(super) members_here: bool,
    /// Whether everybody may join it, so that nobody is invited.
    pub(super) open: bool,
    /// Whether it is blocked on this server.
    pub(super) blocked: bool,
    /// The strongest of this server who are in it; the homeserver takes one of them.
    pub(super) acts: Vec<OwnedUserId>,
    /// Their level; `None` where they are creators, above all levels.
    pub(super) level: Option<i64>,
    /// What it takes to change who has power.
    pub(super) needed: i64,
    /// Whether the only one who could act is suspended.
    pub(super) suspended: bool,
    /// Those of this server who would have enough power, and are not in the room.
    pub(super) gone: Vec<Gone>,
    /// Those of other servers who have enough power and are in the room.
    pub(super) elsewhere: Vec<OwnedUserId>,
}

/// Somebody with power who is not in the room any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) user: OwnedUserId,
    pub(super) deactivated: bool,
    pub(super) creator: bool,
}

impl Standing {
    /// How things stand in `room`, which the homeserver knows.
    pub(super) async fn of(
        room: &RoomId,
        known: &Room,
        holders: Option<&Holders>,
        reader: &Reader,
    ) -> Result<Self, Stop> {
        let mut standing = Self {
            state: holders.is_some(),
            members_here: known.has_members_here(),
            open: known.is_open(),
            blocked: known::blocked(room, reader).await?.block,
            ..Self::default()
        };
        let Some(holders) = holders else { return Ok(standing) };
        standing.needed = holders.needed();
        let named = holders.named();
        let local: Vec<_> = named.iter().filter(|(user, _)| reader.is_local(user)).collect();
        let there = present(local.iter().map(|(user, _)| user.clone()), room, reader).await?;
        let strongest = local.iter().find(|(user, _)| there.contains(user));
        if let Some((_, power)) = strongest {
            let alike = local.iter().filter(|(user, of)| of == power && there.contains(user));
            standing.acts = alike.map(|(user, _)| user.clone()).collect();
            standing.level = match power {
                Power::Creator => None,
                Power::Level { has, .. } => Some(*has),
            };
        }
        if !standing.can_act() {
            standing.look_for_others(room, &named, &there, reader).await?;
        } else if let [alone] = standing.acts.as_slice() {
            let account = reader.account(alone).await?;
            standing.suspended = account.and_then(|account| account.suspended).unwrap_or(false);
        }
        Ok(standing)
    }

    /// Looks for those who could help where nobody here can act.
    async fn look_for_others(
        &mut self,
        room: &RoomId,
        named: &[(OwnedUserId, Power)],
        there: &[OwnedUserId],
        reader: &Reader,
    ) -> Result<(), Stop> {
        let admins = named.iter().filter(|(_, power)| power.is_enough());
        let (local, remote): (Vec<_>, Vec<_>) = admins.partition(|(user, _)| reader.is_local(user));
        for (user, power) in local.into_iter().filter(|(user, _)| !there.contains(user)) {
            if self.gone.len() == NAMED {
                break;
            }
            let account = reader.account(user).await?;
            self.gone.push(Gone {
                user: user.clone(),
                deactivated: account.is_none_or(|account| account.deactivated),
                creator: *power == Power::Creator,
            });
        }
        self.elsewhere =
            present(remote.into_iter().map(|(user, _)| user.clone()), room, reader).await?;
        Ok(())
    }

    /// Whether somebody of this server in the room can change who has power there.
    pub(super) fn can_act(&self) -> bool {
        !self.acts.is_empty() && self.level.is_none_or(|level| level >= self.needed)
    }

    /// The level that is given.
    pub(super) fn gives(&self) -> i64 {
        self.level.unwrap_or(BY_A_CREATOR)
    }

    /// What the question shows of it.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let power = match self.level {
            None => ", by its power as a creator".to_owned(),
            Some(level) => format!(", whose power is {level}"),
        };
        let acts = named(&self.acts, " or ").plain(power).plain("; everybody there sees it");
        let gives = match self.level {
            None => format!("{BY_A_CREATOR}; a creator's power cannot be given"),
            Some(level) => level.to_string(),
        };
        vec![("In the name of", acts), ("It gets", gives.into())]
    }

    /// Why `user`, who stands to the room as `membership` says, cannot be given power.
    pub(super) fn hindrance(
        &self,
        subject: &Subject,
        user: &str,
        membership: Option<&str>,
    ) -> Option<Skip> {
        let room = subject.typed();
        if !self.can_act() {
            return Some(self.nobody(subject));
        }
        let refused = |why: Line| Some(Skip::refused(why));
        if membership == Some("ban") {
            return refused(
                Line::new()
                    .code(user)
                    .plain(" is banned from ")
                    .code(&room)
                    .plain("; first one of these has to lift the ban: ")
                    .line(named(&self.acts, " or ")),
            );
        }
        let invited = !self.open && !matches!(membership, Some("join" | "invite"));
        if invited && self.blocked {
            let why = Line::new()
                .code(&room)
                .plain(" is blocked: the account would get the power, but could not be invited");
            return Some(Skip::refused(why).or(format!("room unblock {room}")));
        }
        if self.gives() < self.needed {
            return refused(
                named(&self.acts, " or ")
                    .plain(format!(" can give {} this way, but changing power in ", self.gives()))
                    .code(&room)
                    .plain(format!(
                        " needs {}; that account can lower this level in the room \
                                    first",
                        self.needed
                    )),
            );
        }
        if self.suspended {
            let why = named(&self.acts, " or ").plain(", which would give the power, is suspended");
            let acts = self.acts.first().map(|user| format!("user unsuspend {user}"));
            return Some(acts.into_iter().fold(Skip::refused(why), Skip::or));
        }
        None
    }

    /// The refusal where nobody of this server in the room can give power.
    fn nobody(&self, subject: &Subject) -> Skip {
        let room = subject.typed();
        if !self.state {
            let why = if self.members_here {
                Line::from("the homeserver has no state of ").code(&room).plain(
                    ", so nobody can tell who has power in it: its data is damaged. You can delete \
                    it from this server",
                )
            } else {
                Line::from("nobody on this server is in ")
                    .code(&room)
                    .plain(" any more, so nobody here can give power there")
            };
            let instead = if self.members_here { "room delete" } else { "room details" };
            return Skip::refused(why).or(format!("{instead} {room}"));
        }
        let why = match self.level.filter(|_| !self.acts.is_empty()) {
            Some(level) => Line::from("the account of this server with the most power in ")
                .code(&room)
                .plain(" is ")
                .line(named(&self.acts, " or "))
                .plain(format!(" with {level}, but changing power needs {}", self.needed)),
            None => {
                Line::from("nobody on this server who is in ").code(&room).plain(" has power in it")
            }
        };
        let mut skip = Skip::refused(why);
        for gone in &self.gone {
            skip = gone.told(skip, &room, self.open);
        }
        if !self.elsewhere.is_empty() {
            let those = named(&self.elsewhere, ", ");
            skip.why = skip.why.plain(". Ask one of these, on other servers: ");
            skip.why = skip.why.line(those);
        } else if self.gone.iter().all(|gone| gone.deactivated) {
            skip.why = skip.why.plain(
                ". Nobody in it can change who has power, on any server: create a new room. You \
                can delete the old one from this server",
            );
            skip = skip.or(format!("room delete {room}"));
        }
        skip
    }
}

impl Gone {
    /// The refusal, with where its power has gone.
    fn told(&self, mut skip: Skip, room: &str, open: bool) -> Skip {
        let line = skip.why.plain(". ").code(&self.user);
        skip.why = match (self.deactivated, self.creator) {
            (true, true) => line.plain(
                ", a creator, is deactivated: a creator's power cannot be given to anybody else, \
                and is lost for good",
            ),
            (true, false) => line.plain(", who had enough power, is deactivated"),
            (false, true) => line.plain(
                ", a creator, has left: a creator's power cannot be given to anybody else, and \
                comes back only with that account",
            ),
            (false, false) => line.plain(", who has enough power, has left, and could come back"),
        };
        match (self.deactivated, open) {
            (true, _) => skip,
            (false, true) => skip.or(format!("room join {room} {}", self.user)),
            (false, false) => {
                skip.why = skip.why.plain("; somebody in the room has to invite it");
                skip
            }
        }
    }
}

/// These users, a few of them.
fn named(users: &[OwnedUserId], between: &str) -> Line {
    let mut line = Line::new();
    for (n, user) in users.iter().take(NAMED).enumerate() {
        line = if n > 0 { line.plain(between) } else { line }.code(user);
    }
    match users.len().saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {more} more")),
    }
}

/// Whether `user` will be invited.
pub(super) fn place(standing: &Standing, membership: Option<&str>) -> Line {
    match (membership, standing.open) {
        (Some("join"), _) => "yes".into(),
        (Some("invite"), _) => "invited".into(),
        (Some("ban"), _) => "banned".into(),
        (_, true) => "no; the room is open to everybody, so it joins by itself".into(),
        (_, false) => "no; it is invited".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::known::testing::lobby, *};
    use crate::commands::user::testing;

    fn ids(users: &[&str]) -> Vec<OwnedUserId> {
        users.iter().map(|user| (*user).try_into().unwrap()).collect()
    }

    /// A closed room in which somebody of this server can act.
    fn good() -> Standing {
        Standing {
            state: true,
            members_here: true,
            acts: ids(&["@owner:example.org"]),
            level: Some(100),
            needed: 100,
            ..Standing::default()
        }
    }

    fn gone(deactivated: bool, creator: bool) -> Vec<Gone> {
        let user = OwnedUserId::try_from("@owner:example.org").unwrap();
        vec![Gone { user, deactivated, creator }]
    }

    fn refused(standing: &Standing, membership: Option<&str>) -> String {
        let skip = standing.hindrance(&lobby(), "@ann:example.org", membership);
        skip.map(|skip| testing::skip(&skip)).unwrap_or_default()
    }

    #[test]
    fn whoever_can_act_is_named_with_what_it_gives() {
        for membership in [None, Some("leave"), Some("invite"), Some("join")] {
            assert_eq!(refused(&good(), membership), "");
        }
        assert_eq!(
            testing::facts(&good().facts()),
            "In the name of: `@owner:example.org`, whose power is 100; everybody there sees it\n\
             It gets: 100\n"
        );
        let acts = ids(&["@a:example.org", "@b:example.org"]);
        let creators = Standing { acts, level: None, ..good() };
        assert_eq!(
            testing::facts(&creators.facts()),
            "In the name of: `@a:example.org` or `@b:example.org`, by its power as a creator; \
             everybody there sees it\n\
             It gets: 100; a creator's power cannot be given\n"
        );
    }

    #[test]
    fn where_nobody_can_act_it_is_said_who_could_help() {
        let none = || Standing { acts: Vec::new(), level: None, ..good() };
        let bob = || ids(&["@bob:b.example"]);
        for (standing, said) in [
            (none(), &["has power in it", "create a new room", "!room delete"][..]),
            (
                Standing { acts: ids(&["@moe:example.org"]), level: Some(50), ..good() },
                &["is `@moe:example.org` with 50", "needs 100", "create a new room"],
            ),
            (
                Standing { elsewhere: bob(), ..none() },
                &["Ask one of these, on other servers: `@bob:b.example`"],
            ),
            (
                Standing { gone: gone(false, false), open: true, ..none() },
                &["has left, and could come back", "!room join !lobby:example.org @owner:"],
            ),
            (
                Standing { gone: gone(false, false), ..none() },
                &["somebody in the room has to invite it"],
            ),
            (
                Standing { gone: gone(true, false), ..none() },
                &["who had enough power, is deactivated", "create a new room"],
            ),
            (
                Standing { gone: gone(false, true), open: true, ..none() },
                &[
                    "cannot be given to anybody else",
                    "comes back only with that account",
                    "!room join",
                ],
            ),
            (Standing { gone: gone(true, true), ..none() }, &["is lost for good", "a new room"]),
            (
                Standing { gone: gone(true, true), elsewhere: bob(), ..none() },
                &["is lost for good", "`@bob:b.example`"],
            ),
            (Standing::default(), &["nobody on this server is in", "any more"]),
            (
                Standing { members_here: true, ..Standing::default() },
                &["has no state of", "damaged", "!room delete"],
            ),
        ] {
            let text = refused(&standing, None);
            assert!(text.starts_with("Refused · "), "{text}");
            for part in said {
                assert!(text.contains(part), "{part:?} is not in {text}");
            }
            let ends = text.contains("a new room");
            assert_eq!(ends, said.iter().any(|part| part.contains("a new room")), "{text}");
        }
    }

    #[test]
    fn what_would_go_only_half_the_way_is_refused() {
        assert!(refused(&good(), Some("ban")).contains("has to lift the ban: `@owner:"));
        let blocked = Standing { blocked: true, ..good() };
        for (membership, open, is_refused) in [
            (None, false, true),
            (Some("leave"), false, true),
            (None, true, false),
            (Some("join"), false, false),
            (Some("invite"), false, false),
        ] {
            let standing = Standing { open, ..blocked.clone() };
            let text = refused(&standing, membership);
            assert_eq!(text.contains("!room unblock"), is_refused, "{membership:?} {text}");
        }
        let too_high = Standing { level: None, needed: 150, ..good() };
        assert!(refused(&too_high, None).contains("can give 100 this way"));
        let suspended = Standing { suspended: true, ..good() };
        assert!(refused(&suspended, None).contains("!user unsuspend @owner:example.org"));
    }

    #[test]
    fn whether_it_is_invited_is_said() {
        let open = Standing { open: true, ..good() };
        for (standing, membership, said) in [
            (&good(), None, "no; it is invited"),
            (&good(), Some("leave"), "no; it is invited"),
            (&open, None, "joins by itself"),
            (&open, Some("invite"), "invited"),
            (&good(), Some("join"), "yes"),
        ] {
            assert!(testing::line(&place(standing, membership)).contains(said));
        }
    }
}
