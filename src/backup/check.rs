//! A look through everything that the store holds.

use std::path::Path;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::de::IgnoredAny;

use super::Error;
use crate::{
    audit::{Audit, Kept, Verified},
    cases::{Case, ReadTo, Report, ReporterNotices, SetAside},
    clock::SharedClock,
    command_aliases::CommandAlias,
    confirm::Ticket,
    finding::Finding,
    freeze::Freeze,
    jobs::{Item, Job},
    new_accounts::NewAccounts,
    notes::Note,
    observed::Observed,
    places::Place,
    policy_lists::{Kept as KeptRule, LetGo, List, Measure},
    preferences::Preference,
    sanctions::Sanction,
    store::{self, RawRecord, Store},
    unsaid::Unsaid,
    watches::Watch,
    wave_alerts::WaveAlert,
    wave_exceptions::WaveException,
};

/// Records that are named, of those of a shelf that cannot be read.
const NAMED: usize = 3;

/// Whether a record can be read as what its shelf holds.
type Readable = fn(&RawRecord) -> Result<(), store::Error>;

/// Every shelf that there is: its name, what is in it, and how it is read.
pub(super) const SHELVES: &[(&str, &str, Readable)] = &[
    ("admin-account", "the owner of the admin token", RawRecord::check::<OwnedUserId>),
    ("admin-token", "the lifetime of the admin token", RawRecord::check::<IgnoredAny>),
    ("aliases", "rooms by their aliases", RawRecord::check::<OwnedRoomId>),
    ("asked-to-lift", "whether the rate limit was asked about", RawRecord::check::<bool>),
    ("audit", "entries of the record", RawRecord::check::<Kept>),
    ("audit-about", "the record by subject", RawRecord::check::<u64>),
    ("audit-closed-by", "changes by what closed them", RawRecord::check::<u64>),
    ("audit-ends", "work that continued after changes", RawRecord::check::<u64>),
    ("audit-forgotten", "up to where details were deleted", RawRecord::check::<u64>),
    ("audit-mentions", "the record by account", RawRecord::check::<u64>),
    ("audit-open", "changes that are open", RawRecord::check::<u64>),
    ("audit-opened-by", "changes by their messages", RawRecord::check::<u64>),
    ("audit-redacted", "entries with erased people removed", RawRecord::check::<u64>),
    ("audit-undone-by", "changes that were undone", RawRecord::check::<u64>),
    ("backup-failed", "reported backup failures", RawRecord::check::<bool>),
    ("case-numbers", "the last number of a case", RawRecord::check::<u64>),
    ("case-reports", "reports of cases", RawRecord::check::<Report>),
    ("case-threads", "cases by their threads", RawRecord::check::<u64>),
    ("cases", "cases", RawRecord::check::<Case>),
    ("cases-open", "open cases by subject", RawRecord::check::<u64>),
    ("cases-unshown", "cases with something to tell", RawRecord::check::<u64>),
    ("changed_keys", "reported changes of keys", RawRecord::check::<String>),
    ("command-aliases", "aliases of commands", RawRecord::check::<CommandAlias>),
    ("desk", "up to where the record was searched for cases", RawRecord::check::<u64>),
    ("digests", "the last weekly summary", RawRecord::check::<jiff::Timestamp>),
    ("direct", "direct rooms", RawRecord::check::<OwnedRoomId>),
    ("entered_rooms", "rooms that are being joined", RawRecord::check::<bool>),
    ("freezes", "freezes", RawRecord::check::<Freeze>),
    ("gone_rooms", "rooms that no longer exist", RawRecord::check::<bool>),
    ("greeted", "rooms that were greeted", RawRecord::check::<jiff::Timestamp>),
    ("heard-at", "when the homeserver last answered", RawRecord::check::<jiff::Timestamp>),
    ("hourglasses", "marks of what is at work", RawRecord::check::<IgnoredAny>),
    ("imported", "whether it was imported", RawRecord::check::<jiff::Timestamp>),
    ("job-items", "subjects of jobs", RawRecord::check::<Item>),
    ("jobs", "jobs", RawRecord::check::<Job>),
    ("journal", "messages that were handled", RawRecord::check::<IgnoredAny>),
    ("listings", "lists that were shown", RawRecord::check::<IgnoredAny>),
    ("new-accounts", "new accounts to tell", RawRecord::check::<NewAccounts>),
    ("notes", "notes", RawRecord::check::<Note>),
    ("observed", "watched accounts", RawRecord::check::<Observed>),
    ("one-time-passwords", "used one-time passwords", RawRecord::check::<IgnoredAny>),
    ("pins", "keys of operators", RawRecord::check::<String>),
    ("places", "where answers stand", RawRecord::check::<Place>),
    ("policy-let-go", "what was let go in spite of rules", RawRecord::check::<LetGo>),
    ("policy-lists", "policy lists", RawRecord::check::<List>),
    ("policy-measures", "what was done by rules", RawRecord::check::<Measure>),
    ("policy-named", "what rules have named", RawRecord::check::<jiff::Timestamp>),
    ("policy-rules", "rules of policy lists", RawRecord::check::<KeptRule>),
    ("position", "positions where reading stopped", RawRecord::check::<OwnedEventId>),
    ("preferences", "how operators want answers", RawRecord::check::<Preference>),
    ("profile", "what the bot's profile was given", RawRecord::check::<bool>),
    ("ratchet", "used ciphertexts of an earlier version", RawRecord::check::<OwnedEventId>),
    ("ratchet-files", "used ciphertexts of files", RawRecord::check::<IgnoredAny>),
    ("ratchet-sessions", "used ciphertexts", RawRecord::check::<IgnoredAny>),
    ("reactions", "reactions of the bot", RawRecord::check::<IgnoredAny>),
    ("record-head-told", "when the last hash was posted", RawRecord::check::<i64>),
    ("record-travelled", "up to where the record was posted", RawRecord::check::<u64>),
    ("record-written", "up to where the record's room has it", RawRecord::check::<u64>),
    ("refused_invites", "invitations that were refused", RawRecord::check::<OwnedUserId>),
    ("reporter-notices", "reporters who are to be told", RawRecord::check::<ReporterNotices>),
    ("reports-aside", "reporters whose reports do not count", RawRecord::check::<SetAside>),
    ("reports-read", "up to where reports were read", RawRecord::check::<ReadTo>),
    ("reports-taken", "reports that are in cases", RawRecord::check::<IgnoredAny>),
    ("sanctions", "sanctions", RawRecord::check::<Sanction>),
    ("sanctions-lifting", "temporary measures that are being ended", RawRecord::check::<u64>),
    ("sanctions-on", "temporary measures by subject", RawRecord::check::<String>),
    ("state-version", "the version of the state", RawRecord::check::<u32>),
    ("state-written-by", "the release that wrote it", RawRecord::check::<String>),
    ("strange-hours", "messages of strangers", RawRecord::check::<u64>),
    ("strangers", "strangers who got an answer", RawRecord::check::<jiff::Timestamp>),
    ("tickets", "questions", RawRecord::check::<Ticket>),
    ("undecrypted", "messages that could not be decrypted", RawRecord::check::<IgnoredAny>),
    ("unsaid", "answers that could not be sent", RawRecord::check::<Unsaid>),
    ("upgraded_rooms", "rooms that were upgraded", RawRecord::check::<OwnedRoomId>),
    ("warned", "warnings that were given", RawRecord::check::<IgnoredAny>),
    ("watches", "watched work of the homeserver", RawRecord::check::<Watch>),
    ("wave-alerts", "the wave that was told", RawRecord::check::<WaveAlert>),
    ("wave-exceptions", "accounts taken out of waves", RawRecord::check::<WaveException>),
];

/// Looks through the store of the state in the folder `state`, which nobody else may have open: what
/// every shelf holds, what cannot be read, and whether the record's chain is whole. Changes nothing.
pub fn check(store: &Store, state: &Path, clock: SharedClock) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for name in store.shelves()? {
        let known = SHELVES.iter().find(|(shelf, ..)| *shelf == name);
        match known {
            Some((_, what, readable)) => findings.push(shelf(store, &name, what, *readable)?),
            None => findings.push(Finding::warn(
                format!("{name}: unknown content"),
                "Another version of Synod wrote it",
            )),
        }
    }
    findings.push(chain(store, clock));
    findings.extend(left_over(state));
    Ok(findings)
}

/// How many records there are, and which of them cannot be read.
fn shelf(store: &Store, name: &str, what: &str, readable: Readable) -> Result<Finding, Error> {
    let (mut count, mut unread, mut named) = (0_u64, 0_u64, Vec::new());
    for record in store.records(name)? {
        count += 1;
        let failed = match record {
            Ok(record) => {
                readable(&record).err().map(|error| format!("{:?} ({error})", record.key))
            }
            Err(error) => Some(format!("what follows ({error})")),
        };
        if let Some(failed) = failed {
            unread += 1;
            if named.len() < NAMED {
                named.push(failed);
            }
        }
    }
    let found = format!("{name}: {count} ({what})");
    if unread == 0 {
        return Ok(Finding::ok(found));
    }
    Ok(Finding::bad(
        format!("{found}; {unread} of them cannot be read: {}", named.join(", ")),
        "Keep a copy of the state, and restore a backup; see docs/backup.md",
    ))
}

/// Whether the record is one unbroken chain.
fn chain(store: &Store, clock: SharedClock) -> Finding {
    let unread = |error: store::Error| {
        Finding::bad(format!("the record cannot be read: {error}"), "Restore a backup")
    };
    let audit = match Audit::looked_at(store, clock) {
        Ok(audit) => audit,
        Err(error) => return unread(error),
    };
    match audit.verify() {
        Ok(Verified::Whole(head)) => Finding::ok(format!(
            "the record is whole: {} entries; the last is {}",
            head.count, head.hash
        )),
        Ok(Verified::Broken(broken)) => Finding::bad(
            broken.to_string(),
            "Compare it with a hash kept elsewhere: in record.file, the rooms, a backup",
        ),
        Err(error) => unread(error),
    }
}

/// What earlier repairs have left beside the store.
fn left_over(state: &Path) -> Vec<Finding> {
    let entries = std::fs::read_dir(state).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut old: Vec<String> = names
        .filter(|name| name.starts_with("store.broken-") || name == "store.before-compacting")
        .collect();
    old.sort();
    let finding = |name| {
        Finding::warn(
            format!("{name}: an earlier store beside this one"),
            "Remove it when nobody needs it any more",
        )
    };
    old.into_iter().map(finding).collect()
}
