//! `!trust`: the cross-signing keys by which operators are known.

use async_trait::async_trait;
use ruma::UserId;

use super::{Own, OwnSpec};
use crate::{
    audit::{Kind, Record},
    change::{Class, Power},
    commands::arguments::UserRef,
    error::Stop,
    operators::Rank,
    pipeline::{
        Invocation, Lane, NotAccepted, Pipeline,
        admin::agree::{Agreed, Wanted, without},
        voice::news::tail,
    },
    reply::{self, Block, Line, Reply, Status},
};

/// Show the keys that operators sign their sessions with, or accept a new key
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the keys
    List,
    /// Accept another operator's new key
    Accept {
        /// The operator
        user: UserRef,
        /// The last six characters of the new key, as that operator read them to you
        key: String,
        /// Your one-time password, where the config asks for one
        #[arg(value_name = "PASSWORD")]
        password: Option<String>,
    },
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Trust>("trust", &["trust", "trust accept @ann:example.org k3xQ9A"])
        .reasoned()
        .listing();

#[async_trait]
impl Own for Trust {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            None | Some(What::List) => Ok(Some(list(pipeline))),
            Some(What::Accept { user, key, password }) => {
                let user = pipeline.reader.user_id(user)?;
                let words = without(invocation.words, password.as_ref());
                let invocation = Invocation { words: &words, ..*invocation };
                accept(pipeline, &invocation, &user, key, password.as_deref()).await.map(Some)
            }
        }
    }
}

fn list(pipeline: &Pipeline) -> Reply {
    let records = pipeline.roster.operators.values().map(|operator| reply::Record {
        title: Line::new().code(&operator.user),
        facts: vec![(
            "Key",
            pipeline
                .keys
                .pinned(&operator.user)
                .map_or_else(|| Line::from("none yet"), |key| Line::new().code(key)),
        )],
    });
    Reply::data("The operators' keys").with(Block::Records(records.collect()))
}

async fn accept(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    user: &UserId,
    key: &str,
    password: Option<&str>,
) -> Result<Reply, Stop> {
    if invocation.operator.role.rank < Rank::Admin {
        let why = Line::from("only an admin can accept a key");
        return Ok(pipeline.voice.refused(invocation, why).await);
    }
    let same_person = pipeline
        .roster
        .operator(user)
        .is_some_and(|operator| operator.person == invocation.operator.person);
    if same_person {
        let why = Line::from(
            "you cannot accept your own key: ask another admin, or put it into the config",
        );
        return Ok(pipeline.voice.refused(invocation, why).await);
    }
    let current = key_that_was_read(pipeline, invocation, user, key).await?;
    let note = format!("accepted the master key {current} of {user}");
    let wanted = Wanted {
        verb: "trust accept",
        power: Power::Account,
        class: Class::Disruptive,
        others: 0,
        note: &format!("agreed to this: {note}"),
        password,
        except: pipeline.roster.operator(user).map(|operator| operator.person.as_str()),
    };
    let what = (user.to_owned(), current.clone());
    let agreed = pipeline.agreements.on_key(invocation, what, wanted).await?;
    let by = match agreed {
        Agreed::By(by) => by,
        Agreed::Waits(left, of) => {
            let what = format!("by my rules {left} more must send the same command");
            return Ok(Reply::outcome(Status::NothingChanged, what)
                .command("To agree", invocation.words.to_vec())
                .ringing(of));
        }
        Agreed::TooFew(others) => {
            return Err(Stop::refused(format!(
                "by my rules this needs {others} other operators who may do it, and there are \
                fewer. Whoever keeps my config can write the key into it"
            )));
        }
    };
    let record = Record {
        note: Some(note),
        approvals: by.into_iter().filter(|one| *one != invocation.operator.user).collect(),
        ..invocation.record(Kind::Noted)
    };
    pipeline.audit.note(record).await?;
    pipeline.keys.accept(user, &current).await.map_err(|why| match why {
        NotAccepted::Store(_) => Stop::failed(why.to_string()),
        _ => Stop::refused(why.to_string()),
    })?;
    Ok(Reply::outcome(
        Status::Done,
        Line::new().code(user).plain(" now has the key ").code(&current).plain(", and I accept it"),
    ))
}

/// The key that a user has now, if it ends as whoever accepts it has typed.
async fn key_that_was_read(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    user: &UserId,
    key: &str,
) -> Result<String, Stop> {
    if invocation.origin.is_in_clear() {
        return Err(Stop::refused("a key can be accepted only in an encrypted room"));
    }
    pipeline.may_lead_to_a_change(invocation).await?;
    let Some(current) = pipeline.keys.current(user).await else {
        return Err(Stop::not_found(
            Line::new().plain("the homeserver shows no key for ").code(user),
        ));
    };
    if tail(&current) != key {
        return Err(Stop::refused(
            Line::new()
                .plain("the current key of ")
                .code(user)
                .plain(" ends differently. Compare it with them again"),
        ));
    }
    Ok(current)
}
