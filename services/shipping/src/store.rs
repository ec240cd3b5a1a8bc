//! The tables of shipments, and of refunds that are withheld from them.

use std::collections::HashMap;

use events::{OrderId, RefundId, ShipmentDelivered, ShipmentId, ShipmentReduced};
use kernel::Timestamp;
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{Answer, Dispatched, FIRST_PART, Reduced, Refund, Shipment, Status, Withheld};

/// The columns of a shipment, for every read.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select shipment_id, order_id, part, number, user_id, status, ship_to, lines, withheld, carrier,
                tracking_number, dispatched_by, delivered_by, dispatched_at, delivered_at, created_at, updated_at, version
            from shipments ",
            $rest
        )
    };
}

storage::statements! {
    lookup SHIPMENT select!("where shipment_id = $1 and number > 0");
    lookup FIRST_OF_ORDERS select!("where order_id = any($1) and part = $2");
    lookup OF_ORDER select!("where order_id = $1 order by part");
    query PAGE select!(
        "where shipment_id < $1 and number > 0 and (status = $2 or $2 is null) order by shipment_id desc limit $3"
    );
    query PAGE_OF_PENDING
        select!("where status = 'pending' and shipment_id < $1 and number > 0 order by shipment_id desc limit $2");
    query PAGE_OF_ORDER select!(
        "where order_id = $1 and shipment_id < $2 and number > 0 and (status = $3 or $3 is null)
            order by shipment_id desc limit $4"
    );
    lookup REFUND "select refund_id, order_id, restock from refunds where refund_id = $1";
    lookup REFUNDS_OF_ORDERS "select refund_id, order_id, restock from refunds where order_id = any($1)";
    insert INSERT_REFUND into refunds (refund_id uuid, order_id uuid, restock json, created_at time);
    insert INSERT into shipments (
        shipment_id uuid, order_id uuid, part int, number int, user_id uuid, status text, ship_to json, lines json,
        withheld json, carrier text, tracking_number text, dispatched_by text, delivered_by text, dispatched_at time,
        delivered_at time, created_at time, updated_at time, version int,
    );
    change UPDATE "update shipments set number = $2, user_id = $3, status = $4, ship_to = $5, lines = $6, withheld = $7,
            carrier = $8, tracking_number = $9, dispatched_by = $10, delivered_by = $11, dispatched_at = $12,
            delivered_at = $13, updated_at = $14, version = version + 1
        where shipment_id = $1 and version = $15";
}

/// One shipment. Those that stand for an order of which nothing but a refund is known are read by order only.
pub(crate) async fn shipment(db: &Db, shipment_id: ShipmentId) -> Result<Option<Shipment>, Error> {
    db.query_one(&SHIPMENT, params![shipment_id], shipment_from).await
}

/// The first shipments of some orders.
pub(crate) async fn first_shipments(db: &Db, orders: Vec<OrderId>) -> Result<HashMap<OrderId, Shipment>, Error> {
    let found = db.query(&FIRST_OF_ORDERS, params![orders, FIRST_PART], shipment_from).await?;
    Ok(found.into_iter().map(|shipment| (shipment.order_id, shipment)).collect())
}

/// All shipments of an order, the first one first.
pub(crate) async fn of_order(db: &Db, order_id: OrderId) -> Result<Vec<Shipment>, Error> {
    db.query(&OF_ORDER, params![order_id], shipment_from).await
}

/// Shipments below an id, newest first.
pub(crate) async fn page(
    db: &Db,
    order_id: Option<OrderId>,
    status: Option<Status>,
    before: ShipmentId,
    rows: i64,
) -> Result<Vec<Shipment>, Error> {
    let name = status.map(Status::as_str);
    match (order_id, status) {
        (Some(order_id), _) => db.query(&PAGE_OF_ORDER, params![order_id, before, name, rows], shipment_from).await,
        (None, Some(Status::Pending)) => db.query(&PAGE_OF_PENDING, params![before, rows], shipment_from).await,
        (None, _) => db.query(&PAGE, params![before, name, rows], shipment_from).await,
    }
}

/// True if this refund is kept, and its units are withheld.
pub(crate) async fn is_withheld(db: &Db, refund_id: RefundId) -> Result<bool, Error> {
    Ok(db.query_one(&REFUND, params![refund_id], refund_from).await?.is_some())
}

/// The refunds of some orders.
pub(crate) async fn refunds(db: &Db, orders: Vec<OrderId>) -> Result<HashMap<OrderId, Vec<Refund>>, Error> {
    let mut refunds: HashMap<OrderId, Vec<Refund>> = HashMap::new();
    // Hardly ever is there one before the payment.
    if !orders.is_empty() {
        for refund in db.query(&REFUNDS_OF_ORDERS, params![orders], refund_from).await? {
            refunds.entry(refund.order_id).or_default().push(refund);
        }
    }
    Ok(refunds)
}

/// A new shipment.
pub(crate) fn insert(shipment: &Shipment) -> Batch {
    let row = params![
        shipment.shipment_id,
        shipment.order_id,
        shipment.part,
        shipment.number,
        shipment.user_id,
        shipment.status.as_str(),
        shipment.ship_to.as_ref().map(Value::json),
        Value::json(&shipment.lines),
        Value::json(&shipment.withheld),
        &shipment.carrier,
        &shipment.tracking_number,
        shipment.dispatched_by.clone(),
        shipment.delivered_by.clone(),
        shipment.dispatched_at,
        shipment.delivered_at,
        shipment.created_at,
        shipment.updated_at,
        shipment.version,
    ];
    Batch::new().insert(&INSERT, row)
}

/// Writes a transition, guarded by the version on which it was decided.
pub(crate) fn update(shipment: &Shipment) -> Batch {
    let row = params![
        shipment.shipment_id,
        shipment.number,
        shipment.user_id,
        shipment.status.as_str(),
        shipment.ship_to.as_ref().map(Value::json),
        Value::json(&shipment.lines),
        Value::json(&shipment.withheld),
        &shipment.carrier,
        &shipment.tracking_number,
        shipment.dispatched_by.clone(),
        shipment.delivered_by.clone(),
        shipment.dispatched_at,
        shipment.delivered_at,
        shipment.updated_at,
    ];
    Batch::new().change(&UPDATE, shipment.version, row)
}

/// Writes the lines of a shipment that waited for its payment, and what was withheld of them.
pub(crate) fn fill(shipment: &Shipment, reduced: Option<&ShipmentReduced>) -> Batch {
    let batch = update(shipment);
    match reduced {
        Some(event) => batch.emit(shipment.version.next(), event),
        None => batch,
    }
}

/// Keeps a refund, and writes what it withholds.
pub(crate) fn withhold(refund: &Refund, withheld: &Withheld, now: Timestamp) -> Batch {
    let row = params![refund.refund_id, refund.order_id, Value::json(&refund.restock), now];
    let kept = Batch::new().insert(&INSERT_REFUND, row);
    match withheld {
        Withheld::From(reduced) => {
            reduced.iter().fold(kept, |batch, Reduced { shipment, event }| batch.and(fill(shipment, Some(event))))
        }
        Withheld::BeforeOrder(shipment) => kept.and(insert(shipment)),
        Withheld::BeforePayment(shipment) => kept.and(update(shipment)),
    }
}

/// Writes a dispatch, the shipment of the rest, and the event.
pub(crate) fn dispatch(dispatched: &Dispatched) -> Batch {
    let Dispatched { shipment, rest, event } = dispatched;
    let rest = rest.as_ref().map(insert).unwrap_or_default();
    update(shipment).and(rest).emit(shipment.version.next(), event)
}

/// Writes an arrival, and its event.
pub(crate) fn deliver(shipment: &Shipment, event: &ShipmentDelivered) -> Batch {
    update(shipment).emit(shipment.version.next(), event)
}

/// Writes what a cancellation stops, and answers it.
pub(crate) fn answer(answer: &Answer) -> Batch {
    let unpaid = answer.unpaid.as_ref().map(insert).unwrap_or_default();
    let batch = answer.stopped.iter().fold(unpaid, |batch, shipment| batch.and(update(shipment)));
    batch.emit(answer.version, &answer.event)
}

fn shipment_from(row: &Row<'_>) -> Result<Shipment, Error> {
    Ok(Shipment {
        shipment_id: row.get("shipment_id")?,
        order_id: row.get("order_id")?,
        part: row.get("part")?,
        number: row.get("number")?,
        user_id: row.get("user_id")?,
        status: row.parse("status")?,
        ship_to: row.json_or_null("ship_to")?,
        lines: row.json("lines")?,
        withheld: row.json("withheld")?,
        carrier: row.get("carrier")?,
        tracking_number: row.get("tracking_number")?,
        dispatched_by: row.get("dispatched_by")?,
        delivered_by: row.get("delivered_by")?,
        dispatched_at: row.get("dispatched_at")?,
        delivered_at: row.get("delivered_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

fn refund_from(row: &Row<'_>) -> Result<Refund, Error> {
    Ok(Refund { refund_id: row.get("refund_id")?, order_id: row.get("order_id")?, restock: row.json("restock")? })
}
