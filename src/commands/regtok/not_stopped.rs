//! How people can make themselves an account although no registration token can be used, and which
//! lines of the homeserver's config change that.

use crate::{
    reply::Line,
    synapse::{Reader, Registration},
};

/// The ways to an account that stand open, as far as the homeserver shows them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    registration: Registration,
    sign_on: bool,
}

impl Ways {
    /// Asks the homeserver.
    pub(crate) async fn of(reader: &Reader) -> Self {
        let (registration, sign_on) = tokio::join!(reader.registration(), reader.has_sign_on());
        Self { registration, sign_on }
    }

    #[cfg(test)]
    pub(super) fn testing(registration: Registration, sign_on: bool) -> Self {
        Self { registration, sign_on }
    }
}

/// What disabled tokens do not stop, a line each, with what to change.
pub(crate) fn not_stopped(ways: Ways) -> Vec<Line> {
    const OFF: &str = "enable_registration: false";
    const TOKEN: &str = "registration_requires_token: true";
    let registration = match ways.registration {
        Registration::Off => Line::from("Registration is switched off (")
            .code(OFF)
            .plain("): nobody can register, with a token or without"),
        Registration::WithToken => Line::from(
            "Registration takes a token: while none can be used, nobody can register by themselves",
        ),
        Registration::WithoutToken => Line::new()
            .strong("Registration is open without a token, and this does not stop it")
            .plain(". Only the homeserver's config does: in ")
            .code("homeserver.yaml")
            .plain(" set ")
            .code(OFF)
            .plain(", or ")
            .code(TOKEN)
            .plain(", and restart Synapse. I cannot do that"),
        Registration::NotKnown => Line::from(
            "I could not see whether one can register without a token, which this does not stop. \
             In ",
        )
        .code("homeserver.yaml")
        .plain(", ")
        .code(OFF)
        .plain(" lets nobody register, and ")
        .code(TOKEN)
        .plain(" nobody without a token"),
    };
    let guests = Line::from(
        "Guest accounts are not stopped, and I cannot see whether they are allowed without making \
         one: ",
    )
    .code("allow_guest_access: false")
    .plain(" in ")
    .code("homeserver.yaml")
    .plain(" and a restart keep them out");
    let sign_on = ways.sign_on.then(|| {
        Line::from(
            "Signing on with a provider is not stopped, and creates an account for whoever the \
             provider lets in",
        )
    });
    [Some(registration), Some(guests), sign_on].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_told_with_the_line_that_closes_it() {
        let told = |registration, sign_on| {
            let lines = not_stopped(Ways { registration, sign_on });
            lines.iter().map(Line::text).collect::<Vec<_>>().join("\n")
        };
        let open = told(Registration::WithoutToken, true);
        for line in [
            "enable_registration: false",
            "registration_requires_token: true",
            "allow_guest_access: false",
            "restart Synapse",
            "Signing on with a provider",
        ] {
            assert!(open.contains(line), "{open}");
        }
        assert!(told(Registration::Off, false).starts_with("Registration is switched off"));
        let token = told(Registration::WithToken, false);
        assert!(token.starts_with("Registration takes a token"), "{token}");
        assert!(!token.contains("Signing on"), "{token}");
        assert!(told(Registration::NotKnown, false).contains("I could not see"));
    }
}
