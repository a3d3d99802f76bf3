//! What a verb can do on a homeserver that has no Admin API.

use super::{GROUPS, needs::spec, takes_path};
use crate::{
    reply::Line,
    synapse::{Moderation, Surface},
};

/// What of the specification a verb does its work by, where there is no Admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Specified {
    /// `/_matrix/client/v1/admin/suspend/{userId}`, where the homeserver announces it.
    Suspend,
    /// `/_matrix/client/v1/admin/lock/{userId}`, where the homeserver announces it.
    Lock,
    /// Either of the two, which tell what is so of an account.
    States,
    /// `/_matrix/client/v3/admin/whois/{userId}`, where it is there.
    Whois,
    /// What every client may ask for.
    Clients,
}

impl Specified {
    fn is_served(self, surface: Surface) -> bool {
        let announces = |what: fn(Moderation) -> bool| surface.moderation.is_some_and(what);
        match self {
            Self::Suspend => announces(|announced| announced.suspend),
            Self::Lock => announces(|announced| announced.lock),
            Self::States => surface.moderation.is_some(),
            Self::Whois => surface.whois,
            Self::Clients => true,
        }
    }
}

/// Whether a homeserver that serves this can do what the verb of these words is for. Of whatever is in
/// an Admin API, that is found out by asking for it.
pub fn served(words: &str, surface: Surface) -> bool {
    if surface.admin_api || takes_path(words) {
        return true;
    }
    spec(words).and_then(|spec| spec.specified).is_some_and(|by| by.is_served(surface))
}

/// The verbs that work, whether or not a homeserver has an Admin API, where it serves this.
fn working(surface: Surface) -> Vec<String> {
    let verbs = GROUPS.iter().flat_map(|group| group.verbs.iter().map(|verb| group.words(verb)));
    verbs.filter(|words| !takes_path(words) && served(words, surface)).collect()
}

/// Why a homeserver without an Admin API cannot serve the verb of these words, which is `typed` or
/// part of what that does; and which verbs it serves.
pub fn without_admin_api(typed: &str, words: &str, surface: Surface) -> Option<Line> {
    if served(words, surface) {
        return None;
    }
    let line = Line::new().plain("this homeserver does not serve ").command(format!("!{words}"));
    let line = if typed == words || typed.is_empty() {
        line
    } else {
        line.plain(", which ").command(format!("!{typed}")).plain(" includes as you typed it")
    };
    let line = line.plain(": it has no Admin API of Synapse, or not at the address that I use. ");
    let working = working(surface);
    let last = working.len().saturating_sub(1);
    let mut line = line.plain("What works here: ");
    for (n, verb) in working.iter().enumerate() {
        let between = match n {
            0 => "",
            n if n == last => " and ",
            _ => ", ",
        };
        line = line.plain(between).command(format!("!{verb}"));
    }
    Some(if surface.moderation.is_some() {
        line
    } else {
        // It announces to admins alone what they may do.
        line.plain(
            ". If it has the specification's endpoints for admins, check that the account of my admin \
            token is an admin there",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Surface = Surface { admin_api: false, moderation: None, whois: false };

    fn surface(suspend: bool, lock: bool) -> Surface {
        let moderation = Some(Moderation { suspend, lock, stable: true });
        Surface { moderation, whois: true, ..NOTHING }
    }

    #[test]
    fn a_verb_is_served_by_what_the_specification_has_for_it_and_else_by_an_admin_api() {
        let served = |surface| working(surface).join(", ");
        let all = "user suspend, user unsuspend, user lock, user unlock";
        let whois = "user details, user whois, room resolve";
        for word in all.split(", ").chain(whois.split(", ")) {
            assert!(super::served(word, surface(true, true)), "{word}");
        }
        assert_eq!(working(surface(true, true)).len(), 7, "{}", served(surface(true, true)));
        assert_eq!(working(surface(true, false)).len(), 5, "{}", served(surface(true, false)));
        assert_eq!(served(NOTHING), "room resolve");
        assert!(super::served("raw", NOTHING), "whoever types a path may ask for it");
        assert!(super::served("room list", Surface { admin_api: true, ..NOTHING }));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_works() {
        let told = |typed, words| {
            let line = without_admin_api(typed, words, surface(true, false));
            line.map(|line| line.text())
        };
        assert_eq!(told("user suspend", "user suspend"), None);
        assert_eq!(
            told("room list", "room list").as_deref(),
            Some(
                "this homeserver does not serve !room list: it has no Admin API of Synapse, or not at \
                 the address that I use. What works here: !user details, !user whois, !user suspend, \
                 !user unsuspend and !room resolve"
            )
        );
        let nothing = without_admin_api("user lock", "user lock", NOTHING).unwrap().text();
        assert!(nothing.contains("What works here: !room resolve. If it has"), "{nothing}");
        let told = told("user suspend", "notice send").unwrap();
        let includes =
            "does not serve !notice send, which !user suspend includes as you typed it: ";
        assert!(told.contains(includes), "{told}");
    }
}
