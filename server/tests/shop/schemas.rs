//! The two sets of tables of each service are the same tables: names, columns, nullability, types that correspond.

use std::collections::{BTreeMap, HashMap};

use kernel::{Clock, Ids, Shards};
use service::AnyService;
use storage::{Db, Location, Options, Query, Row, params};
use test_servers::Database;

/// The columns of every table, as SQLite reports them. Parts of a primary key can't be null in strict tables.
static ON_SQLITE: Query = Query::new(
    "COLUMNS_ON_SQLITE",
    "select m.name as of_table, c.name as of_column, lower(c.type) as kind,
         c.\"notnull\" = 0 and c.pk = 0 as is_nullable
     from sqlite_schema m join pragma_table_info(m.name) c
     where m.type = 'table' and m.name not like 'sqlite!_%' escape '!'",
);

/// The same, as PostgreSQL reports them.
static ON_POSTGRES: Query = Query::new(
    "COLUMNS_ON_POSTGRES",
    "select table_name::text as of_table, column_name::text as of_column, data_type::text as kind,
         is_nullable = 'YES' as is_nullable
     from information_schema.columns where table_schema = current_schema()",
);

/// Looking up the outcome of a commit, and following events in the order in which they become visible,
/// are questions that only a server raises.
const ON_POSTGRES_ONLY: [(&str, &str); 3] =
    [("commits", "commit_id"), ("commits", "committed_at"), ("events", "written_by")];

type Columns = BTreeMap<(String, String), (String, bool)>;

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create();
    let mut differences = Vec::new();
    for service in server::shop::Shop::tradepost().described() {
        let on_sqlite = columns(&*service, Location::Folder(folder.path().to_owned()), &ON_SQLITE).await;
        let on_postgres = columns(&*service, Location::Postgres(database.url().parse().unwrap()), &ON_POSTGRES).await;
        assert!(on_sqlite.len() > 30, "{} has few columns: {on_sqlite:?}", service.name());
        differences.extend(differing(service.name(), &on_sqlite, &on_postgres));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn columns(service: &dyn AnyService, location: Location, query: &'static Query) -> Columns {
    let clock = Clock::system();
    let options = Options {
        service: service.name(),
        location,
        migrations: service.migrations(),
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        ids: Ids::new(clock.clone()),
        clock,
    };
    let db = Db::open(options).await.unwrap();
    let column = |row: &Row<'_>| {
        Ok(((row.get("of_table")?, row.get("of_column")?), (row.get("kind")?, row.get("is_nullable")?)))
    };
    let found = db.query(query, params![], column).await.unwrap();
    db.close().await;
    found.into_iter().collect()
}

fn differing(service: &str, on_sqlite: &Columns, on_postgres: &Columns) -> Vec<String> {
    let mut differences = Vec::new();
    for (name @ (table, column), (kind, is_nullable)) in on_sqlite {
        match on_postgres.get(name) {
            None => differences.push(format!("{service}.{table}.{column} is on SQLite only")),
            Some((other, other_is_nullable)) => {
                if !corresponds(kind, other) {
                    differences.push(format!("{service}.{table}.{column} is {kind} on SQLite, {other} on PostgreSQL"));
                }
                if is_nullable != other_is_nullable {
                    differences.push(format!("{service}.{table}.{column} may be null on one of them only"));
                }
            }
        }
    }
    let only_there = on_postgres.keys().filter(|name| !on_sqlite.contains_key(*name));
    let unexpected =
        only_there.filter(|(table, column)| !ON_POSTGRES_ONLY.contains(&(table.as_str(), column.as_str())));
    differences.extend(unexpected.map(|(table, column)| format!("{service}.{table}.{column} is on PostgreSQL only")));
    differences
}

fn corresponds(sqlite: &str, postgres: &str) -> bool {
    match sqlite {
        "blob" => matches!(postgres, "uuid" | "bytea" | "json"),
        "integer" => matches!(postgres, "bigint" | "boolean" | "timestamp with time zone"),
        "text" => matches!(postgres, "text" | "jsonb"),
        _ => false,
    }
}
