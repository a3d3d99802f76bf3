//! `user details`: everything about one account on one screen.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::UserId;
use serde_json::{Value, json};

use super::{
    account::{self, Belongings},
    kept, specified,
};
use crate::{
    change::{Path, Power, Subject},
    commands::{
        Memory, Query, Remembered, Spec, Specified, Tables,
        arguments::UserRef,
        past::{self, PAST},
        refusals::looks,
        room::known,
    },
    error::Stop,
    reply::{Fact, Hostile, Line, Reply, Sheet},
    synapse::{Account, Reader},
};

pub(super) const SPEC: Spec = Spec::query::<Details>(
    "details",
    &["user details @ann:example.org", "user details ann --show-3pid"],
)
.also(&["show"])
.specified(Specified::States);

/// Show one account: who it is, its state, its rooms, devices and media, and what I did to it
///
/// Email addresses, phone numbers and single sign-on ids are masked.
#[derive(Debug, clap::Args)]
struct Details {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Show email addresses, phone numbers and single sign-on ids in full
    #[arg(long = "show-3pid")]
    show_3pid: bool,
    /// Show everything, also what goes without saying
    #[arg(long)]
    all: bool,
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        if self.show_3pid { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        account::local(&user, reader)?;
        if reader.sees_by_specification() {
            let Some(account) = reader.account(&user).await? else {
                return Err(account::unknown(&user, reader).await);
            };
            return Ok(Self::all_of(&account, memory, reader.now()));
        }
        // All at once: the answer takes as long as the slowest, not as long as the sum.
        let (account, belongings, reports, keeper) = tokio::join!(
            reader.account(&user),
            Belongings::of(&user, reader),
            reports(&user, reader),
            reader.keeper(&user)
        );
        let Some(mut account) = account? else {
            return Err(account::unknown(&user, reader).await);
        };
        if account.told.is_some() {
            return Ok(Self::all_of(&account, memory, reader.now()));
        }
        account.last_seen = belongings.last_seen(&account);
        let sessions = kept::sessions_of(&keeper, reader).await;
        let compared = kept::compared(&mut account, keeper);
        let mut facts = if self.all {
            account::facts(&account, reader.now())
        } else {
            account::on_card(&account, reader.now())
        };
        facts.extend(contacts(&account, self.show_3pid));
        facts.extend(belongings.facts());
        facts.push(("Open reports", reports));
        facts.extend(sessions.into_iter().chain(compared));
        let remembered = memory.of(&Subject::User(user.clone()), PAST);
        Ok(told(&user, facts, &remembered, self.all, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        if reader.sees_by_specification() {
            let account = account::existing(&user, reader).await?;
            return Ok(sheet.object("account", &specified::data(&account))?);
        }
        let path = Path::admin(["v2", "users", user.as_str()]);
        let (known, devices) =
            tokio::join!(account::existing(&user, reader), reader.devices(&user));
        let known = known?;
        let mut account: Value = reader.get(&path, &[]).await?;
        account["creation_ts"] = json!(known.created.map(Timestamp::as_second));
        // As it is said in words; the homeserver's own field is empty after a month.
        let seen = reader.last_seen(&known, &devices.unwrap_or_default());
        account["last_seen_ts"] = json!(seen.map(Timestamp::as_millisecond));
        if !self.show_3pid {
            mask(&mut account);
        }
        Ok(sheet.object("account", &account)?)
    }
}

impl Details {
    /// All that is known of an account of which the homeserver tells no more.
    fn all_of(account: &Account, memory: &dyn Memory, now: Timestamp) -> Reply {
        let remembered = memory.of(&Subject::User(account.user_id.clone()), PAST);
        told(&account.user_id, account::facts(account, now), &remembered, true, now)
    }
}

/// Masks what ties the account to a person elsewhere.
pub(super) fn mask(account: &mut Value) {
    for (list, key) in [("threepids", "address"), ("external_ids", "external_id")] {
        let entries = account.get_mut(list).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            if let Some(Value::String(text)) = entry.get_mut(key) {
                masked(&Hostile::new(text.clone())).raw().clone_into(text);
            }
        }
    }
}

/// How often others have reported the account, and what it wrote.
async fn reports(user: &UserId, reader: &Reader) -> Line {
    let (messages, account) =
        tokio::join!(reader.reports_of_messages(user), reader.reports_of_account(user));
    let of_messages = match messages {
        Ok(0) if known::hides_all_reports(reader).await => {
            "unknown for messages, since this homeserver keeps no room statistics, ".into()
        }
        messages => account::count(&messages).plain(" of messages, "),
    };
    match account {
        // Older homeservers do not take them.
        Err(error) if error.is_unknown_route() => of_messages.plain("none of accounts here"),
        account => of_messages.line(account::count(&account)).plain(" of the account"),
    }
}

/// What every account has, in the rows of its card.
const ROWS: &[&[&str]] = &[&["Created", "Last seen"], &["Devices", "Rooms", "Media"]];

fn told(
    user: &UserId,
    facts: Vec<Fact>,
    remembered: &Remembered,
    all: bool,
    now: Timestamp,
) -> Reply {
    if all {
        return past::told(Reply::data(Line::new().code(user)).facts(facts), remembered, now);
    }
    let name = facts.iter().find(|(label, value)| *label == "Name" && value.text() != "none");
    let title = match name {
        Some((_, name)) => Line::new().code(user).plain(" ").line(name.clone()),
        None => Line::new().code(user),
    };
    let words = |words: [&str; 4]| words.map(str::to_owned).to_vec();
    let reply = past::on_card(past::card(title, &facts, ROWS), remembered, now);
    let reply = reply.command("All", words(["user", "details", user.as_str(), "--all"]));
    if remembered.past.is_empty() {
        return reply;
    }
    reply.command("Record", words(["audit", "list", "--on", user.as_str()]))
}

/// The kinds and number of what ties the account to a person elsewhere.
pub(super) fn contacts(account: &Account, full: bool) -> Vec<Fact> {
    let shown = |text: &Hostile| if full { text.clone() } else { masked(text) };
    let threepids = account.threepids.iter().map(|threepid| (&threepid.medium, &threepid.address));
    let external = account.external_ids.iter().map(|id| (&id.auth_provider, &id.external_id));
    let told = |mut pairs: Vec<(&Hostile, &Hostile)>| {
        pairs.sort_unstable();
        let mut line = Line::new();
        for (n, (kind, value)) in pairs.into_iter().enumerate() {
            line = line.plain(if n == 0 { "" } else { ", " });
            line = line.hostile(kind).plain(" ").hostile(&shown(value));
        }
        if line.is_empty() { "none".into() } else { line }
    };
    vec![("Mail and telephone", told(threepids.collect())), ("Sign-on", told(external.collect()))]
}

/// An address of which only as much is left as it takes to recognise what one knows already.
pub(super) fn masked(address: &Hostile) -> Hostile {
    let first = |text: &str| text.chars().take(1).collect::<String>();
    let masked = if let Some((name, domain)) = address.raw().split_once('@') {
        format!("{}…@{}…", first(name), first(domain))
    } else {
        let chars: Vec<char> = address.raw().chars().collect();
        let left = chars.len().min(8) / 4;
        let end: String = chars.iter().skip(chars.len() - left).collect();
        format!("…{end}")
    };
    Hostile::new(masked)
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::{
        commands::{Noted, Past, Sanctioned, user::testing::now},
        reply::{Status, phone},
    };

    #[test]
    fn only_what_is_asked_for_in_full_takes_the_power_over_private_things() {
        let plain = testing::parse::<Details>(&["ann"]).unwrap();
        assert_eq!(plain.power(), Power::Look);
        let full = testing::parse::<Details>(&["--show-3pid", "@ann:example.org"]).unwrap();
        assert_eq!(full.power(), Power::LookPrivate);
        assert!(testing::parse::<Details>(&[]).is_err());
    }

    #[test]
    fn addresses_are_masked_unless_asked_for() {
        let account = testing::account(json!({
            "threepids": [
                {"medium": "msisdn", "address": "4915112345678"},
                {"medium": "email", "address": "ann@example.org"},
            ],
            "external_ids": [{"auth_provider": "oidc-corp", "external_id": "ann.lee"}],
        }));
        insta::assert_snapshot!(testing::facts(&contacts(&account, false)), @r"
        Mail and telephone: “email” “a…@e…”, “msisdn” “…78”
        Sign-on: “oidc-corp” “…e”
        ");
        insta::assert_snapshot!(testing::facts(&contacts(&account, true)), @r"
        Mail and telephone: “email” “ann@example.org”, “msisdn” “4915112345678”
        Sign-on: “oidc-corp” “ann.lee”
        ");
        let mut data = json!({"threepids": [{"medium": "email", "address": "ann@example.org"}],
            "external_ids": [{"auth_provider": "oidc", "external_id": "ann.lee"}]});
        mask(&mut data);
        assert_eq!(data["threepids"][0], json!({"medium": "email", "address": "a…@e…"}));
        assert_eq!(data["external_ids"][0], json!({"auth_provider": "oidc", "external_id": "…e"}));
        assert_eq!(masked(&Hostile::new("")).raw(), "…");
        assert_eq!(masked(&Hostile::new("äb")).raw(), "…");
    }

    #[test]
    fn the_dossier_says_who_it_is_and_what_was_done() {
        let account = testing::account(json!({
            "admin": 1, "locked": true, "suspended": true, "user_type": "bot",
            "appservice_id": "irc", "last_seen_ts": null,
        }));
        let command = "!user suspend @ann:example.org --for 3d".to_owned();
        let by: ruma::OwnedUserId = "@moe:example.org".try_into().unwrap();
        let past = Past {
            id: 12,
            at: "2026-11-20T11:00:00Z".parse().unwrap(),
            by: by.clone(),
            words: Vec::new(),
            command: command.clone(),
            status: Some(Status::Done),
        };
        let until = "2026-11-23T11:00:00Z".parse().unwrap();
        let remembered = Remembered {
            past: vec![past],
            sanctions: vec![Sanctioned {
                id: 12,
                until,
                by: by.clone(),
                words: Vec::new(),
                command,
            }],
            notes: vec![Noted {
                id: 9,
                at: "2026-11-20T10:00:00Z".parse().unwrap(),
                by,
                text: Hostile::new("warned *by* mail"),
            }],
        };
        let reply =
            told(&account.user_id, account::facts(&account, now()), &remembered, true, now());
        insta::assert_snapshot!(testing::reply(&reply), @r"
        `@ann:example.org`
        Name: “Ann Lee”
        Id: `@ann:example.org`
        Created: 2025-10-09 08:53 UTC (1 year ago)
        Last seen: not known
        Server admin: **yes**
        State: **locked, suspended**
        Type: “bot”
        Bridged by: “irc”
        Notes:
        - “warned *by* mail” by `@moe:example.org`, 4 h ago, #9
        Ends by itself:
        - in 2 days: `!user suspend @ann:example.org --for 3d` by `@moe:example.org`, #12
        Done through me:
        - 3 h ago: Done · `!user suspend @ann:example.org --for 3d` by `@moe:example.org`, #12
        ");
    }

    #[test]
    fn a_card_is_half_a_screen_and_leaves_out_what_goes_without_saying() {
        let account = testing::account(json!({"suspended": true}));
        let mut facts = account::on_card(&account, now());
        facts.extend(contacts(&account, false));
        for (label, count) in [("Devices", 2), ("Rooms", 4), ("Media", 3)] {
            facts.push((label, count.to_string().into()));
        }
        facts.push(("Open reports", "0 of messages, 0 of the account".into()));
        let by: ruma::OwnedUserId = "@moses:example.org".try_into().unwrap();
        let past = Past {
            id: 12,
            at: "2026-11-20T11:00:00Z".parse().unwrap(),
            by,
            words: Vec::new(),
            command: "!user suspend @ann:example.org".to_owned(),
            status: Some(Status::Done),
        };
        let remembered = Remembered { past: vec![past], ..Remembered::default() };
        let body = phone::body(&told(&account.user_id, facts, &remembered, false, now()));
        insta::assert_snapshot!(body, @r"
        @ann:example.org “Ann Lee”

        State: suspended
        Created: 1 year ago · Last seen: 3 min ago
        Devices: 2 · Rooms: 4 · Media: 3

        Done through me:
        - 3 h ago: Done · !user suspend @ann:example.org by @moses:example.org, #12

        All: !user details @ann:example.org --all
        Record: !audit list --on @ann:example.org
        ");
        assert!(phone::lines(&body) <= phone::SCREEN / 2, "{} lines", phone::lines(&body));
    }
}
