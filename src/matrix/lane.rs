//! The order in which what is to be said in one room is sent.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// One room's way out. Whoever holds it is the only one who sends there.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Who is the next in order. Only they wait for the lane itself, so that going back for
    /// somebody who has precedence changes no order.
    next: Mutex<()>,
    sending: Mutex<()>,
    /// How many with precedence wait.
    ahead: AtomicUsize,
}

/// Counts somebody who waits with precedence for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Lane {
    /// Waits for one's turn, in the order of asking.
    pub(super) async fn in_turn(&self) -> Turn<'_> {
        let next = self.next.lock().await;
        let mut turn = Turn { lane: self, next: Some(next), sending: None };
        turn.give_way().await;
        turn
    }

    /// Waits only for what is being sent, ahead of all who wait for their turn.
    pub(super) async fn ahead(&self) -> Turn<'_> {
        self.ahead.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.ahead);
        Turn { lane: self, next: None, sending: Some(self.sending.lock().await) }
    }
}

/// One's turn, for as long as it lives.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    lane: &'a Lane,
    /// Held throughout by whoever came in the order of asking: nobody else does meanwhile.
    next: Option<MutexGuard<'a, ()>>,
    sending: Option<MutexGuard<'a, ()>>,
}

impl Turn<'_> {
    /// Lets those go first who have precedence, between two pieces of what is sent. Whoever has it
    /// themselves gives way to nobody.
    pub(super) async fn give_way(&mut self) {
        if self.next.is_none() {
            return;
        }
        while self.sending.is_none() || self.lane.ahead.load(Ordering::SeqCst) > 0 {
            self.sending = None;
            // Those ahead may not stand in the queue yet.
            tokio::task::yield_now().await;
            self.sending = Some(self.lane.sending.lock().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{sync::mpsc, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn who_has_precedence_is_next_and_the_others_keep_their_order() {
        let lane = Arc::new(Lane::default());
        let (said, mut heard) = mpsc::unbounded_channel();
        let held = lane.in_turn().await;
        let mut waiting = Vec::new();
        for name in ["first", "second", "third", "urgent"] {
            let (waits, said) = (Arc::clone(&lane), said.clone());
            waiting.push(tokio::spawn(async move {
                let _turn = match name {
                    "urgent" => waits.ahead().await,
                    _ => waits.in_turn().await,
                };
                said.send(name).unwrap();
                yield_now().await;
            }));
            yield_now().await;
        }
        drop(held);
        for task in waiting {
            task.await.unwrap();
        }
        drop(said);
        let mut order = Vec::new();
        while let Some(name) = heard.recv().await {
            order.push(name);
        }
        assert_eq!(order, ["urgent", "first", "second", "third"]);
    }

    #[tokio::test]
    async fn who_has_precedence_waits_for_one_page_and_not_for_all() {
        let lane = Arc::new(Lane::default());
        let (said, mut heard) = mpsc::unbounded_channel();
        let mut pages = lane.in_turn().await;
        let mut others = Vec::new();
        for name in ["urgent", "next"] {
            let (waits, said) = (Arc::clone(&lane), said.clone());
            others.push(tokio::spawn(async move {
                let _turn = match name {
                    "urgent" => waits.ahead().await,
                    _ => waits.in_turn().await,
                };
                said.send(name).unwrap();
            }));
            yield_now().await;
        }
        for page in ["page 1", "page 2", "page 3"] {
            pages.give_way().await;
            said.send(page).unwrap();
        }
        drop((pages, said));
        for other in others {
            other.await.unwrap();
        }
        let mut order = Vec::new();
        while let Some(name) = heard.recv().await {
            order.push(name);
        }
        assert_eq!(order, ["urgent", "page 1", "page 2", "page 3", "next"]);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_up_nobody() {
        let lane = Lane::default();
        let held = lane.in_turn().await;
        assert!(futures_util::poll!(std::pin::pin!(lane.ahead())).is_pending());
        drop(held);
        drop(lane.in_turn().await);
    }
}
