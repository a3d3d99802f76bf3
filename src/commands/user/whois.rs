//! `user whois`: with what an account connects.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{DeviceId, UserId};
use serde::Deserialize;
use serde_json::Value;

use super::account::{self, how_many};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec, Specified, Tables, arguments::UserRef, refusals::looks},
    error::Stop,
    reply::{Block, Hostile, Line, Record, Reply, Sheet},
    synapse::{
        Private, Reader,
        wire::{known, passed},
    },
};

pub(super) const SPEC: Spec = Spec::query::<WhoIs>(
    "whois",
    &["user whois @ann:example.org", "user whois @ann:example.org --show-ip"],
)
.specified(Specified::Whois);

/// Show the connections of an account: which clients, and when they were last seen
///
/// IP addresses are shown only with --show-ip, to roles that may see private data, and that is recorded.
#[derive(Debug, clap::Args)]
struct WhoIs {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Show the IP addresses
    #[arg(long)]
    show_ip: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::commands) struct Sightings {
    #[serde(default)]
    devices: BTreeMap<String, Sessions>,
}

impl Sightings {
    /// All connections.
    pub(super) fn all(&self) -> impl Iterator<Item = &Connection> {
        let sessions = self.devices.values().flat_map(|device| &device.sessions);
        sessions.flat_map(|session| &session.connections)
    }

    /// The connections that may be of this device. The homeserver says of none of which it is, and
    /// keeps all of them under no name.
    pub(in crate::commands) fn connections(
        &self,
        device: &DeviceId,
    ) -> impl Iterator<Item = &Connection> {
        let of = [self.devices.get(""), self.devices.get(device.as_str())];
        let sessions = of.into_iter().flatten().flat_map(|device| &device.sessions);
        sessions.flat_map(|session| &session.connections)
    }
}

#[derive(Debug, Deserialize)]
struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Debug, Deserialize)]
struct Session {
    connections: Vec<Connection>,
}

#[derive(Debug, Deserialize)]
pub(in crate::commands) struct Connection {
    pub(in crate::commands) ip: Option<Private>,
    pub(in crate::commands) user_agent: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    pub(in crate::commands) last_seen: Option<Timestamp>,
}

#[async_trait]
impl Query for WhoIs {
    fn power(&self) -> Power {
        if self.show_ip { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        // The answer for an account that does not exist is an empty one, so that is asked too.
        let (account, answered) =
            tokio::join!(there(&user, reader), reader.whois::<Sightings>(&user));
        account?;
        Ok(told(&user, &answered?, self.show_ip, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        there(&user, reader).await?;
        let mut answered: Value = reader.whois(&user).await?;
        if !self.show_ip {
            without_addresses(&mut answered);
        }
        Ok(sheet.object("whois", &answered)?)
    }
}

/// Refuses an account that does not exist here, as far as the homeserver tells that.
async fn there(user: &UserId, reader: &Reader) -> Result<(), Stop> {
    match account::existing(user, reader).await {
        // One that has no look at accounts may have this one all the same.
        Err(Stop::Api(error)) if error.is_unknown_route() => Ok(()),
        account => account.map(|_| ()),
    }
}

/// Takes the addresses out of every connection.
fn without_addresses(answered: &mut Value) {
    match answered {
        Value::Object(fields) => {
            fields.remove("ip");
            fields.values_mut().for_each(without_addresses);
        }
        Value::Array(items) => items.iter_mut().for_each(without_addresses),
        _ => {}
    }
}

/// What was seen of one client.
#[derive(Debug, Default)]
struct Client<'a> {
    addresses: BTreeSet<&'a Private>,
    last_seen: Option<Timestamp>,
}

fn told(user: &UserId, answered: &Sightings, show_ip: bool, now: Timestamp) -> Reply {
    let mut clients: BTreeMap<Option<&Hostile>, Client<'_>> = BTreeMap::new();
    let mut connections = 0;
    for connection in answered.all() {
        connections += 1;
        let client = clients.entry(connection.user_agent.as_ref()).or_default();
        client.last_seen = client.last_seen.max(passed(connection.last_seen, now));
        client.addresses.extend(&connection.ip);
    }
    let mut clients: Vec<_> = clients.into_iter().collect();
    clients.sort_by(|a, b| b.1.last_seen.cmp(&a.1.last_seen).then_with(|| a.0.cmp(&b.0)));
    let count = how_many(Some(connections), "connection", "connections");
    let reply = Reply::data(Line::new().code(user).plain(format!(": {count}")));
    if clients.is_empty() {
        return reply.note("The homeserver forgets connections after about a month.");
    }
    let records =
        clients.iter().map(|(agent, client)| record(*agent, client, show_ip, now)).collect();
    reply.with(Block::Records(records))
}

fn record(agent: Option<&Hostile>, client: &Client<'_>, show_ip: bool, now: Timestamp) -> Record {
    let title = match agent {
        Some(agent) if !agent.is_empty() => Line::new().hostile(agent),
        _ => "unnamed client".into(),
    };
    let addresses = if show_ip {
        client.addresses.iter().enumerate().fold(Line::new(), |line, (n, ip)| {
            line.plain(if n == 0 { "" } else { ", " }).hostile(ip.show())
        })
    } else {
        client.addresses.len().to_string().into()
    };
    let facts =
        vec![("Last seen", Line::new().ago(client.last_seen, now)), ("IP addresses", addresses)];
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::commands::user::testing::now;

    #[test]
    fn data_hold_no_address_that_was_not_asked_for() {
        let mut answered = json!({"devices": {"": {"sessions": [{"connections": [
            {"ip": "192.0.2.7", "last_seen": 1, "user_agent": "Element"}]}]}}});
        without_addresses(&mut answered);
        let left = json!({"last_seen": 1, "user_agent": "Element"});
        assert_eq!(answered["devices"][""]["sessions"][0]["connections"][0], left);
    }

    fn text(show_ip: bool) -> String {
        let answered = json!({"user_id": "@ann:example.org", "devices": {"": {"sessions": [
            {"connections": [
                {"ip": "192.0.2.7", "last_seen": 1_795_100_000_000_i64, "user_agent": "Element"},
                {"ip": "192.0.2.8", "last_seen": 1_795_183_200_000_i64, "user_agent": "Element"},
                {"ip": "192.0.2.8", "last_seen": 1_795_000_000_000_i64, "user_agent": ""},
            ]},
        ]}}});
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        testing::reply(&told(user, &serde_json::from_value(answered).unwrap(), show_ip, now()))
    }

    #[test]
    fn addresses_take_their_own_power_and_are_only_counted_otherwise() {
        let power = |typed: &[&str]| testing::parse::<WhoIs>(typed).unwrap().power();
        assert_eq!(power(&["ann"]), Power::Look);
        assert_eq!(power(&["ann", "--show-ip"]), Power::LookPrivate);
        insta::assert_snapshot!(text(false), @r"
        `@ann:example.org`: 3 connections
        * “Element”
          Last seen: 3 min ago · IP addresses: 2
        * unnamed client
          Last seen: 2 days ago · IP addresses: 1
        ");
        insta::assert_snapshot!(text(true), @r"
        `@ann:example.org`: 3 connections
        * “Element”
          Last seen: 3 min ago · IP addresses: “192.0.2.7”, “192.0.2.8”
        * unnamed client
          Last seen: 2 days ago · IP addresses: “192.0.2.8”
        ");
    }
}
