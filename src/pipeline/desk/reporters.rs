//! Who has reported something: how many, how new their accounts are, and who reports far more than others.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, ServerName};
use tracing::warn;

use crate::{cases::Report, refs::without_server, reply::Line, synapse::Reader};

/// How many reporters are named; the others are counted.
const NAMED: usize = 3;
/// From so many reporters on it is looked up how new their accounts are.
const ENOUGH: usize = 5;
/// Of so many it is looked up at most.
const LOOKED_UP: usize = 50;
/// An account is new for so long.
const NEW: SignedDuration = SignedDuration::from_hours(24);
/// How many are remembered.
const REMEMBERED: usize = 10_000;
/// Whoever has reported so much in a case, and half of all of it, is named with numbers.
const FLOOD: usize = 10;

/// When reporters' accounts were created, as far as that was looked up: it does not change.
#[derive(Debug, Default)]
pub(super) struct Reporters(Mutex<HashMap<OwnedUserId, Option<Timestamp>>>);

impl Reporters {
    /// When the account was created, where it is one of this homeserver that knows it.
    async fn created(&self, user: &OwnedUserId, reader: &Reader) -> Option<Timestamp> {
        if let Some(known) = self.known().get(user) {
            return *known;
        }
        if !reader.is_local(user) {
            return None;
        }
        let account = reader.account(user).await.inspect_err(|error| {
            warn!(error = error as &dyn std::error::Error, "a reporter cannot be looked up");
        });
        let created = account.ok()?.and_then(|account| account.created);
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(user.clone(), created);
        created
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<OwnedUserId, Option<Timestamp>>> {
        // Nothing is left half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has reported, in a line: `@ann, @bob and 3 more; 4 of 5 are accounts created within a day`.
    pub(super) async fn line(&self, reports: &[Report], reader: &Reader, now: Timestamp) -> Line {
        let by = counted(reports);
        let line = named(&by, reader.server_name());
        let line = match flooding(&by, reports.len()) {
            Some((user, count)) => line
                .plain("; ")
                .plain(format!("{count} of {} by ", reports.len()))
                .code(without_server(user.as_str(), reader.server_name()))
                .plain(" alone"),
            None => line,
        };
        if by.len() < ENOUGH {
            return line;
        }
        let (mut new, mut looked_up) = (0, 0);
        for (user, _) in by.iter().take(LOOKED_UP) {
            looked_up += 1;
            let created = self.created(user, reader).await;
            new += usize::from(created.is_some_and(|at| now.duration_since(at) <= NEW));
        }
        match new {
            0 => line,
            _ => line.plain(format!("; {new} of {looked_up} are accounts created within a day")),
        }
    }
}

/// Who has reported how much, the most first.
pub(super) fn counted(reports: &[Report]) -> Vec<(&OwnedUserId, usize)> {
    let mut counts: BTreeMap<&OwnedUserId, usize> = BTreeMap::new();
    for report in reports {
        *counts.entry(&report.by).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// Whoever has reported most of it, where that is much.
fn flooding<'a>(by: &[(&'a OwnedUserId, usize)], all: usize) -> Option<(&'a OwnedUserId, usize)> {
    let (user, count) = *by.first()?;
    (by.len() > 1 && count >= FLOOD && count * 2 >= all).then_some((user, count))
}

/// `@ann, @bob and 3 more`.
fn named(by: &[(&OwnedUserId, usize)], own: &ServerName) -> Line {
    let mut line = Line::new();
    for (place, (user, count)) in by.iter().take(NAMED).enumerate() {
        let gap = match place {
            0 => "",
            _ if place + 1 == by.len() => " and ",
            _ => ", ",
        };
        line = line.plain(gap).code(without_server(user.as_str(), own));
        if *count > 1 {
            line = line.plain(format!(" ({count} times)"));
        }
    }
    match by.len().saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{ReportKind, Reported};

    fn reports(by: &[(&str, usize)]) -> Vec<Report> {
        let one = |name: &str, id: u64| Report {
            kind: ReportKind::Account,
            id,
            at: None,
            by: format!("@{name}:x.test").try_into().unwrap(),
            reason: None,
            what: Reported::Account("@eve:x.test".try_into().unwrap()),
            aside: false,
        };
        let all = by.iter().flat_map(|(name, count)| (0..*count).map(move |_| *name));
        all.enumerate().map(|(id, name)| one(name, id as u64)).collect()
    }

    #[test]
    fn whoever_floods_is_named_with_numbers() {
        let told = |by: &[(&str, usize)]| {
            let reports = reports(by);
            let by = counted(&reports);
            let own = <&ServerName>::try_from("x.test").unwrap();
            let flooding = flooding(&by, reports.len());
            (named(&by, own).text(), flooding.map(|(user, count)| (user.to_string(), count)))
        };
        assert_eq!(told(&[("ann", 1)]), ("@ann".to_owned(), None));
        assert_eq!(told(&[("ann", 1), ("bob", 1)]), ("@ann and @bob".to_owned(), None));
        let (line, flooding) =
            told(&[("ann", 1), ("troll", 38), ("bob", 1), ("cat", 1), ("dan", 1)]);
        assert_eq!(line, "@troll (38 times), @ann, @bob and 2 more");
        assert_eq!(flooding, Some(("@troll:x.test".to_owned(), 38)));
        assert_eq!(told(&[("ann", 38)]).1, None, "there is nobody to compare with");
    }
}
