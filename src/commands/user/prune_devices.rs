//! `user prune-devices`: devices that have not been seen for long are logged out.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde_json::json;

use super::account::{self, how_many};
use crate::commands::refusals::Meaning;
use crate::{
    change::{Answer, Change, Class, Outcome, Power, Question, Skip, Snapshot, Subject},
    commands::{
        Action, Spec,
        arguments::{UserRef, device},
        device::delete,
    },
    error::Stop,
    reply::{Line, Status},
    synapse::{Device, Reader},
};

pub(super) const SPEC: Spec = Spec::action::<PruneDevices>(
    "prune-devices",
    &[
        "user prune-devices @ann:example.org",
        "user prune-devices @ann:example.org --min-days 30 --list-only",
        "user prune-devices @ann:example.org --min-days 0 --min-surviving 0 --never-seen",
    ],
);

/// Delete devices that have not been used for a long time: each is logged out
///
/// I collect all of them first, and ask before I delete any. Devices that were never seen stay unless
/// you add --never-seen, since they may be new. A dehydrated device, which collects keys while its
/// owner is away, always stays.
#[derive(Debug, clap::Args)]
struct PruneDevices {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// Only list the devices, and delete nothing
    #[arg(short, long)]
    list_only: bool,
    /// Only devices that have not been seen for this many days
    #[arg(short = 'd', long, value_name = "DAYS", default_value_t = 90,
          value_parser = clap::value_parser!(u32).range(0..=36_500))]
    min_days: u32,
    /// Keep at least this many devices, the most recently seen ones
    #[arg(short = 's', long, value_name = "NUMBER", default_value_t = 1)]
    min_surviving: usize,
    /// Only this device, and only if the other options allow it; can be repeated
    #[arg(short = 'i', long, value_name = "DEVICE", value_parser = device)]
    device_id: Vec<OwnedDeviceId>,
    /// Also devices that were never seen
    #[arg(long)]
    never_seen: bool,
    // What stays of each account, counted once while its devices are collected: there may be
    // thousands, and each of them is looked at.
    #[arg(skip)]
    stays: Mutex<HashMap<OwnedUserId, [usize; 3]>>,
}

/// The devices of one account, as far as they are to be deleted.
#[derive(Debug, Default)]
struct Chosen {
    /// To be deleted, the longest not seen first.
    stale: Vec<Device>,
    /// How many stay since they were never seen.
    never_seen: usize,
    /// How many stay since they are dehydrated.
    dehydrated: usize,
    /// How many stay since they were seen of late, are to survive, or were not named.
    others: usize,
}

impl PruneDevices {
    fn stays(&self) -> MutexGuard<'_, HashMap<OwnedUserId, [usize; 3]>> {
        self.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The devices that are to go, of those that an account has.
    fn choose(&self, devices: &[Device], now: Timestamp) -> Chosen {
        let days = SignedDuration::from_hours(i64::from(self.min_days) * 24);
        // The homeserver's clock may be ahead of mine, and no days at all are any age.
        let before = match self.min_days {
            0 => Timestamp::MAX,
            _ => now.checked_sub(days).unwrap_or(Timestamp::MIN),
        };
        let (dehydrated, mut ordinary): (Vec<&Device>, Vec<&Device>) =
            devices.iter().partition(|device| device.dehydrated);
        // What was never seen is the oldest; of two, the id decides, so that it is always the same.
        ordinary.sort_by(|a, b| match a.last_seen.cmp(&b.last_seen) {
            Ordering::Equal => a.device_id.cmp(&b.device_id),
            order => order,
        });
        let mut left = ordinary.len().saturating_sub(self.min_surviving);
        let mut chosen = Chosen { dehydrated: dehydrated.len(), ..Chosen::default() };
        for device in ordinary {
            let named = self.device_id.is_empty() || self.device_id.contains(&device.device_id);
            match device.last_seen {
                None if named && !self.never_seen => chosen.never_seen += 1,
                seen if named && left > 0 && seen.is_none_or(|seen| seen <= before) => {
                    left -= 1;
                    chosen.stale.push(device.clone());
                }
                _ => chosen.others += 1,
            }
        }
        chosen
    }
}

impl Chosen {
    /// What stays, and why.
    fn stays(&self) -> Vec<Line> {
        let counted = |count: usize, why: &str| {
            (count > 0).then(|| {
                let devices = how_many(Some(count as u64), "device", "devices");
                Line::from(format!("{devices}{why}"))
            })
        };
        [
            counted(self.others, " seen since then, or kept by the other options"),
            counted(self.never_seen, " never seen, as far as is known; --never-seen includes them"),
            counted(self.dehydrated, " dehydrated, which collects keys while its owner is away"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[async_trait]
impl Action for PruneDevices {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn amounts_to(&self) -> Vec<&'static str> {
        vec!["device delete", "user logout"]
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(delete::REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let mut subjects = Vec::new();
        let mut stays = Vec::new();
        for subject in account::subjects(&self.users, reader)? {
            let user = account::id(&subject)?;
            account::existing(user, reader).await?;
            let chosen = self.choose(&reader.devices(user).await?, reader.now());
            stays.extend(chosen.stays());
            let counts = [chosen.others, chosen.never_seen, chosen.dehydrated];
            self.stays().insert(user.to_owned(), counts);
            let stale = chosen.stale.into_iter();
            let device = |device: Device| Subject::Device(user.to_owned(), device.device_id);
            subjects.extend(stale.map(device));
        }
        if subjects.is_empty() {
            let why = Line::new().plain("there are no devices to delete");
            let why = stays.into_iter().enumerate().fold(why, |why, (n, line)| {
                why.plain(if n == 0 { ". Kept: " } else { "; " }).line(line)
            });
            return Err(Stop::ending(Status::NothingChanged, why));
        }
        Ok(subjects)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = delete::snapshot(subject, reader).await?;
        if seen.is("exists")
            && let Some(counts) = self.stays().get(account::id(subject)?)
        {
            seen.extra.insert("stays".to_owned(), json!(counts));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let count = |at: usize| {
            let count = seen.extra.get("stays").and_then(|counts| counts[at].as_u64());
            count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
        };
        let stays = Chosen {
            others: count(0),
            never_seen: count(1),
            dehydrated: count(2),
            ..Chosen::default()
        }
        .stays();
        Question { stays, ..delete::question(subject) }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let change = delete::change(subject, seen)?;
        if !self.list_only {
            return Ok(change);
        }
        let mut why = Line::new().code(subject);
        for (_, fact) in seen.display.iter().filter(|(label, _)| *label == "Name") {
            why = why.plain(" ").line(fact.clone());
        }
        why = why.plain(" would be deleted");
        for (_, fact) in seen.display.iter().filter(|(label, _)| *label == "Last seen") {
            why = why.plain("; last seen ").line(fact.clone());
        }
        Err(Skip::already(why))
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        delete::outcome(subject, before)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::now;

    /// A phone seen now, a laptop seen 100 days ago, a tablet seen 200 days ago, one never seen, and
    /// one dehydrated.
    fn devices() -> Vec<Device> {
        let day = 86_400_000;
        let now = now().as_millisecond();
        let device = |id: &str, seen: Option<i64>| {
            json!({"device_id": id, "display_name": id, "last_seen_ts": seen,
                "last_seen_ip": "192.0.2.7", "last_seen_user_agent": null,
                "dehydrated": id == "DRY"})
        };
        serde_json::from_value(json!([
            device("PHONE", Some(now)),
            device("LAPTOP", Some(now - 100 * day)),
            device("TABLET", Some(now - 200 * day)),
            device("NEVER", None),
            device("DRY", None),
        ]))
        .unwrap()
    }

    fn verb(typed: &[&str]) -> PruneDevices {
        testing::parse(&[&["ann"], typed].concat()).unwrap()
    }

    fn chosen(typed: &[&str]) -> Chosen {
        verb(typed).choose(&devices(), now())
    }

    fn stale(typed: &[&str]) -> String {
        let stale = chosen(typed).stale;
        stale.iter().map(|device| device.device_id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_longest_not_seen_go_first_and_some_survive() {
        assert_eq!(stale(&[]), "TABLET LAPTOP");
        assert_eq!(stale(&["-d", "150"]), "TABLET");
        assert_eq!(stale(&["-s", "3"]), "TABLET");
        assert_eq!(stale(&["-s", "9"]), "");
        assert_eq!(stale(&["-d", "0", "-s", "0"]), "TABLET LAPTOP PHONE");
        // A clock that is behind the homeserver's leaves nothing out.
        let behind = now() - SignedDuration::from_hours(1);
        assert_eq!(verb(&["-d", "0", "-s", "0"]).choose(&devices(), behind).stale.len(), 3);
        // The one who is named is held to the limits too.
        assert_eq!(stale(&["-i", "PHONE"]), "");
        assert_eq!(stale(&["-i", "LAPTOP"]), "LAPTOP");
    }

    #[test]
    fn what_was_never_seen_goes_only_by_name_and_what_is_dehydrated_never() {
        assert_eq!(stale(&["--never-seen"]), "NEVER TABLET LAPTOP");
        assert_eq!(stale(&["-d", "0", "-s", "0", "--never-seen"]), "NEVER TABLET LAPTOP PHONE");
        assert_eq!(stale(&["-i", "DRY", "-d", "0", "-s", "0", "--never-seen"]), "");
        let chosen = chosen(&[]);
        assert_eq!((chosen.others, chosen.never_seen, chosen.dehydrated), (1, 1, 1));
        let stays: Vec<String> = chosen.stays().iter().map(testing::line).collect();
        assert_eq!(stays[1], "1 device never seen, as far as is known; --never-seen includes them");
        assert!(stays[2].starts_with("1 device dehydrated"), "{stays:?}");
    }

    fn phone() -> Subject {
        Subject::Device("@ann:example.org".try_into().unwrap(), "PHONE".into())
    }

    fn seen() -> Snapshot {
        let account = testing::account(json!({}));
        let mut seen = Snapshot {
            preconditions: account::facts_that_bind(true, Some(&account)),
            ..Snapshot::default()
        };
        seen.preconditions.insert("device".to_owned(), json!(true));
        seen.display = vec![("Name", "Work".into()), ("Last seen", "never".into())];
        seen.extra.insert("stays".to_owned(), json!([2, 1, 0]));
        seen
    }

    #[test]
    fn it_asks_and_where_it_only_lists_it_sends_nothing() {
        let delete = verb(&[]);
        assert_eq!((delete.class(1), delete.power()), (Class::Disruptive, Power::Moderate));
        assert_eq!(delete.amounts_to(), ["device delete", "user logout"]);
        assert!(delete.change(&phone(), &seen()).is_ok());
        assert_eq!(
            testing::skip(&verb(&["-l"]).change(&phone(), &seen()).unwrap_err()),
            "Nothing changed · `PHONE of @ann:example.org` Work would be deleted; last seen never"
        );
        assert!(testing::parse::<PruneDevices>(&["ann", "-d", "-1"]).is_err());
        assert!(testing::parse::<PruneDevices>(&[]).is_err());
    }

    #[test]
    fn the_question_says_what_stays() {
        let asked = testing::question(&verb(&[]).question(&phone(), &seen()));
        assert!(asked.contains("Stays:\n- 2 devices seen since"), "{asked}");
        assert!(
            asked.ends_with(
                "- 1 device never seen, as far as is known; --never-seen includes them\n"
            ),
            "{asked}"
        );
    }
}
