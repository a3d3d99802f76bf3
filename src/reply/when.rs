//! Moments and sizes as people read them.

use jiff::{SignedDuration, Timestamp};

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
