//! Parameters of queries: the days, the zone and the length of an answer. One refusal names all that are wrong.

use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::http::HeaderMap;
use kernel::Timestamp;
use service::http::{FieldError, Problem};

use crate::answer::Form;
use crate::domain::{Calendar, DAYS_MAX, Zone, day_of_text};

/// Days of a period that no date bounds, today included.
const DAYS_DEFAULT: i64 = 30;

/// Products of an answer when the client names no limit, and at the most.
const LIMIT: (i64, i64) = (20, 100);

/// Days of a zone, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub from: i64,
    pub to: i64,
    pub zone: Zone,
}

impl Period {
    pub fn days(&self) -> (i64, i64) {
        (self.from, self.to)
    }
}

/// Collects what is wrong with a query.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<FieldError>);

impl Parameters {
    /// The days that are asked for: up to today, and of thirty days, unless they are named.
    pub fn period(
        &mut self,
        (from, to, zone): (Option<&str>, Option<&str>, Option<&str>),
        calendar: &Calendar,
        now: Timestamp,
    ) -> Period {
        let zone = self.named("zone", zone, Zone::Utc);
        let today = calendar.day(zone, now);
        let given = (self.day("from", from), self.day("to", to));
        let to = given.1.or(given.0.map(|from| today.max(from))).unwrap_or(today);
        let from = given.0.unwrap_or(to - DAYS_DEFAULT + 1);
        if from > to {
            self.refuse("from", "range", "a day that is not after `to`".to_owned());
        } else if to - from >= DAYS_MAX {
            self.refuse("from", "range", format!("a day at most {DAYS_MAX} days before the end of `to`"));
        }
        Period { from, to, zone }
    }

    /// One of a fixed set.
    pub fn named<T: FromStr<Err = String>>(&mut self, field: &str, text: Option<&str>, default: T) -> T {
        match text.map(str::parse).transpose() {
            Ok(value) => value.unwrap_or(default),
            Err(expected) => {
                self.refuse(field, "invalid", expected);
                default
            }
        }
    }

    /// Number of products.
    pub fn limit(&mut self, text: Option<&str>) -> i64 {
        self.whole("limit", text, 1..=LIMIT.1, LIMIT.0)
    }

    /// A whole number.
    pub fn whole(&mut self, field: &str, text: Option<&str>, bounds: RangeInclusive<i64>, default: i64) -> i64 {
        let Some(text) = text else { return default };
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            self.refuse(field, "range", format!("a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number.unwrap_or(default)
    }

    fn day(&mut self, field: &str, text: Option<&str>) -> Option<i64> {
        let day = day_of_text(text?);
        if day.is_none() {
            self.refuse(field, "date", "a date as in 2026-01-31".to_owned());
        }
        day
    }

    /// The form of the answer.
    pub fn form(&mut self, format: Option<&str>, headers: &HeaderMap) -> Form {
        self.named("format", format, Form::accepted(headers))
    }

    pub fn refuse(&mut self, field: &str, code: &'static str, detail: String) {
        self.0.push(FieldError { field: field.to_owned(), code, detail });
    }

    /// 400 if any parameter was refused.
    pub fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid_query(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use kernel::TimeZone;

    use super::*;

    fn period(from: Option<&str>, to: Option<&str>, zone: Option<&str>) -> Result<(i64, i64), Vec<String>> {
        let berlin = Calendar::new(TimeZone::get("Europe/Berlin").unwrap());
        let mut parameters = Parameters::default();
        let period = parameters.period((from, to, zone), &berlin, "2026-01-31T23:30:00Z".parse().unwrap());
        let refused: Vec<String> = parameters.0.into_iter().map(|error| error.field).collect();
        if refused.is_empty() { Ok(period.days()) } else { Err(refused) }
    }

    fn day(text: &str) -> i64 {
        day_of_text(text).unwrap()
    }

    #[test]
    fn a_period_ends_today_and_has_thirty_days() {
        assert_eq!(period(None, None, None), Ok((day("2026-01-02"), day("2026-01-31"))));
        assert_eq!(period(None, None, Some("shop")), Ok((day("2026-01-03"), day("2026-02-01"))));
        assert_eq!(period(Some("2025-12-31"), None, None), Ok((day("2025-12-31"), day("2026-01-31"))));
        assert_eq!(period(None, Some("2025-03-30"), None), Ok((day("2025-03-01"), day("2025-03-30"))));
        assert_eq!(period(Some("2027-01-01"), None, None), Ok((day("2027-01-01"), day("2027-01-01"))));
    }

    #[test]
    fn a_period_is_bounded_and_every_wrong_parameter_is_named() {
        assert!(period(Some("2025-01-01"), Some("2026-01-01"), None).is_ok());
        assert_eq!(period(Some("2025-01-01"), Some("2026-01-02"), None), Err(vec!["from".to_owned()]));
        assert_eq!(period(Some("2026-01-02"), Some("2026-01-01"), None), Err(vec!["from".to_owned()]));
        let all = ["zone", "from", "to"].map(str::to_owned).to_vec();
        assert_eq!(period(Some("yesterday"), Some("2026-02-30"), Some("mars")), Err(all));
    }

    #[test]
    fn a_format_that_is_named_wins() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("text/csv"));
        let mut parameters = Parameters::default();
        assert_eq!(parameters.form(None, &headers), Form::Csv);
        assert_eq!(parameters.form(Some("json"), &headers), Form::Json);
        assert!(parameters.0.is_empty());
        parameters.form(Some("xml"), &headers);
        let [refused] = &parameters.0[..] else { panic!("it is refused") };
        assert_eq!((refused.field.as_str(), refused.detail.as_str()), ("format", "one of json, csv"));
    }

    #[test]
    fn a_limit_is_bounded() {
        let limit = |text| {
            let mut parameters = Parameters::default();
            let limit = parameters.limit(text);
            parameters.finish().map(|()| limit).map_err(|problem| problem.code())
        };
        assert_eq!([limit(None), limit(Some("1")), limit(Some("100"))], [Ok(20), Ok(1), Ok(100)]);
        for bad in ["0", "101", "-1", "many", "", "1.5", "99999999999999999999"] {
            assert_eq!(limit(Some(bad)), Err("invalid_query"), "{bad}");
        }
    }
}
