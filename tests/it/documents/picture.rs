//! The picture in the README, made from the transcript in `docs/example.md`, which the demo compares
//! with what is really said.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};
use unicode_width::UnicodeWidthStr as _;

use super::{read, root};

/// Who speaks for the bot.
const BOT: &str = "synod";

/// How much fits into a line, in columns; and where things are, in pixels.
const COLUMNS: usize = 54;
const WIDTH: usize = 430;
const LINE: usize = 17;
const MARGIN: usize = 14;

/// Which messages of the transcript are shown: a suspension, and the question before an erasure.
const SHOWN: &[usize] = &[0, 1, 4, 5];

/// One message of the transcript.
#[derive(Debug, Default)]
struct Said {
    who: String,
    lines: Vec<String>,
}

/// The messages of a page, in their order.
fn transcript(page: &str) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    for line in page.lines() {
        let Some((who, text)) = line.split_once(" │") else { continue };
        if !who.trim().is_empty() {
            all.push(Said { who: who.trim().to_owned(), lines: Vec::new() });
        }
        if let Some(said) = all.last_mut() {
            said.lines.push(text.strip_prefix(' ').unwrap_or(text).to_owned());
        }
    }
    all
}

/// A line as the lines that fit.
fn wrapped(line: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for word in line.split(' ') {
        let last = all.last_mut().expect("there is one");
        if !last.is_empty() && last.width() + 1 + word.width() > COLUMNS {
            all.push(word.to_owned());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    all
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One message as a bubble that begins at `y`, and where the next one begins.
fn bubble(said: &Said, y: usize) -> (String, usize) {
    let bot = said.who == BOT;
    let lines: Vec<(String, bool)> = said
        .lines
        .iter()
        .enumerate()
        .flat_map(|(place, line)| {
            wrapped(line).into_iter().map(move |line| (line, bot && place == 0))
        })
        .collect();
    let height = lines.len() * LINE + 14;
    let (fill, name) = if bot { ("#f2f3f5", "#0b6e4f") } else { ("#e6f0fb", "#1b4f9c") };
    let mut svg = format!(
        "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"600\" fill=\"{name}\">{}</text>\n\
         <rect x=\"{MARGIN}\" y=\"{}\" width=\"{}\" height=\"{height}\" rx=\"9\" fill=\"{fill}\"/>\n",
        y + 12,
        escaped(&said.who),
        y + 19,
        WIDTH - 2 * MARGIN,
    );
    for (place, (line, heading)) in
        lines.iter().enumerate().filter(|(_, (line, _))| !line.is_empty())
    {
        let weight = if *heading { " font-weight=\"700\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\"{weight}>{}</text>",
            MARGIN + 10,
            y + 19 + 18 + place * LINE,
            escaped(line),
        );
    }
    (svg, y + 19 + height + 12)
}

fn picture(messages: &[&Said]) -> String {
    let (mut body, mut y) = (String::new(), MARGIN);
    for said in messages {
        let (svg, next) = bubble(said, y);
        body.push_str(&svg);
        y = next;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" \
         height=\"{y}\" role=\"img\" font-family=\"system-ui, 'Segoe UI', Roboto, sans-serif\" \
         font-size=\"13\" fill=\"#17191c\">\n<title>A conversation with Synod</title>\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" rx=\"14\" fill=\"#ffffff\" stroke=\"#d0d4da\"/>\n{body}</svg>\n"
    )
}

#[test]
fn the_picture_shows_the_transcript() -> Result<()> {
    let all = transcript(&read("docs/example.md")?);
    let shown = SHOWN.iter().map(|place| all.get(*place).context("a message of the transcript"));
    let shown: Vec<&Said> = shown.collect::<Result<_>>()?;
    let first = |said: &Said| said.lines.first().cloned().unwrap_or_default();
    assert!(first(shown[0]).starts_with("!user suspend"), "{shown:#?}");
    assert!(first(shown[1]).starts_with("Done · "), "{shown:#?}");
    assert!(first(shown[2]).ends_with("--gdpr-erase"), "{shown:#?}");
    assert!(first(shown[3]).contains("ERASE"), "{shown:#?}");
    let picture = picture(&shown);
    let file = root().join("docs/answer.svg");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &picture)?;
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == picture, "docs/answer.svg is not what docs/example.md says; write it anew");
    Ok(())
}

#[test]
fn nothing_of_a_line_is_lost_where_it_is_wrapped() {
    let line = "To go on, send !confirm 1576 … with the localpart of the account (the part between";
    let lines = wrapped(line);
    assert!(lines.len() > 1 && lines.iter().all(|line| line.width() <= COLUMNS), "{lines:?}");
    assert_eq!(lines.join(" "), line);
    assert_eq!(wrapped(""), [""]);
}
