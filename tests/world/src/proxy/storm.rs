//! Requests that are hurt by chance: lost, late, or answered by something that is no homeserver.

use std::{sync::PoisonError, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;

use super::{Passed, Proxy};

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
    /// The homeserver never sees it; it is told to be too large, as the homeserver says it.
    TooLarge,
    /// The homeserver never sees it; an empty object is the answer, with success.
    Nothing,
    /// The homeserver acts on it; an empty object is the answer.
    NothingAfter,
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

    /// What befalls this request, if anything does.
    pub(super) fn next(&mut self, request: &Passed) -> Option<Hurt> {
        if self.chance.random_range(0..100) >= self.percent {
            return None;
        }
        // Chance is asked the same number of times whatever the request is.
        let late = Duration::from_millis(self.chance.random_range(100..2_000));
        Some(match self.chance.random_range(0..10) {
            0 => Hurt::LoseRequest,
            1 => Hurt::LoseAnswer,
            2 => Hurt::Page(502),
            3 => Hurt::Page(413),
            4 => Hurt::PageAfter(504),
            5 if carries_content(request) => Hurt::TooLarge,
            6 if is_answered_with_something(request) => Hurt::Nothing,
            7 if is_answered_with_something(request) => Hurt::NothingAfter,
            _ => Hurt::Late(late),
        })
    }
}

/// Whether a request is a message or a file, of which a proxy has enough sooner than of others.
fn carries_content(request: &Passed) -> bool {
    let upload = request.path.contains("/media/") && request.path.contains("/upload");
    request.path.contains("/send/") || upload && request.method != Method::GET
}

/// Whether the homeserver never answers a request with an empty object, so that nobody can take that
/// for its word. A key for somebody's device that is lost in this way is lost for good, and a piece
/// of state may well be empty.
fn is_answered_with_something(request: &Passed) -> bool {
    let may_be_empty = ["/state/", "/account_data/", "/profile/"];
    let looks = request.method == Method::GET
        && may_be_empty.iter().all(|part| !request.path.contains(part));
    request.path.starts_with("/_synapse/") || looks || carries_content(request)
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
