//! Whose name a new account has, or one that reads like it.

use icu_normalizer::DecomposingNormalizerBorrowed;
use ruma::{OwnedUserId, UserId};

use crate::{commands::listing::search::folded, new_accounts::Whose, refs::narrow, reply::Hostile};

/// Fewest letters of a name that is somebody's own.
const FEWEST: usize = 3;

/// Characters that read like another, and that one: of Cyrillic and Greek, and digits for letters.
const ALIKE: &[(char, char)] = &[
    ('0', 'o'),
    ('1', 'l'),
    ('3', 'e'),
    ('4', 'a'),
    ('5', 's'),
    ('7', 't'),
    ('|', 'l'),
    ('i', 'l'),
    ('ı', 'l'),
    ('а', 'a'),
    ('е', 'e'),
    ('һ', 'h'),
    ('і', 'l'),
    ('ј', 'j'),
    ('к', 'k'),
    ('м', 'm'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('ѕ', 's'),
    ('т', 't'),
    ('у', 'y'),
    ('х', 'x'),
    ('α', 'a'),
    ('ε', 'e'),
    ('ι', 'l'),
    ('κ', 'k'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
];

/// An account that somebody might want to be taken for.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) user: OwnedUserId,
    pub(super) whose: Whose,
    /// How its localpart and the name that people see read.
    names: Vec<String>,
}

impl Known {
    pub(super) fn new(user: OwnedUserId, whose: Whose, name: Option<&Hostile>) -> Self {
        let mut names = vec![read(user.localpart())];
        names.extend(name.map(|name| read(name.raw())));
        names.retain(|name| name.chars().count() >= FEWEST);
        Self { user, whose, names }
    }

    /// Whether another account has a name that reads like one of its own.
    pub(super) fn reads_like(&self, user: &UserId, name: Option<&Hostile>) -> bool {
        let mut names = [Some(user.localpart()), name.map(Hostile::raw)].into_iter().flatten();
        user != self.user && names.any(|name| self.names.contains(&read(name)))
    }
}

/// A name as it reads at a glance: without capitals, marks and signs, and with one letter for all that look
/// like it.
fn read(name: &str) -> String {
    let narrow: String = name.chars().map(narrow).collect();
    let folded = folded(&narrow);
    let plain = DecomposingNormalizerBorrowed::new_nfd().normalize(&folded);
    let alike = |c: char| ALIKE.iter().find(|(one, _)| *one == c).map_or(c, |(_, other)| *other);
    let letters: String = plain.chars().map(alike).filter(|c| c.is_alphanumeric()).collect();
    letters.replace("rn", "m").replace("vv", "w")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(user: &str, name: Option<&str>) -> bool {
        let ann = ruma::owned_user_id!("@ann.miller:x.test");
        let known = Known::new(ann, Whose::Operator, Some(&Hostile::new("Ann Miller (Admin)")));
        let user = UserId::parse(format!("@{user}:x.test")).unwrap();
        known.reads_like(&user, name.map(Hostile::new).as_ref())
    }

    #[test]
    fn names_that_read_alike_are_found_and_others_are_not() {
        for user in ["annmiller", "ann-miller", "ann_m1ller", "4nn.mi11er", "annrniller"] {
            assert!(like(user, None), "{user}");
        }
        for name in [
            "Ann Miller",
            "ann miller (admin)",
            "Ånn  Mïller",
            "Аnn Мiller",
            "ANN\u{200b}MILLER",
            "Ａｎｎ Ｍｉｌｌｅｒ",
            "Ann Rniller",
            "an\u{301}n miller",
        ] {
            assert!(like("x", Some(name)), "{name}");
        }
        for name in ["Ann", "Miller", "Ann Müllner", "Bob", "Anп Miller", "", "…"] {
            assert!(!like("x", Some(name)), "{name}");
        }
        assert!(!like("ann.miller", None), "it is the account itself");
    }

    #[test]
    fn a_name_of_two_letters_is_nobodys_own() {
        let known = Known::new(ruma::owned_user_id!("@al:x.test"), Whose::Bot, None);
        assert!(!known.reads_like(ruma::user_id!("@a.l:x.test"), None));
    }
}
