//! What a message is, decided without asking anybody.

use ruma::OwnedEventId;

use super::{
    Command, Lane, Pipeline, Request, Said, What, YesTo, is_first_word, list, own::Help,
    understand, understand::Understood,
};
use crate::{
    commands::{Ask, Options},
    gate::Operator,
    input::{self, Heard},
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
                self.last_word.said(&request.room);
                return Ok(What::Say(undecryptable()));
            }
        };
        let heard = input::hear(body, formatted.as_deref(), &is_first_word);
        if !matches!(heard, Heard::Yes | Heard::No) {
            self.last_word.said(&request.room);
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
            Heard::Misread(misread) => {
                return Ok(What::Say(Reply::outcome(Word::Refused, misread.to_string())));
            }
            Heard::Yes => Command::Yes(match reply_to {
                Some(event) => YesTo::Event(event.clone()),
                None => YesTo::LastWord(self.last_word.questions(&request.room)),
            }),
            Heard::No => Command::No(reply_to.clone()),
            Heard::Command(mut command) => {
                if command.words.len() > list::MOST_WORDS {
                    return Ok(What::Say(list::too_many_words(command.words.len())));
                }
                let referenced = self.takes_listing(&mut command, reply_to.as_ref());
                let file = file.or(reply_to.as_ref());
                if let Some(file) = file.filter(|_| list::may_stand_in_a_file(&command)) {
                    let file = file.clone();
                    return Ok(What::Command(
                        operator.clone(),
                        Command::InFile(command.words, file),
                    ));
                }
                let lines = command.body.iter().any(|line| !line.trim().is_empty());
                let command = match list::with_list(command) {
                    Ok(command) => command,
                    Err(reply) => return Ok(What::Say(*reply)),
                };
                match understand::understand_for(&command.words, &operator.role) {
                    Understood::Command(Ask::Read(query), options) => {
                        Command::Read(query, options, command.words)
                    }
                    Understood::Command(Ask::Change(action), options) => {
                        let options = Options { referenced, ..options };
                        Command::Change(action, options, command.words)
                    }
                    // Whoever brakes is heard, whatever else they wrote.
                    Understood::Own(own, _) if lines && own.lane() != Lane::Overtaking => {
                        return Ok(What::Say(list::in_one_line(&command.words)));
                    }
                    Understood::Own(own, options) => Command::Own(own, options, command.words),
                    Understood::Reply(reply) => match Help::by_option(&command.words) {
                        Some(help) => {
                            Command::Own(Box::new(help), Options::default(), command.words)
                        }
                        None => return Ok(What::Say(reply)),
                    },
                }
            }
        };
        Ok(What::Command(operator.clone(), command))
    }

    fn read_edit(operator: Option<&Operator>, body: &str) -> Result<What, String> {
        match (operator, input::hear(body, None, &is_first_word)) {
            (Some(_), Heard::Command(_) | Heard::Misread(_)) => Ok(What::Say(Reply::outcome(
                Word::Refused,
                "an edited message is not run; send the command again as a new message",
            ))),
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

fn undecryptable() -> Reply {
    Reply::outcome(
        Word::Refused,
        "I could not decrypt this message, so I do not know what it says. Send it again; if that \
         does not help, check that your client sends keys to my device",
    )
}
