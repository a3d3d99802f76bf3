//! What a typed request is: which operation, about whom, and what that weighs. Decided without
//! asking anybody.

use ruma::{OwnedServerName, OwnedUserId, RoomId, UserId};
use serde_json::Value;

use super::{
    body, client,
    path::{self, Typed},
};
use crate::{
    change::{Class, Method, Path, Power, Root, Subject},
    commands::{
        arguments::RoomRef,
        operations::{Names, OPERATIONS, Operation, Values, exactly, extended, nearest},
    },
    error::Stop,
    reply::{Hostile, Line},
    synapse::Reader,
};

/// A request that may be made, as far as its own form says.
#[derive(Debug)]
pub(super) struct Request {
    /// `None` for `GET`.
    pub(super) method: Option<Method>,
    pub(super) path: Path,
    pub(super) query: Vec<(String, String)>,
    /// `Null` for `GET`. Slots stand for its secrets.
    pub(super) body: Value,
    /// What it is known as; nothing where no operation has this method and path.
    pub(super) known: Option<&'static Operation>,
    /// What a homeserver may take it for, since its path extends theirs, where it is not known.
    pub(super) like: Vec<&'static Operation>,
    /// Whom or what it is about.
    pub(super) about: About,
    /// Who and which rooms are named in it besides.
    pub(super) others: Vec<Subject>,
}

/// Whom or what a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// The homeserver as a whole, as far as is known.
    Homeserver,
    /// This.
    Is(Subject),
    /// This room.
    Room(RoomRef),
    /// A file of this homeserver, by its id.
    File(String),
}

/// Why a request is not made, and the verb that is to be used instead, where there is one.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) why: Line,
    /// Whether it cannot even be read, and not only may not be made.
    pub(super) is_slip: bool,
    pub(super) instead: Option<&'static str>,
}

impl Fault {
    /// A slip in what was typed.
    pub(super) fn slip(why: Line) -> Self {
        Self { is_slip: true, ..why.into() }
    }
}

impl From<Line> for Fault {
    fn from(why: Line) -> Self {
        Self { why, is_slip: false, instead: None }
    }
}

impl About {
    /// The subject that it is. An alias is resolved.
    pub(super) async fn subject(&self, reader: &Reader) -> Result<Subject, Stop> {
        let here = || reader.server_name().to_owned();
        Ok(match self {
            Self::Homeserver => Subject::Homeserver(here()),
            Self::Is(subject) => subject.clone(),
            Self::Room(room) => Subject::Room(reader.room_id(room).await?),
            Self::File(id) => Subject::Media(here(), id.clone()),
        })
    }
}

impl Request {
    /// Reads a request; `body` is `Null` for a `GET`.
    pub(super) fn read(
        root: Root,
        method: Option<Method>,
        endpoint: &str,
        body: Value,
    ) -> Result<Self, Fault> {
        let Typed { parts, query } = path::read(root, endpoint).map_err(Fault::slip)?;
        let found = match root {
            Root::Admin => admin(method, &parts)?,
            Root::Client => Some(of_clients(method, &parts, &query)?),
        };
        let known = found.as_ref().map(|(operation, _)| *operation);
        let like = if known.is_none() { extended(method, &parts) } else { Vec::new() };
        if let Some(verb) = known.iter().chain(&like).find_map(|operation| operation.withheld) {
            return Err(Fault {
                why: "its answer contains a secret, which I do not show in this room".into(),
                is_slip: false,
                instead: Some(verb),
            });
        }
        for operation in &like {
            needs(operation, &body)?;
        }
        let mut others = ids(parts.iter().map(String::as_str));
        let mut besides: Vec<&str> = query.iter().map(|(_, value)| value.as_str()).collect();
        texts(&body, &mut besides);
        others.extend(ids(besides));
        let about = match found {
            Some((operation, values)) => about(operation, &values, &body)?,
            None => of_unknown(&parts, &others),
        };
        others.retain(|other| About::Is(other.clone()) != about);
        let path = Path::below(root, parts);
        Ok(Self { method, path, query, body, known, like, about, others })
    }

    /// The right that it takes.
    pub(super) fn power(&self) -> Power {
        self.known.map_or(Power::Server, |known| known.power_with(&self.body))
    }

    /// What it costs. There is no undo for what nobody has looked at before, so that nothing of it
    /// is reversible; and what nobody knows is taken for the worst.
    pub(super) fn class(&self) -> Class {
        let known = self.known.map(|known| known.class.unwrap_or(Class::Disruptive));
        known.map_or(Class::Irreversible, |class| class.max(Class::Disruptive))
    }

    /// The verbs whose work it does, or may do.
    pub(super) fn verbs(&self) -> Vec<&'static str> {
        self.known.iter().chain(&self.like).flat_map(|operation| operation.verbs()).collect()
    }

    /// The verb that does the same and looks first, where there is one.
    pub(super) fn instead(&self) -> Option<&'static str> {
        self.known.filter(|known| known.method != client::ANY)?.verbs().next()
    }

    /// Whether it asks for a phrase by its nature.
    pub(super) fn phrase(&self) -> bool {
        self.known.is_none_or(|known| known.phrase)
    }

    /// Whether a bare token in its answer is a secret: not one with which people register.
    pub(super) fn hides_tokens(&self) -> bool {
        !self.path.parts().iter().any(|part| part == "registration_tokens")
    }

    /// Method and path in one line, with the parameters.
    pub(super) fn line(&self) -> String {
        let method = self.method.map_or("GET", Method::as_str);
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{method} /{}{mark}{}", self.path.parts().join("/"), query.join("&"))
    }
}

/// The secrets among the parameters of an endpoint, whether or not it can be read otherwise. They
/// go with no request: the token is in its header.
pub(super) fn secrets_in(endpoint: &str) -> Vec<body::Typed> {
    let query = endpoint.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let secret = |(name, value): (&str, &str)| {
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let slot = body::secret(&name, true)?;
        (!value.is_empty()).then(|| (slot, value.into()))
    };
    pairs.filter_map(secret).collect()
}

/// The operation of the Admin API that this is, if it is known.
fn admin(
    method: Option<Method>,
    parts: &[String],
) -> Result<Option<(&'static Operation, Values)>, Line> {
    if let Some(found) = exactly(method, parts) {
        return Ok(Some(found));
    }
    let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    if lower != parts
        && nearest(OPERATIONS.iter(), &lower).is_some_and(|found| strays(&found, parts))
    {
        return Err("write the words of a path in lower case".into());
    }
    Ok(None)
}

/// Whether it is the words of the path, and not what stands between them, that differ.
fn strays((operation, _): &(&'static Operation, Values), parts: &[String]) -> bool {
    let words = operation.path.split('/').zip(parts);
    words.filter(|(word, _)| !word.starts_with('{')).any(|(word, part)| word != part)
}

/// What of the API of clients this is; the fault where it is none of what may be asked.
fn of_clients(
    method: Option<Method>,
    parts: &[String],
    query: &[(String, String)],
) -> Result<(&'static Operation, Values), Line> {
    // Behind `versions` there is no version.
    let behind = if parts.len() > 1 { parts.get(1..).unwrap_or_default() } else { parts };
    // With these somebody acts as somebody else.
    if query.iter().any(|(name, _)| name.contains("user_id") || name.contains("device_id")) {
        return Err("in the client API I do not act for other accounts".into());
    }
    let list = if method.is_some() { client::CHANGES } else { client::LOOKS };
    nearest(list.iter(), behind).ok_or_else(|| {
        let what = if method.is_some() { "change" } else { "ask" };
        Line::new()
            .plain(format!(
                "in the client API I act as the account of my admin token, and requests about its \
                sessions, devices, keys and data are refused; what I {what} there: "
            ))
            .code(list.iter().map(|one| one.path).collect::<Vec<_>>().join(", "))
    })
}

/// Finds in a body what this operation needs there; its subject, where that is what it needs.
fn needs(operation: &Operation, body: &Value) -> Result<Option<OwnedUserId>, Line> {
    match operation.names {
        Names::Subject(key) => return user_in(body, key).map(Some),
        Names::Others(key) => named_in(body, key)?,
        Names::Actor(key) if body.get(key).is_some_and(|named| !named.is_null()) => {
            user_in(body, key)?;
        }
        Names::Actor(_) | Names::Nothing => {}
    }
    Ok(None)
}

/// Whom or what a known operation is about.
fn about(operation: &Operation, values: &Values, body: &Value) -> Result<About, Line> {
    let value = |names: &[&str]| {
        values.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| value.as_str())
    };
    // All that stands in the path is what it is said to be, whatever of it the subject is.
    let user_here = value(&["user_id", "target_user_id"]).map(user).transpose()?;
    let by_id = value(&["room_id"]).map(room_by_id).transpose()?;
    let named = value(&["room_identifier", "room_alias"]).map(room).transpose()?;
    let room_here = by_id.or(named);
    // An alias that is made leads nowhere yet.
    let led_to = value(&["room_alias"]).and_then(|_| body.get("room_id")?.as_str());
    let room_here = led_to.map(room).transpose()?.or(room_here);
    if let Some(user) = needs(operation, body)? {
        return Ok(About::Is(Subject::User(user)));
    }
    if let Some(user) = user_here {
        let device = value(&["device_id"]).map(Into::into);
        return Ok(About::Is(match device {
            Some(device) => Subject::Device(user, device),
            None => Subject::User(user),
        }));
    }
    if let Some(room) = room_here {
        return Ok(About::Room(room));
    }
    if let Some(id) = value(&["media_id"]) {
        return Ok(match value(&["server_name"]) {
            Some(name) => About::Is(Subject::Media(server(name)?, id.to_owned())),
            None => About::File(id.to_owned()),
        });
    }
    if let Some(name) = value(&["destination"]) {
        return Ok(About::Is(Subject::Destination(server(name)?)));
    }
    if let Some(token) = value(&["token"]) {
        return Ok(About::Is(Subject::Token(token.to_owned())));
    }
    if let Some(id) = value(&["report_id"]) {
        let number = id.parse().map_err(|_| wrong(id, "the number of a report"))?;
        let of_users = operation.path.contains("user_reports");
        let report = if of_users { Subject::UserReport } else { Subject::EventReport };
        return Ok(About::Is(report(number)));
    }
    Ok(About::Homeserver)
}

/// What is known of whom a request is about that nobody knows: an account before a room, and what
/// stands in the path before what stands elsewhere, since `others` has it first.
fn of_unknown(parts: &[String], others: &[Subject]) -> About {
    let in_path = ids(parts.iter().map(String::as_str));
    let user = |all: &[Subject]| all.iter().find(|one| matches!(one, Subject::User(_))).cloned();
    let alias = || parts.iter().find_map(|part| part.starts_with('#').then(|| room(part).ok())?);
    let found = user(&in_path).or_else(|| in_path.first().cloned());
    match (found, alias()) {
        (Some(subject), _) => About::Is(subject),
        (None, Some(room)) => About::Room(room),
        (None, None) => {
            let found = user(others).or_else(|| others.first().cloned());
            found.map_or(About::Homeserver, About::Is)
        }
    }
}

/// The ids of accounts and rooms among these texts.
fn ids<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Subject> {
    let mut found: Vec<Subject> = Vec::new();
    for text in texts {
        let user = UserId::parse(text).ok().map(Subject::User);
        let Some(subject) = user.or_else(|| RoomId::parse(text).ok().map(Subject::Room)) else {
            continue;
        };
        if !found.contains(&subject) {
            found.push(subject);
        }
    }
    found
}

/// Every text that is a value in this.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

fn wrong(text: &str, what: &str) -> Line {
    Line::new().hostile(&Hostile::new(text)).plain(format!(" is not {what}"))
}

fn user(text: &str) -> Result<OwnedUserId, Line> {
    UserId::parse(text).map_err(|_| wrong(text, "the full id of a user, @ann:example.org"))
}

fn room(text: &str) -> Result<RoomRef, Line> {
    text.parse().map_err(|_| wrong(text, "the id of a room, !abc:example.org"))
}

/// The homeserver takes no alias where an id is wanted.
fn room_by_id(text: &str) -> Result<RoomRef, Line> {
    room(text)?;
    RoomId::parse(text)
        .map(RoomRef::Id)
        .map_err(|_| wrong(text, "the id of a room, which begins with !"))
}

fn server(text: &str) -> Result<OwnedServerName, Line> {
    OwnedServerName::try_from(text).map_err(|_| wrong(text, "the name of a server"))
}

/// The account that a body names, without which nobody knows what is asked.
fn user_in(body: &Value, key: &str) -> Result<OwnedUserId, Line> {
    let named = body.get(key).and_then(Value::as_str);
    let missing = || Line::new().plain("the data must name the account: add ").code(key);
    user(named.ok_or_else(missing)?)
}

/// The same for an account, or for several rooms, besides.
fn named_in(body: &Value, key: &str) -> Result<(), Line> {
    let missing = || Line::new().plain("the data must name each room: ").code(key);
    match body.get(key) {
        Some(Value::Array(all)) if !all.is_empty() => all.iter().try_for_each(|one| {
            let id = one.as_str().ok_or_else(missing)?;
            RoomId::parse(id).map(|_| ()).map_err(|_| wrong(id, "the id of a room"))
        }),
        Some(Value::String(id)) => user(id).map(|_| ()),
        _ => Err(missing()),
    }
}

#[cfg(test)]
mod tests;
