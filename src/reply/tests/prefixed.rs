//! Commands in answers where they begin with another prefix.

use std::{fs, path::Path};

use super::*;
use crate::input::Prefix;

fn drawn(reply: &Reply, prefix: &str) -> Drawn {
    let prefix: Prefix = prefix.parse().unwrap();
    let mut parts = reply.draw(Custom { layout: Layout::Cards, prefix: &prefix });
    parts.pop().unwrap()
}

#[test]
fn commands_have_the_prefix_and_nothing_else_is_touched() {
    let is_word = |word: &str| matches!(word, "user" | "freeze");
    let reply =
        Reply::outcome(Status::Refused, Line::new().command("!user list").plain(" is not it"))
            .facts(vec![
                ("Room", Line::new().code("!user:example.org")),
                ("Name", Line::new().hostile(&Hostile::new("!user list"))),
                ("Typed", Line::new().plain("somebody said !user list")),
            ])
            .text(Line::new().marked("see `!user list`, `--for` and more"))
            .note(Line::new().naming(
                "Send !freeze; such as `!user list` (!user), no x!user or !user:x",
                &is_word,
            ))
            .command("Undo", vec!["user".to_owned(), "search".to_owned(), "a !user b".to_owned()]);
    for (prefix, typed) in [("!", "!"), (".", "."), ("!s ", "!s ")] {
        let Drawn { body, html } = drawn(&reply, prefix);
        for line in [
            format!("Refused · {typed}user list is not it"),
            "Room: !user:example.org".to_owned(),
            "Typed: somebody said !user list".to_owned(),
            format!("see {typed}user list, --for and more"),
            format!(
                "Send {typed}freeze; such as `{typed}user list` ({typed}user), no x!user or !user:x"
            ),
            format!("Undo: {typed}user search \"a !user b\""),
        ] {
            assert!(body.contains(&line), "{line}\n{body}");
        }
        assert!(body.contains("“!user list”"), "{body}");
        assert!(html.contains(&format!("<code>{typed}user list</code>")), "{html}");
        assert!(!html.contains('\u{2060}'), "{html}");
    }
}

#[test]
fn a_command_that_is_cut_begins_with_its_prefix_once() {
    let long = format!("!user search {}", "word ".repeat(20_000));
    let prefix: Prefix = "!s ".parse().unwrap();
    let parts = Reply::data(Line::new().command(long))
        .draw(Custom { layout: Layout::Cards, prefix: &prefix });
    assert!(parts.len() > 1);
    let body: String = parts.iter().map(|part| part.body.clone()).collect();
    assert_eq!(body.matches("!s user search").count(), 1);
    assert_eq!(body.matches('!').count(), 1);
}

/// Every file of the source beside those of tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !name.contains("test") {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_command_is_written_as_code() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for (name, text) in found {
        let text = text.split("mod tests {").next().unwrap_or_default();
        for (at, _) in text.match_indices(".code(") {
            let argument = text.get(at + ".code(".len()..).unwrap_or_default().trim_start();
            let argument = argument.strip_prefix("format!(").unwrap_or(argument);
            let argument = argument.strip_prefix("crate::").unwrap_or(argument);
            let is_command = argument.starts_with("\"!")
                || argument.starts_with("input::shown(")
                || argument.starts_with("input::quote(");
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            assert!(!is_command, "{name}:{line}: a command is a `Line::command`, not `code`");
        }
    }
}
