//! The conversation as an operator's client has it, and whether it goes as it should.

use std::{collections::HashSet, env, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use ruma::OwnedEventId;
use world::{Message, Person};

use crate::town::Town;

/// The width of the column that says who speaks.
const MARGIN: usize = 13;

/// Prints all that ann hears in the admin room, and keeps count of what came out otherwise.
#[derive(Debug)]
pub(crate) struct Talk<'a> {
    town: &'a Town,
    shown: HashSet<OwnedEventId>,
    checked: usize,
    unexpected: Vec<String>,
    /// What was said in the room since [`Talk::take_down`].
    taken_down: Option<String>,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(town: &'a Town) -> Self {
        let (shown, unexpected) = (HashSet::new(), Vec::new());
        Self { town, shown, checked: 0, unexpected, taken_down: None }
    }

    /// A conversation that begins now: what was heard before is not shown.
    pub(crate) fn from_now(town: &'a Town) -> Self {
        let shown = town.ann.heard().into_iter().map(|message| message.event_id).collect();
        Self { shown, ..Self::new(town) }
    }

    /// Begins a part of the conversation.
    pub(crate) fn title(&mut self, title: &str) {
        self.show_heard(None);
        println!("\n== {title}");
    }

    /// Lets `who` say something in the admin room and answers what the bot replied.
    pub(crate) async fn say(&mut self, who: &Person, text: &str) -> Result<Message> {
        let said = who.say(&self.town.room, text).await?;
        let bot = &self.town.bot.user_id;
        let what = format!("the answer to {text:?}");
        let answer = self.town.ann.wait_for(&what, |message| {
            message.is_message()
                && message.sender == *bot
                && message.reply_to.as_ref() == Some(&said)
        });
        let answer = answer.await?;
        self.show_heard(Some(&answer.event_id));
        self.expect("the answer came encrypted, from a device that Synod has signed", {
            answer.encrypted && answer.from_signed_device
        });
        Ok(answer)
    }

    /// Checks one thing. What goes without saying is only told when it is not so.
    pub(crate) fn expect(&mut self, what: &str, so: bool) {
        self.checked += 1;
        if !so {
            self.unexpected.push(what.to_owned());
            aside(&format!("✗ NOT AS EXPECTED: {what}"));
        }
    }

    /// Checks one thing and says it.
    pub(crate) fn check(&mut self, what: &str, so: bool) {
        self.expect(what, so);
        if so {
            aside(&format!("✓ as expected: {what}"));
        }
    }

    /// Takes down what is said from now on.
    pub(crate) fn take_down(&mut self) {
        self.show_heard(None);
        self.taken_down = Some(String::new());
    }

    /// Compares what was taken down with the page of the book that shows it; with `UPDATE_DOCS` the
    /// page is written anew.
    pub(crate) fn compare_with_the_book(&mut self) -> Result<()> {
        self.show_heard(None);
        let said = self.taken_down.take().unwrap_or_default();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example.md");
        let page = fs::read_to_string(&file)?;
        let (before, rest) = page.split_once("```\n").context("the page has a transcript")?;
        let (kept, after) = rest.split_once("```\n").context("it has an end")?;
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(
                &file,
                format!("{before}```\n{}```\n{after}", said.trim_start_matches('\n')),
            )?;
            return Ok(());
        }
        let known: HashSet<String> = said.lines().map(lasting).collect();
        for line in kept.lines().filter(|line| !known.contains(&lasting(line))) {
            self.expect(&format!("docs/example.md shows what was said: {line}"), false);
        }
        self.checked += 1;
        Ok(())
    }

    /// Something that nobody said in the room.
    pub(crate) fn remark(&mut self, text: &str) {
        self.show_heard(None);
        show("homeserver", text);
    }

    /// The conversation cannot go on.
    pub(crate) fn broke_off(&mut self, error: &anyhow::Error, log: &str) {
        self.show_heard(None);
        self.expect(&format!("the conversation goes on ({error:#})"), false);
        println!("\nThe end of Synod's log:\n{log}");
    }

    /// Says how it went: whether everything was as expected.
    pub(crate) fn verdict(&mut self) -> bool {
        self.show_heard(None);
        let (checked, wrong) = (self.checked, self.unexpected.len());
        if wrong == 0 {
            println!("\nAll {checked} things that were checked are as expected.\n");
        } else {
            println!("\n{wrong} of {checked} things are NOT as expected:");
            for what in &self.unexpected {
                println!("  ✗ {what}");
            }
            println!();
        }
        wrong == 0
    }

    /// Shows all that ann has heard and that is not shown yet.
    pub(crate) fn show_new(&mut self) {
        self.show_heard(None);
    }

    /// Shows what ann has heard and what is not shown yet, up to an event or all of it.
    fn show_heard(&mut self, up_to: Option<&OwnedEventId>) {
        for message in self.town.ann.heard() {
            let in_room = message.room == self.town.room && message.kind == "m.room.message";
            if in_room && self.shown.insert(message.event_id.clone()) {
                let edited = if message.replaces.is_some() { "(edits its question) " } else { "" };
                let text = format!("{edited}{}", message.body);
                let lines = laid_out(message.sender.localpart(), &text);
                print!("{lines}");
                if let Some(taken_down) = &mut self.taken_down {
                    taken_down.push_str(&lines);
                }
            }
            if Some(&message.event_id) == up_to {
                break;
            }
        }
    }
}

/// A message as it is printed: an empty line, and then who says what.
fn laid_out(who: &str, text: &str) -> String {
    let mut lines = "\n".to_owned();
    for (position, line) in text.lines().enumerate() {
        let who = if position == 0 { who } else { "" };
        let _ = writeln!(lines, "{}", format!("{who:>MARGIN$} │ {line}").trim_end());
    }
    lines
}

fn show(who: &str, text: &str) {
    print!("{}", laid_out(who, text));
}

/// What of a line is the same each time: no numbers, times and codes, and not how far the homeserver
/// is with leaving rooms.
fn lasting(line: &str) -> String {
    let line = line.split_once("Rooms: ").map_or(line, |(before, _)| before);
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn aside(text: &str) {
    println!("{:>MARGIN$} {text}", "");
}
