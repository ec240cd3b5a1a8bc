//! The public keys by which the service checks access tokens: kept, so that it knows them at its next start.

use kernel::{KeyId, Timestamp};
use uuid::Uuid;

use crate::{Batch, Db, Error, params};

/// Keys that are read at the most. There are two at a time, three for moments.
const KEYS_MAX: i64 = 32;

crate::statements! {
    query PUBLISHED_KEYS "select key_id, public_key, not_after from published_keys
        where not_after > $1 order by not_after desc limit $2";
    upsert PUT_PUBLISHED_KEY "insert into published_keys (key_id, public_key, not_after) values ($1, $2, $3)
        on conflict (key_id) do nothing";
    claim FORGET_PUBLISHED_KEYS "delete from published_keys where not_after <= $1 returning key_id";
}

/// A key by which tokens are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// The `kid` of its tokens.
    pub key_id: KeyId,
    /// The 32 bytes of an Ed25519 public key (RFC 8032 §5.1.5).
    pub public_key: Vec<u8>,
    /// Until when its tokens are good.
    pub not_after: Timestamp,
}

/// The keys whose tokens are good.
pub async fn known(db: &Db, now: Timestamp) -> Result<Vec<PublishedKey>, Error> {
    let key = |row: &crate::Row<'_>| {
        Ok(PublishedKey {
            key_id: row.get::<Uuid>("key_id")?.into(),
            public_key: row.get("public_key")?,
            not_after: row.get("not_after")?,
        })
    };
    db.query(&PUBLISHED_KEYS, params![now, KEYS_MAX], key).await
}

/// Keeps a key, unless it is known: a key never changes.
pub fn put(key: &PublishedKey) -> Batch {
    let row = params![Uuid::from(key.key_id), key.public_key.as_slice(), key.not_after];
    Batch::new().upsert(&PUT_PUBLISHED_KEY, row)
}

/// Forgets the keys whose tokens are good no longer.
pub async fn forget(db: &Db, now: Timestamp) -> Result<(), Error> {
    db.claim(&FORGET_PUBLISHED_KEYS, params![now], |_| Ok(())).await?;
    Ok(())
}
