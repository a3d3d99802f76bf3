//! `user 3pid`: whose a mail address or telephone number is, and which ones an account has.

use async_trait::async_trait;
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    account::{self, words},
    details::{contacts, mask},
};
use crate::{
    change::{Path, Power, Subject},
    commands::{Memory, Query, Spec, Tables, arguments::UserRef, refusals::looks},
    error::Stop,
    reply::{Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<ThreePid>(
    "3pid",
    &[
        "user 3pid ann@mail.example",
        "user 3pid \"+44 20 7946 0000\" --medium msisdn",
        "user 3pid @ann:example.org",
        "user 3pid @ann:example.org --show-3pid",
    ],
);

/// Find the account with an email address or phone number, or list those of an account
///
/// Type a phone number with its country code. The addresses and numbers of an account are masked unless
/// you add --show-3pid. To find somebody by an address, you need a role that may see private data.
#[derive(Debug, clap::Args)]
struct ThreePid {
    /// An email address or phone number; or an account by its full id, @ann:example.org
    #[arg(value_name = "ADDRESS|USER")]
    what: What,
    /// The kind of address: email, or msisdn for a phone number
    #[arg(short, long, default_value = "email")]
    medium: String,
    /// Show the addresses and numbers of an account in full
    #[arg(long = "show-3pid")]
    show: bool,
}

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    User(UserRef),
    Address(String),
}

impl std::str::FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A mail address has its @ in the middle.
        if text.starts_with('@') {
            return text.parse().map(Self::User);
        }
        if text.chars().all(char::is_alphabetic) {
            return Err(
                "it is neither an email address nor a phone number; to list those of an account, \
                type its full id, such as @ann:example.org"
                    .to_owned(),
            );
        }
        Ok(Self::Address(text.trim().to_owned()))
    }
}

#[derive(Debug, Deserialize)]
struct Found {
    user_id: OwnedUserId,
}

/// The ways in which the homeserver may have kept an address: it compares them to the letter.
fn spellings(medium: &str, address: &str) -> Vec<String> {
    let mut spellings = match medium {
        "email" => vec![address.to_lowercase(), address.to_owned()],
        "msisdn" => vec![address.chars().filter(char::is_ascii_digit).collect()],
        _ => vec![address.to_owned()],
    };
    spellings.retain(|spelling| !spelling.is_empty());
    spellings.dedup();
    spellings
}

impl ThreePid {
    async fn owner(&self, address: &str, reader: &Reader) -> Result<OwnedUserId, Stop> {
        for spelling in spellings(&self.medium, address) {
            let path = Path::admin(["v1", "threepid", &self.medium, "users", &spelling]);
            if let Some(found) = reader.find::<Found>(&path, &[]).await? {
                reader.may_name(&Subject::User(found.user_id.clone()))?;
                return Ok(found.user_id);
            }
        }
        let line = Line::new().plain("no account here has ").hostile(&Hostile::new(address));
        let line = line.plain(" as ").hostile(&Hostile::new(&self.medium));
        Err(Stop::not_found(match self.medium.as_str() {
            "email" if !address.contains('@') => {
                line.plain(". For a phone number add --medium msisdn")
            }
            _ => line,
        }))
    }
}

#[async_trait]
impl Query for ThreePid {
    fn power(&self) -> Power {
        match self.what {
            What::User(_) if !self.show => Power::Look,
            What::User(_) | What::Address(_) => Power::LookPrivate,
        }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::SIGN_ON])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        match &self.what {
            What::User(user) => {
                let user = reader.user_id(user)?;
                let account = account::existing(&user, reader).await?;
                Ok(Reply::data(Line::new().code(&user)).facts(contacts(&account, self.show)))
            }
            What::Address(address) => Ok(told(&self.owner(address, reader).await?, address)),
        }
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let data = match &self.what {
            What::User(user) => {
                let user = reader.user_id(user)?;
                account::existing(&user, reader).await?;
                let path = Path::admin(["v2", "users", user.as_str()]);
                let mut account: Value = reader.get(&path, &[]).await?;
                if !self.show {
                    mask(&mut account);
                }
                json!({
                    "threepids": account["threepids"],
                    "external_ids": account["external_ids"],
                })
            }
            What::Address(address) => json!({ "user_id": self.owner(address, reader).await? }),
        };
        Ok(sheet.object("3pid", &data)?)
    }
}

fn told(user: &UserId, address: &str) -> Reply {
    let title = Line::new().code(user).plain(" has ").hostile(&Hostile::new(address));
    Reply::data(title).command("Look at it", words(["user", "details", user.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn an_address_is_looked_for_as_the_homeserver_keeps_it() {
        assert_eq!(
            spellings("email", "Ann@Mail.example"),
            ["ann@mail.example", "Ann@Mail.example"]
        );
        assert_eq!(spellings("email", "ann@mail.example"), ["ann@mail.example"]);
        assert_eq!(spellings("msisdn", "+44 (20) 7946-0000"), ["442079460000"]);
        assert!(spellings("msisdn", "ann").is_empty());
    }

    #[test]
    fn what_is_private_takes_its_own_power() {
        for (typed, power) in [
            (&["@ann:example.org"][..], Power::Look),
            (&["@ann"], Power::Look),
            (&["@ann:example.org", "--show-3pid"], Power::LookPrivate),
            (&["ann@mail.example"], Power::LookPrivate),
            (&["442079460000", "-m", "msisdn"], Power::LookPrivate),
        ] {
            assert_eq!(testing::parse::<ThreePid>(typed).unwrap().power(), power, "{typed:?}");
        }
        assert!(testing::parse::<ThreePid>(&["ann"]).is_err(), "one kind is not taken for another");
    }

    #[test]
    fn the_account_is_named() {
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        assert_eq!(
            testing::reply(&told(user, "ann@mail.example")),
            "`@ann:example.org` has “ann@mail.example”\nLook at it: !user details @ann:example.org\n"
        );
    }
}
