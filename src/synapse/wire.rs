//! How Synapse writes values, for `#[serde(deserialize_with = "...")]`.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

/// A boolean, which some databases give as 0 or 1.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Number(u8),
}

impl Flag {
    fn read<E: serde::de::Error>(self) -> Result<bool, E> {
        match self {
            Self::Bool(set) => Ok(set),
            Self::Number(number @ (0 | 1)) => Ok(number == 1),
            Self::Number(_) => Err(E::custom("neither a boolean nor 0 or 1")),
        }
    }
}

/// A boolean: `true`, `false`, `1`, `0`, or `null` for false.
///
/// Together with `#[serde(default)]` an absent field is false too.
pub fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    optional_flag(value).map(Option::unwrap_or_default)
}

/// A boolean, or `null`.
pub fn optional_flag<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    Option::<Flag>::deserialize(value)?.map(Flag::read).transpose()
}

/// A moment in Unix seconds.
pub fn seconds<'de, D: Deserializer<'de>>(value: D) -> Result<Timestamp, D::Error> {
    Timestamp::from_second(i64::deserialize(value)?).map_err(D::Error::custom)
}

/// A moment in Unix milliseconds.
pub fn millis<'de, D: Deserializer<'de>>(value: D) -> Result<Timestamp, D::Error> {
    Timestamp::from_millisecond(i64::deserialize(value)?).map_err(D::Error::custom)
}

/// A moment in Unix milliseconds, or `null`.
pub fn optional_millis<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<i64>::deserialize(value)?
        .map(|at| Timestamp::from_millisecond(at).map_err(D::Error::custom))
        .transpose()
}
