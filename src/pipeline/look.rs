//! Answering a command that only looks.

use std::sync::Arc;

use super::Invocation;
use crate::{
    commands::{Meaning, Memory, Query},
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

/// What ended a look, told by its cause and the next step where the homeserver refused it. With no
/// tables of what refusals mean its own words are what was asked for.
pub(super) fn by_its_cause(stop: Stop, known: Option<&[&'static [Meaning]]>) -> Stop {
    let (Stop::Api(error), Some(known)) = (&stop, known) else { return stop };
    let Some(meaning) = Meaning::of_look(error, known) else { return stop };
    let said = error.message().filter(|said| meaning.is_general() && !said.is_empty()).cloned();
    Stop::NotShown { means: meaning.line(), ends: meaning.ends, said, refusal: error.clone() }
}

/// Looks, and answers in words or as data.
pub(super) async fn look(
    invocation: &Invocation<'_>,
    query: &dyn Query,
    reader: &Reader,
    memory: &dyn Memory,
) -> Result<Reply, Stop> {
    found(invocation, query, reader, memory)
        .await
        .map_err(|stop| by_its_cause(stop, query.refusals()))
}

async fn found(
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
    use serde_json::json;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;
    use crate::{
        commands::{GROUPS, Group, takes_path},
        pipeline::testing::Stage,
    };

    /// What a homeserver answers that refuses all of it.
    const REFUSALS: [(u16, &str); 6] = [
        (400, "M_UNKNOWN"),
        (400, "M_INVALID_PARAM"),
        (400, "M_BAD_JSON"),
        (403, "M_FORBIDDEN"),
        (404, "M_NOT_FOUND"),
        (404, "M_UNKNOWN"),
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn no_command_answers_with_the_homeservers_own_sentence_whatever_its_looks_meet() {
        for (status, errcode) in REFUSALS {
            let server = MockServer::start().await;
            let body = json!({ "errcode": errcode, "error": "RAW SENTENCE" });
            let refusal = ResponseTemplate::new(status).set_body_json(body);
            Mock::given(any()).respond_with(refusal).mount(&server).await;
            let stage = Stage::set(&server.uri(), "token");
            let verbs = GROUPS.iter().flat_map(|group| group.verbs.iter().map(move |v| (group, v)));
            let with_words = |(group, verb)| !takes_path(&Group::words(group, verb));
            let mut answered = 0;
            for (_, verb) in verbs.filter(|both| with_words(*both)) {
                for example in verb.examples {
                    let mark = stage.heard.all().len();
                    stage.say("ann", &format!("!{example}")).await;
                    let heard = stage.heard.all();
                    for said in &heard[mark..] {
                        let first = said.lines().next().unwrap_or_default();
                        let raw = ["RAW", "M_", &format!("({status}")];
                        let shows = raw.iter().any(|raw| first.contains(raw));
                        assert!(!shows, "{status} {errcode}: {example}: {said}");
                    }
                    answered += usize::from(heard.len() > mark);
                }
            }
            assert!(answered > 150, "{status} {errcode}: only {answered} were answered");
        }
    }

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
