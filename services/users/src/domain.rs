//! Users, and which names may be taken. Links, sessions and signing keys have files of their own.

mod foreign;
mod link;
mod role;
mod session;
mod signing;

pub(crate) use foreign::opened;
pub(crate) use link::{Link, Purpose, make_room};
pub(crate) use role::{Role, Roles};
pub(crate) use session::{Refresh, SESSIONS_MAX, Session};
pub(crate) use signing::{PrivateKey, SigningKey, Times, signer};

use events::{UserProfileUpdated, UserRegistered};
use kernel::{Timestamp, UserId, Version, email};

/// Someone with an account.
#[expect(clippy::struct_field_names, reason = "an id has one name in events, tables and code")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub user_id: UserId,
    pub username: String,
    pub email: String,
    /// The time at which its owner showed that they read mail of this address.
    pub email_verified_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub roles: Roles,
    pub version: Version,
}

/// Changes to a profile; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileChange {
    pub username: Option<String>,
    pub email: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    EmailTaken,
    UsernameTaken,
}

impl User {
    /// The user after they followed a link to a new password, which shows that they read mail of the address.
    pub fn with_password_reset(&self, now: Timestamp) -> Self {
        self.verified(now)
    }

    /// The user after they followed a link that was mailed to the address.
    pub fn verified(&self, now: Timestamp) -> Self {
        Self { email_verified_at: Some(now), version: self.version.next(), ..self.clone() }
    }

    /// The user with these roles; `None` if it has them already.
    pub fn with_roles(&self, roles: &Roles) -> Option<Self> {
        let version = self.version.next();
        (self.roles != *roles).then(|| Self { roles: roles.clone(), version, ..self.clone() })
    }

    /// True if the other address reaches somebody else.
    pub fn moves_to(&self, address: &str) -> bool {
        email::key(&self.email) != email::key(address)
    }
}

/// The text under which a username is unique: it is ASCII, and its case makes no difference.
pub(crate) fn username_key(username: &str) -> String {
    username.to_ascii_lowercase()
}

/// `holders` are the users who hold the name or the address.
pub(crate) fn register(user: &User, holders: &[User]) -> Result<UserRegistered, Refusal> {
    check_free(user, holders)?;
    Ok(UserRegistered { user_id: user.user_id, username: user.username.clone(), email: user.email.clone() })
}

/// The user after the change; `None` if it changes nothing.
pub(crate) fn changed(user: &User, change: &ProfileChange) -> Option<User> {
    let username = change.username.as_ref().unwrap_or(&user.username);
    let email = change.email.as_ref().unwrap_or(&user.email);
    if (username, email) == (&user.username, &user.email) {
        return None;
    }
    let email_verified_at = user.email_verified_at.filter(|_| !user.moves_to(email));
    let version = user.version.next();
    Some(User { username: username.clone(), email: email.clone(), email_verified_at, version, ..user.clone() })
}

/// `holders` are the users who hold the new name or address; the user itself may be among them.
pub(crate) fn update(changed: &User, holders: &[User]) -> Result<UserProfileUpdated, Refusal> {
    check_free(changed, holders)?;
    Ok(UserProfileUpdated {
        user_id: changed.user_id,
        username: changed.username.clone(),
        email: changed.email.clone(),
        version: changed.version.get(),
    })
}

/// Another user who holds the name or the address of this one.
pub(crate) fn other_holder(user: &User, holders: &[User], refusal: Refusal) -> Option<UserId> {
    let is_held = |other: &&User| match refusal {
        Refusal::EmailTaken => !other.moves_to(&user.email),
        Refusal::UsernameTaken => username_key(&other.username) == username_key(&user.username),
    };
    let mut others = holders.iter().filter(|holder| holder.user_id != user.user_id);
    others.find(is_held).map(|other| other.user_id)
}

fn check_free(user: &User, holders: &[User]) -> Result<(), Refusal> {
    for refusal in [Refusal::EmailTaken, Refusal::UsernameTaken] {
        if other_holder(user, holders, refusal).is_some() {
            return Err(refusal);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;
    use proptest::prelude::*;

    use super::*;

    fn user(id: u128, username: &str, email: &str) -> User {
        User {
            user_id: Uuid::from_u128(id).into(),
            username: username.to_owned(),
            email: email.to_owned(),
            email_verified_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            roles: Roles::default(),
            version: Version::FIRST,
        }
    }

    #[test]
    fn a_name_or_address_is_taken_whatever_its_case() {
        let ada = user(1, "Ada", "ada@example.com");
        for (username, email, expected) in [
            ("grace", "grace@example.com", None),
            ("ada", "grace@example.com", Some(Refusal::UsernameTaken)),
            ("grace", "ADA@Example.com", Some(Refusal::EmailTaken)),
            ("ADA", "ada@example.com", Some(Refusal::EmailTaken)),
            ("grace", "ada@EXAMPLE\u{3002}com", Some(Refusal::EmailTaken)),
        ] {
            let refusal = register(&user(2, username, email), std::slice::from_ref(&ada)).err();
            assert_eq!(refusal, expected, "{username} {email}");
        }
    }

    #[test]
    fn a_user_may_change_the_case_of_their_own_name() {
        let ada = user(1, "Ada", "ada@example.com");
        let renamed = changed(&ada, &ProfileChange { username: Some("ADA".to_owned()), email: None }).unwrap();
        let event = update(&renamed, &[ada]).unwrap();
        assert_eq!((event.username.as_str(), event.version), ("ADA", 2));
    }

    #[test]
    fn another_address_is_not_verified_and_another_spelling_of_it_still_is() {
        let ada = user(1, "ada", "ada@müller.de").verified(Timestamp::UNIX_EPOCH);
        let moved = |email: &str| {
            changed(&ada, &ProfileChange { username: None, email: Some(email.to_owned()) }).unwrap().email_verified_at
        };
        assert_eq!(moved("ada@xn--mller-kva.de"), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(moved("ada@example.com"), None);
    }

    proptest! {
        #[test]
        fn a_change_makes_one_version_and_repeated_makes_none(
            username in proptest::option::of("[a-z]{3}"), email in proptest::option::of("[a-z]@[a-z]"),
        ) {
            let before = user(1, "ada", "a@b");
            let change = ProfileChange { username, email };
            if let Some(after) = changed(&before, &change) {
                prop_assert_eq!(after.version, before.version.next());
                prop_assert_eq!(changed(&after, &change), None);
            }
        }
    }
}
