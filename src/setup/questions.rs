//! What is asked where it was not said, and who is asked.

use std::io::Read as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::{accounts::Visit, homeserver::Homeserver, secret_in};
use crate::{
    config::{Answers, Named, Rank},
    finding::Finding,
};

/// What the bot is called where nothing else is said.
pub(super) const BOT: &str = "synod";

/// What the account of the admin token is called where nothing else is said.
pub(super) const ADMIN_ACCOUNT: &str = "synod-admin";

/// How often a password may be mistyped.
const TRIES: usize = 3;

/// The longest secret that is read from standard input, in bytes.
const LIMIT: u64 = 1 << 16;

/// Where things are told and asked.
pub trait Terminal: Send {
    /// Tells one thing that was found or done.
    fn tell(&mut self, finding: &Finding);

    /// Prints lines that somebody is to use as they are.
    fn print(&mut self, text: &str);

    /// Whether anybody is there to be asked.
    fn can_ask(&self) -> bool;

    /// Asks for one line; nothing where nobody answers.
    fn ask(&mut self, question: &str) -> Option<String>;

    /// Asks for a secret, which is not shown as it is typed.
    fn ask_secret(&mut self, question: &str) -> Option<SecretString>;
}

/// Asks for a line, until there is one or nobody answers.
fn line(
    question: &str,
    default: Option<&str>,
    flag: &str,
    terminal: &mut dyn Terminal,
) -> Result<String, Finding> {
    let asked = default.map_or_else(|| question.to_owned(), |text| format!("{question} [{text}]"));
    while terminal.can_ask() {
        let Some(answer) = terminal.ask(&asked) else { break };
        match (answer.trim(), default) {
            ("", None) => {}
            ("", Some(default)) => return Ok(default.to_owned()),
            (answer, _) => return Ok(answer.to_owned()),
        }
    }
    Err(missing(question, flag))
}

fn missing(question: &str, flag: &str) -> Finding {
    Finding::bad(
        format!("missing: {question}"),
        format!("Give {flag}, or run it in a terminal, where it asks"),
    )
}

/// The homeserver.
pub(super) fn homeserver(
    answers: &Answers,
    terminal: &mut dyn Terminal,
) -> Result<String, Finding> {
    if let Some(homeserver) = &answers.homeserver {
        return Ok(homeserver.clone());
    }
    let question = "The homeserver, such as example.org or https://matrix.example.org";
    line(question, None, "--homeserver ADDRESS", terminal)
}

/// The bot and the operators. `answers.login` is who is asked, where that is known.
pub(super) fn team(answers: &mut Answers, terminal: &mut dyn Terminal) -> Result<(), Finding> {
    if answers.bot.is_none() && terminal.can_ask() {
        let name = line("The bot's name", Some(BOT), "--bot NAME", terminal)?;
        answers.bot = Some(name);
    }
    if !answers.operators.is_empty() {
        return Ok(());
    }
    let question = "Admins, who may use every command (names, separated by spaces)";
    let admins = line(question, answers.login.as_deref(), "--admin NAME", terminal)?;
    let mut named = named(&admins, Rank::Admin);
    for (rank, whom) in
        [(Rank::Moderator, "moderators"), (Rank::Viewer, "viewers, who can only look")]
    {
        let question = format!("The names of {whom}, if any");
        named.extend(self::named(&terminal.ask(&question).unwrap_or_default(), rank));
    }
    answers.operators = named;
    Ok(())
}

fn named(names: &str, rank: Rank) -> Vec<Named> {
    let names = names.split([' ', ',', ';']).map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| Named { user: name.to_owned(), rank, master_key: None }).collect()
}

/// The login of a server admin. It is asked for last, with the password, so that nobody waits with a
/// login that is open.
pub(super) async fn visit(
    server: &Homeserver,
    answers: &mut Answers,
    terminal: &mut dyn Terminal,
) -> Result<Visit, Finding> {
    if let Some(file) = &answers.token_file {
        let token = secret_of(file)?;
        let visit = Visit::by_token(server, &token).await?;
        answers.login.get_or_insert_with(|| visit.caller.user.to_string());
        team(answers, terminal)?;
        return Ok(visit);
    }
    let who = "The name of a server admin, whose login is used only once";
    if answers.login.is_none() {
        answers.login = Some(line(who, None, "--login NAME", terminal)?);
    }
    team(answers, terminal)?;
    let account = answers.admin_account.clone().unwrap_or_else(|| ADMIN_ACCOUNT.to_owned());
    let mut user = answers.login.clone().unwrap_or_default();
    if let Some(file) = &answers.password_file {
        return Visit::by_password(server, &user, &secret_of(file)?, &account).await;
    }
    for tries_left in (0..TRIES).rev() {
        let question = format!("The password of {user}");
        let password = terminal.can_ask().then(|| terminal.ask_secret(&question)).flatten();
        let Some(password) = password.filter(|password| !password.expose_secret().is_empty())
        else {
            return Err(missing(&question, "--password-file FILE"));
        };
        match Visit::by_password(server, &user, &password, &account).await {
            Err(finding) if tries_left > 0 => terminal.tell(&finding),
            came => return came,
        }
        user = line(who, Some(&user), "--login NAME", terminal)?;
    }
    Err(missing(who, "--login NAME"))
}

/// A secret from a file, or from standard input where the file is `-`.
fn secret_of(file: &std::path::Path) -> Result<SecretString, Finding> {
    if file.as_os_str() != "-" {
        return secret_in(file)?.ok_or_else(|| {
            let what = format!("{}: there is no such file", file.display());
            Finding::bad(what, "Name the file that contains the secret, or - for standard input")
        });
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LIMIT).read_to_string(&mut text);
    let secret = SecretString::from(text);
    let line = secret.expose_secret().trim_end_matches(['\r', '\n']);
    if read.is_err() || line.trim().is_empty() || line.contains(['\r', '\n', '\0']) {
        let what = "standard input: it does not contain a secret on one line";
        return Err(Finding::bad(what, "Send only the secret, for example with < FILE"));
    }
    Ok(SecretString::from(line))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Somebody who answers in this order.
    struct Person(VecDeque<&'static str>, Vec<String>);

    impl Terminal for Person {
        fn tell(&mut self, _: &Finding) {}

        fn print(&mut self, _: &str) {}

        fn can_ask(&self) -> bool {
            true
        }

        fn ask(&mut self, question: &str) -> Option<String> {
            self.1.push(question.to_owned());
            self.0.pop_front().map(str::to_owned)
        }

        fn ask_secret(&mut self, question: &str) -> Option<SecretString> {
            self.ask(question).map(SecretString::from)
        }
    }

    #[test]
    fn what_was_not_said_is_asked_and_what_was_is_not() {
        let answers = ["", "ann, @bob:x", "moe", ""];
        let mut person = Person(answers.into(), Vec::new());
        let mut answers = Answers { login: Some("ann".into()), ..Answers::default() };
        team(&mut answers, &mut person).unwrap();
        assert_eq!(answers.bot.as_deref(), Some("synod"));
        let ranks: Vec<_> =
            answers.operators.iter().map(|one| (one.user.as_str(), one.rank)).collect();
        let wanted = [("ann", Rank::Admin), ("@bob:x", Rank::Admin), ("moe", Rank::Moderator)];
        assert_eq!(ranks, wanted);
        assert!(person.1[1].ends_with("[ann]"), "{:?}", person.1);
        let asked = person.1.len();
        team(&mut answers, &mut person).unwrap();
        assert_eq!(person.1.len(), asked);
    }

    #[test]
    fn where_nobody_answers_it_says_which_option_to_give() {
        let mut person = Person(VecDeque::new(), Vec::new());
        let told = homeserver(&Answers::default(), &mut person).unwrap_err().to_string();
        assert!(told.contains("Give --homeserver ADDRESS"), "{told}");
        let mut person = Person(["", "", "x"].into(), Vec::new());
        assert_eq!(homeserver(&Answers::default(), &mut person).unwrap(), "x");
    }
}
