//! An admin token that the homeserver takes no more: told at once, and looked for to work again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedUserId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use crate::{
    clock::SharedClock,
    finding::Finding,
    operators::{Rank, Roster},
    pipeline::Voice,
    reply::{Line, Reply, Status, utc},
    store::{self, Shelf, Store},
    synapse::{Error, Reader},
};

/// How many bytes of its hash tell a token from another. They lead nobody to it.
const MARK: usize = 6;

/// How often it is asked whether the token is taken, so that its end is known before somebody needs
/// it.
const EVERY: SignedDuration = SignedDuration::from_secs(60);

/// How often while it is not taken: what waits goes on soon after.
const WHILE_REFUSED: SignedDuration = SignedDuration::from_secs(5);

/// How long nothing is said of a token that is refused and taken in turn.
const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// How long before its end, in tenths of its life, a token is said to end soon.
const SOON: i32 = 10;

/// The same where the day is known.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What looks after the admin token.
#[derive(Debug)]
pub(in crate::pipeline) struct TokenWatch {
    below: Below,
    life: Shelf<Life>,
    seen: Mutex<Seen>,
}

/// How long the admin token lives, as far as the config says it, or the one before it or the bot's own
/// login has shown it: the homeserver tells of none that it has given away when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    /// By what this one is told from another: a part of its hash.
    token: String,
    /// When the bot first had it.
    since: Timestamp,
    /// How many seconds the last one that ended by itself had lived, or one lives that the
    /// homeserver gives now.
    lived: Option<i64>,
    /// Whether that is what the homeserver said when the bot itself logged in.
    #[serde(default)]
    by_login: bool,
    /// When it ends, as the config says.
    #[serde(default)]
    dated: Option<Timestamp>,
    /// Whether it was told that it ends soon.
    warned: bool,
}

/// The end of a token, as far as it is known.
struct End {
    at: Timestamp,
    /// How long before it is soon.
    early: SignedDuration,
    /// What is told of it.
    told: &'static str,
    /// From where it is known, in short and whole.
    known: (&'static str, String),
}

impl End {
    fn is_soon(&self, now: Timestamp) -> bool {
        self.at.duration_since(now) <= self.early
    }
}

impl Life {
    /// When it ends: as the config says, or if it lives as long as others do.
    fn end(&self) -> Option<End> {
        if let Some(at) = self.dated {
            let as_said = "according to my config";
            let known = (as_said, as_said.to_owned());
            return Some(End { at, early: A_DAY, told: "expires", known });
        }
        let lived = SignedDuration::from_secs(self.lived?);
        let at = self.since.checked_add(lived).ok()?;
        let known = if self.by_login {
            let others = format!("since tokens on this homeserver last {lived:#}");
            ("like other tokens on this homeserver", others)
        } else {
            ("like the one before it", format!("since the one before it ended after {lived:#}"))
        };
        Some(End { at, early: lived / SOON, told: "may expire", known })
    }

    /// The same, as long as it can be believed: one that has outlived others does not end as they do.
    fn end_at(&self, now: Timestamp) -> Option<End> {
        self.end().filter(|end| self.dated.is_some() || now < end.at)
    }
}

/// Under this it is kept.
const KEY: &str = "now";

/// The parts on which it rests.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) voice: Arc<Voice>,
}

/// What was asked and said so far.
#[derive(Debug, Default)]
struct Seen {
    /// When the homeserver was last asked.
    asked: Option<Timestamp>,
    /// When the rooms were last told that the token is not taken, as long as that is what they know.
    told: Option<Timestamp>,
    /// When they were last told that it is taken again.
    well: Option<Timestamp>,
}

impl TokenWatch {
    /// What looks after this token; what is known of its life is in `store`.
    pub(in crate::pipeline) fn new(
        below: Below,
        (token, dated): (&SecretString, Option<Timestamp>),
        store: &Store,
    ) -> Result<Self, store::Error> {
        let life: Shelf<Life> = store.shelf("admin-token")?;
        let hash = Sha256::digest(token.expose_secret());
        let token = data_encoding::HEXLOWER.encode(hash.get(..MARK).unwrap_or_default());
        match life.get(KEY)? {
            Some(before) if before.token == token => {
                // Another date is another thing to be told.
                let warned = before.warned && before.dated == dated;
                life.put(KEY, &Life { dated, warned, ..before })?;
            }
            before => {
                let by_login = before.as_ref().is_some_and(|before| before.by_login);
                let lived = before.and_then(|before| before.lived);
                let since = below.clock.now();
                life.put(KEY, &Life { token, since, lived, by_login, dated, warned: false })?;
            }
        }
        Ok(Self { below, life, seen: Mutex::default() })
    }

    /// Takes in how long a token lives that the homeserver has just given to the bot itself.
    pub(in crate::pipeline) fn learn(&self, lives: SignedDuration) {
        let Ok(Some(life)) = self.life.get(KEY) else { return };
        let seconds = Some(lives.as_secs());
        let warned = life.warned && life.lived == seconds;
        self.keep(&Life { lived: seconds, by_login: true, warned, ..life });
    }

    /// What is known of when the token ends.
    pub(in crate::pipeline) fn finding(&self) -> Option<Finding> {
        let life = self.life.get(KEY).ok().flatten()?;
        let now = self.below.clock.now();
        let end = life.end_at(now)?;
        let what = format!("the admin token {} at {}, {}", end.told, utc(end.at), end.known.1);
        Some(if end.at <= now && life.dated.is_some() {
            Finding::warn(
                what,
                "Replace it, write the new date as homeserver.admin_token_expires, and send \
                 !config reload",
            )
        } else if end.is_soon(now) {
            Finding::warn(what, "Replace it before then, and send !config reload")
        } else {
            Finding::ok(what)
        })
    }

    /// Tells that it ends soon, once.
    async fn warn_before(&self, now: Timestamp) {
        let Ok(Some(life)) = self.life.get(KEY) else { return };
        let soon = life.end_at(now).filter(|end| !life.warned && end.is_soon(now));
        let Some(end) = soon else { return };
        let End { at, told, known: (short, _), .. } = end;
        let reply = Reply::data(format!("My admin token {told} at {}, {short}", utc(at)))
            .command("After you replace it", vec!["config".into(), "reload".into()])
            .ringing(self.admins());
        let key = format!("token-ends-{}", at.as_second());
        if self.below.voice.tell(&key, &reply).await {
            self.keep(&Life { warned: true, ..life });
        }
    }

    /// Notes how long the token has lived that has now ended by itself.
    fn note_its_end(&self, now: Timestamp) {
        let Ok(Some(life)) = self.life.get(KEY) else { return };
        let lived = Some(now.duration_since(life.since).as_secs());
        self.keep(&Life { lived, by_login: false, warned: true, ..life });
    }

    /// Whether it ends between these moments, as far as that is known: then it is asked at once.
    fn ends_between(&self, earlier: Timestamp, later: Timestamp) -> bool {
        let life = self.life.get(KEY).ok().flatten();
        let end = life.and_then(|life| life.end());
        end.is_some_and(|end| earlier < end.at && end.at <= later)
    }

    fn keep(&self, life: &Life) {
        if let Err(error) = self.life.put(KEY, life) {
            error!(error = &error as &dyn std::error::Error, "the store cannot be written");
        }
    }

    /// Asks where it is time to, and tells what is otherwise than the rooms know. One call at a time
    /// does it.
    pub(in crate::pipeline) async fn look(&self) {
        let Ok(mut seen) = self.seen.try_lock() else { return };
        let Below { reader, clock, .. } = &self.below;
        let now = clock.now();
        let every = if reader.token().refused().is_some() { WHILE_REFUSED } else { EVERY };
        let is_time = |asked| now.duration_since(asked) >= every || self.ends_between(asked, now);
        if seen.asked.is_none_or(is_time) {
            seen.asked = Some(now);
            // What a refusal says of the token is noted where it was answered.
            let _ = reader.try_token(&self.below.roster.bot).await;
        }
        let lately = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) < QUIET);
        match reader.token().refused() {
            Some(error) if seen.told.is_none() && !lately(seen.well) => {
                warn!(error = &error as &dyn std::error::Error, "the admin token is not taken");
                let key = format!("token-refused-{}", now.as_millisecond());
                if self.below.voice.tell(&key, &refused(&error).ringing(self.admins())).await {
                    seen.told = Some(now);
                }
                if error.is_of_expired_token() {
                    self.note_its_end(now);
                }
            }
            None if seen.told.is_none() => self.warn_before(now).await,
            None if seen.told.is_some() => {
                info!("the admin token is taken again");
                let key = format!("token-taken-{}", now.as_millisecond());
                let reply = Reply::data(
                    "The homeserver accepts my admin token again, and waiting work goes on",
                );
                if self.below.voice.tell(&key, &reply).await {
                    (seen.told, seen.well) = (None, Some(now));
                }
            }
            _ => {}
        }
    }

    fn admins(&self) -> Vec<OwnedUserId> {
        let operators = self.below.roster.operators.values();
        let admins = operators.filter(|one| one.role.rank == Rank::Admin);
        admins.map(|one| one.user.clone()).collect()
    }
}

/// What the rooms read of a token that is not taken.
fn refused(error: &Error) -> Reply {
    Reply::outcome(Status::Failed, error.line())
        .text(
            "Until then I can neither look up nor change anything. Jobs and the ends of \
            temporary measures wait",
        )
        .command("After you replace it", vec!["config".into(), "reload".into()])
}

/// Why what goes on by itself waits, where it is for the token, or until a limit is over.
pub(in crate::pipeline) fn why_it_waits(reader: &Reader) -> Option<Line> {
    if let Some(error) = reader.token().refused() {
        return Some(error.line());
    }
    let left = SignedDuration::try_from(reader.throttle().left()?).unwrap_or_default();
    // In whole seconds, and at least one.
    let left = SignedDuration::from_secs(left.as_secs() + 1);
    let line = "the homeserver limits how often I may ask it; I go on in ";
    Some(Line::from(format!("{line}{left:#}")))
}

#[cfg(test)]
mod tests;
