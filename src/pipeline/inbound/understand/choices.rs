//! Answers that offer several commands, one of which may be meant.

use crate::reply::{Block, Line, Reply};

/// The answer with these commands, of which one may be meant; with several of them each has a number.
pub(super) fn offering(reply: Reply, commands: Vec<Vec<String>>) -> Reply {
    if commands.len() < 2 {
        return commands.into_iter().fold(reply, |reply, one| reply.command("Did you mean", one));
    }
    let numbered = commands.iter().enumerate();
    let numbered = numbered.map(|(n, words)| (Line::from((n + 1).to_string()), words.clone()));
    let block = Block::Commands(numbered.collect());
    Reply { choices: commands, ..reply.text("Did you mean one of these?").with(block) }
}
