//! Moderation policy lists: the rules that were read of each, what of them fits here, what is still to be
//! told, and which accounts and rooms operators have let go.
//!
//! What a look has found and what is to be told of it are on disk before anything is said. So whatever a
//! crash cuts off is told at the next start, as the same message.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

mod named;
mod rule;
#[cfg(test)]
mod tests;
mod told;

pub use named::{LetGo, Measure, MeasureState};
pub use rule::{About, Pattern, Read, Recommendation, Rule, Unread};
pub use told::{Counts, Few, Fit, Told, Withdrawn};

/// What is known of one list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its room, once that is known: where the config has an alias, the room that it named first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<OwnedRoomId>,
    /// When all its rules had been compared for the first time; what came before was told as a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// When all its rules were last compared with what is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Timestamp>,
    /// When its rules were last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// Why they could not be read since, as it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How many of its rules are not understood.
    #[serde(default)]
    pub unread: Unread,
    /// What is to become of its rules, decided and not done yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<(RuleKey, Option<Kept>)>,
    /// What is still to be told, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Told>,
    /// How much was told, or is about to be: the number of the first of those.
    #[serde(default)]
    pub told: u64,
}

/// A rule that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The rule, as it was read last.
    pub rule: Rule,
    /// Since when it is known.
    pub since: Timestamp,
    /// What it fits here; nothing where it is still to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Few>,
}

/// Under which type and state key a rule stands in its room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleKey {
    /// The type of its event.
    pub event_type: String,
    /// Its state key.
    pub state_key: String,
}

/// All that is known of policy lists.
#[derive(Debug, Clone)]
pub struct PolicyLists {
    lists: Shelf<List>,
    rules: Shelf<Kept>,
    named: Shelf<Timestamp>,
    let_go: Shelf<LetGo>,
    measures: Shelf<Measure>,
    store: Store,
}

impl PolicyLists {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self {
            lists: store.shelf("policy-lists")?,
            rules: store.shelf("policy-rules")?,
            named: store.shelf("policy-named")?,
            let_go: store.shelf("policy-let-go")?,
            measures: store.shelf("policy-measures")?,
            store: store.clone(),
        })
    }

    /// What is known of the list that the config names so.
    pub fn list(&self, named: &str) -> Result<Option<List>, store::Error> {
        self.lists.get(named)
    }

    /// Keeps what is known of the list that the config names so, does what is to become of its rules, and
    /// returns when that is on disk. Cut off anywhere, it is done as a whole or not at all.
    pub async fn keep(&self, named: &str, list: &mut List) -> Result<(), store::Error> {
        self.lists.put(named, list)?;
        self.store.flush().await?;
        self.settle(named, list).await
    }

    /// Does what is to become of the rules of a list, which may have been cut off.
    pub async fn settle(&self, named: &str, list: &mut List) -> Result<(), store::Error> {
        if list.pending.is_empty() {
            return Ok(());
        }
        for (key, kept) in &list.pending {
            let place = place(named, key);
            match kept {
                Some(kept) => self.rules.put(&place, kept)?,
                None => self.rules.remove(&place)?,
            }
            for id in kept.iter().flat_map(|kept| &kept.fits).flat_map(|fits| &fits.ids) {
                self.named.put_new(id, &kept_since(kept.as_ref()))?;
            }
        }
        list.pending.clear();
        self.lists.put(named, list)?;
        self.store.flush().await
    }

    /// The rules of the list that the config names so, by where they stand.
    pub fn rules(&self, named: &str) -> Result<BTreeMap<RuleKey, Kept>, store::Error> {
        let under = format!("{named}\n");
        let rules = self.rules.last_under(&under, usize::MAX)?;
        let read = |(key, kept): (String, Kept)| {
            let (event_type, state_key) = key.strip_prefix(&under)?.split_once('\n')?;
            let (event_type, state_key) = (event_type.to_owned(), state_key.to_owned());
            Some((RuleKey { event_type, state_key }, kept))
        };
        Ok(rules.into_iter().filter_map(read).collect())
    }

    /// Whether a rule has ever named this account or room here.
    pub fn was_named(&self, id: &str) -> Result<bool, store::Error> {
        Ok(self.named.get(id)?.is_some())
    }

    /// Who has let this account or room go.
    pub fn let_go(&self, id: &str) -> Result<Option<LetGo>, store::Error> {
        self.let_go.get(id)
    }

    /// All that were let go, by their ids.
    pub fn all_let_go(&self) -> Result<Vec<(String, LetGo)>, store::Error> {
        self.let_go.all()
    }

    /// Remembers that an account or room was let go, and returns when that is on disk.
    pub async fn keep_let_go(&self, id: &str, let_go: &LetGo) -> Result<(), store::Error> {
        self.let_go.put(id, let_go)?;
        self.store.flush().await
    }

    /// Forgets that an account or room was let go, and returns when that is on disk.
    pub async fn take_back(&self, id: &str) -> Result<(), store::Error> {
        self.let_go.remove(id)?;
        self.store.flush().await
    }

    /// The measures that rules have led to and that have not ended, by their subjects.
    pub fn measures(&self) -> Result<Vec<(String, Measure)>, store::Error> {
        self.measures.all()
    }

    /// The measure on this account or room.
    pub fn measure(&self, id: &str) -> Result<Option<Measure>, store::Error> {
        self.measures.get(id)
    }

    /// Keeps a measure on this account or room, and returns when it is on disk.
    pub async fn keep_measure(&self, id: &str, measure: &Measure) -> Result<(), store::Error> {
        self.measures.put(id, measure)?;
        self.store.flush().await
    }

    /// Forgets the measure on this account or room, and returns when that is on disk.
    pub async fn forget_measure(&self, id: &str) -> Result<(), store::Error> {
        self.measures.remove(id)?;
        self.store.flush().await
    }

    /// Forgets what is known of these accounts, except in rules, where others name them; returns when that
    /// is on disk.
    pub async fn forget<'a>(
        &self,
        users: impl Iterator<Item = &'a OwnedUserId>,
    ) -> Result<(), store::Error> {
        for user in users {
            self.named.remove(user.as_str())?;
            self.let_go.remove(user.as_str())?;
            self.measures.remove(user.as_str())?;
        }
        self.store.flush().await
    }
}

fn kept_since(kept: Option<&Kept>) -> Timestamp {
    kept.map(|kept| kept.since).unwrap_or_default()
}

/// Names of lists and types have no line breaks, and what is behind the second one is the state key, whatever is in it.
fn place(named: &str, key: &RuleKey) -> String {
    format!("{named}\n{}\n{}", key.event_type, key.state_key)
}
