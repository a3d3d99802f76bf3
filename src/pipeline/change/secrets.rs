//! Secrets that were typed with a change: out of its words and the room, into memory.

use super::values::Confirmed;
use crate::{
    commands::Action,
    error::Stop,
    pipeline::{Invocation, Pipeline},
    synapse::Secrets,
};

impl Pipeline {
    /// Takes typed secrets out of the words into memory, and the message out of the room.
    pub(in crate::pipeline) async fn take_secrets(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        yes: Option<Confirmed<'_>>,
    ) -> Result<(Vec<String>, Secrets), Stop> {
        if let Some(Confirmed { ticket, .. }) = yes {
            let kept = self.questions.take_secrets(&ticket.code).await;
            return Ok((invocation.words.to_vec(), kept));
        }
        let typed = action.typed();
        if typed.is_empty() {
            return Ok((invocation.words.to_vec(), Secrets::new()));
        }
        if invocation.origin.shell().is_some() {
            return Err(Stop::refused(
                "do not type a secret on the command line: every account on the machine can see it \
                there, and the shell keeps it. Treat it as leaked. Leave it out, and I make one \
                and show it at the terminal",
            ));
        }
        // What is scheduled holds no secret: none is kept with a list, nor with an undo.
        let Some(request) = invocation.origin.message() else {
            return Err(Stop::refused("I do not keep secrets, so this cannot be done later"));
        };
        let removed = self.voice.remove_secret(request).await;
        if !self.rules.typed_secrets {
            return Err(Stop::refused(match removed {
                Ok(()) => {
                    "do not type a secret in a room: everybody in it could read it. I removed your \
                    message; treat the secret as leaked. `user password` makes one, and tells it \
                    only to you"
                }
                Err(_) => {
                    "do not type a secret in a room: everybody in it can read it. I could not \
                    remove your message: remove it yourself, and treat the secret as leaked"
                }
            }));
        }
        let words = mask(invocation.words, &typed);
        let mut secrets = Secrets::new();
        for (name, secret) in typed {
            secrets.put(name, secret);
        }
        Ok((words, secrets))
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
