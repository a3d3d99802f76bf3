//! Accounts whose ids differ only in capitals: which of them is meant.
//!
//! Old homeservers took capitals, and phones write one at the beginning of a word. Somebody who types
//! only a localpart, where two accounts have it in different spelling, is asked.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::{FutureExt as _, future::try_join_all};
use ruma::{OwnedUserId, UserId};

use crate::{change::Subject, error::Stop, refs::UserRef, reply::Line, synapse::Reader};

/// How many accounts are looked at once.
const AT_ONCE: usize = 8;

/// Refuses a change of an account that was not named exactly, where there is another one whose id
/// differs only in capitals.
pub(super) async fn must_be_exact(
    words: &[String],
    subjects: &[Subject],
    reader: &Reader,
) -> Result<(), Stop> {
    let named = Named::by(words);
    let users: BTreeSet<&OwnedUserId> = subjects.iter().filter_map(Subject::user).collect();
    let loose: Vec<(&OwnedUserId, usize)> = users
        .into_iter()
        .filter(|user| reader.is_local(user))
        .filter_map(|user| Some((user, named.by_localpart(user)?)))
        .collect();
    for some in loose.chunks(AT_ONCE) {
        let looks = some.iter().map(|(user, _)| alike(user, reader).boxed());
        for (alike, (_, place)) in try_join_all(looks).await?.iter().zip(some) {
            if alike.len() > 1 {
                return Err(which(alike, words, *place));
            }
        }
    }
    Ok(())
}

/// What the words of a command name, each read once: there may be thousands.
#[derive(Debug, Default)]
struct Named {
    /// Accounts by their whole ids.
    whole: HashSet<OwnedUserId>,
    /// Localparts, and the first word that is each.
    local: HashMap<String, usize>,
}

impl Named {
    fn by(words: &[String]) -> Self {
        let mut named = Self::default();
        for (place, word) in words.iter().enumerate() {
            match word.parse() {
                Ok(UserRef::Id(id)) => {
                    named.whole.insert(id);
                }
                Ok(UserRef::Localpart(localpart)) => {
                    named.local.entry(localpart).or_insert(place);
                }
                Err(_) => {}
            }
        }
        named
    }

    /// The word that names this account by no more than its localpart, where none names it exactly.
    fn by_localpart(&self, user: &OwnedUserId) -> Option<usize> {
        let exact = self.whole.contains(user);
        self.local.get(user.localpart()).copied().filter(|_| !exact)
    }
}

/// The accounts that somebody may have meant by this one's localpart.
async fn alike(user: &UserId, reader: &Reader) -> Result<Vec<OwnedUserId>, Stop> {
    let mut alike = Vec::new();
    for other in spellings(user) {
        if other == *user || reader.account(&other).await?.is_some() {
            alike.push(other);
        }
    }
    if alike.len() > 1 {
        // Itself need not exist: then it is known which is meant, or none is.
        let there = reader.account(user).await?.is_some();
        alike.retain(|other| there || other != user);
    }
    Ok(alike)
}

/// How people and phones spell the same name: as it is, in small letters, in capitals, and with a
/// capital at the beginning. There is no search that goes by all of them on every database.
fn spellings(user: &UserId) -> Vec<OwnedUserId> {
    let localpart = user.localpart();
    let lower = localpart.to_ascii_lowercase();
    let mut title = lower.clone();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let all = [lower, title, localpart.to_ascii_uppercase(), localpart.to_owned()];
    let ids = all.iter().map(|localpart| format!("@{localpart}:{}", user.server_name()));
    let ids: BTreeSet<OwnedUserId> = ids.filter_map(|id| UserId::parse(id).ok()).collect();
    ids.into_iter().collect()
}

fn which(alike: &[OwnedUserId], words: &[String], word: usize) -> Stop {
    let mut line = Line::new().plain("which one? There are ");
    for (n, user) in alike.iter().enumerate() {
        line = if n == 0 { line } else { line.plain(" and ") }.code(user);
    }
    let line = line.plain(", which differ only in capital letters; type the full id");
    alike.iter().fold(Stop::not_understood(line), |stop, user| {
        let mut exact: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Some(typed) = exact.get_mut(word) {
            *typed = user.as_str();
        }
        stop.or(&exact)
    })
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn a_name_is_looked_for_as_phones_and_people_spell_it() {
        let of = |user: &UserId| {
            let ids = spellings(user);
            ids.iter().map(|id| id.localpart().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(user_id!("@alice:x")), "ALICE Alice alice");
        assert_eq!(of(user_id!("@Alice:x")), "ALICE Alice alice");
        assert_eq!(of(user_id!("@aLice-B:x")), "ALICE-B Alice-b aLice-B alice-b");
        assert_eq!(of(user_id!("@42:x")), "42");
    }

    #[test]
    fn a_whole_id_is_exact_and_a_localpart_is_not() {
        let alice = user_id!("@alice:example.org").to_owned();
        let place = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            Named::by(&words).by_localpart(&alice)
        };
        assert_eq!(place("user suspend alice @alice"), Some(2));
        assert_eq!(place("user suspend bob @alice,"), Some(3));
        for whole in ["@alice:example.org", "alice:example.org", "<@alice:example.org>,"] {
            assert_eq!(place(&format!("user suspend {whole}")), None);
            assert_eq!(place(&format!("user suspend alice {whole}")), None);
        }
        assert_eq!(place("user suspend Alice @Alice:example.org"), None);
    }
}
