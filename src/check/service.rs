//! Whether the authentication service lets the bot in, where the homeserver has one.

use serde_json::Value;

use super::{
    Report,
    http::{self, Api, Trouble},
};
use crate::{
    config::{AuthenticationService, Config},
    finding::Finding,
};

/// The right that the bot asks for.
const SCOPE: &str = "urn:mas:admin";

const KEY: &str = "homeserver.authentication_service";

/// Tells who manages the accounts, and whether the bot can do that there.
pub(super) async fn findings(config: &Config, server: &Api, report: &mut Report<'_>) {
    let metadata = server.get(&["_matrix", "client", "v1", "auth_metadata"], &[]).await;
    let is_delegated = metadata.is_ok_and(|metadata| metadata["issuer"].is_string());
    match (&config.homeserver.authentication_service, is_delegated) {
        (None, false) => {}
        (None, true) => report.add(Finding::warn(
            "an authentication service manages the accounts",
            format!(
                "Change passwords, locks, admin rights and logins there, or set {KEY} so that synod \
                 can; Synapse cannot, and synod says so"
            ),
        )),
        (Some(_), false) => report.add(Finding::warn(
            format!("{KEY} is set, but the homeserver manages its own accounts"),
            format!("Remove {KEY}; until accounts are delegated it has no effect"),
        )),
        (Some(service), true) => report.add(entry(config, service).await),
    }
}

/// Asks for a token and, with it, whose accounts the service manages.
async fn entry(config: &Config, service: &AuthenticationService) -> Finding {
    let Ok(client) = http::client().build() else {
        return Finding::bad(
            "authentication service: an HTTPS client cannot be set up here",
            "Check the TLS setup of this system",
        );
    };
    let issuer = Api::new(client.clone(), &service.issuer);
    let token = match issuer.client_token(&service.client_id, &service.client_secret, SCOPE).await {
        Ok(token) => token,
        Err(trouble) => return no_token(&trouble),
    };
    let api = Api::new(client, &service.admin_url).with(&token);
    match api.get(&["api", "admin", "v1", "site-config"], &[]).await {
        Ok(site) => whose(config, &site),
        Err(Trouble::Foreign(401)) => Finding::bad(
            "authentication service: it does not let synod administer it",
            format!(
                "In its configuration, add the id of {KEY}.client_id to policy.data.admin_clients"
            ),
        ),
        Err(Trouble::Silent(why)) => Finding::bad(
            format!("authentication service: no answer from its admin API: {why}"),
            format!("Start it, or correct {KEY}.admin_url"),
        ),
        Err(_) => Finding::bad(
            "authentication service: it does not serve its admin API to synod",
            format!("Add adminapi to the resources of the listener at {KEY}.admin_url"),
        ),
    }
}

fn whose(config: &Config, site: &Value) -> Finding {
    let own = config.bot.user_id.server_name().as_str();
    match site["server_name"].as_str() {
        Some(name) if name == own => Finding::ok(
            "authentication service: it manages the accounts, and lets synod do that too",
        ),
        _ => Finding::bad(
            "authentication service: it manages the accounts of another homeserver",
            format!("Correct {KEY}.admin_url"),
        ),
    }
}

fn no_token(trouble: &Trouble) -> Finding {
    match trouble {
        Trouble::Silent(why) => Finding::bad(
            format!("authentication service: no answer: {why}"),
            format!("Start it, or correct {KEY}.issuer"),
        ),
        Trouble::Foreign(401) => Finding::bad(
            "authentication service: it does not accept the client of synod",
            format!(
                "Make {KEY}.client_id and .client_secret those of an entry of clients in its \
                 configuration, with client_auth_method: client_secret_basic"
            ),
        ),
        Trouble::Foreign(400 | 403) => Finding::bad(
            "authentication service: it does not let synod administer it",
            format!(
                "In its configuration, add the id of {KEY}.client_id to policy.data.admin_clients"
            ),
        ),
        _ => Finding::bad(
            "authentication service: nothing gives out tokens where it should",
            format!("Make {KEY}.issuer the address of a listener of it with the resource oauth"),
        ),
    }
}
