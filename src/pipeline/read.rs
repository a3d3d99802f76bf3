//! What a message is, decided without asking anybody.

use ruma::OwnedEventId;

use super::{
    Command, Lane, Pipeline, Request, Said, What, YesTo, is_first_word, list,
    own::Help,
    understand,
    understand::{Understood, misplaced},
};
use crate::{
    commands::{Ask, Options},
    input::{self, Heard},
    operators::Operator,
    reply::{Reply, Word},
};

impl Pipeline {
    pub(super) fn read(&self, request: &Request) -> Result<What, String> {
        let operator = self.roster.operator(&request.sender);
        let (body, formatted, reply_to, file) = match &request.said {
            Said::Message { body, formatted, reply_to, captions } => {
                let file = captions.then_some(&request.event);
                (body, formatted, reply_to, file)
            }
            Said::Edit { body } => return Self::read_edit(operator, body),
            Said::Reaction { target, key } => return Self::read_reaction(operator, target, key),
            Said::Undecryptable => {
                self.questions.something_said(&request.room);
                return Ok(What::Say(undecryptable()));
            }
        };
        let heard = input::hear(body, formatted.as_deref(), &is_first_word);
        if !matches!(heard, Heard::Yes | Heard::No) {
            self.questions.something_said(&request.room);
        }
        let Some(operator) = operator else {
            return match heard {
                Heard::Command(_) | Heard::Misread(_) => Ok(What::Stranger),
                Heard::Nothing(reason) => Err(reason.to_string()),
                Heard::Yes | Heard::No => Err("a bare answer of a stranger".to_owned()),
            };
        };
        let command = match heard {
            Heard::Nothing(reason) => return Err(reason.to_string()),
            Heard::Misread(misread) => return Ok(misread_text(body, &misread)),
            Heard::Yes => Command::Yes(match reply_to {
                Some(event) => YesTo::Event(event.clone()),
                None => YesTo::LastWord(self.questions.last_asked(&request.room)),
            }),
            Heard::No => Command::No(reply_to.clone()),
            Heard::Command(command) => {
                let (words, lines) = (command.words.clone(), command.body.clone());
                let read = self.read_command(operator, command, reply_to.as_ref(), file);
                // What is not run may hold what nobody must repeat.
                let runs = matches!(read, Ok(Command::Read(..) | Command::Change(..)));
                if !runs && let Some(meant) = misplaced::meant(&words, &lines) {
                    return Ok(What::Suspect(meant));
                }
                match read {
                    Ok(command) => command,
                    Err(reply) => return Ok(What::Say(*reply)),
                }
            }
        };
        Ok(What::Command(operator.clone(), command))
    }

    /// What these words are, with what they reply to, or the file that they came with. An answer
    /// instead where they are nothing that is run.
    fn read_command(
        &self,
        operator: &Operator,
        mut command: input::Command,
        reply_to: Option<&OwnedEventId>,
        file: Option<&OwnedEventId>,
    ) -> Result<Command, Box<Reply>> {
        if command.words.len() > list::MOST_WORDS {
            return Err(Box::new(list::too_many_words(command.words.len())));
        }
        let referenced = self.listings.takes(&mut command, reply_to);
        let file = file.or(reply_to);
        if let Some(file) = file.filter(|_| list::may_stand_in_a_file(&command)) {
            return Ok(Command::InFile(command.words, file.clone()));
        }
        let lines = command.body.iter().any(|line| !line.trim().is_empty());
        let input::Command { words, .. } = list::with_list(command)?;
        match understand::understand_for(&words, &operator.role) {
            Understood::Command(Ask::Read(query), options) => {
                Ok(Command::Read(query, options, words))
            }
            Understood::Command(Ask::Change(action), options) => {
                let options = Options { referenced, ..options };
                Ok(Command::Change(action, options, words))
            }
            // Whoever brakes is heard, whatever else they wrote.
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

    fn read_edit(operator: Option<&Operator>, body: &str) -> Result<What, String> {
        match (operator, input::hear(body, None, &is_first_word)) {
            (Some(_), Heard::Command(_) | Heard::Misread(_)) => {
                Ok(match misplaced::meant_in_text(body) {
                    Some(meant) => What::Suspect(meant),
                    None => What::Say(Reply::outcome(
                        Word::Refused,
                        "an edited message is not run; send the command again as a new message",
                    )),
                })
            }
            _ => Err("an edit".to_owned()),
        }
    }

    fn read_reaction(
        operator: Option<&Operator>,
        target: &OwnedEventId,
        key: &str,
    ) -> Result<What, String> {
        let operator = operator.ok_or("a reaction of a stranger")?.clone();
        match key {
            "✅" | "✔" | "☑" | "👍" => {
                Ok(What::Command(operator, Command::Yes(YesTo::Event(target.clone()))))
            }
            "❌" | "✖" | "👎" => {
                Ok(What::Command(operator, Command::No(Some(target.clone()))))
            }
            _ => Err("a reaction that answers nothing".to_owned()),
        }
    }
}

/// The answer to what could not be taken apart into words.
fn misread_text(text: &str, misread: &input::Misread) -> What {
    match misplaced::meant_in_text(text) {
        Some(meant) => What::Suspect(meant),
        None => What::Say(Reply::outcome(Word::Refused, misread.to_string())),
    }
}

fn undecryptable() -> Reply {
    Reply::outcome(
        Word::Refused,
        "I could not decrypt this message, so I do not know what it says. Send it again; if that \
         does not help, check that your client sends keys to my device",
    )
}
