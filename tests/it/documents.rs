//! What the documentation says of the code is so.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::SYNOD;

mod picture;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(root().join(file)).with_context(|| file.to_owned())
}

/// Every page of the book, as a path from the root.
fn book() -> Result<Vec<String>> {
    let mut pages = Vec::new();
    for page in fs::read_dir(root().join("docs"))? {
        let name = page?.file_name().into_string().ok().context("names are plain text")?;
        if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    Ok(pages)
}

/// The text of each block that is fenced with this word.
fn blocks(page: &str, word: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in page.lines() {
        let text = line.trim_start();
        match &mut open {
            Some(_) if text.starts_with("```") => {
                blocks.extend(open.take().map(|(_, block)| block));
            }
            Some((indent, block)) => {
                block.push_str(line.get(*indent..).unwrap_or_default());
                block.push('\n');
            }
            None if text == format!("```{word}") => {
                open = Some((line.len() - text.len(), String::new()));
            }
            None => {}
        }
    }
    blocks
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
fn every_file_that_a_page_names_is_there() -> Result<()> {
    let is_file = |name: &str| {
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
        name.contains('/')
            && !name.contains(['<', ' ', ':'])
            && !name.starts_with(['/', '!'])
            && matches!(ending, Some("rs" | "sh" | "md"))
    };
    let for_developers = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut named = 0;
    for page in
        for_developers.map(str::to_owned).into_iter().chain(book()?).chain(["README.md".into()])
    {
        let text = read(&page)?;
        let folder = root().join(&page).parent().map(PathBuf::from).unwrap_or_default();
        let quoted = text.split('`').skip(1).step_by(2).filter(|piece| is_file(piece));
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let linked = linked.map(|(to, _)| to.split_once('#').map_or(to, |(file, _)| file));
        let linked = linked.filter(|to| !to.is_empty() && !to.contains("://"));
        for name in linked {
            assert!(folder.join(name).exists(), "{page} links to {name}, which is not there");
            named += 1;
        }
        for name in quoted {
            let there = [root().join(name), root().join("src").join(name)];
            assert!(there.iter().any(|path| path.exists()), "{page} names {name}: not there");
            named += 1;
        }
    }
    assert!(named > 60, "only {named} files are named");
    Ok(())
}

#[test]
fn every_page_has_its_place_in_the_book() -> Result<()> {
    let summary = read("docs/SUMMARY.md")?;
    let linked = summary.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let linked: BTreeSet<String> = linked.map(|(page, _)| format!("docs/{page}")).collect();
    let pages: BTreeSet<String> =
        book()?.into_iter().filter(|page| page != "docs/SUMMARY.md").collect();
    assert_eq!(linked, pages);
    Ok(())
}

/// The lines of a block of a shell, those that go on in the next one joined.
fn lines(block: &str) -> Vec<String> {
    block.replace("\\\n", " ").lines().map(str::to_owned).collect()
}

#[test]
fn every_line_for_a_shell_is_one_and_names_what_is_there() -> Result<()> {
    let mut found = 0;
    for page in book()?.into_iter().chain(["README.md".into(), "CONTRIBUTING.md".into()]) {
        for block in blocks(&read(&page)?, "sh") {
            let checked = Command::new("bash").args(["-n", "-c", &block]).output()?;
            let said = String::from_utf8_lossy(&checked.stderr);
            ensure!(checked.status.success(), "{page}: {said}\n{block}");
            for line in lines(&block) {
                let first = line.split_whitespace().next().unwrap_or_default();
                let is_script =
                    ["deploy/", "tests/", ".ci/"].iter().any(|at| first.starts_with(at));
                assert!(!is_script || root().join(first).exists(), "{page}: no {first}");
            }
            found += 1;
        }
    }
    assert!(found > 10, "only {found} blocks");
    Ok(())
}

/// Every command line of the binary that a page shows, in a block or between code marks.
fn of_the_binary(page: &str) -> Vec<String> {
    let quoted = page.split('`').skip(1).step_by(2).map(|piece| piece.replace('\n', " "));
    let blocks = blocks(page, "sh").into_iter().flat_map(|block| lines(&block));
    let all = quoted.chain(blocks).map(|line| line.trim().to_owned());
    // What names a command without its arguments, such as `synod check`, shows no use of it.
    all.filter(|line| line.starts_with("synod ") && line.contains(" --")).collect()
}

#[test]
fn every_use_of_the_binary_is_understood() -> Result<()> {
    let mut found = 0;
    for page in book()?.into_iter().chain(["README.md".into(), "CHANGELOG.md".into()]) {
        for line in of_the_binary(&read(&page)?) {
            // What follows is a command of the room, which a bot would have to understand.
            let (line, command) = line.split_once(" -- ").unwrap_or((&line, "help"));
            let first = command.split(' ').next().unwrap_or_default();
            ensure!(synod::pipeline::is_first_word(first), "{page}: {command}");
            // Help comes when everything before it was understood.
            let words: Vec<&str> = line.split_whitespace().skip(1).chain(["--help"]).collect();
            let told = Command::new(SYNOD).args(&words).output()?;
            let said = String::from_utf8_lossy(&told.stderr);
            ensure!(told.status.success(), "{page}: {line}: {said}");
            found += 1;
        }
    }
    assert!(found > 5, "only {found} lines");
    let wrong = Command::new(SYNOD).args(["check", "--confg", "FILE", "--help"]).output()?;
    ensure!(!wrong.status.success(), "help comes in spite of what is not understood");
    Ok(())
}

/// All sources below a folder, each text in one line.
fn sources(folder: &Path) -> Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.push_str(&sources(&path)?);
        } else {
            let text = fs::read_to_string(&path)?;
            let joined = text.split("\\\n").enumerate();
            let joined = joined.map(|(n, part)| if n == 0 { part } else { part.trim_start() });
            all.extend(joined);
        }
    }
    Ok(all)
}

#[test]
fn what_the_check_is_said_to_say_it_says() -> Result<()> {
    let said = [sources(&root().join("src/check"))?, sources(&root().join("src/config"))?].concat();
    let page = read("docs/trouble.md")?;
    let mut found = 0;
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (words, _) = row.split_once('`').context("a row begins with what is said")?;
        for piece in words.split('…').map(|piece| piece.trim_matches([' ', ':', ','])) {
            assert!(said.contains(piece), "nobody says {piece:?}");
        }
        found += 1;
    }
    assert!(found >= 8, "only {found} rows");
    Ok(())
}
