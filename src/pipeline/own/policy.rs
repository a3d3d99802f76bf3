//! `!policy`: the moderation policy lists that are watched, and what was let go in spite of their rules.

use async_trait::async_trait;
use ruma::{RoomId, UserId};

use super::{Own, OwnSpec, audit::who};
use crate::{
    audit::{Kind, Record},
    change::{Power, Subject},
    error::Stop,
    pipeline::{
        Invocation, Lane, Pipeline,
        look::reader_for,
        policy_lists::{Looked, Shown},
    },
    policy_lists::LetGo,
    refs::without_server,
    reply::{Block, Line, Reply, Status, grouped},
};

/// How many are listed.
const LISTED: usize = 50;

/// Show the policy lists that are watched, and what their rules fit here
#[derive(Debug, clap::Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Show the lists, with how many rules they have and how many of those fit something here
    List,
    /// Show what the rules of a list fit now; a command that replies to it is about all of that
    Show {
        /// The number of the list, as `policy list` shows it
        list: usize,
        /// Show rooms in place of accounts
        #[arg(long)]
        rooms: bool,
        /// Also what patterns fit, such as @spam*:example.org
        #[arg(long)]
        patterns: bool,
    },
    /// Read the lists now, and not only in some minutes
    Read,
    /// Let accounts or rooms go: no rule is told or acted on for them any more
    Keep(Keep),
}

#[derive(Debug, Clone, clap::Args)]
struct Keep {
    /// The accounts and rooms by their whole ids: @ann:example.org, !abc:example.org
    #[arg(value_name = "ID", num_args = 1.., required_unless_present = "list")]
    ids: Vec<String>,
    /// List what was let go
    #[arg(long, conflicts_with_all = ["ids", "drop"])]
    list: bool,
    /// Forget that they were let go, so that rules count for them again
    #[arg(long)]
    drop: bool,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Policy>(
    "policy",
    &[
        "policy list",
        "policy show 1",
        "policy show 1 --rooms",
        "policy show 2 --patterns",
        "policy read",
        "policy keep @ann:example.org",
        "policy keep --list",
        "policy keep --drop @ann:example.org",
    ],
)
.listing();

#[async_trait]
impl Own for Policy {
    fn lane(&self) -> Lane {
        match &self.what {
            Some(What::Keep(keep)) if !keep.list => Lane::InTurn,
            _ => Lane::Beside,
        }
    }

    fn power(&self) -> Option<Power> {
        Some(match &self.what {
            Some(What::Keep(keep)) if !keep.list => Power::Moderate,
            _ => Power::Look,
        })
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            None | Some(What::List) => Ok(pipeline.policy_watch.overview()?),
            Some(What::Show { list, rooms, patterns }) => {
                let what = Shown { rooms: *rooms, patterns: *patterns };
                let Some(place) = list.checked_sub(1) else {
                    let why = "the first policy list has the number 1";
                    return Err(Stop::not_found(why).or(&["policy", "list"]));
                };
                let reader = reader_for(invocation.operator, &pipeline.reader);
                pipeline.policy_watch.shown(place, what, &reader).await
            }
            Some(What::Read) => Ok(read(pipeline.policy_watch.round().await?)),
            Some(What::Keep(keep)) => keep.run(pipeline, invocation).await,
        }
        .map(Some)
    }
}

/// What came of reading them.
fn read(looked: Looked) -> Reply {
    let Looked { read, not_read, told, left } = looked;
    let lists = |many: usize| match many {
        1 => "1 policy list".to_owned(),
        many => format!("{} policy lists", grouped(many)),
    };
    if read + not_read == 0 {
        return Reply::data("No policy lists are watched");
    }
    let new = match told {
        0 => "nothing new".to_owned(),
        1 => "1 message about what is new".to_owned(),
        many => format!("{many} messages about what is new"),
    };
    let reply = Reply::data(format!("I have read {}: {new}", lists(read)));
    let reply = match not_read {
        0 => reply,
        many => reply
            .note(format!("{} could not be read", lists(many)))
            .command("Why", vec!["policy".to_owned(), "list".to_owned()]),
    };
    if left { reply.note("Not everything is compared yet; I go on by myself") } else { reply }
}

impl Keep {
    async fn run(&self, pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
        if self.list {
            return list(pipeline, invocation);
        }
        let reader = reader_for(invocation.operator, &pipeline.reader);
        let mut subjects = Vec::new();
        for typed in &self.ids {
            let subject = subject(typed)?;
            reader.may_name(&subject)?;
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        let lists = pipeline.policy_watch.lists();
        for subject in &subjects {
            if self.drop && lists.let_go(&subject.key())?.is_none() {
                let why = Line::new().code(subject).plain(" was not let go");
                return Err(Stop::not_found(why).or(&["policy", "keep", "--list"]));
            }
        }
        pipeline.may_lead_to_a_change(invocation).await?;
        let what = if self.drop { "rules count for it again" } else { "let go by every rule" };
        let record = Record {
            subjects: subjects.clone(),
            note: Some(format!("policy lists: {what}")),
            ..invocation.record(Kind::Noted)
        };
        let number = pipeline.audit.note(record).await?;
        for subject in &subjects {
            if self.drop {
                lists.take_back(&subject.key()).await?;
            } else {
                let (by, at) = (invocation.operator.user.clone(), pipeline.clock.now());
                lists.keep_let_go(&subject.key(), &LetGo { by, at, number }).await?;
            }
        }
        Ok(self.told(&subjects))
    }

    fn told(&self, subjects: &[Subject]) -> Reply {
        let line = match subjects {
            [one] => Line::new().code(one),
            several => Line::from(format!("{} ids", grouped(several.len()))),
        };
        if self.drop {
            let line = line.plain(": rules of policy lists count again");
            return Reply::outcome(Status::Done, line).note(
                "Rules that are on a list already are not told again; `policy show` has them",
            );
        }
        let ids = subjects.iter().map(Subject::typed);
        let undo = ["policy", "keep", "--drop"].map(str::to_owned).into_iter().chain(ids);
        Reply::outcome(Status::Done, line.plain(": left alone by every rule of a policy list"))
            .command("Undo", undo.collect())
    }
}

/// The account or room with this id.
fn subject(typed: &str) -> Result<Subject, Stop> {
    let typed = crate::refs::bare(typed);
    if let Ok(user) = UserId::parse(typed.as_str()) {
        return Ok(Subject::User(user));
    }
    RoomId::parse(typed.as_str()).map(Subject::Room).map_err(|_| {
        let line = Line::new().code(&typed).plain(
            " is neither the id of an account nor that of a room; they look like @ann:example.org and \
             !abc:example.org",
        );
        Stop::not_understood(line)
    })
}

fn list(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
    let reader = reader_for(invocation.operator, &pipeline.reader);
    let mut all = pipeline.policy_watch.lists().all_let_go()?;
    all.retain(|(id, _)| subject(id).is_ok_and(|subject| reader.may_name(&subject).is_ok()));
    all.sort_by_key(|(_, one)| std::cmp::Reverse(one.number));
    let (now, own) = (pipeline.clock.now(), pipeline.reader.server_name());
    let line = |(id, one): &(String, LetGo)| {
        Line::new()
            .code(without_server(id, own))
            .plain(" · by ")
            .line(who(Some(&one.by), own))
            .plain(", ")
            .ago(Some(one.at), now)
            .plain(format!(", #{}", one.number))
    };
    let lines: Vec<Line> = all.iter().take(LISTED).map(line).collect();
    let title = match (all.len(), lines.len()) {
        (0, _) => return Ok(Reply::data("Nothing was let go")),
        (1, _) => "One was let go".to_owned(),
        (count, shown) if count > shown => format!("{count} were let go, the last {shown} shown"),
        (count, _) => format!("{count} were let go"),
    };
    Ok(Reply::data(title).with(Block::List(Line::new(), lines)))
}
