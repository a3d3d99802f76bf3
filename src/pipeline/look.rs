//! Answering a command that only looks.

use std::sync::Arc;

use super::Invocation;
use crate::{
    commands::{Memory, Query},
    error::Stop,
    operators::Operator,
    reply::{Block, Format, Line, Reply, Sheet, Written},
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
            written(sheet.finish()?)
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
    fn the_next_page_is_the_same_command_from_another_place_on() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let again = next_page(&words("user list -f 5 -d"), "105");
        assert_eq!(again, words("user list -f 5 -d --from 105"));
        assert_eq!(next_page(&again, "205"), words("user list -f 5 -d --from 205"));
    }
}
