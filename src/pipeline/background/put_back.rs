//! A state that is older than what the bot has said: somebody has put a copy of it back.
//!
//! The record travels with what the bot says, so the rooms know what the copy does not. Their
//! entries are taken over. Numbers that were given once are not given again, also where nobody can
//! read any more for what.

use tracing::warn;

use crate::{
    audit::{self, Kept, Kind, Links, Missing, Record},
    pipeline::Pipeline,
    reply::{Block, Line, Reply, utc},
    store,
};

/// Entries of the record that one message carries at most: a message carries 5,000 bytes of them,
/// and none has less than 330.
const CARRIED_BY_ONE: u64 = 15;

/// Numbers that are skipped at most. So many messages nobody has sent.
const SKIPPED: u64 = 100_000;

/// Changes that are listed in the room.
const LISTED: usize = 20;

/// What the bot has said after the place up to which its store knows its rooms.
#[derive(Debug, Default)]
pub struct SaidLater {
    /// Entries of the record that came with it, encrypted by the bot's device.
    pub entries: Links,
    /// The last number of an entry that came in clear: anybody with the bot's token can have sent it.
    pub last_in_clear: u64,
    /// How many of its messages its device cannot decrypt any more, so that it is not known what
    /// came with them.
    pub unreadable: u64,
}

/// What was done because an older state was put back.
#[derive(Debug)]
pub struct CaughtUp {
    /// Entries that were taken over from the rooms.
    taken_over: Vec<Kept>,
    /// The first and the last number that is not given again although its entry is lost.
    lost: Option<(u64, u64)>,
    differs: Option<u64>,
    /// The codes of the questions that were ended.
    questions: Vec<String>,
    jobs: usize,
}

impl Pipeline {
    /// Whether the store is older than what the bot has said.
    pub async fn is_older_than(&self, said: &SaidLater) -> Result<bool, store::Error> {
        let count = self.audit.head().await.count;
        let missing = self.audit.missing(&said.entries).await?;
        Ok(!missing.is_nothing() || said.last_in_clear > count || said.unreadable > 0)
    }

    /// Takes over what the store lacks of what was said, with the sanctions and freezes that follow
    /// from it, and ends what an older state has open: its questions may have been answered since,
    /// and its jobs done. Says nothing yet: the device that could is as old.
    pub async fn catch_up_with(&self, said: &SaidLater) -> Result<CaughtUp, store::Error> {
        let Missing { beyond, differs, .. } = self.audit.missing(&said.entries).await?;
        let before = self.audit.head().await.count;
        let taken_over = self.audit.take_over(&said.entries).await?;
        let known = self.audit.head().await.count;
        self.feed.has_travelled(known)?;
        let last = known.max(beyond.unwrap_or_default()).max(said.last_in_clear);
        let last = last.saturating_add(said.unreadable.saturating_mul(CARRIED_BY_ONE));
        let last = last.min(known.saturating_add(SKIPPED));
        let skipped = self.audit.skip(last, &said.entries).await?;
        self.take_over_sanctions_and_freezes(before).await?;
        let caught_up = CaughtUp {
            lost: (skipped > 0).then_some((known + 1, last)),
            differs,
            questions: self.questions.end_all_of_older_state().await?,
            jobs: self.jobs.stop_all_of_older_state().await?,
            taken_over,
        };
        warn!(
            taken_over = caught_up.taken_over.len(),
            skipped,
            questions = caught_up.questions.len(),
            jobs = caught_up.jobs,
            "an older state was put back"
        );
        self.note_put_back(&caught_up).await?;
        Ok(caught_up)
    }

    async fn note_put_back(&self, caught_up: &CaughtUp) -> Result<(), store::Error> {
        let CaughtUp { taken_over, lost, .. } = caught_up;
        let lost = lost.map(|(first, last)| format!("; entries {first} to {last} are lost"));
        let note = format!(
            "an older state was restored; entries recovered from the rooms: {}{}",
            taken_over.len(),
            lost.unwrap_or_default()
        );
        let record = Record { note: Some(note), ..Record::new(Kind::Noted) };
        match self.audit.note(record).await {
            Ok(_) => Ok(()),
            Err(audit::Error::Store(error)) => Err(error),
            Err(error @ audit::Error::AlreadyOpened(_)) => {
                warn!(error = &error as &dyn std::error::Error, "not recorded");
                Ok(())
            }
        }
    }

    /// What follows for sanctions and freezes from the entries after number `before`. A freeze of the
    /// older state stays, even if it was lifted since: whoever lifts it again knows why.
    async fn take_over_sanctions_and_freezes(&self, before: u64) -> Result<(), store::Error> {
        let past = self.past(self.audit.head().await.count)?;
        for sanction in past.sanctions.values() {
            let kept = self.sanctions.of(sanction.number)?;
            let stale = match kept.iter().find(|kept| kept.subject == sanction.subject) {
                Some(kept) => kept.state.is_open() && kept.state != sanction.state,
                None => sanction.number > before,
            };
            if stale {
                self.sanctions.keep(sanction).await?;
            }
        }
        for freeze in past.freezes.values() {
            if self.freeze_control.of(&freeze.what)?.is_none() {
                self.freeze_control.restore(freeze).await?;
            }
        }
        Ok(())
    }

    /// Tells the rooms that an older state was put back, and what was made of it.
    pub async fn report_put_back(&self, caught_up: &CaughtUp) {
        let transaction_key = format!("put-back-{}", self.clock.now().as_second());
        self.voice.tell(&transaction_key, &self.in_words(caught_up)).await;
        for code in &caught_up.questions {
            self.questions.show_end(code).await;
        }
    }

    fn in_words(&self, caught_up: &CaughtUp) -> Reply {
        let CaughtUp { taken_over, lost, differs, questions, jobs } = caught_up;
        let mut reply =
            Reply::data("My state is older than my messages here: somebody restored a copy of it")
                .text("New records get new numbers");
        if !taken_over.is_empty() {
            let title = format!(
                "Entries of the record that I recovered from this room: {}",
                taken_over.len()
            );
            reply = match changes_in(taken_over) {
                changes if changes.is_empty() => reply.text(title),
                changes => reply.with(Block::List(title.into(), changes)),
            };
        }
        if let Some((first, last)) = lost {
            reply = reply.text(format!(
                "I can no longer read the entries {first} to {last}. Check the homeserver, and my \
                messages in this room"
            ));
        }
        if let Some(number) = differs {
            reply = reply.text(
                Line::new()
                    .plain("Number ")
                    .code(format!("#{number}"))
                    .plain(
                        " and those after it mean two things: one in my record, another in my \
                        earlier messages. The record is what counts: ",
                    )
                    .command(format!("!audit show {number}")),
            );
        }
        if !questions.is_empty() {
            reply = reply.text(format!(
                "Questions closed that were open in the copy: {}. Send those commands again",
                questions.len()
            ));
        }
        if *jobs > 0 {
            reply = reply.text(format!(
                "Jobs stopped: {jobs}. I do not know what they did after the copy was made: check \
                before you send them again"
            ));
        }
        reply
            .note("Notes, and operators' keys that I accepted since then, are lost")
            .ringing(self.roster.operators.keys().cloned().collect())
    }
}

/// The changes among these entries, as they were asked for.
fn changes_in(entries: &[Kept]) -> Vec<Line> {
    let opened = entries.iter().filter(|kept| kept.entry.kind == Kind::Opened);
    let changes = opened.filter_map(|kept| {
        let record = kept.record.as_ref()?;
        let line = Line::new()
            .code(format!("#{}", kept.entry.seq))
            .plain(" ")
            .command(crate::input::shown(&record.words))
            .plain(format!(", {}", utc(kept.entry.at)));
        Some(match &record.by {
            Some(by) => line.plain(", by ").code(by),
            None => line,
        })
    });
    changes.take(LISTED).collect()
}
