//! The shipments' table.

use std::collections::HashMap;

use events::{OrderId, ShipmentDelivered, ShipmentId};
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{Answer, Dispatched, FIRST_PART, Shipment, Status};

/// The columns of a shipment, for every read.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select shipment_id, order_id, part, number, user_id, status, ship_to, lines, carrier, tracking_number,
                dispatched_by, delivered_by, dispatched_at, delivered_at, created_at, updated_at, version
            from shipments ",
            $rest
        )
    };
}

storage::statements! {
    lookup SHIPMENT select!("where shipment_id = $1");
    lookup FIRST_OF_ORDERS select!("where order_id = any($1) and part = $2");
    lookup OF_ORDER select!("where order_id = $1 order by part");
    query PAGE select!("where shipment_id < $1 and (status = $2 or $2 is null) order by shipment_id desc limit $3");
    query PAGE_OF_PENDING
        select!("where status = 'pending' and shipment_id < $1 order by shipment_id desc limit $2");
    query PAGE_OF_ORDER select!(
        "where order_id = $1 and shipment_id < $2 and (status = $3 or $3 is null) order by shipment_id desc limit $4"
    );
    insert INSERT into shipments (
        shipment_id uuid, order_id uuid, part int, number int, user_id uuid, status text, ship_to json, lines json,
        carrier text, tracking_number text, dispatched_by text, delivered_by text, dispatched_at time,
        delivered_at time, created_at time, updated_at time, version int,
    );
    change UPDATE "update shipments set user_id = $2, status = $3, ship_to = $4, lines = $5, carrier = $6,
            tracking_number = $7, dispatched_by = $8, delivered_by = $9, dispatched_at = $10, delivered_at = $11,
            updated_at = $12, version = version + 1
        where shipment_id = $1 and version = $13";
}

/// One shipment.
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
        shipment.user_id,
        shipment.status.as_str(),
        shipment.ship_to.as_ref().map(Value::json),
        Value::json(&shipment.lines),
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
