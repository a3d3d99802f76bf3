//! Asking the homeserver, before a question is put, whether it does at all what would be asked for.

use tracing::{debug, error};

use super::{Executor, values::Looked};
use crate::{
    commands::{Action, Meaning},
    error::Stop,
    synapse::{Secrets, SendError},
};

impl Executor {
    /// Why the homeserver does nothing of this kind, where a probe shows it. Nothing where there is no
    /// probe, or it shows no more than that nothing stands against it.
    pub(super) async fn shown_not_to_do(
        &self,
        action: &dyn Action,
        looked: &Looked,
    ) -> Option<Stop> {
        let (probe, means) = action.probe().filter(|_| !looked.plans.is_empty())?;
        let mut permit = self.freeze_control.gate().permit_probe(probe)?;
        let sent = self.writer.send(&mut permit, &probe.step(), &mut Secrets::default()).await;
        match sent {
            Err(SendError::Refused(refusal)) => {
                let known = [means];
                let meaning = Meaning::of(&refusal, &known).filter(|it| !it.is_general())?;
                Some(Stop::ending(meaning.ends, meaning.line()))
            }
            Err(other) => {
                debug!(error = &other as &dyn std::error::Error, "a probe shows nothing");
                None
            }
            Ok(_) => {
                error!(?probe, "the homeserver took what it was to refuse");
                None
            }
        }
    }
}
