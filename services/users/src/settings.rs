//! The settings of users: how often guests and customers may try to prove or to find an account.

use service::setting::{AnySetting, Setting, parse};

/// Attempts a minute on one account from one address.
pub static ATTEMPT_LIMIT: Setting<u32> = Setting::new("attempt_limit", "10", limit);

/// Attempts a minute from one address.
pub static ATTEMPT_LIMIT_ADDRESS: Setting<u32> = Setting::new("attempt_limit_address", "100", limit);

/// Attempts a minute on one account from addresses that never signed in to it.
pub static ATTEMPT_LIMIT_ACCOUNT: Setting<u32> = Setting::new("attempt_limit_account", "100", limit);

/// All of them, in the order in which they are shown.
pub static ALL: &[&dyn AnySetting] = &[&ATTEMPT_LIMIT, &ATTEMPT_LIMIT_ADDRESS, &ATTEMPT_LIMIT_ACCOUNT];

fn limit(text: &str) -> Result<u32, String> {
    parse::whole(text, 1..=1_000_000)
}
