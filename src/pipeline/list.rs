//! Subjects that are not typed in the line of a command but listed: in the lines or the block below
//! it, or in a listing of the bot's own to which it replies.

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedEventId;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::{Pipeline, understand};
use crate::{
    commands::GROUPS,
    input::Command,
    reply::{Line, Reply, Word},
    store,
};

/// How long a listing can be replied to. Who is in it may be another by then.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// What a listing of the bot's own lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    at: Timestamp,
    ids: Vec<String>,
}

impl Pipeline {
    /// Remembers what a listing lists, for replies to it.
    pub(super) fn remember_listing(&self, event: &OwnedEventId, reply: &Reply) {
        if reply.ids.is_empty() {
            return;
        }
        let listed = Listed { at: self.clock.now(), ids: reply.ids.clone() };
        if let Err(error) = self.listings.put(event.as_str(), &listed) {
            error!(error = &error as &dyn std::error::Error, "a listing cannot be kept");
        }
    }

    /// Puts what a listing lists behind a command that replies to it and names nobody itself. True
    /// where it did: whoever keeps the homeserver can move a reply, so that what it is about must be
    /// asked.
    pub(super) fn takes_listing(
        &self,
        command: &mut Command,
        reply_to: Option<&OwnedEventId>,
    ) -> bool {
        let Some(event) = reply_to else { return false };
        if !command.body.is_empty() || !understand::names_nobody(&command.words) {
            return false;
        }
        let listed = self.listings.get(event.as_str()).inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "listings cannot be read");
        });
        let Ok(Some(listed)) = listed else { return false };
        if self.clock.now().duration_since(listed.at) > REMEMBERED {
            return false;
        }
        append(&mut command.words, listed.ids);
        true
    }

    /// Forgets listings that are too old to be replied to.
    pub(super) fn forget_listings(&self) -> Result<(), store::Error> {
        let now = self.clock.now();
        for (event, listed) in self.listings.all()? {
            if now.duration_since(listed.at) > REMEMBERED {
                self.listings.remove(&event)?;
            }
        }
        Ok(())
    }
}

/// What may stand around an id in a list that was copied from somewhere.
const AROUND: &[char] = &['`', ',', ';', '"', '\'', '“', '”', '<', '>', '(', ')', '•', '*'];

/// The command with those that stand in the lines below it as its last words. An answer instead
/// where a line is no subject: nothing of it runs.
pub(super) fn with_list(mut command: Command) -> Result<Command, Box<Reply>> {
    let group = command.words.first().is_some_and(|word| GROUPS.iter().any(|g| g.name == word));
    if !group || command.body.is_empty() {
        return Ok(command);
    }
    let mut listed = Vec::new();
    for line in command.body.iter().filter(|line| !line.trim().is_empty()) {
        match subject_in(line) {
            Some(subject) => listed.push(subject),
            None => return Err(Box::new(unlisted(line))),
        }
    }
    append(&mut command.words, listed);
    Ok(command)
}

/// Puts what is listed behind the words of a command, so that none of it can be an option.
pub(super) fn append(words: &mut Vec<String>, listed: Vec<String>) {
    if !words.iter().any(|word| word == "--") {
        words.push("--".to_owned());
    }
    words.extend(listed);
}

/// The one subject that a line names: its only id, or its only word.
fn subject_in(line: &str) -> Option<String> {
    let words = line.split_whitespace().map(|word| word.trim_matches(AROUND));
    let mut words = words.filter(|word| !word.is_empty() && *word != "-");
    let is_id = |word: &str| word.starts_with(['@', '!', '#', '$']) || word.starts_with("mxc://");
    let ids: Vec<&str> = words.clone().filter(|word| is_id(word)).collect();
    match ids.as_slice() {
        [id] => Some((*id).to_owned()),
        [] => {
            let word = words.next()?;
            words.next().is_none().then(|| word.to_owned())
        }
        _ => None,
    }
}

fn unlisted(line: &str) -> Reply {
    let short: String = line.chars().take(60).collect();
    Reply::outcome(
        Word::Refused,
        Line::new()
            .plain("below a command stand those whom it is about, one in each line, and ")
            .code(short)
            .plain(" names none, or several. Nothing was done"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str], body: &[&str]) -> Command {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Command { words: owned(words), body: owned(body), changed: false }
    }

    #[test]
    fn lines_below_a_command_are_its_subjects_and_never_options() {
        let typed = command(
            &["user", "suspend", "--reason", "spam"],
            &["@a:x.test", "* `@b:x.test` “Bob”", "- carol,", "", "--unsuspend"],
        );
        let words = with_list(typed).unwrap().words;
        assert_eq!(
            words[2..],
            ["--reason", "spam", "--", "@a:x.test", "@b:x.test", "carol", "--unsuspend"]
        );
        let own = command(&["note", "@a:x.test", "spam"], &["and more of it"]);
        assert_eq!(with_list(own.clone()).unwrap(), own);
    }

    #[test]
    fn a_line_that_names_nobody_or_several_is_told() {
        for line in ["see ticket 7", "@a:x.test @b:x.test", "- *"] {
            let reply = with_list(command(&["user", "suspend"], &["@a:x.test", line])).unwrap_err();
            assert_eq!(reply.word, Some(Word::Refused), "{line}");
        }
    }
}
