//! Saying what is new of watched accounts, and how watches end.

use ruma::OwnedEventId;
use tracing::{error, warn};

use super::Observer;
use crate::{
    audit::{Kind, Record},
    change::Subject,
    observed::{Baseline, End, Few, NewFile, News, Observed},
    places::Place,
    refs::without_server,
    reply::{Fact, Line, Reply, Status, grouped, size},
    store,
};

/// By this the answer to a command is said once; see [`crate::pipeline::Pipeline::report_unhandled`].
const ANSWER: &str = "answer";

impl Observer {
    /// Says what is to be said of each watch.
    pub(super) async fn tell(&self) -> Result<(), store::Error> {
        let _turn = self.turn.lock().await;
        for watch in self.below.observations.all()? {
            self.tell_of(watch).await?;
        }
        Ok(())
    }

    /// Says what is to be said of one, whose turn it is.
    pub(super) async fn tell_of(&self, mut watch: Observed) -> Result<(), store::Error> {
        // It may be one again after the next start.
        if !self.is_told_there(&watch) && watch.end.is_none() {
            return Ok(());
        }
        if watch.first.is_none() && watch.end.is_none() {
            let Some(first) = self.say_first(&watch).await else { return Ok(()) };
            watch.first = Some(first);
            self.below.observations.keep(&watch).await?;
        }
        if let Some(news) = watch.news.clone() {
            if !self.say_news(&watch, &news).await {
                return Ok(());
            }
            watch.news = None;
            watch.told = watch.told.saturating_add(1);
            self.below.observations.keep(&watch).await?;
        }
        match watch.end.clone() {
            Some(end) => self.finish(&watch, &end).await,
            None => Ok(()),
        }
    }

    /// Whether the room of a watch is an admin room now.
    pub(super) fn is_told_there(&self, watch: &Observed) -> bool {
        self.below.roster.rooms.contains(&watch.room)
    }

    /// Says that the account is watched, as the answer to the command; the message, where that worked.
    async fn say_first(&self, watch: &Observed) -> Option<OwnedEventId> {
        let reply = first(watch);
        let about = watch.asked.as_ref();
        let key = match about {
            Some(_) => ANSWER.to_owned(),
            None => format!("watch-{}", watch.number),
        };
        let said = self.below.voice.say(&watch.room, about, &key, &reply).await;
        let untold = |error: &_| {
            warn!(error = error as &dyn std::error::Error, "not told that an account is watched");
        };
        said.inspect_err(untold).ok()
    }

    /// Says what is new; whether nothing more is to be done for it.
    async fn say_news(&self, watch: &Observed, news: &News) -> bool {
        let reply = self.news(watch, news);
        let key = format!("watch-{}-news-{}", watch.number, watch.told);
        self.say_in_thread(watch, &key, reply).await
    }

    /// What is new, in words.
    fn news(&self, watch: &Observed, news: &News) -> Reply {
        let own = self.below.reader.server_name();
        let mut facts: Vec<Fact> = Vec::new();
        facts.extend(few("New device", &news.devices, |device| {
            named(Line::new().code(&device.id), device.name.as_ref())
        }));
        facts.extend(few("Joined", &news.joined, |room| {
            named(Line::new().code(&room.id), room.name.as_ref())
        }));
        facts.extend(few("Left", &news.left, |room| Line::new().code(room)));
        facts.extend(few("New file", &news.files, |file: &NewFile| {
            let line =
                named(Line::new().code(format!("mxc://{own}/{}", file.id)), file.name.as_ref());
            match file.bytes {
                Some(bytes) => line.plain(format!(", {}", size(bytes))),
                None => line,
            }
        }));
        if news.files.count > 1 {
            facts.push(("Files together", size(news.bytes).into()));
        }
        facts.extend(few("Reported by", &news.reports, |report| {
            let line = Line::new().code(without_server(report.by.as_str(), own));
            let line = match &report.room {
                Some(room) => line.plain(" for an event in ").code(room),
                None => line.plain(" as an account"),
            };
            match &report.reason {
                Some(reason) => line.plain(": ").hostile(reason),
                None => line,
            }
        }));
        Reply::data(title(watch, news)).facts(facts)
    }

    /// Ends a watch: on record, told in its thread, and forgotten.
    async fn finish(&self, watch: &Observed, end: &End) -> Result<(), store::Error> {
        if let Err(error) = self.record_the_end(watch, end).await {
            // It is told all the same.
            let error = &error as &dyn std::error::Error;
            error!(number = watch.number, error, "the end of a watch was not recorded");
        }
        let says = match end {
            End::Operator { answered, .. } => !answered,
            End::Time { .. } | End::Deactivated | End::Gone => true,
        };
        if says && self.is_told_there(watch) {
            let key = format!("watch-{}-over", watch.number);
            self.say_in_thread(watch, &key, Reply::data(over(watch, end))).await;
        }
        self.below.observations.forget(watch.number).await
    }

    /// Records how it ended, once: an earlier run may have been stopped before it was told. What an
    /// operator ended is on record already.
    async fn record_the_end(&self, watch: &Observed, end: &End) -> Result<(), crate::audit::Error> {
        if matches!(end, End::Operator { .. }) {
            return Ok(());
        }
        let is_end =
            |record: &Record| record.of == Some(watch.number) && record.kind == Kind::Noted;
        if self.below.audit.since(watch.begun)?.iter().any(is_end) {
            return Ok(());
        }
        let record = Record {
            of: Some(watch.number),
            subjects: vec![Subject::User(watch.about.clone())],
            note: Some(format!("the account is not watched any more: {}", why(end))),
            room: Some(watch.room.clone()),
            ..Record::new(Kind::Noted)
        };
        self.below.audit.note(record).await.map(|_| ())
    }

    /// Says something in the thread of a watch: now or not yet, or, of one that is over, now or as soon as it
    /// can be said. Whether nothing more is to be done for it.
    async fn say_in_thread(&self, watch: &Observed, key: &str, reply: Reply) -> bool {
        let about = watch.first.as_ref().or(watch.asked.as_ref());
        self.note_place(watch);
        let reply = Reply { encrypted_only: true, ..reply };
        let (number, voice) = (watch.number, &self.below.voice);
        if watch.end.is_some() {
            if !self.is_told_there(watch) {
                return true;
            }
            if !voice.say_surely(&watch.room, about, key, &reply).await {
                error!(number, "what is new of an account, or the end of a watch, was not told");
            }
            return true;
        }
        let said = voice.say(&watch.room, about, key, &reply).await.inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            warn!(number, error, "what is new of an account is not told yet");
        });
        said.is_ok()
    }

    /// Notes in which thread it stands what is said about the first message.
    fn note_place(&self, watch: &Observed) {
        let (Some(first), Some(thread)) = (&watch.first, watch.thread()) else { return };
        let place = Place { at: self.now(), reply_to: None, thread: Some(thread.clone()) };
        if let Err(error) = self.below.places.note(first, &place) {
            error!(error = &error as &dyn std::error::Error, "where an answer stands is not noted");
        }
    }
}

/// The first message about a watch.
pub(super) fn first(watch: &Observed) -> Reply {
    let title = Line::new().code(&watch.about).plain(" is watched until ").at(watch.until);
    let Baseline { devices, rooms, files, event_reports, account_reports } = watch.baseline;
    let count = |count: Option<u64>| match count {
        Some(count) => grouped(usize::try_from(count).unwrap_or(usize::MAX)).into(),
        None => Line::from("could not be looked up; I try again"),
    };
    let many = |many: Option<usize>| count(many.map(|many| many as u64));
    let mut facts: Vec<Fact> =
        vec![("Devices", many(devices)), ("Rooms", many(rooms)), ("Files", count(files))];
    let unseen = match (event_reports, account_reports) {
        (true, true) => None,
        (true, false) => Some("reports of accounts"),
        (false, true) => Some("reports of events"),
        (false, false) => Some("reports"),
    };
    facts.extend(unseen.map(|unseen| ("Not shown by this homeserver", Line::from(unseen))));
    let note = "New devices, rooms, files and reports are told in this thread, some minutes after \
                they appear.";
    let end = ["watch", "end", watch.about.as_str()].map(str::to_owned).to_vec();
    let reply = Reply::outcome(Status::Done, title).facts(facts).note(note);
    Reply { encrypted_only: true, ..reply.command("End it", end) }
}

/// `@eve:example.org: 1 new device, joined 2 rooms, 3 new files`.
fn title(watch: &Observed, news: &News) -> Line {
    let of = |few: (usize, bool), before: &str, one: &str, many: &str| {
        let (count, at_least) = few;
        let more = if at_least { "at least " } else { "" };
        let what = if count == 1 { one } else { many };
        (count > 0).then(|| format!("{before}{more}{} {what}", grouped(count)))
    };
    let parts: Vec<String> = [
        of(counted(&news.devices), "", "new device", "new devices"),
        of(counted(&news.joined), "joined ", "room", "rooms"),
        of(counted(&news.left), "left ", "room", "rooms"),
        of(counted(&news.files), "", "new file", "new files"),
        of(counted(&news.reports), "", "new report about it", "new reports about it"),
    ]
    .into_iter()
    .flatten()
    .collect();
    Line::new().code(&watch.about).plain(format!(": {}", parts.join(", ")))
}

fn counted<T>(few: &Few<T>) -> (usize, bool) {
    (few.count, few.at_least)
}

/// One fact for each that is named, and one for those that are not.
fn few<T>(label: &'static str, few: &Few<T>, line: impl Fn(&T) -> Line) -> Vec<Fact> {
    let mut facts: Vec<Fact> = few.named.iter().map(|one| (label, line(one))).collect();
    let more = few.count.saturating_sub(few.named.len());
    if more > 0 {
        facts.push((label, format!("and {} more", grouped(more)).into()));
    }
    facts
}

fn named(line: Line, name: Option<&crate::reply::Hostile>) -> Line {
    match name {
        Some(name) => line.plain(" ").hostile(name),
        None => line,
    }
}

/// How a watch ended, as the last line about it.
fn over(watch: &Observed, end: &End) -> Line {
    let line = Line::new().code(&watch.about).plain(" is not watched any more: ").plain(why(end));
    match end {
        End::Operator { by, .. } => line.plain(" by ").code(by),
        End::Time { missed: true } => line.plain(
            ". The homeserver did not answer my last look, so something at the end may be missing",
        ),
        _ => line,
    }
}

fn why(end: &End) -> &'static str {
    match end {
        End::Time { .. } => "its time is over",
        End::Operator { .. } => "it was ended",
        End::Deactivated => "the account is deactivated",
        End::Gone => "the homeserver does not know the account any more",
    }
}
