//! The table in `docs/other-servers.md`: which verbs work where no more is served than the specification
//! has. A run writes it; each run that does not is held against it.

use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use synod::{
    commands::{GROUPS, takes_path},
    reply::Status,
};
use world::Message;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/other-servers.md");

/// How it is written anew.
const ANEW: &str =
    "write the table anew: UPDATE_DOCS=1 cargo test --test it specification::every_other";

/// The head of the table.
const HEAD: &str = "| Verb | Works |\n|---|---|\n";

/// Each verb, in the order of the help, with its plainest example; not those to which a path is typed.
pub(super) fn first_examples() -> Vec<(String, &'static str)> {
    let verbs = GROUPS.iter().flat_map(|group| {
        group.verbs.iter().filter_map(|verb| Some((group.words(verb), *verb.examples.first()?)))
    });
    verbs.filter(|(verb, _)| !takes_path(verb)).collect()
}

/// Whether an answer shows that the verb works. It says that it does not in one way only.
pub(super) fn works(verb: &str, answer: &Message) -> Result<bool> {
    let body = &answer.body;
    let not_served = format!("Failed · this homeserver does not serve !{verb}");
    if body.starts_with(&not_served) && body.contains("What works here: ") {
        return Ok(false);
    }
    let is_no = Status::ALL.iter().filter(|status| {
        !matches!(status, Status::Done | Status::NothingChanged)
            && body.starts_with(&format!("{} · ", status.as_str()))
    });
    if let Some(status) = is_no.into_iter().next() {
        bail!("neither works nor says that it is not served ({}): {body}", status.as_str());
    }
    Ok(true)
}

/// Fails unless the table says what was seen; writes it where that is asked for.
pub(super) fn hold(seen: &[(String, bool)]) -> Result<()> {
    let page = fs::read_to_string(PAGE).context(PAGE)?;
    let (before, table) = page.split_once(HEAD).context("the page has no table")?;
    let row = |(verb, works): &(String, bool)| {
        format!("| `!{verb}` | {} |\n", if *works { "yes" } else { "no" })
    };
    let now: String = seen.iter().map(row).collect();
    if env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(PAGE, format!("{before}{HEAD}{now}")).context(PAGE);
    }
    ensure!(table == now, "the table says something else than was seen\n{ANEW}");
    Ok(())
}
