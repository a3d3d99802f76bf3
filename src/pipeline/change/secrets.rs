//! Secrets of a change: those that were typed, and those that it makes.

use tracing::error;

use super::values::Confirmed;
use crate::{
    commands::Action,
    error::Stop,
    pipeline::{Asked, Pipeline, Request, Unsent},
    reply::{Line, Reply, Word},
    synapse::Slots,
};

impl Pipeline {
    /// Takes typed secrets out of the words into memory, and the message out of the room.
    pub(in crate::pipeline) async fn take_secrets(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        yes: Option<Confirmed<'_>>,
    ) -> Result<(Vec<String>, Slots), Stop> {
        if let Some(Confirmed { ticket, .. }) = yes {
            let kept = self.secrets.lock().await.remove(&ticket.code);
            return Ok((asked.words.to_vec(), kept.unwrap_or_default()));
        }
        let typed = action.typed();
        if typed.is_empty() {
            return Ok((asked.words.to_vec(), Slots::new()));
        }
        // What is scheduled holds no secret: none is kept with a list, nor with an undo.
        let Some(request) = asked.origin.message() else {
            return Err(Stop::refused("a secret is not kept, so this cannot be done later"));
        };
        let removed = self.remove_secret(request).await;
        if !self.rules.typed_secrets {
            return Err(Stop::refused(match removed {
                Ok(()) => {
                    "a secret is not typed in a room: everybody in it could read it. I have removed \
                     your message; consider the secret as known. `user password` makes one, and \
                     tells it to you alone"
                }
                Err(_) => {
                    "a secret is not typed in a room: everybody in it can read it. I could not \
                     remove your message: remove it yourself, and consider the secret as known"
                }
            }));
        }
        let words = mask(asked.words, &typed);
        let mut slots = Slots::new();
        for (name, secret) in typed {
            slots.put(name, secret);
        }
        Ok((words, slots))
    }

    /// Takes a message with a secret out of the room.
    pub(in crate::pipeline) async fn remove_secret(&self, request: &Request) -> Result<(), Unsent> {
        let why = "It held a secret";
        let removed = self.outbox.redact(&request.room, &request.event, why).await;
        removed.inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "a typed secret stays in the room");
        })
    }

    /// Refuses a change that ends with a secret for its asker where they could not be told.
    pub(super) async fn ready_to_whisper(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
    ) -> Result<(), Stop> {
        if !action.whispers() {
            return Ok(());
        }
        self.outbox.can_whisper(&asked.operator.user).await.map_err(|why| {
            Stop::refused(
                Line::new()
                    .plain("this ends with a secret that only you may read, and that cannot be: ")
                    .plain(why.to_string())
                    .plain(". Nothing was done; put that right and send the command again"),
            )
            .or(&["me", "dm"])
        })
    }

    /// Tells the asker in private what the change with this number has made, and says in its receipt
    /// that it did.
    pub(in crate::pipeline) async fn whisper(
        &self,
        asked: &Asked<'_>,
        number: u64,
        mut slots: Slots,
        receipt: Reply,
    ) -> Reply {
        let Some((_, secret)) = slots.only() else { return receipt };
        let words = Reply::data(
            Line::new()
                .plain("For change ")
                .code(format!("#{number}"))
                .plain(", ")
                .code(crate::input::shown(asked.words)),
        );
        let slot = format!("secret-{number}");
        match self.outbox.whisper(&asked.operator.user, &slot, &words, &secret).await {
            Ok(_) => receipt.note("The secret is in our direct room; it is nowhere else."),
            Err(why) => {
                error!(number, error = &why as &dyn std::error::Error, "a secret was not told");
                let mut reply = receipt;
                reply.word = Some(Word::DoneInPart);
                reply.text(
                    Line::new()
                        .plain("The secret could not be told to you, and is lost: ")
                        .plain(why.to_string())
                        .plain(". Put that right, and send the command again for a new one"),
                )
            }
        }
    }
}

/// The words with every typed secret replaced, wherever it stands in them.
pub(in crate::pipeline) fn mask(
    words: &[String],
    typed: &[(&'static str, secrecy::SecretString)],
) -> Vec<String> {
    use secrecy::ExposeSecret as _;
    words
        .iter()
        .map(|word| {
            typed
                .iter()
                .filter(|(_, secret)| !secret.expose_secret().is_empty())
                .fold(word.clone(), |word, (name, secret)| {
                    word.replace(secret.expose_secret(), &format!("[{name}]"))
                })
        })
        .collect()
}
