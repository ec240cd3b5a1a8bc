//! Idempotency keys: what was answered to the request that came first.
//!
//! A key is written by the commit of its request; see [`Keyed`](kernel::Keyed).

use kernel::{SignedDuration, Timestamp};

use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, params};

kit! {
    static FIND: Sql = Sql::lookup(
        "FIND_IDEMPOTENCY_KEY",
        "select digest, answer, committed_at from idempotency where scope = $1 and key = $2 and expires_at > $3",
    );
    static FORGET: Sql = Sql::new(
        "FORGET_IDEMPOTENCY_KEYS",
        "delete from idempotency where (scope, key) in (
             select scope, key from idempotency where expires_at <= $1 order by expires_at limit $2)",
    );
}

/// Time for which a key is bound to its first request. After that it is a new key.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A key that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of what was asked.
    pub digest: [u8; 32],
    /// The whole answer.
    pub answer: Vec<u8>,
    /// Time at which it ends.
    pub committed_at: Timestamp,
}

/// The answer that is stored under this key, if it is still valid at `now`.
pub async fn find(db: &Db, scope: &str, key: &str, now: Timestamp) -> Result<Option<StoredAnswer>, Error> {
    let map = |row: &crate::Row<'_>| {
        Ok(StoredAnswer {
            digest: row.get("digest")?,
            answer: row.get("answer")?,
            committed_at: row.get("committed_at")?,
        })
    };
    Ok(db.read(&FIND, params![scope, key, now], map).await?.into_iter().next())
}

/// Forgets at most `limit` keys that no longer stand at `now`; answers with how many.
pub async fn forget(db: &Db, now: Timestamp, limit: i64) -> Result<usize, Error> {
    Ok(db.sweep(vec![(&FORGET, params![now, limit])]).await?.into_iter().sum())
}
