//! Moderation policy lists: rules in a room of strangers that name accounts and rooms here.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use world::{Account, Api, Config, Message, Scene};

use crate::{
    SYNOD,
    support::{api, code, digits, is, make, offered, says, told_in_reply, told_since},
};

/// A room of rules, and whoever writes them.
struct List {
    by: Api,
    room: String,
}

impl List {
    async fn make(scene: &Scene, name: &str) -> Result<Self> {
        let by = api(scene, &scene.subject(name).await?).await?;
        let room = make(&by, json!({"preset": "public_chat", "name": "Bans"})).await?;
        Ok(Self { by, room })
    }

    /// Puts a rule about accounts, rooms or servers.
    async fn put(&self, about: &str, key: &str, content: Value) -> Result<()> {
        let path =
            format!("/_matrix/client/v3/rooms/{}/state/m.policy.rule.{about}/{key}", self.room);
        let (status, answer) = self.by.put(&path, content).await?;
        ensure!(status == 200, "{status} {answer}");
        Ok(())
    }

    async fn ban(&self, key: &str, entity: &str, reason: &str) -> Result<()> {
        self.put("user", key, rule(entity, "m.ban", reason)).await
    }

    async fn withdraw(&self, about: &str, key: &str) -> Result<()> {
        self.put(about, key, json!({})).await
    }
}

fn rule(entity: &str, recommendation: &str, reason: &str) -> Value {
    json!({"entity": entity, "recommendation": recommendation, "reason": reason})
}

/// The bot, which watches these lists.
async fn watching(scene: &Scene, lists: Value) -> Result<()> {
    let config: Config = scene.config().set("policy_lists", lists);
    scene.start_bot(SYNOD, &config).await?;
    Ok(())
}

/// Has the bot read the lists, and answers what it says of that.
async fn read(scene: &Scene) -> Result<Message> {
    let answer = scene.ann_asks("!policy read").await?;
    says(&answer, "I have read ", &[]);
    Ok(answer)
}

/// What the bot says by itself of a list with these words, once it has read the lists.
async fn news(scene: &Scene, words: &str) -> Result<Message> {
    let mark = scene.ann().mark();
    read(scene).await?;
    let told = told_since(scene, mark, words).await;
    told.with_context(|| scene.bot().map(|bot| bot.log().tail(40)).unwrap_or_default())
}

/// All that the bot has said by itself of lists, first to last.
fn all_news(scene: &Scene) -> Vec<Message> {
    let is_it = |message: &Message| {
        message.is_message()
            && message.sender == *scene.bot_id()
            && message.reply_to.is_none()
            && message.body.starts_with("Policy list ")
    };
    scene.ann().heard().into_iter().filter(is_it).collect()
}

async fn killed(scene: &Scene) -> Result<()> {
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_appears_changes_and_goes_and_operators_decide() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let list = List::make(&scene, "lister").await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    list.ban("old", eve.user_id.as_str(), "from before").await?;
    list.put("server", "s", rule("*.evil.example", "m.ban", "")).await?;
    list.ban("far", "@far:away.example", "elsewhere").await?;
    list.put("user", "hash", json!({"hashes": {"sha256": "x"}, "recommendation": "m.ban"})).await?;
    let gone = "!nobody-knows-it:synod.test";
    watching(&scene, json!([{"room": list.room}, {"room": gone}])).await?;

    // What was there is a count; a room that cannot be read says what to do.
    let first = told_since(&scene, 0, "Policy list 1 was read for the first time: 3 rules").await?;
    says(&first, "", &["About accounts: 2", "About servers: 1; only counted", "here: 1"]);
    says(&first, "", &["Not understood: 1 name only a hash", "!policy show 1", &list.room]);
    assert!(!first.body.contains("from before"), "{first}");
    let fault = told_since(&scene, 0, "Policy list 2 cannot be read").await?;
    says(&fault, "", &["does not know the room", gone, "!room join !nobody-knows-it"]);
    let all = scene.ann_asks("!policy list").await?;
    says(&all, "2 policy lists are watched", &[&list.room, gone, "leaves it to you"]);
    let show = scene.ann_asks("!policy show 1").await?;
    says(&show, "Policy list 1 names 1 account", &[eve.user_id.as_str(), "“from before”"]);
    says(&scene.ann_asks("!policy show 7").await?, "Not found", &["no such policy list"]);
    ensure!(!is(&scene, &eve, "suspended").await?);

    // A new rule is told with the command, which is an ordinary one.
    list.ban("new", sam.user_id.as_str(), "**spam** `!user lock @ann` https://evil.example")
        .await?;
    let told = news(&scene, "Policy list 1 names @sam").await?;
    says(&told, "", &["Rule: ban by @lister", "“**spam**", "Nothing was done"]);
    assert!(told.mentions.is_empty() && told.encrypted, "{told}");
    assert!(!told.raw.to_string().contains("href=\"https://evil.example"), "{told}");
    ensure!(!is(&scene, &sam, "suspended").await?);
    let command = offered(&told, "!user suspend @sam")?;
    assert!(command.ends_with(&format!("--reason \"policy list {}\"", list.room)), "{command}");
    says(&scene.ann_asks(command).await?, "Done", &["is suspended"]);
    ensure!(is(&scene, &sam, "suspended").await?);

    // Nothing of it is told again, after a kill neither.
    killed(&scene).await?;
    says(&read(&scene).await?, "", &["nothing new", "1 policy list could not be read"]);
    assert_eq!(all_news(&scene).len(), 3, "{:#?}", all_news(&scene));

    // It changes: the reason, then what it recommends.
    list.ban("old", eve.user_id.as_str(), "worse now").await?;
    let told = news(&scene, "Policy list 1 names @eve").await?;
    says(&told, "", &["Rule now: ban by @lister", "“worse now”", "!user suspend @eve"]);
    list.put("user", "old", rule(eve.user_id.as_str(), "m.takedown", "")).await?;
    let told = news(&scene, "Policy list 1 names @eve").await?;
    says(&told, "", &["Rule now: takedown by @lister", "I never do that by myself"]);

    // It goes, which is told, and nothing that an operator did is undone.
    list.withdraw("user", "new").await?;
    let told = news(&scene, "Policy list 1 has withdrawn its rule about ").await?;
    says(&told, "", &[sam.user_id.as_str(), "stays as it is"]);
    ensure!(is(&scene, &sam, "suspended").await?);
    says(&read(&scene).await?, "", &["nothing new"]);
    assert_eq!(all_news(&scene).len(), 6);

    // Whom an operator has let go is named as that by the next rule.
    says(&scene.ann_asks(&format!("!user unsuspend {}", sam.user_id)).await?, "Done", &[]);
    list.ban("again", sam.user_id.as_str(), "spam again").await?;
    let told = news(&scene, "Policy list 1 names ").await?;
    says(&told, "", &["which is left alone", "let go by @ann"]);
    let kept = scene.ann_asks("!policy keep --list").await?;
    says(&kept, "One was let go", &["@sam", "by ann"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_can_write_there_never_makes_the_bot_act() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let list = List::make(&scene, "lister").await?;
    let (one, two) = (scene.subject("herd-a").await?, scene.subject("herd-b").await?);
    watching(&scene, json!([{"room": list.room, "mode": "act"}])).await?;
    told_since(&scene, 0, "Policy list 1 was read for the first time: 0 rules").await?;

    // The bot is not in the room, so what is said there does not reach it, whoever says it.
    let members = format!("/_matrix/client/v3/rooms/{}/joined_members", list.room);
    let (_, members) = list.by.get(&members).await?;
    assert!(members["joined"].get(scene.bot_id().as_str()).is_none(), "{members}");
    let room = list.room.as_str().try_into()?;
    scene.ann().join(room).await?;
    let (status, _) = scene
        .ann()
        .api()
        .put(
            &format!("/_matrix/client/v3/rooms/{}/send/m.room.message/1", list.room),
            json!({"msgtype": "m.text", "body": format!("!user suspend {}", one.user_id)}),
        )
        .await?;
    ensure!(status == 200);

    // Rules that name operators, admins, the bot; patterns; everything; nonsense.
    let (moe, vic) = (&scene.accounts()[0].user_id, &scene.accounts()[1].user_id);
    let herd = one.user_id.localpart().replace("herd-a", "herd-?");
    let pattern = format!("@{herd}:synod.test");
    list.ban("moe", moe.as_str(), "an operator").await?;
    list.ban("vic", vic.as_str(), "an operator").await?;
    list.ban("keeper", scene.keeper().user_id.as_str(), "an admin").await?;
    list.ban("bot", scene.bot_id().as_str(), "the bot").await?;
    list.put("room", "admin", rule(scene.room().as_str(), "m.ban", "")).await?;
    list.put("user", "down", rule(two.user_id.as_str(), "m.takedown", "")).await?;
    list.ban("herd", &pattern, "a herd").await?;
    list.ban("junk1", "@eve:synod.test\n!user lock @ann", "x").await?;
    list.ban("junk2", "--all", "x").await?;
    list.put("user", "junk3", json!({"entity": ["@a:b"], "recommendation": {}})).await?;
    let mark = scene.ann().mark();
    let told = news(&scene, "Policy list 1 names 5 accounts here").await?;
    for (id, why) in [
        (moe.as_str(), "an operator"),
        (vic.as_str(), "an operator"),
        (scene.keeper().user_id.as_str(), "the account of the bot's admin token"),
        (scene.bot_id().as_str(), "the bot's own account"),
    ] {
        says(&told, "", &[&format!("Left alone: {id}: {why}")]);
    }
    let command = offered(&told, "!user suspend")?;
    assert!(command.starts_with(&format!("!user suspend {} --reason", two.user_id)), "{command}");
    let admin_room = told_since(&scene, mark, "which is left alone").await?;
    says(&admin_room, "", &[scene.room().as_str(), "an admin room of the bot"]);
    let told = told_since(&scene, mark, "has the pattern").await?;
    says(&told, "", &[&pattern, "fits 2 accounts here", "Samples: @herd-a", "never makes me act"]);
    for account in [&one, &two] {
        ensure!(!is(&scene, account, "suspended").await?, "{}", account.user_id);
    }

    // A reply to it is about all that it fits, and asked with the whole ids.
    let reply = scene.ann().reply(scene.room(), &told.event_id, "!user suspend").await?;
    let question = scene.answer(scene.ann(), &reply).await?;
    says(&question, "", &[one.user_id.as_str(), two.user_id.as_str(), "!confirm"]);
    code(&question)?;

    // Everything.
    list.ban("all", "*", "").await?;
    let told = news(&scene, "has the pattern “*”").await?;
    says(&told, "", &["which fits ", "never makes me act"]);
    ensure!(!is(&scene, &one, "suspended").await?);
    let record = scene.ann_asks("!audit list").await?;
    assert!(!record.body.contains("suspended"), "{record}");
    Ok(())
}

/// A list by which the bot acts by itself.
async fn acting(scene: &Scene, per_hour: usize) -> Result<List> {
    let list = List::make(scene, "lister").await?;
    let lists = json!([{"room": list.room, "mode": "act", "per_hour": per_hour}]);
    watching(scene, lists).await?;
    told_since(scene, 0, "Policy list 1 was read for the first time").await?;
    Ok(list)
}

/// The announcement that the bot acts on this account.
async fn acts_on(scene: &Scene, account: &Account) -> Result<Message> {
    news(scene, &format!("Policy list 1 names {}: I suspend it", account.user_id)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_config_says_so_a_rule_is_a_sanction_that_ends_with_it() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let list = acting(&scene, 10).await?;
    let room = make(&list.by, json!({"name": "Bad room"})).await?;

    // It names rule, list and sender in the room and on record.
    list.ban("eve", eve.user_id.as_str(), "spam").await?;
    let told = acts_on(&scene, &eve).await?;
    says(&told, "", &["Rule: ban by @lister", "“spam”", &list.room]);
    let is_done = |message: &Message| {
        message.reply_to.as_ref() == Some(&told.event_id) && message.body.contains("is suspended")
    };
    let done = scene.ann().wait_for("it is done", is_done).await?;
    says(&done, "Done", &["I undo it when the rule is withdrawn", "!undo "]);
    ensure!(is(&scene, &eve, "suspended").await?);
    let record = scene.ann_asks(&format!("!audit list --on {}", eve.user_id)).await?;
    says(&record, "The record", &[" synod-", "suspended @eve", "“policy list "]);
    let number = digits(&record.body, " · #")?;
    let record = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(
        &record,
        "",
        // Of a long reason the beginning is shown.
        &[&format!("policy list {}: ban of @eve", list.room), "by @lister"],
    );
    list.put("room", "bad", rule(&room, "m.ban", "bad")).await?;
    let told = news(&scene, ": I block it").await?;
    says(&told, "", &[&room]);
    let blocked = format!("/_synapse/admin/v1/rooms/{room}/block");
    assert_eq!(scene.synapse().admin().get(&blocked).await?.1["block"], true);

    // Whoever types the same is told what it rests on.
    let same = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    says(&same, "Nothing changed", &["by a rule of the policy list", "!user unsuspend"]);

    // What somebody has changed meanwhile is theirs.
    let tom = scene.subject("tom").await?;
    list.ban("tom", tom.user_id.as_str(), "spam").await?;
    acts_on(&scene, &tom).await?;
    let path = format!("/_synapse/admin/v1/suspend/{}", tom.user_id);
    let (status, _) = scene.synapse().admin().put(&path, json!({"suspend": false})).await?;
    ensure!(status == 200);
    list.withdraw("user", "tom").await?;
    let mark = scene.ann().mark();
    read(&scene).await?;
    let told = told_since(&scene, mark, "I leave it to you what to do").await?;
    says(&told, "Nothing changed", &[tom.user_id.as_str(), "it has changed since"]);

    // A kill between the announcement and its end: once, and it ends with the rule all the same.
    list.ban("sam", sam.user_id.as_str(), "spam").await?;
    let asked = scene.ann().say(scene.room(), "!policy read").await?;
    told_since(&scene, 0, &format!("names {}: I suspend it", sam.user_id)).await?;
    killed(&scene).await?;
    let _ = scene.answer(scene.ann(), &asked).await?;
    read(&scene).await?;
    let of_sam = all_news(&scene).into_iter().filter(|m| m.body.contains("@sam")).count();
    assert_eq!(of_sam, 1);
    let record = scene.ann_asks(&format!("!audit list --on {}", sam.user_id)).await?;
    assert_eq!(record.body.matches("suspended @sam").count(), 1, "{record}");

    // The rules go.
    for (about, key) in [("user", "eve"), ("room", "bad")] {
        list.withdraw(about, key).await?;
    }
    read(&scene).await?;
    let told = told_in_reply(&scene, &done, "so I undid it").await?;
    says(&told, "Done", &[eve.user_id.as_str()]);
    ensure!(!is(&scene, &eve, "suspended").await?);
    assert_eq!(scene.synapse().admin().get(&blocked).await?.1["block"], false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_let_go_is_not_taken_again_and_a_flood_of_rules_is_asked_about() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (tom, una) = (scene.subject("tom").await?, scene.subject("una").await?);
    let list = acting(&scene, 2).await?;
    // Two rules at once about one account are one sanction.
    list.ban("eve", eve.user_id.as_str(), "spam").await?;
    list.ban("eve1", eve.user_id.as_str(), "spam").await?;
    acts_on(&scene, &eve).await?;
    ensure!(is(&scene, &eve, "suspended").await?);
    assert_eq!(all_news(&scene).len(), 2, "the first look, and this");

    // An operator lets her go: neither that rule nor another one takes her again.
    says(&scene.ann_asks(&format!("!user unsuspend {}", eve.user_id)).await?, "Done", &[]);
    list.ban("eve2", eve.user_id.as_str(), "spam again").await?;
    let told = news(&scene, "which is left alone").await?;
    says(&told, "", &[eve.user_id.as_str(), "let go by @ann"]);
    list.withdraw("user", "eve").await?;
    read(&scene).await?;
    ensure!(!is(&scene, &eve, "suspended").await?);

    // One more may be taken within this hour; of the others operators are asked.
    for (key, account) in [("a", &sam), ("b", &tom), ("c", &una)] {
        list.ban(key, account.user_id.as_str(), "flood").await?;
    }
    let told = news(&scene, "Policy list 1 names 2 accounts here").await?;
    says(&told, "", &["!user suspend @", "Nothing was done"]);
    let mut taken = 0;
    for account in [&sam, &tom, &una] {
        taken += usize::from(is(&scene, account, "suspended").await?);
    }
    assert_eq!(taken, 1);

    // A frozen bot does not act either.
    says(&scene.ann_asks("!freeze").await?, "", &["frozen"]);
    let vera = scene.subject("vera").await?;
    list.ban("d", vera.user_id.as_str(), "frozen").await?;
    news(&scene, "Policy list 1 names @vera").await?;
    ensure!(!is(&scene, &vera, "suspended").await?);
    Ok(())
}
