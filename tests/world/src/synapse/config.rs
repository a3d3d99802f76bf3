//! What a homeserver of the tests is told at its start.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use ruma::serde::Base64;

use super::{Neighbour, Options, random_bytes};
use crate::SERVER_NAME;

/// The token of the application service.
pub(super) const AS_TOKEN: &str = "the-bridge-s-own";

/// An application service that has accounts and does nothing.
const BRIDGE: &str = r#"id: bridge
url: null
as_token: TOKEN
hs_token: TOKEN-s-homeserver
sender_localpart: bridge
rate_limited: false
namespaces:
  users: [{ exclusive: true, regex: "@_bridge_.*" }]
  aliases: []
  rooms: []
"#;

/// The name that a homeserver has with these options.
pub(super) fn server_name(options: &Options) -> String {
    options.neighbour.as_ref().map_or_else(|| SERVER_NAME.to_owned(), Neighbour::server_name)
}

/// Writes what a homeserver reads at its start. Without a `database`, as YAML, it is `SQLite`.
pub(super) fn write(
    dir: &Path,
    port: u16,
    (secret, database): (&str, Option<&str>),
    options: &Options,
) -> Result<()> {
    fs::create_dir_all(dir.join("media"))?;
    let key: Base64 = Base64::new(random_bytes::<32>()?.to_vec());
    fs::write(dir.join("signing.key"), format!("ed25519 a_world {key}\n"))?;
    let bridge = dir.join("bridge.yaml");
    fs::write(&bridge, BRIDGE.replace("TOKEN", AS_TOKEN))?;
    let bridge = bridge.display();
    let sqlite = format!("{{name: sqlite3, args: {{database: {}/homeserver.db}}}}", dir.display());
    let mut config = format!(
        "server_name: '{name}'
app_service_config_files: ['{bridge}']
pid_file: {dir}/homeserver.pid
signing_key_path: {dir}/signing.key
media_store_path: {dir}/media
database: {database}
listeners:
  - port: {port}
    bind_addresses: [127.0.0.1]
    type: http
    tls: false
    resources: [{{names: [client, media]}}]
{socket}{listener}registration_shared_secret: {secret}
macaroon_secret_key: {secret}
form_secret: {secret}
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
federation_domain_whitelist: ['127.0.0.1:1'{others}]
federation_ip_range_blacklist: []
federation: {{client_timeout: 2s, max_short_retries: 0, max_long_retries: 0}}
bcrypt_rounds: 4
presence: {{enabled: false}}
experimental_features: {{msc3866: {{enabled: true}}}}
server_notices:
  system_mxid_localpart: notices
  system_mxid_display_name: Server
  room_name: Notices
  auto_join: true
",
        dir = dir.display(),
        name = server_name(options),
        database = database.unwrap_or(&sqlite),
        socket = if options.socket { socket(dir) } else { String::new() },
        listener = options.neighbour.as_ref().map(Neighbour::listener).unwrap_or_default(),
        others = options.neighbour.as_ref().map(Neighbour::others).unwrap_or_default(),
    );
    if !options.default_rate_limits {
        config.push_str(&unlimited());
    }
    config.push_str(&options.extra);
    fs::write(dir.join("homeserver.yaml"), config).with_context(|| dir.display().to_string())
}

/// One more place to listen at.
fn socket(dir: &Path) -> String {
    format!(
        "  - path: {}/socket
    type: http
    resources: [{{names: [client]}}]
",
        dir.display()
    )
}

fn unlimited() -> String {
    let none = "{per_second: 10000, burst_count: 10000}";
    let flat = [
        "rc_message",
        "rc_registration",
        "rc_admin_redaction",
        "rc_room_creation",
        "rc_3pid_validation",
        "rc_reports",
        "rc_joins_per_room",
    ];
    let nested = [
        ("rc_login", ["address", "account", "failed_attempts"].as_slice()),
        ("rc_joins", &["local", "remote"]),
        ("rc_invites", &["per_room", "per_user", "per_issuer"]),
    ];
    let flat = flat.map(|name| format!("{name}: {none}"));
    let nested = nested.map(|(name, parts)| {
        let parts: Vec<String> = parts.iter().map(|part| format!("{part}: {none}")).collect();
        format!("{name}: {{{}}}", parts.join(", "))
    });
    [flat.as_slice(), &nested, &[String::new()]].concat().join("\n")
}
