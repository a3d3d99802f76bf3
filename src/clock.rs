//! Time and chance, passed in as values so that a test can choose them.
//!
//! Nothing else in the crate asks the system for the time of day or for random digits.

use std::{fmt::Debug, sync::Arc};

use jiff::Timestamp;
use rand::Rng as _;

mod duty;
mod weekly;
mod zones;

pub use duty::{Duty, NotDuty};
pub use weekly::{NotWeekly, Weekly};
pub use zones::{NoZone, Zones};

/// Where the time of day and the digits of a code come from.
pub trait Clock: Debug + Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;

    /// `digits` decimal digits that nobody can foresee, leading zeros included.
    fn digits(&self, digits: usize) -> String;

    /// `length` characters of a generated secret, from letters and digits that are not easily
    /// mistaken for one another.
    fn secret(&self, length: usize) -> String;
}

/// A clock that many parts of the program hold.
pub type SharedClock = Arc<dyn Clock>;

/// The clock and the random numbers of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Letters and digits without `0 O 1 l I`: a generated password is read from a screen and typed.
const LEGIBLE: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
    fn digits(&self, digits: usize) -> String {
        let mut rng = rand::rng();
        (0..digits).map(|_| char::from(b'0' + rng.random_range(0..10u8))).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
    fn secret(&self, length: usize) -> String {
        let mut rng = rand::rng();
        (0..length).map(|_| char::from(LEGIBLE[rng.random_range(0..LEGIBLE.len())])).collect()
    }
}

/// A clock that stands still and digits that count up: for tests.
#[derive(Debug)]
pub struct FixedClock {
    now: std::sync::Mutex<Timestamp>,
    next: std::sync::atomic::AtomicU64,
}

impl FixedClock {
    /// A clock that stands at `now` until it is moved.
    pub fn at(now: Timestamp) -> Self {
        Self { now: std::sync::Mutex::new(now), next: std::sync::atomic::AtomicU64::new(1) }
    }

    /// Moves the clock on by `seconds`.
    pub fn pass(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += jiff::SignedDuration::from_secs(seconds);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn digits(&self, digits: usize) -> String {
        let next = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{next:0digits$}")
    }

    fn secret(&self, length: usize) -> String {
        let next = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{next:a>length$}")
    }
}
