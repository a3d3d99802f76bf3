//! A fact about a subject, and how it differs, as people say it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    change::{FactMap, Snapshot, Subject},
    reply::{Hostile, Line},
};

/// A fact that is not what it was.
pub(in crate::pipeline) struct Difference {
    pub(in crate::pipeline) subject: Subject,
    pub(in crate::pipeline) key: String,
    pub(in crate::pipeline) was: Option<Value>,
    pub(in crate::pipeline) is: Option<Value>,
}

impl Difference {
    /// Whose it is, what it was and what it is.
    pub(in crate::pipeline) fn line(&self) -> Line {
        Line::new()
            .code(&self.subject)
            .plain(format!(": {} was ", label(&self.key)))
            .line(fact(self.was.as_ref()))
            .plain(" and is ")
            .line(fact(self.is.as_ref()))
    }
}

/// Every binding fact that is not as it was, or was not there.
pub(in crate::pipeline) fn changed(
    subject: &Subject,
    before: &FactMap,
    now: &FactMap,
) -> Vec<Difference> {
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differences = keys.into_iter().filter_map(|key| {
        let (was, is) = (before.get(key), now.get(key));
        (was != is).then(|| Difference {
            subject: subject.clone(),
            key: key.clone(),
            was: was.cloned(),
            is: is.cloned(),
        })
    });
    differences.collect()
}

/// The first fact that a change has left and that is not so any more.
pub(in crate::pipeline) fn not_as_left(
    subject: &Subject,
    left: &FactMap,
    seen: &Snapshot,
) -> Option<Difference> {
    left.iter().find_map(|(key, value)| {
        let now = seen.fact(key).filter(|now| *now != value)?;
        Some(Difference {
            subject: subject.clone(),
            key: key.clone(),
            was: Some(value.clone()),
            is: Some(now.clone()),
        })
    })
}

/// The name of a fact, in words.
pub(in crate::pipeline) fn label(key: &str) -> String {
    key.replace('_', " ")
}

/// The value of a fact. What others may have written is shown as theirs.
pub(in crate::pipeline) fn fact(value: Option<&Value>) -> Line {
    let line = Line::new();
    match value {
        None | Some(Value::Null) => line.plain("nothing"),
        Some(Value::Bool(true)) => line.plain("yes"),
        Some(Value::Bool(false)) => line.plain("no"),
        Some(Value::Number(number)) => line.plain(number.to_string()),
        Some(Value::String(text)) => line.hostile(&Hostile::new(text)),
        Some(Value::Array(items)) => items.iter().enumerate().fold(
            if items.is_empty() { line.plain("none") } else { line },
            |line, (at, item)| {
                let line = if at == 0 { line } else { line.plain(", ") };
                line.line(fact(Some(item)))
            },
        ),
        Some(Value::Object(fields)) if fields.is_empty() => line.plain("none"),
        Some(fields @ Value::Object(_)) => line.hostile(&Hostile::new(fields.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::pipeline::change::fact::*;

    #[test]
    fn facts_are_said_and_not_quoted_as_json() {
        let theirs = |text| Line::new().hostile(&Hostile::new(text));
        for (value, words) in [
            (json!(true), "yes".into()),
            (json!(false), "no".into()),
            (json!(null), "nothing".into()),
            (json!("bot"), theirs("bot")),
            (json!([]), "none".into()),
            (json!(["a", true]), theirs("a").plain(", ").plain("yes")),
            (json!(7), "7".into()),
            (json!({}), "none".into()),
        ] {
            assert_eq!(fact(Some(&value)), words);
        }
    }
}
