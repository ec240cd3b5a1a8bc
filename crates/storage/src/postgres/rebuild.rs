//! A schema beside a service's own, in which its tables are built anew, and the replacement of their rows.
//!
//! Rows are replaced and not schemas: a renamed schema would lose the rights that others have been given to it.

use std::iter;
use std::time::Duration;

use tokio_postgres::{Client, Transaction};

use super::connection::{Connection, Role, classify};
use super::server::Server;
use super::tables::running;
use crate::Error;

/// The end of the name of such a schema.
pub(super) const SUFFIX: &str = ".rebuild";

impl Server {
    /// The same database, with the schema beside a service's own.
    pub(crate) fn beside(&self) -> Self {
        let mut beside = self.clone();
        beside.schema_suffix = SUFFIX;
        beside
    }

    /// Drops what an earlier rebuild left.
    pub(crate) async fn begin_rebuild(&self, service: &'static str) -> Result<(), Error> {
        let mut connection = Connection::open(self, service, Role::Reader).await?;
        let failed = |error: tokio_postgres::Error| classify(&error, "BEGIN_REBUILD", self);
        let transaction = connection.client.transaction().await.map_err(failed)?;
        self.refuse_served(&transaction, service).await?;
        transaction.batch_execute(&drop_beside(service)).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Replaces all rows of the service's tables by those of the schema beside them, and drops that schema.
    pub(crate) async fn end_rebuild(&self, service: &'static str) -> Result<(), Error> {
        let mut connection = Connection::open(self, service, Role::Reader).await?;
        let failed = |error: tokio_postgres::Error| classify(&error, "END_REBUILD", self);
        let transaction = connection.client.transaction().await.map_err(failed)?;
        self.refuse_served(&transaction, service).await?;
        // However many rows there are.
        transaction.batch_execute("set local statement_timeout = 0").await.map_err(failed)?;
        let tables = tables(transaction.client(), service).await.map_err(failed)?;
        transaction.batch_execute(&replace(service, &tables)).await.map_err(failed)?;
        transaction.batch_execute(&drop_beside(service)).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Refuses while a process serves the schema, and keeps others from it until the transaction ends. The server may need
    /// a moment to notice that a process is gone.
    async fn refuse_served(&self, transaction: &Transaction<'_>, service: &str) -> Result<(), Error> {
        const TRIES: usize = 20;
        const PAUSE: Duration = Duration::from_millis(100);

        for _ in 0..TRIES {
            let take = transaction.query_one("select pg_try_advisory_xact_lock($1)", &[&running(service)]).await;
            if take.map_err(|error| classify(&error, "TAKE_SERVICE", self))?.get::<_, bool>(0) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        let detail = format!("a process runs {service}: stop all processes that run it first");
        Err(Error::Unusable { store: self.to_string(), detail })
    }
}

/// A table: its columns, and that which the database numbers, if any.
struct Table {
    name: String,
    columns: String,
    numbered: Option<String>,
}

async fn tables(client: &Client, service: &str) -> Result<Vec<Table>, tokio_postgres::Error> {
    let text = "select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum),
                       max(a.attname) filter (where a.attidentity <> '')
                from pg_class c
                join pg_namespace n on n.oid = c.relnamespace
                join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                where n.nspname = $1 and c.relkind = 'r'
                group by c.relname order by c.relname";
    let rows = client.query(text, &[&service]).await?;
    Ok(rows.iter().map(|row| Table { name: row.get(0), columns: row.get(1), numbered: row.get(2) }).collect())
}

fn replace(service: &str, tables: &[Table]) -> String {
    let names: Vec<String> = tables.iter().map(|table| format!("\"{service}\".\"{}\"", table.name)).collect();
    let truncate = format!("truncate {};\n", names.join(", "));
    let inserts = tables.iter().zip(&names).map(|(table, full_name)| insert(service, table, full_name));
    iter::once(truncate).chain(inserts).collect()
}

fn insert(service: &str, Table { name, columns, numbered }: &Table, full_name: &str) -> String {
    let insert = format!(
        "insert into {full_name} ({columns}) overriding system value \
         select {columns} from \"{service}{SUFFIX}\".\"{name}\";\n"
    );
    let Some(column) = numbered else { return insert };
    format!(
        "{insert}select setval(pg_get_serial_sequence('{full_name}', '{column}'), \
         coalesce(max(\"{column}\"), 0) + 1, false) from {full_name};\n"
    )
}

fn drop_beside(service: &str) -> String {
    format!("drop schema if exists \"{service}{SUFFIX}\" cascade")
}
