//! A homeserver that is not Synapse, to whoever asks by the proxy: its Admin API is not there, or only a
//! part of it, and what its admins do goes by the endpoints of the specification. What they set is set
//! at the real Synapse behind.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Passed, Request, Shared, forward, json_answer};
use crate::api::Api;

/// What such a homeserver serves.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a homeserver has each or not, apart from the rest"
)]
pub struct Foreign {
    /// Paths below `/_synapse/admin/` that are there all the same, by their beginnings.
    pub admin_api: &'static [&'static str],
    /// Whether `admin/suspend/{userId}` is there and announced.
    pub suspend: bool,
    /// Whether `admin/lock/{userId}` is.
    pub lock: bool,
    /// Whether they are at their stable paths and not at those that came before.
    pub stable: bool,
    /// Whether `PUT admin/lock/{userId}` suspends, as one homeserver had it.
    pub lock_suspends: bool,
    /// Whether `admin/whois/{userId}` is there.
    pub whois: bool,
}

impl Foreign {
    /// All that the specification has, and nothing else.
    pub const SPECIFIED: Self = Self {
        admin_api: &[],
        suspend: true,
        lock: true,
        stable: true,
        lock_suspends: false,
        whois: true,
    };

    /// Answers in place of the homeserver; `None` where it answers itself.
    pub(super) async fn answer(self, shared: &Shared, passed: &Passed) -> Result<Option<Answer>> {
        let path = passed.path.split('?').next().unwrap_or_default();
        if let Some(below) = path.strip_prefix("/_synapse/admin/") {
            let there = self.admin_api.iter().any(|start| below.starts_with(start));
            return if there { Ok(None) } else { unknown().map(Some) };
        }
        let Some(below) = path.strip_prefix("/_matrix/client/") else { return Ok(None) };
        if below.starts_with("v3/admin/whois/") && !self.whois {
            return unknown().map(Some);
        }
        if below == "v3/capabilities" {
            return self.capabilities(shared, passed).await.map(Some);
        }
        for (start, stable) in [("v1/admin/", true), ("unstable/uk.timedout.msc4323/admin/", false)]
        {
            if let Some(what) = below.strip_prefix(start) {
                let there = stable == self.stable;
                return if there { self.state(shared, passed, what).await } else { unknown() }
                    .map(Some);
            }
        }
        Ok(None)
    }

    /// What the real homeserver says, and to an admin what is announced.
    async fn capabilities(self, shared: &Shared, passed: &Passed) -> Result<Answer> {
        let api = Api::new(&shared.target, &passed.token);
        let (status, mut answer) = api.get(&passed.path).await?;
        let (is_admin, _) = api.get("/_synapse/admin/v2/users?limit=1").await?;
        if status == 200 && is_admin == 200 && (self.suspend || self.lock) {
            let name = if self.stable { "m.account_moderation" } else { "uk.timedout.msc4323" };
            answer["capabilities"][name] = json!({ "suspend": self.suspend, "lock": self.lock });
        }
        json_answer(status, &answer)
    }

    /// Tells or sets a state of an account, `suspend/{userId}` or `lock/{userId}`.
    async fn state(self, shared: &Shared, passed: &Passed, what: &str) -> Result<Answer> {
        let (what, user) = what.split_once('/').context("whose")?;
        let key = match what {
            "suspend" if self.suspend => "suspended",
            "lock" if self.lock => "locked",
            _ => return unknown(),
        };
        let api = Api::new(&shared.target, &passed.token);
        let (_, caller) = api.get("/_matrix/client/v3/account/whoami").await?;
        let account = format!("/_synapse/admin/v2/users/{user}");
        let (status, found) = api.get(&account).await?;
        match status {
            200 => {}
            400 => {
                return refused(
                    400,
                    "M_INVALID_PARAM",
                    "User ID does not belong to the local server",
                );
            }
            403 => return refused(403, "M_FORBIDDEN", "Only admins can use this endpoint"),
            404 => return refused(404, "M_NOT_FOUND", "User not found"),
            _ => return json_answer(status, &found),
        }
        let is_own = found["name"] == caller["user_id"];
        if is_own || found["admin"] == true || found["admin"] == 1 {
            return refused(403, "M_FORBIDDEN", "You cannot do this to yourself or another admin");
        }
        if found["deactivated"] == true {
            return refused(404, "M_NOT_FOUND", "User not found");
        }
        if passed.method == Method::GET {
            return json_answer(200, &json!({ key: found[key] }));
        }
        let Some(on) = passed.body[key].as_bool().filter(|_| passed.method == Method::PUT) else {
            return refused(400, "M_BAD_JSON", "the state is missing");
        };
        let (status, answer) = if key == "locked" && !self.lock_suspends {
            api.put(&account, json!({ "locked": on })).await?
        } else {
            let suspend = format!("/_synapse/admin/v1/suspend/{user}");
            api.put(&suspend, json!({ "suspend": on })).await?
        };
        let answer = if status == 200 { json!({ key: on }) } else { answer };
        json_answer(status, &answer)
    }
}

/// Answers a request as the homeserver does, whatever it is.
pub(super) async fn answer(shared: &Shared, request: Request) -> Result<Answer> {
    let foreign = *crate::process::lock(&shared.foreign);
    if let Some(foreign) = foreign
        && let Some(answer) = foreign.answer(shared, &request.passed).await?
    {
        return Ok(answer);
    }
    forward(shared, request).await
}

fn unknown() -> Result<Answer> {
    refused(404, "M_UNRECOGNIZED", "Unrecognized request")
}

fn refused(status: u16, errcode: &str, error: &str) -> Result<Answer> {
    let body: Value = json!({ "errcode": errcode, "error": error });
    json_answer(status, &body)
}
