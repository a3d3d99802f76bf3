//! What each verb has done, as the record says it in a line, before whom or what it was done to: of those
//! that do the same whatever their arguments.

/// The verb by its own name, and the words for what it did.
const DID: &[(&str, &str)] = &[
    ("user register", "created the account"),
    ("user modify", "changed"),
    ("user reactivate", "reactivated"),
    ("user password", "set a new password for"),
    ("user login", "created an access token for"),
    ("user logout", "logged out"),
    ("user prune-devices", "deleted old devices of"),
    ("user cross-signing-reset", "allowed new cross-signing keys for"),
    ("user admin", "changed the server-admin flag of"),
    ("user ratelimit", "changed the rate limit of"),
    ("user experimental", "changed experimental features of"),
    ("user invites", "ended invitations to"),
    ("user validity", "changed the expiry of"),
    ("user redact", "redacted messages of"),
    ("event redact", "redacted"),
    ("device create", "created the device"),
    ("device rename", "renamed the device"),
    ("device delete", "deleted the device"),
    ("room join", "put into a room"),
    ("room kick", "took out of a room"),
    ("room make-admin", "made a room admin in"),
    ("room demote", "demoted a room admin in"),
    ("room delete", "deleted"),
    ("room empty", "removed everybody of this server from"),
    ("room purge-empty", "deleted"),
    ("room extremities", "deleted loose ends of"),
    ("media delete", "deleted"),
    ("media delete-user", "deleted all files of"),
    ("media purge", "deleted cached media of"),
    ("history purge", "deleted old messages of"),
    ("report dismiss", "dismissed"),
    ("regtok new", "created a registration token"),
    ("regtok update", "changed the registration token"),
    ("regtok delete", "deleted the registration token"),
    ("notice send", "sent a notice to"),
    ("federation reset", "retried"),
    ("background run", "started a background job of"),
    ("raw", "sent a raw request about"),
    ("matrix raw", "sent a raw request about"),
    ("undo", "undid a change of"),
    ("sanction lift", "lifted the sanction of"),
    ("shutters close", "disabled"),
    ("shutters open", "enabled again"),
    ("limits lift", "lifted the rate limit of"),
    ("limits restore", "restored the rate limit of"),
];

/// What this verb did, in words that stand before its subject; `None` for one that is not known.
pub fn did(verb: &str) -> Option<&'static str> {
    DID.iter().find(|(known, _)| *known == verb).map(|(_, did)| *did)
}

/// Every verb of this table.
#[cfg(test)]
pub(crate) fn known() -> impl Iterator<Item = &'static str> {
    DID.iter().map(|(verb, _)| *verb)
}
