//! Opaque page cursors: where the next page of a list begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// The id after which the next page begins.
///
/// As text it is base64url of the id and a checksum, so that a cursor which was cut short or mistyped is refused
/// and not taken for another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

/// The text is no cursor that a list gave out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that this list gave out: pass the `next` of the page before, or leave it out")]
pub struct BadCursor;

impl Cursor {
    /// The text that clients pass back.
    pub fn encode(self) -> String {
        let mut bytes = self.0.as_bytes().to_vec();
        bytes.extend_from_slice(&checksum(self.0.as_bytes()));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor back.
    pub fn decode(text: &str) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let (id, sum) = bytes.split_at_checked(16).ok_or(BadCursor)?;
        if sum != checksum(id) {
            return Err(BadCursor);
        }
        Uuid::from_slice(id).map(Self).map_err(|_| BadCursor)
    }
}

/// 32 bits of FNV-1a: guards against accidents, not against forgery, for a cursor grants nothing.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_the_round_trip(id: u128) {
            let cursor = Cursor(Uuid::from_u128(id));
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn other_text_is_refused(text in ".{0,40}") {
            prop_assert_eq!(Cursor::decode(&text), Err(BadCursor));
        }
    }
}
