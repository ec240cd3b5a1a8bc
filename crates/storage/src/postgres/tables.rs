//! Bringing the tables of a schema up to date.

use std::time::Duration;

use kernel::Timestamp;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::connection::{Connection, Role, classify};
use super::server::Server;
use crate::migrate::{KIT, Migrations};
use crate::{Error, Options, Value};

/// Makes the schema if it isn't there and runs the steps that are missing, all in one transaction.
///
/// Processes that start at the same time take turns.
pub(super) async fn bring_up_to_date(
    connection: &mut Connection,
    server: &Server,
    options: &Options,
) -> Result<(), Error> {
    let schema = server.schema(options.service);
    let schema = schema.as_str();
    let failed = |error: tokio_postgres::Error| unusable(classify(&error, "MIGRATE", server), server, schema);
    let transaction = connection.client.transaction().await.map_err(failed)?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&lock("migrate", schema)]).await.map_err(failed)?;
    let exists = "select exists (select 1 from pg_namespace where nspname = $1)";
    if !transaction.query_one(exists, &[&schema]).await.map_err(failed)?.get::<_, bool>(0) {
        transaction.batch_execute(&format!("create schema \"{schema}\"")).await.map_err(failed)?;
    }
    transaction
        .batch_execute(
            "create table if not exists migrations (
                 name text not null, version bigint not null, applied_at timestamptz not null,
                 primary key (name, version))",
        )
        .await
        .map_err(failed)?;
    for set in [&KIT, &options.migrations] {
        let found = version(&transaction, set.set).await.map_err(failed)?;
        set.refuse_newer(found, &format!("{server}, schema {schema},"))?;
        run(&transaction, set, found, options.clock.now()).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    release_leases(connection, schema, options.clock.now()).await.map_err(failed)
}

/// Makes timers due whose holder is gone: if no other process serves this schema, all that are leased.
///
/// The server may need a moment to notice that a killed process is gone, and with it its lock.
async fn release_leases(connection: &Connection, schema: &str, now: Timestamp) -> Result<(), tokio_postgres::Error> {
    /// Tries to become the only process, where a lease is worth the wait.
    const TRIES: usize = 10;
    const PAUSE: Duration = Duration::from_millis(50);

    let client = &connection.client;
    for _ in 0..TRIES {
        // Every writer has the lock, shared: who gets it for itself alone is alone.
        if client.query_one("select pg_try_advisory_lock($1)", &[&running(schema)]).await?.get::<_, bool>(0) {
            let release = "update timers set due_at = $1, is_leased = false where is_leased";
            client.execute(release, &[&Value::Time(now)]).await?;
            return client.execute("select pg_advisory_unlock($1)", &[&running(schema)]).await.map(|_| ());
        }
        let leased = client.query_one("select exists (select 1 from timers where is_leased)", &[]).await?;
        if !leased.get::<_, bool>(0) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn run(
    transaction: &Transaction<'_>,
    set: &Migrations,
    found: i64,
    now: Timestamp,
) -> Result<(), tokio_postgres::Error> {
    for (version, step) in set.after(found) {
        transaction.batch_execute(step.postgres).await?;
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&set.set, &version, &Value::Time(now)];
        transaction.execute("insert into migrations (name, version, applied_at) values ($1, $2, $3)", &row).await?;
    }
    Ok(())
}

async fn version(transaction: &Transaction<'_>, set: &str) -> Result<i64, tokio_postgres::Error> {
    let newest = "select coalesce(max(version), 0) from migrations where name = $1";
    Ok(transaction.query_one(newest, &[&set]).await?.get(0))
}

/// Refuses a schema that is not there, that this program may not read, or whose kit has another version.
pub(super) async fn refuse_unreadable(server: &Server, service: &str) -> Result<(), Error> {
    let connection = Connection::open(server, service, Role::Reader).await?;
    let schema = server.schema(service);
    let refused = |detail: String| Error::Unusable { store: format!("{server}, schema {schema},"), detail };
    let newest = "select coalesce(max(version), 0) from migrations where name = $1";
    let found: i64 = match connection.client.query_one(newest, &[&KIT.set]).await {
        Ok(row) => row.get(0),
        // A schema that one may not use is passed over, as if it were not there.
        Err(error) if is_closed_to_us(&error) => {
            let user = server.config.get_user().unwrap_or_default();
            return Err(refused(format!(
                "it is not there, or {user} may not read it: run the `migrate` of the program that serves it, \
                 or run `grant usage on schema \"{schema}\" to {user}; \
                 grant select on all tables in schema \"{schema}\" to {user}` as its owner"
            )));
        }
        Err(error) => return Err(classify(&error, "KIT_VERSION", server)),
    };
    let known = KIT.newest();
    if found != known {
        return Err(refused(format!(
            "it has version {found} of the {} tables and this program knows {known}: \
             build this program from the version of Tradepost that serves it",
            KIT.set
        )));
    }
    Ok(())
}

fn is_closed_to_us(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INSUFFICIENT_PRIVILEGE)
}

/// Number of pointers in the outbox.
pub(super) async fn pending_events(connection: &Connection, server: &Server) -> Result<u64, Error> {
    let found = connection.client.query_one("select count(*) from outbox", &[]).await;
    let found = found.map_err(|error| classify(&error, "PENDING_EVENTS", server))?;
    Ok(u64::try_from(found.get::<_, i64>(0)).unwrap_or_default())
}

/// The lock that every process which serves this schema shares.
pub(super) fn running(schema: &str) -> i64 {
    lock("running", schema)
}

/// Something of which only one process does it at a time, until this is dropped.
pub struct Turn {
    _connection: Connection,
}

impl Server {
    /// Waits for its turn to do something that only one process at a time may do; `on_wait` is called once if it must
    /// wait. A process that ends releases its turn, however it ends.
    pub async fn turn(&self, purpose: &'static str, on_wait: impl FnOnce()) -> Result<Turn, Error> {
        /// The time between two tries.
        const PAUSE: Duration = Duration::from_millis(250);

        let connection = Connection::open(self, "public", Role::Reader).await?;
        let mut on_wait = Some(on_wait);
        loop {
            let taken = connection.client.query_one("select pg_try_advisory_lock($1)", &[&lock("turn", purpose)]).await;
            if taken.map_err(|error| classify(&error, "TAKE_TURN", self))?.get::<_, bool>(0) {
                return Ok(Turn { _connection: connection });
            }
            if let Some(on_wait) = on_wait.take() {
                on_wait();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A number of our own for an advisory lock: FNV-1a 64 of its purpose and the service.
fn lock(purpose: &str, service: &str) -> i64 {
    let hash = kernel::fnv1a(format!("tradepost/{purpose}/{service}").as_bytes());
    hash.cast_signed()
}

/// Maps a refusal of the server to a missing right.
fn unusable(error: Error, server: &Server, service: &str) -> Error {
    match error {
        Error::Broken { detail, .. } if detail.contains("permission denied") => {
            let user = server.config.get_user().unwrap_or_default();
            let database = server.config.get_dbname().unwrap_or_default();
            let remedy = format!(
                "{detail}: the schema {service:?} can't be made or used; \
                 run `grant create on database {database} to {user}` as the database's owner, \
                 or let {user} own that schema"
            );
            Error::Unusable { store: server.to_string(), detail: remedy }
        }
        other => other,
    }
}
