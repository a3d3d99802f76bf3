//! What was said, as words: from the text of one message to a command, a yes, a no, or nothing.
//!
//! Everything here is pure and total: any text whatever gives an answer, and nothing is asked or
//! sent. The way of a message:
//!
//! 1. `markup` rebuilds the text from the HTML where that holds pills, because a client may
//!    write a bare display name into the plain text; otherwise the plain text is read.
//! 2. `message` drops quotes, finds the first line and takes the lines below it as the body.
//! 3. `words` splits the line by quotes, and undoes what a phone made of hyphens and quotes.

use std::fmt;

use ruma::UserId;

mod answers;
mod characters;
mod links;
mod markup;
mod message;
mod named;
mod prefix;
#[cfg(test)]
mod tests;
mod words;

pub use named::named_in;
pub use prefix::{Prefix, Unfit};
pub use words::{quote, shown};

/// The longest text that is read, in bytes; the size that a Matrix event may have.
const LONGEST: usize = 64 * 1024;

/// What a message turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Not meant for the bot.
    Nothing(Reason),
    /// A bare yes: `yes`, `y`, `ok`, `okay` or a sign for it, in any case, with a full stop, comma or
    /// exclamation mark.
    Yes,
    /// A bare no: `no` or `n`, written like a yes.
    No,
    /// A command. Its first word need not be one that the bot knows: `!usr details ann` is meant
    /// as a command, and deserves an answer that names the nearest.
    Command(Command),
    /// Meant for the bot, but it cannot be said for certain what is meant. Nothing of it runs.
    Misread(Misread),
}

/// A command as understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The words of the first line, without the `!`; there is at least one. The first is in lower
    /// case: a phone capitalises, and people do. No other word is touched, since user ids may be
    /// case-sensitive.
    pub words: Vec<String>,
    /// The lines below the first, as typed: quotes and the marks of a fenced block are left out,
    /// pills are replaced by their id, and there is no empty line at either end.
    pub body: Vec<String>,
    /// Whether the words differ from what was typed by more than case and quotation marks: a dash
    /// became `--`, a pill became an id. Then it is worth showing how it was understood.
    pub changed: bool,
}

/// Why a message is not for the bot; for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is empty.
    Empty,
    /// It is people talking, `!!!` and `! wow` included.
    Talk,
    /// It consists of quotes.
    Quote,
    /// It begins with a room id, which begins with `!` too.
    RoomId,
    /// It may be meant for an answer to a question, and is none: `ja`, `yes please`, a bare code.
    Answer,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Talk => "talk",
            Self::Quote => "quote",
            Self::RoomId => "room id",
            Self::Answer => "almost an answer",
        })
    }
}

/// Why a command cannot be understood, and what to type instead. Parts of the message appear in
/// the text as typed, so it must be escaped like any other hostile text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// Longer than an event can be.
    #[error("that message is longer than 64 KiB, so I did not read it; send a shorter one")]
    TooLong,
    /// The HTML has more elements than any client makes of a command.
    #[error(
        "that message has too much formatting to be read safely; send it again as plain text, with \
        the ids typed out"
    )]
    TooMuchMarkup,
    /// Two lines are commands.
    #[error(
        "there are two commands in that message, so neither was run; send each in its own message"
    )]
    TwoCommands,
    /// There is text above the command.
    #[error(
        "there is other text above the command, so it was not run; put the command in the first \
        line of the message"
    )]
    NotFirst,
    /// There is a quote right above, and by the rules of Markdown it swallows the line below it.
    #[error(
        "that line is directly below a quote and could be part of it, so it was ignored; send it \
        again with an empty line between, or alone"
    )]
    UnderQuote,
    /// A quotation that does not end.
    #[error(
        "the quotation mark {mark} before {text} is not closed on its line; close it there with \
        the same mark, or put the other kind of marks around everything"
    )]
    Unclosed {
        /// The mark that opens.
        mark: char,
        /// How the text behind it begins.
        text: String,
    },
    /// An odd double quotation mark within a word.
    #[error(
        "the quotation mark inside {word} closes nothing; put marks around the whole part, such as \
        \"Ann Lee\", or single marks around a word that contains a double one"
    )]
    Stray {
        /// The word.
        word: String,
    },
    /// Text right behind a closing mark.
    #[error(
        "there is no space between a closing quotation mark and {text}; add one, or put the other \
        kind of marks around everything"
    )]
    Glued {
        /// How the text behind the mark begins.
        text: String,
    },
    /// A quote of a command, or one in quotation marks, and nothing else.
    #[error(
        "I do not run quoted commands; if you mean it, send it without the quote sign or the \
        quotation marks"
    )]
    Quoted,
    /// The command is struck out: whoever did that does not want it.
    #[error("I do not run commands that are struck out; if you mean it, send it without the marks")]
    StruckOut,
    /// Something stands in the place of the exclamation mark, or before it.
    #[error(
        "that looks like a command, but a command begins with an exclamation mark and nothing \
        before it, such as !help; send it again like that"
    )]
    Unsigned {
        /// The command without its sign; absent where lines below it belong to it.
        command: Option<String>,
    },
    /// A bullet before the command, and other lines below it.
    #[error(
        "that command is in a list with other lines, so it was not run; send it in its own message"
    )]
    Bulleted,
    /// Bold, italic or struck out: it cannot be known which characters the client took for that.
    #[error(
        "part of that command is bold, italic or struck out, so characters such as * and _ may be \
         missing; send it again with that part between backticks"
    )]
    Styled,
    /// A link that says one user or room and leads to another.
    #[error(
        "a link there reads {label} but leads to {id}{}; type the id that you mean",
        if *twins { ", which differs in capital letters only" } else { "" }
    )]
    Disagrees {
        /// What it says.
        label: String,
        /// Where it leads.
        id: String,
        /// Whether the two differ in capital letters only.
        twins: bool,
    },
    /// A link to a user whose id has a character that shows nothing.
    #[error(
        "a link there leads to {shown}, which contains an invisible character; type the id that \
         you mean"
    )]
    Unseen {
        /// The id with that character made visible.
        shown: String,
    },
}

/// Reads one message: its plain text and, where the client sent one, its HTML.
///
/// A command is a message whose first line, quotes left out, begins with `!` and a word of which
/// `is_group` says that it begins commands; it is asked in lower case. A space after the `!` and
/// one pair of backticks or a fence around the whole are allowed. An unknown word of letters right
/// behind the `!` is still a command, so that a slip of the finger gets an answer; that includes
/// the rare `!important`.
pub fn hear(body: &str, formatted: Option<&str>, is_group: &dyn Fn(&str) -> bool) -> Heard {
    hear_as(None, body, formatted, is_group)
}

/// The same by a `bot` that is addressed by name: its id, or a pill of it, may stand before the
/// command.
pub fn hear_as(
    bot: Option<&UserId>,
    body: &str,
    formatted: Option<&str>,
    is_group: &dyn Fn(&str) -> bool,
) -> Heard {
    hear_in(&Prefix::default(), bot, body, formatted, is_group)
}

/// The same where commands begin with this prefix, as several bots in one room have theirs. What begins
/// with another one is for another bot.
pub fn hear_in(
    prefix: &Prefix,
    bot: Option<&UserId>,
    body: &str,
    formatted: Option<&str>,
    is_group: &dyn Fn(&str) -> bool,
) -> Heard {
    let ears = Ears { prefix, bot, is_group };
    if body.len() > LONGEST || formatted.is_some_and(|html| html.len() > LONGEST) {
        let meant = prefix.strip(body.trim_start()).is_some();
        return if meant { Heard::Misread(Misread::TooLong) } else { Heard::Nothing(Reason::Talk) };
    }
    match formatted.map_or(markup::Rebuilt::NoPills, |html| markup::rebuild(html, body, prefix)) {
        markup::Rebuilt::NoPills => message::read(body, ears),
        markup::Rebuilt::Eaten => doubt(message::read(body, ears), Some(Misread::Styled)),
        markup::Rebuilt::TooMuch => doubt(message::read(body, ears), Some(Misread::TooMuchMarkup)),
        markup::Rebuilt::Text { text, doubt: why } => {
            let mut heard = doubt(message::read(&text, ears), why);
            if let Heard::Command(command) = &mut heard {
                command.changed = true;
            }
            heard
        }
    }
}

/// By what a command is known.
#[derive(Clone, Copy)]
struct Ears<'a> {
    /// What it begins with.
    prefix: &'a Prefix,
    /// Who may be addressed before it.
    bot: Option<&'a UserId>,
    /// Whether a word, in small letters, begins commands.
    is_group: &'a dyn Fn(&str) -> bool,
}

/// What was heard, unless it is a command that there is reason to doubt.
fn doubt(heard: Heard, why: Option<Misread>) -> Heard {
    match (heard, why) {
        (Heard::Command(_), Some(why)) => Heard::Misread(why),
        (heard, _) => heard,
    }
}
