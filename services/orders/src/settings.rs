//! The settings of orders.

use std::time::Duration;

use kernel::{Currency, SignedDuration};
use service::setting::{AnySetting, Setting, Values, parse};

/// An order's units, at the most: no shop has more of a product.
const UNITS_MAX: i64 = 1_000_000_000;

/// The shop's one currency, which the catalogue declares too.
pub static CURRENCY: Setting<Currency> =
    Setting::new("currency", "EUR", |text| text.parse().map_err(|error| format!("{error}")));

/// The time for which stock is held for an unpaid order.
pub static RESERVATION_TTL: Setting<Duration> = Setting::new("reservation_ttl", "15m", |text| {
    parse::duration(text, Duration::from_secs(1)..=Duration::from_hours(30 * 24))
});

/// The time for which an order waits for stock, if its customer wants that.
pub static BACKORDER_TTL: Setting<Duration> = Setting::new("backorder_ttl", "30d", |text| {
    parse::duration(text, Duration::from_secs(1)..=Duration::from_hours(366 * 24))
});

/// Payments of one order that may be declined before it is cancelled.
pub static PAYMENT_ATTEMPTS: Setting<i64> = Setting::new("payment_attempts", "10", |text| parse::whole(text, 1..=20));

/// Units that orders of one e-mail address may hold without a payment.
pub static UNPAID_UNITS_PER_EMAIL: Setting<i64> =
    Setting::new("unpaid_units_per_email", "100", |text| parse::whole(text, 1..=UNITS_MAX));

/// Units that orders from one client's address may hold without a payment.
pub static UNPAID_UNITS_PER_ADDRESS: Setting<i64> =
    Setting::new("unpaid_units_per_address", "1000", |text| parse::whole(text, 1..=UNITS_MAX));

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[
    &CURRENCY,
    &RESERVATION_TTL,
    &BACKORDER_TTL,
    &PAYMENT_ATTEMPTS,
    &UNPAID_UNITS_PER_EMAIL,
    &UNPAID_UNITS_PER_ADDRESS,
];

/// Their values.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub currency: Currency,
    pub reservation_ttl: Duration,
    pub backorder_ttl: Duration,
    pub payment_attempts: i64,
    pub unpaid_units_per_email: i64,
    pub unpaid_units_per_address: i64,
}

impl Settings {
    pub fn of(values: &Values) -> Self {
        Self {
            currency: CURRENCY.of(values),
            reservation_ttl: RESERVATION_TTL.of(values),
            backorder_ttl: BACKORDER_TTL.of(values),
            payment_attempts: PAYMENT_ATTEMPTS.of(values),
            unpaid_units_per_email: UNPAID_UNITS_PER_EMAIL.of(values),
            unpaid_units_per_address: UNPAID_UNITS_PER_ADDRESS.of(values),
        }
    }

    /// `reservation_ttl` as times are counted with.
    pub fn reservation_ttl(&self) -> SignedDuration {
        SignedDuration::try_from(self.reservation_ttl).unwrap_or(SignedDuration::MAX)
    }

    /// `backorder_ttl` as times are counted with.
    pub fn backorder_ttl(&self) -> SignedDuration {
        SignedDuration::try_from(self.backorder_ttl).unwrap_or(SignedDuration::MAX)
    }
}
