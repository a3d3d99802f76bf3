//! Rooms on a real homeserver: which there are, who is in them, and who has a say.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::time::timeout;
use world::{Api, Options, Scene, Synapse};

use crate::{
    SYNOD,
    support::{api, make, says},
};

/// Waits until the homeserver's statistics, which lag behind, have this many members of a room.
pub(crate) async fn until_counted(admin: &Api, room: &str, members: u64) -> Result<()> {
    let path = format!("/_synapse/admin/v1/rooms?search_term={room}");
    let counted = async {
        loop {
            let listed = admin.get(&path).await?.1;
            if listed["rooms"][0]["joined_members"] == json!(members) {
                return anyhow::Ok(());
            }
        }
    };
    match timeout(Duration::from_secs(30), counted).await {
        Ok(counted) => counted,
        Err(_) => bail!("the statistics do not know of {members} in {room}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_beside_other_filters_finds_what_fits_both() -> Result<()> {
    // The usual homeserver lets nobody put a room into the directory.
    let extra = "room_list_publication_rules: [{action: allow}]\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let tag = eve.user_id.localpart();
    let open = json!({"visibility": "public", "name": format!("{tag} Open_1"),
                      "room_alias_name": tag});
    let open = make(&by_eve, open).await?;
    let closed = make(&by_eve, json!({"name": format!("{tag} openx1")})).await?;
    let left = make(&by_eve, json!({"name": format!("{tag} left")})).await?;
    by_eve.post(&format!("/_matrix/client/v3/rooms/{left}/leave"), json!({})).await?;
    until_counted(&scene.synapse().admin(), &left, 0).await?;
    let lists = async |typed: &str, there: &[&str], not: &[&str]| {
        let answer = scene.ann_asks(&format!("!{typed}")).await?;
        for part in there {
            assert!(answer.body.contains(part), "{typed} lacks {part}: {}", answer.body);
        }
        for room in not {
            assert!(!answer.body.contains(room), "{typed} lists {room}: {}", answer.body);
        }
        anyhow::Ok(answer)
    };

    lists(&format!("room search {tag}"), &["2 rooms", &open, &closed], &[]).await?;
    // To this the homeserver itself answers with rooms that do not have the name.
    let path = format!("/_synapse/admin/v1/rooms?search_term={tag}&public_rooms=true");
    let trap = scene.synapse().admin().get(&path).await?.1;
    assert!(trap["rooms"].as_array().is_some_and(|rooms| rooms.len() > 1), "no trap: {trap}");
    lists(&format!("room list -n {tag} --public"), &["1 room found", &open], &[&closed, &left])
        .await?;
    lists(&format!("room list -n {tag} -P"), &[&closed], &[&open]).await?;
    // What nobody is in has lost its name, and is found by its id.
    lists(&format!("room list -n {left} --empty"), &[&left, "nobody"], &[]).await?;
    lists(&format!("room list -n {tag} --empty"), &["no rooms found"], &[&open, &closed]).await?;
    lists(&format!("room list -n {tag} -E"), &[&open, &closed], &[&left]).await?;
    lists("room list --empty", &[&left], &[&open, &closed]).await?;
    lists("room list --public", &[&open], &[&closed, &left]).await?;
    // _ stands for itself, and a whole alias is found although the homeserver cuts it.
    lists(&format!("room search \"{tag} open_1\""), &[&open], &[&closed]).await?;
    lists(&format!("room search #{tag}:synod.test"), &[&open], &[]).await?;
    lists(&format!("room search {closed}"), &["1 room", &closed], &[&open]).await?;
    lists("room search no-room-is-called-this", &["no rooms"], &[]).await?;

    let first = lists("room list -l 1 -s joined_members", &["1 to 1 shown"], &[]).await?;
    let next = crate::support::offered(&first, "!room list")?;
    says(&scene.ann_asks(next).await?, "", &["2 to 2 shown"]);
    let data = lists(&format!("room list -n {tag} -p -o json"), &[], &[&closed]).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["rooms"][0]["room_id"], open.as_str());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_by_how_they_stand_to_a_room() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let [eve, sam, bob] =
        [scene.subject("eve").await?, scene.subject("sam").await?, scene.subject("bob").await?];
    let by_eve = api(&scene, &eve).await?;
    let wanted = json!({"preset": "public_chat", "invite": [sam.user_id]});
    let room = make(&by_eve, wanted).await?;
    let ban = json!({"user_id": bob.user_id, "reason": "for a secret"});
    by_eve.post(&format!("/_matrix/client/v3/rooms/{room}/ban"), ban).await?;

    let of = async |more: &str| scene.ann_asks(&format!("!room members {room} {more}")).await;
    says(&of("").await?, &room, &["in it: 1 account", eve.user_id.as_str()]);
    says(&of("--remote").await?, &room, &["no accounts"]);
    let invited = of("-m invite").await?;
    says(&invited, &room, &["invited: ", sam.user_id.as_str()]);
    says(&of("-m ban --local").await?, &room, &[bob.user_id.as_str(), eve.user_id.as_str()]);
    assert!(!of("-m ban -o json").await?.body.contains("secret"), "reasons are content");
    let unknown = scene.ann_asks("!room members !nowhere:synod.test").await?;
    says(&unknown, "Not found", &["does not know the room"]);
    for look in ["members -m ban", "state", "power-levels", "resolve"] {
        let (verb, more) = look.split_once(' ').unwrap_or((look, ""));
        let unknown = scene.ann_asks(&format!("!room {verb} !nowhere:synod.test {more}")).await?;
        says(&unknown, "Not found", &["does not know the room"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_in_a_room_is_shown_and_what_it_says_only_on_demand() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let wanted = json!({"preset": "public_chat", "topic": "the plan for monday"});
    let room = make(&api(&scene, &eve).await?, wanted).await?;
    for more in ["", "-o json", "-o csv"] {
        let state = scene.ann_asks(&format!("!room state {room} {more}")).await?;
        says(&state, "", &["m.room.topic", "m.room.join_rules", eve.user_id.as_str()]);
        assert!(!state.body.contains("monday"), "{}", state.body);
    }
    let topic = format!("!room state {room} -t m.room.topic --show-content");
    let open = scene.ann_asks(&topic).await?;
    says(&open, &room, &["1 state event", "the plan for monday"]);
    assert!(!open.body.contains("m.room.join_rules"), "{}", open.body);
    let vic = scene.vic().await?;
    says(&scene.ask(vic, &topic).await?, "Refused", &["moderator"]);
    says(&scene.ask(vic, &format!("!room state {room}")).await?, &room, &["m.room.topic"]);
    says(&scene.ann_asks("!audit").await?, "", &["looked at private things", "--show-content"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn power_is_shown_of_one_room_and_of_many_with_the_creators_of_new_ones() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    let tag = eve.user_id.localpart();
    let mut rooms = Vec::new();
    for version in ["11", "12"] {
        let mut users = json!({ sam.user_id.as_str(): 60 });
        if version == "11" {
            users[eve.user_id.as_str()] = json!(100);
        }
        let wanted = json!({"room_version": version, "name": format!("{tag} {version}"),
                            "power_level_content_override": {"users": users}});
        rooms.push(make(&by_eve, wanted).await?);
    }
    let old = scene.ann_asks(&format!("!room power-levels {}", rooms[0])).await?;
    says(&old, "", &[&rooms[0], &format!("100: {}; 60: {}", eve.user_id, sam.user_id)]);
    let new = scene.ann_asks(&format!("!room power-levels -i {} -a", rooms[1])).await?;
    let creators = format!("Creators, above all: {}", eve.user_id);
    says(&new, "", &[&rooms[1], &creators, &format!("60: {}", sam.user_id), "Members: 1"]);

    let both = scene.ann_asks(&format!("!room power-levels -n {tag} -l 1")).await?;
    says(&both, "2 rooms, 1 to 1 shown", &[]);
    let next = scene.ann_asks(crate::support::offered(&both, "!room power-levels")?).await?;
    says(&next, "2 rooms, 2 to 2 shown", &[]);
    let data = scene.ann_asks(&format!("!room power-levels -n {tag} -o json")).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    let levels: Vec<&Value> =
        data["rooms"].as_array().unwrap().iter().map(|room| &room["power_levels"]).collect();
    assert!(levels.iter().all(|levels| levels["users"][sam.user_id.as_str()] == 60), "{data}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_leads_to_its_room_and_a_room_to_its_aliases() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (by_eve, tag) = (api(&scene, &eve).await?, eve.user_id.localpart());
    let room = make(&by_eve, json!({"room_alias_name": tag})).await?;
    let other = format!("#{tag}-too:synod.test");
    let path = format!("/_matrix/client/v3/directory/room/{}", other.replace('#', "%23"));
    assert_eq!(by_eve.put(&path, json!({"room_id": room})).await?.0, 200);

    let alias = format!("#{tag}:synod.test");
    let there = scene.ann_asks(&format!("!room resolve {alias}")).await?;
    says(&there, &alias, &[&room, "!room details"]);
    for typed in [room.clone(), format!("{alias} -r")] {
        let back = scene.ann_asks(&format!("!room resolve {typed}")).await?;
        says(&back, &room, &[&alias, &other]);
    }
    let data = scene.ann_asks(&format!("!room resolve {alias} -o minified")).await?;
    assert_eq!(serde_json::from_str::<Value>(&data.body)?, json!({ "room_id": room }));
    let bare = make(&by_eve, json!({})).await?;
    says(&scene.ann_asks(&format!("!room resolve {bare}")).await?, &bare, &["has no alias"]);
    says(&scene.ann_asks("!room resolve #nowhere:synod.test").await?, "Not found", &["no room"]);
    Ok(())
}
