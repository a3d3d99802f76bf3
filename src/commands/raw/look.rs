//! A raw request that only looks.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::Value;

use super::{mask::masked, request::Request};
use crate::{
    change::{Power, Subject},
    commands::{Memory, Query, Tables},
    error::Stop,
    reply::{Block, Format, Line, Reply, Sheet, Written},
    synapse::Reader,
};

/// It asks what was typed, and shows what was answered.
#[derive(Debug)]
pub(super) struct Look(pub(super) Request);

impl Look {
    /// The answer, without what nobody is to see, for somebody who may name whom it is about and
    /// hear of all that it tells of.
    async fn find(&self, reader: &Reader) -> Result<Value, Stop> {
        let request = &self.0;
        let about = request.about.subject(reader).await?;
        for named in request.others.iter().chain([&about]) {
            if named.user().is_some_and(|user| reader.is_own(user)) {
                let why = " is the bot's own account or that of its admin token: raw requests \
                    about these are refused";
                return Err(Stop::refused(Line::new().code(named).plain(why)));
            }
            if !matches!(named, Subject::Homeserver(_)) {
                reader.may_name(named)?;
            }
        }
        let query: Vec<(&str, String)> =
            request.query.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let answer: Value = match reader.get_any(&request.path, &query).await {
            Err(error) if error.is_not_json() => {
                return Err(Stop::failed(
                    "the answer is not JSON, so I cannot tell what is in it: some paths answer \
                    with a file, and a proxy in front of the homeserver may answer with a web \
                    page",
                ));
            }
            answer => answer?,
        };
        let mut told = BTreeSet::new();
        names(&answer, &mut told);
        reader.may_tell_of(told)?;
        Ok(masked(answer, request.hides_tokens()))
    }

    /// Under this it stands in a file.
    const NAME: &str = "answer";
}

/// Every text in an answer, names of fields too: any of them may be an id.
fn names<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => {
            found.insert(text);
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(field, value)| {
            found.insert(field);
            names(value, found);
        }),
        _ => {}
    }
}

#[async_trait]
impl Query for Look {
    fn power(&self) -> Power {
        self.0.power()
    }

    fn private(&self) -> bool {
        self.0.known.is_none() || self.power() == Power::LookPrivate
    }

    fn refusals(&self) -> Option<Tables> {
        None
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let mut sheet = Sheet::new(Format::Json);
        sheet.object(Self::NAME, &self.find(reader).await?)?;
        let title = Line::new().code(self.0.line());
        Ok(match sheet.finish()? {
            Written::Text(text) => Reply::data(title).with(Block::Code(text)),
            Written::File(file) => {
                let name = Line::new().code(&file.name).plain(format!(" ({})", file.size()));
                Reply::data(title.plain(": ").line(name)).attaching(file)
            }
        })
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object(Self::NAME, &self.find(reader).await?)?)
    }
}
