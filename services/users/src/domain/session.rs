//! A sign-in and all that is refreshed from it: the family of its refresh tokens.

use kernel::{SessionId, SignedDuration, Timestamp, UserId, Version};

/// The time for which a sign-in holds, however often it is refreshed: then the password is asked for again.
const LASTS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Sign-ins that one user has at a time at the most; the oldest ends.
pub(crate) const SESSIONS_MAX: usize = 32;

/// SHA-256 of one of a refresh token's two secrets. An attacker can't choose digests, so they are compared plainly.
pub(crate) type Digest = [u8; 32];

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub session_id: SessionId,
    pub user_id: UserId,
    /// Of the secret that all tokens of the family carry: whoever shows it has held one of them.
    pub family_digest: Digest,
    /// Of the secret that only the newest token carries.
    pub token_digest: Digest,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub version: Version,
}

/// The effect on a session of a token that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The newest token: it is spent, and another takes its place.
    Renewed(Session),
    /// A token of the family that was spent before: somebody has a copy, so the family ends.
    Reused,
    /// No token of this family, or too late.
    Refused,
}

impl Session {
    pub fn begin(
        session_id: SessionId,
        user_id: UserId,
        family_digest: Digest,
        token_digest: Digest,
        now: Timestamp,
    ) -> Self {
        let (created_at, expires_at, version) = (now, now + LASTS, Version::FIRST);
        Self { session_id, user_id, family_digest, token_digest, created_at, expires_at, version }
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// True if a ban ends the session. While the user is banned, that is any; the report of a ban that has ended since may
    /// be late, and what began after it goes on.
    pub fn is_ended_by_ban(&self, banned_at: Timestamp, is_banned: bool) -> bool {
        is_banned || self.created_at <= banned_at
    }

    /// The token with these digests is shown; `next` is that of the token which would take its place.
    pub fn refresh(&self, family: &Digest, token: &Digest, next: Digest, now: Timestamp) -> Refresh {
        if *family != self.family_digest || self.is_over(now) {
            Refresh::Refused
        } else if *token != self.token_digest {
            Refresh::Reused
        } else {
            Refresh::Renewed(Self { token_digest: next, ..self.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    const FAMILY: Digest = [1; 32];
    const FIRST: Digest = [2; 32];
    const SECOND: Digest = [3; 32];
    const FOREIGN: Digest = [9; 32];

    #[test]
    fn each_token_is_good_once_and_a_spent_one_ends_the_family() {
        let now = Timestamp::UNIX_EPOCH;
        let begun = Session::begin(Uuid::from_u128(1).into(), Uuid::from_u128(2).into(), FAMILY, FIRST, now);
        let Refresh::Renewed(renewed) = begun.refresh(&FAMILY, &FIRST, SECOND, now) else {
            panic!("the first is good")
        };
        assert_eq!(renewed.refresh(&FAMILY, &FIRST, FOREIGN, now), Refresh::Reused);
        assert_eq!(renewed.refresh(&FOREIGN, &SECOND, FIRST, now), Refresh::Refused, "not of this family");
        assert_eq!(renewed.expires_at, begun.expires_at, "a refresh makes no sign-in longer");
        assert_eq!(renewed.refresh(&FAMILY, &SECOND, FIRST, now + LASTS), Refresh::Refused);
    }

    #[test]
    fn a_ban_ends_what_began_before_it_and_all_while_it_lasts() {
        let (id, user, begun) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into(), Timestamp::UNIX_EPOCH);
        let session = Session::begin(id, user, FAMILY, FIRST, begun);
        let (before, after) = (begun - SignedDuration::from_secs(1), begun + SignedDuration::from_secs(1));
        assert!(session.is_ended_by_ban(after, true) && session.is_ended_by_ban(before, true));
        assert!(session.is_ended_by_ban(after, false), "an unban brings no session back");
        assert!(!session.is_ended_by_ban(before, false), "a late report of a ban ends nothing that began after it");
    }
}
