//! `device list`: the devices of one account.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::UserId;

use crate::{
    change::Power,
    commands::{Memory, Query, Spec, arguments::UserRef, user::account},
    error::Stop,
    reply::{Block, Line, Record, Reply},
    synapse::{Device, Reader},
};

pub(super) const SPEC: Spec = Spec::query::<List>(
    "list",
    &["device list @ann:example.org", "device list @ann:example.org --show-ip"],
);

/// List the devices of an account, last seen first
///
/// IP addresses are shown only with --show-ip, to roles that may see private things, and on record.
#[derive(Debug, clap::Args)]
struct List {
    /// The account: @ann:example.org, or ann for one of this server
    user: UserRef,
    /// Show the IP address from which each device was last seen
    #[arg(long)]
    show_ip: bool,
}

#[async_trait]
impl Query for List {
    fn power(&self) -> Power {
        if self.show_ip { Power::LookPrivate } else { Power::Look }
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        let (account, devices) =
            tokio::join!(account::existing(&user, reader), reader.devices(&user));
        account?;
        Ok(told(&user, devices?, self.show_ip, reader.now()))
    }
}

fn told(user: &UserId, mut devices: Vec<Device>, show_ip: bool, now: Timestamp) -> Reply {
    // Never seen comes last, and the ids decide between equals: the same list every time.
    devices
        .sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.device_id.cmp(&b.device_id)));
    let count = account::how_many(Some(devices.len() as u64), "device", "devices");
    let reply = Reply::data(Line::new().code(user).plain(format!(": {count}")));
    if devices.is_empty() {
        return reply;
    }
    let records = devices.iter().map(|device| record(device, show_ip, now)).collect();
    reply.with(Block::Records(records))
}

fn record(device: &Device, show_ip: bool, now: Timestamp) -> Record {
    let mut title = Line::new().code(&device.device_id);
    if let Some(name) = device.display_name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![("Last seen", Line::new().time(device.last_seen, now))];
    if device.dehydrated {
        facts.push(("Kind", "dehydrated: it collects keys while its owner is away".into()));
    }
    if let Some(agent) = &device.user_agent {
        facts.push(("Client", Line::new().hostile(agent.show())));
    }
    if show_ip {
        let ip = device.ip.as_ref().map(|ip| Line::new().hostile(ip.show()));
        facts.push(("IP", ip.unwrap_or_else(|| "not known".into())));
    }
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::{self, now};

    fn devices() -> Vec<Device> {
        let listed = json!([
            {"device_id": "NEVER", "display_name": null, "last_seen_ts": null,
             "last_seen_ip": null, "last_seen_user_agent": null, "dehydrated": true},
            {"device_id": "PHONE", "display_name": "Ann's phone",
             "last_seen_ts": 1_795_183_200_000_i64, "last_seen_ip": "192.0.2.7",
             "last_seen_user_agent": "Element X"},
        ]);
        serde_json::from_value(listed).unwrap()
    }

    fn text(show_ip: bool) -> String {
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        testing::reply(&told(user, devices(), show_ip, now()))
    }

    #[test]
    fn addresses_take_their_own_power_and_are_shown_only_then() {
        let power = |typed: &[&str]| testing::parse::<List>(typed).unwrap().power();
        assert_eq!(power(&["ann"]), Power::Look);
        assert_eq!(power(&["ann", "--show-ip"]), Power::LookPrivate);
        assert!(!text(false).contains("192.0.2.7"));
        insta::assert_snapshot!(text(true), @r"
        `@ann:example.org`: 2 devices
        * `PHONE` “Ann's phone”
          Last seen: 2026-11-20 14:00 UTC (3 min ago) · Client: “Element X” · IP: “192.0.2.7”
        * `NEVER`
          Last seen: never · Kind: dehydrated: it collects keys while its owner is away · IP: not known
        ");
    }

    #[test]
    fn an_account_without_devices_says_so() {
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        let reply = told(user, Vec::new(), false, now());
        assert_eq!(testing::reply(&reply), "`@ann:example.org`: no devices\n");
    }
}
