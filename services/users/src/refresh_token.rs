//! A refresh token: whose it is, a secret that its family shares, and a secret that is good once.
//!
//! The family's secret distinguishes a token that was spent from one that never was: the first ends the family, the
//! second is nothing. So nothing need be kept of spent tokens (docs/adr/0013).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Ids, SessionId, Uuid};
use serde::{Deserialize, Deserializer};
use service::http::auth::digest;
use utoipa::ToSchema;

const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// A token as its holder has it. `None` inside an [`Option`] of it is text that is no token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub session_id: SessionId,
    family: [u8; SECRET_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// The first token of a new family.
    pub fn first(session_id: SessionId, ids: &Ids) -> Self {
        Self { session_id, family: *ids.secret().bytes(), secret: *ids.secret().bytes() }
    }

    /// The token that takes the place of this one.
    pub fn next(&self, ids: &Ids) -> Self {
        Self { secret: *ids.secret().bytes(), ..self.clone() }
    }

    pub fn family_digest(&self) -> [u8; 32] {
        digest(&self.family)
    }

    pub fn secret_digest(&self) -> [u8; 32] {
        digest(&self.secret)
    }

    /// The token's text.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode([Uuid::from(self.session_id).as_bytes().as_slice(), &self.family, &self.secret].concat())
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, secrets) = bytes.split_at_checked(ID_BYTES)?;
        let (family, secret) = secrets.split_at_checked(SECRET_BYTES)?;
        let session_id = Uuid::from_slice(id).ok()?.into();
        Some(Self { session_id, family: family.try_into().ok()?, secret: secret.try_into().ok()? })
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// The text sent as a refresh token: a token, or text that is none. Both are answered alike.
#[derive(Debug, ToSchema)]
#[schema(as = RefreshToken, value_type = String)]
pub(crate) struct Sent(pub Option<RefreshToken>);

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(RefreshToken::parse(&String::deserialize(deserializer)?)))
    }
}

#[cfg(test)]
mod tests {
    use kernel::Clock;

    use super::*;

    #[test]
    fn a_token_survives_the_round_trip_and_is_not_shown() {
        let ids = Ids::new(Clock::system());
        let token = RefreshToken::first(ids.next(), &ids);
        assert_eq!(RefreshToken::parse(&token.reveal()), Some(token.clone()));
        assert_eq!(format!("{token:?}"), "RefreshToken(…)");
        let next = token.next(&ids);
        assert_eq!(next.family_digest(), token.family_digest());
        assert_ne!(next.secret_digest(), token.secret_digest());
        for other in ["", "x", &token.reveal()[1..], &format!("{}AAAA", token.reveal())] {
            assert_eq!(RefreshToken::parse(other), None, "{other}");
        }
    }
}
