//! One-time passwords (RFC 6238, as authenticator apps make them: SHA-1, six digits, 30 s), by
//! which whoever says yes shows that they hold more than a session.
//!
//! Each counts once, and after five wrong ones in a row the person is not served for an hour.

use std::collections::BTreeMap;

use data_encoding::BASE32_NOPAD;
use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use totp_rs::{Algorithm, TOTP};

use crate::{
    operators::Operator,
    store::{self, Shelf, Store},
};

/// How many digits one has.
pub const DIGITS: usize = 6;

/// For how many seconds one stands.
const STEP: u64 = 30;

/// How many wrong ones in a row stop a person.
const WRONG: u8 = 5;

/// For how long they stop them.
const STOPPED: SignedDuration = SignedDuration::from_hours(1);

/// Bytes of the shortest seed that will do (RFC 4226, section 4).
const SHORTEST: usize = 16;

/// The proof that somebody has shown a one-time password of theirs. Only
/// [`OneTimePasswords::check`] makes one.
#[derive(Debug)]
pub struct Shown(OwnedUserId);

impl Shown {
    /// Who has shown it.
    pub fn by(&self) -> &UserId {
        &self.0
    }
}

/// What became of a one-time password that was typed.
#[derive(Debug)]
pub enum Checked {
    /// It counts, and is used up.
    Right(Shown),
    /// It does not count.
    Wrong(Wrong),
}

/// Why a one-time password does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The config has no seed for this account.
    NoSeed,
    /// It is not the one of now; so many more wrong ones will do to stop the person.
    NotNow(u8),
    /// It has been used.
    Used,
    /// It was one wrong one too many: the person is not served until then.
    Stopped(Timestamp),
}

/// What is kept of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The last step whose password was used.
    used: u64,
    /// How many were wrong since.
    wrong: u8,
    /// Until when the person is not served.
    stopped: Option<Timestamp>,
}

/// Everybody's one-time passwords.
pub struct OneTimePasswords {
    seeds: BTreeMap<OwnedUserId, TOTP>,
    kept: Shelf<Kept>,
    store: Store,
}

impl std::fmt::Debug for OneTimePasswords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneTimePasswords").field("of", &self.seeds.keys()).finish_non_exhaustive()
    }
}

/// The bytes of a seed as authenticator apps write it: base32, in groups or not. `None` where it
/// is not one, or too short.
pub fn seed(text: &str) -> Option<Vec<u8>> {
    let letters: String = text
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-' && *letter != '=')
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    let bytes = BASE32_NOPAD.decode(letters.as_bytes()).ok()?;
    (bytes.len() >= SHORTEST).then_some(bytes)
}

impl OneTimePasswords {
    /// The passwords that these `seeds` make; which of them were used stands in `store`. A seed
    /// that is none makes none: the config has said so before.
    pub fn new(
        seeds: impl IntoIterator<Item = (OwnedUserId, SecretString)>,
        store: &Store,
    ) -> Result<Self, store::Error> {
        let made = |(user, text): (OwnedUserId, SecretString)| {
            let bytes = seed(text.expose_secret())?;
            let totp = TOTP::new(Algorithm::SHA1, DIGITS, 1, STEP, bytes).ok()?;
            Some((user, totp))
        };
        Ok(Self {
            seeds: seeds.into_iter().filter_map(made).collect(),
            kept: store.shelf("one-time-passwords")?,
            store: store.clone(),
        })
    }

    /// Until when a person is not served for having shown too many wrong ones.
    pub fn stopped(&self, person: &str, now: Timestamp) -> Result<Option<Timestamp>, store::Error> {
        let kept = self.kept.get(person)?;
        Ok(kept.and_then(|kept| kept.stopped).filter(|until| *until > now))
    }

    /// Whether `typed` is the one-time password of this operator now, or was half a minute ago or
    /// will be in half a minute. It is used up by being right.
    pub async fn check(
        &self,
        operator: &Operator,
        typed: &str,
        now: Timestamp,
    ) -> Result<Checked, store::Error> {
        let Some(totp) = self.seeds.get(&operator.user) else {
            return Ok(Checked::Wrong(Wrong::NoSeed));
        };
        let step = u64::try_from(now.as_second()).unwrap_or_default() / STEP;
        let of = |step: u64| totp.generate(step.saturating_mul(STEP));
        let steps = [step.saturating_sub(1), step, step.saturating_add(1)];
        let right = steps.into_iter().find(|step| of(*step) == typed);
        loop {
            let old = self.kept.get(&operator.person)?;
            let (new, answer) = judged(old.clone().unwrap_or_default(), right, now);
            let kept = match &old {
                Some(old) => self.kept.swap(&operator.person, old, &new)?,
                None => self.kept.put_new(&operator.person, &new)?,
            };
            if kept {
                self.store.flush().await?;
                return Ok(match answer {
                    Ok(()) => Checked::Right(Shown(operator.user.clone())),
                    Err(wrong) => Checked::Wrong(wrong),
                });
            }
        }
    }
}

/// What is kept after one was shown that was `right` for this step, or for none.
fn judged(mut kept: Kept, right: Option<u64>, now: Timestamp) -> (Kept, Result<(), Wrong>) {
    if let Some(until) = kept.stopped.filter(|until| *until > now) {
        return (kept, Err(Wrong::Stopped(until)));
    }
    match right {
        Some(step) if step > kept.used => (Kept { used: step, ..Kept::default() }, Ok(())),
        // One that was right a moment ago is a slip, not a guess.
        Some(_) => (kept, Err(Wrong::Used)),
        None => {
            kept.wrong = kept.wrong.saturating_add(1);
            if kept.wrong < WRONG {
                let left = WRONG - kept.wrong;
                return (kept, Err(Wrong::NotNow(left)));
            }
            let until = now + STOPPED;
            (Kept { wrong: 0, stopped: Some(until), ..kept }, Err(Wrong::Stopped(until)))
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_user_id;

    use super::*;
    use crate::operators::Rank;

    /// The seed of RFC 6238, appendix B, in base32.
    const SEED: &str = "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ";

    async fn shown(tries: &[(&str, i64)]) -> Vec<Result<(), Wrong>> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), Timestamp::UNIX_EPOCH).unwrap().store;
        let user = owned_user_id!("@ann:x.test");
        let ann =
            Operator { user: user.clone(), role: Rank::Admin.into(), person: "ann".to_owned() };
        let passwords = OneTimePasswords::new([(user, SEED.into())], &store).unwrap();
        let mut answers = Vec::new();
        for (typed, second) in tries {
            let now = Timestamp::from_second(*second).unwrap();
            let answer = passwords.check(&ann, typed, now).await.unwrap();
            answers.push(match answer {
                Checked::Right(shown) => {
                    assert_eq!(shown.by(), ann.user);
                    Ok(())
                }
                Checked::Wrong(wrong) => Err(wrong),
            });
        }
        answers
    }

    #[tokio::test]
    async fn the_one_of_now_counts_once() {
        // The last six digits of the values in the appendix.
        let answers =
            shown(&[("287082", 59), ("287082", 60), ("081804", 1_111_111_109 + 30)]).await;
        assert_eq!(answers, [Ok(()), Err(Wrong::Used), Ok(())]);
    }

    #[tokio::test]
    async fn five_wrong_ones_stop_for_an_hour_even_the_right_one() {
        let mut tries = vec![("000000", 59); 5];
        tries.push(("287082", 59));
        tries.push(("081804", 1_111_111_109));
        let until = Timestamp::from_second(59 + 3600).unwrap();
        let stopped = Err(Wrong::Stopped(until));
        let wrong = |left| Err(Wrong::NotNow(left));
        let expected = [wrong(4), wrong(3), wrong(2), wrong(1), stopped, stopped, Ok(())];
        assert_eq!(shown(&tries).await, expected);
    }

    #[test]
    fn a_seed_is_base32_and_long_enough() {
        assert_eq!(seed(SEED).unwrap(), b"12345678901234567890");
        assert!(seed("GEZDGNBV").is_none() && seed("not base32!").is_none());
    }
}
