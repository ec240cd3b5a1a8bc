//! The service's tables.

use events::OrderId;
use kernel::Money;
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::Paid;

storage::statements! {
    query ORDERS "select order_id, amount, currency from sample_orders
        where order_id < $1 order by order_id desc limit $2";

    upsert ADD_ORDER "insert into sample_orders (order_id, amount, currency) values ($1, $2, $3)
        on conflict (order_id) do nothing";
}

/// Orders before `before`, newest first.
pub(crate) async fn orders(db: &Db, before: OrderId, rows: i64) -> Result<Vec<Paid>, Error> {
    db.query(&ORDERS, params![before, rows], paid_of).await
}

/// Adds an order.
pub(crate) fn add(paid: Paid) -> Batch {
    Batch::new().upsert(&ADD_ORDER, params![paid.order_id, paid.amount.amount, paid.amount.currency])
}

fn paid_of(row: &Row<'_>) -> Result<Paid, Error> {
    Ok(Paid { order_id: row.get("order_id")?, amount: Money::new(row.get("amount")?, row.get("currency")?) })
}
