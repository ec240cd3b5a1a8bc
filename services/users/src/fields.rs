//! The bounds of a user's fields.

use service::Failure;
use service::http::Fields;

const USERNAME_MIN: usize = 3;
const USERNAME_MAX: usize = 32;

pub(crate) fn check_username(fields: &mut Fields, username: &str) {
    let fits = (USERNAME_MIN..=USERNAME_MAX).contains(&username.chars().count());
    fields.check(fits, "username", "length", format!("{USERNAME_MIN} to {USERNAME_MAX} characters"));
    let plain = username.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    fields.check(plain, "username", "characters", "letters a to z, digits, `_`, `.` and `-`");
}

pub(crate) fn check_email(fields: &mut Fields, email: &str) {
    fields.email(email, "email");
}

pub(crate) fn check_foreign_username(username: &str) -> Result<(), Failure> {
    let rule = || format!("username: wanted {USERNAME_MIN} to {USERNAME_MAX} letters a to z, digits, `_`, `.` and `-`");
    park_unless(|fields| check_username(fields, username), rule)
}

pub(crate) fn check_foreign_email(email: &str) -> Result<(), Failure> {
    let rule = || "email: wanted an e-mail address as in ada@example.com or ada@müller.de".to_owned();
    park_unless(|fields| check_email(fields, email), rule)
}

/// Parks what breaks a rule and was sent by no request that could be answered: the reason is the rule.
fn park_unless(check: impl FnOnce(&mut Fields), rule: impl FnOnce() -> String) -> Result<(), Failure> {
    let mut fields = Fields::new();
    check(&mut fields);
    fields.finish().map_err(|_| Failure::park(rule()))
}
