//! What is seen of an account, and what of it is new.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::reply::Hostile;

/// How many of the new ones of each kind are named; the others are counted.
const NAMED: usize = 5;

/// What one look has found. What could not be looked up is missing, and then nothing is said of it.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Its devices.
    pub devices: Option<Vec<LookedDevice>>,
    /// The rooms that it is in.
    pub rooms: Option<Vec<OwnedRoomId>>,
    /// Its newest files.
    pub files: Option<Files>,
    /// The newest reports of what it has written.
    pub event_reports: Option<LookedReports>,
    /// The newest reports of the account itself.
    pub account_reports: Option<LookedReports>,
}

impl Look {
    /// Whether nothing at all could be looked up.
    pub fn is_empty(&self) -> bool {
        let Self { devices, rooms, files, event_reports, account_reports } = self;
        devices.is_none()
            && rooms.is_none()
            && files.is_none()
            && event_reports.is_none()
            && account_reports.is_none()
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedDevice {
    /// Its id.
    pub id: String,
    /// The name that its owner or client gave it.
    pub name: Option<Hostile>,
}

/// The newest files of an account, on one page.
#[derive(Debug, Clone)]
pub struct Files {
    /// How many there are in all.
    pub total: u64,
    /// Those on the page.
    pub page: Vec<LookedFile>,
    /// Whether there are older ones that are not on it.
    pub more: bool,
}

/// A file.
#[derive(Debug, Clone)]
pub struct LookedFile {
    /// When it was uploaded.
    pub at: Option<Timestamp>,
    /// What is told of it.
    pub file: NewFile,
}

/// What is told of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// Its id on this homeserver.
    pub id: String,
    /// The name under which it was uploaded.
    pub name: Option<Hostile>,
    /// How large it is.
    pub bytes: Option<u64>,
}

/// The newest reports of one kind, on one page.
#[derive(Debug, Clone)]
pub struct LookedReports {
    /// Those on the page that are about the account.
    pub page: Vec<LookedReport>,
    /// Whether there are older ones that are not on it.
    pub more: bool,
}

/// A report about the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedReport {
    /// Its number on the homeserver, which a homeserver that was put back gives away again.
    pub id: u64,
    /// When it was received.
    pub at: Option<Timestamp>,
    /// Who reported it.
    pub by: OwnedUserId,
    /// Why, in their words.
    pub reason: Option<Hostile>,
    /// In which room, where it is about an event.
    pub room: Option<OwnedRoomId>,
}

/// What was seen last. What was never seen is missing: the first look at it is what later ones are held
/// against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    devices: Option<BTreeSet<String>>,
    rooms: Option<BTreeSet<OwnedRoomId>>,
    files: Option<Newest>,
    event_reports: Option<Newest>,
    account_reports: Option<Newest>,
}

/// The newest entries of a list that only grows at its end: which were seen, and up to when all were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    keys: BTreeSet<String>,
    /// When the oldest of them came, where there are older ones: those come to light where newer ones
    /// are deleted, and are not new.
    floor: Option<Timestamp>,
}

impl Newest {
    fn of(entries: &[(String, Option<Timestamp>)], more: bool) -> Self {
        let floor = entries.iter().filter_map(|(_, at)| *at).min().filter(|_| more);
        Self { keys: entries.iter().map(|(key, _)| key.clone()).collect(), floor }
    }

    fn is_new(&self, (key, at): &(String, Option<Timestamp>)) -> bool {
        let is_older = matches!((at, self.floor), (Some(at), Some(floor)) if *at <= floor);
        !self.keys.contains(key) && !is_older
    }
}

/// Some of what is new, and how much it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Few<T> {
    /// How many there are.
    pub count: usize,
    /// Whether there may be more.
    pub at_least: bool,
    /// The first of them.
    pub named: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { count: 0, at_least: false, named: Vec::new() }
    }
}

impl<T> Few<T> {
    fn of(all: Vec<T>, at_least: bool) -> Self {
        let count = all.len();
        let named = all.into_iter().take(NAMED).collect();
        Self { count, at_least: at_least && count > 0, named }
    }
}

/// A room that was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRoom {
    /// Its id.
    pub id: OwnedRoomId,
    /// Its name, where it has one and that could be looked up.
    pub name: Option<Hostile>,
}

/// What is new of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// New devices.
    pub devices: Few<LookedDevice>,
    /// Rooms that it has joined.
    pub joined: Few<NewRoom>,
    /// Rooms that it has left, or was taken out of.
    pub left: Few<OwnedRoomId>,
    /// New files, the newest first.
    pub files: Few<NewFile>,
    /// How large those are together, as far as that is known.
    pub bytes: u64,
    /// New reports of what it has written and of the account itself, the newest first.
    pub reports: Few<LookedReport>,
}

impl News {
    /// Whether there is nothing new.
    pub fn is_empty(&self) -> bool {
        let Self { devices, joined, left, files, bytes: _, reports } = self;
        [devices.count, joined.count, left.count, files.count, reports.count] == [0; 5]
    }
}

impl Seen {
    /// Takes in what a look has found, and returns what of it is new.
    pub fn take(&mut self, look: Look) -> News {
        let Look { devices, rooms, files, event_reports, account_reports } = look;
        let (joined, left) = self.take_rooms(rooms);
        let (files, bytes) = self.take_files(files);
        let events = take_reports(&mut self.event_reports, event_reports, "event");
        let accounts = take_reports(&mut self.account_reports, account_reports, "account");
        let at_least = events.1 || accounts.1;
        let reports: Vec<LookedReport> = events.0.into_iter().chain(accounts.0).collect();
        News {
            devices: self.take_devices(devices),
            joined,
            left,
            files,
            bytes,
            reports: Few::of(reports, at_least),
        }
    }

    fn take_devices(&mut self, found: Option<Vec<LookedDevice>>) -> Few<LookedDevice> {
        let Some(found) = found else { return Few::default() };
        let ids = found.iter().map(|device| device.id.clone()).collect();
        let Some(before) = self.devices.replace(ids) else { return Few::default() };
        let new = found.into_iter().filter(|device| !before.contains(&device.id));
        Few::of(new.collect(), false)
    }

    fn take_rooms(&mut self, found: Option<Vec<OwnedRoomId>>) -> (Few<NewRoom>, Few<OwnedRoomId>) {
        let Some(found) = found else { return Default::default() };
        let now: BTreeSet<OwnedRoomId> = found.into_iter().collect();
        let Some(before) = self.rooms.replace(now.clone()) else { return Default::default() };
        let room = |id: &OwnedRoomId| NewRoom { id: id.clone(), name: None };
        let joined = now.difference(&before).map(room).collect();
        let left = before.difference(&now).cloned().collect();
        (Few::of(joined, false), Few::of(left, false))
    }

    fn take_files(&mut self, found: Option<Files>) -> (Few<NewFile>, u64) {
        let Some(Files { page, more, .. }) = found else { return Default::default() };
        let entry = |file: &LookedFile| (file.file.id.clone(), file.at);
        let entries: Vec<_> = page.iter().map(entry).collect();
        let Some(before) = self.files.replace(Newest::of(&entries, more)) else {
            return Default::default();
        };
        let all = page.len();
        let new: Vec<NewFile> = page
            .into_iter()
            .filter(|file| before.is_new(&entry(file)))
            .map(|file| file.file)
            .collect();
        let bytes = new.iter().filter_map(|file| file.bytes).fold(0, u64::saturating_add);
        let at_least = more && new.len() == all;
        (Few::of(new, at_least), bytes)
    }
}

/// The new ones of one kind of reports, and whether there may be more.
fn take_reports(
    seen: &mut Option<Newest>,
    found: Option<LookedReports>,
    kind: &str,
) -> (Vec<LookedReport>, bool) {
    let Some(LookedReports { page, more }) = found else { return (Vec::new(), false) };
    let entry = |report: &LookedReport| {
        let at = report.at.map(Timestamp::as_millisecond).unwrap_or_default();
        (format!("{kind}-{}-{at}", report.id), report.at)
    };
    let entries: Vec<_> = page.iter().map(entry).collect();
    let Some(before) = seen.replace(Newest::of(&entries, more)) else {
        return (Vec::new(), false);
    };
    let all = page.len();
    let new: Vec<_> = page.into_iter().filter(|report| before.is_new(&entry(report))).collect();
    let at_least = more && new.len() == all;
    (new, at_least)
}
