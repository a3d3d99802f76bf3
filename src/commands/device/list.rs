//! `device list`: the devices of one account.

use std::cmp::Reverse;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    change::Power,
    commands::{
        Spec, Tables,
        arguments::UserRef,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
        user::account,
    },
    error::Stop,
    reply::{Hostile, IdsOf, Line, Record},
    synapse::{
        Device, Reader,
        wire::{Plausible as _, passed},
    },
};

/// Characters of what a program calls itself that a row shows.
const CLIENT: usize = 20;

pub(super) const SPEC: Spec = Spec::query::<List>(
    "list",
    &["device list @ann:example.org", "device list @ann:example.org --show-ip"],
);

/// List the devices of an account, last seen first
///
/// IP addresses are shown only with --show-ip, to roles that may see private data, and that is recorded.
#[derive(Debug, clap::Args)]
struct List {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Show the IP address from which each device was last seen
    #[arg(long)]
    show_ip: bool,
    #[command(flatten)]
    pages: Pages,
}

#[async_trait]
impl Listing for List {
    const NAMED: Named = Named {
        key: "devices",
        one: "device",
        many: "devices",
        columns: &[
            "device_id",
            "display_name",
            "last_seen_ts",
            "last_seen_user_agent",
            "last_seen_ip",
            "user_id",
        ],
    };
    type Row = Device;

    fn power(&self) -> Power {
        if self.show_ip { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Tables {
        &[looks::ACCOUNT]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, reader: &Reader) -> Line {
        account::titled(&self.user, reader)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        #[derive(Deserialize)]
        struct DeviceList {
            devices: Vec<Value>,
        }
        let DeviceList { mut devices } =
            account::belonging(&self.user, "v2", "devices", &[], reader).await?;
        let now = reader.now();
        for device in &mut devices {
            let seen = passed(Timestamp::plausible(&device["last_seen_ts"]), now);
            device["last_seen_ts"] = json!(seen.map(Timestamp::as_millisecond));
        }
        devices.sort_by_key(|device| Reverse(device["last_seen_ts"].as_i64()));
        if !self.show_ip {
            devices.iter_mut().filter_map(Value::as_object_mut).for_each(|device| {
                device.remove("last_seen_ip");
            });
        }
        Ok(Page::part(devices, Pages::number(from)?, limit))
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Devices)
    }

    fn id(&self, device: &Device, _: &Reader) -> Option<String> {
        Some(device.device_id.to_string())
    }

    fn record(&self, device: &Device, now: Timestamp) -> Record {
        record(device, self.show_ip, now)
    }
}

fn record(device: &Device, show_ip: bool, now: Timestamp) -> Record {
    let mut title = Line::new().code(&device.device_id);
    if let Some(name) = device.display_name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![("Last seen", Line::new().ago(device.last_seen, now))];
    if device.dehydrated {
        facts.push(("Kind", "dehydrated: it collects keys while its owner is away".into()));
    }
    if let Some(agent) = &device.user_agent {
        facts.push(("Client", Line::new().hostile(&beginning(agent.show()))));
    }
    if show_ip {
        let ip = device.ip.as_ref().map(|ip| Line::new().hostile(ip.show()));
        facts.push(("IP", ip.unwrap_or_else(|| "not known".into())));
    }
    Record { title, facts }
}

/// As much of what a program calls itself as tells which it is; `device details` has all of it.
fn beginning(agent: &Hostile) -> Hostile {
    let mut chars = agent.raw().chars();
    let begin: String = chars.by_ref().take(CLIENT).collect();
    if chars.next().is_none() { agent.clone() } else { Hostile::new(format!("{begin}…")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::user::testing::{self, now},
        reply::{Block, Reply},
    };

    fn text(show_ip: bool) -> String {
        let listed: Vec<Device> = serde_json::from_value(json!([
            {"device_id": "PHONE", "display_name": "Ann's phone",
             "last_seen_ts": 1_795_183_200_000_i64, "last_seen_ip": "192.0.2.7",
             "last_seen_user_agent": "Element X"},
            {"device_id": "NEVER", "display_name": null, "last_seen_ts": null,
             "last_seen_ip": null, "last_seen_user_agent": null, "dehydrated": true},
        ]))
        .unwrap();
        let records = listed.iter().map(|device| record(device, show_ip, now())).collect();
        testing::reply(&Reply::default().with(Block::Records(records)))
    }

    #[test]
    fn addresses_take_their_own_power_and_are_shown_only_then() {
        let power = |typed: &[&str]| Listing::power(&testing::parse::<List>(typed).unwrap());
        assert_eq!(power(&["ann"]), Power::Look);
        assert_eq!(power(&["ann", "--show-ip"]), Power::LookPrivate);
        assert!(!text(false).contains("192.0.2.7"));
        insta::assert_snapshot!(text(true), @r"
        * `PHONE` “Ann's phone”
          Last seen: 3 min ago · Client: “Element X” · IP: “192.0.2.7”
        * `NEVER`
          Last seen: not known · Kind: dehydrated: it collects keys while its owner is away · IP: not known
        ");
    }
}
