//! `room details`: everything about one room on one screen.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::RoomId;

use super::known::{self, Blocked, Room};
use crate::{
    change::{Power, Subject},
    commands::{
        Memory, Query, Remembered, Spec, Tables,
        arguments::RoomRef,
        past::{self, PAST},
        refusals::looks,
    },
    error::Stop,
    reply::{Fact, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Details>(
    "details",
    &["room details #lobby:example.org", "room details !OGEhHVWSdvArJzumhm:example.org"],
)
.also(&["show"]);

/// Show one room: what it is, who may join and read, whether it is blocked, and what I did to it
#[derive(Debug, clap::Args)]
struct Details {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// Show everything, also what goes without saying
    #[arg(long)]
    all: bool,
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        let id = reader.room_id(&self.room).await?;
        let (room, blocked) = tokio::join!(known::whole(&id, reader), known::blocked(&id, reader));
        let remembered = memory.of(&Subject::Room(id.clone()), PAST);
        match (room?, blocked?) {
            (Some(room), blocked) if self.all => {
                Ok(whole(&id, &room, &blocked, &remembered, reader.now()))
            }
            (Some(room), blocked) => Ok(card(&id, &room, &blocked, &remembered, reader.now())),
            // It can be blocked all the same.
            (None, blocked) if blocked.block => {
                let facts = vec![("Blocked", known::block(&blocked))];
                let reply = Reply::data(known::unknown(&id)).facts(facts);
                Ok(past::told(reply, &remembered, reader.now()))
            }
            (None, _) => Err(Stop::not_found(known::unknown(&id))),
        }
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let id = reader.room_id(&self.room).await?;
        let room = known::raw_whole(&id, reader).await?;
        let room = room.ok_or_else(|| Stop::not_found(known::unknown(&id)))?;
        Ok(sheet.object("room", &room)?)
    }
}

fn whole(
    id: &RoomId,
    room: &Room,
    blocked: &Blocked,
    remembered: &Remembered,
    now: Timestamp,
) -> Reply {
    past::told(Reply::data(Line::new().code(id)).facts(facts(room, blocked)), remembered, now)
}

fn facts(room: &Room, blocked: &Blocked) -> Vec<Fact> {
    let mut facts = known::facts(room);
    facts.push(("Blocked", known::block(blocked)));
    facts
}

/// What every room has, in the rows of its card.
const ROWS: &[&[&str]] = &[&["Members", "Encrypted"], &["Who may join"]];

/// What is in `--all` and on no card: it is the same for most rooms, or of use to few.
const BEYOND: &[&str] = &["Who may read", "Version", "Created by"];

fn card(
    id: &RoomId,
    room: &Room,
    blocked: &Blocked,
    remembered: &Remembered,
    now: Timestamp,
) -> Reply {
    let mut facts = facts(room, blocked);
    let open = room.is_read_by_everybody();
    facts.retain(|(label, _)| !BEYOND.contains(label) || (open && *label == "Who may read"));
    let title = match room.name().filter(|name| !name.is_empty()) {
        Some(name) => Line::new().hostile(name).plain(" ").code(id),
        None => Line::new().code(id),
    };
    let words = |words: [&str; 4]| words.map(str::to_owned).to_vec();
    let reply = past::on_card(past::card(title, &facts, ROWS), remembered, now);
    let reply = reply.command("All", words(["room", "details", id.as_str(), "--all"]));
    if remembered.past.is_empty() {
        return reply;
    }
    reply.command("Record", words(["audit", "list", "--on", id.as_str()]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::known::testing::room, *};
    use crate::{
        commands::{
            Past,
            user::testing::{self, now},
        },
        reply::{Status, phone},
    };

    fn text(other: Value, blocked: Value, past: &[Past]) -> String {
        let remembered = Remembered { past: past.to_vec(), ..Remembered::default() };
        let id = <&RoomId>::try_from("!lobby:example.org").unwrap();
        let blocked = serde_json::from_value(blocked).unwrap();
        testing::reply(&whole(id, &room(other), &blocked, &remembered, now()))
    }

    #[test]
    fn the_dossier_says_what_it_is_and_who_may_enter() {
        assert_eq!(
            text(json!({"topic": "Hello"}), json!({"block": false}), &[]),
            "`!lobby:example.org`\n\
             Name: “The lobby”\n\
             Topic: “Hello”\n\
             Id: `!lobby:example.org`\n\
             Alias: “#lobby:example.org”\n\
             Members: 12, 3 here\n\
             Encrypted: no\n\
             In the directory: yes\n\
             Who may join: everybody\n\
             Who may read: members, all of it\n\
             Version: “11”\n\
             Created by: “@ann:example.org”\n\
             Blocked: no\n"
        );
    }

    #[test]
    fn what_is_not_known_is_not_told_as_a_value() {
        let nothing = json!({
            "name": null, "canonical_alias": null, "encryption": null, "federatable": null,
            "join_rules": null, "history_visibility": null, "version": null, "creator": null,
            "joined_members": -1, "joined_local_members": -1, "state_not_known": true,
        });
        let told = text(nothing, json!({"block": false}), &[]);
        for key in [
            "Name",
            "Members",
            "Encrypted",
            "Who may join",
            "Who may read",
            "Version",
            "Created by",
        ] {
            assert!(told.contains(&format!("{key}: not known\n")), "{key} in {told}");
        }
        assert!(!told.contains("Other servers"), "{told}");
        let left = json!({
            "joined_members": null, "joined_local_members": 0, "as_of_leaving": true,
        });
        let told = text(left, json!({"block": false}), &[]);
        assert!(told.contains("Members: nobody from here; of others"), "{told}");
        assert!(told.contains("Here: This server has left this room; this is the state from then"));
        let absurd = text(json!({"joined_members": 1_u64 << 53}), json!({"block": false}), &[]);
        assert!(absurd.contains("Members: not known\n"), "{absurd}");
    }

    #[test]
    fn what_is_unusual_is_said() {
        let other = json!({
            "name": null, "canonical_alias": null, "encryption": "m.megolm.v1.aes-sha2",
            "federatable": 0, "tombstoned": 1, "replacement_room": "!new:example.org",
            "joined_members": null, "room_type": "m.space", "forgotten": true,
        });
        let past = [Past {
            id: 12,
            at: "2026-11-20T11:00:00Z".parse().unwrap(),
            by: "@moe:example.org".try_into().unwrap(),
            words: ["room", "block", "!lobby:example.org"].map(str::to_owned).to_vec(),
            command: "!room block !lobby:example.org".to_owned(),
            status: Some(Status::Done),
        }];
        let text = text(other, json!({"block": true, "user_id": "@moe:example.org"}), &past);
        for said in [
            "Name: none\n",
            "Members: not known\n",
            "Encrypted: yes\n",
            "Type: “m.space”\n",
            "Other servers: cannot take part\n",
            "Forgotten: by everybody here\n",
            "Replaced by: “!new:example.org”\n",
            "Blocked: **yes**, by “@moe:example.org”\n",
            "Done · `!room block !lobby:example.org` by `@moe:example.org`, #12",
        ] {
            assert!(text.contains(said), "{said:?} is not in {text}");
        }
        assert!(!text.contains("Alias:"), "{text}");
    }

    #[test]
    fn a_card_is_half_a_screen_with_the_name_first() {
        let id = <&RoomId>::try_from("!OGEhHVWSdvArJzumhm:example.org").unwrap();
        let room = room(json!({"topic": "Hello", "encryption": "m.megolm.v1.aes-sha2",
            "room_id": id, "join_rules": "invite", "public": false}));
        let blocked = serde_json::from_value(json!({"block": true, "user_id": "@moe:example.org"}));
        let remembered = Remembered::default();
        let reply = card(id, &room, &blocked.unwrap(), &remembered, now());
        let body = phone::body(&reply);
        insta::assert_snapshot!(body, @r"
        “The lobby” !OGEhHVWSdvArJzumhm:example.org

        Topic: “Hello”
        Alias: “#lobby:example.org”
        Blocked: yes, by “@moe:example.org”
        Members: 12, 3 here · Encrypted: yes
        Who may join: invite only

        All: !room details !OGEhHVWSdvArJzumhm:example.org --all
        ");
        assert!(phone::lines(&body) <= phone::SCREEN / 2, "{} lines", phone::lines(&body));
    }
}
