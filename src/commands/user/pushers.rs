//! `user pushers`: where the notifications of an account go.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

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
    synapse::{Private, Reader, wire::known},
};

pub(super) const SPEC: Spec = Spec::query::<Pushers>(
    "pushers",
    &["user pushers @ann:example.org", "user pushers @ann:example.org --show-keys"],
);

/// List the apps that get notifications for an account
///
/// Their push keys and addresses are shown only with --show-keys, to roles that may see private data,
/// and that is recorded. For email notifications the key is the email address.
#[derive(Debug, clap::Args)]
struct Pushers {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Show the push keys and the addresses that the homeserver sends to
    #[arg(long)]
    show_keys: bool,
    #[command(flatten)]
    pages: Pages,
}

/// What a client has registered, as it liked: no field of it is sure to be of the type that it should
/// be of.
#[derive(Debug, Deserialize)]
struct Pusher {
    #[serde(default, deserialize_with = "known")]
    app_id: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    app_display_name: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    device_display_name: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    kind: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    lang: Option<Hostile>,
    pushkey: Option<Private>,
    /// Where it is sent to.
    #[serde(default, rename = "data", deserialize_with = "url")]
    url: Option<Private>,
}

fn url<'de, D: Deserializer<'de>>(data: D) -> Result<Option<Private>, D::Error> {
    let data = Value::deserialize(data)?;
    Ok(data.get("url").and_then(|url| Private::deserialize(url).ok()))
}

/// Takes out what an app is reached by.
fn without_keys(pusher: &mut Value) {
    if let Some(fields) = pusher.as_object_mut() {
        fields.remove("pushkey");
        fields.remove("data");
    }
}

#[async_trait]
impl Listing for Pushers {
    const NAMED: Named = Named {
        key: "pushers",
        one: "pusher",
        many: "pushers",
        columns: &[
            "app_id",
            "app_display_name",
            "device_display_name",
            "kind",
            "lang",
            "profile_tag",
            "pushkey",
        ],
    };
    type Row = Pusher;

    fn power(&self) -> Power {
        if self.show_keys { Power::LookPrivate } else { Power::Look }
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
        struct PusherList {
            pushers: Vec<Value>,
        }
        let PusherList { mut pushers } =
            account::belonging(&self.user, "v1", "pushers", &[], reader).await?;
        if !self.show_keys {
            pushers.iter_mut().for_each(without_keys);
        }
        Ok(Page::part(pushers, Pages::number(from)?, limit))
    }

    fn record(&self, pusher: &Pusher, _now: Timestamp) -> Record {
        record(pusher)
    }
}

fn record(pusher: &Pusher) -> Record {
    let named = |name: &Option<Hostile>| name.clone().filter(|name| !name.is_empty());
    let title = match named(&pusher.app_display_name).or_else(|| named(&pusher.app_id)) {
        Some(name) => Line::new().hostile(&name),
        None => "an app that gives no name".into(),
    };
    let mut facts = Vec::new();
    for (label, text) in [
        ("App", &pusher.app_id),
        ("Device", &pusher.device_display_name),
        ("Kind", &pusher.kind),
        ("Language", &pusher.lang),
    ] {
        facts.extend(named(text).map(|text| (label, Line::new().hostile(&text))));
    }
    for (label, private) in [("Key", &pusher.pushkey), ("Sent to", &pusher.url)] {
        facts.extend(private.as_ref().map(|text| (label, Line::new().hostile(text.show()))));
    }
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::reply::{Block, Reply};

    fn pusher() -> Value {
        json!({"app_id": "org.app.ios", "app_display_name": "App", "device_display_name": "Phone",
            "kind": "http", "lang": "en", "profile_tag": "", "pushkey": "s3cret",
            "data": {"url": "https://push.example/_matrix/push/v1/notify"}})
    }

    fn text(pusher: &Value) -> String {
        let record = record(&Pusher::deserialize(pusher).unwrap());
        testing::reply(&Reply::default().with(Block::Records(vec![record])))
    }

    #[test]
    fn an_odd_field_spoils_nothing_beside_it() {
        for odd in [json!(null), json!(7), json!(["x"]), json!({ "url": 7 })] {
            let mut one = pusher();
            for field in ["app_id", "device_display_name", "lang", "data", "profile_tag"] {
                one[field] = odd.clone();
                let told = text(&one);
                assert!(told.contains("\u{201c}App\u{201d}") && told.contains("s3cret"), "{told}");
            }
        }
    }

    #[test]
    fn keys_take_their_own_power_and_are_shown_only_then() {
        let power = |typed: &[&str]| Listing::power(&testing::parse::<Pushers>(typed).unwrap());
        assert_eq!(power(&["ann"]), Power::Look);
        assert_eq!(power(&["ann", "--show-keys"]), Power::LookPrivate);
        insta::assert_snapshot!(text(&pusher()), @r"
        * “App”
          App: “org.app.ios” · Device: “Phone” · Kind: “http” · Language: “en” · Key: “s3cret” · Sent to: “https://push.example/_matrix/push/v1/notify”
        ");
        let mut without = pusher();
        without_keys(&mut without);
        let shown = text(&without);
        assert!(!shown.contains("s3cret") && !shown.contains("push.example"), "{shown}");
    }
}
