//! What is done in the name of an account of this server: with an access token that is made for it, that
//! nobody gets to see, and that is ended afterwards.
//!
//! The homeserver makes such a token for whoever runs it, without a device: the account's own devices and
//! sessions do not know of it, and to log out with it ends it and nothing else. The token is only in
//! memory. Where the bot dies before it has ended it, it ends by itself.

use jiff::{SignedDuration, Timestamp};
use ruma::UserId;
use serde_json::json;

use super::{Method, Part, Path, Step};

/// How long the token is good for, with one deed to do.
const LASTS: SignedDuration = SignedDuration::from_mins(1);

/// How much longer for each further deed: an account that does ten things at once is slowed down by the
/// homeserver to one in five seconds.
const EACH: SignedDuration = SignedDuration::from_secs(10);

/// What is said where the token could not be ended.
pub const TOKEN_LEFT: &str =
    "the temporary access token could not be ended; it expires by itself within minutes";

/// The steps by which `deeds` are done in the name of `user`, looked at `now`: a token that acts as it, the
/// deeds with that token, and the end of the token.
pub fn as_account(user: &UserId, now: Timestamp, deeds: Vec<Step>) -> Vec<Step> {
    // Several accounts of one change have a token each.
    let slot = format!("token of {user}");
    let further = i32::try_from(deeds.len().saturating_sub(1)).unwrap_or(i32::MAX);
    let lasts = EACH.checked_mul(further).and_then(|more| more.checked_add(LASTS)).unwrap_or(LASTS);
    let until = now.checked_add(lasts).unwrap_or(now);
    let login = Step::new(
        Method::Post,
        Path::admin(["v1", "users", user.as_str(), "login"]),
        json!({ "valid_until_ms": until.as_millisecond() }),
    );
    let login = login.revealing("/access_token", &slot).part(Part::Prepares);
    let logout = Step::new(Method::Post, Path::client(["v3", "logout"]), json!({})).idempotent();
    let logout = logout.bearing(&slot).part(Part::PutsAway);
    let deeds = deeds.into_iter().map(|deed| deed.bearing(&slot));
    std::iter::once(login).chain(deeds).chain([logout]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(deeds: usize) -> Vec<Step> {
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        let leave = |n| {
            let room = format!("!r{n}:example.org");
            Step::new(Method::Post, Path::client(["v3", "rooms", &room, "leave"]), json!({}))
        };
        as_account(user, Timestamp::UNIX_EPOCH, (0..deeds).map(leave).collect())
    }

    #[test]
    fn a_token_is_made_used_and_ended_and_stands_in_no_step() {
        let all = steps(1);
        let [login, leave, logout] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            login.path.parts(),
            ["_synapse", "admin", "v1", "users", "@ann:example.org", "login"]
        );
        let slot = "token of @ann:example.org";
        assert_eq!(login.reveals, [("/access_token".to_owned(), slot.to_owned())]);
        assert!(login.bearer.is_none() && !login.idempotent && login.part == Part::Prepares);
        assert_eq!((leave.bearer.as_deref(), leave.part), (Some(slot), Part::Deed));
        assert_eq!(logout.path.parts(), ["_matrix", "client", "v3", "logout"], "never logout/all");
        assert_eq!((logout.bearer.as_deref(), logout.part), (Some(slot), Part::PutsAway));
    }

    #[test]
    fn a_token_lasts_a_minute_and_a_little_longer_for_more() {
        let until = |deeds| steps(deeds)[0].body["valid_until_ms"].as_i64();
        assert_eq!(until(1), Some(60_000));
        assert_eq!(until(4), Some(90_000));
    }
}
