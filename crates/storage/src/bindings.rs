//! The generation under which the service is bound on a broker to the event types that it wants at the moment.
//!
//! Whatever is bound carries the generation, and a commit that relies on a binding [holds](hold) it. To bind fewer types,
//! those that are still wanted are bound under the next generation, then it takes the place of this one, and only then
//! all that is bound under this one is removed. Whoever relied on it meanwhile finds that in its commit, so no removal,
//! however late, takes what somebody relies on.

use kernel::Version;

use crate::{Batch, Db, Error, Row, params};

/// The key of the only row.
const ID: i64 = 1;

crate::statements! {
    lookup BINDINGS "select generation, version from bindings where id = $1";
    change HOLD_BINDINGS "update bindings set version = version + 1 where id = $1 and version = $2";
    claim REPLACE_BINDINGS "update bindings set generation = generation + 1, version = version + 1
        where id = $1 and version = $2 returning generation";
}

/// A generation of bindings, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: i64,
    /// Counts up with each commit that relies on it.
    version: Version,
}

/// The generation of now.
pub async fn generation(db: &Db) -> Result<Generation, Error> {
    let generation = |row: &Row<'_>| Ok(Generation { number: row.get("generation")?, version: row.get("version")? });
    db.query_one(&BINDINGS, params![ID], generation).await?.ok_or_else(|| Error::Corrupt {
        statement: "BINDINGS",
        column: "id".to_owned(),
        detail: "its only row is missing".to_owned(),
    })
}

/// For a commit that relies on what is bound under this generation: a conflict if another has taken its place, or if
/// somebody else committed one.
pub fn hold(generation: Generation) -> Batch {
    Batch::new().change(&HOLD_BINDINGS, generation.version, params![ID])
}

/// Puts the next generation in the place of this one. False if somebody relies on this one since it was read, or another
/// took its place.
pub async fn replace(db: &Db, generation: Generation) -> Result<bool, Error> {
    let replaced = db.claim(&REPLACE_BINDINGS, params![ID, generation.version], |_| Ok(())).await?;
    Ok(!replaced.is_empty())
}
