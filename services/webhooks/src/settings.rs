//! The settings of webhooks.

use std::time::Duration;

use service::setting::{AnySetting, Setting, Values, parse};

/// True if endpoints may be on this machine, for development.
pub static ALLOW_LOOPBACK: Setting<bool> = Setting::new("webhooks_allow_loopback", "false", |text| match text {
    "true" => Ok(true),
    "false" => Ok(false),
    _ => Err("true or false".to_owned()),
});

/// The time that one attempt may take. At most half of what a round may take, see `deliver.rs`.
pub static TIMEOUT: Setting<Duration> = Setting::new("webhooks_timeout", "15s", |text| {
    parse::duration(text, Duration::from_millis(100)..=Duration::from_secs(30))
});

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&ALLOW_LOOPBACK, &TIMEOUT];

/// Their values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub allows_loopback: bool,
    pub timeout: Duration,
}

impl Settings {
    pub fn of(values: &Values) -> Self {
        Self { allows_loopback: ALLOW_LOOPBACK.of(values), timeout: TIMEOUT.of(values) }
    }
}
