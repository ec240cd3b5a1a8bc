//! From text to values that many settings have. A parser refuses with what it expects.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo, SpanRound, Unit};

/// A whole number within bounds.
pub fn whole<T: FromStr + PartialOrd + Display>(text: &str, bounds: RangeInclusive<T>) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| format!("a whole number from {} to {}", bounds.start(), bounds.end()))
}

/// A duration within bounds, in numbers with units as in `200ms`, `15m` or `1h 30m`. A day has 24 hours.
pub fn duration(text: &str, bounds: RangeInclusive<Duration>) -> Result<Duration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    // What is negative is no `Duration`.
    let duration = span.ok().and_then(|span| Duration::try_from(span).ok()).filter(|it| bounds.contains(it));
    duration.ok_or_else(|| {
        let (min, max) = (in_words(*bounds.start()), in_words(*bounds.end()));
        format!("a duration from {min} to {max}, as in 200ms, 30s, 15m, 24h or 14d")
    })
}

/// The same notation, in the largest units.
fn in_words(duration: Duration) -> String {
    let round = SpanRound::new().largest(Unit::Day).days_are_24_hours();
    let span = Span::try_from(duration).and_then(|span| span.round(round));
    span.map_or_else(|_| format!("{duration:?}"), |span| format!("{span:#}"))
}

/// A text of one line.
pub fn text(text: &str, length_max: usize) -> Result<String, String> {
    let good = (1..=length_max).contains(&text.len()) && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err(format!("1 to {length_max} bytes without control characters")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_duration_has_units() {
        for (text, millis) in [
            ("200ms", 200),
            ("1s", 1_000),
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("14d", 1_209_600_000),
            ("1h 30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text, Duration::ZERO..=30 * DAY), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_text_is_no_duration() {
        let expected = "a duration from 1ms to 30d, as in 200ms, 30s, 15m, 24h or 14d";
        let out_of_bounds = ["0ms", "31d", "-1s", "99999999999999999999d", "9999999999999999d"];
        for bad in ["", "15", "m", "15x", "1mo", "15m!"].into_iter().chain(out_of_bounds) {
            let refused = duration(bad, Duration::from_millis(1)..=30 * DAY);
            assert_eq!(refused, Err(expected.to_owned()), "{bad}");
        }
    }

    #[test]
    fn a_number_keeps_to_its_bounds() {
        assert_eq!(whole("256", 1..=256), Ok(256));
        for bad in ["0", "257", "-1", "", "1.0", "many"] {
            assert_eq!(whole(bad, 1..=256), Err("a whole number from 1 to 256".to_owned()), "{bad}");
        }
    }
}
