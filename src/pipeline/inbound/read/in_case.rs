//! What is said in the thread of a case or a watch, and reacted with to the first message of a case.
//!
//! A server can put a message into a thread where it was not sent. What a word there does can be taken
//! back: who deals with a case, and whether it is open. A command whose `.` stands for the accused is always
//! asked first, with the whole id, and takes the code.

use ruma::EventId;
use tracing::error;

use crate::{
    cases::{About, Case, Reported},
    commands::arguments::Lasting,
    pipeline::{Pipeline, inbound::subject::Named},
    reply::IdsOf,
};

impl Pipeline {
    /// The case whose thread begins with this message.
    pub(in crate::pipeline) fn case_of(&self, root: Option<&EventId>) -> Option<Case> {
        self.desk.cases().of_thread(root?).unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "cases cannot be read");
            None
        })
    }

    /// The command that a reaction to the first message of a case stands for.
    pub(in crate::pipeline) fn case_reaction(
        &self,
        target: &EventId,
        key: &str,
    ) -> Option<Vec<String>> {
        let words: &[&str] = match key {
            "👀" => &["claim"],
            "✅" | "✔" | "☑" => &["close"],
            "❌" | "✖" => &["dismiss"],
            "💤" => &["snooze"],
            _ => return None,
        };
        let case = self.case_of(Some(target))?;
        let time = (words == ["snooze"]).then_some("4h");
        let number = case.number.to_string();
        let words = words.iter().copied().chain([number.as_str()]).chain(time);
        Some(words.map(str::to_owned).collect())
    }

    /// What a dot stands for in the thread of a case: whom it is about, the room and the event where there
    /// is one of each.
    pub(in crate::pipeline) fn named_by_case(&self, case: &Case, wanted: IdsOf) -> Option<Named> {
        let id = match (&case.about, wanted) {
            (About::Account(user), IdsOf::Accounts) => Some(user.to_string()),
            (About::Room(room), IdsOf::Rooms) => Some(room.to_string()),
            (_, IdsOf::Rooms) => self.only(case, |what| match what {
                Reported::Event { room, .. } | Reported::Room(room) => Some(room.to_string()),
                Reported::Account(_) => None,
            }),
            // Its files are named by the event that has them.
            (_, IdsOf::Events | IdsOf::Files) => self.only(case, |what| match what {
                Reported::Event { event, .. } => Some(event.clone()),
                _ => None,
            }),
            _ => None,
        };
        id.map(|id| Named { of: wanted, id })
    }

    /// What a dot stands for in the thread of a watch: the account that is watched.
    pub(in crate::pipeline) fn named_by_watch(
        &self,
        root: &EventId,
        wanted: IdsOf,
    ) -> Option<Named> {
        let watch = self.observer.observations().of_thread(root).unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "watches cannot be read");
            None
        });
        let id = watch.filter(|_| wanted == IdsOf::Accounts)?.about.to_string();
        Some(Named { of: wanted, id })
    }

    /// What is the same in every report of a case that has it.
    fn only(&self, case: &Case, of: impl Fn(&Reported) -> Option<String>) -> Option<String> {
        let reports = self.desk.cases().reports(case.number).unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "reports cannot be read");
            Vec::new()
        });
        let mut found = reports.iter().filter_map(|report| of(&report.what));
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}

/// The command that a message in the thread of a case is, without its sign: `claim`, `close: spam`,
/// `snooze 4h`. Nothing else is one, since people talk there.
pub(in crate::pipeline) fn words_in_case(body: &str) -> Option<Vec<String>> {
    let body = body.trim();
    let own = |word: &str| word.to_owned();
    if let Some((word, why)) = body.split_once(':') {
        let word = word.trim().to_lowercase();
        let closes = matches!(word.as_str(), "close" | "dismiss") && !why.trim().is_empty();
        return closes.then(|| {
            let why = why.split_whitespace().map(own);
            [word, own("--")].into_iter().chain(why).collect()
        });
    }
    let words: Vec<String> = body.to_lowercase().split_whitespace().map(own).collect();
    match words.split_first()? {
        (word, []) if matches!(word.as_str(), "claim" | "close" | "dismiss") => Some(words),
        (word, []) if matches!(word.as_str(), "release" | "reopen") => {
            Some(vec![own("case"), word.clone()])
        }
        (word, rest) if word == "snooze" && rest.join(" ").parse::<Lasting>().is_ok() => {
            Some(words)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::words_in_case;

    #[test]
    fn only_what_cannot_be_talk_is_a_command() {
        for (said, words) in [
            ("claim", "claim"),
            (" Claim ", "claim"),
            ("close", "close"),
            ("close: spam, account suspended", "close -- spam, account suspended"),
            ("Dismiss: they made up", "dismiss -- they made up"),
            ("snooze 4h", "snooze 4h"),
            ("snooze 2 days", "snooze 2 days"),
            ("reopen", "case reopen"),
            ("release", "case release"),
        ] {
            assert_eq!(words_in_case(said).map(|words| words.join(" ")).as_deref(), Some(words));
        }
        for talk in [
            "close to midnight",
            "claims that it was a joke",
            "I claim nothing",
            "snooze",
            "snooze until he writes again",
            "close:",
            "see: close",
            "",
        ] {
            assert_eq!(words_in_case(talk), None, "{talk}");
        }
    }
}
