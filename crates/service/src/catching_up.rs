//! State of consumers that have yet to handle what was emitted before they were there.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::Lane;
use storage::{Db, Error, subscriptions};
use tokio::sync::watch;

/// The consumers of the process that handle their backlog. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct CatchingUp(Arc<watch::Sender<BTreeSet<(&'static str, Lane)>>>);

impl CatchingUp {
    /// Records that a consumer handles its backlog in a lane, or that it has received all that is live.
    pub(crate) fn set(&self, consumer: &'static str, lane: Lane, is_behind: bool) {
        self.0.send_if_modified(
            |all| {
                if is_behind { all.insert((consumer, lane)) } else { all.remove(&(consumer, lane)) }
            },
        );
    }

    pub(crate) fn has(&self, consumer: &str, lane: Lane) -> bool {
        self.0.borrow().iter().any(|it| *it == (consumer, lane))
    }
}

/// The event types whose history a consumer is missing.
pub async fn missing(db: &Db, types: impl IntoIterator<Item = &'static str>) -> Result<BTreeSet<&'static str>, Error> {
    let known = subscriptions::all(db).await?;
    let is_missing = |event_type: &&str| known.get(*event_type).is_none_or(|subscription| !subscription.is_live);
    Ok(types.into_iter().filter(is_missing).collect())
}

/// Refuses to start a service that would handle events before older ones, or without them.
pub(crate) async fn refuse_blind(db: &Db, types: impl Iterator<Item = &'static str>) -> Result<(), Error> {
    let missing = missing(db, types).await?;
    let Some(first) = missing.first() else { return Ok(()) };
    let more = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
    let detail = format!(
        "{} is not subscribed to {first}{more} yet: run `tradepost migrate`, \
         or the `migrate` of the program that has this service",
        db.service()
    );
    Err(Error::Unusable { store: db.service().to_owned(), detail })
}
