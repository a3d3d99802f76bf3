//! What is said, in order, and what must come of it.

use anyhow::{Context as _, Result};
use ruma::OwnedUserId;
use serde_json::{Value, json};
use world::{Api, Synapse};

use crate::{
    talk::Talk,
    town::{self, Town},
};

/// Plays all parts. An error means that the rest could not be played.
pub(crate) async fn tell(town: &Town, synapse: &Synapse, talk: &mut Talk<'_>) -> Result<()> {
    look(town, talk).await?;
    refuse(town, synapse, talk).await?;
    talk.take_down();
    suspend(town, synapse, talk).await?;
    deactivate(town, synapse, talk).await?;
    talk.compare_with_the_book()?;
    prove(town, synapse, talk).await
}

async fn look(town: &Town, talk: &mut Talk<'_>) -> Result<()> {
    talk.title("What can I type?");
    let help = talk.say(&town.ann, "!help").await?.body;
    let known = ["!help", "user", "deactivate", "undo"].iter().all(|word| help.contains(word));
    talk.check("it names the commands", known);

    talk.title("Who is here?");
    let list = talk.say(&town.ann, "!user list").await?.body;
    let everybody = town.everybody().all(|user| list.contains(user.as_str()));
    talk.check("everybody is in the list", everybody);

    talk.title("Who is that?");
    let spammer = &town.spammer.user_id;
    let details = talk.say(&town.ann, &format!("!user details {spammer}")).await?.body;
    let found = details.contains(spammer.as_str()) && details.contains(town::SPAMMER_NAME);
    talk.check("the answer is about that account", found);
    Ok(())
}

async fn refuse(town: &Town, synapse: &Synapse, talk: &mut Talk<'_>) -> Result<()> {
    talk.title("Somebody in the room who is no operator tries it too");
    let lena = &town.neighbour.user_id;
    let answer = talk.say(&town.stranger, &format!("!user suspend {lena}")).await?.body;
    talk.check("the stranger is refused", answer.starts_with("Refused · "));
    let account = synapse.admin().account(lena).await?;
    talk.check("the homeserver has not changed", account["suspended"] == json!(false));
    Ok(())
}

async fn suspend(town: &Town, synapse: &Synapse, talk: &mut Talk<'_>) -> Result<()> {
    talk.title("What can be undone runs at once");
    let lena = &town.neighbour.user_id;
    let suspended = async || {
        let account = synapse.admin().account(lena).await?;
        anyhow::Ok(account["suspended"] == json!(true))
    };
    let done = talk.say(&town.moses, &format!("!user suspend {lena}")).await?.body;
    talk.check("it says that it is done", done.starts_with("Done · "));
    talk.check("the homeserver says so too", suspended().await?);

    let undo = command(&done, "!undo ").context("the answer has no line that undoes it")?;
    let undone = talk.say(&town.moses, &undo).await?.body;
    talk.check("it says that it is undone", undone.starts_with("Done · "));
    talk.check("the homeserver says so too", !suspended().await?);
    Ok(())
}

async fn deactivate(town: &Town, synapse: &Synapse, talk: &mut Talk<'_>) -> Result<()> {
    talk.title("What cannot be undone is asked first");
    let spammer = &town.spammer.user_id;
    let question = talk.say(&town.ann, &format!("!user deactivate {spammer} --gdpr-erase")).await?;
    let erased = question.body.lines().next().is_some_and(|line| line.contains("ERASE"));
    talk.check("its first line says ERASE", erased);
    let before = synapse.admin().account(spammer).await?;
    talk.check("nothing has happened yet", before["deactivated"] == json!(false));
    talk.check("the account can still log in", log_in(town, synapse).await?.0 == 200);

    let yes = command(&question.body, "!confirm ").context("the question has no code")?;
    // Erasing takes more than a code: that the asker types the name once more.
    let yes = format!("{yes} {}", spammer.localpart());
    let done = talk.say(&town.ann, &yes).await?.body;
    talk.check("it says that it is done", done.starts_with("Done · "));
    let edit = town.ann.edit_of(&question.event_id, |_| true).await;
    talk.check("the question shows how it ended", edit.is_ok());
    Ok(())
}

async fn prove(town: &Town, synapse: &Synapse, talk: &mut Talk<'_>) -> Result<()> {
    talk.title("The homeserver's own word for it");
    let spammer = &town.spammer.user_id;
    let account = synapse.admin().account(spammer).await?;
    let told = ["name", "deactivated", "erased", "displayname", "threepids"];
    let told = told.map(|key| format!("  {key}: {}", account[key])).join("\n");
    talk.remark(&format!("GET /_synapse/admin/v2/users/{spammer}\n{told}"));
    let gone = (&account["deactivated"], &account["erased"]) == (&json!(true), &json!(true));
    talk.check("the account is deactivated and erased", gone);

    let (status, answer) = log_in(town, synapse).await?;
    talk.remark(&format!("POST /_matrix/client/v3/login as {spammer}\n  {status} {answer}"));
    talk.check("its password does not log in any more", status == 403);

    let (status, answer) = whoami(&synapse.api(&town.spammer_token)).await?;
    talk.remark(&format!("GET /_matrix/client/v3/account/whoami\n  {status} {answer}"));
    talk.check("its devices are logged out", status == 401);

    let mut others = Vec::new();
    for user in town.everybody().filter(|user| *user != spammer) {
        others.push(is_well(&synapse.admin(), user).await?);
    }
    talk.check("nobody else has been touched", others.into_iter().all(|well| well));
    Ok(())
}

async fn is_well(admin: &Api, user: &OwnedUserId) -> Result<bool> {
    let account = admin.account(user).await?;
    Ok(["deactivated", "suspended", "locked"].iter().all(|key| account[key] != json!(true)))
}

async fn log_in(town: &Town, synapse: &Synapse) -> Result<(u16, Value)> {
    let body = town::password_login(&town.spammer, "Somewhere");
    let (status, answer) = synapse.api("").post("/_matrix/client/v3/login", body).await?;
    Ok((status, answer))
}

async fn whoami(api: &Api) -> Result<(u16, Value)> {
    api.get("/_matrix/client/v3/account/whoami").await
}

/// The command that an answer gives to copy: `begin` and the digits after it.
fn command(answer: &str, begin: &str) -> Option<String> {
    let (_, after) = answer.split_once(begin)?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("{begin}{digits}"))
}
