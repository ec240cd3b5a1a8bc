//! Reads: a few connections, each with many reads in flight.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::connection::{Connection, Role, classify, unavailable};
use super::reconnecting::Reconnecting;
use super::server::Server;
use crate::row::{Row, Source};
use crate::statement::Sql;
use crate::{Error, Registered, Value};

/// Deadline of a read. A connection that does not answer in time is closed.
const DEADLINE: Duration = Duration::from_secs(15);

/// Tries of a read whose connection broke or can't be made: a read changes nothing, so it may be repeated.
const TRIES: usize = 2;

pub(crate) struct Readers {
    readers: Vec<Reader>,
    next: AtomicUsize,
    closed: AtomicBool,
}

/// A connection, and the number of reads in flight on it.
struct Reader {
    link: Reconnecting,
    reads: AtomicUsize,
}

/// Counts a read as long as it lasts.
struct Reading<'a>(&'a Reader);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.reads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Readers {
    pub fn new(server: &Server, service: &'static str) -> Self {
        let link = || Reconnecting::new(server.clone(), service, Role::Reader, None);
        let readers = (0..server.readers).map(|_| Reader { link: link(), reads: AtomicUsize::new(0) }).collect();
        Self { readers, next: AtomicUsize::new(0), closed: AtomicBool::new(false) }
    }

    /// Runs the statement and maps its rows.
    pub async fn query<T>(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
        map: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let reading = self.reader()?;
            let link = &reading.0.link;
            // Where one can't be made, there may be another.
            let connection = match link.get().await {
                Err(_) if tries < TRIES => continue,
                connection => connection?,
            };
            let read = tokio::time::timeout(DEADLINE, select(&connection, sql, &params)).await;
            match read {
                Ok(Ok(rows)) => return rows.iter().map(|row| map(&of(sql, row))).collect(),
                Ok(Err(_)) if connection.client.is_closed() && tries < TRIES => {}
                Ok(Err(error)) => return Err(classify(&error, sql.name(), link.server())),
                Err(_) => {
                    link.drop_connection();
                    return Err(unavailable(
                        link.server(),
                        format!("{} was not answered within {DEADLINE:?}", sql.name()),
                    ));
                }
            }
        }
    }

    /// Prepares the statement without running it, and its form for many rows.
    pub async fn check(&self, statement: Registered) -> Result<(), Error> {
        let reading = self.reader()?;
        let link = &reading.0.link;
        let connection = link.get().await?;
        let prepared = match statement {
            Registered::Query(_) | Registered::Claim(_) => connection.prepare(statement.postgres()).await,
            Registered::Change(_) | Registered::Upsert(_) | Registered::Insert(_) | Registered::Add(_) => {
                connection.prepare_many(statement.postgres()).await
            }
        };
        prepared.map(|_| ()).map_err(|error| classify(&error, statement.name(), link.server()))
    }

    /// Prepares one of the kit's own statements without running it, and its form for many rows where it has one.
    pub async fn check_kit(&self, sql: &'static Sql) -> Result<(), Error> {
        let reading = self.reader()?;
        let link = &reading.0.link;
        let connection = link.get().await?;
        let prepared = connection.prepare_many(sql.postgres()).await;
        prepared.map(|_| ()).map_err(|error| classify(&error, sql.name(), link.server()))
    }

    /// The one with the fewest reads in flight, for answers come in the order of the questions: what is small does not
    /// wait behind what is large where it needn't. Of those that are alike one that is connected, for a connection costs
    /// the server memory and time; then they take turns.
    fn reader(&self) -> Result<Reading<'_>, Error> {
        let (turn, count) = (self.next.fetch_add(1, Ordering::Relaxed), self.readers.len());
        let in_turn = (0..count).map(|at| &self.readers[(turn + at) % count]);
        let cost = |reader: &&Reader| (reader.reads.load(Ordering::Relaxed), !reader.link.is_connected());
        let reader = in_turn.min_by_key(cost).expect("there is at least one");
        if self.closed.load(Ordering::Relaxed) {
            return Err(unavailable(reader.link.server(), "it is closed"));
        }
        reader.reads.fetch_add(1, Ordering::Relaxed);
        Ok(Reading(reader))
    }

    pub async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for reader in &self.readers {
            reader.link.drop_connection();
        }
    }
}

async fn select(
    connection: &Connection,
    sql: &'static Sql,
    params: &[Value],
) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
    let prepared = connection.prepare(sql.postgres()).await?;
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    connection.client.query(&prepared.statement, &params).await
}

/// A row as the kit sees it.
pub(super) fn of<'a>(sql: &Sql, row: &'a tokio_postgres::Row) -> Row<'a> {
    Row { statement: sql.name(), source: Source::Postgres(row) }
}
