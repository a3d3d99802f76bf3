//! Whether a message that would change something is its sender's own word, now, for the first time.

use std::sync::Arc;

use jiff::Timestamp;
use ruma::{OwnedEventId, RoomId, events::room::MediaSource};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::{
    ciphertexts::{Ciphertexts, Place},
    clock::SharedClock,
    error::Stop,
    operators::Roster,
    pipeline::{Ailment, Attached, Doubt, Keys, Origin, Outbox, Request, Said, Trust},
    reply::{Line, Reply, Status},
    store::{self, Store},
};

/// How many messages that are not believed are looked at, at once.
const LOOKS: usize = 4;

/// What shows whose word a message is, and whether it is used for the first time.
#[derive(Debug)]
pub(in crate::pipeline) struct Authenticity {
    roster: Arc<Roster>,
    clock: SharedClock,
    outbox: Arc<dyn Outbox>,
    keys: Arc<dyn Keys>,
    /// Which ciphertexts have been used.
    ciphertexts: Ciphertexts,
    /// Messages that are not believed are looked at a few at once.
    looks: Semaphore,
}

impl Authenticity {
    /// What `store` knows of used ciphertexts, and the keys of those who write.
    pub(in crate::pipeline) fn new(
        store: &Store,
        roster: Arc<Roster>,
        clock: SharedClock,
        outbox: Arc<dyn Outbox>,
        keys: Arc<dyn Keys>,
    ) -> Result<Self, store::Error> {
        let (ciphertexts, looks) = (Ciphertexts::new(store)?, Semaphore::new(LOOKS));
        Ok(Self { roster, clock, outbox, keys, ciphertexts, looks })
    }

    /// Forgets the places of files that were used before `limit`.
    pub(in crate::pipeline) fn forget_files_before(
        &self,
        limit: Timestamp,
    ) -> Result<(), store::Error> {
        self.ciphertexts.forget_files_before(limit)
    }

    /// To be called before a change: whether anybody could read what the bot says of it, and whether
    /// the message is its sender's own word.
    pub(in crate::pipeline) async fn authenticate(&self, origin: Origin<'_>) -> Result<(), Stop> {
        if let Some(request) = origin.message() {
            self.ensure_heard(&request.room).await?;
        }
        self.prove(origin).await
    }

    /// Asks the homeserver once more for the sender's devices and keys, and looks for the place of
    /// the ciphertext in its Megolm session: the same place under another event id is a replay.
    ///
    /// What came in clear is as good as the room that it came in. A reaction is always in clear,
    /// and is never more than its sender's own lightest yes.
    ///
    /// What is scheduled was judged when the message came from which it follows.
    pub(in crate::pipeline) async fn prove(&self, origin: Origin<'_>) -> Result<(), Stop> {
        let Some(request) = origin.message() else { return Ok(()) };
        let Trust::Signed { session } = &request.trust else { return Ok(()) };
        if matches!(request.said, Said::Reaction { .. }) {
            return Ok(());
        }
        let again = self.keys.still_signed(&request.room, &request.sender, session).await;
        if let Trust::Doubtful(doubt) = again {
            warn!(sender = %request.sender, event = %request.event, ?doubt, "not believed any more");
            return Err(Stop::ending(word_of(doubt), doubt_in_words(doubt)));
        }
        let shown =
            self.outbox.message_index(&request.room, &request.event, Some(&request.said)).await;
        match shown {
            Ok(Some((shown, index))) if shown == *session => {
                self.first_use(&request.event, Place { session, index })
            }
            Ok(Some(_)) => Err(Stop::refused(
                "the homeserver shows a different message in place of this one, so I do not trust \
                it. Send it again",
            )),
            Ok(None) => Err(Stop::refused(
                "the homeserver shows this message unencrypted although it reached me encrypted, \
                so I do not trust it. Send it again",
            )),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "the message cannot be looked at");
                Err(Stop::failed(
                    "the homeserver does not show me this message again, so it could be an old one \
                    sent a second time. Nothing was done; send it again",
                ))
            }
        }
    }

    /// Nothing is changed while nobody could read what the bot says of it.
    async fn ensure_heard(&self, room: &RoomId) -> Result<(), Stop> {
        self.outbox.can_be_heard(room).await.map_err(|ailment| {
            warn!(%room, error = &ailment as &dyn std::error::Error, "nothing is changed unheard");
            unheard(ailment)
        })
    }

    /// Whether a file is really by whoever it came in the name of: what a command takes from it is
    /// as much their word as the command. A file is judged as a message is, and before anything of
    /// it is downloaded.
    pub(in crate::pipeline) async fn believe_file(
        &self,
        request: &Request,
        event: &OwnedEventId,
        file: &Attached,
    ) -> Result<(), Stop> {
        let doubted =
            |why: Line| Stop::refused(Line::from("I do not accept that file: ").line(why));
        let Some(sealed) = &file.sealed else {
            return match request.trust {
                Trust::Clear => Ok(()),
                _ => Err(doubted(doubt_in_words(Doubt::Plaintext))),
            };
        };
        if !matches!(file.source, MediaSource::Encrypted(_)) {
            return Err(doubted(Line::from(
                "its content is not encrypted, so whoever runs the homeserver could have replaced \
                it. Send it again from a client that encrypts in this room",
            )));
        }
        if file.sender == self.roster.bot {
            if !sealed.own {
                return Err(doubted(Line::from(
                    "it came in my name, but not from my device. Ask me for it again",
                )));
            }
        } else {
            let session = &sealed.session;
            let trust = self.keys.still_signed(&request.room, &file.sender, session).await;
            if let Trust::Doubtful(doubt) = trust {
                warn!(sender = %file.sender, %event, ?doubt, "a file is not believed");
                return Err(doubted(doubt_in_words(doubt)));
            }
        }
        self.first_use_of_file(event, Place { session: &sealed.session, index: sealed.index })
    }

    /// Whether a message was written after another one of its sender that was taken for their own word:
    /// whoever runs the homeserver can hold back what was written before it. False where that is not
    /// known. In clear there is nothing that would show it.
    pub(in crate::pipeline) async fn written_after(
        &self,
        request: &Request,
        event: &OwnedEventId,
    ) -> Result<bool, Stop> {
        if request.trust == Trust::Clear {
            return Ok(true);
        }
        let shown =
            self.outbox.message_index(&request.room, &request.event, Some(&request.said)).await;
        let Ok(Some((session, index))) = shown else { return Ok(false) };
        Ok(self.ciphertexts.is_after(Place { session: &session, index }, event)?)
    }

    fn first_use(&self, event: &OwnedEventId, place: Place<'_>) -> Result<(), Stop> {
        let used = self.ciphertexts.first_use(place, event, self.clock.now());
        if used? {
            return Ok(());
        }
        warn!(%event, "an old ciphertext was sent again");
        Err(Stop::refused(
            "this is an old message sent again under a new id, which no client does. Nothing was \
            done; somebody may be replaying old messages",
        ))
    }

    fn first_use_of_file(&self, event: &OwnedEventId, place: Place<'_>) -> Result<(), Stop> {
        let used = self.ciphertexts.first_use_by_file(place, event, self.clock.now());
        if used? {
            return Ok(());
        }
        warn!(%event, "an old file was sent again");
        Err(Stop::refused(
            "I do not accept that file: it is an old one sent again under a new id, or was used \
            long ago. Upload it again",
        ))
    }

    /// Remembers the place of a ciphertext that will not be run, so that a copy of it is not run
    /// either. Best effort: what cannot be remembered is still too old or not believed.
    pub(in crate::pipeline) async fn remember_place(&self, request: &Request) {
        let in_clear = matches!(request.trust, Trust::Clear | Trust::Doubtful(Doubt::Plaintext));
        if in_clear || matches!(request.said, Said::Reaction { .. }) {
            return;
        }
        // As many as somebody sends, in an operator's name: the homeserver is not asked for all of
        // them at once.
        let _look = self.looks.acquire().await;
        if let Ok(Some((session, index))) =
            self.outbox.message_index(&request.room, &request.event, None).await
            && let Err(error) = self.first_use(&request.event, Place { session: &session, index })
        {
            warn!(error = &error as &dyn std::error::Error, "its place cannot be remembered");
        }
    }
}

/// Why nothing is changed that nobody could be told of.
pub(in crate::pipeline) fn unheard(ailment: Ailment) -> Stop {
    Stop::failed(format!(
        "{ailment}. Nothing was done, and I change nothing until operators can read me again. Run \
        synod check on my machine to see what to do"
    ))
}

/// What an operator is told whose message is not believed.
pub(in crate::pipeline) fn doubted(doubt: Doubt) -> Reply {
    Reply::outcome(word_of(doubt), doubt_in_words(doubt))
}

/// The first word of that: what the bot has missed breaks no rule.
fn word_of(doubt: Doubt) -> Status {
    match doubt {
        Doubt::LoggedOut => Status::Failed,
        Doubt::Plaintext
        | Doubt::UnsignedDevice
        | Doubt::UnknownDevice
        | Doubt::NoIdentity
        | Doubt::ChangedKey
        | Doubt::NotPinned
        | Doubt::MismatchedSender => Status::Refused,
    }
}

fn doubt_in_words(doubt: Doubt) -> Line {
    Line::from(match doubt {
        Doubt::Plaintext => {
            "this came unencrypted, so whoever runs your server could have written it. Send it \
            again from a client that encrypts in this room"
        }
        Doubt::UnsignedDevice => {
            "this came from a session that you have not verified. Verify it from another of your \
            sessions, or with your recovery key, and send it again"
        }
        Doubt::UnknownDevice => {
            "this came from a session that your account does not have, or no longer has. Send it \
            again from a session that is signed in"
        }
        Doubt::LoggedOut => {
            "this came while I was logged out, so I did not run it. Send it again if you still \
             want it"
        }
        Doubt::NoIdentity => {
            "your account has no cross-signing keys, so nobody can tell your devices from \
             somebody else's. Set up encryption in your client's security settings (it may be \
             called secure backup or recovery), and send it again"
        }
        Doubt::ChangedKey => {
            "your cross-signing key is not the one that I know. If you reset it yourself, ask \
            another admin to accept the new one. If the config names your key, it must be changed \
            there"
        }
        Doubt::NotPinned => {
            "your cross-signing key is not in the config, and for your account only that counts. \
            Ask whoever keeps the config to add it as master_key of your entry"
        }
        Doubt::MismatchedSender => {
            "this was encrypted in somebody else's session, so I cannot tell that it is from you. \
            Send it again"
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::pipeline::inbound::authentic::Origin;
    use crate::{clock::Clock as _, pipeline::testing::Stage};

    #[tokio::test]
    async fn an_old_message_that_comes_again_as_it_was_is_not_run_when_the_journal_forgot_it() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let mut request = stage.request("ann", "!freeze @moe:synod.test");
        assert!(stage.hand(request.clone()).await);
        assert!(
            stage.pipeline.authenticity.authenticate(Origin::Message(&request)).await.is_ok(),
            "the bot is about it"
        );
        stage.clock.pass(8 * 24 * 60 * 60);
        stage.pipeline.keep_hours().await;
        // The homeserver claims that it was sent just now.
        request.sent = stage.clock.now();
        assert!(stage.pipeline.authenticity.authenticate(Origin::Message(&request)).await.is_err());
        assert!(stage.hand(request).await, "the journal has forgotten it");
        let said = stage.heard.all().pop().unwrap_or_default();
        assert!(said.contains("an old message sent again"), "{said}");
    }
}
