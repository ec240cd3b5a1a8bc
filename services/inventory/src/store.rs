//! Stock and reservations in the database.

use std::collections::{BTreeSet, HashMap};

use events::inventory::ReservedLine;
use events::{InventoryUpdated, OrderId, ProductId, PurchaseOrderId, ReceiptId, StockLow};
use kernel::{Timestamp, Version};
use service::TimerKind;
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{Adjustment, AdjustmentId, Changed, Level, Queue, Reservation, Served, Shelf, Status};

/// Set when there is more to do for orders that wait for a product than one commit does.
pub(crate) const SERVE_WAITING: TimerKind = TimerKind::internal("serve_waiting");

/// Orders that wait for a product and are served, or rejected, in one commit.
const QUEUE_PAGE: i64 = 200;

storage::statements! {
    lookup LEVELS "select product_id, sku, name, on_hand, reserved, waiting, low_stock_threshold, is_low,
            is_closed, product_version, version
        from stock where product_id = any($1)";
    query OPEN_LEVELS "select product_id, sku, name, on_hand, reserved, waiting, low_stock_threshold, is_low,
            is_closed, product_version, version
        from stock where product_id > $1 and is_closed = $2 order by product_id limit $3";
    query SUMS "select cast(coalesce(sum(reserved), 0) as bigint) as units_reserved,
            cast(coalesce(sum(waiting), 0) as bigint) as orders_waiting
        from stock where reserved > $1 or waiting > $1";
    insert OPEN_STOCK into stock (product_id uuid, sku text, name text, on_hand int, reserved int,
        low_stock_threshold int, is_low bool, is_closed bool, product_version int, version int);
    change SET_LEVEL "update stock set on_hand = $2, reserved = $3, waiting = $4, is_low = $5,
        version = version + 1 where product_id = $1 and version = $6";
    change SET_PRODUCT "update stock set sku = $2, name = $3, low_stock_threshold = $4, is_closed = $5,
        product_version = $6, is_low = $7, version = version + 1 where product_id = $1 and version = $8";
    lookup RESERVATIONS "select order_id, status, lines, held, returned, version from reservations
        where order_id = any($1)";
    query QUEUE "select reservations.order_id, status, lines, held, returned, reservations.version
        from waiting join reservations on reservations.order_id = waiting.order_id
        where waiting.product_id = $1 order by waiting.order_id limit $2";
    insert INSERT_RESERVATION into reservations (order_id uuid, status text, lines json, version int);
    change SET_RESERVATION "update reservations set status = $2, version = version + 1
        where order_id = $1 and version = $3";
    change SET_RETURNED "update reservations set status = $2, returned = $3, version = version + 1
        where order_id = $1 and version = $4";
    insert INSERT_WAITING_RESERVATION into reservations (order_id uuid, status text, lines json, held json, version int);
    change SET_HELD "update reservations set status = $2, held = $3, version = version + 1
        where order_id = $1 and version = $4";
    insert JOIN_QUEUE into waiting (product_id uuid, order_id uuid, version int);
    change LEAVE_QUEUE "delete from waiting where product_id = $1 and order_id = $2 and version = $3";
    insert INSERT_ADJUSTMENT into adjustments (adjustment_id uuid, product_id uuid, delta int, reason text,
        adjusted_by text, created_at time);
    lookup RECEIPT "select receipt_id from receipts where receipt_id = $1";
    insert INSERT_RECEIPT into receipts (receipt_id uuid, purchase_order_id uuid, lines json, received_at time);
    query ADJUSTMENTS "select adjustment_id, product_id, delta, reason, adjusted_by, created_at from adjustments
        where product_id = $1 and adjustment_id < $2 order by adjustment_id desc limit $3";
}

/// The sums of all products, of which orders has the first too.
pub(crate) async fn sums(db: Db) -> Result<Vec<(&'static str, i64)>, Error> {
    let names = ["units_reserved", "orders_waiting"];
    let sums = db
        .query(&SUMS, params![0_i64], move |row| names.iter().map(|name| Ok((*name, row.get(name)?))).collect())
        .await?;
    Ok(sums.into_iter().next().unwrap_or_default())
}

/// The levels of some products.
pub(crate) async fn levels(db: &Db, products: Vec<ProductId>) -> Result<Vec<Level>, Error> {
    db.query(&LEVELS, params![products], level).await
}

/// One product's level.
pub(crate) async fn level_of(db: &Db, product_id: ProductId) -> Result<Option<Level>, Error> {
    Ok(levels(db, vec![product_id]).await?.into_iter().next())
}

/// Levels of products for sale, by id.
pub(crate) async fn open_levels(db: &Db, after: ProductId, limit: i64) -> Result<Vec<Level>, Error> {
    db.query(&OPEN_LEVELS, params![after, false, limit], level).await
}

/// The decisions for some orders.
pub(crate) async fn reservations(db: &Db, orders: Vec<OrderId>) -> Result<HashMap<OrderId, Reservation>, Error> {
    let found = db.query(&RESERVATIONS, params![orders], reservation).await?;
    Ok(found.into_iter().map(|reservation| (reservation.order_id, reservation)).collect())
}

/// The decisions for some orders, and a shelf with the levels of their products.
pub(crate) async fn reservations_and_shelf(
    db: &Db,
    orders: Vec<OrderId>,
    products: impl Iterator<Item = ProductId>,
) -> Result<(HashMap<OrderId, Reservation>, Shelf), Error> {
    let decided = reservations(db, orders).await?;
    let products: BTreeSet<ProductId> = products.collect();
    Ok((decided, Shelf::new(levels(db, products.into_iter().collect()).await?)))
}

/// The first orders that wait for these products. Read it after their levels: whatever changes a queue changes the
/// level, so a commit that is guarded by the level is guarded by the queue too.
pub(crate) async fn queue(db: &Db, products: Vec<ProductId>) -> Result<Queue, Error> {
    let mut waiting = Vec::new();
    for product_id in products {
        let orders = first_waiting(db, product_id).await?;
        waiting.extend(orders.into_iter().map(|order| (product_id, order)));
    }
    Ok(Queue::new(waiting))
}

/// The first orders that wait for a product.
pub(crate) async fn first_waiting(db: &Db, product_id: ProductId) -> Result<Vec<Reservation>, Error> {
    db.query(&QUEUE, params![product_id, QUEUE_PAGE], reservation).await
}

/// Opens a product's stock.
pub(crate) fn open(level: &Level, shortage: Option<&StockLow>) -> Batch {
    let row = params![
        level.product_id,
        &level.sku,
        &level.name,
        level.on_hand,
        level.reserved,
        level.low_stock_threshold,
        level.is_low,
        level.is_closed,
        level.product_version,
        level.version,
    ];
    let opened = Batch::new().insert(&OPEN_STOCK, row).emit(level.version, &updated(level, "opened", level.version));
    warn_of(shortage, level.version, opened)
}

/// Takes over what the catalogue says about a product.
pub(crate) fn set_product(level: &Level, shortage: Option<&StockLow>) -> Batch {
    let row = params![
        level.product_id,
        &level.sku,
        &level.name,
        level.low_stock_threshold,
        level.is_closed,
        level.product_version,
        level.is_low,
    ];
    warn_of(shortage, level.version.next(), Batch::new().change(&SET_PRODUCT, level.version, row))
}

/// Writes the levels that a batch of decisions changed, and emits one change of each product. A conflict where the commit is
/// certain to find one.
pub(crate) fn set_levels(shelf: &Shelf, reason: &str) -> Result<Batch, Error> {
    if shelf.is_of_two_times() {
        return Err(Error::Conflict { statement: "SET_LEVEL" });
    }
    Ok(shelf.changed().iter().fold(Batch::new(), |batch, Changed { level, shortage, has_moved }| {
        let made = level.version.next();
        let row = params![level.product_id, level.on_hand, level.reserved, level.waiting, level.is_low];
        let batch = batch.change(&SET_LEVEL, level.version, row);
        let batch = if *has_moved { batch.emit(made, &updated(level, reason, made)) } else { batch };
        warn_of(shortage.as_ref(), made, batch)
    }))
}

fn warn_of(shortage: Option<&StockLow>, made: Version, batch: Batch) -> Batch {
    match shortage {
        Some(low) => batch.emit(made, low),
        None => batch,
    }
}

/// Records what was decided for an order that had nothing decided yet.
pub(crate) fn insert_reservation(order_id: OrderId, status: Status, lines: &Vec<ReservedLine>) -> Batch {
    let row = params![order_id, status.as_str(), Value::json(lines), Version::FIRST];
    Batch::new().insert(&INSERT_RESERVATION, row)
}

/// Records an order that waits: the units that it got, and its place in the queue of each product of which it wants more.
pub(crate) fn insert_waiting(waiting: &Reservation) -> Batch {
    let (lines, held) = (Value::json(&waiting.lines), Value::json(&waiting.held));
    let row = params![waiting.order_id, waiting.status.as_str(), lines, held, waiting.version];
    waiting.missing().into_keys().fold(Batch::new().insert(&INSERT_WAITING_RESERVATION, row), |batch, product_id| {
        batch.insert(&JOIN_QUEUE, params![product_id, waiting.order_id, Version::FIRST])
    })
}

/// Writes what a waiting order got.
pub(crate) fn set_served(served: &Served) -> Batch {
    leave(set_held(&served.reservation, served.reservation.status), served.reservation.order_id, &served.left)
}

/// Ends the wait of an order. What it held is free.
pub(crate) fn end_waiting(waiting: &Reservation, status: Status) -> Batch {
    let products: Vec<ProductId> = waiting.missing().into_keys().collect();
    leave(set_held(waiting, status), waiting.order_id, &products)
}

fn set_held(waiting: &Reservation, status: Status) -> Batch {
    let row = params![waiting.order_id, status.as_str(), Value::json(&waiting.held)];
    Batch::new().change(&SET_HELD, waiting.version, row)
}

fn leave(batch: Batch, order_id: OrderId, products: &[ProductId]) -> Batch {
    products
        .iter()
        .fold(batch, |batch, product_id| batch.change(&LEAVE_QUEUE, Version::FIRST, params![*product_id, order_id]))
}

/// Moves a reservation on.
pub(crate) fn set_reservation(reservation: &Reservation, status: Status) -> Batch {
    Batch::new().change(&SET_RESERVATION, reservation.version, params![reservation.order_id, status.as_str()])
}

/// Moves a reservation on after units of it came back.
pub(crate) fn set_returned(reservation: &Reservation, status: Status) -> Batch {
    let row = params![reservation.order_id, status.as_str(), Value::json(&reservation.returned)];
    Batch::new().change(&SET_RETURNED, reservation.version, row)
}

/// Records a correction.
pub(crate) fn insert_adjustment(adjustment: &Adjustment) -> Batch {
    let row = params![
        adjustment.adjustment_id,
        adjustment.product_id,
        adjustment.delta,
        &adjustment.reason,
        &adjustment.adjusted_by,
        adjustment.created_at,
    ];
    Batch::new().insert(&INSERT_ADJUSTMENT, row)
}

/// True if the units of this delivery are on hand.
pub(crate) async fn is_received(db: &Db, receipt_id: ReceiptId) -> Result<bool, Error> {
    let found = |row: &Row<'_>| row.get::<ReceiptId>("receipt_id");
    Ok(db.query_one(&RECEIPT, params![receipt_id], found).await?.is_some())
}

/// Keeps a delivery whose units are on hand.
pub(crate) fn insert_receipt(
    receipt_id: ReceiptId,
    purchase_order_id: PurchaseOrderId,
    lines: &Vec<ReservedLine>,
    now: Timestamp,
) -> Batch {
    Batch::new().insert(&INSERT_RECEIPT, params![receipt_id, purchase_order_id, Value::json(lines), now])
}

/// Corrections of a product below an id, newest first.
pub(crate) async fn adjustments(
    db: &Db,
    product_id: ProductId,
    before: AdjustmentId,
    limit: i64,
) -> Result<Vec<Adjustment>, Error> {
    db.query(&ADJUSTMENTS, params![product_id, before, limit], adjustment).await
}

fn adjustment(row: &Row<'_>) -> Result<Adjustment, Error> {
    Ok(Adjustment {
        adjustment_id: row.get("adjustment_id")?,
        product_id: row.get("product_id")?,
        delta: row.get("delta")?,
        reason: row.get("reason")?,
        adjusted_by: row.get("adjusted_by")?,
        created_at: row.get("created_at")?,
    })
}

fn updated(level: &Level, reason: &str, version: Version) -> InventoryUpdated {
    InventoryUpdated {
        product_id: level.product_id,
        sku: level.sku.clone(),
        on_hand: level.on_hand,
        reserved: level.reserved,
        available: level.available(),
        reason: reason.to_owned(),
        version: version.get(),
    }
}

fn level(row: &Row<'_>) -> Result<Level, Error> {
    Ok(Level {
        product_id: row.get("product_id")?,
        sku: row.get("sku")?,
        name: row.get("name")?,
        on_hand: row.get("on_hand")?,
        reserved: row.get("reserved")?,
        waiting: row.get("waiting")?,
        low_stock_threshold: row.get("low_stock_threshold")?,
        is_low: row.get("is_low")?,
        is_closed: row.get("is_closed")?,
        product_version: row.get("product_version")?,
        version: row.get("version")?,
    })
}

fn reservation(row: &Row<'_>) -> Result<Reservation, Error> {
    Ok(Reservation {
        order_id: row.get("order_id")?,
        status: row.parse("status")?,
        lines: row.json("lines")?,
        held: row.json("held")?,
        returned: row.json("returned")?,
        version: row.get("version")?,
    })
}
