//! What passes between the pipeline and somebody at a shell of the machine.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use crate::{pipeline::Exit, reply::Reply};

/// What an answer is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The answer to the command.
    Answer,
    /// Data for a program, and what else there is to say of them beside.
    Data,
    /// A word in between, or a question.
    Aside,
}

/// What came of asking for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// This was typed.
    Line(String),
    /// Nothing more will be typed: the terminal is gone, or the bot is being stopped.
    Nothing,
    /// Nothing was typed in time.
    Late,
}

/// Whoever has given the command is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the terminal is gone")]
pub struct Left;

/// Where a command was typed, and its answer is read.
pub trait Console: fmt::Debug + Send + Sync {
    /// Whether somebody is there who can be asked.
    fn can_ask(&self) -> bool;

    /// Whether it is still there, as far as can be told.
    fn is_open(&self) -> bool;

    /// Shows an answer, with its file.
    fn show<'a>(&'a self, reply: &'a Reply, shown: Shown) -> BoxFuture<'a, Result<(), Left>>;

    /// Asks for one line.
    fn ask(&self, within: Duration) -> BoxFuture<'_, Typed>;

    /// Shows a secret.
    fn secret<'a>(&'a self, secret: &'a SecretString) -> BoxFuture<'a, Result<(), Left>>;

    /// Says how it ended, which is the last that is said.
    fn end(&self, exit: Exit) -> BoxFuture<'_, ()>;
}
