//! Identities of messages are forgotten after some time.

use std::time::Duration;

use kernel::{Cause, Ids, RequestCause, SignedDuration, Timestamp};
use service::Tasks;
use service::storage::{Batch, Db, Error};

use crate::Ctx;
use crate::store::messages as store;

/// The time for which a second delivery of a message is known.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Identities that one commit forgets.
const ROWS: i64 = 1_000;

/// The time between two looks when the first left none, and when it left some.
const EVERY: (Duration, Duration) = (Duration::from_mins(5), Duration::from_millis(100));

/// Forgets what is old, until the tasks stop.
pub(crate) async fn keep(ctx: Ctx, tasks: Tasks) {
    while !tasks.is_stopping() {
        let forgotten = forget(&ctx.db, ctx.clock.now(), &ctx.ids).await.unwrap_or_else(|error| {
            kernel::warn_limited!(%error, "identities of foreign messages can't be forgotten");
            0
        });
        let there_is_more = i64::try_from(forgotten).is_ok_and(|rows| rows >= ROWS);
        tokio::select! {
            () = tokio::time::sleep(if there_is_more { EVERY.1 } else { EVERY.0 }) => {}
            () = tasks.stopping() => {}
        }
    }
}

async fn forget(db: &Db, now: Timestamp, ids: &Ids) -> Result<usize, Error> {
    let old = store::taken_until(db, now - KEPT, ROWS).await?;
    if old.is_empty() {
        return Ok(0);
    }
    let batch = old.iter().fold(Batch::new(), |batch, (key, version)| batch.and(store::delete_taken(key, *version)));
    let cause = RequestCause { request_id: ids.next(), traceparent: None, keyed: None };
    match db.commit(batch, Cause::Request(cause)).await {
        // Another instance forgets the same.
        Err(Error::Conflict { .. }) => Ok(0),
        committed => committed.map(|_committed| old.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kernel::{Clock, Shards};
    use service::storage::{Location, Options};

    use super::*;
    use crate::MIGRATIONS;

    #[tokio::test]
    async fn an_identity_is_known_for_fourteen_days() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hands) = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap());
        let ids = Ids::new(clock.clone());
        let options = Options {
            service: "bridge",
            location: Location::Folder(folder.path().to_owned()),
            migrations: MIGRATIONS,
            destinations: std::collections::HashMap::new(),
            shards: Shards::DEFAULT,
            outbox_cap: 1,
            clock: clock.clone(),
            ids: ids.clone(),
        };
        let db = Db::open(options).await.unwrap();
        let take = async |key: &str| {
            let cause = RequestCause { request_id: ids.next(), traceparent: None, keyed: None };
            db.commit(store::insert_taken(key, clock.now()), Cause::Request(cause)).await.unwrap();
        };
        take("topic/orders/1").await;
        hands.advance(SignedDuration::from_hours(24));
        take("topic/orders/2").await;
        hands.advance(KEPT - SignedDuration::from_hours(24));

        assert_eq!(forget(&db, clock.now(), &ids).await.unwrap(), 1);
        assert_eq!(forget(&db, clock.now(), &ids).await.unwrap(), 0);
        let keys = vec!["topic/orders/1".to_owned(), "topic/orders/2".to_owned()];
        assert_eq!(store::taken(&db, keys).await.unwrap(), HashSet::from(["topic/orders/2".to_owned()]));
        db.close().await;
    }
}
