//! The bounds of a user's fields.

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
