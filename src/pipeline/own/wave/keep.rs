//! `!wave keep`: accounts that are in no group any more.

use ruma::OwnedUserId;

use crate::{
    change::Subject,
    commands::arguments::UserRef,
    error::Stop,
    pipeline::{
        Invocation, Pipeline,
        look::reader_for,
        own::exceptions::{Titles, listed, noted},
    },
    refs::without_server,
    reply::{Line, Reply, Status, grouped},
};

const TITLES: Titles = Titles {
    none: "No accounts were taken out of waves",
    one: "One account was taken out of waves",
    several: "accounts were taken out of waves",
};

/// Take an account out of waves, or list those that are out
#[derive(Debug, clap::Args)]
pub(super) struct Keep {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(value_name = "USER", num_args = 1.., required_unless_present = "list")]
    users: Vec<UserRef>,
    /// List the accounts that were taken out
    #[arg(long, conflicts_with_all = ["users", "drop"])]
    pub(super) list: bool,
    /// Put the accounts back, so that they can be in a group again
    #[arg(long)]
    drop: bool,
}

impl Keep {
    pub(super) async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Reply, Stop> {
        if self.list {
            return Ok(listed(pipeline.wave_exceptions.all()?, &TITLES, pipeline, invocation));
        }
        let reader = reader_for(invocation.operator, &pipeline.reader);
        let mut users = Vec::new();
        for user in &self.users {
            let user = reader.user_id(user)?;
            if !users.contains(&user) {
                users.push(user);
            }
        }
        pipeline.may_lead_to_a_change(invocation).await?;
        if self.drop {
            put_back(pipeline, invocation, &users).await
        } else {
            keep(pipeline, invocation, users).await
        }
    }
}

async fn keep(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    users: Vec<OwnedUserId>,
) -> Result<Reply, Stop> {
    for user in &users {
        // A typing error would keep nobody, and the right account would stay where it is.
        if !pipeline.reader.is_local(user) {
            return Err(Stop::refused(
                Line::new().code(user).plain(" is of another server, and waves are of this one"),
            ));
        }
        if pipeline.reader.account(user).await?.is_none() {
            return Err(Stop::not_found(Line::new().plain("no such user: ").code(user)));
        }
    }
    let exception =
        noted(&subjects(&users), "was taken out of waves", pipeline, invocation).await?;
    let ids = users.iter().map(|user| user.as_str());
    pipeline.wave_exceptions.keep(ids, &exception).await?;
    pipeline.listings.take_out_of_waves(&users)?;
    let title = named(&users, pipeline).plain(" will be in no group of new accounts any more");
    let undo = ["wave", "keep", "--drop"].map(str::to_owned).into_iter();
    let undo = undo.chain(users.iter().map(ToString::to_string)).collect();
    let note = Line::new()
        .plain("A reply to a group that I have shown leaves out ")
        .plain(if users.len() == 1 { "this account" } else { "these accounts" })
        .plain(" from now on. A file that I have sent stays as it is.");
    Ok(Reply::outcome(Status::Done, title).command("Undo", undo).note(note))
}

async fn put_back(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    users: &[OwnedUserId],
) -> Result<Reply, Stop> {
    for user in users {
        if pipeline.wave_exceptions.get(user.as_str())?.is_none() {
            let why = Line::new().code(user).plain(" was not taken out of waves");
            return Err(Stop::not_found(why).or(&["wave", "keep", "--list"]));
        }
    }
    noted(&subjects(users), "was put back into waves", pipeline, invocation).await?;
    pipeline.wave_exceptions.forget(users.iter().map(|user| user.as_str())).await?;
    let title = named(users, pipeline).plain(" can be in a group of new accounts again");
    Ok(Reply::outcome(Status::Done, title))
}

/// The accounts in few words: one by its id, several by their number.
fn named(users: &[OwnedUserId], pipeline: &Pipeline) -> Line {
    match users {
        [user] => Line::new().code(without_server(user.as_str(), pipeline.reader.server_name())),
        users => Line::from(format!("{} accounts", grouped(users.len()))),
    }
}

fn subjects(users: &[OwnedUserId]) -> Vec<Subject> {
    users.iter().cloned().map(Subject::User).collect()
}
