//! What the README and the pages of the book tell people to type.

use std::{collections::BTreeMap, path::Path};

use super::words;
use crate::{change::Class, pipeline::inbound::understand::*};

/// The README and the pages of the book that show what to type, by their names. The others name
/// commands without what they take, or are made from the commands.
fn pages() -> Vec<(String, String)> {
    const NAMING: &[&str] = &[
        "commands.md",
        "acting-as.md",
        "threats.md",
        "adding-a-verb.md",
        "versions.md",
        "other-servers.md",
        "delegated-accounts.md",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let summary = std::fs::read_to_string(root.join("docs/SUMMARY.md")).unwrap();
    let linked = summary.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let book = linked.map(|(page, _)| page).filter(|page| !NAMING.contains(page));
    let all = book.map(|page| format!("docs/{page}")).chain(["README.md".to_owned()]);
    all.map(|page| (page.clone(), std::fs::read_to_string(root.join(&page)).unwrap())).collect()
}

/// The commands that a page shows: what stands in code marks, in a block, and what was said in the
/// transcript.
fn shown(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in page.split('`').skip(1).step_by(2).chain(page.lines()) {
        let line = piece
            .split_once("│ !")
            .map_or_else(|| piece.trim().to_owned(), |(_, command)| format!("!{command}"));
        let is_command = line.strip_prefix('!').is_some_and(|rest| !rest.starts_with('['));
        if !is_command || line == "!" || line.contains('\n') {
            continue;
        }
        // Those whom it is about may stand in the lines below it.
        let below = page.split_once(&format!("\n{line}\n@")).map(|(_, below)| format!("@{below}"));
        let listed =
            below.iter().flat_map(|below| below.lines().take_while(|l| l.starts_with('@')));
        let line = listed.fold(line, |line, id| format!("{line} {id}"));
        found.push(line.trim_start_matches('!').to_owned());
    }
    found
}

#[test]
fn every_command_in_the_readme_and_the_book_is_one() {
    let mut found = 0;
    for (name, page) in pages() {
        for line in shown(&page) {
            found += 1;
            let first = line.split_whitespace().next().unwrap_or_default().to_lowercase();
            assert!(is_first_word(&first), "{name}: {line}");
            if first == "user" && line.split_whitespace().count() == 1 {
                continue;
            }
            assert!(
                matches!(
                    understand(&cases::as_cases(words(&line))),
                    Understood::Command(..) | Understood::Own(..)
                ),
                "{name}: {line}"
            );
        }
    }
    assert!(found > 100, "README and book show commands: {found}");
}

#[test]
fn the_page_to_print_says_what_each_command_costs() {
    let page = include_str!("../../../../../docs/tonight.md");
    let mut found = BTreeMap::new();
    for part in page.split("\n## ").skip(1) {
        let (title, text) = part.split_once('\n').unwrap();
        for line in shown(text) {
            let class = match understand(&words(&line)) {
                Understood::Command(Ask::Read(_), _) | Understood::Own(..) => None,
                // It shows what it would send.
                Understood::Command(Ask::Change(_), options) if options.plan => None,
                Understood::Command(Ask::Change(action), _) => Some(action.class(1)),
                Understood::Reply(_) => panic!("{line} is not understood"),
            };
            let fits = match title {
                "Look (changes nothing)" => class.is_none(),
                "Act (can be undone, runs at once)" => {
                    class.is_none_or(|class| class == Class::Reversible)
                }
                "Act (cannot be undone, the bot asks first)" => {
                    class.is_none_or(|class| class > Class::Reversible)
                }
                _ => true,
            };
            assert!(fits, "{title}: {line} is {class:?}");
            *found.entry(title).or_insert(0) += usize::from(class.is_some());
        }
    }
    // The titles above are those of the page.
    let compared: Vec<&str> = found
        .iter()
        .filter(|(title, count)| title.starts_with("Act (") && **count >= 5)
        .map(|(title, _)| *title)
        .collect();
    assert_eq!(compared.len(), 2, "{found:?}");
}
