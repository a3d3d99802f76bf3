//! `!alias`: words of a room's own for the beginnings of commands.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    audit::{Kind, Record as Kept},
    change::Power,
    command_aliases::CommandAlias,
    error::Stop,
    pipeline::{
        Invocation, Lane, Pipeline,
        inbound::understand::alias::{stands_for, unfit_name},
    },
    reply::{Block, Line, Record, Reply, Status},
};

/// The most aliases of a room.
const MOST: usize = 50;

/// Make a word of this room's own for the beginning of a command
///
/// `!alias add spam "user suspend --reason spam"` makes `!spam @eve:example.org` stand for
/// `!user suspend @eve:example.org --reason spam`, for everybody in this room. It costs and takes what that
/// command does, and the answer or the question shows the command. An alias stands for no other alias.
#[derive(Debug, clap::Args)]
pub(crate) struct Alias {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// List the aliases of this room
    List,
    /// Make one
    Add {
        /// Its name: letters and hyphens, and nothing like a word that I know
        name: String,
        /// The command that it stands for, without whom or what it is about
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Remove one
    Remove {
        /// Its name
        name: String,
    },
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Alias>(
    "alias",
    &["alias list", "alias add spam \"user suspend --reason spam\"", "alias remove spam"],
);

#[async_trait]
impl Own for Alias {
    fn lane(&self) -> Lane {
        match self.what {
            None | Some(What::List) => Lane::Beside,
            Some(What::Add { .. } | What::Remove { .. }) => Lane::InTurn,
        }
    }

    fn power(&self) -> Option<Power> {
        Some(match self.what {
            None | Some(What::List) => Power::Look,
            Some(What::Add { .. } | What::Remove { .. }) => Power::Moderate,
        })
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            None | Some(What::List) => list(pipeline, invocation),
            Some(What::Add { name, command }) => add(pipeline, invocation, name, command).await,
            Some(What::Remove { name }) => remove(pipeline, invocation, name).await,
        }
        .map(Some)
    }
}

/// The name as it is typed for a command.
fn bare(name: &str) -> String {
    name.trim_start_matches('!').to_lowercase()
}

async fn add(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    name: &str,
    command: &[String],
) -> Result<Reply, Stop> {
    let (name, room) = (bare(name), invocation.room());
    if let Some(why) = unfit_name(&name) {
        return Err(Stop::not_understood(why));
    }
    let words = stands_for(command).map_err(Stop::not_understood)?;
    let there = pipeline.aliases.of(&room)?;
    if let Some(alias) = there.iter().find(|alias| alias.name == name) {
        let line = Line::new().command(format!("!{name}")).plain(" stands for ");
        let line =
            line.command(crate::input::shown(&alias.words)).plain(" already; remove it first");
        return Err(Stop::refused(line).or(&["alias", "remove", &name]));
    }
    if there.len() >= MOST {
        let why = format!("this room has {MOST} aliases, and no room has more; remove one first");
        return Err(Stop::refused(why).or(&["alias", "list"]));
    }
    pipeline.may_lead_to_a_change(invocation).await?;
    let shown = crate::input::quote(&words);
    let record = Kept {
        note: Some(format!("!{name} stands for {shown} from now on")),
        ..invocation.record(Kind::Noted)
    };
    pipeline.audit.note(record).await?;
    let (by, at) = (invocation.operator.user.clone(), pipeline.clock.now());
    let alias = CommandAlias { name: name.clone(), words, room, by, at };
    if !pipeline.aliases.add(&alias).await? {
        return Err(Stop::ending(Status::NothingChanged, "somebody has made it meanwhile")
            .or(&["alias", "list"]));
    }
    let line = Line::new().command(format!("!{name}")).plain(" stands for ").command(shown);
    let line = line.plain(" in this room");
    Ok(Reply::outcome(Status::Done, line)
        .command("Undo", vec!["alias".to_owned(), "remove".to_owned(), name]))
}

async fn remove(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    name: &str,
) -> Result<Reply, Stop> {
    let (name, room) = (bare(name), invocation.room());
    let Some(alias) = pipeline.aliases.get(&room, &name)? else {
        let line = Line::new().plain("this room has no alias ").code(name);
        return Err(Stop::not_found(line).or(&["alias", "list"]));
    };
    pipeline.may_lead_to_a_change(invocation).await?;
    let shown = crate::input::quote(&alias.words);
    let record = Kept {
        note: Some(format!("!{name} does not stand for {shown} any more")),
        ..invocation.record(Kind::Noted)
    };
    pipeline.audit.note(record).await?;
    pipeline.aliases.remove(&room, &name).await?;
    let line =
        Line::new().command(format!("!{name}")).plain(" stands for nothing any more; it was ");
    let back = [vec!["alias".to_owned(), "add".to_owned(), name], vec![shown.clone()]].concat();
    Ok(Reply::outcome(Status::Done, line.command(shown)).command("Undo", back))
}

fn list(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
    let all = pipeline.aliases.of(&invocation.room())?;
    let now = pipeline.clock.now();
    let records: Vec<Record> = all
        .iter()
        .map(|alias| Record {
            title: Line::new().command(format!("!{}", alias.name)),
            facts: vec![
                ("Stands for", Line::new().command(crate::input::shown(&alias.words))),
                ("By", Line::new().code(&alias.by)),
                ("At", Line::new().time(Some(alias.at), now)),
            ],
        })
        .collect();
    let add = ["alias", "add", "spam", "user suspend --reason spam"].map(str::to_owned).to_vec();
    Ok(match records.len() {
        0 => Reply::data("This room has no aliases").command("To make one, such as", add),
        1 => Reply::data("One alias").with(Block::Records(records)),
        n => Reply::data(format!("{n} aliases")).with(Block::Records(records)),
    })
}
