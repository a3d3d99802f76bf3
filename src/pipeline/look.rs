//! Answering a command that only looks.

use std::sync::Arc;

use super::Invocation;
use crate::{
    commands::{Memory, Query},
    error::Stop,
    operators::Operator,
    reply::{Beyond, Block, Format, Line, Reply, Sheet, Written},
    synapse::{Reader, Scope},
};

/// The homeserver as this operator may look at it, whose role may not reach everything.
pub(super) fn reader_for(operator: &Operator, reader: &Reader) -> Reader {
    let role = Arc::clone(&operator.role);
    reader.within(Scope::new(move |subject| {
        role.must_reach(subject).map_err(|refusal| Stop::refused(refusal.0))
    }))
}

/// Looks, and answers in words or as data.
pub(super) async fn look(
    invocation: &Invocation<'_>,
    query: &dyn Query,
    reader: &Reader,
    memory: &dyn Memory,
) -> Result<Reply, Stop> {
    let reader = reader.look();
    let reply = match invocation.options.output {
        None | Some(Format::Human) => query.answer(&reader, memory).await?,
        Some(format) => {
            let mut sheet = Sheet::new(format);
            query.data(&reader, &mut sheet).await?;
            let beyond = sheet.beyond();
            cut(written(sheet.finish()?), beyond)
        }
    };
    Ok(match &reply.next {
        Some(from) => {
            let again = next_page(invocation.words, from);
            reply.command("Next page", again)
        }
        None => reply,
    })
}

/// The data and nothing else, or a file that holds them.
fn written(written: Written) -> Reply {
    match written {
        Written::Text(text) => Reply::default().with(Block::Code(text)),
        Written::File(file) => {
            let line = Line::new().code(&file.name).plain(format!(" ({})", file.size()));
            Reply::data(line).attaching(file)
        }
    }
}

/// Says that the data are not all there are, where they do not say so themselves.
fn cut(reply: Reply, beyond: Option<Beyond>) -> Reply {
    let Some(Beyond { rows, total, next }) = beyond else { return reply };
    let of = total.map_or_else(String::new, |total| format!(" of {total}"));
    let line = Line::from(format!("These are not all, only {rows}{of}. All of them come with "));
    reply.note(line.code("--all")).with_next(Some(next))
}

/// The same command from another place on. Of several places the last counts, so that the one that
/// an earlier page was asked with needs no looking for, unless it is this one's.
fn next_page(words: &[String], from: &str) -> Vec<String> {
    let words = match words {
        [before @ .., option, _] if option == "--from" => before,
        words => words,
    };
    words.iter().map(String::as_str).chain(["--from", from]).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_that_is_cut_says_so_and_the_other_formats_hold_it_themselves() {
        let sheet = |format, rest: serde_json::Value| {
            let mut sheet = Sheet::new(format);
            sheet.begin("users", &["name"]).unwrap();
            sheet.row(&serde_json::json!({ "name": "@ann:x.test" })).unwrap();
            sheet.end(rest.as_object().unwrap()).unwrap();
            let beyond = sheet.beyond();
            cut(written(sheet.finish().unwrap()), beyond)
        };
        let more = serde_json::json!({ "total": 240, "next_token": "1" });
        let reply = sheet(Format::Csv, more.clone());
        let told =
            |reply: &Reply| reply.markdown(&crate::reply::Layout::default()).replace('\\', "");
        let said = told(&reply);
        assert!(said.contains("not all, only 1 of 240") && said.contains("--all"), "{said}");
        assert_eq!(reply.next.as_deref(), Some("1"));
        let unknown = sheet(Format::Csv, serde_json::json!({ "next_token": "x" }));
        let said = told(&unknown);
        assert!(said.contains("not all, only 1."), "{said}");
        for (format, rest) in
            [(Format::Csv, serde_json::json!({ "total": 1 })), (Format::Json, more)]
        {
            let said = told(&sheet(format, rest));
            assert!(!said.contains("not all"), "{format:?}: {said}");
        }
    }

    #[test]
    fn the_next_page_is_the_same_command_from_another_place_on() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let again = next_page(&words("user list -f 5 -d"), "105");
        assert_eq!(again, words("user list -f 5 -d --from 105"));
        assert_eq!(next_page(&again, "205"), words("user list -f 5 -d --from 205"));
    }
}
