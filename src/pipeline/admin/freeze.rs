//! Freezing from the room and from the machine: with a freeze, open questions end and jobs wait.

use ruma::OwnedUserId;
use tracing::error;

use crate::{
    confirm::Ticket,
    error::Stop,
    freeze::What,
    pipeline::{Invocation, Pipeline, admin::freeze_control::in_words},
    reply::{Line, Reply, Status},
};

impl Pipeline {
    /// Whether this message may lead to a change at all, whatever it asks for: the bot is not
    /// frozen, and it is its sender's own word.
    pub(in crate::pipeline) async fn may_lead_to_a_change(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<(), Stop> {
        self.freeze_control.ensure_not_frozen()?;
        self.authenticity.authenticate(invocation.origin).await
    }

    /// Freezes the bot or a person.
    pub(in crate::pipeline) async fn freeze(
        &self,
        invocation: &Invocation<'_>,
        what: What,
    ) -> Result<Reply, Stop> {
        if let What::Person(person) = &what
            && *person == invocation.operator.person
        {
            return Err(Stop::refused(
                "you cannot freeze yourself; to stop me from changing anything, send",
            )
            .or(&["freeze"]));
        }
        // Whether or not anybody can be told: stopping is safe.
        self.authenticity.prove(invocation.origin).await?;
        if let Some(freeze) = self.freeze_control.of(&what)? {
            // Whoever freezes again does not agree with somebody who wants to unfreeze.
            self.freeze_control.take_back_lifts(|_| true).await?;
            let line = Line::new()
                .plain(format!("{} already frozen, by ", in_words(&freeze.what)))
                .code(&freeze.by);
            return Ok(Reply::outcome(Status::NothingChanged, line));
        }
        self.freeze_control.put_freeze(invocation, &what).await?;
        let mut reply = Reply::outcome(Status::Done, format!("{} frozen", in_words(&what)));
        let void = match &what {
            What::Bot => self.questions.end_questions(invocation, |_| true).await?,
            What::Person(person) => {
                let theirs = |ticket: &Ticket| {
                    self.roster.operator(&ticket.asker).is_some_and(|o| o.person == *person)
                        || ticket.approvals().any(|approval| approval.person == *person)
                };
                self.questions.end_questions(invocation, theirs).await?
            }
        };
        if void > 0 {
            reply = reply.text(format!("Open questions closed: {void}"));
        }
        let waiting = self.jobs.open()?;
        let theirs = |user: &OwnedUserId| match &what {
            What::Bot => true,
            What::Person(person) => self.roster.operator(user).is_some_and(|o| o.person == *person),
        };
        let waiting = waiting.iter().filter(|job| theirs(&job.asker)).count();
        if waiting > 0 {
            reply = reply.text(format!("Jobs that wait until the freeze is lifted: {waiting}"));
        }
        if self.freeze_control.leaves_one(&what)? {
            self.freeze_control.put_freeze(invocation, &What::Bot).await?;
            reply = reply.text(
                "Only one person is left who is not frozen, so I am frozen completely. Only synod \
                unfreeze, run on my machine, lifts that",
            );
        }
        let others = self.roster.operators.keys().filter(|user| **user != invocation.operator.user);
        Ok(reply.ringing(others.cloned().collect()))
    }

    /// Lifts what somebody on the machine has asked to be lifted.
    pub async fn unfreeze_from_shell(&self) {
        let file = &self.rules.unfreeze_file;
        let Ok(text) = std::fs::read_to_string(file) else { return };
        if let Some(note) = self.freeze_control.lift_from_shell(&text).await {
            let transaction_key = format!("unfrozen-{}", self.clock.now().as_millisecond());
            self.voice.tell(&transaction_key, &Reply::data(note)).await;
        }
        if let Err(error) = std::fs::remove_file(file) {
            error!(error = &error as &dyn std::error::Error, "the request to unfreeze stays");
        }
    }
}
