//! The page of all commands, made from the registry.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use crate::{
    change::{Class, Power},
    commands::{Ask, GROUPS},
    input::{Heard, hear},
    operators::Rank,
    pipeline::{
        inbound::understand::{ROOT, Understood, is_first_word, understand},
        own::OWN,
    },
};

const HEAD: &str = "# All commands

What each command costs (its class) and which right it takes (its power), over its examples and for
one subject; more of them at once cost at least what is disruptive. Where a row names several, it
depends on what is typed. `!help COMMAND` tells the rest. This page is made from the commands
themselves: `UPDATE_DOCS=1 cargo test --lib all_commands` writes it anew.

| class | what it means |
|---|---|
| read | nothing is changed |
| reversible | its undo puts everything back |
| disruptive | something cannot be put back as it was; what is reversible is asked like it about several |
| irreversible | something that people made or had is gone |

| command | what it does | class | power | role by default |
|---|---|---|---|---|
";

/// What a command costs and takes; reading costs nothing, and a power that is absent is everybody's.
fn weight(example: &str) -> (Option<Class>, Option<Power>) {
    let Heard::Command(command) = hear(&format!("!{example}"), None, &is_first_word) else {
        panic!("{example} is not heard as a command")
    };
    match understand(&command.words) {
        Understood::Command(Ask::Read(query), _) => (None, Some(query.power())),
        Understood::Command(Ask::Change(action), _) => {
            (Some(action.class(1)), Some(action.power()))
        }
        Understood::Own(own, _) => (None, own.power()),
        Understood::Reply(_) => panic!("{example} is not understood"),
    }
}

fn row(name: &str, about: &str, examples: &[&str], own: bool) -> String {
    let weights: Vec<_> = examples.iter().map(|example| weight(example)).collect();
    let classes: BTreeSet<Option<Class>> = weights.iter().map(|(class, _)| *class).collect();
    let powers: BTreeSet<Option<Power>> = weights.iter().map(|(_, power)| *power).collect();
    let class = |class: &Option<Class>| match class {
        None if own => "the bot's own".to_owned(),
        None => "read".to_owned(),
        Some(class) => class.as_str().to_owned(),
    };
    let power = |power: &Option<Power>| power.map_or("none", Power::as_str).to_owned();
    let role = |power: &Option<Power>| {
        power.map_or("viewer", |power| Rank::with(power).as_str()).to_owned()
    };
    let all = |cells: Vec<String>| {
        let mut cells = cells;
        cells.dedup();
        cells.join(", ")
    };
    format!(
        "| `!{name}` | {} | {} | {} | {} |",
        about.replace('|', "\\|"),
        all(classes.iter().map(class).collect()),
        all(powers.iter().map(power).collect()),
        all(powers.iter().map(role).collect()),
    )
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let about =
        |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    for group in GROUPS {
        for verb in group.verbs {
            let name = group.words(verb);
            let _ = writeln!(page, "{}", row(&name, &about(&verb.command()), verb.examples, false));
        }
    }
    for own in OWN {
        let command = ROOT.find_subcommand(own.name).expect("it is in the tree");
        let _ = writeln!(page, "{}", row(own.name, &about(command), own.examples, true));
    }
    page
}

#[test]
fn the_page_of_all_commands_says_what_the_registry_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == page, "docs/commands.md is not what the registry says; write it anew");
}
