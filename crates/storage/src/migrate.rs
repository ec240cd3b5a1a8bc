//! Versioned tables: what both engines know about them.

use crate::Error;

/// The versions of one set of tables, oldest first. Released versions never change.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The name of the set: the kit's or a service's.
    pub set: &'static str,
    /// Version 1, 2, ….
    pub steps: &'static [Migration],
}

/// One step from a version to the next, once for each database. A test holds the tables that they make to each other.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

/// The two texts of a step, from `migrations/{sqlite,postgres}/NAME.sql` beside the crate's `src`.
#[macro_export]
macro_rules! migration {
    ($name:literal) => {
        $crate::Migration {
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }
    };
}

/// The tables that every store has.
pub const KIT: Migrations = Migrations {
    set: "kit",
    steps: &[
        crate::migration!("0001_kit"),
        crate::migration!("0002_idempotency"),
        crate::migration!("0003_signing_keys"),
        crate::migration!("0004_shards"),
        crate::migration!("0005_backlog"),
        crate::migration!("0006_accounts"),
        crate::migration!("0007_decisions"),
        crate::migration!("0008_ended_tokens"),
        crate::migration!("0009_bindings"),
    ],
};

/// The newest version of the tables that every store has.
pub fn kit_version() -> i64 {
    KIT.newest()
}

impl Migrations {
    /// The newest version.
    pub fn newest(&self) -> i64 {
        i64::try_from(self.steps.len()).expect("there are fewer migrations than 2^63")
    }

    /// Refuses tables that are newer than this program.
    pub(crate) fn refuse_newer(&self, found: i64, store: &str) -> Result<(), Error> {
        let known = self.newest();
        if found > known {
            return Err(Error::Newer { store: store.to_owned(), set: self.set, found, known });
        }
        Ok(())
    }

    /// The steps after version `found`, with the versions that they make.
    pub(crate) fn after(&self, found: i64) -> impl Iterator<Item = (i64, &'static Migration)> + use<> {
        (1..).zip(self.steps).skip(usize::try_from(found).unwrap_or_default())
    }
}
