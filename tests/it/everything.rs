//! Everything on a homeserver that some verb could change, to be held against what it was.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Config, Options, Proxy, Scene, Synapse, Things};

use crate::SYNOD;

/// What passes of itself: when something was last seen or asked for, and where a page ends.
const PASSES: [&str; 7] =
    ["age", "unsigned", "last_seen_ts", "last_seen_ip", "last_access_ts", "start", "end"];

/// What the homeserver does by itself, whatever is done to it.
const OF_ITSELF: &str = "delete_old_otks";

/// The state of a homeserver, by the paths at which it was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Everything(BTreeMap<String, Value>);

impl Everything {
    /// What it is now: of all accounts and rooms a line, of these things all that there is.
    pub(crate) async fn of(scene: &Scene, all: &[&Things]) -> Result<Self> {
        let mut paths: Vec<String> = [
            "v2/users?deactivated=true&guests=true&limit=10000",
            "v1/rooms?limit=10000",
            "v1/registration_tokens",
            "v1/event_reports?limit=10000",
            "v1/user_reports?limit=10000",
            "v1/background_updates/enabled",
            "v1/federation/destinations?limit=10000",
            "v1/scheduled_tasks",
            "v1/statistics/users/media?limit=10000",
        ]
        .map(|path| format!("/_synapse/admin/{path}"))
        .into();
        for things in all {
            paths.extend(of(things));
        }
        let own_media = format!("/_synapse/admin/v1/users/{}/media?limit=10000", scene.bot_id());
        paths.push(own_media.clone());
        let api = scene.synapse().admin();
        let mut found = BTreeMap::new();
        for path in paths {
            let (status, mut answer) = api.get(&path).await?;
            without_what_passes(&mut answer);
            // By whom is not what a block is.
            if path.ends_with("/block") {
                answer["user_id"].take();
            }
            // Pictures and files that the bot answers with are uploads of its own. They are encrypted, so
            // that nothing says what they are; what it uploads in clear is looked at by itself.
            if let Some(users) =
                answer["users"].as_array_mut().filter(|_| path.contains("users/media"))
            {
                users.retain(|user| user["user_id"] != scene.bot_id().as_str());
                answer["total"].take();
            }
            if let Some(media) = answer["media"].as_array_mut().filter(|_| path == own_media) {
                media.retain(|file| file["media_type"] != "application/octet-stream");
                answer["total"].take();
            }
            found.insert(path, json!([status, answer]));
        }
        Ok(Self(found))
    }

    /// Fails, showing what differs, unless it is as it was `before`.
    pub(crate) fn is_as(&self, before: &Self, after: &str) {
        let differs = self.differs(before);
        assert!(differs.is_empty(), "after {after}:\n{}", differs.join("\n"));
    }

    /// What differs from what was `before`, one line for each path.
    pub(crate) fn differs(&self, before: &Self) -> Vec<String> {
        let differ = self.0.iter().filter(|(path, now)| before.0.get(*path) != Some(*now));
        differ
            .map(|(path, now)| {
                let was = before.0.get(path).unwrap_or(&Value::Null);
                format!("{path}\n  was {was}\n  is  {now}")
            })
            .collect()
    }

    /// The same without what a path with one of these parts has.
    pub(crate) fn without(mut self, parts: &[&str]) -> Self {
        self.0.retain(|path, _| !parts.iter().any(|part| path.contains(part)));
        self
    }
}

/// Where all that there is of these things is found.
fn of(things: &Things) -> Vec<String> {
    let room = &things.room;
    let alias = things.alias.replace('#', "%23");
    let mut paths = vec![
        format!("v1/rooms/{room}"),
        format!("v1/rooms/{room}/block"),
        format!("v1/rooms/{room}/members"),
        format!("v1/rooms/{room}/state"),
        format!("v1/rooms/{room}/forward_extremities"),
        format!("v1/rooms/{room}/messages?dir=b&limit=100"),
        format!("v1/media/{}", things.media.trim_start_matches("mxc://")),
    ];
    for user in [&things.eve, &things.gone, &things.bob].map(|account| &account.user_id) {
        paths.extend([
            format!("v2/users/{user}"),
            format!("v2/users/{user}/devices"),
            format!("v1/users/{user}/override_ratelimit"),
            format!("v1/users/{user}/pushers"),
            format!("v1/users/{user}/accountdata"),
            format!("v1/users/{user}/joined_rooms"),
            format!("v1/users/{user}/media"),
            format!("v1/experimental_features/{user}"),
        ]);
    }
    let paths = paths.into_iter().map(|path| format!("/_synapse/admin/{path}"));
    paths.chain([format!("/_matrix/client/v3/directory/room/{alias}")]).collect()
}

fn without_what_passes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !PASSES.contains(&key.as_str()));
            // Whether it is kept back matters, and not by whose hand.
            if let Some(by) = fields.get_mut("quarantined_by").filter(|by| !by.is_null()) {
                *by = json!("somebody");
            }
            fields.values_mut().for_each(without_what_passes);
        }
        Value::Array(items) => {
            items.retain(|item| item["action"] != OF_ITSELF);
            items.iter_mut().for_each(without_what_passes);
        }
        _ => {}
    }
}

/// A scene on a homeserver of its own, so that whatever changes there is of its making, and a proxy
/// before that.
pub(crate) async fn alone() -> Result<(Scene, Proxy)> {
    let synapse = Synapse::start(Options::default()).await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    Ok((Scene::plan().on(&synapse).set().await?, proxy))
}

/// Such a scene. Whoever is to be in it takes their seat before it begins. Of the two sets of things
/// one is in every state that some verb takes back.
pub(crate) struct Watched {
    pub(crate) scene: Scene,
    pub(crate) proxy: Proxy,
    pub(crate) free: Things,
    pub(crate) restrained: Things,
    sent: usize,
    before: Option<Everything>,
}

impl Watched {
    /// On the usual configuration with something `changed`.
    pub(crate) async fn start(change: impl FnOnce(Config, &Scene) -> Config) -> Result<Self> {
        let (scene, proxy) = alone().await?;
        let config = scene.config().set("homeserver.admin_url", proxy.url());
        scene.start_bot(SYNOD, &change(config, &scene)).await?;
        Self::of(scene, proxy).await
    }

    /// Around a bot that runs.
    pub(crate) async fn of(scene: Scene, proxy: Proxy) -> Result<Self> {
        let synapse = scene.synapse();
        let free = Things::of(synapse, scene.subject("eve").await?).await?;
        let restrained = Things::of(synapse, scene.subject("kay").await?).await?;
        restrained.restrain(&synapse.admin()).await?;
        Ok(Self { free, restrained, scene, proxy, sent: 0, before: None })
    }

    /// From now on nothing is to change.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        self.sent = self.proxy.changes().len();
        self.before = Some(self.everything().await?);
        Ok(())
    }

    /// Fails unless nothing was sent that would change something, and nothing has changed.
    pub(crate) async fn nothing_changed(&self, by: &str) -> Result<()> {
        let sent = self.proxy.changes().split_off(self.sent);
        assert!(sent.is_empty(), "{by} made the bot send {sent:?}");
        let before = self.before.as_ref().context("nobody has looked before")?;
        self.everything().await?.is_as(before, by);
        Ok(())
    }

    pub(crate) async fn everything(&self) -> Result<Everything> {
        Everything::of(&self.scene, &[&self.free, &self.restrained]).await
    }

    /// Both sets of things.
    pub(crate) fn things(&self) -> [&Things; 2] {
        [&self.free, &self.restrained]
    }
}
