//! Moments and sizes as people read them.

use jiff::Timestamp;

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
