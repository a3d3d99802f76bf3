//! A command as an object (MSC4391), turned into the words that somebody would have typed.
//!
//! What stands in the object is data. It becomes words by the parameters of the command, never by way
//! of a line that is split again: a text that looks like an option stays the text that it is, and an
//! id is taken as it is written or not at all. Only what clients are told of is taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
};

use clap::{Command, parser::ValueSource};
use serde_json::{Map, Value};

use super::{
    described::{self, Kind, Parameter},
    help::shortened,
    parse,
};
use crate::{
    commands::arguments::{RoomRef, UserRef, valued},
    refs::bare,
    reply::{Line, Reply, Status},
};

#[cfg(test)]
mod tests;

/// The longest text that is taken for one value, in characters.
const LONGEST: usize = 1_000;

/// The answer to a command that came as an object, with what it was taken for: what stands beside the
/// object may say something else.
pub(in crate::pipeline) fn shown(reply: Reply, words: &[String]) -> Reply {
    let line = Line::from("Your client sent ").command(crate::input::shown(words));
    reply.note(line)
}

/// Why an object is not taken for a command.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct NotTaken {
    why: Line,
    /// The command that it is of, where that is known.
    command: Option<&'static str>,
}

impl NotTaken {
    /// What whoever sent it is told.
    pub(in crate::pipeline) fn told(self) -> Reply {
        let reply = Reply::outcome(Status::NotUnderstood, self.why);
        let about = self.command.into_iter().flat_map(|name| name.split(' '));
        let help = std::iter::once("help").chain(about).map(str::to_owned).collect();
        reply.command("What can be typed", help)
    }
}

/// Every text in an object by the word, its keys among them, behind the name of the command.
pub(in crate::pipeline) fn all_texts(object: &Value) -> Vec<String> {
    let name = object["command"].as_str().unwrap_or_default();
    let mut all: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
    collect(&object["arguments"], &mut all);
    all
}

/// Appends every text in a value, by the word. Reading an event has put a bound to its depth.
fn collect(value: &Value, all: &mut Vec<String>) {
    let mut add = |text: &str| all.extend(text.split_whitespace().map(str::to_owned));
    match value {
        Value::String(text) => add(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, all)),
        Value::Object(fields) => {
            for (key, value) in fields {
                all.push(key.clone());
                collect(value, all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A command with what was given to it.
#[derive(Debug)]
pub(in crate::pipeline) struct Call<'a> {
    command: &'static Command,
    name: &'static str,
    arguments: Option<&'a Map<String, Value>>,
}

impl<'a> Call<'a> {
    /// Reads an object; what it names must be a command that clients are told of.
    pub(in crate::pipeline) fn read(object: &'a Value) -> Result<Self, NotTaken> {
        let malformed = || NotTaken {
            why: "your client sent a command in a form that I do not know; type it instead".into(),
            command: None,
        };
        let fields = object.as_object().ok_or_else(malformed)?;
        if fields.keys().any(|key| !matches!(key.as_str(), "command" | "arguments")) {
            return Err(malformed());
        }
        let typed = fields.get("command").and_then(Value::as_str).ok_or_else(malformed)?;
        let arguments = match fields.get("arguments") {
            None | Some(Value::Null) => None,
            Some(Value::Object(arguments)) => Some(arguments),
            Some(_) => return Err(malformed()),
        };
        let known = super::help::of_a_night().find(|name| *name == typed);
        let found = known.and_then(|name| Some((name, described::named(name)?)));
        let (name, command) = found.ok_or_else(|| NotTaken {
            why: Line::from("your client sent the command ")
                .code(shortened(typed))
                .plain(", which I do not take from a client's menu; type it instead"),
            command: None,
        })?;
        Ok(Self { command, name, arguments })
    }

    /// The words that somebody would have typed.
    pub(in crate::pipeline) fn words(&self) -> Result<Vec<String>, NotTaken> {
        let parameters = described::parameters(self.command);
        let none = Map::new();
        let arguments = self.arguments.unwrap_or(&none);
        let is_known = |key: &str| parameters.iter().any(|parameter| parameter.key == key);
        if let Some(unknown) = arguments.keys().find(|key| !is_known(key)) {
            let line = Line::new().command(format!("!{}", self.name)).plain(" has no parameter ");
            return Err(self.not_taken(line.code(shortened(unknown))));
        }
        let (mut places, mut options, mut given) = (Vec::new(), Vec::new(), Given::new());
        for parameter in &parameters {
            let value = arguments.get(parameter.key).unwrap_or(&Value::Null);
            let words = self.values(parameter, value)?;
            if words.is_empty() {
                continue;
            }
            let values = (parameter.kind != Kind::Flag).then(|| words.clone());
            given.insert(parameter.arg.get_id().as_str(), values);
            match parameter.arg.get_long() {
                None => places.extend(words),
                Some(long) if parameter.kind == Kind::Flag => options.push(format!("--{long}")),
                Some(long) => {
                    let option = format!("--{long}");
                    options.extend(words.iter().flat_map(|word| valued(&option, word)));
                }
            }
        }
        let words = spoken(self.name, places, options);
        if holds_just(&words, &given) { Ok(words) } else { Err(self.unclear()) }
    }

    /// The words of one parameter; none where nothing is given.
    fn values(&self, parameter: &Parameter, value: &Value) -> Result<Vec<String>, NotTaken> {
        let one =
            |value: &Value| parameter.word(value).map_err(|wanted| self.wrong(parameter, &wanted));
        let is_absent = match value {
            Value::Null => true,
            Value::Bool(false) => parameter.kind == Kind::Flag,
            // Clients fill in what was not typed.
            Value::String(text) => text.is_empty() && !parameter.arg.is_required_set(),
            _ => false,
        };
        match value {
            _ if is_absent => Ok(Vec::new()),
            Value::Array(values) if parameter.several => values.iter().map(one).collect(),
            _ if parameter.several => Err(self.wrong(parameter, "a list")),
            value => one(value).map(|word| vec![word]),
        }
    }

    fn wrong(&self, parameter: &Parameter, wanted: &str) -> NotTaken {
        let line = Line::new().code(parameter.key).plain(" of ").command(format!("!{}", self.name));
        self.not_taken(line.plain(format!(" must be {wanted}")))
    }

    fn not_taken(&self, why: Line) -> NotTaken {
        NotTaken { why, command: Some(self.name) }
    }

    /// What would be read as something else than was given.
    fn unclear(&self) -> NotTaken {
        let line = Line::from("I cannot be sure what your client means with ");
        self.not_taken(line.command(format!("!{}", self.name)).plain("; type it instead"))
    }
}

impl Parameter {
    /// The word that a value is; what it must be, where it is something else.
    fn word(&self, value: &Value) -> Result<String, String> {
        let value = unwrapped(value);
        match (&self.kind, value) {
            (Kind::User, Value::String(id)) => exact_user(id),
            (Kind::User, _) => Err(A_USER.to_owned()),
            (Kind::Room, value) => exact_room(room_id(value).ok_or(A_ROOM)?),
            (Kind::Number, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                Ok(number.to_string())
            }
            (Kind::Number, _) => Err("a whole number".to_owned()),
            (Kind::Flag, Value::Bool(true)) => Ok(String::new()),
            (Kind::Flag, _) => Err("true or false".to_owned()),
            (Kind::Choice(choices), Value::String(text)) if choices.contains(text) => {
                Ok(text.clone())
            }
            (Kind::Choice(choices), _) => Err(format!("one of {}", choices.join(", "))),
            (Kind::Text, Value::String(text)) => self.text(text),
            (Kind::Text, _) => Err("text".to_owned()),
        }
    }

    fn text(&self, text: &str) -> Result<String, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("at most {LONGEST} characters long"));
        }
        if text.chars().any(char::is_control) {
            return Err("text in one line, without control characters".to_owned());
        }
        // What has a place is an id, of which typing would leave out what stands around it.
        if self.arg.is_positional() && bare(text) != text {
            return Err("an id, with nothing around it".to_owned());
        }
        Ok(text.to_owned())
    }
}

const A_USER: &str = "a whole user id, such as @ann:example.org";

const A_ROOM: &str = "a room id, or an alias such as #lobby:example.org";

/// A literal without what says that it is one.
fn unwrapped(value: &Value) -> &Value {
    let Some(fields) = value.as_object() else { return value };
    let is_literal = fields.get("schema_type").is_none_or(|kind| kind == "literal")
        && fields
            .keys()
            .all(|key| matches!(key.as_str(), "schema_type" | "literal_type" | "value"));
    fields.get("value").filter(|_| is_literal).unwrap_or(value)
}

/// The id or alias of a room, as text or in an object of its own.
fn room_id(value: &Value) -> Option<&str> {
    let fields = match value {
        Value::String(id) => return Some(id),
        Value::Object(fields) => fields,
        _ => return None,
    };
    // Which servers know the room is of no use to whoever asks this one.
    let is_via = |via: &Value| {
        via.is_null() || via.as_array().is_some_and(|via| via.iter().all(Value::is_string))
    };
    let known = fields.iter().all(|(key, value)| match key.as_str() {
        "type" => value == "room_id",
        "id" => value.as_str().is_some_and(|id| id.starts_with('!')),
        "via" => is_via(value),
        _ => false,
    });
    if !known || !fields.contains_key("type") {
        return None;
    }
    fields.get("id")?.as_str()
}

/// A user id, where it is read as just that.
fn exact_user(text: &str) -> Result<String, String> {
    match text.parse::<UserRef>() {
        Ok(UserRef::Id(id)) if id == text => Ok(text.to_owned()),
        _ => Err(A_USER.to_owned()),
    }
}

/// A room id or alias, where it is read as just that.
fn exact_room(text: &str) -> Result<String, String> {
    match text.parse::<RoomRef>() {
        Ok(RoomRef::Id(id)) if id == text => Ok(text.to_owned()),
        Ok(RoomRef::Alias(alias)) if alias == text => Ok(text.to_owned()),
        _ => Err(A_ROOM.to_owned()),
    }
}

/// The words of a command: as they are typed, unless what has a place would be read as an option.
fn spoken(name: &str, places: Vec<String>, options: Vec<String>) -> Vec<String> {
    let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
    if places.iter().any(|place| place.starts_with('-')) {
        words.extend(options);
        words.push("--".to_owned());
        words.extend(places);
    } else {
        words.extend(places);
        words.extend(options);
    }
    words
}

/// Whether nothing is read in these words but what was given, by the names of the arguments; a flag has no
/// value. What is no command is told as that.
fn holds_just(words: &[String], given: &Given<'_>) -> bool {
    let Ok(matches) = parse(words) else { return true };
    let mut matches = &matches;
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    let (_, way) = super::help::way_to(words);
    let arguments = way.last().into_iter().flat_map(|command| command.get_arguments());
    let typed = arguments.map(|arg| arg.get_id().as_str()).filter(|id| {
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    let typed: BTreeSet<&str> = typed.collect();
    typed.iter().eq(given.keys())
        && given.iter().all(|(id, values)| {
            let Some(values) = values else { return true };
            let read = matches.try_get_raw(id).ok().flatten();
            read.is_some_and(|read| read.eq(values.iter().map(OsStr::new)))
        })
}

/// What was given, by the names of the arguments: the words of each, and none for a flag.
type Given<'a> = BTreeMap<&'a str, Option<Vec<String>>>;
