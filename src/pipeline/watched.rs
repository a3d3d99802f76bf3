//! How the bot is, for whoever watches it from outside: what it counts, what waits, and why it could not
//! speak. No id of anybody and nothing that anybody has said is in it.

use std::time::Duration;

use super::{Ailment, Command, Lane, Pipeline, What};
use crate::{
    commands::operations::OPERATIONS,
    metrics::Levels,
    reply::{Reply, Status},
    store,
};

#[cfg(test)]
mod tests;

/// What becomes of what somebody says who is no operator.
const STRANGER: &str = "stranger";

/// How long the homeserver has to show whether it takes the admin token.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every operation of the Admin API, by its method and its path below `/_synapse/admin/`.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATIONS.iter().map(|one| (one.method, one.path))
}

/// As what a message is counted.
pub(super) struct Sort {
    pub(super) verb: String,
    pub(super) kind: &'static str,
    /// What is counted where nothing is answered.
    silent: &'static str,
}

impl Sort {
    pub(super) fn of(what: &What) -> Self {
        let (verb, kind, silent) = match what {
            What::Stranger => ("none", "none", STRANGER),
            What::Say(_) | What::Suspect(_) => ("none", "none", "no_answer"),
            What::Command(_, command) => return Self::of_command(command),
        };
        Self { verb: verb.to_owned(), kind, silent }
    }

    pub(super) fn of_command(command: &Command) -> Self {
        let (verb, kind, silent) = match command {
            Command::Read(_, options, _) => (options.verb.as_str(), "look", "no_answer"),
            Command::Change(_, options, _) => (options.verb.as_str(), "change", "asked"),
            Command::Own(own, options, _) => {
                let kind = if own.lane() == Lane::InTurn { "change" } else { "own" };
                (options.verb.as_str(), kind, "no_answer")
            }
            Command::InFile(words, _) => {
                let verb = words.get(..2).unwrap_or(words).join(" ");
                return Self { verb, kind: "change", silent: "asked" };
            }
            Command::Yes(_) => return Self::yes(),
            Command::No(_) => return Self::no(),
            Command::Press(..) => ("reaction", "look", "no_answer"),
        };
        Self { verb: verb.to_owned(), kind, silent }
    }

    pub(super) fn yes() -> Self {
        Self { verb: "yes".to_owned(), kind: "change", silent: "no_answer" }
    }

    pub(super) fn no() -> Self {
        Self { verb: "no".to_owned(), kind: "own", silent: "no_answer" }
    }

    /// What became of it, by its answer.
    pub(super) fn outcome(&self, reply: Option<&Reply>) -> &'static str {
        match reply {
            None => self.silent,
            Some(_) if self.silent == STRANGER => STRANGER,
            Some(Reply { status: None, .. }) => "answered",
            Some(Reply { status: Some(status), .. }) => label(*status),
        }
    }
}

/// The first word of an answer as it stands in a metric.
pub(super) fn label(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::DoneInPart => "done_in_part",
        Status::NothingChanged => "nothing_changed",
        Status::Refused => "refused",
        Status::NotUnderstood => "not_understood",
        Status::NotFound => "not_found",
        Status::Failed => "failed",
        Status::Expired => "expired",
        Status::Unknown => "unknown",
    }
}

impl Pipeline {
    /// Why the bot could not speak or act now, each reason in one line; none where it could. Asks the
    /// homeserver for the bot's own account, and writes a file to see that the disk takes it.
    pub async fn hindrances(&self) -> Vec<String> {
        let mut why: Vec<String> =
            self.outbox.ailments().await.iter().map(ToString::to_string).collect();
        why.extend(self.voiceless_rooms().await);
        why.extend(self.admin_api_fails().await);
        if let Err(error) = self.store.ensure_writable().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the store cannot be written");
            why.push("I cannot write to my store".to_owned());
        }
        why
    }

    /// Says in how many of the admin rooms nothing is changed, since nobody could be told.
    async fn voiceless_rooms(&self) -> Option<String> {
        let rooms = &self.roster.rooms;
        let mut silent = 0;
        for room in rooms {
            silent += usize::from(!self.outbox.may_say(room).await);
        }
        let of = rooms.len();
        (silent > 0)
            .then(|| format!("I may not write in {silent} of my {of} admin rooms, or am not in it"))
    }

    async fn admin_api_fails(&self) -> Option<String> {
        let ask = self.reader.try_token(&self.roster.bot);
        let asked = tokio::time::timeout(PATIENCE, ask).await;
        if self.reader.token().refused().is_some() {
            return Some("the homeserver does not accept my admin token".to_owned());
        }
        match asked {
            Ok(Ok(())) => None,
            Ok(Err(_)) | Err(_) => {
                Some("the homeserver's Admin API does not answer as it should".to_owned())
            }
        }
    }

    /// How much there is of what waits and what is kept.
    pub async fn levels(&self) -> Result<Levels, store::Error> {
        let now = self.clock.now();
        let ailments = self.outbox.ailments().await;
        let (mut jobs_running, mut jobs_waiting) = (0, 0);
        for job in self.jobs.open()? {
            let waits = self.jobs.why_it_waits(&job).await.is_some();
            *if waits { &mut jobs_waiting } else { &mut jobs_running } += 1;
        }
        let mut open_questions = 0;
        for room in &self.roster.rooms {
            open_questions += self.questions.open_in(room)?.len();
        }
        let sanctions = self.sanctions.open()?;
        let sanctions_due = sanctions.iter().filter(|one| one.until <= now).count();
        Ok(Levels {
            jobs_running,
            jobs_waiting,
            open_questions,
            sanctions_running: sanctions.len() - sanctions_due,
            sanctions_due,
            answers_waiting: self.voice.backlog().count(),
            open_changes: self.audit.left_open()?.len(),
            record_entries: self.audit.head().await.count,
            store_bytes: self.store.size()?,
            device_signed: !ailments.contains(&Ailment::Unsigned),
            one_time_keys: !ailments.contains(&Ailment::OneTimeKeys),
            token_accepted: self.reader.token().refused().is_none(),
            frozen: self.freeze_control.bot_frozen().is_some(),
            read_only: self.roster.read_only,
        })
    }
}
