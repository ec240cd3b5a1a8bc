//! The baselines of Tradepost: the disk, SQLite alone, PostgreSQL alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use test_servers::{Options, Postgres, Programs};

use super::Bench;
use super::case::Case;
use super::process::output;
use super::report::{Flushes, Row};

/// Keys are taken at random, so that clients don't meet on one.
const ORDER: &str = r#"\set id random(1, 9000000000000000000)
\set product random(1, 100)
begin;
insert into orders values (:id, 'customer-' || :id || '@shop.invalid', 1999, 'EUR', 'placed', current_timestamp, 1);
insert into lines values (:id, :product, 1, 1999);
insert into events (type, key, time, body) values ('orders.order_placed.v1', :id, current_timestamp,
    '{"order_id": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "number": 1042, "email": "customer-1042@shop.invalid", "lines": [{"product_id": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "sku": "load-1042", "name": "Load 1042", "quantity": 1, "unit_price": {"amount": 1999, "currency": "EUR"}}], "total": {"amount": 1999, "currency": "EUR"}, "wait_for_stock": false}');
commit;
"#;

const ORDER_TABLES: &str = "
create table orders (order_id bigint primary key, email text not null, total_amount bigint not null,
    total_currency text not null, status text not null, created_at timestamptz not null, version bigint not null);
create table lines (order_id bigint not null, product_id bigint not null, quantity bigint not null,
    price bigint not null, primary key (order_id, product_id));
create table events (position bigint generated always as identity primary key, type text not null,
    key bigint not null, time timestamptz not null, body jsonb not null);
create index events_by_key on events (key, position);
grant all on all tables in schema public to public;";

const HOT: &str = "update stock set on_hand = on_hand - 1 where id = 1;\n";

const HOT_TABLES: &str = "
create table stock (id bigint primary key, on_hand bigint not null);
insert into stock values (1, 1000000000);
grant all on all tables in schema public to public;";

/// The rate at which the disk flushes now.
pub(crate) fn flushes_per_s(bench: &Bench) -> Result<f64> {
    let mut probe = Command::new(&bench.tradepost);
    probe.args(["bench", "disk", "--json", "--probe-dir"]).arg(bench.path()).current_dir(bench.path());
    let answer: serde_json::Value = serde_json::from_str(&output(&mut probe)?)?;
    answer["flushes_per_s"].as_f64().context("bench disk answers with flushes_per_s")
}

pub(crate) fn disk(bench: &Bench) -> Result<Row> {
    let before = flushes_per_s(bench)?;
    let after = flushes_per_s(bench)?;
    Ok(Row::new(Case::Disk, f64::midpoint(before, after), "flushes/s", Flushes { before, after }))
}

pub(crate) fn bare_sqlite(bench: &Bench) -> Result<Row> {
    let folder = bench.folder("bare-sqlite")?;
    let mut writer = Command::new(&bench.bare_writer);
    writer.arg(&folder).arg(bench.seconds(10).to_string());
    let (printed, flushes) = between_probes(bench, || output(&mut writer))?;
    let per_s = printed.trim().parse().context("bare_writer prints a number")?;
    Ok(Row::new(Case::BareSqlite, per_s, "orders/s", flushes))
}

pub(crate) fn pgbench(bench: &Bench) -> Result<Row> {
    let (per_s, flushes) = transactions(bench, ORDER_TABLES, ORDER, 32)?;
    Ok(Row::new(Case::Pgbench, per_s, "orders/s", flushes))
}

pub(crate) fn pgbench_hot(bench: &Bench) -> Result<Row> {
    let (per_s, flushes) = transactions(bench, HOT_TABLES, HOT, 16)?;
    Ok(Row::new(Case::PgbenchHot, per_s, "updates/s", flushes))
}

/// A private server with PostgreSQL's own settings, full durability among them. Connections suffice for all.
pub(crate) fn server() -> Result<Postgres> {
    Ok(Options { max_connections: 200, ..Options::default() }.start()?)
}

/// Transactions a second of one script.
fn transactions(bench: &Bench, tables: &str, script: &str, clients: u32) -> Result<(f64, Flushes)> {
    let postgres = server()?;
    let url = postgres.create_database();
    let database = url.rsplit('/').next().unwrap_or_default();
    postgres.execute(database, tables);
    let file = bench.folder("pgbench")?.join("script.sql");
    std::fs::write(&file, script).with_context(|| format!("{} can't be written", file.display()))?;
    let mut pgbench = pgbench_command(Programs::find()?.folder(), clients, bench.seconds(10));
    pgbench.arg("--file").arg(&file).arg(&url);
    let (printed, flushes) = between_probes(bench, || output(&mut pgbench))?;
    Ok((per_s(&printed)?, flushes))
}

fn pgbench_command(programs: &Path, clients: u32, seconds: u32) -> Command {
    let mut pgbench = Command::new(programs.join("pgbench"));
    pgbench.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"]);
    pgbench.args(["--client", &clients.to_string(), "--time", &seconds.to_string()]);
    pgbench
}

fn per_s(printed: &str) -> Result<f64> {
    let number = printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    let failed =
        printed.lines().find_map(|line| line.strip_prefix("number of failed transactions: ")?.split(' ').next());
    ensure!(failed.is_none_or(|failed| failed == "0"), "some transactions of pgbench failed: {printed}");
    number.with_context(|| format!("pgbench prints no rate: {printed}"))
}

/// Runs something between two looks at the disk.
pub(crate) fn between_probes<T>(bench: &Bench, run: impl FnOnce() -> Result<T>) -> Result<(T, Flushes)> {
    let before = flushes_per_s(bench)?;
    let done = run()?;
    Ok((done, Flushes { before, after: flushes_per_s(bench)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_pgbench_is_read_and_failures_are_not_passed_over() {
        let printed = |failed| {
            format!(
                "transaction type: script.sql\nnumber of failed transactions: {failed} (0.000%)\n\
                 latency average = 5.4 ms\ntps = 5987.125000 (without initial connection time)\n"
            )
        };
        assert!((per_s(&printed(0)).unwrap() - 5987.125).abs() < 1e-9);
        assert!(per_s(&printed(3)).is_err() && per_s("").is_err());
    }
}
