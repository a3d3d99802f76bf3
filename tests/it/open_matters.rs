//! What an admin has open when somebody else tries to answer it: questions, a change, a sanction.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::{Config, Message, Person, Scene, Things};

use crate::support::{code, digits, offered, says, with_yes};

/// A rule that has one more person agree to what else would be one's own, and somebody who may.
pub(crate) fn with_a_second_admin(config: Config, scene: &Scene) -> Config {
    let rule = json!([{ "verbs": ["user cross-signing-reset"], "others": 1 }]);
    config.set("questions.rules", rule).operator(&scene.keeper().user_id, "admin")
}

/// What ann has open.
pub(crate) struct OpenMatters {
    questions: Vec<(Message, String)>,
    undo: String,
    sanction: String,
    phrases: Vec<String>,
}

impl OpenMatters {
    /// Lets ann ask for what a yes, a code and another person would do, and do what could be taken
    /// back. The questions are about the first of these, what is done is about others.
    pub(crate) async fn of_ann(scene: &Scene, [free, other]: [&Things; 2]) -> Result<Self> {
        let id = &free.eve.user_id;
        let mut questions = Vec::new();
        for verb in ["modify --admin", "deactivate", "cross-signing-reset"] {
            let (verb, option) = verb.split_once(' ').unwrap_or((verb, ""));
            let question = scene.ann_asks(&format!("!user {verb} {id} {option}")).await?;
            let code = code(&question).or_else(|_| digits(&question.body, "!approve "))?;
            questions.push((question, code));
        }
        let granted = format!("!user modify {} --admin", free.bob.user_id);
        let granted = with_yes(scene, &granted).await?;
        let sanction = format!("!user suspend {} --for 3d", other.bob.user_id);
        let sanction = scene.ann_asks(&sanction).await?;
        says(&sanction, "Done", &["Ends"]);
        let number = |done: &Message| {
            offered(done, "!undo ").map(|undo| undo.trim_start_matches("!undo ").to_owned())
        };
        Ok(Self {
            questions,
            undo: number(&granted)?,
            sanction: number(&sanction)?,
            phrases: vec![String::new(), id.localpart().to_owned(), "1".to_owned()],
        })
    }

    /// Everything that could be typed to let them pass, to end them, or to take them back.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (_, code) in &self.questions {
            for verb in ["confirm", "approve"] {
                words.extend(self.phrases.iter().map(|end| format!("!{verb} {code} {end}")));
            }
            words.extend([format!("!deny {code}"), format!("!cancel {code}")]);
        }
        words.extend([&self.undo, &self.sanction].map(|number| format!("!undo {number}")));
        words.push(format!("!sanction lift {}", self.sanction));
        words.extend(
            [
                "limits lift",
                "limits restore",
                "trust accept @x:synod.test AAAAAA",
                "config reload",
                "config reload --plan",
            ]
            .map(|own| format!("!{own}")),
        );
        words
    }

    /// Lets `person` answer each question by replies and by reactions; answers the events.
    pub(crate) async fn answered_by(
        &self,
        scene: &Scene,
        person: &Person,
    ) -> Result<Vec<ruma::OwnedEventId>> {
        let mut said = Vec::new();
        for (question, _) in &self.questions {
            for word in ["yes", "no"] {
                said.push(person.reply(scene.room(), &question.event_id, word).await?);
            }
            for key in ["✅", "❌"] {
                said.push(person.react(scene.room(), &question.event_id, key).await?);
            }
        }
        Ok(said)
    }

    /// They are open still: ann has them listed, and her own yes to one of them is enough.
    pub(crate) async fn are_still_anns(&self, scene: &Scene) -> Result<()> {
        let pending = scene.ann_asks("!pending").await?;
        for (_, code) in &self.questions {
            assert!(pending.body.contains(code), "{code} is not open: {}", pending.body);
        }
        let list = scene.ann_asks("!sanction list").await?;
        assert!(list.body.contains(&self.sanction), "{}", list.body);
        let (_, first) = self.questions.first().context("a question")?;
        says(&scene.ann_asks(&format!("!confirm {first}")).await?, "Done", &[]);
        Ok(())
    }
}

/// So many commands are sent before the answer to the first of them is waited for.
const AT_ONCE: usize = 16;

/// Lets `person` say all of these, and answers what the bot said to each.
pub(crate) async fn answers<'a, T: AsRef<str>>(
    scene: &Scene,
    person: &Person,
    said: &'a [T],
) -> Result<Vec<(&'a str, String)>> {
    let mut answers = Vec::new();
    for some in said.chunks(AT_ONCE) {
        let mut events = Vec::new();
        for command in some {
            events.push((command.as_ref(), person.say(scene.room(), command.as_ref()).await?));
        }
        for (command, event) in events {
            answers.push((command, scene.answer(person, &event).await?.body));
        }
    }
    Ok(answers)
}
