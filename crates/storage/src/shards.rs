//! Ownership of shards to instances of a service.
//!
//! Each instance moves a counter on while it lives. Whoever sees one stand still for longer than a lease, by a clock of
//! its own, takes that instance for gone: no two clocks are ever compared.

use std::collections::HashMap;

use kernel::Lane;
use uuid::Uuid;

use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, Row, params};

kit! {
    static BEAT: Sql = Sql::new(
        "BEAT",
        "insert into instances (instance_id, beat) values ($1, $2)
         on conflict (instance_id) do update set beat = excluded.beat",
    );
    static INSTANCES: Sql = Sql::new("INSTANCES", "select instance_id, beat from instances");
    static FORGET_INSTANCE: Sql = Sql::new("FORGET_INSTANCE", "delete from instances where instance_id = $1 and beat = $2");
    static SHARDS: Sql = Sql::new("SHARDS", "select lane, shard, owner, fence from shards");
    static MAKE_SHARD: Sql = Sql::new(
        "MAKE_SHARD",
        "insert into shards (lane, shard, owner, fence) values ($1, $2, null, 0) on conflict (lane, shard) do nothing",
    );
    static CLAIM_SHARD: Sql = Sql::new(
        "CLAIM_SHARD",
        "update shards set owner = $3, fence = fence + 1 where lane = $1 and shard = $2 and fence = $4",
    );
    static RELEASE_SHARD: Sql =
        Sql::new("RELEASE_SHARD", "update shards set owner = null where lane = $1 and shard = $2 and owner = $3");

    static COUNT_FACT: Sql = Sql::new("SHARD_COUNT", "select value from facts where name = 'shards'");
    static SET_COUNT: Sql =
        Sql::new("SET_SHARD_COUNT", "insert into facts (name, value) values ('shards', $1) on conflict (name) do nothing");
    // The pointers come first, in the order of their index: at almost every start there are none, and PostgreSQL would
    // otherwise walk all events and look for the pointer of each.
    static POINTERS_WITHOUT: Sql = Sql::new(
        "POINTERS_WITHOUT_SHARD",
        "select distinct key, lane from events where position in (
             select position from outbox where shard is null order by destination, lane, position limit $1)",
    );
    static GIVE_POINTERS: Sql = Sql::new(
        "GIVE_POINTERS_THEIR_SHARD",
        "update outbox set shard = $3 where shard is null and lane = $2
             and position in (select position from events where key = $1)",
    );
    static HELD_WITHOUT: Sql =
        Sql::new("HELD_WITHOUT_SHARD", "select distinct key, lane from held where shard is null limit $1");
    static GIVE_HELD: Sql =
        Sql::new("GIVE_HELD_THEIR_SHARD", "update held set shard = $3 where key = $1 and lane = $2 and shard is null");
}

/// Keys that are given their shard at once, when a store of an earlier version is opened.
const SETTLE: i64 = 256;

/// A shard of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard {
    /// The lane.
    pub lane: Lane,
    /// Its number, from 0.
    pub number: u16,
}

/// Owner of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The instance, if any.
    pub instance_id: Option<Uuid>,
    /// Grows with each new owner.
    pub fence: i64,
}

/// State that all instances share: the counter of each, and the owner of each shard.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    /// The counter of each instance.
    pub beats: HashMap<Uuid, i64>,
    /// The owner of each shard that was ever asked for.
    pub owners: HashMap<Shard, Owner>,
}

/// Says that the instance lives: its counter is at `beat`.
pub async fn beat(db: &Db, instance_id: Uuid, beat: i64) -> Result<(), Error> {
    db.sweep(vec![(&BEAT, params![instance_id, beat])]).await.map(drop)
}

/// State that all instances share: the counter of each, and the owner of each shard.
pub async fn ownership(db: &Db) -> Result<Ownership, Error> {
    // Owners first: whoever owns something has beaten before, and must not be taken for gone.
    let owners = db.read(&SHARDS, params![], owner).await?;
    let beats = db.read(&INSTANCES, params![], |row| Ok((row.get("instance_id")?, row.get("beat")?))).await?;
    Ok(Ownership { beats: beats.into_iter().collect(), owners: owners.into_iter().collect() })
}

fn owner(row: &Row<'_>) -> Result<(Shard, Owner), Error> {
    let number: i64 = row.get("shard")?;
    let shard = Shard { lane: row.get("lane")?, number: u16::try_from(number).unwrap_or(u16::MAX) };
    Ok((shard, Owner { instance_id: row.get("owner")?, fence: row.get("fence")? }))
}

/// Forgets instances that are gone, unless their counters have moved on since.
pub async fn forget(db: &Db, gone: &[(Uuid, i64)]) -> Result<(), Error> {
    let statements = gone.iter().map(|(instance_id, beat)| (&FORGET_INSTANCE, params![*instance_id, *beat]));
    db.sweep(statements.collect()).await.map(drop)
}

/// Makes shards that are not there yet.
pub async fn make(db: &Db, shards: &[Shard]) -> Result<(), Error> {
    let statements = shards.iter().map(|shard| (&MAKE_SHARD, params![shard.lane, shard.number]));
    db.sweep(statements.collect()).await.map(drop)
}

/// Takes shards that still have the owners that were seen; answers with those that were taken.
pub async fn claim(db: &Db, instance_id: Uuid, wanted: &[(Shard, Owner)]) -> Result<Vec<Shard>, Error> {
    let statements =
        wanted.iter().map(|(shard, seen)| (&CLAIM_SHARD, params![shard.lane, shard.number, instance_id, seen.fence]));
    let met = db.sweep(statements.collect()).await?;
    Ok(wanted.iter().zip(met).filter(|(_, met)| *met == 1).map(|((shard, _), _)| *shard).collect())
}

/// Gives shards up, for another instance to take.
pub async fn release(db: &Db, instance_id: Uuid, shards: &[Shard]) -> Result<(), Error> {
    let statements = shards.iter().map(|shard| (&RELEASE_SHARD, params![shard.lane, shard.number, instance_id]));
    db.sweep(statements.collect()).await.map(drop)
}

impl Db {
    /// Holds the store to the number of shards that it was made with, and partitions what an earlier version left unpartitioned.
    pub(crate) async fn settle_shards(&self) -> Result<(), Error> {
        if self.shard_count().await?.is_none() {
            let count = self.shards().count(Lane::Background).to_string();
            self.sweep(vec![(&SET_COUNT, params![&count])]).await?;
        }
        self.refuse_other_shards().await?;
        for (find, give) in [(&POINTERS_WITHOUT, &GIVE_POINTERS), (&HELD_WITHOUT, &GIVE_HELD)] {
            loop {
                let map = |row: &Row<'_>| Ok((row.get::<Uuid>("key")?, row.get::<Lane>("lane")?));
                let keys = self.read(find, params![SETTLE], map).await?;
                if keys.is_empty() {
                    break;
                }
                let shards_to_add =
                    keys.into_iter().map(|(key, lane)| (give, params![key, lane, self.shards().of(lane, key)]));
                self.sweep(shards_to_add.collect()).await?;
            }
        }
        Ok(())
    }

    /// Refuses a store that was made with another number of shards.
    pub(crate) async fn refuse_other_shards(&self) -> Result<(), Error> {
        let count = self.shards().count(Lane::Background).to_string();
        let Some(known) = self.shard_count().await?.filter(|known| *known != count) else { return Ok(()) };
        let detail = format!("its keys are split into {known} shards, for good: set `shards` to {known}");
        Err(Error::Unusable { store: self.store(), detail })
    }

    async fn shard_count(&self) -> Result<Option<String>, Error> {
        Ok(self.read(&COUNT_FACT, params![], |row| row.get("value")).await?.into_iter().next())
    }
}
