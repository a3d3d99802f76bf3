//! How exceptions are made and listed, whatever they are from.

use ruma::{RoomId, UserId};

use super::audit::who;
use crate::{
    audit::{Kind, Record},
    change::Subject,
    error::Stop,
    exceptions::Exception,
    pipeline::{Invocation, Pipeline, look::reader_for},
    refs::without_server,
    reply::{Block, Line, Reply, grouped},
};

/// How many are listed.
const LISTED: usize = 50;

/// The titles of a list of exceptions.
pub(super) struct Titles {
    /// Of none.
    pub(super) none: &'static str,
    /// Of one.
    pub(super) one: &'static str,
    /// Of several, after their number.
    pub(super) several: &'static str,
}

/// Lists those that the asker may name, the last first.
pub(super) fn listed(
    mut all: Vec<(String, Exception)>,
    titles: &Titles,
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
) -> Reply {
    let reader = reader_for(invocation.operator, &pipeline.reader);
    all.retain(|(id, _)| subject(id).is_some_and(|subject| reader.may_name(&subject).is_ok()));
    all.sort_by_key(|(_, exception)| std::cmp::Reverse(exception.number));
    let (now, own) = (pipeline.clock.now(), pipeline.reader.server_name());
    let line = |(id, exception): &(String, Exception)| {
        Line::new()
            .code(without_server(id, own))
            .plain(" · by ")
            .line(who(Some(&exception.by), own))
            .plain(", ")
            .ago(Some(exception.at), now)
            .plain(format!(", #{}", exception.number))
    };
    let lines: Vec<Line> = all.iter().take(LISTED).map(line).collect();
    let title = match (all.len(), lines.len()) {
        (0, _) => return Reply::data(titles.none),
        (1, _) => titles.one.to_owned(),
        (count, shown) if count > shown => {
            format!("{} {}, the last {shown} shown", grouped(count), titles.several)
        }
        (count, _) => format!("{count} {}", titles.several),
    };
    Reply::data(title).with(Block::List(Line::new(), lines))
}

/// The account or room with this id.
pub(super) fn subject(id: &str) -> Option<Subject> {
    let user = UserId::parse(id).map(Subject::User);
    user.or_else(|_| RoomId::parse(id).map(Subject::Room)).ok()
}

/// Puts on record that the asker has made exceptions for these, or taken them back; what follows is the
/// exception.
pub(super) async fn noted(
    subjects: &[Subject],
    what: impl Into<String>,
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
) -> Result<Exception, Stop> {
    let record = Record {
        subjects: subjects.to_vec(),
        note: Some(what.into()),
        ..invocation.record(Kind::Noted)
    };
    let number = pipeline.audit.note(record).await?;
    Ok(Exception { by: invocation.operator.user.clone(), at: pipeline.clock.now(), number })
}
