//! `user media`: the files that an account has uploaded.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::UserId;
use serde::Deserialize;

use super::account;
use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, arguments::UserRef},
    error::Stop,
    reply::{Block, Hostile, Line, Record, Reply, size},
    synapse::{
        Reader,
        wire::{flag, optional_millis},
    },
};

pub(super) const SPEC: Spec = Spec::query::<Media>(
    "media",
    &["user media @ann:example.org", "user media @ann:example.org -s media_length -r -l 20"],
);

/// List the files that an account has uploaded, newest first
#[derive(Debug, clap::Args)]
struct Media {
    /// The account: @ann:example.org, or ann for one of this server
    user: UserRef,
    /// Skip this many files
    #[arg(short, long, default_value_t = 0)]
    from: u64,
    /// Show at most this many
    #[arg(short, long, default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
    /// Sort by this, smallest or earliest first; all but `media_id` and `created_ts` cost a large
    /// server some work
    #[arg(short, long, value_enum)]
    sort: Option<Sort>,
    /// The other way round
    #[arg(short, long)]
    reverse: bool,
}

/// What the homeserver can sort files by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Sort {
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
struct Answered {
    media: Vec<File>,
    total: u64,
    next_token: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct File {
    media_id: String,
    media_type: Option<Hostile>,
    media_length: Option<u64>,
    upload_name: Option<Hostile>,
    #[serde(default, deserialize_with = "optional_millis")]
    created_ts: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_millis")]
    last_access_ts: Option<Timestamp>,
    /// The address of a page whose preview this is.
    url_cache: Option<Hostile>,
    quarantined_by: Option<Hostile>,
    #[serde(default, deserialize_with = "flag")]
    safe_from_quarantine: bool,
}

#[async_trait]
impl Query for Media {
    fn power(&self) -> Power {
        Power::Look
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        let path = Path::admin(["v1", "users", user.as_str(), "media"]);
        let query = self.query();
        let (account, answered) =
            tokio::join!(account::existing(&user, reader), reader.get::<Answered>(&path, &query));
        account?;
        Ok(self.told(&user, &answered?, reader.now()))
    }
}

impl Media {
    /// Both the order and its direction are always sent: what the homeserver does where one of
    /// them is left out is not the same as where both are.
    fn query(&self) -> [(&'static str, String); 4] {
        let sort = self.sort.unwrap_or(Sort::CreatedTs);
        let backwards = self.reverse == self.sort.is_some();
        [
            ("from", self.from.to_string()),
            ("limit", self.limit.to_string()),
            ("order_by", sort.as_str().to_owned()),
            ("dir", if backwards { "b" } else { "f" }.to_owned()),
        ]
    }

    fn told(&self, user: &UserId, answered: &Answered, now: Timestamp) -> Reply {
        let shown = answered.media.len() as u64;
        let count = account::how_many(Some(answered.total), "file", "files");
        let mut title = Line::new().code(user).plain(format!(": {count}"));
        if shown > 0 && shown < answered.total {
            title = title.plain(format!(", {} to {} shown", self.from + 1, self.from + shown));
        } else if shown == 0 && answered.total > 0 {
            title = title.plain(format!(", none from {} on", self.from + 1));
        }
        let reply = Reply::data(title);
        if shown == 0 {
            return reply;
        }
        let records = answered.media.iter().map(|file| record(file, now)).collect();
        let reply = reply.with(Block::Records(records));
        match answered.next_token {
            Some(next) => reply.command("Next page", self.page(user, next)),
            None => reply,
        }
    }

    /// This command again, from another place on.
    fn page(&self, user: &UserId, from: u64) -> Vec<String> {
        let mut words = account::words(["user", "media", user.as_str(), "--from"]);
        words.extend([from.to_string(), "--limit".to_owned(), self.limit.to_string()]);
        if let Some(sort) = self.sort {
            words.extend(account::words(["--sort", sort.as_str()]));
        }
        if self.reverse {
            words.push("--reverse".to_owned());
        }
        words
    }
}

fn record(file: &File, now: Timestamp) -> Record {
    let mut title = Line::new().code(&file.media_id);
    if let Some(name) = file.upload_name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![
        ("Size", file.media_length.map_or_else(|| "not known".to_owned(), size).into()),
        ("Created", Line::new().time(file.created_ts, now)),
        ("Last access", Line::new().time(file.last_access_ts, now)),
    ];
    if let Some(kind) = &file.media_type {
        facts.insert(0, ("Type", Line::new().hostile(kind)));
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
    use crate::commands::user::testing::now;

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
            let [.., order_by, dir] = verb(typed).query();
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
    fn a_page_says_what_it_shows_of_how_many_and_names_the_next() {
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        let answered = json!({"total": 5, "next_token": 3, "media": [
            {"media_id": "abc", "media_type": "image/png", "media_length": 1536,
             "upload_name": "cat.png", "created_ts": 1_795_183_200_000_i64,
             "last_access_ts": null, "url_cache": null, "quarantined_by": null,
             "safe_from_quarantine": 0},
            {"media_id": "def", "media_type": null, "media_length": null, "upload_name": null,
             "created_ts": 1_795_000_000_000_i64, "last_access_ts": 1_795_183_200_000_i64,
             "url_cache": "https://example.com/", "quarantined_by": "@moe:example.org",
             "safe_from_quarantine": true},
        ]});
        let answered: Answered = serde_json::from_value(answered).unwrap();
        let verb = verb(&["ann", "-f", "1", "-l", "2", "-s", "media_id", "-r"]);
        insta::assert_snapshot!(testing::reply(&verb.told(user, &answered, now())), @r"
        `@ann:example.org`: 5 files, 2 to 3 shown
        * `abc` “cat.png”
          Type: “image/png” · Size: 1.5 KiB · Created: 2026-11-20 14:00 UTC (3 min ago) · Last access: never
        * `def`
          Size: not known · Created: 2026-11-18 11:06 UTC (2 days ago) · Last access: 2026-11-20 14:00 UTC (3 min ago) · Preview of: “https://example.com/” · Quarantined by: “@moe:example.org” · Protected: from quarantine
        Next page: !user media @ann:example.org --from 3 --limit 2 --sort media_id --reverse
        ");
        let empty = Answered { media: Vec::new(), total: 0, next_token: None };
        let text = testing::reply(&verb.told(user, &empty, now()));
        assert_eq!(text, "`@ann:example.org`: no files\n");
    }
}
