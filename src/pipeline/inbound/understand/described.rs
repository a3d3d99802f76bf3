//! What clients are told of the commands that a night takes most often, so that they can complete them
//! and send them as objects (MSC4391). All of it follows from the catalogue.

use std::any::TypeId;

use clap::{Arg, ArgAction, Command};
use serde_json::{Map, Value, json};

use super::help;
use crate::commands::arguments::{RoomRef, UserRef};

#[cfg(test)]
mod tests;

/// One command as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name, as it is typed behind the `!`.
    pub command: String,
    /// The content of the state event that describes it.
    pub content: Value,
}

/// The commands that are described: those that help shows first.
pub fn descriptions() -> Vec<Described> {
    help::of_a_night()
        .filter_map(|name| {
            let command = named(name)?;
            Some(Described { command: name.to_owned(), content: content(name, command) })
        })
        .collect()
}

/// The described command of this name, written just so.
pub(super) fn named(name: &str) -> Option<&'static Command> {
    let name = help::of_a_night().find(|known| *known == name)?;
    let words: Vec<String> = name.split(' ').map(str::to_owned).collect();
    let (path, way) = help::way_to(&words);
    way.last().copied().filter(|_| path.len() == words.len())
}

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The whole id of an account.
    User,
    /// The id of a room, or a whole alias.
    Room,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// One of these.
    Choice(Vec<String>),
    /// Any text.
    Text,
}

impl Kind {
    fn of(arg: &Arg) -> Self {
        if !arg.get_action().takes_values() {
            return Self::Flag;
        }
        let parsed = arg.get_value_parser().type_id();
        let numbers = [
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i64>(),
        ];
        let choices = arg.get_possible_values();
        if parsed == TypeId::of::<UserRef>() {
            Self::User
        } else if parsed == TypeId::of::<RoomRef>() {
            Self::Room
        } else if numbers.into_iter().any(|number| parsed == number) {
            Self::Number
        } else if choices.is_empty() {
            Self::Text
        } else {
            Self::Choice(choices.iter().map(|choice| choice.get_name().to_owned()).collect())
        }
    }

    fn schema(&self) -> Value {
        let primitive = |kind: &str| json!({ "schema_type": "primitive", "type": kind });
        let union = |variants: Vec<Value>| json!({ "schema_type": "union", "variants": variants });
        match self {
            Self::User => primitive("user_id"),
            Self::Room => union(vec![primitive("room_id"), primitive("room_alias")]),
            Self::Number => primitive("integer"),
            Self::Flag => primitive("boolean"),
            Self::Text => primitive("string"),
            Self::Choice(choices) => {
                let literal = |value: &String| json!({ "schema_type": "literal", "literal_type": "string", "value": value });
                union(choices.iter().map(literal).collect())
            }
        }
    }
}

/// One of what a command takes, as clients know it.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Its key: what is typed behind `--`, or the name of its place.
    pub(super) key: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// Whether it takes any number of these.
    pub(super) several: bool,
    /// The argument that it is.
    pub(super) arg: &'static Arg,
}

impl Parameter {
    fn of(arg: &'static Arg) -> Self {
        let named = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        let several = named || matches!(arg.get_action(), ArgAction::Append);
        let key = arg.get_long().unwrap_or_else(|| arg.get_id().as_str());
        Self { key, kind: Kind::of(arg), several, arg }
    }

    fn content(&self) -> Value {
        let schema = self.kind.schema();
        let schema =
            if self.several { json!({ "schema_type": "array", "items": schema }) } else { schema };
        let mut content = Map::new();
        content.insert("key".to_owned(), json!(self.key));
        content.insert("schema".to_owned(), schema);
        if !self.arg.is_required_set() {
            content.insert("optional".to_owned(), json!(true));
        }
        if let Some(help) = self.arg.get_help() {
            content.insert("description".to_owned(), text(&help.to_string()));
        }
        Value::Object(content)
    }
}

/// What a command takes: first what has a place, then what has a name.
pub(super) fn parameters(command: &'static Command) -> Vec<Parameter> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let (placed, named): (Vec<_>, Vec<_>) = shown.partition(|arg| arg.is_positional());
    placed.into_iter().chain(named).map(Parameter::of).collect()
}

fn content(name: &str, command: &'static Command) -> Value {
    let parameters = parameters(command);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut content = json!({
        "command": name,
        "description": text(&about),
        "parameters": parameters.iter().map(Parameter::content).collect::<Vec<_>>(),
    });
    // What has a place takes whatever is typed without a name, also where it can be left out: who types
    // `/freeze @moe:example.org` must not freeze everything.
    let last = parameters.iter().rfind(|parameter| parameter.arg.is_positional());
    if let Some(last) = last {
        content["fi.mau.tail_parameter"] = json!(last.key);
    }
    content
}

/// A text as clients show it: they draw no marks of Markdown there.
fn text(text: &str) -> Value {
    let plain: Vec<&str> = text.split_whitespace().collect();
    json!({ "m.text": [{ "body": plain.join(" ").replace('`', "") }] })
}
