//! `!audit export`: the record as a file in the room.

use super::Chosen;
use crate::{
    audit::{Head, verify_lines},
    error::Stop,
    pipeline::{Pipeline, yes::unreadable},
    reply::{File, Line, Reply},
    synapse::Reader,
};

/// What the file is, as far as there is a name for it.
const KIND: &str = "application/jsonl";

impl Chosen {
    /// Whether that is everything.
    fn is_all(&self) -> bool {
        let Self { by, on, since, until, verb, outcome } = self;
        let by_whom_or_on_what = by.is_some() || on.is_some();
        let when = since.is_some() || until.is_some();
        !(by_whom_or_on_what || when || verb.is_some() || outcome.is_some())
    }
}

/// Makes the file. The look at it, which is on record by now, stands in it too.
pub(super) async fn export(
    pipeline: &Pipeline,
    reader: &Reader,
    chosen: &Chosen,
) -> Result<Reply, Stop> {
    let head = pipeline.audit.head().await;
    let wanted = chosen.filter(reader)?;
    let lines = pipeline.audit.lines(head.count, wanted).map_err(|e| unreadable(&e))?;
    let today = pipeline.clock.now().strftime("%Y-%m-%d");
    let all = chosen.is_all();
    let name = format!("record-{}{today}.jsonl", if all { "" } else { "part-" });
    let reply = if all { whole(&lines, &name, &head) } else { part(&lines, &head) };
    let kind = KIND.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
    Ok(reply.attaching(File::new(name, kind, lines)))
}

/// What is said of a file that should be the whole record, having checked whether it is.
fn whole(lines: &[u8], name: &str, head: &Head) -> Reply {
    let reply = named(format!("The record: {} entries", count(lines)), head);
    match verify_lines(lines, Some(&head.hash)) {
        Ok(_) => {
            let command = format!("synod audit verify {name} --head HASH");
            reply.note(Line::new().plain("Check it on any machine: ").code(command))
        }
        Err(error) => reply.text(format!("But {error}")),
    }
}

/// What is said of a file that holds some entries only.
fn part(lines: &[u8], head: &Head) -> Reply {
    named(format!("A part of the record: {} of {} entries", count(lines), head.count), head)
        .note("Only the whole record is a chain that can be checked")
}

fn named(title: String, head: &Head) -> Reply {
    Reply::data(title).facts(vec![("Last hash", Line::new().code(&head.hash))])
}

fn count(lines: &[u8]) -> usize {
    lines.split_inclusive(|byte| *byte == b'\n').count()
}
