//! Answering a command that only looks.

use std::sync::Arc;

use super::Invocation;
use crate::{
    commands::{Meaning, Memory, Query},
    error::Stop,
    operators::Operator,
    pipeline::inbound::subject::one_named,
    reply::{Asked, Beyond, Block, Format, Line, Reply, Sheet, Written, from_place},
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
            query.data_remembered(&reader, memory, &mut sheet).await?;
            let (beyond, notes) = (sheet.beyond(), sheet.notes().to_vec());
            notes.into_iter().fold(cut(written(sheet.finish()?), beyond), Reply::note)
        }
    };
    let reply = turnable(reply, invocation);
    Ok(match &reply.next {
        Some(begin) => {
            let again = from_place(invocation.words, begin);
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

/// The same, where it is in words and in a room, so that a reaction or a reply to it can be about what
/// it shows: a listing can be turned and picked from, and a look at one thing stands for that.
fn turnable(reply: Reply, invocation: &Invocation<'_>) -> Reply {
    let human = matches!(invocation.options.output, None | Some(Format::Human));
    let Some(request) = invocation.origin.message().filter(|_| human) else { return reply };
    let mut reply = reply;
    let rows = numbered(&mut reply);
    if rows > 0 || reply.next.is_some() {
        let (by, room) = (invocation.operator.user.clone(), request.room.clone());
        let mut asked = Asked::new(by, room, invocation.words, reply.next.clone());
        asked.rows = rows;
        asked.total = reply.total;
        reply.asked = Some(Box::new(asked));
    } else if let Some(named) = one_named(invocation.words).filter(|_| reply.ids.is_empty()) {
        reply.ids = vec![named.id];
        reply.ids_of = Some(named.of);
    }
    if rows > 0 {
        return reply.note(how_to_pick());
    }
    reply
}

/// How a row is picked, in a few words.
fn how_to_pick() -> Line {
    Line::from("Pick a row by a reaction with its number, or type it behind a dot: ").code(".2")
}

/// Numbers the rows of a listing of what a verb can show, where there are several; how many.
fn numbered(reply: &mut Reply) -> usize {
    let cards = reply.ids_of.is_some_and(|of| of.card("").is_some());
    let mut listings = reply.blocks.iter_mut().filter_map(|block| match block {
        Block::Records(records) => Some(records),
        _ => None,
    });
    let (Some(records), None) = (listings.next(), listings.next()) else { return 0 };
    if !cards || records.len() != reply.ids.len() || records.len() < 2 {
        return 0;
    }
    let mut rows = 0;
    for record in records.iter_mut() {
        rows += 1;
        record.title = Line::from(format!("{rows} · ")).line(std::mem::take(&mut record.title));
    }
    rows
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
}
