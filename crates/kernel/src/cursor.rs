//! Opaque page cursors: where the next page of a list begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// The id after which the next page begins, and the list that it is a page of.
///
/// As text it is base64url of the id and a checksum of both, so that a cursor which was cut short, mistyped or given
/// out by another list is refused and not taken for another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last item of the page before.
    pub after: Uuid,
    /// The list, by [`Cursor::list`].
    pub list: u32,
}

/// The text is no cursor that a list gave out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that this list gave out: pass the `next` of the page before, or leave it out")]
pub struct BadCursor;

impl Cursor {
    /// A short name for the list at a path.
    pub fn list(path: &str) -> u32 {
        fold(BASIS, path.as_bytes())
    }

    /// The text that clients pass back.
    pub fn encode(self) -> String {
        let mut bytes = self.after.as_bytes().to_vec();
        bytes.extend_from_slice(&self.checksum());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of this list back.
    pub fn decode(text: &str, list: u32) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let (id, sum) = bytes.split_at_checked(16).ok_or(BadCursor)?;
        let cursor = Self { after: Uuid::from_slice(id).map_err(|_| BadCursor)?, list };
        if sum == cursor.checksum() { Ok(cursor) } else { Err(BadCursor) }
    }

    fn checksum(self) -> [u8; 4] {
        fold(self.list, self.after.as_bytes()).to_be_bytes()
    }
}

const BASIS: u32 = 0x811c_9dc5;

/// 32 bits of FNV-1a: guards against accidents, not against forgery, for a cursor grants nothing.
fn fold(basis: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(basis, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_the_round_trip(id: u128, list: u32) {
            let cursor = Cursor { after: Uuid::from_u128(id), list };
            prop_assert_eq!(Cursor::decode(&cursor.encode(), list), Ok(cursor));
        }

        #[test]
        fn other_text_is_refused(text in ".{0,40}", list: u32) {
            prop_assert_eq!(Cursor::decode(&text, list), Err(BadCursor));
        }

        #[test]
        fn the_cursor_of_another_list_is_refused(id: u128) {
            let cursor = Cursor { after: Uuid::from_u128(id), list: Cursor::list("/v1/orders") };
            prop_assert_eq!(Cursor::decode(&cursor.encode(), Cursor::list("/v1/payments")), Err(BadCursor));
        }
    }
}
