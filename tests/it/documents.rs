//! What the documentation says of the code is so.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

fn read(file: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).with_context(|| file.to_owned())
}

#[test]
fn every_test_that_the_threat_list_names_is_there() -> Result<()> {
    let list = read("docs/threats.md")?;
    let mut named = 0;
    for piece in list.split('`').skip(1).step_by(2) {
        let Some((file, test)) = piece.split_once(": ") else { continue };
        if Path::new(file).extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = read(file)?;
        let there = source.contains(&format!("fn {test}("));
        assert!(there, "docs/threats.md names {test}, which is not in {file}");
        named += 1;
    }
    assert!(named > 50, "only {named} tests are named");
    Ok(())
}

#[test]
fn every_excerpt_of_the_contributors_page_stands_in_its_file() -> Result<()> {
    let page = read("docs/adding-a-verb.md")?;
    let mut excerpts = 0;
    for block in page.split("```rust,").skip(1) {
        let (file, rest) = block.split_once('\n').context("a fence has a line of its own")?;
        let (excerpt, _) = rest.split_once("\n```").context("a fence is closed")?;
        let source = read(file.trim())?;
        assert!(source.contains(excerpt), "{file} does not hold:\n{excerpt}");
        excerpts += 1;
    }
    assert!(excerpts > 5, "only {excerpts} excerpts");
    Ok(())
}

#[test]
fn every_file_that_a_page_for_developers_names_is_there() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_file = |name: &str| {
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
        name.contains('/') && !name.contains('<') && matches!(ending, Some("rs" | "sh" | "md"))
    };
    let mut named = 0;
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        let text = read(page)?;
        let quoted = text.split('`').skip(1).step_by(2).filter(|piece| is_file(piece));
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let linked = linked.map(|(to, _)| to).filter(|to| !to.contains("://"));
        for name in quoted.chain(linked) {
            let there = [root.join(name), root.join("src").join(name)].iter().any(|p| p.exists());
            assert!(there, "{page} names {name}, which is not there");
            named += 1;
        }
    }
    assert!(named > 10, "only {named} files are named");
    Ok(())
}
