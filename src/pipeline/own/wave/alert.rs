//! Waves of new accounts that the bot tells of by itself, above the threshold of the config.
//!
//! One row of the homeserver's list, once a minute at most, shows whether so many accounts are new. Only
//! where they are, they are looked at one by one, as `!wave` does, and told in the admin room. Nothing else
//! is done. A wave is told once, and again when it has doubled; when fewer than half as many accounts are
//! new as make a wave, it is over. A look that failed shows neither.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    last::Wave,
    look::{self, Wanted},
    told,
};
use crate::{
    commands::user::nth_newest::{NthNewest, nth_newest},
    config::WaveThreshold,
    error::Stop,
    pipeline::Pipeline,
    reply::Reply,
    wave_alerts::WaveAlert,
};

/// How long after a look the next one is, while accounts are created.
const BUSY: Duration = Duration::from_mins(1);
/// And while none are.
const IDLE: Duration = Duration::from_mins(5);
/// How long after something could not be said it is tried again, which takes no look.
const SAY_AGAIN: Duration = Duration::from_secs(5);
/// How many accounts of a wave are looked at one by one, the newest.
const MOST: usize = 1_000;

/// What the looks of before have shown. It is in memory alone.
#[derive(Debug)]
pub(in crate::pipeline) struct WaveWatch {
    threshold: WaveThreshold,
    /// How long to wait before the next look.
    pause: Duration,
    /// How many accounts there were.
    accounts: Option<u64>,
    /// When new accounts were created that count for no wave: those of bridges, and those that operators
    /// have taken out.
    left_out: Vec<Timestamp>,
    /// How many other rows are no account that counts, and until when that is taken to be so.
    odd: Option<(usize, Timestamp)>,
    /// Whether the next look is for the end of the wave.
    for_the_end: bool,
    /// What could not be said yet.
    unsaid: Option<Reply>,
}

impl WaveWatch {
    /// One that has not looked yet.
    pub(in crate::pipeline) fn new(threshold: WaveThreshold) -> Self {
        let (accounts, left_out, odd, for_the_end, unsaid) = Default::default();
        Self { threshold, pause: BUSY, accounts, left_out, odd, for_the_end, unsaid }
    }

    /// Since when accounts are new.
    fn since(&self, now: Timestamp) -> Timestamp {
        let within = SignedDuration::try_from(self.threshold.within).unwrap_or_default();
        now.checked_sub(within).unwrap_or(Timestamp::MIN)
    }

    /// How many rows are not to be counted among those created since.
    fn beside(&mut self, since: Timestamp, now: Timestamp) -> usize {
        self.left_out.retain(|created| *created >= since);
        self.odd.take_if(|(_, until)| *until <= now);
        self.left_out.len() + self.odd.map_or(0, |(rows, _)| rows)
    }

    /// How many accounts are looked for.
    fn wanted(&self, present: Option<&WaveAlert>) -> usize {
        let threshold = self.threshold.accounts;
        match present {
            None => threshold,
            Some(_) if self.for_the_end => threshold.div_ceil(2),
            Some(wave) => wave.accounts.max(threshold).saturating_mul(2),
        }
    }

    /// Notes what a look has shown; `busy` where there is a wave.
    fn looked(&mut self, row: NthNewest, busy: bool) {
        let quiet = self.accounts == Some(row.accounts) && !busy;
        self.accounts = Some(row.accounts);
        self.pause = if quiet { self.longer() } else { BUSY };
    }

    /// A longer pause than before; a quarter of the time of a wave at most, or it would be told late.
    fn longer(&self) -> Duration {
        let longest = (self.threshold.within / 4).clamp(BUSY, IDLE);
        (self.pause * 3 / 2).min(longest)
    }

    /// Notes which of the accounts of this many rows do not count.
    fn learn(&mut self, rows: usize, wave: &Wave, counted: usize, now: Timestamp) {
        self.left_out.clone_from(&wave.left_out);
        let rest = rows.saturating_sub(counted + self.left_out.len());
        let until = now.checked_add(self.threshold.within).unwrap_or(Timestamp::MAX);
        self.odd = (rest > 0).then_some((rest, until));
    }
}

impl Pipeline {
    /// Looks for waves and tells of them until `over`, where the config wants that.
    pub(in crate::pipeline) async fn tell_waves(&self, over: CancellationToken) {
        let Some(threshold) = self.rules.wave else { return };
        let mut watch = WaveWatch::new(threshold);
        loop {
            // What is cut off here is looked at again at the next start.
            let looked = tokio::select! {
                () = over.cancelled() => return,
                looked = self.look_for_wave(&mut watch) => looked,
            };
            if let Err(stop) = looked {
                watch.pause = watch.longer();
                warn!(error = &stop as &dyn std::error::Error, "new accounts cannot be counted");
            }
            tokio::select! {
                () = over.cancelled() => return,
                () = tokio::time::sleep(watch.pause) => {}
            }
        }
    }

    /// Looks once whether there is a wave, has grown or is over, and says what the room does not know.
    pub(in crate::pipeline) async fn look_for_wave(
        &self,
        watch: &mut WaveWatch,
    ) -> Result<(), Stop> {
        let present = self.wave_alerts.present()?;
        if let Some(alert) = present.as_ref().filter(|alert| !alert.said) {
            return self.say_again(alert, watch).await;
        }
        let now = self.clock.now();
        let (since, wanted) = (watch.since(now), watch.wanted(present.as_ref()));
        let rows = wanted.saturating_add(watch.beside(since, now));
        let row = nth_newest(rows, &self.reader.afresh()).await?;
        let is_reached = row.created.is_some_and(|created| created >= since);
        watch.looked(row, is_reached || present.is_some());
        let for_the_end = present.is_some() && watch.for_the_end;
        watch.for_the_end = present.is_some() && !watch.for_the_end;
        match (for_the_end, is_reached) {
            (true, false) => {
                info!("a wave of new accounts is over");
                Ok(self.wave_alerts.end().await?)
            }
            (false, true) => self.found_wave(present, (since, wanted, rows), watch).await,
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// Looks at the new accounts one by one, and tells of them where enough of them count.
    async fn found_wave(
        &self,
        present: Option<WaveAlert>,
        (since, wanted, rows): (Timestamp, usize, usize),
        watch: &mut WaveWatch,
    ) -> Result<(), Stop> {
        let wave = self.wave_since(since).await?;
        let counted = wave.accounts.saturating_sub(wave.bridged);
        // Of more than are looked at, the row has shown how many there are.
        let accounts = if wave.more { counted.max(wanted) } else { counted };
        watch.learn(rows, &wave, accounts, wave.at);
        if accounts < wanted {
            return Ok(());
        }
        let alert = WaveAlert {
            begun: present.as_ref().map_or(wave.at, |before| before.begun),
            times: present.map_or(0, |before| before.times) + 1,
            since,
            accounts,
            more: wave.more,
            said: false,
        };
        info!(accounts, times = alert.times, "a wave of new accounts");
        self.wave_alerts.keep(&alert).await?;
        let reply = told::alert(&alert, &wave, watch.threshold, &self.reader.afresh()).await;
        self.say_wave(&alert, reply, watch).await
    }

    async fn wave_since(&self, since: Timestamp) -> Result<Wave, Stop> {
        look::look(self, &self.reader, Wanted { since, private: false, most: MOST }).await
    }

    /// Says what was to be said before; after a kill with the groups as they are now.
    async fn say_again(&self, alert: &WaveAlert, watch: &mut WaveWatch) -> Result<(), Stop> {
        let reply = if let Some(reply) = watch.unsaid.take() {
            reply
        } else {
            let wave = self.wave_since(alert.since).await?;
            told::alert(alert, &wave, watch.threshold, &self.reader.afresh()).await
        };
        self.say_wave(alert, reply, watch).await
    }

    async fn say_wave(
        &self,
        alert: &WaveAlert,
        reply: Reply,
        watch: &mut WaveWatch,
    ) -> Result<(), Stop> {
        let Some(room) = &self.rules.told_in else { return Ok(()) };
        if let Err(error) = self.voice.say(room, None, &alert.key(), &reply).await {
            warn!(error = &error as &dyn std::error::Error, "a wave is not told yet");
            (watch.unsaid, watch.pause) = (Some(reply), SAY_AGAIN);
            return Ok(());
        }
        watch.pause = BUSY;
        self.wave_alerts.keep(&WaveAlert { said: true, ..alert.clone() }).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
