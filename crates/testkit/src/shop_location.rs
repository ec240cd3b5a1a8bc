//! The location of a test's shop: every flow runs on each database, and what a broker could change on each
//! broker too.

use std::path::{Path, PathBuf};

use kernel::Shards;
use server::config::{BrokerSetting, Flags};
use server::shop::Shop;
use service::storage::{Location, Server};
use tempfile::TempDir;
use test_servers::{BrokerKind, BrokerSpace, Database, is_soak};

use crate::tables;

/// Connections that read, of each service: each is a process of the server, which a test has for a second only.
const READERS: usize = 1;

/// Shards of a shop on a broker of its own, where each consumer has a queue for each, and bindings for each type: with fewer than by
/// default a shop starts in half the time.
pub const SHARDS: u16 = 2;

/// A place for one shop, which goes with the test.
#[derive(Debug)]
pub struct ShopLocation {
    folder: TempDir,
    database: Option<Database>,
    broker: Option<BrokerSpace>,
}

impl ShopLocation {
    /// A folder alone.
    pub fn folder() -> Self {
        let folder = tempfile::tempdir().expect("the machine has room for a temporary folder");
        Self { folder, database: None, broker: None }
    }

    /// A PostgreSQL database, and a folder for what is no service's.
    pub fn database() -> Self {
        Self { database: Some(tables::of_a_new_shop()), ..Self::folder() }
    }

    /// A PostgreSQL database, room on a broker, and a folder for what is no service's.
    pub fn servers(broker: BrokerKind) -> Self {
        Self { broker: Some(BrokerSpace::create(broker)), ..Self::database() }
    }

    /// Places on PostgreSQL for what a broker could change, each made when its turn comes: with Redis, and in the long form
    /// also alone and with RabbitMQ, which takes five times as long to make.
    pub fn on_servers() -> impl Iterator<Item = Self> {
        let brokers = [Some(BrokerKind::Redis), None, Some(BrokerKind::RabbitMq)];
        let tried = if is_soak() { brokers.len() } else { 1 };
        brokers.into_iter().take(tried).map(|broker| broker.map_or_else(Self::database, Self::servers))
    }

    /// Fills it with a shop that an earlier version left: the dumps of its stores and its manifest. Answers with the
    /// folder of the dumps.
    pub fn load_version(&self, version: &Path) -> PathBuf {
        let data = self.data();
        std::fs::create_dir_all(data.join("payment-provider")).expect("the test's folder can be written");
        std::fs::copy(version.join("manifest.json"), data.join("manifest.json")).expect("the manifest can be copied");
        let Some(database) = &self.database else {
            let dumps = version.join("sqlite");
            for dump in std::fs::read_dir(&dumps).expect("there are dumps").flatten() {
                load_store(&dump.path(), &data);
            }
            return dumps;
        };
        let dumps = version.join("postgres");
        self.without_tables();
        database.execute(&read(&dumps.join("shop.sql")));
        dumps
    }

    /// Removes the tables that its database has from the beginning, for a test that makes those of an earlier version.
    pub fn without_tables(&self) {
        if let Some(database) = &self.database {
            database.execute("drop owned by current_user");
        }
    }

    /// The flags by which commands find it.
    pub fn flags(&self) -> Flags {
        let store = self.database.as_ref().map(Database::url);
        Flags { data_dir: Some(self.data().display().to_string()), store, ..Flags::default() }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The location of the stores.
    pub fn store(&self) -> Location {
        match &self.database {
            None => Location::Folder(self.data()),
            Some(database) => {
                let server: Server = database.url().parse().expect("a test's server has a proper URL");
                Location::Postgres(server.with_readers(READERS))
            }
        }
    }

    /// The number of its shards, if it is not the default.
    pub fn shards(&self) -> Option<Shards> {
        self.broker.as_ref().and_then(|_| Shards::new(SHARDS))
    }

    /// Its broker, if it has one.
    pub fn broker(&self, shop: &Shop) -> Option<BrokerSetting> {
        let broker = self.broker.as_ref()?;
        Some(BrokerSetting::parse(shop, &broker.url()).expect("a test's server has a proper URL"))
    }
}

fn load_store(dump: &Path, data: &Path) {
    let name = dump.file_stem().expect("a dump has a name").to_string_lossy();
    if dump.extension().is_none_or(|extension| extension != "sql") {
        return;
    }
    let folder = if name == "payment-provider" { data.join(&*name) } else { data.to_owned() };
    storage::load_dump(&folder.join(format!("{name}.db")), &read(dump)).expect("the dump can be loaded");
}

fn read(dump: &Path) -> String {
    std::fs::read_to_string(dump).expect("a dump can be read")
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

/// Makes two tests of each of these functions, which take a [`ShopLocation`]: on a folder, and on servers, one place after
/// the other ([`ShopLocation::on_servers`]).
#[macro_export]
macro_rules! on_each_broker {
    ($($test:ident),* $(,)?) => {
        mod on_a_folder {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::ShopLocation::folder()).await;
                }
            )*
        }

        mod on_servers {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    for place in $crate::ShopLocation::on_servers() {
                        super::$test(place).await;
                    }
                }
            )*
        }
    };
}
