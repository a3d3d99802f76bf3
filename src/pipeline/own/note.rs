//! `!note`: what operators want each other to know about somebody.

use async_trait::async_trait;

use super::{Own, OwnSpec, audit::who, undo::number};
use crate::{
    audit::{Kind, Record as Kept},
    change::{Power, Subject},
    commands::arguments::UserRef,
    error::Stop,
    notes::Note,
    pipeline::{Invocation, Lane, Pipeline, is_first_word, look::reader_for},
    refs::without_server,
    reply::{Block, Hostile, Line, Reply, Status},
};

/// The longest note, in characters.
const LONGEST: usize = 500;

/// How many notes are listed.
const LISTED: usize = 50;

/// Write a note about an account for the other operators; `user details` shows it
///
/// `note list` shows all notes, `note list @eve:example.org` those about one account, `note remove 17` removes the note with that number. Accounts of other servers can have notes too.
#[derive(Debug, clap::Args)]
pub(crate) struct Notes {
    /// The account; or list, or remove
    #[arg(value_name = "USER")]
    first: String,
    /// The text of the note; quotation marks are not needed
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Notes>(
    "note",
    &[
        "note @eve:example.org warned by email on Monday",
        "note list",
        "note list @eve:example.org",
        "note remove 17",
    ],
);

/// What is to be done with notes.
#[derive(Debug, Clone, Copy)]
enum What<'a> {
    List(&'a [String]),
    Remove(&'a [String]),
    Keep(&'a str, &'a [String]),
}

impl Notes {
    /// Words for what is done, also those that others use for it, are no accounts; `@delete` is one.
    fn what(&self) -> What<'_> {
        match (self.first.to_lowercase().as_str(), self.rest.as_slice()) {
            ("list" | "show", rest) => What::List(rest),
            ("remove" | "delete" | "rm" | "del", rest) => What::Remove(rest),
            ("add" | "new" | "write", [user, text @ ..]) => What::Keep(user, text),
            (_, text) => What::Keep(&self.first, text),
        }
    }
}

#[async_trait]
impl Own for Notes {
    fn lane(&self) -> Lane {
        if matches!(self.what(), What::List(_)) { Lane::Beside } else { Lane::InTurn }
    }

    fn power(&self) -> Option<Power> {
        let looks = matches!(self.what(), What::List(_));
        Some(if looks { Power::Look } else { Power::Moderate })
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match self.what() {
            What::List([]) => list(pipeline, invocation, None),
            What::List([user]) => list(pipeline, invocation, Some(user)),
            What::Remove([note]) => {
                remove(pipeline, invocation, number(note, "a note", &["note", "list"])?).await
            }
            What::List(_) | What::Remove(_) => {
                Err(Stop::not_understood("there are too many or too few words for a note command")
                    .or(&["help", "note"]))
            }
            What::Keep(user, text) => keep(pipeline, invocation, user, text.join(" ").trim()).await,
        }
        .map(Some)
    }
}

fn user(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    text: &str,
) -> Result<ruma::OwnedUserId, Stop> {
    let read = text.parse::<UserRef>().map_err(|why| {
        Stop::not_understood(
            Line::new().code(text).plain(" is not valid: ").naming(&why, &is_first_word),
        )
    })?;
    reader_for(invocation.operator, &pipeline.reader).user_id(&read)
}

async fn keep(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    about: &str,
    text: &str,
) -> Result<Reply, Stop> {
    let about = user(pipeline, invocation, about)?;
    let length = text.chars().count();
    if length == 0 || length > LONGEST {
        return Err(Stop::not_understood(format!(
            "a note can have 1 to {LONGEST} characters, and this has {length}"
        )));
    }
    pipeline.may_lead_to_a_change(invocation).await?;
    let record = Kept {
        subjects: vec![Subject::User(about.clone())],
        note: Some("a note was written".to_owned()),
        ..invocation.record(Kind::Noted)
    };
    let number = pipeline.audit.note(record).await?;
    let note = Note {
        number,
        about,
        by: invocation.operator.user.clone(),
        at: pipeline.clock.now(),
        text: Hostile::new(text),
    };
    pipeline.notes.keep(&note).await?;
    let title = Line::new().plain("note about ").code(&note.about).plain(": ").hostile(&note.text);
    let back = ["note", "remove", &number.to_string()].map(str::to_owned);
    Ok(Reply::outcome(Status::Done, title).command("Undo", back.to_vec()))
}

async fn remove(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    number: u64,
) -> Result<Reply, Stop> {
    pipeline.may_lead_to_a_change(invocation).await?;
    let about = pipeline.notes.about_whom(number)?;
    if let Some(about) = about {
        reader_for(invocation.operator, &pipeline.reader).may_name(&Subject::User(about))?;
    }
    let Some(note) = pipeline.notes.remove(number).await? else {
        return Err(Stop::not_found(
            Line::new().plain("there is no note ").code(format!("#{number}")),
        )
        .or(&["note", "list"]));
    };
    let record = Kept {
        subjects: vec![Subject::User(note.about.clone())],
        of: Some(number),
        note: Some("a note was removed".to_owned()),
        ..invocation.record(Kind::Noted)
    };
    pipeline.audit.note(record).await?;
    let title =
        Line::new().plain("removed note about ").code(&note.about).plain(": ").hostile(&note.text);
    Ok(Reply::outcome(Status::Done, title))
}

fn list(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    about: Option<&String>,
) -> Result<Reply, Stop> {
    let mut notes = match about {
        Some(about) => pipeline.notes.about(&user(pipeline, invocation, about)?, usize::MAX),
        None => pipeline.notes.all(),
    }?;
    // A note is what somebody thinks of somebody: where a role does not reach them, it is not shown
    // among others either.
    let reader = reader_for(invocation.operator, &pipeline.reader);
    notes.retain(|note| reader.may_name(&Subject::User(note.about.clone())).is_ok());
    let now = pipeline.clock.now();
    let own = pipeline.reader.server_name();
    let lines: Vec<Line> = notes
        .iter()
        .take(LISTED)
        .map(|note| {
            Line::new()
                .code(format!("#{}", note.number))
                .plain(" ")
                .code(without_server(note.about.as_str(), own))
                .plain(" ")
                .hostile(&note.text)
                .plain(" · by ")
                .line(who(Some(&note.by), own))
                .plain(", ")
                .ago(Some(note.at), now)
        })
        .collect();
    let title = match (notes.len(), lines.len()) {
        (0, _) => return Ok(Reply::data("No notes")),
        (1, _) => "One note".to_owned(),
        (all, shown) if all > shown => format!("{all} notes, the last {shown} shown"),
        (all, _) => format!("{all} notes"),
    };
    Ok(Reply::data(title).with(Block::List(Line::new(), lines)))
}
