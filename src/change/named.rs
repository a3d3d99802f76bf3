//! How what a command is about is called: one by its id, several by how many they are and which come
//! first and last.

use std::borrow::Cow;

use ruma::ServerName;

use super::Subject;
use crate::{refs::without_server, reply::Line};

/// The most that are named one by one, where each has a word of the line.
const NAMED: usize = 2;

impl Subject {
    /// Its id without the name of this server. That of another server is never left out: what has no
    /// server is of this one.
    pub fn short(&self, own: &ServerName) -> Cow<'_, str> {
        match self {
            Self::User(user) => without_server(user.as_str(), own).into(),
            Self::Room(room) => without_server(room.as_str(), own).into(),
            Self::Device(user, device) => {
                format!("{device} of {}", without_server(user.as_str(), own)).into()
            }
            other => other.to_string().into(),
        }
    }

    /// What several of its kind are called.
    fn plural(&self) -> &'static str {
        match self {
            Self::User(_) => "accounts",
            Self::Room(_) => "rooms",
            Self::Media(..) => "files",
            Self::Device(..) => "devices",
            Self::Event(..) => "events",
            Self::Token(_) => "registration tokens",
            Self::Destination(_) => "servers",
            Self::EventReport(_) => "reports",
            Self::UserReport(_) => "account reports",
            Self::Homeserver(_) => "homeservers",
        }
    }
}

/// `17 accounts, @raid-01 … @raid-17`: how many and a sample; the id of a single one.
pub fn set<'a>(subjects: impl IntoIterator<Item = &'a Subject>, own: &ServerName) -> Line {
    named(subjects, |subject| subject.short(own).into_owned())
}

/// The same with whole ids.
pub fn set_in_full<'a>(subjects: impl IntoIterator<Item = &'a Subject>) -> Line {
    named(subjects, ToString::to_string)
}

fn named<'a>(
    subjects: impl IntoIterator<Item = &'a Subject>,
    id: impl Fn(&Subject) -> String,
) -> Line {
    let subjects: Vec<&Subject> = subjects.into_iter().collect();
    let (Some(first), Some(last)) = (subjects.first(), subjects.last()) else {
        return Line::from("nothing");
    };
    if subjects.len() == 1 {
        return Line::new().code(id(first));
    }
    let between = if subjects.len() > NAMED { " … " } else { ", " };
    Line::from(format!("{}, ", how_many(&subjects))).code(id(first)).plain(between).code(id(last))
}

/// `17 accounts`, or `17 subjects` where they are not all of one kind.
fn how_many(subjects: &[&Subject]) -> String {
    let kind = subjects.first().map_or("subjects", |first| first.plural());
    let kind = if subjects.iter().all(|one| one.plural() == kind) { kind } else { "subjects" };
    format!("{} {kind}", subjects.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> &'static ServerName {
        ruma::server_name!("x.test")
    }

    fn user(id: &str) -> Subject {
        Subject::User(id.try_into().unwrap())
    }

    #[test]
    fn only_the_own_server_is_left_out() {
        for (id, short) in [
            ("@ann:x.test", "@ann"),
            ("@ann:evil.x.test", "@ann:evil.x.test"),
            ("@ann:x.test:8448", "@ann:x.test:8448"),
            ("@ann:y.test", "@ann:y.test"),
        ] {
            assert_eq!(user(id).short(own()), short);
        }
        let room = |id: &str| Subject::Room(id.try_into().unwrap());
        assert_eq!(room("!abc:x.test").short(own()), "!abc");
        assert_eq!(room("!abc:y.test").short(own()), "!abc:y.test");
    }

    #[test]
    fn a_set_is_its_count_and_a_sample() {
        let raid: Vec<Subject> = (1..=17).map(|n| user(&format!("@raid-{n:02}:x.test"))).collect();
        let text = |subjects: &[Subject]| set(subjects, own()).text();
        assert_eq!(text(&raid), "17 accounts, @raid-01 … @raid-17");
        assert_eq!(text(&raid[..2]), "2 accounts, @raid-01, @raid-02");
        assert_eq!(text(&raid[..1]), "@raid-01");
        let room = Subject::Room("!abc:x.test".try_into().unwrap());
        assert_eq!(text(&[raid[0].clone(), room]), "2 subjects, @raid-01, !abc");
    }
}
