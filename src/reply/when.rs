//! Moments and sizes as people read them.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// A moment in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The moment.
    pub at: Timestamp,
    /// The present, where it is told how far from that it is.
    pub now: Option<Timestamp>,
}

impl When {
    /// In the zone, and in UTC, with how far it is.
    pub(super) fn said(self, zone: Option<&TimeZone>) -> String {
        let far = self.now.map(|now| ago(self.at, now));
        let Some(there) = zone.and_then(|zone| elsewhere(self.at, zone)) else {
            let far = far.map(|far| format!(" ({far})")).unwrap_or_default();
            return format!("{}{far}", utc(self.at));
        };
        let far = far.map(|far| format!(", {far}")).unwrap_or_default();
        format!("{there}{far})")
    }

    /// How far it is, where that is told, else the moment.
    pub(super) fn in_short(self, zone: Option<&TimeZone>) -> String {
        self.now.map_or_else(|| self.said(zone), |now| ago(self.at, now))
    }
}

/// A moment in a zone and, in brackets that are still open, in UTC: `2026-11-29 21:15 CET (20:15 UTC`.
/// The day stands there twice only where it is another. `None` where the zone is UTC.
fn elsewhere(at: Timestamp, zone: &TimeZone) -> Option<String> {
    let there = at.to_zoned(zone.clone());
    let here = at.to_zoned(TimeZone::UTC);
    let name = there.strftime("%Z").to_string();
    if name == "UTC" {
        return None;
    }
    let same_day = there.date() == here.date();
    let here = if same_day { here.strftime("%H:%M UTC").to_string() } else { utc(at) };
    Some(format!("{} {name} ({here}", there.strftime("%Y-%m-%d %H:%M")))
}

/// A moment in UTC, to the minute, with the zone: `2026-11-20 14:03 UTC`.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A moment in UTC, and in brackets in the zone of whoever it is for, where they have one: for what everybody
/// reads, such as `2026-11-20 14:03 UTC (15:03 CET)`. Today's has no day.
pub fn utc_beside(at: Timestamp, zone: Option<&TimeZone>, now: Timestamp) -> String {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let here = if day(at) == day(now) { at.strftime("%H:%M UTC").to_string() } else { utc(at) };
    let Some(there) = zone.map(|zone| at.to_zoned(zone.clone())) else { return here };
    let name = there.strftime("%Z").to_string();
    if name == "UTC" {
        return here;
    }
    let form = if there.date() == day(at) { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    format!("{here} ({} {name})", there.strftime(form))
}

/// How far `at` lies from `now`, in its largest unit: `3 h ago`, `in 2 days`, `just now`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let far = seconds.unsigned_abs();
    let (count, unit) = match far {
        0..60 => return "just now".to_owned(),
        60..3600 => (far / 60, "min"),
        3600..86_400 => (far / 3600, "h"),
        86_400..31_536_000 => (far / 86_400, if far / 86_400 == 1 { "day" } else { "days" }),
        _ => (far / 31_536_000, if far / 31_536_000 == 1 { "year" } else { "years" }),
    };
    if seconds < 0 { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
}

/// A span of time, to the minute or coarser: `under a minute`, `4 min`, `2 h 5 min`, `3 days`.
pub fn span(time: SignedDuration) -> String {
    let minutes = time.as_secs().unsigned_abs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "under a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours @ 48.., _) => format!("{} days", hours / 24),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A count in groups of three digits: `1,000`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let mut groups = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            groups.push(',');
        }
        groups.push(digit);
    }
    groups
}

/// A number of bytes in binary units: `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Zones;

    #[test]
    fn a_moment_stands_in_the_zone_before_utc() {
        let at: Timestamp = "2026-11-29T20:15:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-29T23:30:00Z".parse().unwrap();
        let berlin = Zones::of_system().named("Europe/Berlin").unwrap();
        let said = |at, now, zone| When { at, now }.said(zone);
        assert_eq!(said(at, None, None), "2026-11-29 20:15 UTC");
        assert_eq!(said(at, Some(later), None), "2026-11-29 20:15 UTC (3 h ago)");
        assert_eq!(said(at, None, Some(&berlin)), "2026-11-29 21:15 CET (20:15 UTC)");
        let far = "2026-11-29 21:15 CET (20:15 UTC, 3 h ago)";
        assert_eq!(said(at, Some(later), Some(&berlin)), far);
        let next_day = "2026-11-30 00:30 CET (2026-11-29 23:30 UTC)";
        assert_eq!(said(later, None, Some(&berlin)), next_day);
        assert_eq!(said(at, None, Some(&TimeZone::UTC)), "2026-11-29 20:15 UTC");
        assert_eq!(When { at, now: Some(later) }.in_short(Some(&berlin)), "3 h ago");
    }

    #[test]
    fn for_everybody_utc_stands_before_the_zone_of_one() {
        let at: Timestamp = "2026-11-29T20:15:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-29T23:30:00Z".parse().unwrap();
        let day_before: Timestamp = "2026-11-28T23:30:00Z".parse().unwrap();
        let berlin = Zones::of_system().named("Europe/Berlin").unwrap();
        for (at, zone, now, said) in [
            (at, None, later, "20:15 UTC"),
            (at, Some(&TimeZone::UTC), later, "20:15 UTC"),
            (at, Some(&berlin), later, "20:15 UTC (21:15 CET)"),
            (at, Some(&berlin), day_before, "2026-11-29 20:15 UTC (21:15 CET)"),
            (later, Some(&berlin), at, "23:30 UTC (2026-11-30 00:30 CET)"),
        ] {
            assert_eq!(utc_beside(at, zone, now), said);
        }
    }

    #[test]
    fn a_count_is_grouped_by_three_digits() {
        for (count, told) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(count), told);
        }
    }

    #[test]
    fn a_span_of_time_is_told_in_its_largest_units() {
        for (seconds, told) in [
            (59, "under a minute"),
            (60, "1 min"),
            (299, "4 min"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (86_400, "24 h"),
            (3 * 86_400 + 7, "3 days"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), told);
        }
    }
}
