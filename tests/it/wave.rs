//! New accounts that belong together: found among the others, reviewed, acted on and taken back.

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, stream};
use ruma::{EventId, OwnedEventId};
use serde_json::json;
use world::{Config, Message, Options, Scene, Synapse};

use crate::{
    SYNOD,
    jobs::{outcomes, say_yes},
    support::{api, code, digits, says},
};

/// How long a step may take on a slow machine, for each account of the raid beyond what any answer takes.
const EACH: Duration = Duration::from_millis(500);

/// How many accounts there are.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Those that a program has made within twenty minutes.
    raiders: usize,
    /// Those of ordinary people, of whom every fourth came in the same hours.
    people: usize,
}

impl Sizes {
    /// A raid by hand, or one as large as `tests/long.sh` wants it.
    fn given() -> Result<Self> {
        let number = |name: &str, usual: usize| match env::var(name) {
            Ok(given) => given.parse().with_context(|| format!("{name} is a number")),
            Err(_) => Ok(usual),
        };
        Ok(Self { raiders: number("RAID_ACCOUNTS", 120)?, people: number("RAID_PEOPLE", 40)? })
    }

    fn patience(self) -> Duration {
        world::PATIENCE + EACH * u32::try_from(self.raiders).unwrap_or(u32::MAX)
    }

    /// What puts them into the database: people of all names, the raid an hour ago, one of it with an email
    /// address.
    fn sql(self) -> String {
        let Self { raiders, people, .. } = self;
        format!(
            "CREATE TEMP TABLE person AS
                WITH a(x) AS (VALUES ('ann'),('bob'),('cleo'),('dora'),('egon'),('fritz'),('gus'),
                    ('hana'),('ivo'),('jule'),('kim'),('lena'),('moritz'),('nele'),('otto'),('pia'),
                    ('quentin'),('rosa'),('sven'),('tilda'),('ulf'),('vera'),('wim'),('xenia'),('yul')),
                b(y) AS (VALUES ('adler'),('beck'),('conrad'),('decker'),('ernst'),('fuchs'),('graf'),
                    ('haas'),('jung'),('koch'),('lang'),('maier'),('nagel'),('ott'),('pohl'),('rau'),
                    ('sauer'),('thiel'),('ulrich'),('vogt'),('wolf'),('zander'),('baum'),('busch'),
                    ('dietz'),('engel'),('falk'),('gross'),('heinz'),('jahn'),('keil'),('lutz'),
                    ('menz'),('noll'),('orth'),('prinz'),('ranft'),('seitz'),('tietz'),('ullmann'))
                SELECT x || '.' || y AS name, row_number() OVER () AS i FROM a, b LIMIT {people};
            INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated,
                    shadow_banned)
                SELECT '@' || name || ':synod.test', NULL, CAST(strftime('%s', 'now') AS INTEGER)
                    - CASE i % 4 WHEN 0 THEN 1800 + (i * 17) % 18000 ELSE 2592000 + i END, 0, 0, 0, 0
                FROM person;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {raiders})
            INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated,
                    shadow_banned)
                SELECT '@raid-' || i || ':synod.test', NULL,
                    CAST(strftime('%s', 'now') AS INTEGER) - 3600 + i % 1200, 0, 0, 0, 0 FROM n;
            INSERT INTO user_threepids (user_id, medium, address, validated_at, added_at)
                VALUES ('@raid-7:synod.test', 'email', 'seven@example.org', 1, 1);"
        )
    }
}

fn raider(number: usize) -> String {
    format!("@raid-{number}:synod.test")
}

/// A homeserver on which there has been a raid, and the bot.
async fn raided(sizes: Sizes) -> Result<Scene> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    synapse.damage(&sizes.sql()).await?;
    let protected = json!([{ "id": raider(9), "change": "refused" }]);
    let config = |config: Config| config.set("protected.subjects", protected);
    scene.start_bot(SYNOD, &config(scene.config())).await?;
    Ok(scene)
}

/// The answer to what ann has said, however long it takes.
async fn answered(scene: &Scene, event: &EventId, patience: Duration) -> Result<Message> {
    let last = Instant::now() + patience;
    loop {
        match scene.answer(scene.ann(), event).await {
            Err(_) if Instant::now() < last => {}
            found => return found,
        }
    }
}

/// The end of the job that this yes began, however long it takes.
async fn over(scene: &Scene, yes: &OwnedEventId, patience: Duration) -> Result<Message> {
    let last = Instant::now() + patience;
    loop {
        match crate::jobs::ended(scene, yes).await {
            Err(_) if Instant::now() < last => {}
            found => return found,
        }
    }
}

/// The question that ann's change of many is asked, once the bot has looked at all of them.
async fn question(scene: &Scene, event: &OwnedEventId, patience: Duration) -> Result<Message> {
    let is_it = |message: &Message| {
        message.reply_to.as_ref() == Some(event) && message.body.contains("!confirm ")
    };
    let last = Instant::now() + patience;
    loop {
        match scene.ann().wait_for("the question", is_it).await {
            Err(_) if Instant::now() < last => {}
            found => return found,
        }
    }
}

async fn asks(scene: &Scene, text: &str, patience: Duration) -> Result<Message> {
    let event = scene.ann().say(scene.room(), text).await?;
    answered(scene, &event, patience).await.with_context(|| text.to_owned())
}

/// The numbers of the raiders that are suspended, as the homeserver has it.
async fn suspended(scene: &Scene, sizes: Sizes) -> Result<Vec<usize>> {
    let admin = scene.synapse().admin();
    let looks = stream::iter(1..=sizes.raiders).map(|number| {
        let admin = &admin;
        async move {
            let path = format!("/_synapse/admin/v2/users/{}", raider(number));
            let (status, account) = admin.get(&path).await?;
            anyhow::ensure!(status == 200, "{account}");
            Ok::<_, anyhow::Error>((number, account["suspended"] == json!(true)))
        }
    });
    let mut looks = looks.buffered(8);
    let mut found = Vec::new();
    while let Some(looked) = looks.next().await {
        let (number, is) = looked?;
        found.extend(is.then_some(number));
    }
    Ok(found)
}

/// A number as an answer has it: `2,940`.
fn grouped(count: usize) -> String {
    synod::reply::grouped(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raid_among_people_is_found_reviewed_acted_on_and_taken_back() -> Result<()> {
    let sizes = Sizes::given()?;
    let (raiders, patience) = (sizes.raiders, sizes.patience());
    let scene = raided(sizes).await?;
    says(&scene.ann_asks(&format!("!note {} is a colleague", raider(8))).await?, "Done", &["note"]);
    let sam = scene.subject("sam").await?;
    let path = format!("/_matrix/client/v3/users/{}/report", raider(1));
    api(&scene, &sam).await?.post(&path, json!({"reason": "spam"})).await?;

    let wave = asks(&scene, "!wave", patience).await?;
    let many = format!(" · {} accounts · names like ", grouped(raiders));
    says(&wave, "", &[" created in the last 6 h", "1 group, ", &many, "raid-#", "!wave show A"]);
    says(&wave, "", &["Look real", "1 report of 1 account", "no invitations"]);
    assert!(!wave.body.contains(".adler"), "people are in no group: {}", wave.body);

    // Reviewed as a list: those that look real are left out of it, and named with why.
    let mark = scene.ann().mark();
    let shown = scene.ann_asks("!wave show A").await?;
    let listed = raiders - 3;
    says(&shown, "A", &[&format!(" · {} accounts · names like ", grouped(listed)), "raid-#"]);
    says(
        &shown,
        "",
        &["3 accounts look real, left out of this list", "!user suspend --reason raid"],
    );
    for (number, why) in
        [(7, "has an email address"), (8, "has a note"), (9, "is protected by the config")]
    {
        let told = shown
            .body
            .lines()
            .any(|line| line.contains(&format!("@raid-{number}")) && line.contains(why));
        assert!(told, "{number}: {}", shown.body);
    }
    let file = outcomes(&scene, mark).await?;
    assert_eq!(file.lines().count(), listed + 1, "{file}");
    assert!(file.contains(&raider(10)) && !file.contains(&raider(9)), "{file}");
    let all = scene.ann_asks("!wave show A --all").await?;
    says(&all, "A", &[&format!(" · {} accounts · ", grouped(raiders)), "in this list"]);

    // Somebody is taken out, also of the list that stands there.
    let kept = scene.ann_asks(&format!("!wave keep {}", raider(10))).await?;
    says(&kept, "Done", &["@raid-10", "in no group", "!wave keep --drop"]);
    let asked = scene.ann().reply(scene.room(), &shown.event_id, "!user suspend --reason raid");
    let asked = question(&scene, &asked.await?, patience).await?;
    let acted = listed - 1;
    let of_all = format!("{acted} of {acted}");
    says(&asked, &format!("Suspend {acted} accounts, "), &["can be undone"]);
    assert!(suspended(&scene, sizes).await?.is_empty(), "nothing before the yes");

    let yes = say_yes(&scene, &asked, acted).await?;
    let done = over(&scene, &yes, patience).await?;
    says(&done, "Done", &[&of_all, "!undo "]);
    let expected: Vec<usize> = (1..=raiders).filter(|n| !(7..=10).contains(n)).collect();
    assert_eq!(suspended(&scene, sizes).await?, expected);
    let wave = asks(&scene, "!wave --since 5h", patience).await?;
    says(&wave, "", &[&format!(" · {} accounts · ", grouped(raiders - 1)), "Suspended or locked"]);
    says(&wave, "", &[&grouped(acted), "1 account left out, taken out of waves before"]);

    // And back, as any job.
    let number = digits(&done.body, "!undo")?;
    let undo = scene.ann().say(scene.room(), &format!("!undo {number}")).await?;
    let asked = question(&scene, &undo, patience).await?;
    says(&asked, &format!("End the suspension of {acted} accounts, "), &[]);
    let yes = say_yes(&scene, &asked, acted).await?;
    says(&over(&scene, &yes, patience).await?, "Done", &[&of_all]);
    assert!(suspended(&scene, sizes).await?.is_empty());

    says(&scene.ann_asks("!wave keep --list").await?, "One account", &["@raid-10", "by "]);
    let drop = format!("!wave keep --drop {}", raider(10));
    says(&scene.ann_asks(&drop).await?, "Done", &["@raid-10", "again"]);
    says(&scene.ann_asks(&drop).await?, "Not found", &["was not taken out"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_group_and_are_shown_only_to_who_asks_for_them_and_may_see_them() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    synapse
        .damage(
            "CREATE TEMP TABLE raider AS
                WITH a(x) AS (VALUES ('kvothe'),('denna'),('simmon'),('wilem'),('auri'),('elodin'))
                SELECT '@' || x || ':synod.test' AS id FROM a;
            INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated,
                    shadow_banned)
                SELECT id, NULL, CAST(strftime('%s', 'now') AS INTEGER) - 60, 0, 0, 0, 0 FROM raider;
            INSERT INTO user_ips (user_id, access_token, device_id, ip, user_agent, last_seen)
                SELECT id, 't' || id, 'D', '192.0.2.77', 'python-requests/2.31',
                    CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 5000 FROM raider;",
        )
        .await?;
    scene.start_bot(SYNOD, &scene.config()).await?;
    let plain = scene.ann_asks("!wave").await?;
    says(&plain, "", &["no group among them", "addresses and clients were not looked at"]);
    assert!(!plain.body.contains("192.0.2"), "{}", plain.body);

    let vic = scene.vic().await?;
    says(&scene.ask(vic, "!wave --show-ip").await?, "Refused", &[]);
    let Ok(own) = scene.ask(vic, "!wave show A").await else { bail!("vic is answered") };
    says(&own, "Not found", &["!wave"]);

    let wave = scene.ann_asks("!wave --since 1h --show-ip").await?;
    says(&wave, "", &["6 accounts", "from one IP address", "192.0.2.77", "python-requests/2.31"]);
    // What was shown to ann is nobody else's.
    let of_vic = scene.ask(vic, "!wave show A").await?;
    says(&of_vic, "Not found", &[]);
    let shown = scene.ann_asks("!wave show A").await?;
    says(&shown, "A", &[" · 6 accounts · ", "@kvothe", "!user lock --reason raid"]);
    assert!(!shown.body.contains("192.0.2"), "{}", shown.body);
    let record = scene.ann_asks("!audit list").await?;
    says(&record, "", &["--show-ip"]);

    let answer = scene.ann_asks("!wave show B").await?;
    says(&answer, "Not found", &["the only one is A"]);
    says(&scene.ann_asks("!wave --since 8d").await?, "Not understood", &["at most 7 days"]);
    let nobody = scene.ann_asks("!wave keep @nobody-of-that-name:synod.test").await?;
    says(&nobody, "Not found", &["no such user"]);
    // A list of six is acted on by a reply too.
    let asked =
        scene.ann().reply(scene.room(), &shown.event_id, "!user lock --reason raid").await?;
    let question = scene.answer(scene.ann(), &asked).await?;
    says(&question, "Lock 6 accounts, ", &[]);
    code(&question)?;
    Ok(())
}
