//! Looking at what a change is about.

use futures_util::{StreamExt as _, stream};

use super::{
    Executor,
    looking::Looking,
    values::{Found, Looked, Plan},
};
use crate::{
    audit::{Kind, Record},
    change::{Skip, Subject},
    commands::Action,
    error::Stop,
    gate::Target,
    pipeline::Invocation,
    reply::Status,
    synapse::{Keeper, Kept, Reader},
};

/// The most subjects of one command: their list is kept, shown to be the same, and recorded.
const MOST: usize = 10_000;

/// How many subjects are looked at at once.
const LOOKS_AT_ONCE: usize = 8;

impl Executor {
    /// Looks at every subject, several at a time. Of several that which the gate forbids is left out,
    /// and on record.
    pub(in crate::pipeline) async fn look_at(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        subjects: Vec<Subject>,
        reader: &Reader,
    ) -> Result<Looked, Stop> {
        let many = subjects.len();
        if many > MOST {
            return Err(Stop::refused(format!(
                "that is {many}, and I take at most {MOST} at a time; send it in parts, or narrow \
                 it down"
            )));
        }
        let alone = many == 1;
        let looks = subjects.into_iter().map(|subject| async move {
            let found = self.look_at_one(invocation, action, &subject, reader).await;
            (subject, found)
        });
        let mut looking = Looking::at(self, invocation, many).await;
        let mut found = stream::iter(looks).buffered(LOOKS_AT_ONCE);
        let mut looked = Looked::default();
        let mut refused = Vec::new();
        while let Some((subject, found)) = found.next().await {
            looking.one_more().await;
            match found? {
                Found::Plan(target, plan) => {
                    looked.targets.push(target);
                    looked.plans.push(*plan);
                }
                Found::Skip(skip) => looked.skips.push((subject, skip)),
                Found::Refused(why) if alone => looked.forbidden = Some(why),
                Found::Refused(why) => {
                    let skip = Skip { status: Status::Refused, why, instead: Vec::new() };
                    refused.push(subject.clone());
                    looked.skips.push((subject, skip));
                }
            }
        }
        if !refused.is_empty() {
            let record = Record { subjects: refused, ..invocation.record(Kind::Refused) };
            self.audit.note(record).await?;
        }
        Ok(looked)
    }

    /// Looks at one subject, if the gate lets anybody touch it.
    async fn look_at_one(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        subject: &Subject,
        reader: &Reader,
    ) -> Result<Found, Stop> {
        let mut found = target(subject, reader).await?;
        let may = |target: &Target, harmless| {
            self.freeze_control.gate().may_do(invocation.operator, target, harmless)
        };
        if let Err(refusal) = may(&found, action.harmless()) {
            return Ok(Found::Refused(refusal.0));
        }
        let seen = action.snapshot(subject, reader).await?;
        for reached in action.reaches(subject, &seen) {
            let reached = target(&reached, reader).await?;
            if let Err(refusal) = may(&reached, false) {
                return Ok(Found::Refused(refusal.0));
            }
            found.reached.push(reached);
        }
        Ok(match action.change(subject, &seen) {
            Ok(change) => {
                Found::Plan(found, Box::new(Plan { subject: subject.clone(), seen, change }))
            }
            Err(skip) => Found::Skip(skip),
        })
    }
}

/// What the gate wants to know of a subject.
pub(in crate::pipeline) async fn target(
    subject: &Subject,
    reader: &Reader,
) -> Result<Target, Stop> {
    let account = match subject.user() {
        Some(user) if reader.is_local(user) => reader.account(user).await?,
        _ => None,
    };
    // Where an authentication service keeps the accounts it says who is one, and the homeserver's own
    // flag may be left from before.
    let kept = match &account {
        Some(account) => Some(reader.keeper(&account.user_id).await?),
        None => None,
    };
    let there = matches!(kept, Some(Keeper::Service(Kept { admin: true, .. })));
    Ok(Target {
        server_admin: there || account.as_ref().is_some_and(|account| account.admin),
        bridged: account.is_some_and(|account| account.appservice_id.is_some()),
        ..Target::ordinary(subject.clone())
    })
}
