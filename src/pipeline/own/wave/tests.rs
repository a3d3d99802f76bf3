//! What is asked for, and what it takes.

use super::*;

fn verb(typed: &[&str]) -> Result<WaveVerb, clap::Error> {
    use clap::{Args as _, FromArgMatches as _};
    let command = WaveVerb::augment_args(clap::Command::new("wave").no_binary_name(true));
    WaveVerb::from_arg_matches(&command.try_get_matches_from(typed)?)
}

#[test]
fn addresses_take_their_own_power_and_are_looked_at_only_when_asked_for() {
    let power = |typed: &[&str]| verb(typed).unwrap().power();
    assert_eq!(power(&[]), Some(Power::Look));
    assert_eq!(power(&["--since", "2h"]), Some(Power::Look));
    assert_eq!(power(&["--show-ip"]), Some(Power::LookPrivate));
    assert_eq!(power(&["show", "A"]), Some(Power::Look));
    assert_eq!(power(&["keep", "--list"]), Some(Power::Look));
    assert_eq!(power(&["keep", "@ann:x.test"]), Some(Power::Moderate));
    assert_eq!(power(&["keep", "--drop", "ann", "bob"]), Some(Power::Moderate));
    for typed in [
        &["keep"][..],
        &["keep", "--drop"],
        &["keep", "--list", "ann"],
        &["keep", "--list", "--drop"],
        &["show"],
        &["--show-ip", "show", "A"],
        &["--since", "03/04"],
    ] {
        assert!(verb(typed).is_err(), "{typed:?}");
    }
}
