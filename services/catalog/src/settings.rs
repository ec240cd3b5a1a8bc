//! The settings of the catalogue.

use kernel::Currency;
use service::setting::{AnySetting, Setting};

/// The shop's one currency, which orders declares too.
pub static CURRENCY: Setting<Currency> =
    Setting::new("currency", "EUR", |text| text.parse().map_err(|error| format!("{error}")));

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&CURRENCY];
