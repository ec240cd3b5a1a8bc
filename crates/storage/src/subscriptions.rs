//! The event types that the service has subscribed to, and since which position in the archive of their source.

use std::collections::BTreeMap;

use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, Row, Value, params};

kit! {
    static ALL: Sql = Sql::new("SUBSCRIPTIONS", "select type, position, is_live from subscriptions");
    pub(crate) static COPIED: Sql = Sql::new(
        "COPIED_TO_BACKLOG",
        "insert into subscriptions (type, position, is_live) values ($1, $2, $3)
         on conflict (type) do update set position = excluded.position
         where subscriptions.position < excluded.position",
    );
    static GO_LIVE: Sql = Sql::new("SUBSCRIPTION_GOES_LIVE", "update subscriptions set is_live = $2 where type = any($1)");
    static END: Sql = Sql::new("END_SUBSCRIPTION", "update subscriptions set is_live = $3, position = $2 where type = $1");
}

/// A subscription to an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The position in the source's archive up to which events were copied to the backlog. Later ones arrive live.
    pub position: i64,
    /// Nothing is missing any more. False while the archive is being copied, and after the service stopped reacting.
    pub is_live: bool,
}

/// All subscriptions, by event type.
pub async fn all(db: &Db) -> Result<BTreeMap<String, Subscription>, Error> {
    let map = |row: &Row<'_>| {
        let subscription = Subscription { position: row.get("position")?, is_live: row.get("is_live")? };
        Ok((row.get::<String>("type")?, subscription))
    };
    Ok(db.read(&ALL, params![], map).await?.into_iter().collect())
}

/// Records that the archive was copied up to a position, for each of these types.
pub async fn copied(db: &Db, types: &[String], position: i64) -> Result<(), Error> {
    db.sweep(copied_rows(types, position).collect()).await.map(drop)
}

pub(crate) fn copied_rows(types: &[String], position: i64) -> impl Iterator<Item = (&'static Sql, Vec<Value>)> {
    types.iter().map(move |event_type| (&COPIED, params![event_type, position, false]))
}

/// Records that nothing is missing of these types, which were [`copied`]: the rest arrives live.
pub async fn go_live(db: &Db, types: Vec<String>) -> Result<(), Error> {
    db.sweep(vec![(&GO_LIVE, params![types, true])]).await.map(drop)
}

/// Records that the service no longer reacts to a type. Whatever its source emits behind the position must be copied
/// should the service react to it again.
pub async fn end(db: &Db, event_type: &str, position: i64) -> Result<(), Error> {
    db.sweep(vec![(&END, params![event_type, position, false])]).await.map(drop)
}
