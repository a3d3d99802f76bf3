//! How people can make themselves an account here, as far as the homeserver tells anybody who asks.

use serde::Deserialize;

use super::{
    address::{address, template},
    http,
    reader::Reader,
};
use crate::{change::Path, error::api::Error};

/// Whether people can register by themselves, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Nobody can.
    Off,
    /// Each way of registering takes a registration token.
    WithToken,
    /// There is a way of registering that takes no token.
    WithoutToken,
    /// The homeserver did not say.
    NotKnown,
}

/// The stage of a registration at which a token is given, by its name and by the one it had before it
/// was specified.
const TOKEN_STAGES: [&str; 2] =
    ["m.login.registration_token", "org.matrix.msc3231.login.registration_token"];

impl Reader {
    /// What it takes to register: `POST /_matrix/client/v3/register` with an empty object, and without
    /// a token of ours.
    ///
    /// It is the one look that is no `GET`, since the specification has none. It changes nothing: a
    /// homeserver answers it with what is missing (401), or that nobody can register (403), and makes an
    /// account of neither. Never to be asked with `kind=guest`, by which it would make one.
    pub async fn registration(&self) -> Registration {
        match self.asked_to_register().await {
            Ok((status, body)) => read(status, &body),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "it does not say");
                Registration::NotKnown
            }
        }
    }

    async fn asked_to_register(&self) -> Result<(u16, Vec<u8>), Error> {
        let path = Path::client(["v3", "register"]);
        let address = address(self.base(), &path, std::iter::empty())?;
        let request = http::anonymous(self.limits())?
            .post(address)
            .header("content-type", "application/json")
            .body("{}");
        let what = ("POST", template(&path));
        http::whatever(request, self.limits().length, (what.0, &what.1), self.metrics()).await
    }

    /// Whether people can sign on with a provider, which makes an account of whoever it sends.
    /// `GET /_matrix/client/v3/login`. False where it does not say.
    pub async fn has_sign_on(&self) -> bool {
        let answered: Result<Flows, Error> = self.get(&Path::client(["v3", "login"]), &[]).await;
        answered.is_ok_and(|answered| {
            let mut kinds = answered.flows.iter().filter_map(|flow| flow.kind.as_deref());
            kinds.any(|kind| kind == "m.login.sso" || kind == "m.login.cas")
        })
    }
}

/// Ways of registering, or of logging in.
#[derive(Deserialize)]
struct Flows {
    flows: Vec<Flow>,
}

#[derive(Deserialize)]
struct Flow {
    #[serde(default)]
    stages: Vec<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// What the answer to an empty registration says.
fn read(status: u16, body: &[u8]) -> Registration {
    #[derive(Deserialize)]
    struct Refused {
        errcode: String,
    }
    match status {
        401 => match serde_json::from_slice::<Flows>(body) {
            Ok(Flows { flows }) if !flows.is_empty() => {
                let takes_token = |flow: &Flow| {
                    flow.stages.iter().any(|stage| TOKEN_STAGES.contains(&stage.as_str()))
                };
                if flows.iter().all(takes_token) {
                    Registration::WithToken
                } else {
                    Registration::WithoutToken
                }
            }
            _ => Registration::NotKnown,
        },
        // What stands before the homeserver refuses too, in words of its own.
        403 if serde_json::from_slice::<Refused>(body)
            .is_ok_and(|refused| refused.errcode == "M_FORBIDDEN") =>
        {
            Registration::Off
        }
        _ => Registration::NotKnown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_takes_a_token_only_where_each_way_does() {
        let flows = |flows: &[&[&str]]| {
            let flows: Vec<_> = flows.iter().map(|stages| json!({ "stages": stages })).collect();
            read(401, json!({ "session": "x", "flows": flows }).to_string().as_bytes())
        };
        let token = "m.login.registration_token";
        assert_eq!(flows(&[&[token]]), Registration::WithToken);
        assert_eq!(flows(&[&[token, "m.login.terms"]]), Registration::WithToken);
        assert_eq!(flows(&[&[TOKEN_STAGES[1]]]), Registration::WithToken);
        assert_eq!(flows(&[&[token], &["m.login.email.identity"]]), Registration::WithoutToken);
        assert_eq!(flows(&[&["m.login.dummy"]]), Registration::WithoutToken);
        assert_eq!(flows(&[]), Registration::NotKnown);
    }

    #[test]
    fn only_the_homeserver_itself_says_that_nobody_can() {
        let off = json!({ "errcode": "M_FORBIDDEN", "error": "Registration has been disabled" });
        assert_eq!(read(403, off.to_string().as_bytes()), Registration::Off);
        for (status, body) in [
            (403, "<html>Forbidden</html>"),
            (403, r#"{"errcode":"M_GUEST_ACCESS_FORBIDDEN"}"#),
            (401, r#"{"errcode":"M_UNAUTHORIZED"}"#),
            (404, r#"{"errcode":"M_UNRECOGNIZED"}"#),
            (200, "{}"),
            (502, ""),
        ] {
            assert_eq!(read(status, body.as_bytes()), Registration::NotKnown, "{status} {body}");
        }
    }
}
