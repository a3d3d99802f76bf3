//! The help: what can be typed.

use super::{Place, Understood, is_for, listed_as, parse, place, quiet, read, verb};
use crate::{
    commands::{GROUPS, Group, Spec},
    operators::Role,
    pipeline::own::OWN,
    reply::{Block, Line, Reply},
};

/// The help for what the words name: everything, a group, or one command.
pub(in crate::pipeline) fn help(words: &[String], role: Option<&Role>) -> Reply {
    let words: Vec<String> =
        words.iter().filter(|w| !matches!(w.as_str(), "--help" | "-h")).cloned().collect();
    match place(&words) {
        Place::Verb(command) => {
            let reply = help_verb(*command, &words);
            match listed_as(&words) {
                Some(name) if !is_for(role, &name) => {
                    reply.note("Your role does not let you send this")
                }
                _ => reply,
            }
        }
        Place::Group(group) if words.len() < 2 => help_group(group, role),
        _ if words.is_empty() => help_all(role),
        // Whatever it is, it leads nowhere: say so as for a command that does not exist.
        _ => match read(&words, parse(&words), role) {
            Understood::Reply(reply) => reply,
            Understood::Command(..) | Understood::Own(..) => help_all(role),
        },
    }
}

/// The verbs of a group that somebody with this role may say.
fn verbs_for<'a>(group: &'a Group, role: Option<&Role>) -> Vec<&'a Spec> {
    group.verbs.iter().filter(|verb| is_for(role, &group.words(verb))).collect()
}

pub(super) fn help_all(role: Option<&Role>) -> Reply {
    let groups = GROUPS.iter().map(|group| (group, verbs_for(group, role)));
    let groups = groups.filter(|(_, verbs)| !verbs.is_empty()).map(|(group, verbs)| {
        let verbs: Vec<&str> = verbs.iter().map(|verb| verb.name).collect();
        let about = match group.alone() {
            Some(_) => format!(" — {}", group.about),
            None => format!(" — {}: {}", group.about, verbs.join(", ")),
        };
        Line::new().code(format!("!{}", group.name)).plain(about)
    });
    let own = OWN.iter().filter(|own| is_for(role, own.name)).map(|own| {
        let about = own.command().get_about().map(ToString::to_string).unwrap_or_default();
        Line::new().code(format!("!{}", own.name)).plain(format!(" — {about}"))
    });
    Reply::data("What I can do")
        .with(Block::List("About the homeserver".into(), groups.collect()))
        .with(Block::List("About what I am asked".into(), own.collect()))
        .note(
            Line::new()
                .plain("More about each: ")
                .code("!help user")
                .plain(", ")
                .code("!help user details"),
        )
}

pub(super) fn help_group(group: &Group, role: Option<&Role>) -> Reply {
    let verbs = verbs_for(group, role);
    let first = verbs.first().map_or("", |verb| verb.name);
    let verbs = verbs.iter().map(|verb| {
        let about = verb.command().get_about().map(ToString::to_string).unwrap_or_default();
        Line::new().code(format!("!{}", group.words(verb))).plain(format!(" — {about}"))
    });
    Reply::data(Line::new().code(format!("!{}", group.name)))
        .with(Block::List(group.about.into(), verbs.collect()))
        .note(Line::new().plain("More about one: ").code(format!("!help {} {}", group.name, first)))
}

fn help_verb(command: clap::Command, words: &[String]) -> Reply {
    let name = command.get_bin_name().unwrap_or_default().to_owned();
    let mut command = quiet(command);
    let text = command.render_long_help().to_string();
    let reply = Reply::data(Line::new().code(name)).with(Block::Code(text.trim_end().to_owned()));
    let verb = GROUPS
        .iter()
        .find(|group| words.first().is_some_and(|word| word == group.name))
        .and_then(|group| verb(group, words.get(1).map(String::as_str)));
    let Some(verb) = verb else { return reply };
    let reply = match verb.needs.told() {
        needs if needs.is_empty() => reply,
        needs => reply.with(Block::List("It takes".into(), needs)),
    };
    let lines =
        verb.examples.iter().map(|example| Line::new().code(format!("!{example}"))).collect();
    reply.with(Block::List("For example".into(), lines))
}
