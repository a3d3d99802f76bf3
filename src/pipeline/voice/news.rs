//! What the room is told although nobody asked.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, RoomAliasId, RoomId, RoomOrAliasId, UserId};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::{
    audit::{Audit, Kind, Record},
    clock::SharedClock,
    operators::{Rank, Roster},
    pipeline::{Ailment, Gone, News, Rules, Voice},
    reply::{Line, Reply, Status},
    store::Shelf,
};

/// How many characters at the end of a key are typed to accept it.
pub(in crate::pipeline) const KEY_TAIL: usize = 6;

/// What happens to the bot and around it, told to the room.
#[derive(Debug)]
pub(in crate::pipeline) struct Announcements {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) rules: Arc<Rules>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) voice: Arc<Voice>,
    /// Whether the bot has asked to lift its rate limit.
    pub(in crate::pipeline) asked_to_lift: Shelf<bool>,
    /// What was warned of, by what it is about: what is still so at the next start is no news.
    pub(in crate::pipeline) warned: Shelf<Warned>,
    /// When each room was greeted.
    pub(in crate::pipeline) greeted: Shelf<Timestamp>,
}

/// A warning that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::pipeline) struct Warned {
    /// What was so.
    so: String,
    /// When it was told.
    at: Timestamp,
}

/// After so long what is still so is told again.
const AGAIN: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Announcements {
    /// Tells the room.
    pub(in crate::pipeline) async fn tell(&self, news: News) {
        info!(?news, "news");
        match news {
            News::KeyPinned { user, key } => {
                self.noted(&format!("pinned the master key {key} of {user} at first use")).await;
                let transaction_key = format!("pinned-{}", tail(&key));
                self.voice.tell(&transaction_key, &key_pinned(&user, &key)).await;
            }
            News::KeyChanged { user, pinned, now, in_config } => {
                self.noted(&format!("{user} now has the master key {now} instead of {pinned}"))
                    .await;
                let reply = key_changed(&user, &now, in_config).ringing(self.others(&user));
                self.voice.tell(&format!("changed-{}", tail(&now)), &reply).await;
            }
            News::AliasMoved { alias, pinned, now } => {
                let reply = alias_moved(&alias, &pinned, &now).ringing(self.admins());
                self.voice.tell(&format!("moved-{now}"), &reply).await;
            }
            News::RoomUpgraded { room, now, record } => self.upgraded(&room, &now, record).await,
            News::Joined { room, served, operators } => {
                info!(%room, "joined a room of the config");
                self.voice.backlog().wake();
                if served {
                    self.greet(&room, operators).await;
                }
            }
            News::Back { away, unread } => self.tell_back(away, &unread).await,
            News::InviteRefused { room, by } => {
                warn!(%room, %by, "an invitation was not followed");
            }
            News::Limited { retry_after } => self.limited(retry_after).await,
            News::RoomNotEncrypted { room, served } => self.not_encrypted(&room, served).await,
            News::RoomGone { room, why, record } => {
                self.noted(&format!("{room} is no longer served: {why:?}")).await;
                let reply = room_gone(&room, why, record).ringing(self.admins());
                self.voice.tell_others(Some(&room), &format!("gone-{room}"), &reply).await;
            }
            // What is not as the record says is told with it.
            News::PositionRefused => {}
            News::OwnKeysReplaced => {
                self.noted("the bot's account has different cross-signing keys").await;
                let reply = own_keys_replaced().ringing(self.admins());
                self.voice.tell("own-keys", &reply).await;
            }
            News::OneTimeKeysClash => {
                let reply = one_time_keys_clash().ringing(self.admins());
                self.voice.tell("one-time-keys", &reply).await;
            }
            News::OwnDeviceUnsigned => self.device_unsigned().await,
        }
    }

    async fn device_unsigned(&self) {
        if self.was_warned("unsigned", "unsigned") {
            return;
        }
        let reply = Reply::data(
            "My device is not signed by my own key, so many clients hide my messages and do not \
            let me read yours",
        )
        .note("The log of my start says how to fix that");
        let transaction_key = format!("unsigned-{}", self.clock.now().as_second());
        if self.voice.tell(&transaction_key, &reply.ringing(self.admins())).await {
            self.has_warned("unsigned", "unsigned");
        }
    }

    async fn not_encrypted(&self, room: &RoomId, served: bool) {
        warn!(%room, served, "an admin room is not encrypted");
        let (about, so) = (format!("clear {room}"), if served { "served" } else { "not served" });
        if self.was_warned(&about, so) {
            return;
        }
        let reply = if served {
            Reply::data(
                "This room is not encrypted: whoever runs a server in it can read it, and could \
                forge an operator's messages. I send no secrets here",
            )
            .note("Encrypt it in the room's settings, and set encryption: required in the config")
        } else {
            Reply::data("This room is not encrypted, and I take commands only in encrypted rooms")
                .note("Encrypt it in the room's settings; that cannot be switched off again")
        };
        let transaction_key = format!("clear-{}", self.clock.now().as_second());
        self.voice.say_surely(room, None, &transaction_key, &reply).await;
        self.has_warned(&about, so);
    }

    /// Whether the rooms were told of late that this is so. What cannot be read is told.
    fn was_warned(&self, about: &str, so: &str) -> bool {
        let warned = self.warned.get(about).ok().flatten();
        warned.is_some_and(|warned| {
            warned.so == so && self.clock.now().duration_since(warned.at) < AGAIN
        })
    }

    fn has_warned(&self, about: &str, so: &str) {
        let warned = Warned { so: so.to_owned(), at: self.clock.now() };
        if let Err(error) = self.warned.put(about, &warned) {
            error!(error = &error as &dyn std::error::Error, "it is told again at the next start");
        }
    }

    /// The room was upgraded. It is told of it for as long as the bot can write there.
    async fn upgraded(&self, room: &RoomId, now: &RoomId, record: bool) {
        warn!(%room, %now, record, "a room of the config was upgraded");
        let (what, so) = if record {
            (
                "the room of the record ",
                ". I do not follow by myself, and write the record there for as long as I can. If \
                the upgrade was intended, put the new id under record.room in the config, restart \
                me, and invite me there",
            )
        } else {
            (
                "the room ",
                ". I do not follow by myself, and take commands here for as long as I can write \
                here. If the upgrade was intended, put the new id under rooms in the config, \
                restart me, and invite me there",
            )
        };
        let noted = if record { what } else { "the admin room " };
        self.noted(&format!("{noted}{room} was upgraded to {now}")).await;
        let reply = Reply::outcome(
            Status::Refused,
            Line::new().plain(what).code(room).plain(" was upgraded to ").code(now).plain(so),
        );
        self.voice.tell(&format!("upgraded-{now}"), &reply.ringing(self.admins())).await;
    }

    /// The homeserver slows the bot down: say so, and where the config wants it, ask to lift that.
    async fn limited(&self, retry_after: Duration) {
        warn!(seconds = retry_after.as_secs_f32(), "the homeserver limits how fast I may send");
        let key = "own";
        if self.asked_to_lift.get(key).ok().flatten().is_some() {
            return;
        }
        if self.voice.tell("limited", &limited(self.rules.lift_rate_limit, self.admins())).await
            && let Err(error) = self.asked_to_lift.put(key, &true)
        {
            error!(error = &error as &dyn std::error::Error, "the store cannot be written");
        }
    }

    async fn noted(&self, note: &str) {
        let record = Record { note: Some(note.to_owned()), ..Record::new(Kind::Noted) };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "news were not recorded");
        }
    }

    fn admins(&self) -> Vec<OwnedUserId> {
        let admins = self.roster.operators.values().filter(|one| one.role.rank == Rank::Admin);
        admins.map(|one| one.user.clone()).collect()
    }

    fn others(&self, than: &UserId) -> Vec<OwnedUserId> {
        self.admins().into_iter().filter(|user| user != than).collect()
    }
}

fn room_gone(room: &RoomOrAliasId, why: Gone, record: bool) -> Reply {
    let (what, key) = if record {
        ("the room of the record ", "record.room")
    } else {
        ("the admin room ", "rooms")
    };
    let lost = match why {
        Gone::NamesNothing => Line::new().plain("The room ").code(room).plain(" no longer exists"),
        Gone::Removed => Line::new().plain("I am no longer in ").plain(what).code(room),
        Gone::Banned => Line::new().plain("I am banned from ").plain(what).code(room),
    };
    let cost = if record {
        ", so the record is not written there"
    } else {
        ", so I take no commands there"
    };
    let back = match why {
        Gone::NamesNothing => "If that is a mistake, give a room this alias and restart me; if not",
        Gone::Removed => "If that is a mistake, invite me again (an operator has to); if not",
        Gone::Banned => "If that is a mistake, lift the ban and have an operator invite me; if not",
    };
    Reply::data(lost.plain(cost))
        .text(Line::from(format!("{back}, take it out of ")).code(key).plain(" in the config"))
}

fn alias_moved(alias: &RoomAliasId, pinned: &RoomId, now: &RoomId) -> Reply {
    Reply::outcome(
        Status::Refused,
        Line::new()
            .code(alias)
            .plain(" now points to another room, ")
            .code(now)
            .plain("; I stay in ")
            .code(pinned)
            .plain(
                " and take commands only there. If the move was intended, put the new id into \
                    the config",
            ),
    )
}

fn own_keys_replaced() -> Reply {
    Reply::data(
        "My account has new cross-signing keys: somebody made them with another client that is \
        logged in as me. Until my device is signed by them, nobody can read me, and I change \
        nothing",
    )
    .text("If it was none of you, somebody has my password: change it")
}

fn one_time_keys_clash() -> Reply {
    Reply::data(capital(Ailment::OneTimeKeys))
        .text("That happens when a copy of my state is restored")
        .note("Run synod check on my machine to see how to fix that")
}

/// What is wrong, as the beginning of a sentence.
fn capital(ailment: Ailment) -> String {
    let text = ailment.to_string();
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The last characters of a key.
pub(in crate::pipeline) fn tail(key: &str) -> &str {
    key.char_indices().rev().nth(KEY_TAIL - 1).and_then(|(at, _)| key.get(at..)).unwrap_or(key)
}

fn key_pinned(user: &UserId, key: &str) -> Reply {
    Reply::data(
        Line::new()
            .plain("I now know ")
            .code(user)
            .plain(" by the key ")
            .code(key)
            .plain(", and take commands only from sessions that it has signed"),
    )
}

fn key_changed(user: &UserId, now: &str, in_config: bool) -> Reply {
    let why = if in_config {
        " has a new cross-signing key. My config names the old one, so I take no commands from them"
    } else {
        " has a new cross-signing key. Until an admin accepts it, I take no commands from them"
    };
    let reply = Reply::outcome(Status::Refused, Line::new().code(user).plain(why))
        .facts(vec![("New key", Line::new().code(now))])
        .text(
            "Ask them outside this room whether they reset it themselves. If they did not, \
            somebody has their account",
        );
    if in_config {
        return reply.text(
            Line::new()
                .plain("If they did, whoever keeps my config writes the new key as their ")
                .code("master_key")
                .plain(" and reloads it"),
        );
    }
    reply.command(
        "To accept it, another admin sends",
        words(&["trust", "accept", user.as_str(), tail(now)]),
    )
}

/// The bot is slowed down; where the config wants that lifted, this asks for it.
fn limited(lift: bool, admins: Vec<OwnedUserId>) -> Reply {
    let reply = Reply::data("The homeserver limits how fast I may send, so my answers come late");
    if lift {
        reply
            .command(
                "May I lift that for my own account? To allow it, an admin sends",
                words(&["limits", "lift"]),
            )
            .ringing(admins)
    } else {
        let how = Line::new()
            .command("!limits lift")
            .plain(" lifts that for my account; an admin can send it");
        reply.note(how).ringing(admins)
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_room_id;

    use crate::pipeline::{News, testing::Stage, voice::news::tail};

    #[tokio::test]
    async fn a_warning_is_given_once_until_it_changes() {
        let mut stage = Stage::set("http://127.0.0.1:9", "token");
        let clear =
            |served| News::RoomNotEncrypted { room: owned_room_id!("!admin:synod.test"), served };
        for (news, told) in [
            (clear(true), 1),
            (clear(true), 1),
            (News::OwnDeviceUnsigned, 2),
            (News::OwnDeviceUnsigned, 2),
            (clear(false), 3),
            (clear(false), 3),
        ] {
            stage.pipeline.announcements.tell(news.clone()).await;
            assert_eq!(stage.heard.all().len(), told, "{news:?}: {:?}", stage.heard.all());
            stage.start_again().await;
        }
        stage.clock.pass(31 * 86_400);
        stage.pipeline.announcements.tell(News::OwnDeviceUnsigned).await;
        assert_eq!(stage.heard.all().len(), 4, "it is so for a month");
    }

    #[test]
    fn the_tail_of_a_key_is_its_last_characters() {
        assert_eq!(tail("abcdefghij"), "efghij");
        assert_eq!(tail("abc"), "abc");
        assert_eq!(tail("ääääääü"), "äääääü");
    }
}
