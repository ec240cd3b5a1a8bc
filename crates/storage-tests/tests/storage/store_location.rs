//! Location of a test's store: every test of the kit runs on each database.

use std::path::PathBuf;

use storage::Location;
use tempfile::TempDir;
use test_servers::Database;

/// A place for one store that goes with the test.
pub enum StoreLocation {
    Folder(TempDir),
    /// A folder that somebody else looks after.
    Path(PathBuf),
    Database(Database),
}

impl StoreLocation {
    pub fn folder() -> Self {
        Self::Folder(tempfile::tempdir().expect("the machine has room for a temporary folder"))
    }

    pub fn database() -> Self {
        Self::Database(Database::create())
    }

    pub fn location(&self) -> Location {
        match self {
            Self::Folder(folder) => Location::Folder(folder.path().to_owned()),
            Self::Path(path) => Location::Folder(path.clone()),
            Self::Database(database) => {
                Location::Postgres(database.url().parse().expect("the test's server has a proper URL"))
            }
        }
    }
}

/// Makes a test of each of these functions for each database.
macro_rules! on_each_store {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            use crate::store_location::StoreLocation;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(StoreLocation::folder()).await;
                }
            )*
        }

        mod postgres {
            use crate::store_location::StoreLocation;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(StoreLocation::database()).await;
                }
            )*
        }
    };
}
