//! `federation details`: how one server is reached, and how much is shared with it.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::OwnedServerName;
use serde::Deserialize;

use super::{
    destination::{self, Destination},
    rooms,
};
use crate::{
    change::{Power, Subject},
    commands::{
        Memory, Query, Remembered, Spec, Tables,
        past::{self, PAST},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::query::<Details>("details", &["federation details remote.example"]).also(&["show"]);

/// Show whether another server can be reached, and how many rooms are shared with it
#[derive(Debug, clap::Args)]
struct Details {
    /// The name of the server
    #[arg(value_parser = destination::server)]
    server: OwnedServerName,
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::DESTINATION])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        reader.may_name(&Subject::Destination(self.server.clone()))?;
        let (found, rooms) = tokio::join!(
            destination::raw(&self.server, reader),
            rooms::count(&self.server, reader)
        );
        let found = found?.ok_or_else(|| Stop::not_found(destination::unknown(&self.server)))?;
        let unread = || {
            Stop::failed(
                "the homeserver knows this server, but I cannot read its \
                                       answer",
            )
        };
        let found = Destination::deserialize(&found).map_err(|_| unread())?;
        let remembered = memory.of(&Subject::Destination(self.server.clone()), PAST);
        // A courtesy: what matters is whether the server is reached.
        Ok(told(&found, rooms.ok(), &remembered, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let found = destination::raw(&self.server, reader).await?;
        let found = found.ok_or_else(|| Stop::not_found(destination::unknown(&self.server)))?;
        Ok(sheet.object("destination", &found)?)
    }
}

fn told(found: &Destination, rooms: Option<u64>, remembered: &Remembered, now: Timestamp) -> Reply {
    let mut facts = found.facts(now);
    let rooms = rooms.map_or_else(|| "cannot be counted".to_owned(), |rooms| rooms.to_string());
    facts.push(("Rooms shared", rooms.into()));
    let reply = Reply::data(Line::new().code(&found.name)).facts(facts);
    let words = |verb: &str| ["federation", verb, &found.name].map(str::to_owned).to_vec();
    let reply = if found.is_failing() {
        reply.command("Try it again now", words("reset"))
    } else {
        reply.command("Which rooms", words("rooms"))
    };
    past::told(reply, remembered, now)
}

#[cfg(test)]
mod tests {
    use super::{super::destination::tests::remote, *};
    use crate::commands::user::testing::{self, now};

    #[test]
    fn the_command_that_helps_comes_with_it() {
        let text = |failing, rooms| {
            let found = Destination::deserialize(remote(failing)).unwrap();
            testing::reply(&told(&found, rooms, &Remembered::default(), now()))
        };
        assert_eq!(
            text(false, Some(3)),
            "`remote.example`\n\
             Reached: yes\n\
             Rooms shared: 3\n\
             Which rooms: !federation rooms remote.example\n"
        );
        let failing = text(true, None);
        assert!(failing.contains("Rooms shared: cannot be counted\n"), "{failing}");
        assert!(failing.ends_with("now: !federation reset remote.example\n"), "{failing}");
    }
}
