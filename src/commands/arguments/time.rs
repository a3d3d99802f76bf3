//! Moments as people type them: ISO dates and ages, and nothing that two people read differently.

use std::str::FromStr;

use jiff::{Timestamp, civil, fmt::friendly::SpanParser, tz::TimeZone};

use crate::refs::narrow;

const EXAMPLES: &str = "write a date such as 2026-11-01 or 2026-11-01T10:00Z";

const LONE_M: &str = "m could mean minutes or months; write min or mo";

/// A moment typed as an ISO date, `2026-11-01`, `2026-11-01T10:00` or `2026-11-01T10:00+01:00`, or
/// as a Unix time in milliseconds. Without a zone a date is UTC, without a time it is midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches(['.', ',', ';']);
        if let Some(at) = unix_millis(text) {
            return Ok(Self(at));
        }
        if !has_date_shape(text) {
            return Err(format!("that date is ambiguous; {EXAMPLES}"));
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
        let text = text.trim().trim_end_matches(['.', ',', ';']);
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
        match span(typed)? {
            Some(span) if span.is_positive() => Ok(Self { typed: typed.to_owned(), span }),
            _ => Err("it is not a duration; write one such as 3d, 2h30min or 2 weeks".to_owned()),
        }
    }
}

/// The length of time that a text says, if it says one; why not where it could be two.
fn span(text: &str) -> Result<Option<jiff::Span>, String> {
    let text = plain(text);
    // In ISO 8601 the place of an M says what it is.
    if text.starts_with('p') && !text.contains(' ') {
        return Ok(text.to_uppercase().parse().ok());
    }
    if has_lone_m(&text) {
        return Err(LONE_M.to_owned());
    }
    if has_thousands(&text) {
        return Err("it could be a thousand or a fraction; write the number without the point or \
                    comma"
            .to_owned());
    }
    Ok(SpanParser::new().parse_span(&text).ok())
}

/// A length of time as it is read: in small letters, with digits for words, without the `and` between
/// its parts and the full stop of the sentence.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(narrow).collect();
    let text = text.trim().trim_end_matches(['.', ',', ';', ':', '!']).to_lowercase();
    let digits = |word: &str| {
        NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, digits)| (*digits).to_owned())
    };
    let words = text.split_whitespace().filter(|word| *word != "and");
    words.map(|word| digits(word).unwrap_or_else(|| word.to_owned())).collect::<Vec<_>>().join(" ")
}

/// Numbers that people write as words where they write a time.
const NUMBERS: [(&str, &str); 14] = [
    ("a", "1"),
    ("an", "1"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
];

/// Whether there is a point or comma with just three digits behind it.
fn has_thousands(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['.', ',']).collect();
    parts.windows(2).any(|pair| {
        let [before, behind] = pair else { return false };
        let digits = behind.chars().take_while(char::is_ascii_digit).count();
        digits == 3 && before.ends_with(|c: char| c.is_ascii_digit())
    })
}

fn age(text: &str) -> Result<jiff::Span, String> {
    let text = text.strip_suffix("ago").unwrap_or(text).trim_end();
    match span(text)? {
        Some(span) if !span.is_negative() => Ok(span),
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
            ("An hour ago", "2026-11-20T13:03:00Z"),
            ("two weeks", "2026-11-06T14:03:00Z"),
            ("P1W", "2026-11-13T14:03:00Z"),
            ("2026-11-01.", "2026-11-01T00:00:00Z"),
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
            ("3 d", "2026-11-23T14:03:00Z"),
            ("3D", "2026-11-23T14:03:00Z"),
            ("3 Days", "2026-11-23T14:03:00Z"),
            ("3d.", "2026-11-23T14:03:00Z"),
            ("３d", "2026-11-23T14:03:00Z"),
            ("three days", "2026-11-23T14:03:00Z"),
            ("a week", "2026-11-27T14:03:00Z"),
            ("An hour", "2026-11-20T15:03:00Z"),
            ("1w2d", "2026-11-29T14:03:00Z"),
            ("2 weeks and 3 days", "2026-12-07T14:03:00Z"),
            ("36h", "2026-11-22T02:03:00Z"),
            ("1.5h", "2026-11-20T15:33:00Z"),
            ("PT3H", "2026-11-20T17:03:00Z"),
            ("P3D", "2026-11-23T14:03:00Z"),
            ("PT5M", "2026-11-20T14:08:00Z"),
        ] {
            assert_eq!(after(text), Some(end.parse().unwrap()), "{text}");
        }
        assert_eq!(after("19000y"), None);
        for text in ["3m", "0s", "-3d", "3", "soon", "", "2026-11-23", "3d ago"] {
            assert!(text.parse::<Lasting>().is_err(), "{text}");
        }
        for text in
            ["1h30", "1:30", "0d", "a", "forever", "tomorrow", "P", "-PT3H", "1,000h", "1.000h"]
        {
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
            assert_eq!(since(text).unwrap_err(), "m could mean minutes or months; write min or mo");
        }
        for text in
            ["", "soon", "3", "2026", "2026-13-01", "2026-11-01T25:00", "2026-11-01x", "-3d"]
        {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
