//! `!audit`: the record, from the room.

use async_trait::async_trait;
use ruma::{OwnedRoomId, OwnedUserId};

use super::{Own, OwnSpec, undo::number};
use crate::{
    audit::{Kept, Kind, Record, Verified},
    change::{Power, Subject, Undo},
    commands::arguments::{Since, UserRef},
    error::Stop,
    pipeline::{Invocation, Pipeline, is_first_word, look::reader_for},
    refs::{Named, bare},
    reply::{self, Block, Hostile, Line, Reply, Status},
    synapse::Reader,
};

mod export;
mod line;

pub(in crate::pipeline) use line::did;
pub(in crate::pipeline) use line::line;
pub(super) use line::{verb, who};

/// Show the record of what was asked, done and looked at
#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the last records, newest first; a change that has ended stands there once
    List(Box<List>),
    /// Show one record with everything that it holds
    Show {
        /// Its number
        number: String,
    },
    /// Check that no record was changed or is missing
    Verify,
    /// Send the whole record into this room as a file, or what of it the options choose
    ///
    /// The file holds one JSON object a line, as the file that the config names does, and
    /// `synod audit verify FILE --head HASH` checks it on any machine, where it is whole. That it
    /// was sent is on record.
    Export(Box<Chosen>),
}

#[derive(Debug, clap::Args)]
struct List {
    /// How many
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    #[command(flatten)]
    chosen: Chosen,
}

/// What of the record is wanted.
#[derive(Debug, clap::Args)]
struct Chosen {
    /// Only what this operator asked for
    #[arg(long, value_name = "USER")]
    by: Option<UserRef>,
    /// Only what was done to this: a user or room as any command takes them, a device or a file
    #[arg(long, value_name = "ID")]
    on: Option<String>,
    /// Only what was not earlier: a date, or an age such as 3d
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only what was earlier: a date, or an age such as 3d
    #[arg(long, value_name = "WHEN")]
    until: Option<Since>,
    /// Only this verb, such as "user suspend", or only this group
    #[arg(long)]
    verb: Option<String>,
    /// Only what ended so
    #[arg(long, value_parser = ended)]
    outcome: Option<Status>,
}

/// A first word as it is typed: `done-in-part`.
fn typed(word: Status) -> String {
    word.as_str().to_lowercase().replace(' ', "-")
}

fn ended(text: &str) -> Result<Status, String> {
    Status::ALL
        .into_iter()
        .find(|word| typed(*word) == text.to_lowercase())
        .ok_or_else(|| format!("it takes one of: {}", Status::ALL.map(typed).join(", ")))
}

/// With which first word something ended, as far as it has.
fn outcome(kept: &Kept) -> Option<Status> {
    match kept.entry.kind {
        Kind::Refused => Some(Status::Refused),
        Kind::Expired => Some(Status::Expired),
        _ => kept.record.as_ref()?.status,
    }
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Audit>(
    "audit",
    &[
        "audit",
        "audit list --limit 20",
        "audit list --by @ann:example.org --since 7d",
        "audit list --on @eve:example.org --verb \"user suspend\" --outcome done",
        "audit show 17",
        "audit export",
        "audit export --since 30d",
    ],
)
.listing();

#[async_trait]
impl Own for Audit {
    /// One by one any operator may see what is on record; all of it at once, to take away, is
    /// another matter.
    fn power(&self) -> Option<Power> {
        matches!(self.what, Some(What::Export(_))).then_some(Power::LookPrivate)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let reader = reader_for(invocation.operator, &pipeline.reader);
        // A terminal is wider than a phone.
        let is_short = invocation.origin.shell().is_none();
        Ok(Some(match &self.what {
            None => list(pipeline, is_short, 10, None, |_| true)?,
            Some(What::List(wanted)) => {
                let limit = usize::from(wanted.limit);
                let on = wanted.chosen.on(&reader).await?;
                let filter = wanted.chosen.filter(&reader, on.clone())?;
                list(pipeline, is_short, limit, on.as_ref(), filter)?
            }
            Some(What::Show { number: text }) => {
                show(pipeline, &reader, number(text, "a record", &["audit"])?)?
            }
            Some(What::Verify) => verify(pipeline)?,
            Some(What::Export(chosen)) => export::export(pipeline, &reader, chosen).await?,
        }))
    }
}

/// Whom or what a record is to be about.
#[derive(Debug, Clone)]
struct About {
    /// The id as it was typed.
    id: String,
    /// The account that it can mean.
    user: Option<OwnedUserId>,
    /// The room that it means.
    room: Option<OwnedRoomId>,
}

impl About {
    async fn read(text: &str, reader: &Reader) -> Result<Self, Stop> {
        let id = bare(text);
        let (mut user, mut room) = (None, None);
        let fault = |why: String| {
            let line = Line::new().code(&id).plain(" will not do: ").naming(&why, &is_first_word);
            Stop::not_understood(line)
        };
        match id.parse::<Named>().map_err(fault)? {
            Named::Room(typed) => room = Some(reader.room_id(&typed).await?),
            Named::User(typed) => user = Some(reader.user_id(&typed)?),
            // It may be that of a device or a file, or the localpart of an account.
            Named::Event(_) | Named::File(_) | Named::Plain(_) => {
                reader.may_tell_of([id.as_str()])?;
                user = id.parse::<UserRef>().ok().and_then(|user| reader.user_id(&user).ok());
            }
        }
        Ok(Self { id, user, room })
    }

    fn is_of(&self, record: &Record) -> bool {
        record.subjects.iter().any(|subject| match subject {
            Subject::Device(_, device) if *device == self.id => true,
            Subject::Media(_, file) if *file == self.id => true,
            Subject::Room(room) => self.room.as_ref() == Some(room),
            subject => {
                subject.key() == self.id
                    || subject.user().is_some_and(|user| self.user.as_ref() == Some(user))
            }
        })
    }

    /// What it was taken for, for somebody who sees that there is nothing.
    fn line(&self) -> Line {
        let line = Line::new().plain("The record holds nothing like that about ");
        match (&self.user, &self.room) {
            (Some(user), _) if self.id.contains([':', '@']) => line.code(user),
            (Some(user), _) => line
                .code(user)
                .plain(", nor about a device, file, token or server called ")
                .code(&self.id),
            (None, Some(room)) => line.code(room),
            (None, None) => line.code(&self.id),
        }
    }
}

impl Chosen {
    /// Whom or what it is to be about, where that was typed.
    async fn on(&self, reader: &Reader) -> Result<Option<About>, Stop> {
        match &self.on {
            Some(text) => About::read(text, reader).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether an entry is wanted.
    fn filter(
        &self,
        reader: &Reader,
        on: Option<About>,
    ) -> Result<impl Fn(&Kept) -> bool + use<>, Stop> {
        let now = reader.now();
        let by = self.by.as_ref().map(|user| reader.user_id(user)).transpose()?;
        let since = self.since.as_ref().map(|since| since.before(now));
        let until = self.until.as_ref().map(|until| until.before(now));
        let verb: Option<Vec<String>> =
            self.verb.as_ref().map(|verb| verb.split_whitespace().map(str::to_lowercase).collect());
        let ended = self.outcome;
        Ok(move |kept: &Kept| {
            let at = kept.entry.at;
            since.is_none_or(|since| at >= since)
                && until.is_none_or(|until| at < until)
                && (ended.is_none() || outcome(kept) == ended)
                && (by.is_none() || of(kept, |record| record.by == by))
                && verb.as_ref().is_none_or(|verb| of(kept, |r| r.words.starts_with(verb)))
                && on.as_ref().is_none_or(|on| of(kept, |record| on.is_of(record)))
        })
    }
}

/// Whether the record of an entry satisfies this; one that has gone does not.
fn of(kept: &Kept, is: impl Fn(&Record) -> bool) -> bool {
    kept.record.as_ref().is_some_and(is)
}

/// Columns of two lines on a phone, beside the mark of a point.
const TWO_LINES: usize = 64;

fn list(
    pipeline: &Pipeline,
    is_short: bool,
    limit: usize,
    on: Option<&About>,
    wanted: impl Fn(&Kept) -> bool,
) -> Result<Reply, Stop> {
    // What cannot be looked up is shown rather than hidden.
    let begun = |kept: &Kept| {
        kept.entry.kind == Kind::Opened
            && pipeline.audit.is_closed(kept.entry.seq).unwrap_or_default()
    };
    let kept = pipeline.audit.last_where(limit, |kept| !begun(kept) && wanted(kept));
    let kept = kept?;
    if kept.is_empty() {
        return Ok(Reply::data(match on {
            Some(about) => about.line(),
            None => "The record holds nothing like that".into(),
        }));
    }
    let (now, own) = (pipeline.clock.now(), pipeline.reader.server_name());
    let whole = kept.iter().map(|kept| line(kept, now, own));
    let lines = whole.map(|line| if is_short { line.within(TWO_LINES) } else { line }).collect();
    Ok(Reply::data("The record, newest first, in UTC")
        .with(Block::List(Line::new(), lines))
        .note(Line::new().plain("One of them in full: ").command("!audit show NUMBER")))
}

fn show(pipeline: &Pipeline, reader: &Reader, number: u64) -> Result<Reply, Stop> {
    let kept: Kept = pipeline.audit.get(number)?.ok_or_else(|| {
        Stop::not_found(Line::new().plain("there is no record ").code(format!("#{number}")))
            .or(&["audit"])
    })?;
    let subjects = kept.record.iter().flat_map(|record| &record.subjects);
    subjects.into_iter().try_for_each(|subject| reader.may_name(subject))?;
    let now = pipeline.clock.now();
    let mut reply = Reply::data(
        Line::new().code(format!("#{number}")).plain(" ").plain(kind_in_words(kept.entry.kind)),
    );
    let mut facts = vec![("At", Line::new().time(Some(kept.entry.at), now))];
    match &kept.record {
        Some(record) => facts.extend(facts_of(record)),
        None => facts.push(("Details", Line::from("gone"))),
    }
    facts.push(("Hash", Line::new().code(&kept.entry.hash)));
    reply = reply.facts(facts);
    let closing = pipeline.audit.closing(number)?;
    if let Some(kept) = closing
        && let Some(record) = &kept.record
    {
        let ended = record.status.map_or("it is not known how", Status::as_str);
        reply = reply.text(
            Line::new()
                .plain(format!("It ended: {ended}, see "))
                .command(format!("!audit show {}", kept.entry.seq)),
        );
    }
    for kept in pipeline.audit.ends(number)?.iter().rev() {
        let Some(record) = &kept.record else { continue };
        let ended = record.status.map_or("it is not known how", Status::as_str);
        let mut line = Line::new().plain(format!("The homeserver finished it later: {ended}"));
        if let Some(note) = &record.note {
            line = line.plain(format!(" · {note}"));
        }
        let number = format!("!audit show {}", kept.entry.seq);
        reply = reply.text(line.plain(", see ").command(number));
    }
    Ok(reply)
}

fn verify(pipeline: &Pipeline) -> Result<Reply, Stop> {
    Ok(match pipeline.audit.verify()? {
        Verified::Whole(head) => Reply::data(format!(
            "The record is whole: {} entries",
            head.count
        ))
        .facts(vec![("Last hash", Line::new().code(head.hash))])
        .note("Keep the hash elsewhere: only with it can somebody see that the end was cut off"),
        Verified::Broken(broken) => Reply::outcome(Status::Unknown, broken.to_string()),
    })
}

fn kind_in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::QuestionPut => "question put",
        Kind::Refused => "refused",
        Kind::Approved => "approved",
        Kind::Denied => "denied",
        Kind::Cancelled => "question cancelled",
        Kind::Expired => "question expired",
        Kind::Opened => "change started",
        Kind::Closed => "change ended",
        Kind::Ended => "the homeserver has finished it",
        Kind::Moved => "end moved",
        Kind::Stopped => "everything open was ended",
        Kind::Frozen => "frozen",
        Kind::Unfrozen => "unfrozen",
        Kind::Configured => "config read again",
        Kind::Looked => "looked at private things",
        Kind::Strange => "commands of somebody who is no operator",
        Kind::Noted | Kind::GivenUp => "noted",
        Kind::Redacted => "somebody who was erased taken out of a record",
    }
}

fn facts_of(record: &Record) -> Vec<reply::Fact> {
    let mut facts: Vec<reply::Fact> = Vec::new();
    if !record.words.is_empty() {
        let command = crate::input::shown(&record.words);
        facts.push(("Command", Line::new().command(command)));
    }
    if let Some(class) = record.class {
        facts.push(("Class", Line::from(class.as_str())));
    }
    if let Some(by) = &record.by {
        facts.push(("By", Line::new().code(by)));
    }
    if let Some(way) = record.way {
        facts.push(("From", way.into()));
    }
    if let Some(yes) = &record.yes {
        facts.push(("Yes by", Line::new().code(yes)));
    }
    for approval in &record.approvals {
        facts.push(("Approved by", Line::new().code(approval)));
    }
    if let Some(alone) = &record.alone {
        facts.push(("ALONE", Line::new().hostile(&Hostile::new(alone.clone()))));
    }
    if let Some(word) = record.status {
        facts.push(("Ended", Line::from(word.as_str())));
    }
    if let Some(reason) = &record.reason {
        facts.push(("Reason", Line::new().hostile(&Hostile::new(reason.clone()))));
    }
    let subjects = record.subjects.iter().map(|subject| Line::new().code(subject));
    facts.extend(some("Subject", subjects.collect()));
    if record.erased > 0 {
        facts.push(("Erased since", Line::from(format!("{} of its subjects", record.erased))));
    }
    if let Some(id) = &record.request {
        facts.push(("Request", Line::new().code(id)));
    }
    facts.extend(some("Sent", record.requests.iter().map(|one| Line::new().code(one)).collect()));
    for (label, number) in
        [("Ends", record.of), ("Undoes", record.undoes), ("In place of", record.redacts)]
    {
        if let Some(number) = number {
            facts.push((label, Line::new().code(format!("#{number}"))));
        }
    }
    let ways = record.undo.iter().flat_map(Undo::commands);
    let ways = ways.map(|words| Line::new().command(crate::input::shown(words)));
    facts.extend(some("Undo", ways.collect()));
    if let Some(note) = &record.note {
        facts.push(("Note", Line::from(note.clone())));
    }
    facts
}

/// How many of a kind of fact are told of one record; an export has all.
const LISTED: usize = 10;

/// Facts of one kind, and how many more there are than are told.
fn some(label: &'static str, lines: Vec<Line>) -> Vec<reply::Fact> {
    let more = lines.len().saturating_sub(LISTED);
    let mut facts: Vec<reply::Fact> =
        lines.into_iter().take(LISTED).map(|line| (label, line)).collect();
    if more > 0 {
        let line =
            Line::from(format!("{more} more, which ")).command("!audit export").plain(" has");
        facts.push((label, line));
    }
    facts
}
