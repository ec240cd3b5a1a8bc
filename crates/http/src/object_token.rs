//! Tokens that open one object to whoever has them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Ids, Uuid};
use sha2::{Digest, Sha256};

/// The bytes with which a token begins: the milliseconds since 1970 at which it was made.
const TIME: usize = 6;

/// Random bytes behind them.
const SECRET: usize = 32;

/// The characters of a token: base64url without padding.
const TEXT: usize = ((TIME + SECRET) * 4).div_ceil(3);

/// A token that opens one object to whoever has it, sent in a header of its own. A service declares it.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectToken {
    /// The header, as in `X-Order-Token`.
    pub header: &'static str,
    /// The name of the scheme in the description of the API.
    pub scheme: &'static str,
    /// Its text there.
    pub description: &'static str,
}

impl ObjectToken {
    /// A new token, in base64url. Its 256 random bits can't be guessed; its time is no secret.
    pub fn make(ids: &Ids) -> String {
        let mut bytes = [0; TIME + SECRET];
        let (time, secret) = bytes.split_at_mut(TIME);
        // A UUIDv7 begins with the milliseconds (RFC 9562 §5.7).
        time.copy_from_slice(&ids.next::<Uuid>().as_bytes()[..TIME]);
        secret.copy_from_slice(ids.secret().bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The bytes that are kept instead of a token, and by which its object is found: its time, and then as much of its
    /// SHA-256 as there is room for. So an index of them grows at its end; one of digests alone writes another page for
    /// nearly each object.
    ///
    /// Any other text, such as a token of an earlier version, has its SHA-256.
    pub fn digest(token: &[u8]) -> [u8; 32] {
        let mut digest: [u8; 32] = Sha256::digest(token).into();
        if token.len() == TEXT
            && let Ok(bytes) = URL_SAFE_NO_PAD.decode(token)
        {
            digest.copy_within(..32 - TIME, TIME);
            digest[..TIME].copy_from_slice(&bytes[..TIME]);
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, SignedDuration};

    use super::*;

    #[test]
    fn later_tokens_have_later_digests() {
        let (clock, hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
        let ids = Ids::new(clock);
        let made = || {
            hands.advance(SignedDuration::from_millis(1));
            ObjectToken::digest(ObjectToken::make(&ids).as_bytes())
        };
        let digests: Vec<_> = std::iter::repeat_with(made).take(300).collect();
        assert!(digests.is_sorted());
    }

    #[test]
    fn a_token_of_the_same_time_has_another_digest() {
        let (clock, _hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
        let ids = Ids::new(clock);
        let (one, other) = (ObjectToken::make(&ids), ObjectToken::make(&ids));
        assert_eq!(one.len(), TEXT);
        let (one, other) = (ObjectToken::digest(one.as_bytes()), ObjectToken::digest(other.as_bytes()));
        assert_eq!(one[..TIME], other[..TIME]);
        assert_ne!(one[TIME..], other[TIME..]);
    }

    #[test]
    fn another_text_has_its_sha_256() {
        for text in ["", "secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(52), &"~".repeat(51)] {
            assert_eq!(ObjectToken::digest(text.as_bytes()), *Sha256::digest(text), "{text:?}");
        }
    }
}
