//! A moment of each week.

use std::str::FromStr;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};

/// A moment of each week, UTC; written as `monday 09:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekly {
    day: Weekday,
    time: Time,
}

/// The days as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What is no moment of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a day of the week with a time")]
pub struct NotWeekly;

impl FromStr for Weekly {
    type Err = NotWeekly;

    fn from_str(text: &str) -> Result<Self, NotWeekly> {
        let (day, time) = text.trim().split_once(' ').ok_or(NotWeekly)?;
        let found = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(day));
        let (_, day) = *found.ok_or(NotWeekly)?;
        let time = Time::strptime("%H:%M", time.trim()).map_err(|_| NotWeekly)?;
        Ok(Self { day, time })
    }
}

impl Weekly {
    /// When it was last; `now`, where that is it.
    pub fn last(self, now: Timestamp) -> Timestamp {
        let today = now.to_zoned(TimeZone::UTC).date();
        let back = SignedDuration::from_hours(24 * i64::from(today.weekday().since(self.day)));
        let at = TimeZone::UTC.to_timestamp(today.to_datetime(self.time));
        // Neither fails but at the ends of what time there is.
        let at = at.and_then(|at| at.checked_sub(back)).unwrap_or(now);
        if at <= now {
            return at;
        }
        at.checked_sub(SignedDuration::from_hours(7 * 24)).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_from_any_moment_of_the_week() {
        let weekly: Weekly = "monday 09:00".parse().unwrap();
        for (now, last) in [
            // A Monday.
            ("2026-11-30T09:00:00Z", "2026-11-30T09:00:00Z"),
            ("2026-11-30T08:59:59Z", "2026-11-23T09:00:00Z"),
            ("2026-12-01T00:00:00Z", "2026-11-30T09:00:00Z"),
            ("2026-12-06T23:59:59Z", "2026-11-30T09:00:00Z"),
            ("2027-01-01T12:00:00Z", "2026-12-28T09:00:00Z"),
        ] {
            assert_eq!(weekly.last(now.parse().unwrap()), last.parse().unwrap(), "{now}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for sound in ["Sunday 00:00", " friday  23:59 "] {
            assert!(sound.parse::<Weekly>().is_ok(), "{sound}");
        }
        for text in
            ["", "monday", "09:00", "mon 09:00", "monday 24:00", "monday 9", "monday 09:00:00"]
        {
            assert_eq!(text.parse::<Weekly>(), Err(NotWeekly), "{text}");
        }
    }
}
