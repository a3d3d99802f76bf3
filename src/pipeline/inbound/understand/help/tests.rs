//! That help reaches every word, says all that is to be said, and fits where it is read.

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::{operators::Rank, pipeline::inbound::understand::verbs, reply::Layout};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn body(reply: &Reply) -> String {
    let drawn = reply.draw(Layout::default());
    drawn.into_iter().map(|drawn| drawn.body).collect::<Vec<_>>().join("\n")
}

fn told(line: &str) -> String {
    body(&help(&words(line), None))
}

/// How many lines a text takes where so many columns fit into one; words are not broken.
fn lines_at(columns: usize, text: &str) -> usize {
    let wrapped = |line: &str| {
        let mut lines = 1;
        let mut filled = 0;
        for word in line.split(' ') {
            let width = word.width();
            if filled > 0 && filled + 1 + width > columns {
                lines += 1;
                filled = width;
            } else {
                filled += width + usize::from(filled > 0);
            }
        }
        lines
    };
    text.lines().map(wrapped).sum()
}

#[test]
fn the_help_of_everything_fits_one_screen_of_a_phone() {
    for rank in Rank::ALL {
        let all = body(&help(&[], Some(&rank.into())));
        let lines = lines_at(48, &all);
        assert!(lines <= 30, "{lines} lines for {rank:?}:\n{all}");
        let night = all.lines().filter(|line| line.starts_with("- ")).count();
        assert!(night >= 10, "{rank:?} has {night} commands of a night:\n{all}");
        for line in all.lines().filter(|line| line.starts_with("- ")) {
            assert!(line.width() <= 48, "{line}");
        }
    }
    insta::assert_snapshot!(body(&help(&[], Some(&Rank::Moderator.into()))));
}

#[test]
fn what_is_named_for_a_night_can_be_typed() {
    for (name, what) in NIGHT {
        assert!(verbs().iter().any(|verb| verb == name), "{name}");
        assert!(what.width() <= 24 && !what.ends_with('.'), "{what}");
    }
}

#[test]
fn the_help_of_some_commands() {
    let pages = ["user suspend", "user deactivate", "user list", "job", "job stop", "audit list"];
    let all: Vec<String> =
        pages.iter().map(|page| format!("!help {page}\n\n{}", told(page))).collect();
    insta::assert_snapshot!(all.join("\n\n=====\n\n"));
}

#[test]
fn the_help_of_a_group_and_of_an_answer() {
    let all = ["media", "yes", "details", "frobnicate", "user detials", "user frobnicate"];
    let all: Vec<String> =
        all.iter().map(|page| format!("!help {page}\n\n{}", told(page))).collect();
    insta::assert_snapshot!(all.join("\n\n=====\n\n"));
}

/// Every word or words that can be typed: of commands by their own names and by others, of groups,
/// and what answers a question.
fn typable() -> Vec<String> {
    let mut all = verbs();
    for group in GROUPS {
        for verb in group.verbs {
            all.extend(verb.aliases.iter().map(|alias| format!("{} {alias}", group.name)));
        }
    }
    for own in OWN {
        all.extend(own.aliases.iter().map(|&alias| alias.to_owned()));
    }
    let answers = ["yes", "y", "ok", "okay", "no", "n", "✅", "✔", "☑", "👍", "❌", "✖", "👎"];
    all.extend(answers.map(str::to_owned));
    all
}

/// The library's own words, of which none is for people.
const OF_CLAP: [&str; 9] = [
    "Usage:",
    "Arguments:",
    "Options:",
    "Commands:",
    "[default",
    "[possible",
    "[aliases",
    "OPTIONS",
    "Print help",
];

#[test]
fn every_word_that_can_be_typed_has_help_of_its_own() {
    let general = told("");
    let all = typable();
    assert!(all.len() > 130, "{}", all.len());
    for typed in all {
        for asked in [typed.clone(), format!("!{typed}"), typed.to_uppercase()] {
            let reply = help(&words(&asked), None);
            let said = body(&reply);
            assert!(reply.status.is_none() && said != general, "{asked}: {said}");
            assert!(reply.blocks.iter().all(|block| !matches!(block, Block::Code(_))), "{asked}");
            for leaked in OF_CLAP {
                assert!(!said.contains(leaked), "{asked} says {leaked}: {said}");
            }
            let usage = said.split(['<', '>']).nth(1);
            assert!(usage.is_none_or(|name| name.contains(char::is_lowercase)), "{asked}: {said}");
        }
    }
}

#[test]
fn a_command_has_its_first_example_and_its_cost_in_its_help() {
    for group in GROUPS {
        for verb in group.verbs {
            let name = group.words(verb);
            let said = told(&name);
            assert!(said.starts_with(&format!("!{name}\n")), "{said}");
            assert!(said.contains("What it costs") && said.contains("Who may: "), "{said}");
            for example in verb.examples {
                let shown = crate::input::quote(&words_of(example));
                assert!(said.lines().any(|line| line == shown), "{name}: {shown}: {said}");
            }
        }
    }
    for own in OWN {
        let said = told(own.name);
        let example = own.examples.first().unwrap();
        assert!(said.lines().any(|line| line == format!("!{example}")), "{example}: {said}");
    }
}

#[test]
fn a_verb_without_its_group_is_explained_where_only_one_has_it() {
    assert_eq!(told("suspend"), told("user suspend"));
    assert_eq!(meant(&words("suspend")), words("user suspend"));
    let several = told("details");
    assert!(several.contains("!help user details") && several.contains("!help room details"));
    assert_eq!(told("user show"), told("user details"));
    assert_eq!(told("user suspend @eve:x.test"), told("user suspend"));
}
