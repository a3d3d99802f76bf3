//! `!watch`: what is new of one account is told in a thread.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ruma::OwnedUserId;

use super::{Own, OwnSpec, case::ahead};
use crate::{
    audit::Kind,
    change::{Power, Subject},
    commands::arguments::{Lasting, UserRef},
    error::Stop,
    observed::Observed,
    pipeline::{
        Invocation, Lane, Pipeline, is_first_word,
        look::reader_for,
        observer::{Begun, Wanted},
    },
    refs::without_server,
    reply::{Block, IdsOf, Line, Reply},
};

/// How long an account is watched where nothing else is said.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// And the longest.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Watch an account: its new devices, rooms, files and reports are told in a thread
///
/// The answer begins the thread. The account is looked at every one to three minutes, until the watch ends by
/// itself. `watch list` shows the accounts that are watched, `watch end @eve:example.org` ends one watch; in its
/// thread `watch end` is enough. IP addresses are never shown. Nobody sees that they are watched.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// The account: @eve:example.org, or eve for an account of this server; or list, or end
    #[arg(value_name = "USER")]
    first: String,
    /// With end, the account; not needed in its thread
    #[arg(value_name = "WATCHED")]
    second: Option<String>,
    /// For how long, such as 3d: 7d where nothing is said, 30d at most
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Lasting>,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Watch>(
    "watch",
    &[
        "watch @eve:example.org",
        "watch @eve:example.org --for 3d",
        "watch list",
        "watch end @eve:example.org",
    ],
);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What<'a> {
    List,
    End(Option<&'a str>),
    Begin(&'a str),
    Unclear,
}

impl Watch {
    /// Words for what is done are no accounts; `@list` is one.
    fn what(&self) -> What<'_> {
        let timeless = self.lasting.is_none();
        match (self.first.to_lowercase().as_str(), self.second.as_deref()) {
            ("list" | "show", None) if timeless => What::List,
            ("end" | "stop" | "remove", user) if timeless => What::End(user),
            ("list" | "show" | "end" | "stop" | "remove", _) => What::Unclear,
            ("add" | "start" | "begin", Some(user)) => What::Begin(user),
            (_, None) => What::Begin(&self.first),
            (_, Some(_)) => What::Unclear,
        }
    }
}

#[async_trait]
impl Own for Watch {
    fn lane(&self) -> Lane {
        if self.what() == What::List { Lane::Beside } else { Lane::InTurn }
    }

    fn power(&self) -> Option<Power> {
        // It shows what whoever looks at an account sees.
        Some(Power::Look)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match self.what() {
            What::List => list(pipeline, invocation).map(Some),
            What::End(user) => end(pipeline, invocation, user).await.map(Some),
            What::Begin(user) => begin(pipeline, invocation, user, self.lasting.as_ref()).await,
            What::Unclear => {
                Err(Stop::not_understood("say which account, or list, or end and which account")
                    .or(&["help", "watch"]))
            }
        }
    }
}

fn account(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    text: &str,
) -> Result<OwnedUserId, Stop> {
    let read = text.parse::<UserRef>().map_err(|why| {
        Stop::not_understood(
            Line::new().code(text).plain(" is not valid: ").naming(&why, &is_first_word),
        )
    })?;
    reader_for(invocation.operator, &pipeline.reader).user_id(&read)
}

/// Until when an account is watched.
fn until(lasting: Option<&Lasting>, now: Timestamp) -> Result<Timestamp, Stop> {
    let until = match lasting {
        Some(lasting) => ahead(lasting, now)?,
        None => now + USUAL,
    };
    if until.duration_since(now) > LONGEST {
        return Err(Stop::not_understood("an account is watched for 30 days at most; try 30d"));
    }
    Ok(until)
}

async fn begin(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    user: &str,
    lasting: Option<&Lasting>,
) -> Result<Option<Reply>, Stop> {
    let about = account(pipeline, invocation, user)?;
    let until = until(lasting, pipeline.clock.now())?;
    pipeline.served.must_serve(&["watch"], invocation.options).await?;
    pipeline.may_lead_to_a_change(invocation).await?;
    let message = invocation.origin.message();
    let wanted = Wanted {
        about,
        by: invocation.operator.user.clone(),
        until,
        room: invocation.room(),
        asked: message.map(|request| request.event.clone()),
        in_thread: message.and_then(|request| request.thread.clone()),
    };
    match pipeline.observer.begin(wanted, invocation.record(Kind::Noted)).await? {
        Begun::Not(reply) => Ok(Some(reply)),
        // In the room it is said by what tells the rest, which must know that message.
        Begun::Watched(reply) => Ok(invocation.origin.shell().map(|_| reply)),
    }
}

async fn end(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    user: Option<&str>,
) -> Result<Reply, Stop> {
    let watch = which(pipeline, invocation, user)?;
    let operator = invocation.operator;
    reader_for(operator, &pipeline.reader).may_name(&Subject::User(watch.about.clone()))?;
    let theirs = pipeline.roster.operator(&watch.by);
    if theirs.is_none_or(|theirs| theirs.person != operator.person) {
        let gate = pipeline.freeze_control.gate();
        if let Err(refusal) = gate.may_use(operator, Power::Moderate, &invocation.options.verb) {
            return Ok(pipeline.voice.refused(invocation, refusal.0).await);
        }
    }
    pipeline.may_lead_to_a_change(invocation).await?;
    let answered = thread(invocation).is_some_and(|root| Some(root) == watch.thread());
    let record = invocation.record(Kind::Noted);
    pipeline.observer.end(watch.number, (&operator.user, answered), record).await
}

fn thread<'a>(invocation: &Invocation<'a>) -> Option<&'a ruma::OwnedEventId> {
    invocation.origin.message().and_then(|request| request.thread.as_ref())
}

/// The watch of the account that was typed, or the one that is told in the thread in which it was.
fn which(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    user: Option<&str>,
) -> Result<Observed, Stop> {
    let observations = pipeline.observer.observations();
    if let Some(user) = user {
        let about = account(pipeline, invocation, user)?;
        return observations.about(&about)?.ok_or_else(|| {
            Stop::not_found(Line::new().code(&about).plain(" is not watched"))
                .or(&["watch", "list"])
        });
    }
    let of_thread = thread(invocation).map(|root| observations.of_thread(root)).transpose()?;
    of_thread.flatten().ok_or_else(|| {
        Stop::not_understood("say whose watch ends, or send this in the thread of the watch")
            .or(&["watch", "list"])
    })
}

fn list(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
    let mut open = pipeline.observer.observations().open()?;
    let reader = reader_for(invocation.operator, &pipeline.reader);
    open.retain(|watch| reader.may_name(&Subject::User(watch.about.clone())).is_ok());
    let (own, now) = (pipeline.reader.server_name(), pipeline.clock.now());
    let title = match open.len() {
        0 => return Ok(Reply::data("No accounts are watched")),
        1 => "One account is watched".to_owned(),
        many => format!("{many} accounts are watched"),
    };
    let lines = open.iter().map(|watch| {
        Line::new()
            .code(&watch.about)
            .plain(" until ")
            .at(watch.until)
            .plain(" · for ")
            .code(without_server(watch.by.as_str(), own))
            .plain(" · since ")
            .ago(Some(watch.begun), now)
    });
    let lines = lines.collect();
    let ids = open.iter().map(|watch| watch.about.to_string()).collect();
    let reply = Reply::data(title).with(Block::List(Line::new(), lines));
    Ok(Reply { ids, ids_of: Some(IdsOf::Accounts), ..reply })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Watch {
        let command = SPEC.command().no_binary_name(true);
        let matches = command.try_get_matches_from(words).unwrap();
        <Watch as clap::FromArgMatches>::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn words_for_what_is_done_are_no_accounts() {
        for (words, what) in [
            (&["@eve:x.test"][..], What::Begin("@eve:x.test")),
            (&["eve", "--for", "3d"], What::Begin("eve")),
            (&["@list:x.test"], What::Begin("@list:x.test")),
            (&["list"], What::List),
            (&["end"], What::End(None)),
            (&["End", "eve"], What::End(Some("eve"))),
            (&["list", "eve"], What::Unclear),
            (&["end", "eve", "--for", "3d"], What::Unclear),
            (&["eve", "sam"], What::Unclear),
        ] {
            assert_eq!(typed(words).what(), what, "{words:?}");
        }
    }

    #[test]
    fn a_watch_ends_after_a_week_or_when_it_is_said_but_within_a_month() {
        let now = Timestamp::UNIX_EPOCH;
        let hours = |lasting: Option<&str>| {
            let lasting = lasting.map(|text| text.parse::<Lasting>().unwrap());
            until(lasting.as_ref(), now).ok().map(|until| until.duration_since(now).as_hours())
        };
        assert_eq!(hours(None), Some(7 * 24));
        assert_eq!(hours(Some("3d")), Some(3 * 24));
        assert_eq!(hours(Some("30d")), Some(30 * 24));
        assert_eq!(hours(Some("31d")), None);
    }
}
