//! Times of each week in which somebody is on duty.

use std::str::FromStr;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};

use super::Zones;

/// Hours of some days of each week in one time zone; written as `mon-fri 09:00-17:00 Europe/Berlin`.
///
/// Where the second hour is not after the first, it is that of the next day: `sat 22:00-06:00` ends on
/// Sunday morning. Without a zone the hours are in UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Duty {
    first: Weekday,
    last: Weekday,
    from: Time,
    to: Time,
    zone: TimeZone,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// What are no hours of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDuty {
    /// There are no days, or no hours.
    #[error("this names no days and hours of a week")]
    Form,
    /// There is no such time zone.
    #[error("there is no such time zone")]
    Zone,
}

impl FromStr for Duty {
    type Err = NotDuty;

    fn from_str(text: &str) -> Result<Self, NotDuty> {
        let mut words = text.split_whitespace();
        let (days, hours) = (words.next(), words.next());
        let (days, hours) = days.zip(hours).ok_or(NotDuty::Form)?;
        let zone = words.next().map_or(Ok(TimeZone::UTC), |name| {
            Zones::of_system().named(name).ok_or(NotDuty::Zone)
        })?;
        if words.next().is_some() {
            return Err(NotDuty::Form);
        }
        let (first, last) = match days.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None if days.eq_ignore_ascii_case("daily") => (Weekday::Monday, Weekday::Sunday),
            None => (day(days)?, day(days)?),
        };
        let (from, to) = hours.split_once('-').ok_or(NotDuty::Form)?;
        Ok(Self { first, last, from: hour(from)?, to: hour(to)?, zone })
    }
}

/// A day by its name or the first three letters of it.
fn day(text: &str) -> Result<Weekday, NotDuty> {
    let text = text.to_ascii_lowercase();
    let found = DAYS
        .iter()
        .find(|(short, day)| text == *short || text == format!("{day:?}").to_ascii_lowercase());
    found.map(|(_, day)| *day).ok_or(NotDuty::Form)
}

/// An hour of a day; 24:00 is the end of it.
fn hour(text: &str) -> Result<Time, NotDuty> {
    if text == "24:00" {
        return Ok(Time::midnight());
    }
    Time::strptime("%H:%M", text).map_err(|_| NotDuty::Form)
}

impl Duty {
    /// Whether that moment is in it.
    pub fn holds(&self, now: Timestamp) -> bool {
        let local = now.to_zoned(self.zone.clone());
        let time = local.time();
        let today = local.date().weekday();
        if self.from < self.to {
            return self.is_on(today) && self.from <= time && time < self.to;
        }
        // It goes on past midnight.
        let yesterday = now - SignedDuration::from_hours(24);
        let yesterday = yesterday.to_zoned(self.zone.clone()).date().weekday();
        self.is_on(today) && self.from <= time || self.is_on(yesterday) && time < self.to
    }

    fn is_on(&self, day: Weekday) -> bool {
        let since = |day: Weekday| day.since(self.first);
        since(day) <= since(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(duty: &str, at: &str) -> bool {
        duty.parse::<Duty>().unwrap().holds(at.parse().unwrap())
    }

    #[test]
    fn hours_are_those_of_the_zone_also_when_clocks_change() {
        // A Monday; Berlin is one hour ahead of UTC in winter and two in summer.
        let duty = "mon-fri 09:00-17:00 Europe/Berlin";
        assert!(holds(duty, "2026-11-30T08:00:00Z"));
        assert!(!holds(duty, "2026-11-30T07:59:59Z"));
        assert!(!holds(duty, "2026-11-30T16:00:00Z"), "the end is not in it");
        assert!(holds(duty, "2026-07-06T07:00:00Z"));
        assert!(!holds(duty, "2026-11-29T10:00:00Z"), "a Sunday");
    }

    #[test]
    fn a_night_goes_on_into_the_next_day() {
        let duty = "sat 22:00-06:00";
        assert!(holds(duty, "2026-11-28T22:00:00Z"));
        assert!(holds(duty, "2026-11-29T05:59:00Z"));
        assert!(!holds(duty, "2026-11-28T05:59:00Z"), "the night before");
        assert!(!holds(duty, "2026-11-29T22:00:00Z"));
        assert!(holds("fri-mon 00:00-24:00", "2026-11-29T12:00:00Z"), "over the end of the week");
        assert!(!holds("fri-mon 00:00-24:00", "2026-12-01T12:00:00Z"));
        assert!(holds("daily 00:00-24:00", "2026-12-01T23:59:00Z"));
        assert!(holds("Sunday 10:00-11:00", "2026-11-29T10:30:00Z"));
    }

    #[test]
    fn what_names_no_hours_is_refused() {
        for (text, why) in [
            ("", NotDuty::Form),
            ("mon-fri", NotDuty::Form),
            ("mon 9-17", NotDuty::Form),
            ("mon 09:00", NotDuty::Form),
            ("moon 09:00-17:00", NotDuty::Form),
            ("mon 09:00-25:00", NotDuty::Form),
            ("mon 09:00-17:00 Europe/Atlantis", NotDuty::Zone),
            ("mon 09:00-17:00 UTC and so on", NotDuty::Form),
        ] {
            assert_eq!(text.parse::<Duty>().unwrap_err(), why, "{text}");
        }
    }
}
