//! The bot's configuration as tests write it.

use std::{fmt, path::Path};

use ruma::UserId;
use serde_json::{Map, Value, json};

/// A configuration file in the making. Every key can be set, also to something wrong.
#[derive(Debug, Clone, Default)]
pub struct Config(Map<String, Value>);

impl Config {
    /// One without any key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key, named with dots: `questions.expire_after`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let (parents, last) = key.rsplit_once('.').unwrap_or(("", key));
        self.table(parents).insert(last.to_owned(), value.into());
        self
    }

    /// Removes a key, named with dots.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        let (parents, last) = key.rsplit_once('.').unwrap_or(("", key));
        self.table(parents).remove(last);
        self
    }

    /// Sets `read_only`.
    #[must_use]
    pub fn read_only(self, read_only: bool) -> Self {
        self.set("read_only", read_only)
    }

    /// Names a file that holds a secret, such as `homeserver.admin_token`.
    #[must_use]
    pub fn secret_file(self, key: &str, file: &Path) -> Self {
        self.set(key, json!({ "file": file }))
    }

    /// Adds an admin room.
    #[must_use]
    pub fn room(mut self, room: &(impl AsRef<str> + ?Sized)) -> Self {
        self.list("rooms").push(json!(room.as_ref()));
        self
    }

    /// Adds an operator with a role: `viewer`, `moderator` or `admin`.
    #[must_use]
    pub fn operator(mut self, user: &UserId, role: &str) -> Self {
        self.list("operators").push(json!({ "user_id": user, "role": role }));
        self
    }

    /// Names a file that holds a secret of an operator added before.
    #[must_use]
    pub fn operator_secret(self, user: &UserId, key: &str, file: &Path) -> Self {
        self.operator_key(user, key, json!({ "file": file }))
    }

    /// Sets a key of an operator added before: `role`, `person` or `master_key`.
    #[must_use]
    pub fn operator_key(mut self, user: &UserId, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for operator in self.list("operators") {
            if operator["user_id"] == user.as_str() {
                operator[key] = value.clone();
            }
        }
        self
    }

    /// Takes an operator off the list.
    #[must_use]
    pub fn without_operator(mut self, user: &UserId) -> Self {
        self.list("operators").retain(|operator| operator["user_id"] != user.as_str());
        self
    }

    /// The table at a path of keys; whatever else stands there gives way.
    fn table(&mut self, path: &str) -> &mut Map<String, Value> {
        let mut table = &mut self.0;
        for key in path.split('.').filter(|key| !key.is_empty()) {
            let value = table.entry(key).or_insert_with(|| json!({}));
            table = as_table(value);
        }
        table
    }

    fn list(&mut self, key: &str) -> &mut Vec<Value> {
        let value = self.0.entry(key).or_insert_with(|| json!([]));
        if !value.is_array() {
            *value = json!([]);
        }
        let Value::Array(list) = value else { unreachable!("it was just made a list") };
        list
    }
}

fn as_table(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    let Value::Object(table) = value else { unreachable!("it was just made a table") };
    table
}

impl fmt::Display for Config {
    /// The YAML, in the layout that people write.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.0, "", "")
    }
}

/// `first` stands before the first key, `indent` before the others.
fn write_table(
    f: &mut fmt::Formatter<'_>,
    table: &Map<String, Value>,
    first: &str,
    indent: &str,
) -> fmt::Result {
    for (position, (key, value)) in table.iter().enumerate() {
        let lead = if position == 0 { first } else { indent };
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                writeln!(f, "{lead}{key}:")?;
                let deeper = format!("{indent}  ");
                write_table(f, inner, &deeper, &deeper)?;
            }
            Value::Array(items) if !items.is_empty() => {
                writeln!(f, "{lead}{key}:")?;
                write_list(f, items, &format!("{indent}  "))?;
            }
            // JSON is YAML.
            scalar => writeln!(f, "{lead}{key}: {scalar}")?,
        }
    }
    Ok(())
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[Value], indent: &str) -> fmt::Result {
    for item in items {
        match item {
            Value::Object(table) if !table.is_empty() => {
                write_table(f, table, &format!("{indent}- "), &format!("{indent}  "))?;
            }
            scalar => writeln!(f, "{indent}- {scalar}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_people_write_it() {
        let ann = ruma::user_id!("@ann:synod.test");
        let moe = ruma::user_id!("@moe:synod.test");
        let config = Config::new()
            .read_only(false)
            .secret_file("homeserver.admin_token", Path::new("/run/token"))
            .set("questions.expire_after", "2s")
            .operator(ann, "admin")
            .operator(moe, "viewer")
            .operator_key(moe, "master_key", "abc")
            .without_operator(ann)
            .set("layout", "list")
            .without("layout");
        let expected = r#"homeserver:
  admin_token:
    file: "/run/token"
operators:
  - master_key: "abc"
    role: "viewer"
    user_id: "@moe:synod.test"
questions:
  expire_after: "2s"
read_only: false
"#;
        assert_eq!(sorted(&config.to_string()), sorted(expected));
    }

    /// The order of keys depends on a feature of `serde_json` that other crates may switch on.
    fn sorted(text: &str) -> Vec<&str> {
        let mut lines: Vec<&str> = text.lines().map(|l| l.trim_start_matches([' ', '-'])).collect();
        lines.sort_unstable();
        lines
    }
}
