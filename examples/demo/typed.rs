//! Typing in the admin room from the terminal, for whom a client of their own is too long a way.

use std::{io, thread};

use anyhow::Result;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use world::{Message, Person};

use crate::{talk::Talk, town::Town};

/// Says how it is done.
pub(crate) fn explain() {
    println!("\nOr type here: each line is said by ann.keller in the admin room. `moses: …` and");
    println!(
        "`dagny: …` let the others speak; ✅ or ❌ alone is her reaction to the bot's last word."
    );
}

/// Says every line of standard input in the admin room and shows all that is said there, until
/// the input ends.
pub(crate) async fn type_along(town: &Town, talk: &mut Talk<'_>) {
    let mut lines = lines();
    loop {
        talk.show_new();
        let mark = town.ann.mark();
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { return };
                if let Err(error) = say(town, &line).await {
                    println!("Not said: {error:#}");
                }
            }
            // Nothing heard within its patience is no error here.
            _ = town.ann.wait_for_since(mark, "something new", |_| true) => {}
        }
    }
}

/// The lines of standard input, read by a thread that ends with the program.
fn lines() -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

async fn say(town: &Town, line: &str) -> Result<()> {
    let (who, text) = speaker(town, line.trim());
    match text {
        "" => {}
        "✅" | "❌" => match last_word(town) {
            Some(message) => {
                who.react(&town.room, &message.event_id, text).await?;
            }
            None => println!("The bot has said nothing yet."),
        },
        text => {
            who.say(&town.room, text).await?;
        }
    }
    Ok(())
}

fn speaker<'a>(town: &'a Town, line: &'a str) -> (&'a Person, &'a str) {
    let named = [("ann:", &town.ann), ("moses:", &town.moses), ("dagny:", &town.stranger)];
    named
        .into_iter()
        .find_map(|(name, person)| Some((person, line.strip_prefix(name)?.trim())))
        .unwrap_or((&town.ann, line))
}

fn last_word(town: &Town) -> Option<Message> {
    let mut heard = town.ann.heard();
    heard.reverse();
    heard.into_iter().find(|message| message.is_message() && message.sender == town.bot.user_id)
}
