//! `user media`: the files that an account has uploaded.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::account;
use crate::{
    commands::{
        Spec, Tables,
        arguments::UserRef,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, IdsOf, Line, Record, size},
    synapse::{
        Reader,
        wire::{Bytes, flag, in_millis, known, null_unless_known, null_unless_passed},
    },
};

pub(super) const SPEC: Spec = Spec::query::<Media>(
    "media",
    &["user media @ann:example.org", "user media @ann:example.org -s media_length -r -l 20"],
);

/// List the files that an account has uploaded, newest first
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Media {
    /// The account: @ann:example.org, or ann for an account of this server
    pub(in crate::commands) user: UserRef,
    #[command(flatten)]
    pub(in crate::commands) pages: Pages,
    /// Sort by this, smallest or earliest first; everything but `media_id` and `created_ts` costs a
    /// large server some work
    #[arg(short, long, value_enum)]
    pub(in crate::commands) sort: Option<Sort>,
    /// Reverse the order
    #[arg(short, long)]
    pub(in crate::commands) reverse: bool,
}

/// What the homeserver can sort files by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(in crate::commands) enum Sort {
    MediaId,
    UploadName,
    CreatedTs,
    LastAccessTs,
    MediaLength,
    MediaType,
    QuarantinedBy,
    SafeFromQuarantine,
}

impl Sort {
    fn as_str(self) -> &'static str {
        match self {
            Self::MediaId => "media_id",
            Self::UploadName => "upload_name",
            Self::CreatedTs => "created_ts",
            Self::LastAccessTs => "last_access_ts",
            Self::MediaLength => "media_length",
            Self::MediaType => "media_type",
            Self::QuarantinedBy => "quarantined_by",
            Self::SafeFromQuarantine => "safe_from_quarantine",
        }
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::commands) struct File {
    media_id: String,
    #[serde(default, deserialize_with = "known")]
    media_type: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    media_length: Option<Bytes>,
    #[serde(default, deserialize_with = "known")]
    upload_name: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    created_ts: Option<Timestamp>,
    #[serde(default, deserialize_with = "known")]
    last_access_ts: Option<Timestamp>,
    /// The address of a page whose preview this is.
    url_cache: Option<Hostile>,
    quarantined_by: Option<Hostile>,
    #[serde(default, deserialize_with = "flag")]
    safe_from_quarantine: bool,
}

/// Takes out of a file's data what cannot be true.
pub(in crate::commands) fn amend(file: &mut Value, now: Timestamp) {
    null_unless_known::<Bytes>(file, "media_length");
    for moment in ["created_ts", "last_access_ts"] {
        null_unless_passed(file, moment, now);
        in_millis(file, moment);
    }
}

#[async_trait]
impl Listing for Media {
    const NAMED: Named = Named {
        key: "media",
        one: "file",
        many: "files",
        columns: &[
            "media_id",
            "media_type",
            "media_length",
            "upload_name",
            "created_ts",
            "last_access_ts",
            "quarantined_by",
            "safe_from_quarantine",
        ],
    };
    type Row = File;

    fn refusals(&self) -> Tables {
        &[looks::ACCOUNT, looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, reader: &Reader) -> Line {
        account::titled(&self.user, reader)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        #[derive(Deserialize)]
        struct FilePage {
            media: Vec<Value>,
            total: u64,
            next_token: Option<u64>,
        }
        let query = self.query(Pages::number(from)?, limit);
        let FilePage { media, total, next_token } =
            account::belonging(&self.user, "v1", "media", &query, reader).await?;
        let next = next_token.map(|next| next.to_string());
        let mut rows = media;
        for row in &mut rows {
            amend(row, reader.now());
        }
        Ok(Page { rows, total: Some(total), next })
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Files)
    }

    fn id(&self, file: &File, reader: &Reader) -> Option<String> {
        Some(format!("mxc://{}/{}", reader.server_name(), file.media_id))
    }

    fn record(&self, file: &File, now: Timestamp) -> Record {
        record(file, now)
    }
}

impl Media {
    /// Newest first, unless a sort is named: then its own direction.
    fn query(&self, from: u64, limit: u64) -> [(&'static str, String); 4] {
        let sort = self.sort.unwrap_or(Sort::CreatedTs);
        let backwards = self.reverse == self.sort.is_some();
        [
            ("from", from.to_string()),
            ("limit", limit.to_string()),
            ("order_by", sort.as_str().to_owned()),
            ("dir", if backwards { "b" } else { "f" }.to_owned()),
        ]
    }
}

fn record(file: &File, now: Timestamp) -> Record {
    let mut title = Line::new().code(&file.media_id);
    if let Some(name) = file.upload_name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![
        (
            "Size",
            file.media_length
                .map_or_else(|| "not known".to_owned(), |Bytes(bytes)| size(bytes))
                .into(),
        ),
        ("Created", Line::new().ago(file.created_ts, now)),
    ];
    let named = file.upload_name.as_ref().is_some_and(|name| !name.is_empty());
    if let Some(kind) = file.media_type.as_ref().filter(|kind| !named && !kind.is_empty()) {
        facts.insert(0, ("Type", Line::new().hostile(kind)));
    }
    if let Some(at) = file.last_access_ts {
        facts.push(("Used", Line::new().ago(Some(at), now)));
    }
    if let Some(page) = &file.url_cache {
        facts.push(("Preview of", Line::new().hostile(page)));
    }
    if let Some(by) = &file.quarantined_by {
        facts.push(("Quarantined by", Line::new().hostile(by)));
    }
    if file.safe_from_quarantine {
        facts.push(("Protected", "from quarantine".into()));
    }
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::{
        commands::user::testing::now,
        reply::{Block, Reply},
    };

    fn verb(typed: &[&str]) -> Media {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn newest_come_first_and_a_named_order_ascends_unless_reversed() {
        for (typed, order, direction) in [
            (&["ann"][..], "created_ts", "b"),
            (&["ann", "-r"], "created_ts", "f"),
            (&["ann", "-s", "created_ts"], "created_ts", "f"),
            (&["ann", "--sort", "media_length", "--reverse"], "media_length", "b"),
        ] {
            let [.., order_by, dir] = verb(typed).query(0, 1);
            assert_eq!((order_by.1.as_str(), dir.1.as_str()), (order, direction), "{typed:?}");
        }
        for typed in [&["ann", "-l", "0"][..], &["ann", "-s", "colour"], &["ann", "-f", "-1"]] {
            assert!(testing::parse::<Media>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn each_sort_is_sent_by_the_name_that_is_typed() {
        use clap::ValueEnum as _;
        for sort in Sort::value_variants() {
            let typed = sort.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), sort.as_str());
        }
    }

    #[test]
    fn a_file_shows_what_it_is() {
        let listed: Vec<File> = serde_json::from_value(json!([
            {"media_id": "abc", "media_type": "image/png", "media_length": 1536,
             "upload_name": "cat.png", "created_ts": 1_795_183_200_000_i64,
             "last_access_ts": null, "url_cache": null, "quarantined_by": null,
             "safe_from_quarantine": 0},
            {"media_id": "def", "media_type": null, "media_length": null, "upload_name": null,
             "created_ts": 1_795_000_000_000_i64, "last_access_ts": 1_795_183_200_000_i64,
             "url_cache": "https://example.com/", "quarantined_by": "@moe:example.org",
             "safe_from_quarantine": true},
        ]))
        .unwrap();
        let records = listed.iter().map(|file| record(file, now())).collect();
        insta::assert_snapshot!(testing::reply(&Reply::default().with(Block::Records(records))), @r"
        * `abc` “cat.png”
          Size: 1.5 KiB · Created: 3 min ago
        * `def`
          Size: not known · Created: 2 days ago · Used: 3 min ago · Preview of: “https://example.com/” · Quarantined by: “@moe:example.org” · Protected: from quarantine
        ");
    }
}
