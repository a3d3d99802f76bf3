//! The page of what makes somebody act or speak, made from what the verbs' options are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use crate::{
    change::{Class, Power},
    commands::{
        Ask, Does, GROUPS, Options, Spec,
        acting::{ACTING, Acting, QUIET, Reaches},
    },
    input::{Heard, hear},
    operators::Rank,
    pipeline::inbound::understand::{Understood, is_first_word, understand},
};

const HEAD: &str = "# Who is made to act or to speak

Whoever has an admin token can make any account act. This page names each command and option by
which somebody acts or speaks who has not asked for it, or gets to act as somebody else: what it
takes, of whom the gate hears besides whom or what the command is about (who is refused or protected
as a subject of it is), and as which other commands the config's rules and roles take it. It is made
from the commands themselves: `UPDATE_DOCS=1 cargo test --lib acts` writes it anew.

| command | who acts | what they do | power | role by default | class | reaches besides | amounts to |
|---|---|---|---|---|---|---|---|
";

const QUIETLY: &str = "
## Nobody acts by these

| command | options |
|---|---|
";

/// What a command takes, costs and amounts to.
fn weight(example: &str) -> (Power, Class, Vec<String>) {
    let Heard::Command(command) = hear(&format!("!{example}"), None, &is_first_word) else {
        panic!("{example} is not heard as a command")
    };
    match understand(&command.words) {
        Understood::Command(Ask::Change(action), _) => {
            let amounts = action.amounts_to().into_iter().map(|verb| format!("`{verb}`"));
            (action.power(), action.class(1), amounts.collect())
        }
        other => panic!("{example} changes nothing: {other:?}"),
    }
}

fn row(acting: &Acting) -> String {
    let Acting { verb, option, who, does, reaches, example } = acting;
    let (power, class, amounts) = weight(example);
    let name = if option.is_empty() { format!("!{verb}") } else { format!("!{verb} --{option}") };
    let role = Rank::with(power).as_str();
    let reaches = match reaches {
        Reaches::Nobody => "nobody",
        Reaches::Rooms => "the rooms",
        Reaches::Account => "that account",
        Reaches::Named => "who and which rooms are named",
    };
    let amounts = if amounts.is_empty() { "itself".to_owned() } else { amounts.join(", ") };
    let (power, class) = (power.as_str(), class.as_str());
    format!("| `{name}` | {who} | {does} | {power} | {role} | {class} | {reaches} | {amounts} |")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for acting in ACTING {
        let _ = writeln!(page, "{}", row(acting));
    }
    page.push_str(QUIETLY);
    for (verb, options) in QUIET {
        let options: Vec<String> = options
            .iter()
            .map(|option| {
                if option.is_empty() {
                    "the command itself".to_owned()
                } else {
                    format!("`--{option}`")
                }
            })
            .collect();
        let _ = writeln!(page, "| `!{verb}` | {} |", options.join(", "));
    }
    page
}

/// The options of a verb in their long forms, without those that every verb has, and the verb
/// itself.
fn options(verb: &Spec) -> BTreeSet<String> {
    let common = Options::add_to_look(Options::add(clap::Command::new("any"), true));
    let common: BTreeSet<&str> = common.get_arguments().map(|arg| arg.get_id().as_str()).collect();
    let command = verb.command();
    let own = command.get_arguments().filter(|arg| !common.contains(arg.get_id().as_str()));
    own.filter_map(|arg| arg.get_long()).chain([""]).map(str::to_owned).collect()
}

#[test]
fn every_option_that_changes_something_says_whether_somebody_acts() {
    let mut said: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let quiet = QUIET.iter().flat_map(|(verb, all)| all.iter().map(|option| (*verb, *option)));
    for (verb, option) in quiet.chain(ACTING.iter().map(|one| (one.verb, one.option))) {
        assert!(said.entry(verb).or_default().insert(option.to_owned()), "{verb} {option} twice");
    }
    let mut faults = Vec::new();
    for group in GROUPS {
        for verb in group.verbs.iter().filter(|verb| verb.does != Does::Look) {
            let name = group.words(verb);
            let said = said.remove(name.as_str()).unwrap_or_default();
            let there = options(verb);
            let missing: Vec<_> = there.difference(&said).collect();
            if !missing.is_empty() {
                faults.push(format!("    (\"{name}\", &{missing:?}),"));
            }
            let gone: Vec<_> = said.difference(&there).collect();
            assert!(gone.is_empty(), "{name} has no {gone:?}");
        }
    }
    assert!(said.is_empty(), "no such verbs: {said:?}");
    let faults = faults.join("\n");
    assert!(faults.is_empty(), "src/commands/acting.rs does not say who acts by these:\n{faults}");
}

#[test]
fn the_page_of_who_acts_says_what_the_verbs_say() {
    for Acting { verb, option, example, .. } in ACTING {
        assert!(format!("{example} ").starts_with(&format!("{verb} ")), "{example}: not {verb}");
        assert!(!option.is_empty() || !example.contains(" --"), "{example} says more than {verb}");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/acting-as.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == page, "docs/acting-as.md is not what the verbs say; write it anew");
}
