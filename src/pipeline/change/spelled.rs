//! Accounts and aliases that nobody knows as they were typed, and that are there in small letters or
//! without a full stop: a phone writes a capital at the beginning, and people end a sentence.
//!
//! An id is never guessed: the answer has the command with the one that is there, to be sent.

use ruma::{OwnedUserId, RoomAliasId, UserId};

use crate::{
    change::{Skip, Subject},
    error::Stop,
    pipeline::{Invocation, Pipeline, look::reader_for},
    refs::{RoomRef, UserRef},
    reply::{Line, Reply, Status},
    synapse::Reader,
};

/// How many of those that are not there are looked for.
const MOST: usize = 5;

impl Pipeline {
    /// A refusal because something is not there, with the command about what is there.
    pub(in crate::pipeline) async fn or_as_spelled(
        &self,
        invocation: &Invocation<'_>,
        stop: Stop,
    ) -> Stop {
        let (status, why, mut instead) = match stop {
            Stop::Refused { status, why, instead } => (status, why, instead),
            other => return other,
        };
        let reader = reader_for(invocation.operator, &self.reader);
        if let Some(words) = as_spelled(invocation.words, &why, &reader).await {
            instead.insert(0, words);
        }
        Stop::Refused { status, why, instead }
    }

    /// The same of an answer that says why nothing was done.
    pub(in crate::pipeline) async fn with_spelling(
        &self,
        invocation: &Invocation<'_>,
        skips: &[(Subject, Skip)],
        reply: Reply,
    ) -> Reply {
        let reader = reader_for(invocation.operator, &self.reader);
        let missing = skips.iter().filter(|(_, skip)| skip.status == Status::NotFound);
        let mut meant = None;
        for (_, skip) in missing.take(MOST) {
            let words = meant.as_deref().unwrap_or(invocation.words);
            if let Some(words) = as_spelled(words, &skip.why, &reader).await {
                meant = Some(words);
            }
        }
        match meant {
            Some(words) => reply.command("Did you mean", words),
            None => reply,
        }
    }
}

/// The words with what `missing` says is not there, as it is spelled where it is.
async fn as_spelled(words: &[String], missing: &Line, reader: &Reader) -> Option<Vec<String>> {
    let mut meant = words.to_vec();
    for word in meant.iter_mut().skip(1).filter(|word| !word.starts_with("--")) {
        let spelled = match word.parse() {
            Ok(user) => account(&user, missing, reader).await,
            Err(_) => alias(word, missing, reader).await,
        };
        if let Some(spelled) = spelled {
            *word = spelled;
            return Some(meant);
        }
    }
    None
}

/// The account that is there under another spelling of this one, which is not.
async fn account(user: &UserRef, missing: &Line, reader: &Reader) -> Option<String> {
    let typed = reader.user_id(user).ok()?;
    if !reader.is_local(&typed) || !missing.names(typed.as_str()) {
        return None;
    }
    for other in spellings(&typed) {
        // It is a courtesy: should the look fail, the refusal stands without it.
        if reader.account(&other).await.ok().flatten().is_some() {
            return Some(other.to_string());
        }
    }
    None
}

/// How else somebody's name may be spelled.
fn spellings(user: &UserId) -> Vec<OwnedUserId> {
    let typed = user.localpart();
    let mut found: Vec<OwnedUserId> = Vec::new();
    for localpart in [typed, typed.trim_end_matches(['.', '-', '_'])] {
        for spelled in [localpart.to_owned(), localpart.to_ascii_lowercase()] {
            let id = UserId::parse(format!("@{spelled}:{}", user.server_name()));
            let id = id.ok().filter(|id| id != user && !spelled.is_empty() && !found.contains(id));
            found.extend(id);
        }
    }
    found
}

/// The alias in small letters that is there, where the one that was typed is not.
async fn alias(word: &str, missing: &Line, reader: &Reader) -> Option<String> {
    let typed = match word.parse().ok()? {
        RoomRef::Alias(alias) => alias.to_string(),
        RoomRef::Local(alias) => format!("{alias}:{}", reader.server_name()),
        RoomRef::Id(_) => return None,
    };
    let lower = typed.to_lowercase();
    if lower == typed || !missing.names(&typed) {
        return None;
    }
    let alias = RoomAliasId::parse(&lower).ok()?;
    reader.room_id(&RoomRef::Alias(alias)).await.ok().map(|_| lower)
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn a_name_is_looked_for_in_small_letters_and_without_a_full_stop() {
        let of = |user: &UserId| {
            let ids = spellings(user);
            ids.iter().map(|id| id.localpart().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(user_id!("@Eve:x")), "eve");
        assert_eq!(of(user_id!("@eve.:x")), "eve");
        assert_eq!(of(user_id!("@Eve.:x")), "eve. Eve eve");
        assert_eq!(of(user_id!("@eve:x")), "");
        assert_eq!(of(user_id!("@.:x")), "");
    }
}
