//! The settings of analytics.

use kernel::TimeZone;
use service::setting::{AnySetting, Setting};

/// The zone whose midnights divide the days of the shop.
pub static TIME_ZONE: Setting<TimeZone> = Setting::new("time_zone", "UTC", |text| {
    let zone = TimeZone::get(text).ok().filter(|zone| zone.iana_name().is_some());
    zone.ok_or_else(|| "the name of a time zone of the IANA, such as Europe/Berlin or UTC".to_owned())
});

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&TIME_ZONE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_has_a_name_that_the_iana_knows() {
        for good in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Etc/UTC"] {
            assert_eq!(TIME_ZONE.check(good), Ok(()), "{good}");
        }
        for bad in ["", "Berlin", "+02:00", "Europe/Atlantis", "Etc/Unknown", "../../etc/passwd"] {
            assert!(TIME_ZONE.check(bad).is_err(), "{bad}");
        }
    }
}
