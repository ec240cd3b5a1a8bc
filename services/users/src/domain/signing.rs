//! The keys that sign access tokens: which of them signs, and when the next one is made.

use kernel::{KeyId, SignedDuration, Timestamp, Version};

/// The time for which a key signs before the next one is made.
const ROTATED_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The time between a key's publication and its first signature, so that every service has it by then.
const PUBLISHED_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// The longest time for which a key goes on signing after its rotation, should the next one be late.
const KEPT_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The 32 bytes from which an Ed25519 key pair is made (RFC 8032 §5.1.5). Never shown, never sent.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PrivateKey(pub [u8; 32]);

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub key_id: KeyId,
    /// 1, 2, …: no two processes make the same generation.
    pub generation: i64,
    pub private_key: PrivateKey,
    pub public_key: Vec<u8>,
    pub times: Times,
    pub version: Version,
}

/// The times of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub signs_from: Timestamp,
    pub rotates_at: Timestamp,
    /// Its tokens are good until then.
    pub not_after: Timestamp,
}

impl Times {
    /// Of a key that is made now: it signs at once where there is no other to sign meanwhile.
    pub fn of_new(now: Timestamp, there_is_another: bool) -> Self {
        let signs_from = if there_is_another { now + PUBLISHED_AHEAD } else { now };
        let rotates_at = signs_from + ROTATED_AFTER;
        Self { signs_from, rotates_at, not_after: rotates_at + PUBLISHED_AHEAD + KEPT_AFTER }
    }
}

/// The key that signs now: the newest of those that were published long enough ago, as long as its tokens outlive their
/// lifetime.
pub(crate) fn signer(keys: &[SigningKey], now: Timestamp, lifetime: SignedDuration) -> Option<&SigningKey> {
    let lasting = || keys.iter().filter(|key| now + lifetime <= key.times.not_after);
    let published = lasting().filter(|key| key.times.signs_from <= now);
    published.max_by_key(|key| key.generation).or_else(|| lasting().min_by_key(|key| key.generation))
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

    fn key(generation: i64, times: Times) -> SigningKey {
        SigningKey {
            key_id: Uuid::from_u128(1).into(),
            generation,
            private_key: PrivateKey([7; 32]),
            public_key: vec![8; 32],
            times,
            version: Version::FIRST,
        }
    }

    #[test]
    fn a_new_key_signs_once_everybody_knows_it_and_the_old_one_until_then() {
        let start = Timestamp::UNIX_EPOCH;
        let first = key(1, Times::of_new(start, false));
        let rotation = first.times.rotates_at;
        let keys = [first, key(2, Times::of_new(rotation, true))];
        let signs = |now: Timestamp| signer(&keys, now, LIFETIME).map(|key| key.generation);
        assert_eq!(signs(start), Some(1));
        assert_eq!(signs(rotation + SignedDuration::from_mins(59)), Some(1));
        assert_eq!(signs(rotation + PUBLISHED_AHEAD), Some(2));
        let last = rotation + PUBLISHED_AHEAD;
        assert!(last + LIFETIME < keys[0].times.not_after, "what the old key signed last lives its whole life");
    }

    #[test]
    fn a_key_does_not_sign_what_would_outlive_it() {
        let only = [key(1, Times::of_new(Timestamp::UNIX_EPOCH, false))];
        let end = only[0].times.not_after;
        assert!(signer(&only, end - LIFETIME, LIFETIME).is_some());
        assert!(signer(&only, end - LIFETIME + SignedDuration::from_secs(1), LIFETIME).is_none());
    }

    #[test]
    fn a_private_key_is_never_shown() {
        let shown = format!("{:?}", key(1, Times::of_new(Timestamp::UNIX_EPOCH, false)));
        assert!(shown.contains("PrivateKey(…)") && !shown.contains("7, 7"), "{shown}");
    }
}
