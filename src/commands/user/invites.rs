//! `user invites`: how many people an account has invited; which of its invitations are open; and their
//! end.

use async_trait::async_trait;

use super::{account::how_many, count::Counted};
use crate::{
    change::Power,
    commands::{Ask, Delegated, Does, Memory, Query, Spec, Tables, refusals::looks},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

mod end;
mod open;

use end::{End, Way};
use open::Open;

pub(super) const SPEC: Spec = Spec::of::<Invites>(
    Does::Either,
    "invites",
    &[
        "user invites @ann:example.org",
        "user invites @ann:example.org --since 3d",
        "user invites @ann:example.org --open",
        "user invites @ann:example.org --withdraw",
        "user invites @ann:example.org --reject",
    ],
)
.since(1, 122)
.delegated(Delegated::Without(&["--withdraw", "--reject"]));

/// Count the invitations that an account has sent, list those that are open, or end these
///
/// Many recent ones are a sign of spam. An invitation is open until the invited person joins or declines. I
/// find those in rooms that somebody of this server is in.
#[derive(Debug, clap::Args)]
struct Invites {
    #[command(flatten)]
    counted: Counted,
    /// List the open ones: who is invited to which room
    #[arg(long, conflicts_with = "since")]
    open: bool,
    /// Withdraw the open ones: as the account of my admin token where it has the power in the room, else in
    /// the name of the account that sent them
    #[arg(long, conflicts_with_all = ["since", "open"])]
    withdraw: bool,
    /// Decline the open ones to accounts of this server, each in the name of the invited account. For rooms
    /// in which they cannot be withdrawn
    #[arg(long, conflicts_with_all = ["since", "open", "withdraw"])]
    reject: bool,
}

impl From<Invites> for Ask {
    fn from(Invites { counted, open, withdraw, reject }: Invites) -> Self {
        let way = if withdraw { Some(Way::Withdraw) } else { reject.then_some(Way::Reject) };
        match way {
            Some(way) => Self::Change(Box::new(End { user: counted.user, way })),
            None if open => Self::Read(Box::new(Open { user: counted.user })),
            None => Self::Read(Box::new(Count { counted })),
        }
    }
}

/// Counts them.
#[derive(Debug)]
struct Count {
    counted: Counted,
}

const ENDPOINT: &str = "sent_invite_count";
const KEY: &str = "invite_count";

#[async_trait]
impl Query for Count {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::SINCE, looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.counted.user)?;
        let sent = self.counted.ask(&user, ENDPOINT, KEY, reader).await?;
        let sent = how_many(Some(sent), "invitation", "invitations");
        let since = self.counted.since(reader);
        Ok(Reply::data(Line::new().code(&user).plain(format!(" has sent {sent}{since}"))))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.counted.user)?;
        let sent = self.counted.ask(&user, ENDPOINT, KEY, reader).await?;
        Ok(sheet.object("invites", &self.counted.data(&user, KEY, sent, reader))?)
    }
}
