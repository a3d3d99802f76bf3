//! `!wave`: new accounts that belong together, as one list to act on.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{Own, OwnSpec};
use crate::{
    change::{Power, Subject},
    commands::arguments::Since,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, look::reader_for},
    reply::{Reply, span},
};

mod alert;
mod group;
mod keep;
mod last;
mod look;
mod shape;
mod told;

pub(in crate::pipeline) use last::Waves;
pub(in crate::pipeline) use shape::shape;

use keep::Keep;
use last::letters;

/// How far back a wave may begin.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Group the accounts that were created in the last hours: find a raid and act on it as one list
///
/// Accounts are a group from five on, where their names have the same pattern and they also came quickly, or
/// share a room, an address or a client that others have not. With --show-ip accounts from one IP address are
/// a group too. `wave show A` lists a group without the accounts that look real; reply to that list with a
/// command such as `user suspend`. The homeserver does not say which registration token an account used.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct WaveVerb {
    /// From when on: an age such as 6h, or a date; at most 7 days ago
    #[arg(long, value_name = "AGE|DATE", default_value = "6h")]
    since: Since,
    /// Look at IP addresses and clients too, and show them. This is recorded
    #[arg(long)]
    show_ip: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the accounts of a group, without those that look real; a reply to it acts on what it lists
    Show {
        /// Its letter, as I have shown it to you last
        group: String,
        /// List those that look real too
        #[arg(long)]
        all: bool,
    },
    /// Take accounts out of waves: they are in no group any more
    Keep(Keep),
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<WaveVerb>(
    "wave",
    &[
        "wave",
        "wave --since 2h",
        "wave --since 1d --show-ip",
        "wave show A",
        "wave show A --all",
        "wave keep @ann:example.org",
        "wave keep --list",
        "wave keep --drop @ann:example.org",
    ],
)
.listing();

#[async_trait]
impl Own for WaveVerb {
    fn lane(&self) -> Lane {
        match &self.what {
            Some(What::Keep(keep)) if !keep.list => Lane::InTurn,
            _ => Lane::Beside,
        }
    }

    fn power(&self) -> Option<Power> {
        Some(match &self.what {
            Some(What::Keep(keep)) if !keep.list => Power::Moderate,
            None if self.show_ip => Power::LookPrivate,
            _ => Power::Look,
        })
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            None => self.look(pipeline, invocation).await,
            Some(What::Show { group, all }) => show(pipeline, invocation, group, *all),
            Some(What::Keep(keep)) => keep.run(pipeline, invocation).await,
        }
        .map(Some)
    }
}

impl WaveVerb {
    async fn look(&self, pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
        let now = pipeline.clock.now();
        let since = self.since.before(now);
        let age = now.duration_since(since);
        if age > LONGEST || age.is_negative() {
            return Err(Stop::not_understood(
                "a wave begins at most 7 days ago; write an age such as 6h or 2d",
            ));
        }
        pipeline.served.must_serve(&["wave"], invocation.options).await?;
        let reader = reader_for(invocation.operator, &pipeline.reader);
        let _turn = pipeline.waves.turn().await;
        let wanted = look::Wanted { since, private: self.show_ip, most: look::MOST };
        let wave = Arc::new(look::look(pipeline, &reader, wanted).await?);
        let reply = told::overview(&wave, &span(age), &reader.afresh()).await;
        pipeline.waves.remember(invocation, wave);
        Ok(reply)
    }
}

/// The accounts of a group that was shown, without whom nobody may name any more or has taken out since.
fn show(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    typed: &str,
    all: bool,
) -> Result<Reply, Stop> {
    let now = pipeline.clock.now();
    let Some(wave) = pipeline.waves.last_shown(invocation, now) else {
        return Err(Stop::not_found(
            "I have shown you no groups here of late; ask for the new accounts first",
        )
        .or(&["wave"]));
    };
    let letter = typed.trim_end_matches(['.', ',', ';', ':']).to_uppercase();
    let place = (0..wave.groups.len()).find(|place| letters(*place) == letter);
    let Some((place, found)) = place.and_then(|place| Some((place, wave.groups.get(place)?)))
    else {
        let groups = match wave.groups.len() {
            0 => "there is none".to_owned(),
            1 => "the only one is A".to_owned(),
            many => format!("they are A to {}", letters(many - 1)),
        };
        return Err(Stop::not_found(format!("there is no such group; {groups}")).or(&["wave"]));
    };
    let reader = reader_for(invocation.operator, &pipeline.reader);
    let mut group = group::Group { by: found.group.by.clone(), accounts: Vec::new() };
    for account in &found.group.accounts {
        let within = reader.may_name(&Subject::User(account.user.clone())).is_ok();
        if within && pipeline.wave_exceptions.get(account.user.as_str())?.is_none() {
            group.accounts.push(account.clone());
        }
    }
    told::shown(place, &group, all, &wave, (&reader, now))
}

#[cfg(test)]
mod tests;
