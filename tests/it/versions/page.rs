//! The table of versions and verbs in `docs/versions.md`. The runs write it; each run that does not is
//! held against it, and so is what each verb says it needs.

use std::{collections::BTreeMap, env, fs};

use anyhow::{Context as _, Result, ensure};
use synod::{
    commands::{GROUPS, Later, Needs, Spec, needs},
    synapse::Version,
};

use super::{Seen, VERSIONS};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/versions.md");

/// How all is written anew.
const ANEW: &str = "write the table anew: UPDATE_DOCS=1 tests/long.sh --versions";

/// What stands for an option that takes a value.
const VALUES: [(&str, &str); 4] =
    [("after", "30d"), ("before", "30d"), ("exclude_user_type", "bot"), ("type", "m.room.name")];

/// What is in the table: of each verb a cell for each of [`VERSIONS`].
type Table = BTreeMap<String, Vec<String>>;

/// The verbs in the order of the help, as they are typed.
fn verbs() -> impl Iterator<Item = (String, &'static Spec)> {
    GROUPS.iter().flat_map(|group| group.verbs.iter().map(|verb| (group.words(verb), verb)))
}

/// Commands with the options that came later than their verb and are in none of its examples without another
/// such option.
pub(super) fn later_of(verb: &str) -> Result<Vec<String>> {
    let (_, spec) = verbs().find(|(words, _)| words == verb).context("no such verb")?;
    let command = spec.command();
    let mut commands = Vec::new();
    for option in spec.needs.later.iter().filter(|option| option.what.is_none()) {
        let typed = option.typed();
        // Beside another one it would perhaps not be the one that is named.
        let has = |example: &str, typed: &str| example.split(' ').any(|word| word == typed);
        let is_alone = |example: &&str| {
            let mut others = spec.needs.later.iter().map(Later::typed);
            has(example, &typed) && !others.any(|other| other != typed && has(example, &other))
        };
        if spec.examples.iter().any(is_alone) {
            continue;
        }
        let first = spec.examples.first().context("a verb has an example")?;
        let mut arguments = command.get_arguments();
        let argument = arguments.find(|argument| *argument.get_id() == option.argument);
        let value = if argument.is_some_and(|argument| argument.get_action().takes_values()) {
            let value = VALUES.iter().find(|(name, _)| *name == option.argument);
            format!(" {}", value.with_context(|| format!("no value for {typed}"))?.1)
        } else {
            String::new()
        };
        commands.push(format!("{first} {typed}{value}"));
    }
    Ok(commands)
}

/// What a cell says of a verb that comes with `since`, or of which these options come later.
fn cell(since: Option<&str>, later: &BTreeMap<String, String>) -> String {
    if let Some(since) = since {
        return format!("from {since}");
    }
    let mut versions: Vec<&String> = later.values().collect();
    versions.sort();
    versions.dedup();
    let shown = |option: &String| {
        if option.starts_with("--") { format!("`{option}`") } else { option.clone() }
    };
    let from = |version: &String| {
        let options = later.iter().filter(|(_, since)| *since == version);
        let options: Vec<String> = options.map(|(option, _)| shown(option)).collect();
        format!("{} from {version}", options.join(", "))
    };
    ["yes".to_owned()]
        .into_iter()
        .chain(versions.into_iter().map(from))
        .collect::<Vec<_>>()
        .join("; ")
}

/// What a cell has to say by what the verb says it needs.
fn declared(needs: &Needs, version: &str) -> String {
    let Some(version) = Version::read(version) else { return "no version".to_owned() };
    let since = needs.since.filter(|since| version < *since).map(|since| since.to_string());
    let later = needs.later.iter().filter(|option| version < option.since);
    let later = later.map(|option| (option.typed(), option.since.to_string())).collect();
    cell(since.as_deref(), &later)
}

/// The text before the table, and the table.
fn read() -> Result<(String, Table)> {
    let page = fs::read_to_string(PAGE).context(PAGE)?;
    let (head, rows) = page.split_once("\n| Verb |").context("the page has no table")?;
    let rows = rows.lines().skip(2).filter_map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        let verb = cells.next()?.trim_matches('`').trim_start_matches('!').to_owned();
        Some((verb, cells.collect()))
    });
    Ok((head.to_owned(), rows.collect()))
}

fn written(head: &str, table: &Table) -> String {
    let mut lines = vec![
        head.to_owned(),
        format!("| Verb | {} |", VERSIONS.join(" | ")),
        format!("|---|{}", "---|".repeat(VERSIONS.len())),
    ];
    for (verb, _) in verbs() {
        let cells = table.get(&verb).map(|cells| cells.join(" | "));
        lines.push(format!("| `!{verb}` | {} |", cells.unwrap_or_default()));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Fails unless the table says of this version what was seen; writes it there where that is asked for.
pub(super) fn hold(version: &str, seen: &BTreeMap<String, Seen>) -> Result<()> {
    let column = VERSIONS.iter().position(|known| *known == version).context("not in the table")?;
    let (head, mut table) = read()?;
    let mut differs = Vec::new();
    for (verb, seen) in seen {
        let now = cell(seen.since.as_deref(), &seen.later);
        let cells = table.entry(verb.clone()).or_default();
        cells.resize(VERSIONS.len(), String::new());
        if let Some(cell) = cells.get_mut(column).filter(|cell| **cell != now) {
            differs.push(format!("!{verb}: {now:?}, and not {cell:?}"));
            *cell = now;
        }
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(PAGE, written(&head, &table)).context(PAGE);
    }
    ensure!(differs.is_empty(), "on Synapse {version}:\n{}\n{ANEW}", differs.join("\n"));
    Ok(())
}

#[test]
fn the_table_has_each_verb_and_says_what_it_needs() -> Result<()> {
    if env::var_os("UPDATE_DOCS").is_some() {
        return Ok(());
    }
    let (head, table) = read()?;
    for (verb, _) in verbs() {
        for (column, version) in VERSIONS.into_iter().enumerate() {
            let said = table.get(&verb).and_then(|cells| cells.get(column));
            let declared = declared(&needs(&verb), version);
            assert_eq!(said, Some(&declared), "!{verb} on Synapse {version}; {ANEW}");
        }
    }
    assert_eq!(fs::read_to_string(PAGE)?, written(&head, &table), "{ANEW}");
    for version in VERSIONS {
        assert!(head.contains(version), "the page does not name {version}");
    }
    Ok(())
}

#[test]
fn each_option_that_came_later_is_tried() -> Result<()> {
    for (verb, spec) in verbs() {
        let commands = later_of(&verb)?;
        for option in spec.needs.later.iter().filter(|option| option.what.is_none()) {
            let typed = option.typed();
            let examples = spec.examples.iter().map(|example| (*example).to_owned());
            let mut all = examples.chain(commands.iter().cloned());
            assert!(all.any(|command| command.contains(&typed)), "{verb} {typed}");
        }
    }
    Ok(())
}
