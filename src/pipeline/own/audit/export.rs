//! `!audit export`: the record as a file in the room.

use std::io::{self, BufReader, BufWriter, Write as _};

use super::Chosen;
use crate::{
    audit::{Head, Kept, verify_lines},
    error::Stop,
    pipeline::Pipeline,
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
    let wanted = chosen.filter(reader, chosen.on(reader).await?)?;
    let today = pipeline.clock.now().strftime("%Y-%m-%d");
    let all = chosen.is_all();
    let name = format!("record-{}{today}.jsonl", if all { "" } else { "part-" });
    let (file, count) = written(pipeline, head.count, name, wanted)?;
    let reply = if all { whole(&file, count, &head) } else { part(count, &head) };
    Ok(reply.attaching(file))
}

/// The entries that are `wanted`, just as they stand in the file of the record: one JSON object a
/// line. How many they are.
fn written(
    pipeline: &Pipeline,
    upto: u64,
    name: String,
    wanted: impl Fn(&Kept) -> bool,
) -> Result<(File, usize), Stop> {
    // It grows for years, so that it goes by way of the disk.
    let mut lines = BufWriter::new(tempfile::tempfile()?);
    let mut count = 0;
    for kept in pipeline.audit.entries(upto) {
        let kept = kept?;
        if wanted(&kept) {
            serde_json::to_writer(&mut lines, &kept).map_err(io::Error::from)?;
            lines.write_all(b"\n")?;
            count += 1;
        }
    }
    let disk = lines.into_inner().map_err(io::IntoInnerError::into_error)?;
    let kind = KIND.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
    Ok((File::on_disk(name, kind, disk)?, count))
}

/// What is said of a file that should be the whole record, having checked whether it is.
fn whole(file: &File, count: usize, head: &Head) -> Reply {
    let reply = named(format!("The record: {count} entries"), head);
    match verify_lines(BufReader::new(file.read()), Some(&head.hash)) {
        Ok(_) => {
            let command = format!("synod audit verify {} --head HASH", file.name);
            reply.note(Line::new().plain("Check it on any machine: ").code(command))
        }
        Err(error) => reply.text(format!("But {error}")),
    }
}

/// What is said of a file that holds some entries only.
fn part(count: usize, head: &Head) -> Reply {
    named(format!("A part of the record: {count} of {} entries", head.count), head)
        .note("Only the whole record is a chain that can be checked")
}

fn named(title: String, head: &Head) -> Reply {
    Reply::data(title).facts(vec![("Last hash", Line::new().code(&head.hash))])
}
