//! What goes on after an account was deactivated: the homeserver takes it out of its rooms one by one
//! after it has answered. And where no answer came, whether it was deactivated at all: with thousands
//! of devices that takes longer than anything waits that stands before the homeserver.

use async_trait::async_trait;

use super::super::{
    account::{self, how_many, noted, words},
    kept,
};
use crate::{
    change::{Answer, Outcome, Progress, Snapshot, Subject, Undo},
    commands::LongWork,
    error::Stop,
    reply::{Fact, Line, Status},
    synapse::Reader,
};

/// How many rooms that it could not leave are named.
const NAMED: usize = 10;

/// What is followed, as it is kept under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// It leaves this many rooms.
    Leaving(u64),
    /// It is perhaps being deactivated; this many devices it had before.
    Unanswered(u64),
}

impl Work {
    fn id(self, subject: &Subject) -> String {
        let (kind, count) = match self {
            Self::Leaving(rooms) => (LEAVING, rooms),
            Self::Unanswered(devices) => (UNANSWERED, devices),
        };
        // Several accounts of one change are watched under ids of their own.
        format!("{kind}{count}-{}", subject.segment())
    }

    fn of(id: &str) -> Option<Self> {
        let count = |rest: &str| rest.split_once('-')?.0.parse().ok();
        if let Some(rest) = id.strip_prefix(LEAVING) {
            return Some(Self::Leaving(count(rest)?));
        }
        Some(Self::Unanswered(count(id.strip_prefix(UNANSWERED)?)?))
    }
}

// An id begins with one of these and no user id does.
const LEAVING: &str = "leaving-";
const UNANSWERED: &str = "unanswered-";

/// What is followed after an account was deactivated, whichever verb did it.
pub(in crate::commands::user) struct Leaving {
    /// Whether it was to be erased too.
    erase: bool,
    /// Whether its files were to go too.
    files: bool,
}

impl Leaving {
    /// What follows a deactivation, with erasure or without, with the files or without.
    pub(in crate::commands::user) fn after(erase: bool, files: bool) -> &'static Self {
        match (erase, files) {
            (false, false) => &Self { erase: false, files: false },
            (false, true) => &Self { erase: false, files: true },
            (true, false) => &Self { erase: true, files: false },
            (true, true) => &Self { erase: true, files: true },
        }
    }
}

#[async_trait]
impl LongWork for Leaving {
    /// It goes on where the account is deactivated and still in rooms.
    fn begins(
        &self,
        subject: &Subject,
        _answers: &[Answer],
        after: Option<&Snapshot>,
    ) -> Option<String> {
        let after = after?;
        if is_to_follow(after, self.erase) {
            return Some(Work::Leaving(noted(after, "rooms").unwrap_or(0)).id(subject));
        }
        let rooms = noted(after, "rooms").filter(|&rooms| rooms > 0 && after.is("deactivated"))?;
        Some(Work::Leaving(rooms).id(subject))
    }

    fn outlasts(&self, subject: &Subject, before: &Snapshot) -> Option<String> {
        Some(Work::Unanswered(noted(before, "devices").unwrap_or(0)).id(subject))
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        let work = Work::of(work).ok_or_else(|| Stop::refused("it is unknown what this was"))?;
        let seen = super::snapshot(subject, reader).await?;
        let rooms = reader.joined_rooms(account::id(subject)?).await?;
        let rooms: Vec<String> = rooms.into_iter().map(|room| room.to_string()).collect();
        Ok(far(subject, work, self, &seen, rooms))
    }
}

fn far(
    subject: &Subject,
    work: Work,
    wanted: &Leaving,
    seen: &Snapshot,
    mut rooms: Vec<String>,
) -> Progress {
    rooms.sort();
    let left = rooms.len() as u64;
    if !seen.is("exists") {
        let gone = ": the homeserver no longer knows the account";
        return Progress::Over(ended(Status::Unknown, Line::new().code(subject).plain(gone)));
    }
    if seen.is("deactivated") && is_to_follow(seen, wanted.erase) {
        return follows(subject);
    }
    if seen.is("deactivated") {
        if left > 0 {
            return leaves(subject, work, &rooms);
        }
        return Progress::Over(match work {
            Work::Leaving(all) => all_left(subject, seen, all),
            Work::Unanswered(_) => deactivated(subject, seen, wanted),
        });
    }
    match work {
        Work::Leaving(_) => {
            let all = how_many(Some(left), "room", "rooms");
            let again = format!(" was reactivated, and is in {all}");
            Progress::Over(ended(Status::DoneInPart, Line::new().code(subject).plain(again)))
        }
        Work::Unanswered(before) => active(subject, seen, before),
    }
}

/// Whether the homeserver has yet to do what the authentication service has done. Where that erases,
/// the homeserver is the only one that shows it.
fn is_to_follow(seen: &Snapshot, erase: bool) -> bool {
    kept::lags(seen) || kept::id(seen).is_some() && erase && !seen.is("erased")
}

/// The service has not told the homeserver yet, or was not heard.
fn follows(subject: &Subject) -> Progress {
    let state = "the authentication service has yet to tell the homeserver";
    let what = " is deactivated at the authentication service, and the homeserver does not have it so: \
        the service's log says why. Send the command again";
    let stuck = ended(Status::DoneInPart, Line::new().code(subject).plain(what));
    Progress::Counts { left: 1, facts: vec![("State", state.into())], stuck: Box::new(stuck) }
}

/// It is deactivated, and these rooms are still to be left.
fn leaves(subject: &Subject, work: Work, rooms: &[String]) -> Progress {
    let left = rooms.len() as u64;
    let of = match work {
        Work::Leaving(all) if all >= left => format!(" of {all}"),
        Work::Leaving(_) | Work::Unanswered(_) => String::new(),
    };
    let facts: Vec<Fact> = vec![("Rooms", format!("{left}{of} still to leave").into())];
    let many = how_many(Some(left), "room", "rooms");
    let mut title =
        Line::new().code(subject).plain(format!(" is deactivated, and still in {many}: "));
    for (n, room) in rooms.iter().take(NAMED).enumerate() {
        title = if n > 0 { title.plain(", ") } else { title }.code(room);
    }
    if rooms.len() > NAMED {
        title = title.plain(format!(" and {} more", rooms.len() - NAMED));
    }
    let title =
        title.plain(". The homeserver tried to remove it and makes no progress; its log says why");
    let mut stuck = ended(Status::DoneInPart, title);
    stuck.remains.push(("See its rooms".into(), words(["user", "membership", &subject.typed()])));
    Progress::Counts { left, facts, stuck: Box::new(stuck) }
}

/// The end, as it was to be.
fn all_left(subject: &Subject, seen: &Snapshot, all: u64) -> Outcome {
    let title = super::title(subject, seen);
    let rooms = match all {
        0 => return ended(Status::Done, title.plain(", and is in no room")),
        1 => "its room".to_owned(),
        all => format!("all {all} rooms"),
    };
    ended(Status::Done, title.plain(format!(", and has left {rooms}")))
}

/// The end of what nobody had answered for: it was done.
fn deactivated(subject: &Subject, seen: &Snapshot, wanted: &Leaving) -> Outcome {
    let mut outcome = super::outcome(subject, seen);
    outcome.title = outcome.title.plain(": the homeserver did it, although no answer came");
    // What was to follow was not sent, or was what no answer came to.
    let files = wanted.files && noted(seen, "media") != Some(0);
    if files {
        let left = how_many(noted(seen, "media"), "file", "files");
        outcome.title = outcome.title.plain(format!("; of its files are left: {left}"));
        let rest = words(["media", "delete-user", &subject.typed()]);
        outcome.remains.push(("Delete its files".into(), rest));
    }
    if files || wanted.erase && !seen.is("erased") {
        outcome.status = Status::DoneInPart;
    }
    outcome
}

/// No answer came, and it is not deactivated yet, or never will be.
fn active(subject: &Subject, seen: &Snapshot, before: u64) -> Progress {
    let devices = noted(seen, "devices");
    let left = devices.unwrap_or(before);
    let state = "still active; the homeserver may still be working on it";
    let facts: Vec<Fact> =
        vec![("State", state.into()), ("Devices", format!("{left} of {before} left").into())];
    let line = Line::new().code(subject);
    let stuck = if left < before {
        let what = format!(
            " is not deactivated, and {} of its {before} devices are logged out: the homeserver \
            makes no progress. Send the command again",
            before - left
        );
        ended(Status::DoneInPart, line.plain(what))
    } else {
        let what = " is not deactivated: the homeserver has not started, or has given up. Send the \
            command again";
        ended(Status::NothingChanged, line.plain(what))
    };
    // One more than the devices: the account itself is to be closed last.
    Progress::Counts { left: left + 1, facts, stuck: Box::new(stuck) }
}

fn ended(status: Status, title: Line) -> Outcome {
    let undo =
        Undo::None("reactivating it does not bring back the rooms that it has left".to_owned());
    Outcome { status, title, facts: Vec::new(), remains: Vec::new(), undo }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::user::testing::{self, ann};

    fn seen(account: Value, devices: u64) -> Snapshot {
        let account = testing::account(account);
        let mut seen = Snapshot {
            preconditions: account::facts_that_bind(true, Some(&account)),
            ..Snapshot::default()
        };
        seen.preconditions.insert("erased".to_owned(), json!(account.erased));
        seen.extra.insert("devices".to_owned(), json!(devices));
        seen.extra.insert("rooms".to_owned(), json!(0));
        seen
    }

    fn told(progress: Progress) -> String {
        match progress {
            Progress::Over(outcome) => testing::outcome(&outcome),
            Progress::Counts { left, facts, stuck } => {
                let stuck = testing::outcome(&stuck);
                format!("{left}\n{}or {stuck}", testing::facts(&facts))
            }
            other => format!("{other:?}"),
        }
    }

    fn rooms(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("!r{n:02}:example.org")).collect()
    }

    #[test]
    fn an_id_says_what_is_followed_and_whose_it_is() {
        for work in [Work::Leaving(120), Work::Unanswered(0), Work::Unanswered(3000)] {
            let id = work.id(&ann());
            assert!(id.ends_with("-@ann:example.org"), "{id}");
            assert_eq!(Work::of(&id), Some(work));
        }
        for other in ["@ann:example.org", "leaving-", "leaving-x-@a:b", "OYlTuHpFZrIgClwz", ""] {
            assert_eq!(Work::of(other), None, "{other}");
        }
        let mut after = seen(json!({"deactivated": true}), 0);
        let begun =
            |after: &Snapshot| Leaving::after(false, false).begins(&ann(), &[], Some(after));
        assert_eq!(begun(&after), None, "it is in no room");
        after.extra.insert("rooms".to_owned(), json!(2));
        assert_eq!(begun(&after).as_deref(), Some("leaving-2-@ann:example.org"));
        let mut active = seen(json!({}), 3);
        active.extra.insert("rooms".to_owned(), json!(2));
        assert_eq!(begun(&active), None, "nothing takes it out of its rooms");
        let unanswered = Leaving::after(true, false).outlasts(&ann(), &active);
        assert_eq!(unanswered.as_deref(), Some("unanswered-3-@ann:example.org"));
    }

    #[test]
    fn it_is_told_how_many_rooms_are_left_and_that_all_are() {
        let gone = seen(json!({"deactivated": true}), 0);
        let far = |left: usize, work| {
            told(far(&ann(), work, Leaving::after(false, false), &gone, rooms(left)))
        };
        let some = far(2, Work::Leaving(120));
        assert!(
            some.starts_with("2\nRooms: 2 of 120 still to leave\nor Done in part · "),
            "{some}"
        );
        assert!(some.contains("still in 2 rooms: `!r00:example.org`, `!r01:example.org`. "));
        assert!(far(12, Work::Leaving(12)).contains("`!r09:example.org` and 2 more"));
        assert!(far(2, Work::Unanswered(9)).starts_with("2\nRooms: 2 still to leave\n"));
        for (all, end) in [(120, "has left all 120 rooms"), (1, "has left its room")] {
            let over = far(0, Work::Leaving(all));
            assert!(
                over.starts_with("Done · `@ann:example.org` is deactivated and **not"),
                "{over}"
            );
            assert!(over.contains(end), "{over}");
        }
    }

    #[test]
    fn what_had_no_answer_is_followed_until_something_is_known() {
        let far = |seen: &Snapshot, erase| {
            told(far(
                &ann(),
                Work::Unanswered(3000),
                Leaving::after(erase, false),
                seen,
                Vec::new(),
            ))
        };
        let at_work = far(&seen(json!({}), 1200), false);
        assert!(at_work.starts_with("1201\nState: still active"), "{at_work}");
        assert!(at_work.contains("Devices: 1200 of 3000 left\nor Done in part · "), "{at_work}");
        assert!(at_work.contains("1800 of its 3000 devices are logged out"), "{at_work}");
        let never = far(&seen(json!({}), 3000), false);
        assert!(never.contains("or Nothing changed · `@ann:example.org` is not deact"), "{never}");
        let done = far(&seen(json!({"deactivated": true}), 0), false);
        assert!(done.starts_with("Done · ") && done.contains("although no answer came"), "{done}");
        let half = far(&seen(json!({"deactivated": true}), 0), true);
        assert!(half.starts_with("Done in part · "), "it was to be erased: {half}");
        let mut with_files = seen(json!({"deactivated": true}), 0);
        with_files.extra.insert("media".to_owned(), json!(3));
        let files = Leaving::after(false, true);
        let left = told(self::far(&ann(), Work::Unanswered(9), files, &with_files, Vec::new()));
        assert!(
            left.starts_with("Done in part · ") && left.contains("are left: 3 files"),
            "{left}"
        );
        let erased = far(&seen(json!({"deactivated": true, "erased": true}), 0), true);
        assert!(erased.starts_with("Done · ") && erased.contains("**ERASED**"), "{erased}");
    }

    #[test]
    fn what_is_opened_again_or_lost_ends_it() {
        let open = told(far(
            &ann(),
            Work::Leaving(5),
            Leaving::after(false, false),
            &seen(json!({}), 0),
            rooms(2),
        ));
        assert!(
            open.starts_with("Done in part · ") && open.contains("was reactivated, and is in 2")
        );
        let unknown =
            Snapshot { preconditions: account::facts_that_bind(true, None), ..Snapshot::default() };
        let lost =
            told(far(&ann(), Work::Leaving(5), Leaving::after(false, false), &unknown, Vec::new()));
        assert!(lost.starts_with("Unknown · "), "{lost}");
    }
}
