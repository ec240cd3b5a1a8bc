//! The public keys by which one service checks access tokens, in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::DecodingKey;
use kernel::{KeyId, Timestamp};
use storage::published_keys::PublishedKey;

/// The keys that a service has received. Clones share them.
#[derive(Clone, Default)]
pub struct Keyring(Arc<RwLock<HashMap<KeyId, Key>>>);

#[derive(Clone)]
struct Key {
    decoding: DecodingKey,
    not_after: Timestamp,
}

impl Keyring {
    /// Takes these keys instead of those it has.
    pub fn replace(&self, keys: Vec<PublishedKey>) {
        let keys = keys.into_iter().map(|key| (key.key_id, Key::from(key))).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Takes a key beside those it has.
    pub fn add(&self, key: PublishedKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.key_id, key.into());
    }

    /// True if there is a key whose tokens are no longer valid.
    pub fn has_outdated(&self, now: Timestamp) -> bool {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.values().any(|key| key.not_after <= now)
    }

    /// The key, if its tokens are good.
    pub(super) fn find(&self, key_id: KeyId, now: Timestamp) -> Option<DecodingKey> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&key_id).filter(|key| now < key.not_after).map(|key| key.decoding.clone())
    }
}

impl From<PublishedKey> for Key {
    fn from(key: PublishedKey) -> Self {
        // The library calls it DER, and takes the 32 bytes as they are.
        Self { decoding: DecodingKey::from_ed_der(&key.public_key), not_after: key.not_after }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(keys.keys()).finish()
    }
}
