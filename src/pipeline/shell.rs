//! Commands from a shell of the machine: the same parser, gate, questions and record, with the answer
//! on the terminal and one line in the room for what was changed.
//!
//! Who asks is the operator to whom the config maps the account of the machine, which the kernel tells.
//! That is as much their word as a message in their name, and it is one person's: nothing that is said
//! here counts as a second one's.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use tracing::{Instrument as _, error, info, warn};

use super::{
    Command, Console, Invocation, Left, Origin, Pipeline, Shown, Typed,
    change::{Became, report::stopped},
    inbound::{
        list,
        understand::{self, Understood},
    },
    origin::span,
    own::Help,
    watched::Sort,
};
use crate::{
    audit::Way,
    commands::{Ask, Options},
    confirm::{State, Yes},
    error::Stop,
    input::{self, Heard},
    operators::Operator,
    reply::{Format, Line, Reply, Ring, Status},
};

mod exit;
#[cfg(test)]
mod tests;

pub use exit::Exit;

/// What begins the id that stands for a message where there is none. No homeserver gives such an id in
/// the rooms of today, where they are hashes.
const STANDS_FOR_EVENT: &str = "$shell-";

/// The digits that nobody can foresee in such an id.
const DIGITS: usize = 16;

/// How often it is looked whether somebody else has ended a question that waits at a terminal.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Commands that are for the room only, and why.
const NOT_FROM_HERE: &[(&str, &str)] = &[
    (
        "approve",
        "nobody can approve from a shell: a second person approves in the room, from their own \
         session",
    ),
    (
        "unfreeze",
        "to lift a freeze, two operators send unfreeze in the room, or somebody runs `synod \
        unfreeze` on the machine",
    ),
];

/// What somebody typed in a shell.
#[derive(Debug)]
pub struct Call {
    /// The operator.
    pub user: OwnedUserId,
    /// The account of the machine.
    pub uid: u32,
    /// The words, taken apart by the shell.
    pub words: Vec<String>,
}

/// A command that was typed in a shell.
#[derive(Debug)]
pub struct ShellCommand {
    /// The admin room in which the others are told of it, and asked where it takes them.
    pub(super) room: OwnedRoomId,
    /// What stands for the message that it did not come in.
    pub(super) event: OwnedEventId,
    /// By which way it came.
    pub(super) way: Way,
    pub(super) console: Arc<dyn Console>,
    so_far: Mutex<SoFar>,
}

/// What came of it so far.
#[derive(Debug, Default)]
struct SoFar {
    exit: Option<Exit>,
    /// Whether it stands in the journal.
    begun: bool,
    /// The code of the question that was put at the terminal.
    asked: Option<String>,
    /// What the room is to be told.
    to_tell: Option<Reply>,
}

/// Whether this stands for a message that never was, so that nothing can reply to it.
pub fn stands_for_event(event: &EventId) -> bool {
    event.as_str().starts_with(STANDS_FOR_EVENT)
}

impl ShellCommand {
    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how it ended.
    pub(super) fn ended(&self, exit: Exit) {
        self.so_far().exit = Some(exit);
    }

    /// Notes that this question was put at the terminal.
    pub(super) fn asked(&self, code: &str) {
        self.so_far().asked = Some(code.to_owned());
    }

    /// Notes what the room is to be told.
    pub(super) fn tell(&self, line: Reply) {
        self.so_far().to_tell = Some(line);
    }

    /// Notes what an answer says of how it ended, where nothing else has, and what the room is told of it.
    fn answered(&self, reply: &Reply, said: &Said<'_>, operator: &Operator) {
        let mut so_far = self.so_far();
        so_far.exit = so_far.exit.or(reply.status.map(Exit::of_status));
        if let (None, Said::Command(command)) = (&so_far.to_tell, said) {
            so_far.to_tell = own_to_tell(command, operator, self.way, reply);
        }
    }

    /// Says something in between.
    pub(super) async fn aside(&self, reply: &Reply) {
        if let Err(Left) = self.console.show(reply, Shown::Aside).await {
            info!(event = %self.event, "nobody reads what is said at the terminal");
        }
    }
}

impl Origin<'_> {
    /// Notes what became of the change, where its exit code says it.
    pub(super) fn became(self, became: &Became) {
        if let Some(shell) = self.shell() {
            shell.ended(Exit::of(became));
        }
    }
}

/// What was done with what was typed.
struct Ran {
    command: ShellCommand,
    reply: Option<Reply>,
    data: bool,
}

impl Ran {
    fn asked(&self) -> Option<String> {
        self.command.so_far().asked.take()
    }

    fn exit(&self) -> Exit {
        self.command.so_far().exit.unwrap_or(Exit::Done)
    }
}

impl Pipeline {
    /// Does what somebody typed in a shell, and answers there; then tells the room what was changed.
    pub async fn exec(&self, call: Call, console: Arc<dyn Console>) -> Exit {
        match self.answer_call(call, &console).await {
            Ok(ran) => {
                let exit = ran.last().map_or(Exit::Done, Ran::exit);
                console.end(exit).await;
                for one in &ran {
                    self.tell_of(&one.command).await;
                }
                exit
            }
            Err((exit, reply)) => {
                if let Err(Left) = console.show(&reply, Shown::Answer).await {
                    info!("nobody reads the answer at the terminal");
                }
                console.end(exit).await;
                exit
            }
        }
    }

    /// Everything that was run because of a call; an answer instead where nothing was.
    async fn answer_call(
        &self,
        call: Call,
        console: &Arc<dyn Console>,
    ) -> Result<Vec<Ran>, (Exit, Reply)> {
        let refused = |why: Line| (Exit::Refused, Reply::outcome(Status::Refused, why));
        let Call { user, uid, words } = call;
        let operator = self
            .roster
            .operator(&user)
            .ok_or_else(|| refused(Line::new().code(&user).plain(" is no longer an operator")))?;
        if let Some(reply) = self.freeze_control.person_frozen(&operator.person) {
            warn!(%user, uid, "frozen, and not served");
            return Err((Exit::Refused, reply));
        }
        let room = self.rules.told_in.clone();
        let room = room.ok_or_else(|| {
            let reply = Reply::outcome(Status::Failed, "I am not in any admin room yet");
            (Exit::Failed, reply)
        })?;
        let command = read(&words, operator).map_err(|reply| {
            // Help is no complaint.
            (reply.status.map_or(Exit::Done, |_| Exit::Usage), *reply)
        })?;
        let new = || self.shell_command(room.clone(), uid, console);
        let typed = new().ok_or_else(|| refused("it has no valid name".into()))?;
        let mut all = vec![self.run_typed(typed, operator, Said::Command(Box::new(command))).await];
        while let Some(code) = all.last().and_then(Ran::asked) {
            let Some(ran) = self.answer_question(&new, operator, &code).await else { break };
            all.push(ran);
        }
        Ok(all)
    }

    fn shell_command(
        &self,
        room: OwnedRoomId,
        uid: u32,
        console: &Arc<dyn Console>,
    ) -> Option<ShellCommand> {
        let (at, digits) = (self.clock.now().as_millisecond(), self.clock.digits(DIGITS));
        let event = format!("{STANDS_FOR_EVENT}{at}-{digits}");
        let event = EventId::parse(event).ok()?;
        let (way, console, so_far) = (Way::Shell { uid }, console.clone(), Mutex::default());
        Some(ShellCommand { room, event, way, console, so_far })
    }

    /// Does what was typed, and shows what came of it.
    async fn run_typed(&self, typed: ShellCommand, operator: &Operator, said: Said<'_>) -> Ran {
        let (span, sort) = (span(&typed.event), said.sort());
        let ran = self.run_in_turn(typed, operator, said).instrument(span).await;
        self.metrics.command(&sort.verb, sort.outcome(ran.reply.as_ref()));
        ran
    }

    async fn run_in_turn(&self, typed: ShellCommand, operator: &Operator, said: Said<'_>) -> Ran {
        let looks =
            matches!(&said, Said::Command(command) if matches!(**command, Command::Read(..)));
        let begun = if looks { Ok(()) } else { self.begin_typed(&typed) };
        let done = match begun {
            Ok(()) => self.do_typed(&typed, operator, &said).await,
            Err(stop) => Err(stop),
        };
        let reply = match done {
            Ok(reply) => {
                if let Some(reply) = &reply {
                    typed.answered(reply, &said, operator);
                }
                reply
            }
            Err(stop) => {
                typed.ended(Exit::of_stop(&stop));
                Some(stopped(&typed.event, &stop))
            }
        };
        let ran = Ran { command: typed, reply, data: said.is_data() };
        show(&ran).await;
        ran
    }

    async fn do_typed(
        &self,
        typed: &ShellCommand,
        operator: &Operator,
        said: &Said<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let (origin, options) = (Origin::Shell(typed), &Options::default());
        let answer = Invocation { origin, operator, words: &[], options, undoes: None };
        match said {
            Said::Yes(code) => self.say_yes(&answer, code, &Yes::Light).await,
            Said::No(code) => self.questions.cancel(&answer, code, None).await.map(Some),
            Said::Command(command) => {
                if let Command::Own(_, options, _) = &**command
                    && let Some(why) = not_from_here(&options.verb)
                {
                    return Err(Stop::refused(why));
                }
                self.obey(origin, operator, command).await
            }
        }
    }

    /// Notes that this is begun, so that it is told in the room also after a crash.
    fn begin_typed(&self, typed: &ShellCommand) -> Result<(), Stop> {
        match self.journal.begin(&typed.event, &typed.room, self.clock.now()) {
            Ok(true) => {
                typed.so_far().begun = true;
                Ok(())
            }
            Ok(false) => Err(Stop::ending(Status::NothingChanged, "this was already run")),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the room what was changed, where anything was.
    async fn tell_of(&self, typed: &ShellCommand) {
        let line = typed.so_far().to_tell.take();
        if let Some(line) = line {
            self.voice.answer_surely(Origin::Shell(typed), "shell", &line).await;
        }
        if !typed.so_far().begun {
            return;
        }
        if let Err(error) = self.journal.settle(&typed.event, &typed.room, self.clock.now()) {
            error!(error = &error as &dyn std::error::Error, "the journal cannot be written");
        }
    }

    /// Lets the question with this code be answered at the terminal; what came of that, and nothing
    /// where the question is not open any more.
    async fn answer_question(
        &self,
        new: &impl Fn() -> Option<ShellCommand>,
        operator: &Operator,
        code: &str,
    ) -> Option<Ran> {
        loop {
            let ticket = self.questions.get(code).ok().flatten()?;
            let typed = new()?;
            if ticket.state != State::Open {
                typed.ended(Exit::of_answer_elsewhere(&ticket.state));
                let reply = super::questions::ended(&ticket);
                let ran = Ran { command: typed, reply: Some(reply), data: false };
                show(&ran).await;
                return Some(ran);
            }
            let left = ticket.expires.duration_since(self.clock.now());
            let left = Duration::try_from(left).unwrap_or_default();
            let line = tokio::select! {
                line = typed.console.ask(left) => line,
                () = self.ends_elsewhere(code) => continue,
            };
            let answer = match line {
                Typed::Line(line) => heard(&line, code, operator),
                Typed::Nothing => Ok(Said::No(code)),
                Typed::Late => {
                    self.questions.expire().await;
                    continue;
                }
            };
            let said = match answer {
                Ok(said) => said,
                Err(reply) => {
                    typed.aside(&reply).await;
                    continue;
                }
            };
            let ran = self.run_typed(typed, operator, said).await;
            let open = self.questions.get(code).ok().flatten();
            if open.is_none_or(|ticket| ticket.state != State::Open) {
                return Some(ran);
            }
            // It does not count: it is asked again.
            self.tell_of(&ran.command).await;
        }
    }

    /// Returns when somebody in the room has ended the question, by a stop, a freeze or a no.
    async fn ends_elsewhere(&self, code: &str) {
        let is_open = || {
            let ticket = self.questions.get(code).ok().flatten();
            ticket.is_some_and(|ticket| ticket.state == State::Open)
        };
        while is_open() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What was typed: a command, or the answer to the question with this code.
enum Said<'a> {
    Yes(&'a str),
    No(&'a str),
    Command(Box<Command>),
}

impl Said<'_> {
    /// As what it is counted.
    fn sort(&self) -> Sort {
        match self {
            Self::Yes(_) => Sort::yes(),
            Self::No(_) => Sort::no(),
            Self::Command(command) => Sort::of_command(command),
        }
    }

    /// Whether its answer is for a program.
    fn is_data(&self) -> bool {
        let Self::Command(command) = self else { return false };
        let Command::Read(_, options, _) = &**command else { return false };
        options.output.is_some_and(|format| format != Format::Human)
    }
}

/// What a line that was typed to a question says; why it is nothing that answers it.
fn heard<'a>(line: &str, code: &'a str, operator: &Operator) -> Result<Said<'a>, Box<Reply>> {
    let line = line.trim();
    let again = || {
        let line = Line::from("that is not an answer; type ").code("yes").plain(" or ").code("no");
        let line = line.plain(", or ").code(format!("confirm {code}"));
        Box::new(Reply::outcome(Status::NotUnderstood, line.plain(" as the question says")))
    };
    let first = line.split_whitespace().next().unwrap_or_default();
    let bare = matches!(first, "confirm" | "cancel");
    let line = if bare { format!("!{line}") } else { line.to_owned() };
    match input::hear(&line, None, &super::is_first_word) {
        Heard::Yes => Ok(Said::Yes(code)),
        Heard::No => Ok(Said::No(code)),
        Heard::Nothing(_) | Heard::Misread(_) => Err(again()),
        Heard::Command(command) => {
            let words = command.words;
            let answers = matches!(words.first().map(String::as_str), Some("confirm" | "cancel"));
            if !answers {
                return Err(again());
            }
            if words.get(1).is_some_and(|typed| typed != code) {
                let line = Line::from("the question here is ").code(code);
                return Err(Box::new(Reply::outcome(Status::NotUnderstood, line)));
            }
            read(&words, operator).map(|command| Said::Command(Box::new(command)))
        }
    }
}

/// What these words are; an answer instead where they are nothing that is run.
fn read(words: &[String], operator: &Operator) -> Result<Command, Box<Reply>> {
    if words.len() > list::MOST_WORDS {
        return Err(Box::new(list::too_many_words(words.len())));
    }
    let mut words = words.to_vec();
    // As it is typed in the room.
    if let Some(first) = words.first_mut()
        && let Some(bare) = first.strip_prefix('!')
    {
        *first = bare.to_owned();
    }
    let parsed = understand::parse(&words);
    match understand::understand_for(&words, parsed, &operator.role) {
        Understood::Command(Ask::Read(query), options) => Ok(Command::Read(query, options, words)),
        Understood::Command(Ask::Change(action), options) => {
            Ok(Command::Change(action, options, words))
        }
        Understood::Own(own, options) => Ok(Command::Own(own, options, words)),
        Understood::Reply(reply) => match Help::by_option(&words) {
            Some(help) => Ok(Command::Own(Box::new(help), Options::default(), words)),
            None => Err(Box::new(reply)),
        },
    }
}

fn not_from_here(verb: &str) -> Option<&'static str> {
    NOT_FROM_HERE.iter().find(|(name, _)| *name == verb).map(|(_, why)| *why)
}

/// Shows the answer, if there is one.
async fn show(ran: &Ran) {
    let Ran { command, reply, data } = ran;
    let Some(reply) = reply else { return };
    let shown = if *data { Shown::Data } else { Shown::Answer };
    if let Err(Left) = command.console.show(reply, shown).await {
        info!(event = %command.event, "nobody reads the answer at the terminal");
    }
}

/// What the room is told of what a verb of the bot's own has done: what was changed, and what rings for
/// somebody.
fn own_to_tell(command: &Command, operator: &Operator, way: Way, reply: &Reply) -> Option<Reply> {
    let Command::Own(_, options, _) = command else { return None };
    let status = reply.status?;
    let done = matches!(status, Status::Done | Status::DoneInPart | Status::Unknown);
    if !done && reply.ring == Ring::Nobody {
        return None;
    }
    // What is typed after the verb may be a one-time password.
    let line = by_shell(Line::new().command(format!("!{}", options.verb)), &operator.user, way);
    let line = line.plain(": ").line(reply.title.clone());
    let told = Reply { ring: reply.ring.clone(), ..Reply::outcome(status, line) };
    Some(if reply.urgent { told.urgently() } else { told })
}

/// What, and who did it from where.
fn by_shell(what: Line, by: &UserId, way: Way) -> Line {
    what.plain(", by ").code(by).plain(" from ").line(way.into())
}

/// What was done, and who did it from where if that was no room.
pub(super) fn with_way(what: Line, by: Option<&OwnedUserId>, way: Option<Way>) -> Line {
    match (by, way) {
        (Some(by), Some(way)) => by_shell(what, by, way),
        _ => what,
    }
}

/// What the room is told of a change.
pub(super) fn line_of_change(
    invocation: &Invocation<'_>,
    number: u64,
    reply: &Reply,
) -> Option<Reply> {
    let way = invocation.origin.shell()?.way;
    let words = Line::new().command(input::shown(invocation.words));
    let line =
        by_shell(words, &invocation.operator.user, way).plain(", ").code(format!("#{number}"));
    Some(Reply::outcome(reply.status.unwrap_or(Status::Unknown), line))
}
