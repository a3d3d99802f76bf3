//! A command that comes as an object: what it is, by the object alone.

use super::{Heard, Words, edited};
use crate::{
    input::{Command, Prefix},
    operators::Operator,
    pipeline::{
        Pipeline, Request, Structured, Suspicion, What,
        inbound::understand::{
            misplaced,
            structured::{Call, all_texts},
        },
    },
    reply::Reply,
};

impl Pipeline {
    /// What is heard of a message that holds a command as an object. From here on it goes the way of a
    /// typed one: its words stand for themselves.
    pub(super) fn hear_structured(
        &self,
        request: &Request,
        operator: Option<&Operator>,
        structured: &Structured,
    ) -> Result<Heard, String> {
        let Some(operator) = operator else {
            if structured.edits {
                return Err("an edit".to_owned());
            }
            self.questions.something_said(&request.room);
            return Ok(Heard::What(What::Stranger));
        };
        if super::holds_token(&request.said) {
            return Ok(Heard::What(What::Suspect(Suspicion::Token)));
        }
        if structured.edits {
            return Ok(Heard::What(not_run(structured, &self.rules.prefix, edited)));
        }
        self.questions.something_said(&request.room);
        let (_, turn) = self.choices.said(&request.room, &request.sender, "");
        match Call::read(&structured.object).and_then(|call| call.words()) {
            Ok(words) => Ok(Heard::Words(Words {
                operator: operator.clone(),
                command: Command { words, body: Vec::new(), changed: true },
                reply_to: structured.reply_to.clone(),
                file: structured.captions.then(|| request.event.clone()),
                turn,
                picked: false,
                structured: true,
            })),
            Err(why) => Ok(Heard::What(not_run(structured, &self.rules.prefix, || why.told()))),
        }
    }
}

/// What is not run, and may hold what nobody must repeat.
fn not_run(structured: &Structured, prefix: &Prefix, told: impl FnOnce() -> Reply) -> What {
    let meant = misplaced::meant(&all_texts(&structured.object), &[]);
    match meant.or_else(|| misplaced::meant_in_text(&structured.beside, prefix)) {
        Some(meant) => What::Suspect(Suspicion::Misplaced(meant)),
        None => What::Say(told()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::pipeline::{Doubt, Said, Structured, Trust, testing::Stage};

    fn structured(object: Value) -> Structured {
        let beside = "!freeze".to_owned();
        Structured { object, beside, reply_to: None, edits: false, captions: false }
    }

    /// What the bot answers to this of somebody; the text beside it is a command too.
    async fn answered(
        stage: &Stage,
        sender: &str,
        said: Structured,
        trust: Option<Trust>,
    ) -> Vec<String> {
        let before = stage.heard.all().len();
        let mut request = stage.request(sender, "");
        request.said = Said::Structured(said);
        request.trust = trust.unwrap_or(request.trust);
        stage.hand(request).await;
        let plain = |answer: String| answer.replace(['\u{2060}', '\\', '*'], "");
        stage.heard.all().split_off(before).into_iter().map(plain).collect()
    }

    #[tokio::test]
    async fn it_goes_the_way_of_a_typed_command_and_the_text_beside_it_goes_none() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let call = |command: &str| json!({ "command": command, "arguments": {} });
        for (said, trust, parts) in [
            (call("undo"), None, ["no change of yours", "Your client sent `!undo`"]),
            (call("user suspend"), None, ["Not understood", "!user suspend"]),
            (
                json!({ "command": "freeze", "arguments": { "x": 1 } }),
                None,
                ["Not understood", "`x`"],
            ),
            (call("undo"), Some(Trust::Doubtful(Doubt::Plaintext)), ["Refused", "encrypted"]),
        ] {
            let answers = answered(&stage, "ann", structured(said), trust).await;
            let [answer] = answers.as_slice() else { panic!("{answers:?}") };
            for part in parts {
                assert!(answer.contains(part), "{part:?} in {answer}");
            }
        }
        assert!(stage.heard.all().iter().all(|answer| !answer.contains("rozen")), "by the text");
        let mut edit = structured(call("freeze"));
        edit.edits = true;
        let answers = answered(&stage, "ann", edit.clone(), None).await;
        assert!(answers[0].contains("I do not run edited messages"), "{answers:?}");
        assert!(answered(&stage, "eve", edit, None).await.is_empty());
        let answers = answered(&stage, "eve", structured(call("freeze")), None).await;
        assert_eq!(answers.len(), 1, "the one line for strangers: {answers:?}");
    }

    #[tokio::test]
    async fn what_may_be_a_secret_is_repeated_nowhere() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let token = format!("syt_{}_{}_{}", "YW5u", "abcdefghijklmnopqrst", "0aBcDe");
        for object in [
            json!({ "command": "user details", "arguments": { "user": token } }),
            json!({ "command": "user password", "arguments": { "user": "@a:x.org", "x": "hunter2-x" } }),
        ] {
            let answers = answered(&stage, "ann", structured(object), None).await;
            let said = answers.join("\n");
            assert!(said.starts_with("Refused"), "{said}");
            assert!(!said.contains("hunter2-x") && !said.contains(&token), "{said}");
        }
    }
}
