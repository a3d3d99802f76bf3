//! A homeserver whose accounts an authentication service keeps: they are made there, and brought here
//! as tokens.

use std::path::Path;

use ruma::UserId;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Files,
    accounts::{Caller, write_secret},
    homeserver::Homeserver,
    questions, secret_in,
};
use crate::{config::Answers, finding::Finding, setup::questions::Terminal};

/// The commands that make an account and a token of it.
fn commands(account: &str, is_admin: bool) -> String {
    let name = account.trim_start_matches('@').split(':').next().unwrap_or_default();
    let grant = if is_admin { " --yes-i-want-to-grant-synapse-admin-privileges" } else { "" };
    format!(
        "  mas-cli manage register-user --yes {name}\n  \
         mas-cli manage issue-compatibility-token {name}{grant}\n"
    )
}

/// Brings the tokens of both accounts into their files, where somebody is there to paste them; else
/// says how they are made.
pub(super) async fn entry(
    server: &Homeserver,
    files: &Files,
    answers: &Answers,
    terminal: &mut dyn Terminal,
) -> Result<Caller, Finding> {
    let admin = answers.admin_account.as_deref().unwrap_or(questions::ADMIN_ACCOUNT);
    let bot = answers.bot.as_deref().unwrap_or(questions::BOT);
    let admin_commands = commands(admin, true);
    terminal.print(&format!(
        "An authentication service manages the accounts of this homeserver, so create them there. \
        On its machine, run:\n\n{admin_commands}{}\nThe token that the second line prints goes \
        into {}, that of the fourth into {}, each in a file that only this user can read (chmod \
        0600).",
        commands(bot, false),
        files.admin_token.display(),
        files.access_token.display(),
    ));
    let Some(token) = pasted("The token that the second line printed", terminal) else {
        return Err(Finding::bad(
            "accounts: an authentication service manages them, and they are not created yet",
            "Follow the steps above, and run this again",
        ));
    };
    let caller = Caller::of(server, &token).await.map_err(|trouble| {
        let to_do = trouble.to_do("--homeserver", "Use the token that the command printed");
        Finding::bad(format!("admin token: the homeserver does not accept it: {trouble}"), to_do)
    })?;
    caller.check_admin().await.map_err(|trouble| {
        let what = format!("admin token: {} is not an admin: {trouble}", caller.user);
        Finding::bad(
            what,
            "Use one that was made with --yes-i-want-to-grant-synapse-admin-privileges",
        )
    })?;
    write_secret(&files.admin_token, &token)?;
    if secret_in(&files.access_token)?.is_none()
        && let Some(token) = pasted("The token that the fourth line printed", terminal)
    {
        write_secret(&files.access_token, &token)?;
    }
    Ok(caller)
}

fn pasted(question: &str, terminal: &mut dyn Terminal) -> Option<SecretString> {
    let token = terminal.can_ask().then(|| terminal.ask_secret(question)).flatten()?;
    let token = token.expose_secret().trim();
    (!token.is_empty() && !token.contains(char::is_whitespace)).then(|| token.into())
}

/// The bot by its token, which lies in `file`.
pub(super) async fn bot(
    server: &Homeserver,
    account: &UserId,
    file: &Path,
) -> Result<Finding, Finding> {
    let shown = file.display();
    let Some(token) = secret_in(file)? else {
        return Err(Finding::bad(
            format!("bot: its access token is not in {shown}"),
            format!(
                "On the machine of the authentication service, run mas-cli manage register-user \
                 --yes {0} and mas-cli manage issue-compatibility-token {0}, put the token there, \
                 and run this again",
                account.localpart()
            ),
        ));
    };
    let caller = Caller::of(server, &token).await.map_err(|trouble| {
        Finding::bad(
            format!("bot: the token in {shown} does not work: {trouble}"),
            trouble.to_do("--homeserver", "Put a working one there, and run this again"),
        )
    })?;
    if caller.user != account {
        return Err(Finding::bad(
            format!("bot: the token in {shown} belongs to {}, not to {account}", caller.user),
            "Put the bot's own token there, or name that account with --bot",
        ));
    }
    Ok(Finding::ok(format!("bot: the token of {account} in {shown} works")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_the_account_without_its_server() {
        let told = commands("@synod-admin:example.org", true);
        assert!(told.contains("register-user --yes synod-admin\n"), "{told}");
        assert!(told.contains("token synod-admin --yes-i-want-to-grant-synapse-admin"), "{told}");
        let told = commands("synod", false);
        assert!(told.ends_with("issue-compatibility-token synod\n"), "{told}");
    }
}
