//! What a change means for what rules of policy lists have named.

use tracing::error;

use super::{Done, Executor, unreviewed::has_changed};
use crate::{
    pipeline::Invocation,
    policy_lists::{LetGo, MeasureState},
    store,
};

/// What an account or a room is that somebody has let go.
const LET_GO: [&str; 3] = ["suspended", "locked", "blocked"];

impl Executor {
    /// Notes what somebody's change `number` means for a subject that a rule of a policy list has named: what
    /// the bot did by a rule, and what this has ended or replaced, is not taken back any more; and whoever
    /// was let go is left alone by every rule.
    pub(in crate::pipeline) async fn note_for_policy_lists(
        &self,
        invocation: &Invocation<'_>,
        number: u64,
        done: &Done,
    ) {
        let by_rule = invocation.operator.user == self.roster.bot;
        if by_rule || !has_changed(done.outcome.status) {
            return;
        }
        if let Err(error) = self.noted_for_policy_lists(invocation, number, done).await {
            let error = &error as &dyn std::error::Error;
            error!(number, error, "policy lists do not know of a change");
        }
    }

    async fn noted_for_policy_lists(
        &self,
        invocation: &Invocation<'_>,
        number: u64,
        done: &Done,
    ) -> Result<(), store::Error> {
        let (lists, id) = (&self.policy_lists, done.subject.key());
        let measure = lists.measure(&id)?;
        let ended = LET_GO.iter().any(|key| done.left.get(*key).is_some_and(|is| *is == false));
        if ended
            && !invocation.origin.is_sanction_expiry()
            && (measure.is_some() || lists.was_named(&id)?)
        {
            let (by, at) = (invocation.operator.user.clone(), self.clock.now());
            lists.keep_let_go(&id, &LetGo { by, at, number }).await?;
        }
        let touches = |key: &String| done.left.contains_key(key) || done.lasting.contains_key(key);
        let is_over = match measure.map(|measure| measure.state) {
            Some(MeasureState::Taken { left, .. }) => left.keys().any(touches),
            Some(MeasureState::Announced(_)) => ended,
            None => false,
        };
        if is_over { lists.forget_measure(&id).await } else { Ok(()) }
    }
}
