//! What somebody wants of the answers to them.

use crate::{
    error::Stop,
    pipeline::{Invocation, Pipeline},
    preferences::Preference,
    reply::{Fact, Layout, Line, Reply, Status},
};

/// What is chosen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Choice {
    Layout(Layout),
    Rows(u16),
    /// Nothing any more.
    Reset,
}

/// Keeps what somebody has chosen, and says what it means.
pub(super) async fn choose(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    choice: Choice,
) -> Result<Reply, Stop> {
    let user = &invocation.operator.user;
    let before = pipeline.preferences.of(user)?;
    let mut wanted = before.clone();
    match choice {
        Choice::Layout(layout) => wanted.layout = Some(layout),
        Choice::Rows(rows) => wanted.rows = Some(rows),
        Choice::Reset => wanted = Preference::default(),
    }
    let status = if wanted == before { Status::NothingChanged } else { Status::Done };
    pipeline.preferences.keep(user, &wanted).await?;
    let reply = Reply::outcome(status, told(choice));
    Ok(match choice {
        Choice::Reset => reply,
        Choice::Layout(_) | Choice::Rows(_) => {
            reply.command("Undo all of it", vec!["me".to_owned(), "reset".to_owned()])
        }
    })
}

fn told(choice: Choice) -> Line {
    match choice {
        Choice::Layout(layout) => {
            Line::from("your lists come as ").code(layout.as_str()).plain(match layout {
                Layout::Cards => ": all that is known of each entry",
                Layout::List => ": one line for each entry",
                Layout::Code => ": columns of fixed pitch, cut to fit a phone",
            })
        }
        Choice::Rows(rows) => Line::from(format!("your lists show {rows} entries at once")),
        Choice::Reset => Line::from("you get answers as the config says, with times in UTC"),
    }
}

/// What somebody has chosen, as facts.
pub(super) fn facts(wanted: &Preference) -> Vec<Fact> {
    let layout = match wanted.layout {
        Some(layout) => Line::from(layout.as_str()),
        None => Line::from("as the config says"),
    };
    let rows = match wanted.rows {
        Some(rows) => Line::from(format!("{rows} entries")),
        None => Line::from("as each list has it"),
    };
    vec![("Layout", layout), ("Page", rows)]
}
