//! The location of a test's shop: every flow runs on each database.

use std::path::PathBuf;

use service::storage::Location;
use tempfile::TempDir;
use test_servers::Database;

/// A place for one shop, which goes with the test.
#[derive(Debug)]
pub struct ShopLocation {
    folder: TempDir,
    database: Option<Database>,
}

impl ShopLocation {
    /// A folder alone.
    pub fn folder() -> Self {
        let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
        Self { folder, database: None }
    }

    /// A PostgreSQL database, and a folder for what is no service's.
    pub fn database() -> Self {
        Self { database: Some(Database::create()), ..Self::folder() }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The location of the stores.
    pub fn store(&self) -> Location {
        match &self.database {
            None => Location::Folder(self.data()),
            Some(database) => Location::Postgres(database.url().parse().expect("a test's server has a proper URL")),
        }
    }
}

/// Makes a test of each of these functions, which take a [`ShopLocation`], for each database.
#[macro_export]
macro_rules! on_each_store {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::ShopLocation::folder()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::ShopLocation::database()).await;
                }
            )*
        }
    };
}
