//! Doing what a command says, where nothing keeps it from being run: a look, a change, a command of the
//! bot's own, or an answer to a question.

use tracing::info;

use super::{Command, Invocation, Origin, Pipeline, change, look, own::Own};
use crate::{
    audit::Kind,
    change::Power,
    commands::{Options, Query},
    error::Stop,
    operators::Operator,
    reply::Reply,
};

impl Pipeline {
    /// Does what nothing keeps from being run, and answers as whoever asked wants it drawn.
    pub(super) async fn obey(
        &self,
        origin: Origin<'_>,
        operator: &Operator,
        command: &Command,
    ) -> Result<Option<Reply>, Stop> {
        // Whoever hands a message on would carry all that it takes to answer any.
        let reply = Box::pin(self.answer_to(origin, operator, command)).await?;
        Ok(reply.map(|reply| self.styled(origin, operator, command, reply)))
    }

    async fn answer_to(
        &self,
        origin: Origin<'_>,
        operator: &Operator,
        command: &Command,
    ) -> Result<Option<Reply>, Stop> {
        let none = Options::default();
        let (sender, event) = (&operator.user, origin.event());
        let invocation =
            |words, options| Invocation { origin, operator, words, options, undoes: None };
        match command {
            Command::Read(query, options, words) => {
                info!(%sender, %event, verb = options.verb, "look");
                let paged = self.paged(origin, operator, words, options);
                let (query, options, words) = match &paged {
                    Some((query, options, words)) => (query, options, words),
                    None => (query, options, words),
                };
                let invocation = invocation(words, options);
                match self.look(&invocation, query.as_ref()).await {
                    Ok(reply) => Ok(Some(reply)),
                    Err(stop) => {
                        let stop = self.or_as_spelled(&invocation, stop).await;
                        Err(self.served.explained(&invocation, stop).await)
                    }
                }
            }
            Command::Change(action, options, words) => {
                info!(%sender, %event, verb = options.verb, "change");
                // Also where the gate refuses it, its words are on record.
                let words = change::mask(words, &action.typed());
                let invocation = invocation(&words, options);
                match self.make(&invocation, action.as_ref(), None).await {
                    Ok(reply) => Ok(reply),
                    Err(stop) => {
                        let stop = self.or_as_spelled(&invocation, stop).await;
                        Err(self.served.explained(&invocation, stop).await)
                    }
                }
            }
            Command::Own(own, options, words) => {
                let invocation = invocation(words, options);
                match self.own(&invocation, own.as_ref()).await {
                    Ok(reply) => Ok(reply),
                    Err(stop) => Err(self.served.explained(&invocation, stop).await),
                }
            }
            Command::InFile(words, file) => match origin.message() {
                Some(request) => self.about_what_stands_in(request, operator, words, file).await,
                None => Err(Stop::refused("a list in a file of the room is named there")),
            },
            Command::Yes(to) => self.light_yes(&invocation(&[], &none), to).await,
            Command::Press(target, press) => {
                self.press(&invocation(&[], &none), target, *press).await
            }
            Command::No(target) => {
                self.questions.light_no(&invocation(&[], &none), target.as_ref()).await
            }
        }
    }

    /// Answers a command of the bot's own.
    async fn own(&self, invocation: &Invocation<'_>, own: &dyn Own) -> Result<Option<Reply>, Stop> {
        if let Some(power) = own.power()
            && let Some(refusal) =
                self.may_look(invocation, power, power == Power::LookPrivate).await?
        {
            return Ok(Some(refusal));
        }
        match own.as_change(&self.executor)? {
            Some(change) => self.make_own(invocation, change).await,
            None => own.run(self, invocation).await,
        }
    }

    /// Whether a look is allowed: the refusal where it is not. One at private things is on record
    /// before it is answered.
    pub(super) async fn may_look(
        &self,
        invocation: &Invocation<'_>,
        power: Power,
        private: bool,
    ) -> Result<Option<Reply>, Stop> {
        let mut takes = [Some(power), private.then_some(Power::LookPrivate)].into_iter().flatten();
        let may = |power| {
            self.freeze_control.gate().may_use(invocation.operator, power, &invocation.options.verb)
        };
        if let Err(refusal) = takes.try_for_each(may) {
            return Ok(Some(self.voice.refused(invocation, refusal.0).await));
        }
        if private {
            let record = invocation.record(Kind::Looked);
            self.audit.note(record).await?;
        }
        Ok(None)
    }

    /// Answers a command that only looks.
    pub(super) async fn look(
        &self,
        invocation: &Invocation<'_>,
        query: &dyn Query,
    ) -> Result<Reply, Stop> {
        if let Some(refusal) = self.may_look(invocation, query.power(), query.private()).await? {
            return Ok(refusal);
        }
        let served = self.served.must_serve(&[&invocation.options.verb], invocation.options).await;
        served.map_err(|stop| look::by_its_cause(stop, query.refusals()))?;
        look::look(invocation, query, &look::reader_for(invocation.operator, &self.reader), self)
            .await
    }
}
