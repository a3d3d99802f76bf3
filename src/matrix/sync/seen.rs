//! The events that were handed on lately.

use std::collections::{HashSet, VecDeque};

use ruma::OwnedEventId;

/// Ids of events remembered so that none is handed on twice.
const REMEMBERED: usize = 10_000;

/// The ids of the last events.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashSet<OwnedEventId>,
    order: VecDeque<OwnedEventId>,
}

impl Seen {
    /// Remembers an event; false if it was remembered before.
    pub(super) fn insert(&mut self, id: OwnedEventId) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_event_id;

    use super::*;

    #[test]
    fn an_event_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.insert(owned_event_id!("$a")));
        assert!(!seen.insert(owned_event_id!("$a")));
    }

    #[test]
    fn memory_of_events_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..=REMEMBERED {
            seen.insert(OwnedEventId::try_from(format!("${number}")).unwrap());
        }
        assert_eq!(seen.ids.len(), REMEMBERED);
        assert_eq!(seen.order.len(), REMEMBERED);
    }
}
