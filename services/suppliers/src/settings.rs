//! The settings of suppliers.

use std::time::Duration;

use kernel::{Currency, SignedDuration};
use service::setting::{AnySetting, Setting, Values, parse};

/// The value by which nothing is simulated.
const OFF: &str = "off";

/// The shop's one currency, which the catalogue declares too.
pub static CURRENCY: Setting<Currency> =
    Setting::new("currency", "EUR", |text| text.parse().map_err(|error| format!("{error}")));

/// The time after which suppliers with an address at `simulated.example` deliver by themselves, for a shop to play with.
pub static SIMULATED_DELIVERY: Setting<Option<Duration>> = Setting::new("simulated_delivery", OFF, |text| {
    let bounds = Duration::from_secs(1)..=Duration::from_hours(30 * 24);
    if text == OFF {
        Ok(None)
    } else {
        parse::duration(text, bounds).map(Some).map_err(|error| format!("{OFF}, or {error}"))
    }
});

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&CURRENCY, &SIMULATED_DELIVERY];

/// Their values.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub currency: Currency,
    /// `None` if nobody delivers by themselves.
    pub simulated_delivery: Option<SignedDuration>,
}

impl Settings {
    pub fn of(values: &Values) -> Self {
        let simulated = SIMULATED_DELIVERY.of(values);
        Self {
            currency: CURRENCY.of(values),
            simulated_delivery: simulated.and_then(|time| SignedDuration::try_from(time).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_simulated_after_a_time_or_not_at_all() {
        for good in ["off", "1s", "10s", "2h"] {
            assert_eq!(SIMULATED_DELIVERY.check(good), Ok(()), "{good}");
        }
        for bad in ["", "on", "0s", "100000h"] {
            assert!(SIMULATED_DELIVERY.check(bad).is_err(), "{bad}");
        }
    }
}
