//! What somebody wants of the answers to them.

use jiff::Timestamp;

use crate::{
    clock::NoZone,
    error::Stop,
    pipeline::{Invocation, Pipeline},
    preferences::Preference,
    reply::{Fact, Layout, Line, Reply, Status},
};

/// What is chosen.
#[derive(Debug, Clone)]
pub(super) enum Choice {
    Layout(Layout),
    Rows(u16),
    /// By its name.
    Zone(String),
    /// Nothing any more.
    Reset,
}

impl Choice {
    /// The time zone with this name.
    pub(super) fn zone(pipeline: &Pipeline, typed: &str) -> Result<Self, Stop> {
        pipeline.zones.find(typed).map(|(name, _)| Self::Zone(name)).map_err(|why| {
            let none = Line::new().plain("there is no time zone ").code(typed);
            match why {
                NoZone::NoDatabase => Stop::failed(
                    "this machine has no time zones; whoever runs it can install the package tzdata",
                ),
                NoZone::Unknown(near) if near.is_empty() => Stop::not_understood(
                    none.plain("; write continent and city, such as ").code("Europe/Berlin"),
                ),
                NoZone::Unknown(near) => {
                    Stop::not_understood(none.plain("; the nearest: ").code(near.join(", ")))
                }
            }
        })
    }
}

/// Keeps what somebody has chosen, and says what it means.
pub(super) async fn choose(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    choice: &Choice,
) -> Result<Reply, Stop> {
    let user = &invocation.operator.user;
    let before = pipeline.preferences.of(user)?;
    let mut wanted = before.clone();
    match choice {
        Choice::Layout(layout) => wanted.layout = Some(*layout),
        Choice::Rows(rows) => wanted.rows = Some(*rows),
        Choice::Zone(name) => wanted.zone = Some(name.clone()),
        Choice::Reset => wanted = Preference::default(),
    }
    let status = if wanted == before { Status::NothingChanged } else { Status::Done };
    pipeline.preferences.keep(user, &wanted).await?;
    let reply = Reply::outcome(status, told(choice, pipeline.clock.now()));
    Ok(match choice {
        Choice::Reset => reply,
        Choice::Layout(_) | Choice::Rows(_) | Choice::Zone(_) => {
            reply.command("Undo all of it", vec!["me".to_owned(), "reset".to_owned()])
        }
    })
}

fn told(choice: &Choice, now: Timestamp) -> Line {
    match choice {
        Choice::Layout(layout) => {
            Line::from("your lists come as ").code(layout.as_str()).plain(match layout {
                Layout::Cards => ": two lines for each entry",
                Layout::List => ": one line for each entry",
                Layout::Code => ": columns of fixed pitch, cut to fit a phone",
            })
        }
        // Drawn in the zone that was chosen.
        Choice::Zone(name) => {
            Line::from("you get times in ").code(name).plain(" and UTC: it is ").at(now)
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
    let zone = wanted.zone.as_deref().unwrap_or("UTC");
    vec![("Layout", layout), ("Page", rows), ("Times", Line::from(zone))]
}
