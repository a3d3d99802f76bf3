//! The end of an account's open invitations, room by room: they are withdrawn as who may remove the
//! invited, or declined in the names of these.
//!
//! Whoever is invited with the same power as who has invited them, as clients do in direct chats, cannot be
//! removed by them: such an invitation can only be declined.

use async_trait::async_trait;
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::{
    super::account::{self, how_many},
    open,
};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo, as_account,
    },
    commands::{
        Action,
        arguments::UserRef,
        room::{
            keeper::{self, Removers},
            known,
        },
    },
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

/// How they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Who may remove the invited takes them back.
    Withdraw,
    /// The invited decline.
    Reject,
}

/// Ends them.
#[derive(Debug)]
pub(super) struct End {
    pub(super) user: UserRef,
    pub(super) way: Way,
}

/// How many of one room end at once: the homeserver lets one account do ten things at once, and then one
/// in five seconds.
const MOST: usize = 20;

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    refusals::LOGIN_AS_SELF,
    refusals::NOT_LOCAL,
    Meaning::new(404, "M_NOT_FOUND", "User", "the account no longer exists; it did when I looked"),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "cannot kick",
        "who would withdraw it has too little power over the invited account in this room; `!user \
        invites` with --reject declines it in the name of that one",
    ),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "not in the room",
        "somebody has answered the invitation since I looked; look again",
    )
    .nothing_to_do(),
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "not in room",
        "the account that would do it is no longer in the room; look again",
    ),
    Meaning::new(
        403,
        "M_BAD_STATE",
        "banned",
        "the invited account has been banned since I looked; look again",
    )
    .nothing_to_do(),
    Meaning::new(
        403,
        "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM",
        "",
        "this is the room of the server's notices, and nobody can decline that invitation",
    ),
    refusals::NO_CONSENT,
    Meaning::new(404, "M_UNKNOWN", "known room", "nobody on this server is in the room any more"),
    refusals::ROOM_GONE,
];

#[async_trait]
impl Action for End {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["user login", "room kick"]
    }

    fn did(&self) -> Option<&'static str> {
        Some(match self.way {
            Way::Withdraw => "withdrew invitations to",
            Way::Reject => "declined invitations to",
        })
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let user = reader.user_id(&self.user)?;
        account::existing(&user, reader).await?;
        let found = open::of_account(&user, reader).await?;
        if found.rooms.is_empty() {
            let why = Line::new().code(&user).plain(" has no open invitations in its rooms");
            let why = found.unknown().into_iter().fold(why, |why, line| why.plain(". ").line(line));
            return Err(Stop::not_found(why).or(&["user", "membership", user.as_str()]));
        }
        Ok(found.rooms.into_keys().map(Subject::Room).collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let room = known::id(subject)?;
        let user = reader.user_id(&self.user)?;
        let mut seen = known::snapshot(subject, reader).await?;
        let sender = account::existing(&user, reader).await?;
        seen.preconditions.insert("locked".to_owned(), json!(sender.locked));
        seen.note_now(reader.now());
        let invited =
            if seen.is("exists") { open::in_room(&user, room, reader).await? } else { Vec::new() };
        let mut actors = Actors::of(&user, room, reader).await?;
        for invited in invited.iter().filter(|_| self.way == Way::Reject) {
            // One more than are taken, so that it is known whether there are more.
            if actors.local.len() <= MOST && actors.may_decline(invited, reader).await? {
                actors.local.push(invited.clone());
            }
        }
        note(&mut seen, self.way, &invited, &actors);
        Ok(seen)
    }

    fn reaches(&self, _subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        let sender = [text(seen, "user").to_owned()];
        let acting = match self.way {
            Way::Withdraw => Vec::new(),
            Way::Reject => listed(seen, ENDING),
        };
        let all = sender.into_iter().chain(acting);
        all.filter_map(|user| UserId::parse(user).ok()).map(Subject::User).collect()
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let count = how_many(Some(listed(seen, ENDING).len() as u64), "invitation", "invitations");
        let verb = match self.way {
            Way::Withdraw => "Withdraw",
            Way::Reject => "Decline",
        };
        let title = Line::new().plain(format!("{verb} {count} of ")).code(text(seen, "user"));
        Question {
            title: title.plain(" to ").code(subject),
            goes: vec!["the invitations: everybody in the room sees that".into()],
            stays: vec!["who has joined already, and who was invited by others".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if !seen.is("exists") {
            return Err(Skip::not_found(known::unknown(subject)));
        }
        let sender = text(seen, "user");
        if listed(seen, OPEN).is_empty() {
            let why = Line::new().code(sender).plain(" has no open invitations to ").code(subject);
            return Err(Skip::already(why));
        }
        let ending = listed(seen, ENDING);
        if ending.is_empty() {
            return Err(self.nobody(subject, seen));
        }
        let room = subject.segment();
        let post = |what: &str, body: Value| {
            Step::new(Method::Post, Path::client(["v3", "rooms", &room, what]), body).idempotent()
        };
        let now = seen.noted_now();
        let kicks = |ending: &[String]| -> Vec<Step> {
            ending.iter().map(|user| post("kick", json!({ "user_id": user }))).collect()
        };
        let by = UserId::parse(text(seen, BY)).ok();
        let steps = match (self.way, by) {
            (Way::Withdraw, Some(by)) if by == sender => as_account(&by, now, kicks(&ending)),
            (Way::Withdraw, _) => kicks(&ending),
            (Way::Reject, _) => ending
                .iter()
                .filter_map(|user| UserId::parse(user).ok())
                .flat_map(|user| as_account(&user, now, vec![post("leave", json!({}))]))
                .collect(),
        };
        let left: Vec<String> =
            listed(seen, OPEN).into_iter().filter(|user| !ending.contains(user)).collect();
        Ok(Change { steps, wanted: FactMap::from([(OPEN.to_owned(), json!(left))]) })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let sender = text(before, "user");
        let ended = listed(before, ENDING);
        let count = how_many(Some(ended.len() as u64), "invitation", "invitations");
        let verb = match self.way {
            Way::Withdraw => "withdrawn",
            Way::Reject => "declined",
        };
        let title = Line::new().code(subject).plain(format!(": {count} of ")).code(sender);
        let undo = Undo::None(format!("{sender} can invite the same people again"));
        let outcome = Outcome::done(title.plain(format!(" {verb}")), undo)
            .facts([("Were invited", ids(&ended))]);
        let left = listed(after, OPEN);
        if left.is_empty() {
            return outcome;
        }
        let again = match self.way {
            _ if before.extra.get(MORE) == Some(&json!(true)) => self.way.option(),
            Way::Withdraw => Way::Reject.option(),
            Way::Reject => Way::Withdraw.option(),
        };
        Outcome { status: Status::DoneInPart, ..outcome }
            .facts([("Still open", ids(&left))])
            .remains([(
                "To end the others".into(),
                account::words(["user", "invites", sender, again]),
            )])
    }
}

/// Under these are kept who is invited, those of them whose invitation ends, and whether more could.
const OPEN: &str = "open invitations";
const ENDING: &str = "ending";
const MORE: &str = "more";
/// Under this it is kept in whose name they are withdrawn.
const BY: &str = "in the name of";

/// How many of them are named.
const NAMED: usize = 10;

impl Way {
    fn option(self) -> &'static str {
        match self {
            Self::Withdraw => "--withdraw",
            Self::Reject => "--reject",
        }
    }
}

impl End {
    /// The refusal where none of them can end this way.
    fn nobody(&self, subject: &Subject, seen: &Snapshot) -> Skip {
        let sender = text(seen, "user");
        let room = subject.typed();
        let invites = |way: Way| format!("user invites {sender} {}", way.option());
        match self.way {
            Way::Withdraw
                if seen.is("locked") && seen.extra.get("inside") == Some(&json!(true)) =>
            {
                keeper::locked(sender).or(format!("user unlock {sender}")).or(invites(Way::Reject))
            }
            Way::Withdraw => {
                let why = Line::from("neither ")
                    .code(sender)
                    .plain(" nor the account of my admin token is in ")
                    .code(&room)
                    .plain(
                        " with more power than those who are invited, so neither can withdraw that",
                    );
                Skip::refused(why).or(invites(Way::Reject)).or(format!("room make-admin {room}"))
            }
            Way::Reject => {
                let why = Line::from("none of those who are invited to ")
                    .code(&room)
                    .plain(" is an account of this server in whose name I can act");
                Skip::refused(why).or(invites(Way::Withdraw))
            }
        }
    }
}

/// Who could end invitations in a room.
struct Actors {
    /// Who has sent them, and whether it is in the room.
    sender: (OwnedUserId, bool),
    /// The account of the admin token, and whether it is.
    keeper: (OwnedUserId, bool),
    removers: Removers,
    /// Those of the invited who can be acted for.
    local: Vec<OwnedUserId>,
}

impl Actors {
    async fn of(user: &UserId, room: &RoomId, reader: &Reader) -> Result<Self, Stop> {
        let keeper = reader.caller().await?;
        let (own, theirs) = tokio::join!(reader.joined_rooms(&keeper), reader.joined_rooms(user));
        let is_in = |rooms: &[ruma::OwnedRoomId]| rooms.iter().any(|joined| joined == room);
        Ok(Self {
            sender: (user.to_owned(), is_in(&theirs?)),
            keeper: (keeper, is_in(&own?)),
            removers: Removers::of(room, reader).await?,
            local: Vec::new(),
        })
    }

    /// Whether an invited account is one that can be acted for.
    async fn may_decline(&self, invited: &UserId, reader: &Reader) -> Result<bool, Stop> {
        if !reader.is_local(invited) || reader.is_own(invited) || self.keeper.0 == *invited {
            return Ok(false);
        }
        let account = reader.account(invited).await?;
        Ok(account.is_some_and(|account| !account.locked))
    }

    /// Those of the invited whose invitations this one may withdraw.
    fn removed_by(
        &self,
        (by, inside): &(OwnedUserId, bool),
        invited: &[OwnedUserId],
    ) -> Vec<OwnedUserId> {
        let may = |whom: &&OwnedUserId| *inside && self.removers.may_remove(by, whom);
        invited.iter().filter(may).cloned().collect()
    }
}

/// Notes whose invitations end, in whose name.
fn note(seen: &mut Snapshot, way: Way, invited: &[OwnedUserId], actors: &Actors) {
    let (sender, inside) = &actors.sender;
    let locked = seen.is("locked");
    let (by, mut ending) = match way {
        Way::Reject => (None, actors.local.clone()),
        Way::Withdraw => {
            let as_keeper = actors.removed_by(&actors.keeper, invited);
            let as_sender = actors.removed_by(&actors.sender, invited);
            // Nobody is taken over where that gains nothing.
            if as_keeper.len() >= as_sender.len() || locked {
                (Some(&actors.keeper.0), as_keeper)
            } else {
                (Some(sender), as_sender)
            }
        }
    };
    let more = ending.len() > MOST;
    ending.truncate(MOST);
    seen.preconditions.insert("user".to_owned(), json!(sender));
    seen.extra.insert("inside".to_owned(), json!(inside));
    seen.extra.insert(OPEN.to_owned(), json!(invited));
    seen.extra.insert(ENDING.to_owned(), json!(ending));
    seen.extra.insert(MORE.to_owned(), json!(more));
    let all: Vec<String> = invited.iter().map(ToString::to_string).collect();
    seen.display.push(("Invited", ids(&all)));
    if ending.is_empty() {
        return;
    }
    let how = match by {
        Some(by) if by == sender => keeper::in_its_own_name("withdraw them with it"),
        Some(by) => Line::from("as ").code(by).plain(", the account of my admin token"),
        None => Line::from("of ")
            .plain(format!("{} invited, each ", ending.len()))
            .line(keeper::in_its_own_name("decline with it")),
    };
    if let Some(by) = by {
        seen.preconditions.insert(BY.to_owned(), json!(by));
    }
    seen.display.push(("How", how));
}

/// The first of these ids.
fn ids(all: &[String]) -> Line {
    let mut line = Line::new();
    for (n, id) in all.iter().take(NAMED).enumerate() {
        line = if n > 0 { line.plain(", ") } else { line }.code(id);
    }
    match all.len().saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {more} more")),
    }
}

fn text<'a>(seen: &'a Snapshot, key: &str) -> &'a str {
    seen.fact(key).and_then(Value::as_str).unwrap_or_default()
}

fn listed(seen: &Snapshot, key: &str) -> Vec<String> {
    let all = seen.fact(key).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
