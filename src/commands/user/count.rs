//! What the homeserver counts of an account since a moment.

use ruma::UserId;
use serde_json::{Value, json};

use super::account;
use crate::{
    change::Path,
    commands::arguments::{Since, UserRef},
    error::Stop,
    reply::{Line, utc},
    synapse::Reader,
};

// Whose, and since when. No doc comment: it would become the verb's help.
#[derive(Debug, clap::Args)]
pub(super) struct Counted {
    /// The account: @ann:example.org, or ann for an account of this server
    pub(super) user: UserRef,
    /// Count since this date or within this age (3d, 2 weeks); all by default
    #[arg(long, value_name = "DATE|AGE")]
    since: Option<Since>,
}

impl Counted {
    /// The beginning, in milliseconds, as the homeserver wants it.
    fn from(&self, reader: &Reader) -> i64 {
        self.since.as_ref().map_or(0, |since| since.before(reader.now()).as_millisecond().max(0))
    }

    /// The number that the homeserver has under `key` of this endpoint. It answers for whoever does
    /// not exist too, so the account must.
    pub(super) async fn ask(
        &self,
        user: &UserId,
        endpoint: &str,
        key: &str,
        reader: &Reader,
    ) -> Result<u64, Stop> {
        account::existing(user, reader).await?;
        let path = Path::admin(["v1", "users", user.as_str(), endpoint]);
        let query = [("from_ts", self.from(reader).to_string())];
        let answered: Value = reader.get(&path, &query).await?;
        answered[key].as_u64().ok_or_else(|| {
            Stop::failed(Line::new().plain("the homeserver gives no number under ").code(key))
        })
    }

    /// Since when, in words that follow the number.
    pub(super) fn since(&self, reader: &Reader) -> String {
        match &self.since {
            None => String::new(),
            Some(since) => format!(" since {}", utc(since.before(reader.now()))),
        }
    }

    /// The number as data.
    pub(super) fn data(&self, user: &UserId, key: &str, count: u64, reader: &Reader) -> Value {
        json!({ "user_id": user, "from_ts": self.from(reader), key: count })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn what_is_understood_of_a_beginning_is_said() {
        let counted = |typed: &[&str]| testing::parse::<Counted>(typed).unwrap();
        let reader = testing::nowhere();
        let age = counted(&["ann", "--since", "3d"]);
        assert_eq!(age.since(&reader), " since 2026-11-17 14:03 UTC");
        assert_eq!(age.from(&reader), 1_794_924_180_000);
        assert_eq!(counted(&["ann"]).since(&reader), "");
        assert_eq!(counted(&["ann"]).from(&reader), 0);
        assert_eq!(counted(&["ann", "--since", "19000y"]).from(&reader), 0);
    }
}
