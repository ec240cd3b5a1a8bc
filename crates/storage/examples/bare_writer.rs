//! The ceiling of the embedded store: SQLite alone, on the disk that it is measured on.
//!
//! One connection inserts an order, its line and its event with the settings that the kit uses, 256 orders to a commit.
//! There is no queue, no inbox, no pointer and nobody who reads. `cargo xtask bench` holds Tradepost against it.
//!
//! `bare_writer FOLDER SECONDS` prints orders a second.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

/// Orders of one commit: as many as the kit's writer takes at once.
const GROUP: u64 = 256;

/// About what an order's event holds.
const BODY_BYTES: usize = 400;

const TABLES: &str = "
    create table orders (order_id blob not null primary key, number integer not null, email text not null,
        total_amount integer not null, total_currency text not null, status text not null,
        created_at integer not null, version integer not null) strict;
    create table lines (order_id blob not null, product_id blob not null, quantity integer not null,
        price integer not null, primary key (order_id, product_id)) strict, without rowid;
    create table events (position integer primary key autoincrement, event_id blob not null unique,
        type text not null, key blob not null, time integer not null, body blob not null) strict;
    create index events_by_key on events (key, position);";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seconds] = arguments.as_slice() else { return Err("expected: bare_writer FOLDER SECONDS".into()) };
    let per_s = measure(&Path::new(folder).join("bare.db"), Duration::from_secs(seconds.parse()?))?;
    writeln!(std::io::stdout(), "{per_s:.1}")?;
    Ok(())
}

fn measure(file: &Path, lasts: Duration) -> rusqlite::Result<f64> {
    #[expect(clippy::disallowed_methods, reason = "this is the baseline of the kit, so it can't be the kit")]
    let db = Connection::open(file)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.execute_batch(TABLES)?;
    let body = vec![b'x'; BODY_BYTES];
    let began = Instant::now();
    let mut orders = 0;
    while began.elapsed() < lasts {
        db.execute_batch("begin immediate")?;
        for n in orders..orders + GROUP {
            insert(&db, n, &body)?;
        }
        db.execute_batch("commit")?;
        orders += GROUP;
    }
    Ok(orders as f64 / began.elapsed().as_secs_f64())
}

fn insert(db: &Connection, n: u64, body: &[u8]) -> rusqlite::Result<()> {
    let id = |kind: u128| ((kind << 96) | u128::from(n)).to_be_bytes();
    let (order_id, product_id, event_id) = (id(1), id(2), id(3));
    let email = format!("customer-{n}@shop.invalid");
    let (number, time) = (n.cast_signed(), 1_767_225_600_000_000_i64);
    db.prepare_cached("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![order_id, number, email, 1_999, "EUR", "placed", time, 1])?;
    db.prepare_cached("insert into lines values (?, ?, ?, ?)")?.execute(params![order_id, product_id, 1, 1_999])?;
    let event = "insert into events (event_id, type, key, time, body) values (?, ?, ?, ?, ?)";
    db.prepare_cached(event)?.execute(params![event_id, "orders.order_placed.v1", order_id, time, body])?;
    Ok(())
}
