//! New accounts: told in the room once, with the registration token as far as the counts show it, and approved.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Config, Fault, Message, Options, Proxy, Scene, Synapse};

use crate::{
    SYNOD,
    jobs::ended,
    support::{code, digits, offered, says},
};

const TOKENS: &str = "/_synapse/admin/v1/registration_tokens";
const REGISTER: &str = "/_matrix/client/v3/register";
const PASSWORD: &str = "a horse, a battery";
/// The request by which the bot looks for new accounts.
const LOOK: &str = "order_by=creation_ts";

/// Registration takes a token.
const WITH_TOKEN: &str = "enable_registration: true\nregistration_requires_token: true\n";

/// It has none, as most homeservers.
const WITHOUT_APPROVALS: &str = "experimental_features: {}\n";

async fn homeserver(extra: &str, tokens: &[&str]) -> Result<Synapse> {
    let extra = format!("{WITH_TOKEN}{extra}");
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    for token in tokens {
        let body = json!({ "token": token, "uses_allowed": null, "expiry_time": null });
        let (status, answer) = synapse.admin().post(&format!("{TOKENS}/new"), body).await?;
        ensure!(status == 200, "{token}: {status} {answer}");
    }
    Ok(synapse)
}

/// From now on each new account waits for the approval of an admin.
async fn want_approval(synapse: &Synapse) -> Result<()> {
    synapse.stop().await?;
    let file = synapse.dir().join("homeserver.yaml");
    let (without, with) = ("msc3866: {enabled: true", "require_approval_for_new_accounts: true");
    let config = std::fs::read_to_string(&file)?;
    ensure!(config.contains(without), "{config}");
    std::fs::write(&file, config.replace(without, &format!("{without}, {with}")))?;
    synapse.start_again().await
}

/// Gives the token, as any client does, and answers the request that then ends the registration.
async fn half_registered(synapse: &Synapse, name: &str, token: &str) -> Result<Value> {
    let api = synapse.api("");
    let mut body = json!({ "username": name, "password": PASSWORD });
    let (_, asked) = api.post(REGISTER, body.clone()).await?;
    let session = asked["session"].clone();
    body["auth"] =
        json!({ "type": "m.login.registration_token", "token": token, "session": session });
    let (status, answer) = api.post(REGISTER, body.clone()).await?;
    ensure!(status == 401 && answer.get("errcode").is_none(), "{name}: {status} {answer}");
    body["auth"] = json!({ "type": "m.login.dummy", "session": session });
    Ok(body)
}

/// Registers with a token; what the homeserver answers at the end.
async fn register(synapse: &Synapse, name: &str, token: &str) -> Result<(u16, Value)> {
    let end = half_registered(synapse, name, token).await?;
    synapse.api("").post(REGISTER, end).await
}

async fn registered(synapse: &Synapse, name: &str, token: &str) -> Result<()> {
    let (status, answer) = register(synapse, name, token).await?;
    ensure!(status == 200, "{name}: {status} {answer}");
    Ok(())
}

/// A bot that tells new accounts, and how it reaches the homeserver.
struct Announced {
    scene: Scene,
    /// What it asks of the Admin API comes by here.
    admin: Proxy,
    /// And what it says in the room.
    room: Proxy,
}

impl Announced {
    /// Once it has begun to read them.
    async fn begun(synapse: &Synapse, change: impl FnOnce(Config) -> Config) -> Result<Self> {
        let scene = Scene::plan().on(synapse).set().await?;
        let (admin, room) =
            (Proxy::start(&synapse.url()).await?, Proxy::start(&synapse.url()).await?);
        let config = scene.config().set("homeserver.admin_url", admin.url());
        let config = change(config.set("homeserver.url", room.url()));
        let last = admin.next(Method::GET, TOKENS, Fault::HoldAnswer);
        scene.start_bot(SYNOD, &config).await?;
        last.reached().await?;
        last.release();
        admin.settled().await?;
        says(&scene.ann_asks("!me").await?, "", &["ann"]);
        Ok(Self { scene, admin, room })
    }

    /// Stops the bot at once and starts it again, when it looks for new accounts.
    async fn killed(&self) -> Result<()> {
        self.scene.bot()?.kill().await?;
        self.scene.bot()?.start_again().await
    }

    /// The same, until it has looked, and has said what there was to say.
    async fn looks(&self) -> Result<()> {
        let look = self.admin.next(Method::GET, LOOK, Fault::HoldAnswer);
        self.killed().await?;
        look.reached().await?;
        look.release();
        self.admin.settled().await?;
        says(&self.scene.ann_asks("!me").await?, "", &["ann"]);
        Ok(())
    }

    /// What was told of new accounts, first lines.
    fn news(&self) -> Vec<String> {
        let heard = self.scene.ann().heard();
        let news = heard.iter().filter(|message| is_news(&self.scene, message));
        news.map(first_line).collect()
    }

    /// What is told of new accounts with these words in the first line.
    async fn told(&self, words: &str) -> Result<Message> {
        let is_it = |message: &Message| {
            is_news(&self.scene, message) && first_line(message).contains(words)
        };
        let told = self.scene.ann().wait_for(words, is_it).await;
        told.with_context(|| self.scene.bot().map(|bot| bot.log().tail(40)).unwrap_or_default())
    }
}

fn first_line(message: &Message) -> String {
    message.body.lines().next().unwrap_or_default().replace('\u{2060}', "")
}

fn is_news(scene: &Scene, message: &Message) -> bool {
    let is_told = || first_line(message).to_lowercase().contains("new account");
    message.is_message() && message.sender == *scene.bot_id() && is_told()
}

/// Accounts that somebody else has made within a moment, behind the homeserver's back.
fn raid(count: usize) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
        INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated,
                shadow_banned)
            SELECT '@raid-' || i || ':synod.test', NULL, CAST(strftime('%s', 'now') AS INTEGER),
                0, 0, 0, 0 FROM n;"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_are_told_once_over_kills_with_the_token_as_far_as_counts_show_it()
-> Result<()> {
    let synapse = homeserver(WITHOUT_APPROVALS, &["choir-of-the-abbey", "anybody"]).await?;
    registered(&synapse, "before", "anybody").await?;
    let each = |config: Config| config.set("accounts.announce", "each");
    let announced = Announced::begun(&synapse, each).await?;
    let scene = &announced.scene;
    assert!(announced.news().is_empty(), "it begins now: {:?}", announced.news());

    registered(&synapse, "eve", "choir-of-the-abbey").await?;
    synapse.bridged("ghost").await?;
    announced.killed().await?;
    let eve = announced.told("New account @eve:synod.test").await?;
    says(&eve, "", &["choi…", "it was used once meanwhile, and no other was"]);
    says(&eve, "", &["Stands out: no email address", "!user details @eve:synod.test"]);
    assert!(eve.encrypted && eve.mentions.is_empty() && eve.from_signed_device, "{eve}");

    // It is cut off while it says so.
    registered(&synapse, "sam", "choir-of-the-abbey").await?;
    registered(&synapse, "joe", "anybody").await?;
    let said = announced.room.next(Method::PUT, "/send/m.room.encrypted/", Fault::HoldAnswer);
    announced.killed().await?;
    said.reached().await?;
    scene.bot()?.kill().await?;
    said.release();
    scene.bot()?.start_again().await?;
    let two = announced.told("2 new accounts").await?;
    says(&two, "", &["@sam:synod.test", "@joe:synod.test", "the homeserver does not say by whom"]);
    announced.looks().await?;

    // And before anything of it is kept.
    let ann = scene.ann().user_id().localpart();
    let twin = ann.replacen("ann", "4nn", 1);
    registered(&synapse, &twin, "anybody").await?;
    let cut = announced.admin.next(Method::GET, TOKENS, Fault::HoldRequest);
    announced.killed().await?;
    cut.reached().await?;
    scene.bot()?.kill().await?;
    cut.release();
    scene.bot()?.start_again().await?;
    let like = announced.told(&format!("New account @{twin}")).await?;
    says(&like, "", &[&format!("its name reads like that of @{ann}"), "an operator"]);
    announced.looks().await?;
    let news = announced.news();
    assert_eq!(news.len(), 3, "none is told twice: {news:#?}");

    // Many at once are one message, with who stands out among them.
    scene.bot()?.kill().await?;
    synapse.damage(&raid(300)).await?;
    scene.bot()?.start_again().await?;
    let many = announced.told("300 new accounts").await?;
    says(&many, "", &["@raid-", "and 290 more", "raid-#, 300 of them", "!wave --since 1h"]);
    says(&many, "", &["100 of 100 that I looked up", "none was used meanwhile"]);
    says(&scene.ann_asks("!wave --since 1h").await?, "", &["raid-#", "300"]);
    announced.looks().await?;
    assert_eq!(announced.news().len(), 4, "{:#?}", announced.news());
    let none = scene.ann_asks("!user approve @eve").await?;
    says(&none, "Refused", &["has no approvals", "msc3866: {enabled: true}"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_shutters_are_closed_new_accounts_are_told_and_approved_by_the_command_in_it()
-> Result<()> {
    let synapse = homeserver("", &["choir"]).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    want_approval(&synapse).await?;
    scene.start_bot(SYNOD, &scene.config()).await?;
    let awaits = |(status, answer): (u16, Value)| {
        assert_eq!(
            (status, &answer["errcode"]),
            (403, &json!("ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL"))
        );
    };
    awaits(register(&synapse, "before", "choir").await?);
    // One who has given the token already can go on.
    let eve = half_registered(&synapse, "eve", "choir").await?;
    let question = scene.ann_asks("!shutters close --for 1h").await?;
    says(&question, "", &["Until then I tell new accounts in the first admin room"]);
    let yes = scene.ann().say(scene.room(), &format!("!confirm {}", code(&question)?)).await?;
    says(&ended(&scene, &yes).await?, "Done · 1 of 1", &[]);
    awaits(synapse.api("").post(REGISTER, eve).await?);
    says(&scene.ann_asks("!shutters").await?, "Closed", &["I tell new accounts in the first"]);

    let announced = Announced {
        admin: Proxy::start(&synapse.url()).await?,
        room: Proxy::start(&synapse.url()).await?,
        scene,
    };
    let scene = &announced.scene;
    announced.killed().await?;
    let told = announced.told("New account @eve:synod.test").await?;
    says(&told, "", &["it cannot log in until an admin approves it"]);
    let approve = offered(&told, "!user approve ")?;
    assert_eq!(approve, "!user approve @eve:synod.test");
    let login = async || {
        let body = json!({ "type": "m.login.password", "password": PASSWORD,
            "identifier": { "type": "m.id.user", "user": "eve" } });
        synapse.api("").post("/_matrix/client/v3/login", body).await
    };
    awaits(login().await?);
    says(&scene.ann_asks("!user details @eve").await?, "", &["not approved"]);
    let approved = scene.ann_asks(approve).await?;
    says(&approved, "Done", &["@eve:synod.test", "is approved", "It may: log in"]);
    assert_eq!(login().await?.0, 200);
    says(&scene.ann_asks(approve).await?, "Nothing changed", &["is already approved"]);
    let undo = format!("!undo {}", digits(&approved.body, "!undo ")?);
    says(&scene.ann_asks(&undo).await?, "Done", &["is no longer approved"]);
    awaits(login().await?);

    // When they are open, what the config says holds again.
    let question = scene.ann_asks("!shutters open").await?;
    let yes = scene.ann().say(scene.room(), &format!("!confirm {}", code(&question)?)).await?;
    says(&ended(scene, &yes).await?, "Done", &[]);
    awaits(register(&synapse, "sam", "choir").await?);
    announced.killed().await?;
    says(&scene.ann_asks("!shutters").await?, "Open", &[]);
    let news = announced.news();
    assert_eq!(news.len(), 1, "{news:#?}");
    Ok(())
}
