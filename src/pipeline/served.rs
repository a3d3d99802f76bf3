//! Whether this homeserver serves what a verb takes, and why not.

use std::time::Duration;

use super::Invocation;
use crate::{
    commands::{Accounts, Delegated, Later, Needs, Options, needs, takes_path, without_admin_api},
    error::Stop,
    reply::{Line, Reply},
    synapse::{Error, Reader, Version},
};

/// How long help waits to hear which homeserver this is.
const HELP_WAITS: Duration = Duration::from_millis(500);

/// What this homeserver is, as far as a verb takes something of it.
struct Known {
    version: Option<Version>,
    accounts: Accounts,
}

impl Known {
    /// Asks for what these needs and options are about, and for nothing else.
    async fn of(needs: &Needs, later: &[Later], reader: &Reader) -> Result<Self, Error> {
        let version = async {
            if needs.since.is_some() || !later.is_empty() {
                return reader.version().await;
            }
            Ok(None)
        };
        let accounts = async {
            if needs.delegated == Delegated::Same || !reader.is_delegated().await? {
                return Ok(Accounts::Own);
            }
            Ok(if reader.knows_service() { Accounts::InReach } else { Accounts::OutOfReach })
        };
        let (version, accounts) = tokio::try_join!(version, accounts)?;
        Ok(Self { version, accounts })
    }
}

/// Whether this homeserver serves a verb.
#[derive(Debug, Clone)]
pub(super) struct Served {
    reader: Reader,
}

impl Served {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// Fails for what this homeserver cannot serve of these verbs, as they were typed. Asks it nothing
    /// where every homeserver can.
    pub(super) async fn must_serve(&self, verbs: &[&str], typed: &Options) -> Result<(), Stop> {
        let reader = self.reader.look();
        if let Some(surface) = reader.surface().await?.filter(|surface| !surface.admin_api) {
            // What comes with a version of Synapse says nothing of another homeserver.
            let not_served = |verb: &&str| without_admin_api(&typed.verb, verb, surface);
            return verbs.iter().find_map(not_served).map_or(Ok(()), |why| Err(Stop::failed(why)));
        }
        for verb in verbs {
            let (needs, later) = (needs(verb), &typed.later);
            let known = Known::of(&needs, later, &reader).await?;
            let unmet = needs.unmet(verb, known.version, known.accounts);
            let unmet = unmet.or_else(|| by_its_own_verb(verbs, verb, known.accounts));
            let of_options =
                || later.iter().find_map(|option| option.unmet(&typed.verb, known.version));
            if let Some(why) = unmet.or_else(of_options) {
                return Err(Stop::failed(as_typed(verbs, verb, why)));
            }
        }
        Ok(())
    }

    /// Adds to the answer of a change what remains to be done where the accounts are kept.
    pub(super) async fn with_other_half(&self, verbs: &[&str], reply: Reply) -> Reply {
        let halved = verbs.iter().any(|verb| needs(verb).delegated == Delegated::Half);
        // What the bot can ask the service for is done there too.
        if self.reader.knows_service() {
            return reply;
        }
        // The change is over: what cannot be asked any more takes nothing from its answer.
        if !halved || !self.reader.is_delegated().await.unwrap_or_default() {
            return reply;
        }
        reply.note(
            "An authentication service manages the accounts of this homeserver: people can still \
            log in until you do the same there",
        )
    }

    /// Says why a route is not there, where a command ended because of that. Looks up what the
    /// homeserver serves, so that the next command is told before it asks for anything.
    pub(super) async fn explained(&self, invocation: &Invocation<'_>, stop: Stop) -> Stop {
        let Stop::Api(error) = &stop else { return stop };
        let typed = &invocation.options.verb;
        // Whoever types a path may have made a slip in it.
        if takes_path(typed) || !error.is_unknown_route() {
            return stop;
        }
        // Where that cannot be looked up, what is known is that this was not there.
        if let Ok(surface) = Box::pin(self.reader.learn_surface()).await
            && let Some(why) = without_admin_api("", typed, surface)
        {
            return Stop::failed(why);
        }
        let verb = format!("!{typed}");
        Stop::failed(
            Line::new()
                .plain("this homeserver does not serve ")
                .command(verb)
                .plain(
                    " at the address that I use: another worker does, it is too old, or it is not \
                    Synapse and has no such endpoint. Whoever runs me should check that ",
                )
                .code("homeserver.admin_url")
                .plain(" points to its main process"),
        )
        .or(&["server", "version"])
    }

    /// The help of a verb, with whether this homeserver serves it.
    pub(super) async fn help_here(&self, words: &[String], reply: Reply) -> Reply {
        let verb = words.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ");
        let needs = needs(&verb);
        let reader = self.reader.look();
        // Help is worth having without that, and at once.
        let asked = tokio::time::timeout(HELP_WAITS, reader.surface()).await;
        if let Ok(Ok(Some(surface))) = asked
            && !surface.admin_api
        {
            let why = without_admin_api(&verb, &verb, surface);
            return why.map_or(reply.clone(), |why| reply.note(not_here(why)));
        }
        let asked = tokio::time::timeout(HELP_WAITS, Known::of(&needs, needs.later, &reader)).await;
        let Ok(Ok(known)) = asked else { return reply };
        match needs.unmet(&verb, known.version, known.accounts) {
            Some(why) => reply.note(not_here(why)),
            None if known.accounts != Accounts::Own => reply.note(
                Line::new()
                    .strong("Here: ")
                    .plain("an authentication service manages the accounts"),
            ),
            None => {
                let unmet = |option: &Later| option.unmet(&verb, known.version);
                let mut unmet: Vec<Line> = needs.later.iter().filter_map(unmet).collect();
                // Several arguments may be one thing.
                unmet.dedup();
                unmet.into_iter().fold(reply, |reply, why| reply.note(not_here(why)))
            }
        }
    }
}

/// Why `verb`, one of those that were typed or amount to it, is not served: of one that has an option for
/// it, what has no effect is that.
fn as_typed(verbs: &[&str], verb: &str, why: Line) -> Line {
    let typed = verbs.first().copied().filter(|typed| *typed != verb);
    match typed.map(|typed| (typed, needs(typed).delegated)) {
        Some((typed, Delegated::Without(options))) => Line::new()
            .plain("an authentication service manages the accounts of this homeserver, so I cannot act \
                    in the name of one: ")
            .command(format!("!{typed}"))
            .plain(" works here only without ")
            .code(options.join(" and ")),
        _ => why,
    }
}

/// Why another verb that was typed cannot do what `verb` does, where that is done by the authentication
/// service: only `verb` itself goes there.
fn by_its_own_verb(verbs: &[&str], verb: &str, accounts: Accounts) -> Option<Line> {
    let typed = verbs.first().copied().filter(|typed| *typed != verb)?;
    let there = |verb: &str| matches!(needs(verb).delegated, Delegated::There | Delegated::Half);
    (accounts == Accounts::InReach && there(verb) && !there(typed)).then(|| {
        Line::new()
            .plain("an authentication service manages the accounts of this homeserver, where ")
            .command(format!("!{typed}"))
            .plain(" cannot do that. Use ")
            .command(format!("!{verb}"))
    })
}

fn not_here(why: Line) -> Line {
    Line::new().strong("Not here: ").line(why)
}
