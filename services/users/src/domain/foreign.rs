//! Accounts that are kept elsewhere.

use events::ExternalUserChanged;
use kernel::{Timestamp, Version};

use super::{Roles, User};

/// A new account. `None` without an address. Without a name it has the part of its address before the `@`.
pub(crate) fn opened(said: &ExternalUserChanged, now: Timestamp) -> Option<User> {
    let email = said.email.clone()?;
    let name_of_address = || email.split_once('@').map_or(email.as_str(), |(name, _)| name).to_owned();
    Some(User {
        user_id: said.user_id,
        username: said.username.clone().unwrap_or_else(name_of_address),
        email,
        email_verified_at: None,
        created_at: now,
        roles: Roles::default(),
        version: Version::FIRST,
    })
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    #[test]
    fn a_new_account_needs_an_address_and_has_its_name_for_a_username() {
        let said = |username: Option<&str>, email: Option<&str>| ExternalUserChanged {
            user_id: Uuid::from_u128(1).into(),
            contract: "crm".to_owned(),
            via: events::bridge::MESSAGE.to_owned(),
            foreign_id: None,
            username: username.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        for (said, expected) in [
            (said(None, Some("ada@example.com")), Some("ada")),
            (said(Some("countess"), Some("ada@example.com")), Some("countess")),
            (said(Some("countess"), None), None),
        ] {
            let user = opened(&said, Timestamp::UNIX_EPOCH);
            assert_eq!(user.map(|user| user.username).as_deref(), expected);
        }
    }
}
