//! Kinds of arguments that several verbs take. Each is read without asking anybody: what needs the
//! homeserver to be understood (a localpart, an alias) stays as typed until a verb looks.

use ruma::OwnedDeviceId;
use secrecy::SecretString;

use crate::refs::bare_of_any;

mod time;

pub(in crate::commands) use crate::refs::bare;
pub use crate::refs::{RoomRef, UserRef};
pub use time::{Lasting, Moment, Since};

/// A command in words that are read as just these arguments, whatever they are: `places` have no name,
/// and one that begins with a hyphen is no option.
pub(in crate::commands) fn spoken(
    verb: &[&str],
    places: &[&str],
    options: Vec<String>,
) -> Vec<String> {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    if places.iter().any(|place| place.starts_with('-')) {
        [owned(verb), options, owned(&["--"]), owned(places)].concat()
    } else {
        [owned(verb), owned(places), options].concat()
    }
}

/// An option and its value in words that are read as just these, also where the value begins with a
/// hyphen.
pub(crate) fn valued(option: &str, value: &str) -> Vec<String> {
    if value.starts_with('-') {
        vec![format!("{option}={value}")]
    } else {
        vec![option.to_owned(), value.to_owned()]
    }
}

/// Reads a secret that was typed; from here on it does not show in debug output.
pub(crate) fn secret(text: &str) -> Result<SecretString, String> {
    // What was typed is not quoted in the fault.
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.into()) }
}

/// Reads the id of a device that is there.
pub(in crate::commands) fn device(text: &str) -> Result<OwnedDeviceId, String> {
    // What is nothing but signs around an id is one itself.
    let id = Some(bare_of_any(text)).filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(|| text.to_owned());
    if id.is_empty() || id.len() > 255 {
        return Err("it is not a device id; !device list shows the ids".to_owned());
    }
    Ok(id.into())
}
