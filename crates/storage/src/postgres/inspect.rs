//! Inspection of a server before anything runs on it.

use std::collections::HashMap;
use std::time::Instant;

use kernel::{SignedDuration, Timestamp};

use super::connection::{Connection, Role, classify};
use super::server::Server;
use crate::Error;
use crate::value::Found;

/// Settings without which an answered commit may be lost, and what they must not be.
const DURABLE: [(&str, &str); 3] = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];

/// A server as it is.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its version, as in `15.18`.
    pub version: String,
    /// Settings under which it may lose commits that it answered.
    pub careless: Vec<&'static str>,
    /// Connections that it takes.
    pub max_connections: i64,
    /// Difference between its clock and the caller's, to within the duration of a query.
    pub ahead: SignedDuration,
    /// True if the user may create schemas.
    pub may_create: bool,
    /// The versions of the sets of tables in each schema that has some, by schema and set.
    pub tables: HashMap<(String, String), i64>,
}

impl Server {
    /// Looks at the server without changing anything. `now` is asked for the caller's time.
    pub async fn inspect(&self, now: impl Fn() -> Timestamp) -> Result<Inspection, Error> {
        let connection = Connection::open(self, "public", Role::Reader).await?;
        let client = &connection.client;
        let failed = |error: tokio_postgres::Error| classify(&error, "INSPECT", self);
        let mut shown = HashMap::new();
        for name in ["server_version", "max_connections"].into_iter().chain(DURABLE.map(|(name, _)| name)) {
            // The server's own value, not that of this session.
            let row = client
                .query_one("select coalesce(reset_val, setting) from pg_settings where name = $1", &[&name])
                .await
                .map_err(failed)?;
            shown.insert(name, row.get::<_, String>(0));
        }
        // The settings of this session are not those of the server.
        let configured = "select setting from pg_file_settings where name = 'synchronous_commit' and applied
             order by seqno desc limit 1";
        if let Ok(Some(row)) = client.query_opt(configured, &[]).await {
            shown.insert("synchronous_commit", row.get::<_, String>(0));
        }
        let began = Instant::now();
        let row = client.query_one("select clock_timestamp()", &[]).await.map_err(failed)?;
        let took = SignedDuration::try_from(began.elapsed() / 2).unwrap_or_default();
        let Found::Time(there) = row.try_get::<_, Found<'_>>(0).map_err(failed)? else {
            unreachable!("a timestamptz is a time")
        };
        let ahead = there.duration_since(now()) + took;
        let may = client.query_one("select has_database_privilege(current_database(), 'CREATE')", &[]);
        let may_create = may.await.map_err(failed)?.get(0);
        let (version, max_connections) = (shown["server_version"].clone(), &shown["max_connections"]);
        Ok(Inspection {
            version,
            careless: DURABLE.iter().filter(|(name, bad)| shown[name] == *bad).map(|(name, _)| *name).collect(),
            max_connections: max_connections.parse().unwrap_or_default(),
            ahead,
            may_create,
            tables: tables(&connection).await.map_err(failed)?,
        })
    }
}

async fn tables(connection: &Connection) -> Result<HashMap<(String, String), i64>, tokio_postgres::Error> {
    let schemas = "select table_schema::text from information_schema.tables where table_name = 'migrations'";
    let mut tables = HashMap::new();
    for row in connection.client.query(schemas, &[]).await? {
        let schema: String = row.get(0);
        let quoted = schema.replace('"', "\"\"");
        let versions = format!("select name, max(version) from \"{quoted}\".migrations group by name");
        for row in connection.client.query(&versions, &[]).await? {
            tables.insert((schema.clone(), row.get(0)), row.get(1));
        }
    }
    Ok(tables)
}
