//! The help of one command: what it does, how it is typed, what it takes, examples, what it costs.

use clap::{Arg, Command};

use crate::{
    change::{Class, Power},
    commands::{Ask, GROUPS, Spec},
    input::{Heard, hear},
    operators::{Rank, Role},
    pipeline::{
        inbound::understand::{Understood, is_first_word, is_for, understand},
        own::OWN,
    },
    reply::{Block, Line, Reply, Span},
};

/// The help of the command with this name, `way` being the tree down to it.
pub(super) fn of(path: &[&str], way: &[&Command], role: Option<&Role>) -> Reply {
    let Some((command, above)) = way.split_last() else { return Reply::default() };
    let spec = spec(path);
    let name = path.join(" ");
    let listed = if spec.is_some() { name.as_str() } else { path.first().copied().unwrap_or("") };
    let arguments = arguments(command, above);
    let mut reply = Reply::data(Line::new().command(format!("!{name}")));
    for paragraph in paragraphs(command) {
        reply = reply.text(paragraph);
    }
    reply = reply.text(Line::new().plain("Type: ").command(typed(&name, command, &arguments)));
    let words = below(&name, command);
    if !words.is_empty() {
        reply = reply.with(Block::List("What can follow".into(), words));
    }
    let (common, own): (Vec<&Arg>, _) =
        arguments.into_iter().partition(|argument| argument.get_help_heading().is_some());
    for (heading, these) in [("What it takes", own), ("What every change takes", common)] {
        let points: Vec<Line> = these.into_iter().map(argument).collect();
        if !points.is_empty() {
            reply = reply.with(Block::List(heading.into(), points));
        }
    }
    let examples = examples(path);
    if !examples.is_empty() {
        let commands = examples.iter().map(|example| (Line::new(), words_of(example)));
        reply = reply.text("For example").with(Block::Commands(commands.collect()));
    }
    reply = with_costs(reply, &examples);
    if let Some(needs) = spec.map(|spec| spec.needs.told()).filter(|needs| !needs.is_empty()) {
        reply = reply.with(Block::List("What it takes of the homeserver".into(), needs));
    }
    if is_for(role, listed) { reply } else { reply.note("Your role does not let you send this") }
}

/// The verb of the catalogue with this name.
fn spec(path: &[&str]) -> Option<&'static Spec> {
    let group = GROUPS.iter().find(|group| path.first() == Some(&group.name))?;
    match (group.alone(), path.get(1)) {
        (Some(verb), _) => Some(verb),
        (None, Some(name)) => group.verbs.iter().find(|verb| verb.name == *name),
        (None, None) => None,
    }
}

/// The examples of a command, without the `!`: those that begin with its name.
pub(in super::super) fn examples(path: &[&str]) -> Vec<&'static str> {
    let own = || OWN.iter().find(|own| path.first() == Some(&own.name)).map(|own| own.examples);
    let all = spec(path).map(|spec| spec.examples).or_else(own).unwrap_or_default();
    let begins = |example: &str| {
        let mut words = example.split(' ');
        path.iter().all(|word| words.next() == Some(*word))
    };
    all.iter().copied().filter(|example| begins(example)).collect()
}

/// The words of an example.
pub(in super::super) fn words_of(example: &str) -> Vec<String> {
    match hear(&format!("!{example}"), None, &is_first_word) {
        Heard::Command(command) => command.words,
        Heard::Nothing(_) | Heard::Misread(_) | Heard::Yes | Heard::No => Vec::new(),
    }
}

/// What it takes, those of the commands above it that it takes too among them.
fn arguments<'a>(command: &'a Command, above: &[&'a Command]) -> Vec<&'a Arg> {
    let global = above.iter().flat_map(|command| command.get_arguments());
    let global = global.filter(|argument| argument.is_global_set());
    let all = command.get_arguments().chain(global);
    all.filter(|argument| !argument.is_hide_set()).collect()
}

/// What it does, a paragraph each, ended by full stops.
fn paragraphs(command: &Command) -> Vec<Line> {
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let paragraphs = about.split("\n\n").map(|paragraph| {
        let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let stop = if text.ends_with(['.', ':', '?', '!']) { "" } else { "." };
        marked(&(text + stop))
    });
    paragraphs.collect()
}

/// Text in which what stands between backticks is code, and commands stand beside it.
fn marked(text: &str) -> Line {
    let parts = Line::new().marked(text).0.into_iter();
    parts.fold(Line::new(), |line, part| match part {
        Span::Plain(text) => line.naming(&text, &is_first_word),
        other => line.line(Line(vec![other])),
    })
}

/// How it is typed, in one line.
fn typed(name: &str, command: &Command, arguments: &[&Arg]) -> String {
    let mut line = format!("!{name}");
    if command.is_subcommand_required_set() {
        line.push_str(" …");
    }
    for argument in arguments {
        let required = argument.is_required_set();
        if argument.is_positional() || required {
            let name = called(argument);
            let called = if required { name } else { format!("[{name}]") };
            line.push(' ');
            line.push_str(&called);
        }
    }
    line
}

/// How one of what it takes is typed: `USER …`, `-l, --limit NUMBER`.
fn called(argument: &Arg) -> String {
    let flags = [
        argument.get_short().map(|short| format!("-{short}")),
        argument.get_long().map(|long| format!("--{long}")),
    ];
    let flags = flags.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !argument.get_action().takes_values() {
        return flags;
    }
    let names = argument.get_value_names().unwrap_or_default();
    let several = argument.is_positional()
        && argument.get_num_args().is_some_and(|range| range.max_values() > range.min_values());
    let names: Vec<&str> = names.iter().map(clap::builder::Str::as_str).collect();
    let value = names.join(" ") + if several { " …" } else { "" };
    [flags, value].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One of what it takes: how it is typed, what it means, what holds without it, what can be chosen.
fn argument(argument: &Arg) -> Line {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = Line::new().code(called(argument)).plain(": ").line(marked(&text));
    // A flag has values only to the library.
    if !argument.get_action().takes_values() {
        return line;
    }
    let choices: Vec<String> = argument
        .get_possible_values()
        .into_iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    let line = match choices.as_slice() {
        [] => line,
        choices => line.plain(format!("; one of {}", choices.join(", "))),
    };
    let default = argument.get_default_values();
    if default.is_empty() || argument.is_hide_default_value_set() {
        return line;
    }
    let default: Vec<_> = default.iter().map(|value| value.to_string_lossy()).collect();
    line.plain("; without it ").code(default.join(" "))
}

/// The words that can follow it, each with what it does.
fn below(name: &str, command: &Command) -> Vec<Line> {
    let words = command.get_subcommands().filter(|below| !below.is_hide_set());
    words
        .map(|below| {
            let about = super::in_short(below);
            Line::new().command(format!("!{name} {}", below.get_name())).plain(format!(": {about}"))
        })
        .collect()
}

/// What something costs whoever types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cost {
    Look,
    /// A change of this class; whether a yes takes a phrase, and whether several are asked about
    /// first.
    Change {
        class: Class,
        phrase: bool,
        asks_for_several: bool,
    },
}

impl Cost {
    fn in_words(self) -> &'static str {
        let Self::Change { class, phrase, asks_for_several } = self else {
            return "it runs at once, and changes nothing";
        };
        match (class, phrase) {
            (Class::Reversible, _) if asks_for_several => {
                "it runs at once, and the answer has its undo. I ask first about several"
            }
            (Class::Reversible, _) => "it runs at once, and the answer has its undo",
            (Class::Disruptive, false) => {
                "I ask first, and a yes is enough. It cannot be put back as it was"
            }
            (Class::Disruptive, true) => {
                "I ask first, and the yes takes a code and a phrase. It cannot be put back as it was"
            }
            (Class::Irreversible, false) => {
                "I ask first, and the yes takes a code. It cannot be undone"
            }
            (Class::Irreversible, true) => {
                "I ask first, and the yes takes a code and a phrase. It cannot be undone"
            }
        }
    }

    /// Whether my config may want a second person for it: what is asked about can be.
    fn asks(self) -> bool {
        matches!(self, Self::Change { class: Class::Disruptive | Class::Irreversible, .. })
    }
}

/// What the examples cost, and what right they take; `None` for a command about the bot.
fn costs(examples: &[&'static str]) -> Option<Vec<(&'static str, Cost, Power)>> {
    let all = examples.iter().map(|example| match understand(&words_of(example)) {
        Understood::Command(Ask::Read(query), _) => Some((*example, Cost::Look, query.power())),
        Understood::Command(Ask::Change(action), _) => {
            let (class, phrase) = (action.class(1), action.phrase());
            let asks_for_several = action.class(2) > class;
            Some((*example, Cost::Change { class, phrase, asks_for_several }, action.power()))
        }
        Understood::Own(..) | Understood::Reply(_) => None,
    });
    all.collect()
}

/// Appends what it costs and who may send it, where these depend on nothing but what is typed.
fn with_costs(reply: Reply, examples: &[&'static str]) -> Reply {
    let Some(mut costs) = costs(examples).filter(|costs| !costs.is_empty()) else { return reply };
    let mut seen: Vec<Cost> = Vec::new();
    let ranks: Vec<Rank> = costs.iter().map(|(_, _, power)| Rank::with(*power)).collect();
    costs.retain(|(_, cost, _)| {
        let new = !seen.contains(cost);
        seen.push(*cost);
        new
    });
    let second = if seen.iter().any(|cost| cost.asks()) {
        ". My config may want a second person too"
    } else {
        ""
    };
    let reply = match costs.as_slice() {
        [(_, cost, _)] => {
            let line = Line::new().strong("What it costs").plain(format!(": {}", cost.in_words()));
            reply.text(line.plain(second))
        }
        several => {
            let points = several.iter().map(|(example, cost, _)| {
                let line = Line::new().command(format!("!{example}"));
                let second = if cost.asks() { second } else { "" };
                line.plain(format!(": {}{second}", cost.in_words()))
            });
            reply.with(Block::List("What it costs".into(), points.collect()))
        }
    };
    reply.text(Line::new().strong("Who may").plain(format!(": {}", who(&ranks))))
}

/// Who has these ranks, in words.
fn who(ranks: &[Rank]) -> String {
    let those = |rank: Rank| match rank {
        Rank::Viewer => "every operator",
        Rank::Moderator => "moderators and admins",
        Rank::Admin => "admins",
    };
    match (ranks.iter().min(), ranks.iter().max()) {
        (Some(least), Some(most)) if least < most => {
            format!("{}, and some of it only {}", those(*least), those(*most))
        }
        (Some(rank), _) => those(*rank).to_owned(),
        (None, _) => String::new(),
    }
}
