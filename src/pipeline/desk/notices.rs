//! Telling reporters that what they reported was looked at, once a case is closed, where the config wants
//! that.
//!
//! Each is told by a server notice, as a change on record in the name of the operator who closed the case.
//! It says nothing of who was reported, by whom it was looked at, or what came of it. Nobody is told twice:
//! whoever was about to be told when the bot was stopped is not told again, and the record says so.

use ruma::OwnedUserId;
use tracing::{error, warn};

use super::{Desk, DeskRules, many};
use crate::{
    audit::Record,
    cases::{About, Case, How, Report, ReporterNotices},
    change::Subject,
    commands::Action,
    error::Stop,
    pipeline::{
        Invocation, Origin, Scheduled, ScheduledKind,
        background::token::why_it_waits,
        change::{Attempt, Expected, Extent, Prepared, report::overall},
    },
    reply::{Line, Reply, Status},
    store,
    synapse::Secrets,
};

/// What they are told.
pub(super) const TEXT: &str = "What you reported was looked at. Thank you for reporting it.";

/// What came of telling one.
enum Told {
    /// They were told.
    Yes,
    /// They were not.
    No(String),
    /// Neither they nor anybody else of the case can be told.
    Nobody(String),
    /// The bot may not act now.
    NotNow,
}

impl Desk {
    /// Whom to tell that a case is closed: who reported it first, of this homeserver.
    pub(super) fn to_be_told(&self, case: &Case) -> Result<Vec<OwnedUserId>, store::Error> {
        let most = self.rules().map_or(0, |desk| desk.tell_reporters);
        let most = most.saturating_sub(case.told_reporters.len());
        let mut found: Vec<OwnedUserId> = Vec::new();
        for Report { by, .. } in self.counted(case)? {
            let accused = matches!(&case.about, About::Account(about) if *about == by);
            let known = found.contains(&by) || case.told_reporters.contains(&by);
            let reader = &self.below.reader;
            if reader.is_local(&by) && !reader.is_own(&by) && !accused && !known {
                found.push(by);
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Keeps that the reporters of a case that was just closed are to be told; how many.
    pub(super) fn keep_to_be_told(
        &self,
        case: &Case,
        how: How,
        (by, record): (&OwnedUserId, &Record),
    ) -> Result<usize, store::Error> {
        if how == How::SetAside {
            return Ok(0);
        }
        let (Some(room), Some(event)) = (&record.room, &record.event) else { return Ok(0) };
        let left = self.to_be_told(case)?;
        let all = left.len();
        if all > 0 {
            let asked = (room.clone(), event.clone());
            let (by, told, why_not) = (by.clone(), 0, None);
            let notices =
                ReporterNotices { case: case.number, by, asked, left, all, told, why_not };
            self.below.cases.keep_notices(&notices)?;
        }
        Ok(all)
    }

    /// Tells the reporters who are still to be told, and says in the room what came of it.
    pub(super) async fn tell_reporters(&self, desk: &DeskRules) -> Result<(), store::Error> {
        for mut notices in self.below.cases.notices()? {
            let case = self.below.cases.get(notices.case)?;
            if case.is_none_or(|case| case.state.is_open()) {
                self.below.cases.end_notices(notices.case)?;
                continue;
            }
            while let Some(reporter) = notices.left.first().cloned() {
                match self.tell_reporter(&mut notices, &reporter).await? {
                    Told::Yes => notices.told += 1,
                    Told::No(why) => notices.why_not = Some(why),
                    Told::Nobody(why) => {
                        notices.left.clear();
                        notices.why_not = Some(why);
                    }
                    Told::NotNow => return Ok(()),
                }
                notices.left.retain(|left| *left != reporter);
                self.below.cases.keep_notices(&notices)?;
                self.below.cases.flush().await?;
            }
            self.say_who_was_told(&notices, desk).await?;
        }
        Ok(())
    }

    /// Tells one reporter.
    async fn tell_reporter(
        &self,
        notices: &mut ReporterNotices,
        reporter: &OwnedUserId,
    ) -> Result<Told, store::Error> {
        let (room, event) = notices.asked.clone();
        let frozen = self.below.freeze_control.bot_frozen().is_some();
        if frozen || why_it_waits(&self.below.reader).is_some() {
            return Ok(Told::NotNow);
        }
        if self.below.voice.ensure_heard(&room).await.is_err() {
            return Ok(Told::NotNow);
        }
        let Some(operator) = self.below.roster.operator(&notices.by) else {
            return Ok(Told::Nobody("whoever closed the case is no longer an operator".to_owned()));
        };
        if self.below.freeze_control.person_frozen(&operator.person).is_some() {
            return Ok(Told::Nobody("whoever closed the case is frozen".to_owned()));
        }
        let words = ["notice", "send", reporter.as_str(), TEXT].map(str::to_owned).to_vec();
        let Some((action, options)) = self.below.executor.action(&words) else {
            return Ok(Told::Nobody("I cannot read my own command".to_owned()));
        };
        let kind = ScheduledKind::ReporterNotice;
        let invocation = Invocation {
            origin: Origin::Scheduled(Scheduled { kind, room: &room, event: &event }),
            operator,
            words: &words,
            options: &options,
            undoes: None,
        };
        let told = self.send_notice(action.as_ref(), &invocation, notices, reporter).await;
        Ok(match told {
            Ok(told) => told,
            Err(Stop::Api(error)) if error.is_for_now() || error.is_away() => Told::NotNow,
            Err(stop) => {
                warn!(error = &stop as &dyn std::error::Error, "a reporter was not told");
                Told::No(stop.to_string())
            }
        })
    }

    async fn send_notice(
        &self,
        action: &dyn Action,
        invocation: &Invocation<'_>,
        notices: &mut ReporterNotices,
        reporter: &OwnedUserId,
    ) -> Result<Told, Stop> {
        let subjects = vec![Subject::User(reporter.clone())];
        let _held = self.below.executor.hold(&subjects).await;
        let (expected, extent, yes) = (Expected::Anything, Extent::Whole, None);
        let attempt = Attempt { invocation, action, expected, yes, extent };
        let reader = self.below.reader.look();
        Ok(match self.below.executor.prepare(&attempt, subjects, &reader).await? {
            Prepared::Ready(ready) => {
                // First, so that a kill lets nobody be told twice.
                self.note_told(notices, reporter).await?;
                let ran = self.below.executor.run(&attempt, *ready, Secrets::new()).await?;
                let why = ran.done.first().map(|done| own(&done.outcome.title));
                let why = why.unwrap_or_default();
                match overall(&ran.done) {
                    Status::Done => Told::Yes,
                    // What the homeserver cannot do for one it cannot do for the others.
                    Status::Failed => Told::Nobody(why),
                    _ => Told::No(why),
                }
            }
            Prepared::Refused(why) => Told::No(own(&why)),
            Prepared::NothingToDo(skips) => {
                let why = skips.first().map(|(_, skip)| own(&skip.why));
                Told::No(why.unwrap_or_else(|| "there is nothing to do".to_owned()))
            }
            Prepared::Rehearsed => Told::Nobody("I am read-only".to_owned()),
            Prepared::Asks(_) => {
                Told::Nobody("my config requires a confirmation for `notice send`".to_owned())
            }
            Prepared::Differs(_) | Prepared::NotServed(_) | Prepared::Planned(_) => {
                Told::No("it could not be prepared".to_owned())
            }
        })
    }

    /// Keeps that somebody is about to be told.
    async fn note_told(
        &self,
        notices: &mut ReporterNotices,
        reporter: &OwnedUserId,
    ) -> Result<(), store::Error> {
        let _turn = self.turn.lock().await;
        notices.left.retain(|left| left != reporter);
        self.below.cases.keep_notices(notices)?;
        if let Some(mut case) = self.below.cases.get(notices.case)? {
            case.told_reporters.push(reporter.clone());
            self.keep(&case)?;
        }
        self.below.cases.flush().await
    }

    async fn say_who_was_told(
        &self,
        notices: &ReporterNotices,
        desk: &DeskRules,
    ) -> Result<(), store::Error> {
        let Some(case) = self.below.cases.get(notices.case)? else {
            return self.below.cases.end_notices(notices.case);
        };
        let line = Line::from(format!("Case {}: {}", case.number, told_of(notices)));
        let mut reply = Reply::data(line);
        if notices.told < notices.all
            && let Some(why) = &notices.why_not
        {
            reply = reply.note(format!("Not told: {why}"));
        }
        let key = format!("case-{}-reporters-{}", case.number, case.since.as_millisecond());
        let said = if let Some(thread) = &case.thread {
            self.say_in(thread, &key, &reply).await
        } else {
            let reply = Reply { encrypted_only: true, ..reply };
            let said = self.below.voice.say(&desk.room, None, &key, &reply).await;
            if let Err(error) = &said {
                error!(error = error as &dyn std::error::Error, "not said who was told");
            }
            said.is_ok()
        };
        if said {
            self.below.cases.end_notices(notices.case)?;
            self.below.cases.flush().await?;
        }
        Ok(())
    }
}

/// `2 of 3 reporters were told that it was looked at`.
fn told_of(notices: &ReporterNotices) -> String {
    let ReporterNotices { told, all, .. } = *notices;
    let who = match told {
        0 => "no reporter".to_owned(),
        told if told == all => many(all, "reporter"),
        told => format!("{told} of {}", many(all, "reporter")),
    };
    let were = if all == 1 || told == 0 { "was" } else { "were" };
    format!("{who} {were} told, by a server notice, that it was looked at")
}

/// What is said when a case is closed.
pub(super) fn will_be_told(reporters: usize) -> String {
    let are = if reporters == 1 { "is" } else { "are" };
    format!(
        "{} {are} told, by a server notice, that it was looked at.",
        many(reporters, "reporter")
    )
}

/// The bot's own words in a line, without the id that it begins with.
fn own(line: &Line) -> String {
    line.own_words().trim_start_matches(['…', ':', ' ']).to_owned()
}
