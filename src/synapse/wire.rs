//! How Synapse writes values, for `#[serde(deserialize_with = "...")]`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::reply::Hostile;

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

/// A value that a homeserver may not have, or have wrong, so that a field of it is an `Option`:
/// `None` where it is absent, `null`, of another type, or cannot be true. One odd field never makes
/// what stands beside it unreadable.
///
/// ```ignore
/// #[serde(default, deserialize_with = "known")]
/// joined_members: Option<u64>,
/// ```
pub trait Plausible: Sized {
    /// The value, where it is one that can be true.
    fn plausible(value: &Value) -> Option<Self>;
}

/// The most rows of anything that a database has: beyond it, counts come from faults.
const MOST: u64 = 1_000_000_000_000;

/// How many there are of something.
impl Plausible for u64 {
    fn plausible(value: &Value) -> Option<Self> {
        value.as_u64().filter(|count| *count <= MOST)
    }
}

/// How much room something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// The most bytes of anything: what is larger is not even a number to every program.
const LARGEST: u64 = 1 << 52;

impl Plausible for Bytes {
    fn plausible(value: &Value) -> Option<Self> {
        value.as_u64().filter(|bytes| *bytes <= LARGEST).map(Self)
    }
}

/// Between which seconds something of a homeserver can have happened: 2010 to 2200. Matrix is from
/// 2014, and what bridges brought along may be a little older.
const TIMES: std::ops::Range<i64> = 1_262_304_000..7_258_118_400;

/// When something happened.
///
/// Homeservers mix up seconds, milliseconds and, multiplying once more, microseconds. In the years
/// that are possible no number could be meant in two of these.
impl Plausible for Timestamp {
    fn plausible(value: &Value) -> Option<Self> {
        let number = value.as_i64()?;
        let micros = [1_000_000, 1_000, 1].into_iter().find_map(|unit| {
            let micros = number.checked_mul(unit)?;
            TIMES.contains(&micros.div_euclid(1_000_000)).then_some(micros)
        })?;
        Self::from_microsecond(micros).ok()
    }
}

impl Plausible for bool {
    fn plausible(value: &Value) -> Option<Self> {
        value.as_bool().or_else(|| match value.as_u64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }
}

impl Plausible for String {
    fn plausible(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Plausible for Hostile {
    fn plausible(value: &Value) -> Option<Self> {
        value.as_str().map(Self::new)
    }
}

/// What is known of a field: see [`Plausible`].
pub fn known<'de, T: Plausible, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(value)?;
    let known = T::plausible(&value);
    if known.is_none() && !value.is_null() {
        let wanted = std::any::type_name::<T>();
        tracing::debug!(wanted, "the homeserver has a value that cannot be true");
    }
    Ok(known)
}

/// The entries of a list that can be read; none where it is no list.
pub fn readable<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    value: D,
) -> Result<Vec<T>, D::Error> {
    let Value::Array(entries) = Value::deserialize(value)? else { return Ok(Vec::new()) };
    Ok(entries.into_iter().filter_map(|entry| T::deserialize(entry).ok()).collect())
}

/// Makes a field `null` that cannot be true, so that programs are not told it as a value.
pub fn null_unless_known<T: Plausible>(row: &mut Value, key: &str) {
    if let Some(field) = row.get_mut(key)
        && T::plausible(field).is_none()
    {
        field.take();
    }
}

/// How far the homeserver's clock may be ahead, so that what it saw is not taken for a fault.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The moment, unless it is still to come: nothing was seen then.
pub fn passed(at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let latest = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    at.filter(|at| *at <= latest)
}

/// Makes a moment `null` that is still to come, whatever unit it is in.
pub fn null_unless_passed(row: &mut Value, key: &str, now: Timestamp) {
    if let Some(field) = row.get_mut(key)
        && let at @ Some(_) = Timestamp::plausible(field)
        && passed(at, now).is_none()
    {
        field.take();
    }
}

/// Writes a moment in milliseconds whatever unit it was in, or `null` where it is not known.
pub fn in_millis(row: &mut Value, key: &str) {
    if let Some(field) = row.get_mut(key) {
        *field = Timestamp::plausible(field).map_or(Value::Null, |at| at.as_millisecond().into());
    }
}

/// A moment in Unix milliseconds, or `null`; `null` too where it is beyond all time. What others
/// claim, such as when they sent something, is taken as they say it.
pub fn optional_millis<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Value::deserialize(value)?;
    Ok(value.as_i64().and_then(|at| Timestamp::from_millisecond(at).ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(default, deserialize_with = "known")]
        count: Option<u64>,
        #[serde(default, deserialize_with = "known")]
        at: Option<Timestamp>,
        #[serde(default, deserialize_with = "known")]
        open: Option<bool>,
        #[serde(default, deserialize_with = "known")]
        name: Option<Hostile>,
        #[serde(default, deserialize_with = "known")]
        size: Option<Bytes>,
        #[serde(default, deserialize_with = "readable")]
        list: Vec<String>,
    }

    fn row(of: Value) -> Row {
        serde_json::from_value(of).unwrap()
    }

    #[test]
    fn what_is_absent_or_odd_is_not_known_and_spoils_nothing_beside_it() {
        let absent = row(json!({}));
        assert!(absent.count.is_none() && absent.at.is_none() && absent.open.is_none());
        for odd in [
            json!(null),
            json!(-1),
            json!(1_u64 << 53),
            json!(4.6e21),
            json!("12"),
            json!([]),
            json!(u64::MAX),
        ] {
            let read = row(json!({"count": odd, "at": odd, "open": odd, "name": 7, "size": odd,
                                  "list": odd}));
            assert_eq!(read.count, None, "{odd}");
            assert_eq!(read.at, None, "{odd}");
            assert_eq!(read.open, None, "{odd}");
            assert_eq!(read.size, None, "{odd}");
            assert_eq!(read.name, None);
            assert!(read.list.is_empty());
        }
        let whole = row(json!({"count": 0, "at": 1_760_000_000, "open": 0, "name": "x",
                               "size": 3_000_000_000_000_u64, "list": ["a", 1, "b"]}));
        assert_eq!((whole.count, whole.open), (Some(0), Some(false)));
        assert_eq!(whole.size, Some(Bytes(3_000_000_000_000)));
        assert_eq!(whole.name, Some(Hostile::new("x")));
        assert_eq!(whole.list, ["a", "b"]);
    }

    #[test]
    fn a_moment_is_the_same_in_every_unit_and_none_outside_of_our_time() {
        let at = |number: i64| Timestamp::plausible(&json!(number)).map(|at| at.to_string());
        for number in [1_600_000_000, 1_600_000_000_000, 1_600_000_000_000_000] {
            assert_eq!(at(number).as_deref(), Some("2020-09-13T12:26:40Z"), "{number}");
        }
        assert_eq!(at(1_600_000_000_123).as_deref(), Some("2020-09-13T12:26:40.123Z"));
        for number in [0, -5, -5_000, 1, 1_000, 253_402_300_900_000, i64::MAX, i64::MIN] {
            assert_eq!(at(number), None, "{number}");
        }
    }

    #[test]
    fn what_is_still_to_come_has_not_happened() {
        let now: Timestamp = "2026-11-20T14:03:00Z".parse().unwrap();
        for (number, stays) in [
            (json!(1_795_183_200), true),
            (json!(1_795_183_200_000_i64), true),
            (json!(1_795_183_200_000_000_i64), true),
            (json!(4_000_000_000_i64), false),
            (json!(4_000_000_000_000_i64), false),
            (json!("tomorrow"), true),
            (json!(null), true),
        ] {
            let mut row = json!({ "at": number, "other": 4_000_000_000_000_i64 });
            null_unless_passed(&mut row, "at", now);
            let left = if stays { number } else { Value::Null };
            assert_eq!(row, json!({ "at": left, "other": 4_000_000_000_000_i64 }));
        }
    }

    #[test]
    fn programs_get_null_for_what_cannot_be_true() {
        let mut row = json!({"a": -1, "b": 3, "c": 0});
        for key in ["a", "b", "d"] {
            null_unless_known::<u64>(&mut row, key);
        }
        in_millis(&mut row, "c");
        assert_eq!(row, json!({"a": null, "b": 3, "c": null}));
        let mut row = json!({"s": 1_600_000_000, "us": 1_600_000_000_000_000_i64});
        for key in ["s", "us", "none"] {
            in_millis(&mut row, key);
        }
        let at = 1_600_000_000_000_i64;
        assert_eq!(row, json!({"s": at, "us": at}));
    }
}
