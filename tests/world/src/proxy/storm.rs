//! Requests that are hurt by chance: lost, late, or answered by something that is no homeserver.

use std::{sync::PoisonError, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::Proxy;

/// How bad the way to the homeserver is.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// What the chance follows from. The order in which requests arrive is not in its hand, so
    /// that the same seed makes a series alike, and not the same.
    pub seed: u64,
    /// How many of a hundred requests are hurt.
    pub percent: u32,
}

/// What befalls one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurt {
    /// The homeserver never sees it, and the connection breaks.
    LoseRequest,
    /// The homeserver acts on it, and the connection breaks in place of the answer.
    LoseAnswer,
    /// The homeserver never sees it; a proxy's page is the answer, with this status.
    Page(u16),
    /// The homeserver acts on it; a proxy's page is the answer.
    PageAfter(u16),
    /// It comes to the homeserver later.
    Late(Duration),
}

/// A storm that blows.
#[derive(Debug)]
pub(super) struct Blowing {
    chance: StdRng,
    percent: u32,
}

impl Blowing {
    fn new(Storm { seed, percent }: Storm) -> Self {
        Self { chance: StdRng::seed_from_u64(seed), percent }
    }

    /// What befalls the next request, if anything does.
    pub(super) fn next(&mut self) -> Option<Hurt> {
        if self.chance.random_range(0..100) >= self.percent {
            return None;
        }
        Some(match self.chance.random_range(0..6) {
            0 => Hurt::LoseRequest,
            1 => Hurt::LoseAnswer,
            2 => Hurt::Page(502),
            3 => Hurt::Page(413),
            4 => Hurt::PageAfter(504),
            _ => Hurt::Late(Duration::from_millis(self.chance.random_range(100..2_000))),
        })
    }
}

impl Proxy {
    /// From now on requests are hurt by chance, each on its own, unless a fault lies in wait for it.
    pub fn storm(&self, storm: Storm) {
        *self.blowing() = Some(Blowing::new(storm));
    }

    /// From now on requests pass. One that is late already stays late.
    pub fn calm(&self) {
        *self.blowing() = None;
    }

    fn blowing(&self) -> std::sync::MutexGuard<'_, Option<Blowing>> {
        self.shared.storm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
