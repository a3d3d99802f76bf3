//! Moments and sizes as people read them.

use jiff::{Timestamp, tz::TimeZone};

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
}
