//! `user account-data`: what clients keep with an account.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account;
use crate::{
    change::Power,
    commands::{
        Spec, Tables,
        arguments::UserRef,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<AccountData>(
    "account-data",
    &[
        "user account-data @ann:example.org",
        "user account-data @ann:example.org --type m.direct --show-content",
    ],
);

/// List the account data that clients store: settings, tags, ignored users
///
/// Only the types are shown. Their content is shown with --show-content, to roles that may see private
/// data, and that is recorded; data with the account's keys is never shown.
#[derive(Debug, clap::Args)]
struct AccountData {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Only this type, such as m.direct
    #[arg(short, long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Show its content
    #[arg(long)]
    show_content: bool,
    #[command(flatten)]
    pages: Pages,
}

/// Kinds that hold an account's keys, by how they begin. They are encrypted, and yet no business
/// of anybody's but their owner.
pub(in crate::commands) const KEYS: [&str; 4] =
    ["m.secret_storage.", "m.cross_signing.", "m.megolm_backup.", "org.matrix.msc3814"];

type Kinds = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
struct AccountDataOf {
    account_data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    global: Kinds,
    rooms: BTreeMap<String, Kinds>,
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: Hostile,
    room_id: Option<Hostile>,
    content: Option<Value>,
}

/// A row for each kind that is wanted, first those of no room.
fn rows(data: Data, wanted: Option<&str>, show: bool) -> Vec<Value> {
    let global = data.global.into_iter().map(|(kind, content)| (None, kind, content));
    let rooms = data.rooms.into_iter().flat_map(|(room, kinds)| {
        kinds.into_iter().map(move |(kind, content)| (Some(room.clone()), kind, content))
    });
    let wanted = |kind: &str| wanted.is_none_or(|wanted| wanted == kind);
    global
        .chain(rooms)
        .filter(|(_, kind, _)| wanted(kind))
        .map(|(room, kind, content)| {
            let keys = KEYS.iter().any(|begin| kind.starts_with(begin));
            let mut row = json!({ "room_id": room, "type": kind });
            if let (true, Some(fields)) = (show && !keys, row.as_object_mut()) {
                fields.insert("content".to_owned(), content);
            }
            row
        })
        .collect()
}

#[async_trait]
impl Listing for AccountData {
    const NAMED: Named = Named {
        key: "account_data",
        one: "entry",
        many: "entries",
        columns: &["room_id", "type", "content"],
    };
    type Row = Row;

    fn power(&self) -> Power {
        if self.show_content { Power::LookPrivate } else { Power::Look }
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
        let answered: AccountDataOf =
            account::belonging(&self.user, "v1", "accountdata", &[], reader).await?;
        let rows = rows(answered.account_data, self.kind.as_deref(), self.show_content);
        Ok(Page::part(rows, Pages::number(from)?, limit))
    }

    fn record(&self, row: &Row, _now: Timestamp) -> Record {
        record(row, self.show_content)
    }
}

fn record(row: &Row, show: bool) -> Record {
    let mut facts = Vec::new();
    facts.extend(row.room_id.as_ref().map(|room| ("Room", Line::new().hostile(room))));
    match &row.content {
        Some(content) => {
            facts.push(("Content", Line::new().hostile(&Hostile::new(content.to_string()))));
        }
        None if show => facts.push(("Content", "not shown: it keeps the account's keys".into())),
        None => {}
    }
    Record { title: Line::new().hostile(&row.kind), facts }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::reply::{Block, Reply};

    fn text(wanted: Option<&str>, show: bool) -> String {
        let data = serde_json::from_value(json!({
            "global": {
                "m.direct": {"@bob:example.org": ["!a"]},
                "m.cross_signing.master": {"encrypted": {"k": {"ciphertext": "s3cret"}}},
            },
            "rooms": {"!a": {"m.tag": {"tags": {}}}},
        }));
        let records = rows(data.unwrap(), wanted, show)
            .into_iter()
            .map(|row| record(&Row::deserialize(row).unwrap(), show))
            .collect();
        testing::reply(&Reply::default().with(Block::Records(records)))
    }

    #[test]
    fn content_takes_its_own_power_and_keys_are_never_shown() {
        let power = |typed: &[&str]| Listing::power(&testing::parse::<AccountData>(typed).unwrap());
        assert_eq!(power(&["ann"]), Power::Look);
        assert_eq!(power(&["ann", "--show-content"]), Power::LookPrivate);
        let plain = text(None, false);
        assert!(plain.contains("m.direct") && plain.contains("m.cross_signing.master"), "{plain}");
        assert!(!plain.contains("@bob"), "{plain}");
        let full = text(None, true);
        assert!(full.contains("@bob:example.org") && full.contains("Room: “!a”"), "{full}");
        assert!(!full.contains("s3cret") && full.contains("not shown"), "{full}");
        let one = text(Some("m.tag"), true);
        assert!(one.contains("m.tag") && !one.contains("m.direct"), "{one}");
    }
}
