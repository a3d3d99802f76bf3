//! What every change takes besides its own arguments.
//!
//! They are added where a verb becomes a command, so no verb has a line about them, and they are
//! read where its arguments are read.

use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::Timestamp;

use super::{
    Later,
    arguments::{Lasting, Moment, valued},
};
use crate::reply::{Format, Layout, Line};

const HEADING: &str = "Options of every change";

const ENDS: [&str; 2] = [
    "Undo it automatically after this time, such as 3d or 2h30min",
    "Undo it automatically at this time: 2026-12-01, or 2026-12-01T10:00Z",
];

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// What was typed besides a change's own arguments.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether the requests are to be shown and not sent.
    pub plan: bool,
    /// Why the change is made, in the asker's words.
    pub reason: Option<String>,
    /// When it is to be taken back by itself.
    pub ends: Option<Ends>,
    /// Why it is made without the others that it needs, in the asker's words.
    pub alone: Option<String>,
    /// Whether those that it is about were not typed, but stand in what it replies to.
    pub referenced: bool,
    /// That what it replies to has more than it is about, where it has.
    pub beyond: Option<Line>,
    /// Whether a dot stood for what it is about.
    pub by_dot: bool,
    /// How what was found is to be written, where it was typed.
    pub output: Option<Format>,
    /// In which layout what was found is to be drawn, where it was typed.
    pub layout: Option<Layout>,
    /// The verb by its own name, with the words below it: `sanction extend`.
    pub verb: String,
    /// Those of the verb's own options that were typed and not every homeserver knows.
    pub later: Vec<Later>,
}

/// When something is to end by itself.
#[derive(Debug, Clone)]
pub enum Ends {
    /// So long after it has begun.
    After(Lasting),
    /// At this moment.
    At(Moment),
}

impl Ends {
    /// The moment of the end of what begins at `begin`; `None` where that is before it, or beyond
    /// all time.
    pub fn of(&self, begin: Timestamp) -> Option<Timestamp> {
        match self {
            Self::After(lasting) => lasting.after(begin),
            Self::At(Moment(at)) => Some(*at).filter(|at| *at > begin),
        }
    }

    /// Adds `--for` and `--until`, of which one can be given.
    pub(crate) fn add(command: Command, what: [&'static str; 2]) -> Command {
        let [lasts, until] = what;
        command
            .arg(
                Arg::new("for")
                    .long("for")
                    .value_name("TIME")
                    .value_parser(|text: &str| text.parse::<Lasting>())
                    .conflicts_with("until")
                    .help(lasts),
            )
            .arg(
                Arg::new("until")
                    .long("until")
                    .value_name("DATE")
                    .value_parser(|text: &str| text.parse::<Moment>())
                    .help(until),
            )
    }

    pub(crate) fn read(matches: &ArgMatches) -> Option<Self> {
        let lasting = one::<Lasting>(matches, "for").map(Self::After);
        lasting.or_else(|| one::<Moment>(matches, "until").map(Self::At))
    }
}

impl Options {
    /// Adds the options to a command that changes something. A verb that has a `--reason` of its
    /// own, since the homeserver takes one, keeps that: it is the same reason.
    ///
    /// Where it `can_end`, its undo can be given a due time.
    pub(crate) fn add(command: Command, can_end: bool) -> Command {
        let command = if can_end { Ends::add(command, ENDS) } else { command };
        let has_reason = command.get_arguments().any(|argument| argument.get_id() == "reason");
        let mut options =
            vec![Arg::new("plan").long("plan").action(ArgAction::SetTrue).help(
                "Show the requests that would be sent and what they depend on; send nothing",
            )];
        if !has_reason {
            options.push(why());
        }
        options.push(
            Arg::new("alone")
                .long("alone")
                .value_name("TEXT")
                .value_parser(reason)
                .help("Why you make it without a second person, where it needs one"),
        );
        // Global, so that verbs with words of their own after them take them in any place.
        command.args(options.into_iter().map(|option| option.help_heading(HEADING).global(true)))
    }

    /// Adds only the reason, to what the config may want one of although it is no change on the
    /// homeserver.
    pub(crate) fn add_reason(command: Command) -> Command {
        command.arg(why().global(true))
    }

    /// Adds the options to a command that looks.
    pub(crate) fn add_to_look(command: Command) -> Command {
        Self::add_layout(command).arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FORMAT")
                .value_parser(clap::value_parser!(Format))
                .global(true)
                .help("Answer in this format only; a long answer comes as a file"),
        )
    }

    /// Adds only the layout, to what lists something of the bot's own.
    pub(crate) fn add_layout(command: Command) -> Command {
        command.arg(
            Arg::new("layout")
                .long("layout")
                .value_name("LAYOUT")
                .value_parser(|text: &str| text.parse::<Layout>())
                .global(true)
                .help("Draw it as cards, list or code; !me layout says what it is otherwise"),
        )
    }

    /// Reads them; those that the command does not have are absent.
    pub(crate) fn read(matches: &ArgMatches) -> Self {
        Self {
            plan: one::<bool>(matches, "plan").unwrap_or_default(),
            reason: one::<String>(matches, "reason"),
            ends: Ends::read(matches),
            alone: one::<String>(matches, "alone"),
            referenced: false,
            beyond: None,
            by_dot: false,
            output: one::<Format>(matches, "output"),
            layout: one::<Layout>(matches, "layout"),
            verb: String::new(),
            later: Vec::new(),
        }
    }

    /// The same, of the verb with this name; `matches` may hold words of its own below it.
    #[must_use]
    pub(crate) fn of(mut self, name: &[&str], matches: &ArgMatches) -> Self {
        let mut words: Vec<&str> = name.to_vec();
        let mut below = matches.subcommand();
        while let Some((word, matches)) = below {
            words.push(word);
            below = matches.subcommand();
        }
        self.verb = words.join(" ");
        self
    }

    /// Whether nothing of what only a change takes was typed besides.
    pub fn is_empty(&self) -> bool {
        !self.plan && self.reason.is_none() && self.ends.is_none() && self.alone.is_none()
    }

    /// The words that say the same when put behind another command, such as the one that an undo
    /// stands for.
    pub fn words(&self) -> Vec<String> {
        let typed = [("--reason", &self.reason), ("--alone", &self.alone)];
        let typed = typed.into_iter().filter_map(|(name, text)| Some(valued(name, text.as_ref()?)));
        typed.flatten().collect()
    }
}

fn one<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.try_get_one::<T>(id).ok().flatten().cloned()
}

fn why() -> Arg {
    let arg = Arg::new("reason").long("reason").value_name("TEXT");
    arg.value_parser(reason).help("Why, for the record")
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; give a short reason, in quotes".to_owned());
    }
    if text.chars().count() > LONGEST_REASON {
        return Err(format!("it is longer than {LONGEST_REASON} characters; shorten it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &[&str]) -> Result<Options, clap::Error> {
        let command = Options::add(Command::new("!").no_binary_name(true), true);
        command.try_get_matches_from(typed).map(|matches| Options::read(&matches))
    }

    #[test]
    fn what_was_typed_is_read_and_said_again() {
        let options = read(&["--reason", " spam, ticket 7 ", "--plan"]).unwrap();
        assert!(options.plan);
        assert_eq!(options.reason.as_deref(), Some("spam, ticket 7"));
        assert_eq!(options.words(), ["--reason", "spam, ticket 7"]);
        assert!(read(&[]).unwrap().words().is_empty());
        let hyphen = read(&["--reason=-x", "--alone=--y"]).unwrap().words();
        let hyphen: Vec<&str> = hyphen.iter().map(String::as_str).collect();
        assert_eq!(read(&hyphen).unwrap().reason.as_deref(), Some("-x"));
        assert_eq!(read(&hyphen).unwrap().alone.as_deref(), Some("--y"));
        let long = "x".repeat(LONGEST_REASON + 1);
        assert!(read(&["--reason", " "]).is_err() && read(&["--reason", &long]).is_err());
    }

    #[test]
    fn a_layout_is_read_once_for_all_looks() {
        let look = Options::add_to_look(Command::new("!").no_binary_name(true));
        let read = |word: &str| look.clone().try_get_matches_from(["--layout", word]);
        for layout in Layout::ALL {
            let matches = read(layout.as_str()).unwrap();
            assert_eq!(Options::read(&matches).layout, Some(layout));
        }
        let why = read("table").unwrap_err().to_string();
        assert!(why.contains("phones cannot show tables"), "{why}");
    }

    #[test]
    fn a_verb_keeps_a_reason_of_its_own() {
        let own = Command::new("!").no_binary_name(true).arg(Arg::new("reason").long("reason"));
        let matches = Options::add(own, false).try_get_matches_from(["--reason", "spam"]).unwrap();
        assert_eq!(Options::read(&matches).reason.as_deref(), Some("spam"));
    }
}
