//! A link that was mailed: whoever follows it reads the mail of the address. It is good once, until it expires.

use kernel::{SignedDuration, Timestamp, UserId, Uuid, Version};

use super::User;
use super::session::Digest;

/// Long enough to find the mail, short enough that an old mailbox opens no account.
const PASSWORD_RESET_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// It opens nothing, so it may wait until somebody reads their mail.
const VERIFICATION_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// Links of a purpose that one user has at a time at the most: so many mails an account's owner gets that others
/// asked for.
const LINKS_MAX: usize = 3;

/// The purpose of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    PasswordReset,
    Verification,
}

kernel::named!(Purpose { PasswordReset = "password_reset", Verification = "verification" });

/// A link as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub link_id: Uuid,
    pub user_id: UserId,
    pub purpose: Purpose,
    /// The address that it was mailed to.
    pub email: String,
    /// SHA-256 of its secret.
    pub digest: Digest,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub version: Version,
}

impl Link {
    pub fn new(link_id: Uuid, user: &User, purpose: Purpose, digest: Digest, now: Timestamp) -> Self {
        let lasts = match purpose {
            Purpose::PasswordReset => PASSWORD_RESET_LASTS,
            Purpose::Verification => VERIFICATION_LASTS,
        };
        let (user_id, email, expires_at) = (user.user_id, user.email.clone(), now + lasts);
        Self { link_id, user_id, purpose, email, digest, created_at: now, expires_at, version: Version::FIRST }
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// True if the secret with this digest, shown for this purpose, is the link's, in time, and mailed to the address
    /// that the user still has.
    pub fn opens(&self, user: &User, purpose: Purpose, digest: &Digest, now: Timestamp) -> bool {
        self.purpose == purpose && self.digest == *digest && !self.is_over(now) && self.email == user.email
    }
}

/// The effect of a request for one more link of a purpose: the links that end, and if it is made.
pub(crate) fn make_room(links: &[Link], purpose: Purpose, now: Timestamp) -> (Vec<&Link>, bool) {
    let (over, lasting): (Vec<&Link>, Vec<&Link>) = links.iter().partition(|link| link.is_over(now));
    let of_purpose: Vec<&Link> = lasting.into_iter().filter(|link| link.purpose == purpose).collect();
    match purpose {
        // Anybody may ask for it, so the owner's link that is good stays good.
        Purpose::PasswordReset => (over, of_purpose.len() < LINKS_MAX),
        // Only the owner asks for it: the oldest ends.
        Purpose::Verification => {
            let surplus = (of_purpose.len() + 1).saturating_sub(LINKS_MAX);
            (over.into_iter().chain(of_purpose.into_iter().take(surplus)).collect(), true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Roles;
    use super::*;

    const DIGEST: Digest = [1; 32];

    fn ada() -> User {
        User {
            user_id: Uuid::from_u128(1).into(),
            username: "ada".to_owned(),
            email: "ada@example.com".to_owned(),
            email_verified_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            roles: Roles::default(),
            version: Version::FIRST,
        }
    }

    #[test]
    fn a_link_opens_for_its_purpose_until_it_expires_or_the_address_changes() {
        let (ada, now) = (ada(), Timestamp::UNIX_EPOCH);
        let link = Link::new(Uuid::from_u128(2), &ada, Purpose::PasswordReset, DIGEST, now);
        let moved = User { email: "ada@example.org".to_owned(), ..ada.clone() };
        let (last, end) = (now + SignedDuration::from_mins(59), now + PASSWORD_RESET_LASTS);
        assert!(link.opens(&ada, Purpose::PasswordReset, &DIGEST, last));
        assert!(!link.opens(&ada, Purpose::PasswordReset, &DIGEST, end));
        assert!(!link.opens(&ada, Purpose::Verification, &DIGEST, now));
        assert!(!link.opens(&ada, Purpose::PasswordReset, &[2; 32], now));
        assert!(!link.opens(&moved, Purpose::PasswordReset, &DIGEST, now));
    }

    #[test]
    fn links_are_bounded_and_nobody_else_ends_the_link_of_an_owner() {
        let now = Timestamp::UNIX_EPOCH;
        for (purpose, made, ended) in [(Purpose::PasswordReset, false, 0), (Purpose::Verification, true, 1)] {
            let link = |n: u128| Link::new(Uuid::from_u128(n), &ada(), purpose, DIGEST, now);
            let links: Vec<Link> = (0..3).map(link).collect();
            let (ends, is_made) = make_room(&links, purpose, now);
            assert_eq!((is_made, ends.len()), (made, ended), "{purpose:?}");
            assert!(make_room(&links[..2], purpose, now).1);
            let (ends, is_made) = make_room(&links, purpose, links[0].expires_at);
            assert_eq!((is_made, ends.len()), (true, 3), "what has expired makes room");
        }
    }
}
