//! The shell's end of the socket: what `synod exec` does.

use std::{
    env,
    io::{self, IsTerminal, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
};

use rustix::event::{PollFd, PollFlags, poll};

use super::wire::{self, Called, Kind};
use crate::{pipeline::Exit, reply::Screen};

/// When colours are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Speaks to the bot that listens at `socket`.
pub fn connect(socket: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(socket)
}

/// Has whoever listens run a command, shows what it says, and asks what it asks; how it ended.
pub fn talk(mut stream: UnixStream, words: Vec<String>, colour: Colour) -> Exit {
    let called = called(words, colour);
    let call = serde_json::to_vec(&called).map_err(io::Error::from);
    let frame = match call.and_then(|call| wire::frame(Kind::Call, &call)) {
        Ok(frame) => frame,
        Err(error) => {
            say(&format!("synod: cannot send that: {error}"));
            return Exit::Usage;
        }
    };
    if let Err(error) = stream.write_all(&frame) {
        // Nothing is run of what has not come whole.
        say(&format!("synod: the bot is not listening: {error}"));
        return Exit::Failed;
    }
    heard(&mut stream)
}

/// Shows what the bot sends until it says how it ended.
fn heard(stream: &mut UnixStream) -> Exit {
    loop {
        let Ok((kind, holds)) = wire::read(stream) else {
            say(
                "synod: the bot stopped before it reported the result; if this was a change, check \
                the room, or `synod exec -- audit`",
            );
            return Exit::Unknown;
        };
        match kind {
            // Where nobody reads any more, the exit code still says how it ended.
            Kind::Out => {
                let _ = io::stdout().write_all(&holds).and_then(|()| io::stdout().flush());
            }
            Kind::Err => {
                let _ = io::stderr().write_all(&holds);
            }
            Kind::Ask => {
                let frame = match typed(stream) {
                    Typed::Line(line) => wire::frame(Kind::Line, &line),
                    Typed::Nothing => wire::frame(Kind::Nothing, &[]),
                    Typed::TooLate => continue,
                };
                // Where the bot has stopped waiting, it says so in what is read next.
                let _ = frame.and_then(|frame| stream.write_all(&frame));
            }
            Kind::End => {
                let exit = holds.first().and_then(|code| Exit::of_code(*code));
                return exit.unwrap_or(Exit::Unknown);
            }
            Kind::Call | Kind::Line | Kind::Nothing => {}
        }
    }
}

/// What was typed at a terminal.
enum Typed {
    Line(Vec<u8>),
    /// It has ended.
    Nothing,
    /// The bot has said something before anything was typed: it does not wait any more.
    TooLate,
}

/// The longest line that is typed, bytes: a terminal takes none that is longer.
const LONGEST_LINE: usize = 4096;

/// One line from the terminal, which hands over a line at a time.
fn typed(stream: &UnixStream) -> Typed {
    let _ = write!(io::stderr(), "> ").and_then(|()| io::stderr().flush());
    let stdin = io::stdin();
    loop {
        let mut both = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(stream, PollFlags::IN)];
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Typed::Nothing,
            Ok(_) => {}
        }
        let [here, there] = both.map(|one| !one.revents().is_empty());
        if there {
            let _ = writeln!(io::stderr());
            return Typed::TooLate;
        }
        if here {
            let mut line = vec![0; LONGEST_LINE];
            return match rustix::io::read(&stdin, &mut line) {
                Ok(0) | Err(_) => Typed::Nothing,
                Ok(read) => {
                    line.truncate(read);
                    Typed::Line(line)
                }
            };
        }
    }
}

fn called(words: Vec<String>, colour: Colour) -> Called {
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    Called { words, out: screen(&io::stdout(), colour), err: screen(&io::stderr(), colour), asks }
}

fn screen(stream: &(impl AsFd + IsTerminal), colour: Colour) -> Screen {
    let terminal = stream.is_terminal();
    let width = terminal.then(|| {
        let size = rustix::termios::tcgetwinsize(stream).ok();
        size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(80)
    });
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb");
    let colour = match colour {
        Colour::Auto => terminal && !plain,
        Colour::Always => true,
        Colour::Never => false,
    };
    Screen { width, colour }
}

/// Says why there is nobody to speak to; the exit code of that.
pub fn no_bot(socket: &Path, error: &io::Error) -> Exit {
    let socket = socket.display();
    let (exit, why) = match error.kind() {
        io::ErrorKind::PermissionDenied => (
            Exit::Refused,
            format!(
                "you may not use {socket}; `shell.group` in the config sets the group that may"
            ),
        ),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => (
            Exit::Failed,
            format!(
                "no bot listens at {socket}: it is not running, or its config has no `shell` \
                section. With --config, its state is used if it is not running; --socket names \
                another socket"
            ),
        ),
        _ => (Exit::Failed, format!("{socket} cannot be used: {error}")),
    };
    say(&format!("synod: {why}"));
    exit
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
