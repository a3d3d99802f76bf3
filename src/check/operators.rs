//! Whether the operators can be reached: in an admin room, with an account that works.

use std::collections::BTreeMap;

use ruma::UserId;
use serde_json::Value;

use super::{
    Finding,
    account::{account, hindrance},
    http::Api,
};
use crate::config::Config;

/// Who stands how to the admin rooms: the membership by user id, `join` where they have joined one
/// of them.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<String, String>);

impl Members {
    /// Adds the members of one more room, by its state.
    pub(super) fn add(&mut self, state: &[Value]) {
        for event in state.iter().filter(|event| event["type"] == "m.room.member") {
            let user = event["state_key"].as_str();
            let Some((user, membership)) = user.zip(event["content"]["membership"].as_str()) else {
                continue;
            };
            let known = self.0.entry(user.to_owned()).or_default();
            let weight = |membership: &str| match membership {
                "join" => 2,
                "invite" => 1,
                _ => 0,
            };
            if known.is_empty() || weight(membership) > weight(known) {
                membership.clone_into(known);
            }
        }
    }

    /// Whether somebody has joined one of the rooms.
    pub(super) fn have_joined(&self, user: &UserId) -> bool {
        self.0.get(user.as_str()).is_some_and(|membership| membership == "join")
    }
}

/// What is told of all operators. `members` is nothing where a room could not be looked at;
/// without `admin`, whoever looks is no server admin and sees no accounts.
pub(super) async fn findings(
    config: &Config,
    members: Option<&Members>,
    admin: Option<&Api>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for operator in &config.operators {
        let user = &operator.user_id;
        findings.extend(members.and_then(|members| absent(user, members)));
        // What is elsewhere is not this homeserver's to tell.
        if let Some(admin) =
            admin.filter(|_| user.server_name() == config.bot.user_id.server_name())
        {
            findings.extend(match account(user, admin).await {
                Ok(account) => hindered(user, &account),
                Err(trouble) if trouble.status() == Some(404) => Some(Finding::warn(
                    format!("operators: {user} has no account on this homeserver"),
                    "Correct the id under operators, or remove it",
                )),
                Err(trouble) => Some(Finding::warn(
                    format!("operators: {user} cannot be checked: {trouble}"),
                    trouble.to_do("homeserver.admin_url", "Check again"),
                )),
            });
        }
    }
    if findings.is_empty() && members.is_some() && admin.is_some() {
        findings.push(Finding::ok("operators: all of them are in an admin room"));
    }
    findings
}

/// Told of an operator who has joined no admin room.
fn absent(user: &UserId, members: &Members) -> Option<Finding> {
    match members.0.get(user.as_str()).map(String::as_str) {
        Some("join") => None,
        Some("invite") => Some(Finding::warn(
            format!("operators: {user} is invited to an admin room but has not joined"),
            "They can approve nothing and see nothing until they accept the invitation",
        )),
        _ => Some(Finding::warn(
            format!(
                "operators: {user} is in no admin room, so they can approve nothing and see \
                     nothing"
            ),
            "Invite them, or remove them from operators",
        )),
    }
}

/// Told of an operator whose account does not work.
fn hindered(user: &UserId, account: &Value) -> Option<Finding> {
    let flag = hindrance(account)?;
    Some(Finding::warn(
        format!("operators: the account {user} is {flag}"),
        "Undo that if they stay operators, or remove them from operators",
    ))
}

#[cfg(test)]
mod tests {
    use ruma::user_id;
    use serde_json::json;

    use super::*;

    fn members(rooms: &[&[(&str, &str)]]) -> Members {
        let mut members = Members::default();
        for room in rooms {
            let event = |(user, membership): &(&str, &str)| {
                json!({
                    "type": "m.room.member",
                    "state_key": user,
                    "content": { "membership": membership },
                })
            };
            members.add(&room.iter().map(event).collect::<Vec<_>>());
        }
        members
    }

    #[test]
    fn an_operator_is_missed_only_who_has_joined_no_room() {
        let told = |rooms: &[&[(&str, &str)]]| absent(user_id!("@ann:x"), &members(rooms));
        assert_eq!(told(&[&[("@ann:x", "join")]]), None);
        assert_eq!(told(&[&[("@ann:x", "leave")], &[("@ann:x", "join")]]), None);
        assert_eq!(told(&[&[("@ann:x", "join")], &[("@ann:x", "ban")]]), None);
        let invited = told(&[&[("@ann:x", "invite")], &[("@ann:x", "leave")]]).unwrap();
        assert!(invited.what.contains("is invited"), "{invited}");
        for rooms in [&[][..], &[&[("@ann:x", "leave")][..]], &[&[("@moe:x", "join")][..]]] {
            let missing = told(rooms).unwrap();
            assert!(missing.what.contains("in no admin room"), "{missing}");
        }
    }

    #[test]
    fn an_operator_whose_account_does_not_work_is_told() {
        let told = |account: Value| hindered(user_id!("@ann:x"), &account);
        assert_eq!(told(json!({ "deactivated": false, "locked": 0 })), None);
        let found = told(json!({ "deactivated": true })).unwrap();
        assert!(found.what.contains("the account @ann:x is deactivated"), "{found}");
    }
}
