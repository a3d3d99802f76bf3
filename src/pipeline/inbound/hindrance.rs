//! What keeps a command from being run at all: doubt about where it came from, or its age.

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::{
    pipeline::{Command, Pipeline, Request, Said, Trust, inbound::authentic},
    reply::{Reply, Status},
};

/// What keeps a command from being run at all.
pub(in crate::pipeline) enum Hindrance {
    /// Nothing.
    None,
    /// Something of which its sender is told.
    Tell(Box<Reply>),
    /// Something that is passed over in silence.
    Silent,
}

impl Hindrance {
    /// One that is told, unless it is to be `silent`.
    fn unless(silent: bool, told: impl FnOnce() -> Reply) -> Self {
        if silent { Self::Silent } else { Self::Tell(Box::new(told())) }
    }
}

impl Pipeline {
    /// What keeps a command of an operator from being run at all: doubt about its origin, or age.
    /// What has waited here since it arrived is not older for that.
    pub(in crate::pipeline) fn not_now(
        &self,
        request: &Request,
        arrived: Timestamp,
        command: &Command,
    ) -> Hindrance {
        let bare = matches!(command, Command::Yes(_) | Command::No(_) | Command::Press(..));
        let reaction = matches!(request.said, Said::Reaction { .. });
        if let Trust::Doubtful(doubt) = request.trust
            && !reaction
        {
            warn!(sender = %request.sender, event = %request.event, ?doubt, "not believed");
            return Hindrance::unless(bare, || authentic::doubted(doubt));
        }
        let age = arrived.duration_since(request.sent);
        let limit =
            SignedDuration::try_from(self.rules.max_age).unwrap_or(SignedDuration::from_mins(5));
        if age > limit {
            info!(event = %request.event, seconds = age.as_secs(), "too old to be run");
            return Hindrance::unless(bare, || {
                Reply::outcome(
                    Status::Expired,
                    format!(
                        "this reached me {} after it was sent, and I run nothing older than {}. \
                        Send it again if you still want it",
                        reply_duration(age),
                        reply_duration(limit)
                    ),
                )
            });
        }
        Hindrance::None
    }
}

fn reply_duration(duration: SignedDuration) -> String {
    format!("{:#}", SignedDuration::from_secs(duration.as_secs()))
}
