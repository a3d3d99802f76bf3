//! A homeserver that has no Admin API, and serves what the specification has for admins.

use super::{Finding, http::Api};
use crate::{config::Config, synapse::Moderation};

/// By what admins work on a homeserver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serves {
    /// By the Admin API of Synapse, or it is not known by what.
    AdminApi,
    /// By the endpoints of the specification alone.
    Specification,
}

/// What the homeserver announces to the account of the admin token
/// (`GET /_matrix/client/v3/capabilities`); `None` where it does not, and where that is no admin.
pub(super) async fn announced(config: &Config, admin_server: &Api) -> Option<Moderation> {
    let api = admin_server.with(&config.homeserver.admin_token);
    let answer = api.get(&["_matrix", "client", "v3", "capabilities"], &[]).await.ok()?;
    Moderation::announced(&answer)
}

/// What is told of such a homeserver.
pub(super) fn told(announced: Moderation, places: &str) -> Finding {
    let what = match (announced.suspend, announced.lock) {
        (true, true) => "suspend and lock",
        (true, false) => "suspend",
        _ => "lock",
    };
    Finding::warn(
        // A room reads the beginning of it.
        format!(
            "homeserver: reachable; it has no Admin API of Synapse, only the specification's {what}, \
            at {places}"
        ),
        "Only few commands work there; docs/other-servers.md lists them. If it is Synapse, set \
        homeserver.admin_url to the address where it serves /_synapse/admin",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_told_and_nothing_else() {
        let told = |suspend, lock| {
            told(Moderation { suspend, lock, stable: true }, "https://m.x").to_string()
        };
        assert!(told(true, true).contains("specification's suspend and lock, at https://m.x"));
        assert!(
            told(true, false)
                .contains("no Admin API of Synapse, only the specification's suspend, at")
        );
        assert!(told(false, true).contains("only the specification's lock, at"));
        assert!(told(true, true).starts_with("warn "), "the bot works: {}", told(true, true));
    }
}
