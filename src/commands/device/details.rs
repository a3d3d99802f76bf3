//! `device details`: one device of an account, and with what its client has connected.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{OwnedDeviceId, UserId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    change::{Path, Power},
    commands::{
        Memory, Query, Spec, Tables,
        arguments::UserRef,
        refusals::looks,
        user::{
            account::{self, how_many},
            whois::{Connection, Sightings},
        },
    },
    error::Stop,
    reply::{Fact, Hostile, Line, Reply, Sheet},
    synapse::{Device, Private, Reader},
};

pub(super) const SPEC: Spec = Spec::query::<Details>(
    "details",
    &[
        "device details @ann:example.org JLAFKJWSCS",
        "device details @ann:example.org JLAFKJWSCS --show-ip",
    ],
)
.also(&["show"]);

/// Show one device of an account: its name, and when and with which client it was last seen
///
/// The homeserver does not store which connection belongs to which device, so connections of the
/// account with the same client are counted. IP addresses are shown only with
/// --show-ip, to roles that may see private data, and that is recorded.
#[derive(Debug, clap::Args)]
struct Details {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// The id of the device, in capitals as `device list` shows it
    device: OwnedDeviceId,
    /// Show the IP addresses
    #[arg(long)]
    show_ip: bool,
}

impl Details {
    /// The device as the homeserver shows it: `GET /_synapse/admin/v2/users/{user_id}/devices/{id}`.
    async fn find<T: DeserializeOwned>(&self, user: &UserId, reader: &Reader) -> Result<T, Stop> {
        account::existing(user, reader).await?;
        let id = self.device.as_str();
        let path = Path::admin(["v2", "users", user.as_str(), "devices", id]);
        reader.find(&path, &[]).await?.ok_or_else(|| {
            let why = Line::new().code(user).plain(" has no device ").code(id);
            Stop::not_found(why).or(&["device", "list", user.as_str()])
        })
    }
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        if self.show_ip { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::DEVICE, looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        let path = Path::admin(["v1", "whois", user.as_str()]);
        let (device, seen) =
            tokio::join!(self.find::<Device>(&user, reader), reader.get::<Sightings>(&path, &[]));
        Ok(told(&user, &device?, &seen?, self.show_ip, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        let mut device: Value = self.find(&user, reader).await?;
        if !self.show_ip
            && let Some(fields) = device.as_object_mut()
        {
            fields.remove("last_seen_ip");
        }
        Ok(sheet.object("device", &device)?)
    }
}

fn told(user: &UserId, device: &Device, seen: &Sightings, show_ip: bool, now: Timestamp) -> Reply {
    let mut title = Line::new().code(&device.device_id).plain(" of ").code(user);
    if let Some(name) = device.display_name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![("Last seen", Line::new().time(device.last_seen, now))];
    if device.dehydrated {
        facts.push(("Kind", "dehydrated: it collects keys while its owner is away".into()));
    }
    let named = |agent: &&Hostile| !agent.is_empty();
    let agent = device.user_agent.as_ref().map(Private::show).filter(named);
    if let Some(agent) = agent {
        facts.push(("Client", Line::new().hostile(agent)));
    }
    if show_ip {
        let ip = device.ip.as_ref().map(|ip| Line::new().hostile(ip.show()));
        facts.push(("IP", ip.unwrap_or_else(|| "not known".into())));
    }
    let of_client: Vec<&Connection> = seen
        .connections(&device.device_id)
        .filter(|one| device.last_seen.is_some() && one.user_agent.as_ref().filter(named) == agent)
        .collect();
    facts.extend(connected(&of_client, show_ip, now));
    Reply::data(title)
        .facts(facts)
        .command("Name it", words(user, device, "rename"))
        .command("Log it out", words(user, device, "delete"))
}

/// What is known of the connections by the device's client.
fn connected(connections: &[&Connection], show_ip: bool, now: Timestamp) -> Vec<Fact> {
    if connections.is_empty() {
        return vec![("Connections", "none that is kept; they are kept for about a month".into())];
    }
    let count = how_many(Some(connections.len() as u64), "connection", "connections");
    let last = connections.iter().filter_map(|connection| connection.last_seen).max();
    let line = Line::from(format!("{count} of the account by this client, the last "));
    let mut facts = vec![("Connections", line.time(last, now))];
    let addresses: BTreeSet<&Private> =
        connections.iter().filter_map(|connection| connection.ip.as_ref()).collect();
    let line = if show_ip {
        addresses.iter().enumerate().fold(Line::new(), |line, (n, ip)| {
            line.plain(if n == 0 { "" } else { ", " }).hostile(ip.show())
        })
    } else {
        addresses.len().to_string().into()
    };
    facts.push(("IP addresses", line));
    facts
}

fn words(user: &UserId, device: &Device, verb: &str) -> Vec<String> {
    ["device", verb, user.as_str(), device.device_id.as_str()].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::{self, now};

    fn text(show_ip: bool) -> String {
        let device = json!({
            "device_id": "PHONE", "display_name": "Ann's phone", "user_id": "@ann:example.org",
            "last_seen_ts": 1_795_183_200_000_i64, "last_seen_ip": "192.0.2.7",
            "last_seen_user_agent": "Element X",
        });
        let seen = json!({"devices": {"": {"sessions": [{"connections": [
            {"ip": "192.0.2.7", "last_seen": 1_795_183_200_000_i64, "user_agent": "Element X"},
            {"ip": "192.0.2.8", "last_seen": 1_795_100_000_000_i64, "user_agent": "Element X"},
            {"ip": "192.0.2.9", "last_seen": 1_795_100_000_000_i64, "user_agent": "Other"},
        ]}]}}});
        let (device, seen) = (
            serde_json::from_value(device).unwrap(),
            serde_json::from_value::<Sightings>(seen).unwrap(),
        );
        let ann = <&UserId>::try_from("@ann:example.org").unwrap();
        testing::reply(&told(ann, &device, &seen, show_ip, now()))
    }

    #[test]
    fn addresses_take_their_own_power_and_are_only_counted_otherwise() {
        let power = |typed: &[&str]| testing::parse::<Details>(typed).unwrap().power();
        assert_eq!(power(&["ann", "PHONE"]), Power::Look);
        assert_eq!(power(&["ann", "PHONE", "--show-ip"]), Power::LookPrivate);
        let counted = text(false);
        assert!(!counted.contains("192.0.2."), "{counted}");
        for part in ["PHONE", "Ann's phone", "Element X", "2 connections", "IP addresses: 2"] {
            assert!(counted.contains(part), "{part}: {counted}");
        }
        let whole = text(true);
        assert!(whole.contains("192.0.2.7") && whole.contains("192.0.2.8"), "{whole}");
        assert!(!whole.contains("192.0.2.9"), "that is another client's: {whole}");
    }

    #[test]
    fn what_was_never_seen_says_so() {
        let device = json!({"device_id": "NEW", "display_name": null, "last_seen_ts": null,
            "last_seen_ip": null, "last_seen_user_agent": null});
        let seen = json!({"devices": {"": {"sessions": [{"connections": [
            {"ip": "192.0.2.9", "last_seen": 1, "user_agent": null}]}]}}});
        let device = serde_json::from_value(device).unwrap();
        let seen = serde_json::from_value(seen).unwrap();
        let ann = <&UserId>::try_from("@ann:example.org").unwrap();
        let told = testing::reply(&told(ann, &device, &seen, false, now()));
        assert!(told.contains("none that is kept"), "{told}");
    }
}
