//! A homeserver on which no bot is yet, and somebody with an encrypted client who waits for one: for the
//! test that installs the package on an empty machine, `deploy/debian/test.sh`.
//!
//! `newcomer FOLDER` writes there what a setup is told (`site`, lines for a shell). Once the script makes a
//! file `started` there, the operator accepts the invitation and types `!help`; what is answered is in `help`.
//! It goes when there is a file `done`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use world::{Options, Person, Synapse};

/// How long the script may take to install and set up.
const PATIENCE: Duration = Duration::from_mins(10);

/// How often it is looked whether something has come.
const AGAIN: Duration = Duration::from_millis(200);

const PASSWORD: &str = "of somebody who is an admin";

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).context("usage: newcomer FOLDER")?;
    let synapse = Synapse::start(Options::default()).await?;
    let keeper = synapse.register("root", PASSWORD, true, "Root").await?;
    let ann = synapse.register("ann", "somebody else's", false, "Ann").await?;
    let ann = Person::login(&synapse, ann.user_id.localpart(), &ann.password).await?;
    let site = format!(
        "url='{}' login='{}' password='{PASSWORD}' operator='{}'\n",
        synapse.url(),
        keeper.user_id,
        ann.user_id(),
    );
    world::write_secret(&folder.join("site"), &site)?;
    let asked = async {
        comes(&folder.join("started")).await?;
        let room = invitation(&ann).await?;
        ann.join(&room).await?;
        let help = ann.say(&room, "!help").await?;
        let answer = ann.answer_to(&help).await?;
        if !answer.from_signed_device {
            bail!("the answer is of no device that its owner has signed");
        }
        Ok(answer.body)
    };
    let body = tokio::time::timeout(PATIENCE, asked).await.context("no bot came")??;
    world::write_secret(&folder.join("help"), &body)?;
    comes(&folder.join("done")).await
}

/// Waits for a file.
async fn comes(file: &Path) -> Result<()> {
    while !fs::exists(file)? {
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// The room to which somebody is invited.
async fn invitation(person: &Person) -> Result<ruma::OwnedRoomId> {
    loop {
        let (status, synced) = person.api().get("/_matrix/client/v3/sync?timeout=0").await?;
        anyhow::ensure!(status == 200, "{status} {synced}");
        let invited = synced["rooms"]["invite"].as_object().and_then(|rooms| rooms.keys().next());
        if let Some(room) = invited {
            return Ok(room.parse()?);
        }
        tokio::time::sleep(AGAIN).await;
    }
}
