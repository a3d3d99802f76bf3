//! Synod's data in the shape of synadm's, where each has one of its own.

use serde_json::{Value, json};

/// All of Synod's lists of pages say `total` and `next_token`; that of rooms has names of its own
/// in the API.
pub(super) fn rooms(mut ours: Value) -> Value {
    if let Some(fields) = ours.as_object_mut() {
        fields.remove("total").and_then(|total| fields.insert("total_rooms".to_owned(), total));
        let next = fields.remove("next_token");
        let next = next.and_then(|next| next.as_str()?.parse::<u64>().ok());
        next.and_then(|next| fields.insert("next_batch".to_owned(), json!(next)));
    }
    ours
}

/// synadm shows who has which power; Synod all that the room says of powers.
pub(super) fn powers(ours: Value) -> Value {
    let mut ours = rooms(ours);
    for room in ours["rooms"].as_array_mut().into_iter().flatten() {
        room["power_levels"] = room["power_levels"]["users"].take();
    }
    ours
}

/// Everybody is a row, so that there can be columns; synadm has their ids alone.
pub(super) fn members(mut ours: Value) -> Value {
    for member in ours["members"].as_array_mut().into_iter().flatten() {
        *member = member["user_id"].take();
    }
    ours
}

/// Synod lists all memberships; synadm has the rooms that somebody is in.
pub(super) fn joined(mut ours: Value) -> Value {
    let all = ours["memberships"].take();
    let all = all.as_array().into_iter().flatten();
    let joined = all.filter(|row| row["membership"] == "join");
    let rooms: Vec<&Value> = joined.map(|row| &row["room_id"]).collect();
    json!({ "joined_rooms": rooms, "total": rooms.len() })
}

/// Synod lists files as rows; synadm as two lists of addresses.
pub(super) fn addresses(mut ours: Value) -> Value {
    let here = format!("mxc://{}/", world::SERVER_NAME);
    let files = ours["media"].take();
    let files = files.as_array().into_iter().flatten();
    let address = |file: &Value| file.as_str().or(file["mxc"].as_str()).map(str::to_owned);
    let (local, remote): (Vec<String>, Vec<String>) =
        files.filter_map(address).partition(|file| file.starts_with(&here));
    json!({ "local": local, "remote": remote })
}

/// synadm prints the id of a room without any data around it.
pub(super) fn id(mut ours: Value) -> Value {
    ours["room_id"].take()
}
