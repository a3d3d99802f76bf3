//! `!wave keep`: accounts that are in no group any more.

use ruma::OwnedUserId;

use crate::{
    audit::{Kind, Record},
    change::Subject,
    commands::arguments::UserRef,
    error::Stop,
    pipeline::{Invocation, Pipeline, look::reader_for, own::audit::who},
    refs::without_server,
    reply::{Block, Line, Reply, Status, grouped},
    wave_exceptions::WaveException,
};

/// How many are listed.
const LISTED: usize = 50;

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
            return list(pipeline, invocation);
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
    let number = note(pipeline, invocation, &users, "was taken out of waves").await?;
    let at = pipeline.clock.now();
    for about in &users {
        let (about, by) = (about.clone(), invocation.operator.user.clone());
        pipeline.wave_exceptions.keep(&WaveException { about, by, at, number }).await?;
    }
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
        if pipeline.wave_exceptions.get(user)?.is_none() {
            let why = Line::new().code(user).plain(" was not taken out of waves");
            return Err(Stop::not_found(why).or(&["wave", "keep", "--list"]));
        }
    }
    note(pipeline, invocation, users, "was put back into waves").await?;
    pipeline.wave_exceptions.forget(users.iter()).await?;
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

async fn note(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    users: &[OwnedUserId],
    what: &str,
) -> Result<u64, Stop> {
    let record = Record {
        subjects: users.iter().cloned().map(Subject::User).collect(),
        note: Some(what.to_owned()),
        ..invocation.record(Kind::Noted)
    };
    Ok(pipeline.audit.note(record).await?)
}

fn list(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
    let reader = reader_for(invocation.operator, &pipeline.reader);
    let mut all = pipeline.wave_exceptions.all()?;
    all.retain(|one| reader.may_name(&Subject::User(one.about.clone())).is_ok());
    all.sort_by_key(|one| std::cmp::Reverse(one.number));
    let (now, own) = (pipeline.clock.now(), pipeline.reader.server_name());
    let line = |one: &WaveException| {
        Line::new()
            .code(without_server(one.about.as_str(), own))
            .plain(" · by ")
            .line(who(Some(&one.by), own))
            .plain(", ")
            .ago(Some(one.at), now)
    };
    let lines: Vec<Line> = all.iter().take(LISTED).map(line).collect();
    let title = match (all.len(), lines.len()) {
        (0, _) => return Ok(Reply::data("No accounts were taken out of waves")),
        (1, _) => "One account was taken out of waves".to_owned(),
        (count, shown) if count > shown => {
            format!("{count} accounts were taken out of waves, the last {shown} shown")
        }
        (count, _) => format!("{count} accounts were taken out of waves"),
    };
    Ok(Reply::data(title).with(Block::List(Line::new(), lines)))
}
