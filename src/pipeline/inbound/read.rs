//! What a message is, decided without asking anybody.
//!
//! [`Pipeline::hear`] runs on the loop that reads the queue, in the order in which messages come.
//! The words of a command are parsed after that, by [`Pipeline::parse`], beside other messages.

use ruma::{OwnedEventId, RoomId};
use tracing::error;

use crate::{
    commands::{Ask, Options},
    confirm::Ticket,
    input::{self, Prefix},
    operators::{Operator, Role},
    pipeline::{
        Command, Expanded, Lane, Message, Pipeline, Request, Said, Structured, Suspicion, Task,
        Trust, What, YesTo,
        inbound::{
            list,
            listings::Taken,
            press::Press,
            subject::one_named,
            understand::{
                self, Understood, alias, cases, misplaced, spelling, tokens, ungrouped, unquoted,
            },
        },
        is_first_word,
        own::Help,
    },
    reply::{Line, Reply, Status},
};

mod in_case;
mod structured;

/// What was heard of a message before its words are parsed.
#[derive(Debug)]
pub(in crate::pipeline) enum Heard {
    /// What it is, wholly.
    What(What),
    /// A command of an operator.
    Words(Words),
}

/// The words of a command, and what it was sent with.
#[derive(Debug)]
pub(in crate::pipeline) struct Words {
    operator: Operator,
    command: input::Command,
    /// The message that it replies to.
    reply_to: Option<OwnedEventId>,
    /// The message itself, where it is the caption of a file.
    file: Option<OwnedEventId>,
    /// Its place among what its sender has said, for the commands that may be offered to it.
    turn: u64,
    /// Whether it was picked by its number: a change is asked about then.
    picked: bool,
    /// Whether it came as an object: then nothing of it can be a slip of the keyboard, and each word is
    /// taken as it is.
    structured: bool,
}

impl Pipeline {
    /// What is heard of a message; why it is nothing for the bot, where it is.
    pub(in crate::pipeline) fn hear(&self, request: &Request) -> Result<Heard, String> {
        let operator = self.roster.operator(&request.sender);
        let pasted = operator.is_some() && holds_token(&request.said);
        let (body, formatted, reply_to, file) = match &request.said {
            Said::Message { body, formatted, reply_to, captions } => {
                let file = captions.then_some(&request.event);
                (body, formatted, reply_to, file)
            }
            Said::Structured(structured) => {
                return self.hear_structured(request, operator, structured);
            }
            Said::Edit { .. } if pasted => {
                return Ok(Heard::What(What::Suspect(Suspicion::Token)));
            }
            Said::Edit { body } => return self.read_edit(operator, body).map(Heard::What),
            Said::Reaction { target, key } => {
                return self.read_reaction(operator, target, key).map(Heard::What);
            }
            Said::Undecryptable => {
                self.questions.something_said(&request.room);
                return Ok(Heard::What(What::Say(undecryptable())));
            }
        };
        let bot = Some(&*self.roster.bot);
        let prefix = &self.rules.prefix;
        let heard = input::hear_in(prefix, bot, body, formatted.as_deref(), &is_first_word);
        let (picked, turn) = match operator {
            Some(_) => self.choices.said(&request.room, &request.sender, body),
            None => (None, 0),
        };
        let picked = picked.filter(|_| file.is_none());
        let Some(operator) = operator else {
            if !matches!(heard, input::Heard::Yes | input::Heard::No) {
                self.questions.something_said(&request.room);
            }
            return stranger(&heard);
        };
        let open = if heard == input::Heard::Nothing(input::Reason::Answer) {
            self.perhaps_answered(request, operator, body, reply_to.as_ref())
        } else {
            Vec::new()
        };
        if open.is_empty() && !matches!(heard, input::Heard::Yes | input::Heard::No) {
            self.questions.something_said(&request.room);
        }
        let words = |command, picked| {
            let (operator, reply_to) = (operator.clone(), reply_to.clone());
            let file = file.cloned();
            Words { operator, command, reply_to, file, turn, picked, structured: false }
        };
        let command = match heard {
            input::Heard::Command(mut command) => {
                without_prefix(&mut command.words, prefix);
                return Ok(Heard::Words(words(command, false)));
            }
            input::Heard::Nothing(input::Reason::Talk) if picked.is_some() => {
                let picked = picked.unwrap_or_default();
                let command = input::Command { words: picked, body: Vec::new(), changed: false };
                return Ok(Heard::Words(words(command, true)));
            }
            _ if pasted => return Ok(Heard::What(What::Suspect(Suspicion::Token))),
            input::Heard::Nothing(_)
                if let Some(said) = in_case::words_in_case(body)
                    && self.case_of(request.thread.as_deref()).is_some() =>
            {
                let command = input::Command { words: said, body: Vec::new(), changed: false };
                return Ok(Heard::Words(words(command, false)));
            }
            input::Heard::Nothing(_) if !open.is_empty() => {
                return Ok(Heard::What(What::Say(almost(&open))));
            }
            input::Heard::Nothing(reason) => return Err(reason.to_string()),
            input::Heard::Misread(misread) => {
                return Ok(Heard::What(misread_text(body, &misread, prefix)));
            }
            input::Heard::Yes => Command::Yes(match reply_to {
                Some(event) => {
                    YesTo::Reply(event.clone(), self.questions.last_asked(&request.room))
                }
                None => YesTo::LastWord(self.questions.last_asked(&request.room)),
            }),
            input::Heard::No => Command::No(reply_to.clone()),
        };
        Ok(Heard::What(What::Command(operator.clone(), command)))
    }

    /// The sender's open questions that what is almost an answer may be meant for: the one that it
    /// replies to, that whose code it holds, or those that were the last word.
    fn perhaps_answered(
        &self,
        request: &Request,
        operator: &Operator,
        body: &str,
        reply_to: Option<&OwnedEventId>,
    ) -> Vec<Ticket> {
        // Where they cannot be read it is taken for talk; whoever answers in so many words is told.
        let open = self.questions.open_in(&request.room).unwrap_or_default();
        let last = self.questions.last_asked(&request.room);
        let is_meant = |ticket: &Ticket| {
            last.codes.contains(&ticket.code)
                || body.contains(&ticket.code)
                || reply_to.is_some() && reply_to == ticket.question.as_ref()
        };
        open.into_iter()
            .filter(|ticket| ticket.asker == operator.user && is_meant(ticket))
            .collect()
    }

    /// Parses what was heard of a message.
    pub fn parse(&self, message: Message) -> Task {
        let Message { request, heard, arrived } = message;
        let words = match heard {
            Heard::What(what) => return Task::with(request, what, arrived),
            Heard::Words(words) => words,
        };
        let structured = words.structured.then(|| words.command.words.clone());
        let operator = words.operator.clone();
        let (words, alias) = self.without_alias(words, &request.room);
        let (typed, lines) = (words.command.words.clone(), words.command.body.clone());
        let turn = words.turn;
        let read = self.read_command(words, &request);
        let in_its_place = matches!(&read, Ok(command) if command.holds_secret());
        if holds_token(&request.said) && !in_its_place {
            return Task::with(request, What::Suspect(Suspicion::Token), arrived);
        }
        // What is not run may hold what nobody must repeat.
        let runs = matches!(read, Ok(Command::Read(..) | Command::Change(..)));
        if let Ok(Command::Read(_, _, words) | Command::Change(_, _, words)) = &read {
            self.note_named(&request, words);
        }
        let suspect = if runs { None } else { misplaced::meant(&typed, &lines) };
        let what = match (suspect, read) {
            (Some(meant), _) => What::Suspect(Suspicion::Misplaced(meant)),
            (None, Ok(command)) => What::Command(operator, command),
            (None, Err(reply)) => {
                self.choices.offer(&request.room, &request.sender, turn, &reply.choices);
                What::Say(*reply)
            }
        };
        let alias = alias.filter(|_| !matches!(what, What::Suspect(_)));
        Task { request, what, arrived, alias, structured }
    }

    /// The words with what an alias of the room stands for in its place, and that alias.
    fn without_alias(&self, mut words: Words, room: &RoomId) -> (Words, Option<Expanded>) {
        let typed = &words.command.words;
        let found = typed.split_first().filter(|(first, _)| !is_first_word(first));
        let found = found.and_then(|(name, rest)| {
            let alias = self.aliases.get(room, name).inspect_err(|error| {
                error!(error = error as &dyn std::error::Error, "aliases cannot be read");
            });
            Some((name.clone(), alias::expanded(&alias.ok()??.words, rest)))
        });
        let Some((name, expanded)) = found else { return (words, None) };
        words.command.words.clone_from(&expanded);
        (words, Some(Expanded { name, words: expanded }))
    }

    /// Remembers what a command names, for a dot in the next one, where it is its sender's own.
    fn note_named(&self, request: &Request, words: &[String]) {
        if matches!(request.trust, Trust::Doubtful(_)) {
            return;
        }
        if let Some(named) = one_named(words) {
            self.last_named.note(&request.room, &request.sender, named, self.clock.now());
        }
    }

    /// What these words are, with what they reply to, or the file that they came with. An answer
    /// instead where they are nothing that is run.
    fn read_command(&self, words: Words, request: &Request) -> Result<Command, Box<Reply>> {
        let Words { operator, mut command, reply_to, file, picked, structured, .. } = words;
        if command.words.len() > list::MOST_WORDS {
            return Err(Box::new(list::too_many_words(command.words.len())));
        }
        if !structured {
            command.words = as_meant(command.words);
        }
        let lines = command.body.iter().any(|line| !line.trim().is_empty());
        let listed = lines || reply_to.is_some() || file.is_some();
        let reply = unclear(&command.words, listed, &operator.role).filter(|_| !structured);
        if let Some(reply) = reply {
            return Err(Box::new(reply));
        }
        if !command.body.is_empty() {
            command = list::with_list(command)?;
        }
        let (room, by) = (&*request.room, &*request.sender);
        let row = |number| self.listings.row(room, by, number);
        let case = self.case_of(request.thread.as_deref());
        let in_thread = |of| match &case {
            Some(case) => self.named_by_case(case, of),
            None => self.named_by_watch(request.thread.as_deref()?, of),
        };
        let now = self.clock.now();
        let by_dot = !structured
            && self.last_named.stand_in(&mut command.words, (room, by), now, row, in_thread)?;
        let mut parsed = understand::parse(&command.words);
        let mut taken = Taken { any: picked, ..Taken::default() };
        if command.body.is_empty() && !picked && understand::names_nobody(&parsed) {
            taken = self.listings.takes(&mut command.words, &parsed, reply_to.as_ref())?;
            match file.or(reply_to) {
                _ if taken.any => parsed = understand::parse(&command.words),
                Some(file) => return Ok(Command::InFile(command.words, file)),
                None => {}
            }
        }
        let Taken { any: referenced, beyond } = taken;
        let words = command.words;
        match understand::understand_for(&words, parsed, &operator.role) {
            Understood::Command(Ask::Read(query), options) => {
                Ok(Command::Read(query, options, words))
            }
            Understood::Command(Ask::Change(action), options) => {
                let options = Options { referenced, beyond, by_dot, ..options };
                Ok(Command::Change(action, options, words))
            }
            // A freeze or a stop is heard, whatever else is in the message.
            Understood::Own(own, _) if lines && own.lane() != Lane::Overtaking => {
                Err(Box::new(list::in_one_line(&words)))
            }
            Understood::Own(own, options) => {
                let options = Options { referenced, ..options };
                Ok(Command::Own(own, options, words))
            }
            Understood::Reply(reply) => match Help::by_option(&words) {
                Some(help) if misplaced::meant(&words, &[]).is_none() => {
                    Ok(Command::Own(Box::new(help), Options::default(), words))
                }
                _ => Err(Box::new(reply)),
            },
        }
    }

    fn read_edit(&self, operator: Option<&Operator>, body: &str) -> Result<What, String> {
        let prefix = &self.rules.prefix;
        match (operator, input::hear_in(prefix, None, body, None, &is_first_word)) {
            (Some(_), input::Heard::Command(_) | input::Heard::Misread(_)) => {
                Ok(match misplaced::meant_in_text(body, prefix) {
                    Some(meant) => What::Suspect(Suspicion::Misplaced(meant)),
                    None => What::Say(edited()),
                })
            }
            _ => Err("an edit".to_owned()),
        }
    }

    fn read_reaction(
        &self,
        operator: Option<&Operator>,
        target: &OwnedEventId,
        key: &str,
    ) -> Result<What, String> {
        let operator = operator.ok_or("a reaction of a stranger")?.clone();
        if let Some(words) = self.case_reaction(target, key)
            && let Understood::Own(own, options) = understand::understand(&words)
        {
            return Ok(What::Command(operator, Command::Own(own, options, words)));
        }
        match key {
            "✅" | "✔" | "☑" | "👍" => {
                Ok(What::Command(operator, Command::Yes(YesTo::Event(target.clone()))))
            }
            "❌" | "✖" | "👎" => {
                Ok(What::Command(operator, Command::No(Some(target.clone()))))
            }
            _ => match Press::of_key(key).filter(|_| self.listings.get(target).is_some()) {
                Some(press) => Ok(What::Command(operator, Command::Press(target.clone(), press))),
                None => Err("a reaction that answers nothing".to_owned()),
            },
        }
    }
}

/// What is heard of somebody who is no operator.
fn stranger(heard: &input::Heard) -> Result<Heard, String> {
    match heard {
        input::Heard::Command(_) | input::Heard::Misread(_) => Ok(Heard::What(What::Stranger)),
        input::Heard::Nothing(reason) => Err(reason.to_string()),
        input::Heard::Yes | input::Heard::No => Err("a bare answer of a stranger".to_owned()),
    }
}

/// What help is asked for and what an alias is to be, or to stand for, are typed with the prefix as well as
/// without.
fn without_prefix(words: &mut Vec<String>, prefix: &Prefix) {
    if prefix.is_usual() {
        return;
    }
    if let [first, second, ..] = words.as_slice()
        && first == "help"
        && *second == prefix.to_string().trim_end()
    {
        words.remove(1);
    }
    let places = match words.as_slice() {
        [first, ..] if first == "help" => 1..2,
        [first, _, ..] if first == "alias" => 2..4,
        _ => return,
    };
    for word in words.iter_mut().take(places.end).skip(places.start) {
        *word = prefix.without(word).to_owned();
    }
}

/// The words as they can be meant by nobody otherwise.
pub(in crate::pipeline) fn as_meant(words: Vec<String>) -> Vec<String> {
    let words = spelling::without_stops(spelling::verb_in_small_letters(words));
    let words = cases::as_cases(spelling::in_small_letters(words));
    unquoted::joined(spelling::method_as_option(words))
}

/// The answer to words that may mean several things; `listed` says whether their subjects may stand in a
/// list.
pub(in crate::pipeline) fn unclear(words: &[String], listed: bool, role: &Role) -> Option<Reply> {
    spelling::one_hyphen(words)
        .or_else(|| unquoted::unclear(words))
        .or_else(|| unquoted::unclear_before_list(words).filter(|_| listed))
        .or_else(|| ungrouped::unclear(words, role))
}

/// The answer to what is almost an answer to these questions.
fn almost(open: &[Ticket]) -> Reply {
    let why = "I cannot be sure what that answers; nothing was done, and the question is still \
               open";
    open.iter().fold(Reply::outcome(Status::NotUnderstood, why), |reply, ticket| {
        reply
            .command("Yes", vec!["confirm".to_owned(), ticket.code.clone()])
            .command("No", vec!["cancel".to_owned(), ticket.code.clone()])
    })
}

/// Whether an access token is in a message, wherever it stands.
fn holds_token(said: &Said) -> bool {
    match said {
        Said::Message { body, formatted, .. } => {
            tokens::held_in(body) || formatted.as_deref().is_some_and(tokens::held_in)
        }
        Said::Structured(Structured { object, beside, .. }) => {
            tokens::held_in(beside) || tokens::held_in(&object.to_string())
        }
        Said::Edit { body } => tokens::held_in(body),
        Said::Reaction { .. } | Said::Undecryptable => false,
    }
}

/// The answer to what could not be taken apart into words.
fn misread_text(text: &str, misread: &input::Misread, prefix: &Prefix) -> What {
    if let Some(meant) = misplaced::meant_in_text(text, prefix) {
        return What::Suspect(Suspicion::Misplaced(meant));
    }
    let why = match misread {
        input::Misread::Unsigned { .. } if !prefix.is_usual() => Line::from(
            "that looks like a command, but a command begins with the prefix and nothing \
                before it, such as ",
        )
        .command("!help")
        .plain("; send it again like that"),
        misread => misread.to_string().into(),
    };
    let reply = Reply::outcome(Status::NotUnderstood, why);
    What::Say(match signed(misread) {
        Some(words) => reply.command("Did you mean", words),
        None => reply,
    })
}

/// The command that was sent without its sign.
fn signed(misread: &input::Misread) -> Option<Vec<String>> {
    let input::Misread::Unsigned { command: Some(command) } = misread else { return None };
    match input::hear(&format!("!{command}"), None, &is_first_word) {
        input::Heard::Command(command) => Some(as_meant(command.words)),
        _ => None,
    }
}

/// The answer to a command in an edit.
fn edited() -> Reply {
    Reply::outcome(
        Status::Refused,
        "I do not run edited messages; send the command again as a new message",
    )
}

fn undecryptable() -> Reply {
    Reply::outcome(
        Status::Failed,
        "I could not decrypt this message. Send it again; if that does not help, check that your \
        client shares keys with my device",
    )
}
