//! `!undo`: take a change back, as the change that this is.

use async_trait::async_trait;

use super::{Own, OwnSpec, Stands};
use crate::{
    audit::{Kept, Kind, Record},
    change::{Binds, Subject, Undo as Way},
    commands::Options,
    error::Stop,
    pipeline::{
        Asked, Lane, Pipeline,
        together::{Part, Together},
    },
    reply::{Line, Reply, Word},
};

/// Take back a change: what it does is weighed and asked like any other
#[derive(Debug, clap::Args)]
pub(crate) struct Undo {
    /// The number of the change, as its answer shows it
    pub(super) number: String,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Undo>("undo", &["undo 17", "undo 17 --plan"]).changing();

impl Undo {
    fn number(&self) -> Result<u64, Stop> {
        number(&self.number, "a change", &["audit"])
    }
}

#[async_trait]
impl Own for Undo {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    /// What has changed many is taken back as one change of all those that it really changed.
    fn action(&self, pipeline: &Pipeline) -> Option<Stands> {
        let number = self.number().ok()?;
        if pipeline.audit.undone_by(number).ok()?.is_some() {
            return None;
        }
        let closing = closing(pipeline, number).ok()?;
        if closing.undo.len() < 2 {
            return None;
        }
        let ways = closing.left.into_iter().zip(closing.undo);
        let ways = ways.filter_map(|((subject, left), way)| match way {
            Way::Command(words) => Some((subject, left, words)),
            Way::None(_) => None,
        });
        all_taken_back(pipeline, number, ways)
    }

    async fn run(&self, pipeline: &Pipeline, asked: &Asked<'_>) -> Result<Option<Reply>, Stop> {
        let number = self.number()?;
        let closing = closing(pipeline, number)?;
        if let Some(by) = pipeline.audit.undone_by(number)? {
            return Ok(Some(Reply::outcome(
                Word::NothingChanged,
                Line::new()
                    .code(format!("#{number}"))
                    .plain(" has been taken back already, by ")
                    .code(format!("#{by}")),
            )));
        }
        let words = match closing.undo.as_slice() {
            [Way::Command(words)] => words.clone(),
            [Way::None(nearest), rest @ ..]
                if !rest.iter().any(|way| matches!(way, Way::Command(_))) =>
            {
                return Err(Stop::refused(
                    Line::new()
                        .code(format!("#{number}"))
                        .plain(" cannot be taken back: ")
                        .plain(nearest.clone()),
                ));
            }
            _ => {
                return Err(Stop::refused(
                    Line::new().code(format!("#{number}")).plain(" changed nothing to take back"),
                ));
            }
        };
        take_back(pipeline, asked, number, (&words, &closing.left)).await
    }
}

/// The change that takes back the one with this number from each of these, by these words, where
/// what it left is still so. `None` where some of the words are none of this version's.
pub(super) fn all_taken_back(
    pipeline: &Pipeline,
    number: u64,
    ways: impl Iterator<Item = (Subject, Binds, Vec<String>)>,
) -> Option<Stands> {
    let parts = ways.map(|(subject, left, words)| {
        let (action, options) = pipeline.action(&words)?;
        Some(Part { action, verb: options.verb, found: Some((subject, left)) })
    });
    let together = Together::new(parts.collect::<Option<_>>()?)?;
    let verb = Some(together.verb().to_owned());
    Some(Stands { action: Box::new(together), verb, undoes: Some(number) })
}

/// Makes the change that takes back the one with this number, by these words, where what it `left`
/// is still so.
pub(super) async fn take_back(
    pipeline: &Pipeline,
    asked: &Asked<'_>,
    number: u64,
    (words, left): (&[String], &[(Subject, Binds)]),
) -> Result<Option<Reply>, Stop> {
    let Some((action, typed)) = pipeline.action(words) else {
        return Err(Stop::refused(
            Line::new()
                .code(format!("#{number}"))
                .plain(" was made by another version of me, which wrote its undo differently"),
        ));
    };
    // A question carries them along, for they stand in its words.
    let words = with_options(words.to_vec(), asked.options.words());
    let options = Options { verb: typed.verb, ..asked.options.clone() };
    let asked = Asked { words: &words, options: &options, undoes: Some(number), ..*asked };
    pipeline.make_undo(&asked, action.as_ref(), left).await
}

/// The words with these options, before what can be no option.
fn with_options(mut words: Vec<String>, options: Vec<String>) -> Vec<String> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.splice(end..end, options);
    words
}

/// Reads `17` or `#17`, the number of `what`, such as a change; `listed` are the words of the command
/// that shows those there are.
pub(super) fn number(text: &str, what: &str, listed: &[&str]) -> Result<u64, Stop> {
    let refused = |_| Stop::refused(format!("{what} has a number, such as 17")).or(listed);
    text.trim_start_matches('#').parse().map_err(refused)
}

/// How the change with this number ended.
fn closing(pipeline: &Pipeline, number: u64) -> Result<Record, Stop> {
    let unknown = || {
        Stop::refused(Line::new().plain("there is no change ").code(format!("#{number}")))
            .or(&["audit"])
    };
    let kept: Kept = pipeline.audit.get(number)?.ok_or_else(unknown)?;
    if kept.entry.kind != Kind::Opened {
        return Err(unknown());
    }
    let closing = pipeline.audit.closing(number)?;
    closing.and_then(|kept| kept.record).ok_or_else(|| {
        Stop::refused(
            Line::new().code(format!("#{number}")).plain(" has not ended, as far as I know"),
        )
    })
}
