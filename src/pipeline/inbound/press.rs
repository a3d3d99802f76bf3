//! Reactions to what the bot has shown: its pages are turned, its rows picked.
//!
//! A reaction is in clear in every room, so whoever keeps a homeserver can forge one or move it. None
//! of these does more than look, as the one who asked, in the room where they asked.

use ruma::{EventId, OwnedEventId, RoomId, UserId};
use tracing::{debug, warn};

use super::{
    listings::Shown,
    subject::Named,
    understand::{self, Understood},
};
use crate::{
    commands::Ask,
    error::Stop,
    pipeline::{Invocation, Outbox, Pipeline, Said, Unsent, style::Sort},
    reply::{Asked, Line, Reply, Status, Turn},
};

/// What a reaction to something that the bot has shown asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Press {
    /// Another page of it.
    Turn(Turn),
    /// The row with this number, from 1.
    Row(usize),
    /// To take back the change that it tells of.
    Undo,
}

impl Press {
    /// What the key of a reaction asks for, without its variation selectors.
    pub(in crate::pipeline) fn of_key(key: &str) -> Option<Self> {
        let mut chars = key.chars();
        match (chars.next()?, chars.next(), chars.next()) {
            ('\u{2b05}', None, None) => Some(Self::Turn(Turn::Previous)),
            ('\u{27a1}', None, None) => Some(Self::Turn(Turn::Next)),
            ('\u{21a9}', None, None) => Some(Self::Undo),
            (digit @ '1'..='9', Some('\u{20e3}'), None) => {
                Some(Self::Row(usize::try_from(digit.to_digit(10)?).ok()?))
            }
            _ => None,
        }
    }
}

impl Pipeline {
    /// Does what a reaction to something that was shown asks for, where it is by whoever asked for
    /// that. What others react with is left alone.
    pub(in crate::pipeline) async fn press(
        &self,
        invocation: &Invocation<'_>,
        target: &OwnedEventId,
        press: Press,
    ) -> Result<Option<Reply>, Stop> {
        let none = |reason: &str| {
            debug!(event = %invocation.origin.event(), reason, "ignored");
            Ok(None)
        };
        let Some(shown) = self.listings.get(target) else { return none("it shows nothing") };
        let by = |by: &UserId, room: &RoomId| {
            invocation.operator.user == *by && *invocation.origin.room() == *room
        };
        match press {
            Press::Undo => match &shown.made {
                Some(made) if by(&made.by, &made.room) => Ok(Some(how_to_undo(made.number))),
                _ => none("it is no change of theirs"),
            },
            Press::Turn(turn) => match &shown.asked {
                Some(asked) if by(&asked.by, &asked.room) => {
                    self.turn(invocation, target, turn).await
                }
                _ => none("it is no listing of theirs"),
            },
            Press::Row(number) => match &shown.asked {
                Some(asked) if by(&asked.by, &asked.room) && number <= asked.rows => {
                    self.pick(invocation, &shown, number).await
                }
                _ => none("it is no listing of theirs with such a row"),
            },
        }
    }

    /// Turns a listing: its message is edited to show another page, or another message shows that.
    async fn turn(
        &self,
        invocation: &Invocation<'_>,
        target: &OwnedEventId,
        turn: Turn,
    ) -> Result<Option<Reply>, Stop> {
        let Some(_turn) = self.listings.turn().await else {
            warn!(event = %invocation.origin.event(), "too many turn listings at once");
            return Ok(None);
        };
        // It may have been turned while this waited.
        let shown = self.listings.get(target);
        let Some(Shown { asked: Some(asked), in_place, .. }) = shown else { return Ok(None) };
        let Some(page) = asked.turned(turn) else {
            self.take_back(invocation).await;
            return Ok(None);
        };
        let reply = self.page(invocation, &asked, page).await?;
        if reply.status.is_some() {
            return Ok(Some(reply));
        }
        if in_place && self.outbox.can_be_edited_to(&reply) {
            let room = invocation.origin.room();
            let key = format!("turn-{}", invocation.origin.event());
            match self.outbox.edit(room, target, &key, &reply).await {
                Ok(()) => {
                    self.listings.remember(target, &reply, true);
                    arrows(&*self.outbox, room, target, Some(&asked), reply.asked.as_deref()).await;
                    self.take_back(invocation).await;
                    return Ok(None);
                }
                Err(Unsent::TooLarge) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(event = %target, error, "a listing was not turned");
                    return Ok(None);
                }
            }
        }
        self.replace(target, &asked).await;
        Ok(Some(reply))
    }

    /// The page to which the asker turns their last listing in this room, as a message of its own.
    pub(in crate::pipeline) async fn turn_last(
        &self,
        invocation: &Invocation<'_>,
        turn: Turn,
    ) -> Result<Reply, Stop> {
        let (room, by) = (invocation.origin.room(), &invocation.operator.user);
        let Some((event, _, asked)) = self.listings.last(room, by)? else {
            return Err(Stop::not_found(
                "you have asked for no list in this room within the last day that has several pages",
            ));
        };
        let Some(page) = asked.turned(turn) else {
            let which = match turn {
                Turn::Next => "this was the last page of ",
                Turn::Previous => "this was the first page of ",
            };
            let line = Line::from(which).command(crate::input::shown(&asked.words_of(0)));
            return Ok(Reply::outcome(Status::NothingChanged, line));
        };
        let reply = self.page(invocation, &asked, page).await?;
        if reply.status.is_none() {
            self.replace(&event, &asked).await;
        }
        Ok(reply)
    }

    /// A page of a listing, looked up anew by the way of the command that shows it.
    async fn page(
        &self,
        invocation: &Invocation<'_>,
        asked: &Asked,
        page: usize,
    ) -> Result<Reply, Stop> {
        let reply = self.look_by_words(invocation, &asked.words_of(page)).await?;
        if reply.status.is_some() {
            return Ok(reply);
        }
        let turned = asked.clone().showing(page, reply.asked.as_deref(), reply.next.clone());
        Ok(Reply { asked: Some(Box::new(turned)), ..reply })
    }

    /// Answers with the picked row's card, and remembers it for a dot.
    async fn pick(
        &self,
        invocation: &Invocation<'_>,
        shown: &Shown,
        number: usize,
    ) -> Result<Option<Reply>, Stop> {
        let id = number.checked_sub(1).and_then(|at| shown.ids.get(at));
        let (Some(id), Some(of)) = (id, shown.of) else { return Ok(None) };
        let Some(words) = of.card(id) else { return Ok(None) };
        let reply = self.look_by_words(invocation, &words).await?;
        if reply.status.is_none() && !id.starts_with('-') {
            let named = Named { of, id: id.clone() };
            let (room, by) = (invocation.origin.room(), &invocation.operator.user);
            self.last_named.note(room, by, named, self.clock.now());
        }
        Ok(Some(reply))
    }

    /// Looks by these words, as if they had been typed.
    pub(in crate::pipeline) async fn look_by_words(
        &self,
        invocation: &Invocation<'_>,
        words: &[String],
    ) -> Result<Reply, Stop> {
        let role = &invocation.operator.role;
        match understand::understand_for(words, understand::parse(words), role) {
            Understood::Command(Ask::Read(query), options) => {
                let invocation = Invocation { words, options: &options, ..*invocation };
                let reply = match self.look(&invocation, query.as_ref()).await {
                    Ok(reply) => reply,
                    Err(stop) => return Err(self.served.explained(&invocation, stop).await),
                };
                let look = (Sort::Look, options.layout);
                Ok(self.drawn(invocation.origin, invocation.operator, look, reply))
            }
            Understood::Reply(reply) => Ok(reply),
            Understood::Command(Ask::Change(_), _) | Understood::Own(..) => {
                Err(Stop::not_understood("that is no look any more; type it anew"))
            }
        }
    }

    /// A listing has come to stand in another message: nobody turns it here any more.
    async fn replace(&self, event: &EventId, asked: &Asked) {
        self.listings.retire(event);
        arrows(&*self.outbox, &asked.room, &event.to_owned(), Some(asked), None).await;
    }

    /// Takes the reaction away that has done what it was for, so that it can be given again. Where the
    /// bot may not, it stays.
    async fn take_back(&self, invocation: &Invocation<'_>) {
        let Some(request) = invocation.origin.message() else { return };
        if !matches!(request.said, Said::Reaction { .. }) {
            return;
        }
        if let Err(error) = self.outbox.redact(&request.room, &request.event, "It is turned").await
        {
            let error = &error as &dyn std::error::Error;
            debug!(event = %request.event, error, "a reaction stays");
        }
    }

    /// Takes the arrows from what is too old to be turned.
    pub(in crate::pipeline) async fn forget_old_listings(&self) {
        match self.listings.forget_old() {
            Ok(over) => {
                for (event, asked) in over {
                    arrows(&*self.outbox, &asked.room, &event, Some(&asked), None).await;
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "old listings cannot be forgotten");
            }
        }
    }
}

/// Puts the arrows under a listing by which it can be turned, and takes those away that do not lead
/// anywhere any more.
pub(in crate::pipeline) async fn arrows(
    outbox: &dyn Outbox,
    room: &RoomId,
    event: &OwnedEventId,
    before: Option<&Asked>,
    after: Option<&Asked>,
) {
    for turn in Turn::ALL {
        let leads = |asked: Option<&Asked>| asked.is_some_and(|asked| asked.turned(turn).is_some());
        let done = match (leads(before), leads(after)) {
            (false, true) => outbox.react(room, event, turn.key()).await,
            (true, false) => outbox.unreact(room, event, turn.key()).await,
            (true, true) | (false, false) => Ok(()),
        };
        if let Err(error) = done {
            let error = &error as &dyn std::error::Error;
            warn!(%event, error, "the arrows under a listing are not right");
        }
    }
}

/// What a reaction leads to that is in clear, and so changes nothing.
fn how_to_undo(number: u64) -> Reply {
    let why = "a reaction is in clear, where others can put it, so by itself it takes nothing back. Send \
               the line that does";
    let number = number.to_string();
    Reply::outcome(Status::NothingChanged, why).command("Undo", vec!["undo".to_owned(), number])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_without_its_selectors_and_no_other_is_any() {
        assert_eq!(Press::of_key("\u{27a1}"), Some(Press::Turn(Turn::Next)));
        assert_eq!(Press::of_key("\u{2b05}"), Some(Press::Turn(Turn::Previous)));
        assert_eq!(Press::of_key("3\u{20e3}"), Some(Press::Row(3)));
        assert_eq!(Press::of_key("\u{21a9}"), Some(Press::Undo));
        for key in ["", "0\u{20e3}", "3", "\u{27a1}\u{27a1}", "3\u{20e3}\u{20e3}", "✅", "next"] {
            assert_eq!(Press::of_key(key), None, "{key}");
        }
    }
}
