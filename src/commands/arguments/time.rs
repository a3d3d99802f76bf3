//! Moments as people type them: ISO dates and ages, and nothing that two people read differently.

use std::str::FromStr;

use jiff::{Timestamp, civil, fmt::friendly::SpanParser, tz::TimeZone};

const EXAMPLES: &str = "write a date such as 2026-11-01 or 2026-11-01T10:00Z";

const LONE_M: &str = "m can be minutes or months; write min or mo";

/// A moment typed as an ISO date, `2026-11-01`, `2026-11-01T10:00` or `2026-11-01T10:00+01:00`, or
/// as a Unix time in milliseconds. Without a zone a date is UTC, without a time it is midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(at) = unix_millis(text) {
            return Ok(Self(at));
        }
        if !has_date_shape(text) {
            return Err(format!("it is not a date that has only one reading; {EXAMPLES}"));
        }
        text.parse::<Timestamp>()
            .or_else(|_| {
                text.parse::<civil::DateTime>().and_then(|at| TimeZone::UTC.to_timestamp(at))
            })
            .map(Self)
            .map_err(|_| format!("there is no such date or time; {EXAMPLES}"))
    }
}

/// The moment of a Unix time in milliseconds: 12 to 14 digits, so that neither seconds nor a date
/// without its hyphens is taken for one.
fn unix_millis(text: &str) -> Option<Timestamp> {
    let digits = (12..=14).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Timestamp::from_millisecond(text.parse().ok()?).ok()).flatten()
}

/// Whether `text` begins with four digits, two digits, two digits, so that no reader of dates in
/// another order, or of weeks, is ever asked.
fn has_date_shape(text: &str) -> bool {
    let shape: String =
        text.chars().take(10).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00" && matches!(text.chars().nth(10), None | Some('T' | 't' | ' '))
}

/// The begin of a period: a [`Moment`], or an age such as `3d`, `2h30min` or `2 weeks`, counted
/// back from the moment of asking.
#[derive(Debug, Clone)]
pub struct Since {
    typed: String,
    from: From,
}

#[derive(Debug, Clone)]
enum From {
    Moment(Timestamp),
    Age(jiff::Span),
}

impl Since {
    /// The moment that is meant when asked at `now`. An age that reaches further back than time
    /// can be written is the earliest moment there is.
    pub fn before(&self, now: Timestamp) -> Timestamp {
        match &self.from {
            From::Moment(at) => *at,
            From::Age(age) => now
                .to_zoned(TimeZone::UTC)
                .checked_sub(*age)
                .map_or(Timestamp::MIN, |at| at.timestamp()),
        }
    }

    /// What was typed, for saying the command again.
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is_date = text.contains(['-', '/', '.']) || has_date_shape(text);
        let from = if is_date || unix_millis(text).is_some() {
            let Moment(at) =
                text.parse().map_err(|fault| format!("{fault}, or an age such as 3d"))?;
            From::Moment(at)
        } else {
            From::Age(age(text)?)
        };
        Ok(Self { typed: text.to_owned(), from })
    }
}

/// How long something lasts: `3d`, `2h30min`, `2 weeks`.
#[derive(Debug, Clone)]
pub struct Lasting {
    typed: String,
    span: jiff::Span,
}

impl Lasting {
    /// The moment at which what begins at `begin` is over; `None` beyond all time.
    pub fn after(&self, begin: Timestamp) -> Option<Timestamp> {
        let end = begin.to_zoned(TimeZone::UTC).checked_add(self.span).ok()?.timestamp();
        (end > begin).then_some(end)
    }

    /// What was typed, for saying the command again.
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

impl FromStr for Lasting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let typed = text.trim();
        if has_lone_m(typed) {
            return Err(LONE_M.to_owned());
        }
        match SpanParser::new().parse_span(typed) {
            Ok(span) if span.is_positive() => Ok(Self { typed: typed.to_owned(), span }),
            _ => {
                Err("it is no length of time; write one such as 3d, 2h30min or 2 weeks".to_owned())
            }
        }
    }
}

fn age(text: &str) -> Result<jiff::Span, String> {
    if has_lone_m(text) {
        return Err(LONE_M.to_owned());
    }
    let text = text.strip_suffix("ago").unwrap_or(text).trim_end();
    match SpanParser::new().parse_span(text) {
        Ok(span) if !span.is_negative() => Ok(span),
        _ => Err(format!(
            "it is neither an age nor a date; write an age such as 3d, 2h30min or 2 weeks, or \
             {}",
            EXAMPLES.strip_prefix("write ").unwrap_or(EXAMPLES)
        )),
    }
}

/// Whether a number is followed by the unit `m` alone.
fn has_lone_m(text: &str) -> bool {
    text.to_lowercase()
        .split(|c: char| c.is_ascii_digit() || c.is_whitespace() || c == ',')
        .any(|unit| unit == "m")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T14:03:00Z";

    fn since(text: &str) -> Result<String, String> {
        let now = NOW.parse().unwrap();
        text.parse::<Since>().map(|since| since.before(now).to_string())
    }

    #[test]
    fn dates_are_utc_unless_they_say_otherwise() {
        for (text, moment) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00Z", "2026-11-01T10:00:00Z"),
            ("2026-11-01T10:00", "2026-11-01T10:00:00Z"),
            ("2026-11-01 10:00", "2026-11-01T10:00:00Z"),
            ("2026-11-01T10:00:30", "2026-11-01T10:00:30Z"),
            ("2026-11-01T10:00+01:00", "2026-11-01T09:00:00Z"),
            // A Unix time in milliseconds.
            ("1793491200000", "2026-11-01T00:00:00Z"),
        ] {
            assert_eq!(since(text).as_deref(), Ok(moment), "{text}");
            let Moment(at) = text.parse().unwrap();
            assert_eq!(at.to_string(), moment, "{text}");
        }
    }

    #[test]
    fn ages_count_back_from_now() {
        for (text, moment) in [
            ("3d", "2026-11-17T14:03:00Z"),
            ("2h30min", "2026-11-20T11:33:00Z"),
            ("2 weeks", "2026-11-06T14:03:00Z"),
            ("2 weeks ago", "2026-11-06T14:03:00Z"),
            ("1mo", "2026-10-20T14:03:00Z"),
            ("1y", "2025-11-20T14:03:00Z"),
        ] {
            assert_eq!(since(text).as_deref(), Ok(moment), "{text}");
        }
    }

    #[test]
    fn what_lasts_is_over_after_now() {
        let after = |text: &str| text.parse::<Lasting>().unwrap().after(NOW.parse().unwrap());
        for (text, end) in [
            ("3d", "2026-11-23T14:03:00Z"),
            ("2h30min", "2026-11-20T16:33:00Z"),
            ("1mo", "2026-12-20T14:03:00Z"),
        ] {
            assert_eq!(after(text), Some(end.parse().unwrap()), "{text}");
        }
        assert_eq!(after("19000y"), None);
        for text in ["3m", "0s", "-3d", "3", "soon", "", "2026-11-23", "3d ago"] {
            assert!(text.parse::<Lasting>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_age_beyond_all_time_is_the_beginning_of_time() {
        let since: Since = "19000y".parse().unwrap();
        assert_eq!(since.before(NOW.parse().unwrap()), Timestamp::MIN);
    }

    #[test]
    fn what_has_two_readings_is_refused_with_what_to_write() {
        for text in ["03/04", "03/04/2026", "3.4.2026", "26-11-01", "2026-11", "20261101-10"] {
            let fault = since(text).unwrap_err();
            assert!(fault.contains("2026-11-01"), "{text}: {fault}");
            assert!(text.parse::<Moment>().unwrap_err().contains("2026-11-01"), "{text}");
        }
        for text in ["3m", "3 m", "1h 3m", "3M"] {
            assert_eq!(since(text).unwrap_err(), "m can be minutes or months; write min or mo");
        }
        for text in
            ["", "soon", "3", "2026", "2026-13-01", "2026-11-01T25:00", "2026-11-01x", "-3d"]
        {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
