//! The token of a mailed link: the link's id and a secret, of which only the digest is kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Ids, Uuid};
use serde::{Deserialize, Deserializer};
use service::http::Fields;
use service::http::auth::digest;

const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// The token of a link.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LinkToken {
    pub link_id: Uuid,
    secret: [u8; SECRET_BYTES],
}

impl LinkToken {
    pub fn new(ids: &Ids) -> Self {
        Self { link_id: ids.next(), secret: *ids.secret().bytes() }
    }

    pub fn digest(&self) -> [u8; 32] {
        digest(&self.secret)
    }

    /// The token's text.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode([self.link_id.as_bytes().as_slice(), &self.secret].concat())
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, secret) = bytes.split_at_checked(ID_BYTES)?;
        Some(Self { link_id: Uuid::from_slice(id).ok()?, secret: secret.try_into().ok()? })
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(…)")
    }
}

/// Longer than any token.
const CHARACTERS_MAX: usize = 100;

/// The text sent as a token: a token, or other text. Both are answered alike.
#[derive(Debug)]
pub(crate) struct SentToken {
    pub token: Option<LinkToken>,
    characters: usize,
}

impl SentToken {
    pub fn check(&self, fields: &mut Fields) {
        let expected = format!("at most {CHARACTERS_MAX} characters");
        fields.check(self.characters <= CHARACTERS_MAX, "token", "length", expected);
    }
}

impl<'de> Deserialize<'de> for SentToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self { token: LinkToken::parse(&text), characters: text.chars().count() })
    }
}

#[cfg(test)]
mod tests {
    use kernel::Clock;

    use super::*;

    #[test]
    fn a_token_survives_the_round_trip_and_is_not_shown() {
        let token = LinkToken::new(&Ids::new(Clock::system()));
        assert_eq!(LinkToken::parse(&token.reveal()), Some(token.clone()));
        assert_eq!(format!("{token:?}"), "LinkToken(…)");
        for other in ["", "x", &token.reveal()[1..], &format!("{}AAAA", token.reveal())] {
            assert_eq!(LinkToken::parse(other), None, "{other}");
        }
    }
}
