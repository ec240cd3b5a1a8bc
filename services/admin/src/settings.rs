//! The settings of admin.

use std::time::Duration;

use kernel::{SignedDuration, email};
use service::setting::{AnySetting, Setting, Values, parse};

/// The address to which alerts are mailed. Empty: they are not mailed.
pub static ALERT_MAIL: Setting<Option<String>> = Setting::new("alert_mail", "", |text| {
    if text.is_empty() {
        return Ok(None);
    }
    email::ascii(text).map(Some).ok_or_else(|| "an e-mail address, or nothing".to_owned())
});

/// The time in which at most one mail about alerts is sent.
pub static ALERT_INTERVAL: Setting<Duration> = Setting::new("alert_interval", "15m", |text| {
    parse::duration(text, Duration::from_secs(1)..=Duration::from_hours(7 * 24))
});

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&ALERT_MAIL, &ALERT_INTERVAL];

/// Their values.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `None` if alerts are not mailed.
    pub alert_mail: Option<String>,
    pub alert_interval: SignedDuration,
}

impl Settings {
    pub fn of(values: &Values) -> Self {
        Self {
            alert_mail: ALERT_MAIL.of(values),
            alert_interval: SignedDuration::try_from(ALERT_INTERVAL.of(values)).unwrap_or(SignedDuration::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_mailed_to_one_address_or_to_nobody() {
        for good in ["", "admin@shop.example", "admin@localhost"] {
            assert_eq!(ALERT_MAIL.check(good), Ok(()), "{good}");
        }
        for bad in ["admin", "a@b, c@d", "Admin <admin@shop.example>", "a@b\r\nBcc: c@d"] {
            assert!(ALERT_MAIL.check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mails_about_alerts_have_some_time_between_them() {
        assert_eq!(ALERT_INTERVAL.check("1m"), Ok(()));
        for bad in ["", "0s", "8d", "15"] {
            assert!(ALERT_INTERVAL.check(bad).is_err(), "{bad}");
        }
    }
}
