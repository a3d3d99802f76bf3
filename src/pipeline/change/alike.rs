//! Accounts whose ids differ only in capitals: which of them is meant.
//!
//! Old homeservers took capitals, and phones write one at the beginning of a word. Somebody who types
//! only a localpart, where two accounts have it in different spelling, is asked.

use std::collections::BTreeSet;

use ruma::{OwnedUserId, UserId};

use crate::{change::Subject, error::Stop, refs::UserRef, reply::Line, synapse::Reader};

/// Refuses a change of an account that was not named exactly, where there is another one whose id
/// differs only in capitals.
pub(super) async fn must_be_exact(
    words: &[String],
    subjects: &[Subject],
    reader: &Reader,
) -> Result<(), Stop> {
    let users: BTreeSet<&OwnedUserId> = subjects.iter().filter_map(Subject::user).collect();
    for user in users.into_iter().filter(|user| reader.is_local(user)) {
        let Some(word) = words.iter().position(|word| is_localpart_of(word, user)) else {
            continue;
        };
        if words.iter().any(|word| is_whole_id_of(word, user)) {
            continue;
        }
        let mut alike = Vec::new();
        for other in spellings(user) {
            if other == **user || reader.account(&other).await?.is_some() {
                alike.push(other);
            }
        }
        if alike.iter().any(|other| other != user) {
            // Itself need not exist: then it is known which is meant, or none is.
            let there = reader.account(user).await?.is_some();
            alike.retain(|other| there || other != user);
            if alike.len() > 1 {
                return Err(which(&alike, words, word));
            }
        }
    }
    Ok(())
}

/// Whether a word names this account by no more than its localpart.
fn is_localpart_of(word: &str, user: &UserId) -> bool {
    matches!(word.parse::<UserRef>(), Ok(UserRef::Localpart(localpart)) if localpart == user.localpart())
}

/// Whether a word names this account and no other.
fn is_whole_id_of(word: &str, user: &UserId) -> bool {
    matches!(word.parse::<UserRef>(), Ok(UserRef::Id(id)) if id == user)
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
    let mut line = Line::new().plain("which? There are ");
    for (n, user) in alike.iter().enumerate() {
        line = if n == 0 { line } else { line.plain(" and ") }.code(user);
    }
    let line = line.plain(", which differ only in capitals; type the whole id");
    alike.iter().fold(Stop::refused(line), |stop, user| {
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
        let alice = user_id!("@alice:example.org");
        assert!(is_localpart_of("alice", alice) && is_localpart_of("@alice", alice));
        assert!(!is_localpart_of("@alice:example.org", alice));
        for whole in ["@alice:example.org", "alice:example.org", "<@alice:example.org>,"] {
            assert!(is_whole_id_of(whole, alice), "{whole}");
        }
        assert!(!is_whole_id_of("alice", alice) && !is_whole_id_of("@Alice:example.org", alice));
        assert!(!is_localpart_of("Alice", alice));
    }
}
