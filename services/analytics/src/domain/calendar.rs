//! Days: in UTC, and in the shop's time zone.

use kernel::{TimeZone, Timestamp};

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// Days of a period that is asked for at the most: a leap year.
pub(crate) const DAYS_MAX: i64 = 366;

/// The zone whose midnights divide days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Zone {
    Utc,
    /// The one of the setting `time_zone`.
    Shop,
}

kernel::named!(Zone { Utc = "utc", Shop = "shop" });

/// The zones in which days are counted.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    shop: TimeZone,
}

impl Calendar {
    pub fn new(shop: TimeZone) -> Self {
        Self { shop }
    }

    /// The name of the shop's zone, as the IANA has it.
    pub fn name(&self) -> &str {
        self.shop.iana_name().unwrap_or("UTC")
    }

    /// The name of a zone, as the IANA has it.
    pub fn name_of(&self, zone: Zone) -> &str {
        match zone {
            Zone::Utc => "UTC",
            Zone::Shop => self.name(),
        }
    }

    /// The zones whose days are kept: a shop in UTC has one.
    pub fn kept(&self) -> &'static [Zone] {
        if self.is_utc() { &[Zone::Utc] } else { Zone::ALL }
    }

    /// The zone under which the days of a zone are kept.
    pub fn kept_as(&self, zone: Zone) -> Zone {
        if self.is_utc() { Zone::Utc } else { zone }
    }

    /// The day of a time, as days since 1970-01-01.
    pub fn day(&self, zone: Zone, time: Timestamp) -> i64 {
        let offset = match zone {
            Zone::Utc => 0,
            Zone::Shop => i64::from(self.shop.to_offset(time).seconds()),
        };
        (time.as_second() + offset).div_euclid(SECONDS_A_DAY)
    }

    fn is_utc(&self) -> bool {
        self.name() == "UTC"
    }
}

/// The day that a text as in `2026-01-31` names.
pub(crate) fn day_of_text(text: &str) -> Option<i64> {
    let is_date = text.len() == 10 && text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
    let midnight: Timestamp = is_date.then(|| format!("{text}T00:00:00Z").parse().ok())??;
    Some(midnight.as_second().div_euclid(SECONDS_A_DAY))
}

/// The day as in `2026-01-31`.
pub(crate) fn text_of_day(day: i64) -> String {
    let midnight = Timestamp::from_second(day.saturating_mul(SECONDS_A_DAY)).unwrap_or(Timestamp::UNIX_EPOCH);
    midnight.to_string().split('T').next().unwrap_or_default().to_owned()
}
