//! Purchase orders, their open lines, and the shortages that they cover.

use events::{ProductId, PurchaseOrderId, ReceiptId, SupplierId};
use kernel::{Money, Timestamp, Version};
use serde::{Deserialize, Serialize};
use service::storage::{Batch, Db, Error, Row, Value, params};

use super::{
    DELETE_OPEN_LINE, DELIVER, INSERT_OPEN_LINE, INSERT_ORDER, INSERT_REPLENISHMENT, NEWEST_SHORTAGE, OPEN_LINES,
    OPEN_ORDER_OF_SUPPLIER, OPEN_ORDERS_OF_PRODUCT, ORDER, ORDER_PAGE, ORDER_PAGE_OF_STATUS, ORDER_PAGE_OF_SUPPLIER,
    REPORT_OVERDUE, SET_ORDER, TOUCH_PRODUCT, TOUCH_SUPPLIER,
};
use crate::domain::{Event, Happened, Line, Opened, Placed, PurchaseOrder, Receipt, Recipient, Shortage, Status};

pub(crate) async fn order(db: &Db, purchase_order_id: PurchaseOrderId) -> Result<Option<PurchaseOrder>, Error> {
    db.query_one(&ORDER, params![purchase_order_id], order_of).await
}

/// Purchase orders below an id, newest first.
pub(crate) async fn page(
    db: &Db,
    supplier_id: Option<SupplierId>,
    status: Option<Status>,
    before: PurchaseOrderId,
    rows: i64,
) -> Result<Vec<PurchaseOrder>, Error> {
    let name = status.map(Status::as_str);
    match (supplier_id, name) {
        (Some(supplier_id), _) => {
            db.query(&ORDER_PAGE_OF_SUPPLIER, params![supplier_id, name, before, rows], order_of).await
        }
        (None, Some(name)) => db.query(&ORDER_PAGE_OF_STATUS, params![name, before, rows], order_of).await,
        (None, None) => db.query(&ORDER_PAGE, params![before, rows], order_of).await,
    }
}

/// The purchase orders of which units of this product are still to come.
pub(crate) async fn open_of_product(db: &Db, product_id: ProductId) -> Result<Vec<PurchaseOrder>, Error> {
    db.query(&OPEN_ORDERS_OF_PRODUCT, params![product_id], order_of).await
}

/// True if units of this supplier are still to come.
pub(crate) async fn has_open_orders(db: &Db, supplier_id: SupplierId) -> Result<bool, Error> {
    let found = |row: &Row<'_>| row.get::<PurchaseOrderId>("purchase_order_id");
    Ok(db.query_one(&OPEN_ORDER_OF_SUPPLIER, params![supplier_id], found).await?.is_some())
}

/// The open lines of some products.
pub(crate) async fn open_lines(db: &Db, products: Vec<ProductId>) -> Result<Vec<Opened>, Error> {
    let opened = |row: &Row<'_>| {
        Ok(Opened {
            product_id: row.get("product_id")?,
            place: row.get("place")?,
            purchase_order_id: row.get("purchase_order_id")?,
        })
    };
    db.query(&OPEN_LINES, params![products], opened).await
}

/// The newest shortage of a product that has its order.
pub(crate) async fn newest_shortage(db: &Db, product_id: ProductId) -> Result<Option<Version>, Error> {
    db.query_one(&NEWEST_SHORTAGE, params![product_id], |row| row.get("shortage")).await
}

/// A new purchase order, with the timer that reports it as overdue.
pub(crate) fn place(placed: &Placed) -> Batch {
    let order = &placed.order;
    let row = params![
        order.purchase_order_id,
        order.supplier.supplier_id,
        order.status.as_str(),
        Value::json(&stored_lines(order)),
        Value::json(&stored_receipts(order)),
        &order.placed_by,
        order.expected_at,
        order.overdue_at,
        order.created_at,
        order.updated_at,
        order.version,
    ];
    let (supplier_id, version) = placed.supplier;
    Batch::new()
        .insert(&INSERT_ORDER, row)
        .change(&TOUCH_SUPPLIER, version, params![supplier_id])
        .and(open(&placed.opened, &placed.products))
        .emit(order.version, &placed.event)
        .schedule(REPORT_OVERDUE.name, order.purchase_order_id, order.expected_at)
}

/// Sets the timer by which a supplier delivers by itself.
pub(crate) fn deliver(placed: &Placed, at: Timestamp) -> Batch {
    Batch::new().schedule(DELIVER.name, placed.order.purchase_order_id, at)
}

/// Keeps by which purchase order a shortage is covered. A second one for the same shortage is a conflict.
pub(crate) fn cover(shortage: &Shortage, purchase_order_id: PurchaseOrderId) -> Batch {
    Batch::new().insert(&INSERT_REPLENISHMENT, params![shortage.product_id, shortage.at, purchase_order_id])
}

/// Writes a transition with its event, guarded by the version on which it was decided.
pub(crate) fn apply(happened: &Happened) -> Batch {
    let order = &happened.order;
    let row = params![
        order.purchase_order_id,
        order.status.as_str(),
        Value::json(&stored_lines(order)),
        Value::json(&stored_receipts(order)),
        order.overdue_at,
        order.updated_at,
    ];
    let changed = Batch::new().change(&SET_ORDER, order.version, row).and(open(&happened.opened, &happened.products));
    let batch = happened.closed.iter().fold(changed, |batch, product_id| {
        batch.change(&DELETE_OPEN_LINE, Version::FIRST, params![*product_id, order.purchase_order_id])
    });
    let made = order.version.next();
    let batch = match &happened.event {
        Event::Changed(event) => batch.emit(made, event),
        Event::Cancelled(event) => batch.emit(made, event),
        Event::Received(event) => batch.emit(made, event),
        Event::Overdue(event) => batch.emit(made, event),
    };
    if order.is_open() { batch } else { batch.and(end_timers(order)) }
}

fn end_timers(order: &PurchaseOrder) -> Batch {
    let purchase_order_id = order.purchase_order_id;
    Batch::new().unschedule(REPORT_OVERDUE.name, purchase_order_id).unschedule(DELIVER.name, purchase_order_id)
}

/// Opens lines, each guarded by its product, so that it is not deleted at the same instant.
fn open(lines: &[Opened], products: &[(ProductId, Version)]) -> Batch {
    let opened = lines.iter().fold(Batch::new(), |batch, line| {
        let row = params![line.product_id, line.place, line.purchase_order_id, Version::FIRST];
        batch.insert(&INSERT_OPEN_LINE, row)
    });
    products
        .iter()
        .fold(opened, |batch, (product_id, version)| batch.change(&TOUCH_PRODUCT, *version, params![*product_id]))
}

#[derive(Serialize, Deserialize)]
struct StoredLine {
    product_id: ProductId,
    sku: String,
    name: String,
    quantity: i64,
    unit_cost: Money,
    received: i64,
    is_cancelled: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredReceipt {
    receipt_id: ReceiptId,
    lines: Vec<(ProductId, i64)>,
    received_by: String,
    received_at: Timestamp,
}

fn stored_lines(order: &PurchaseOrder) -> Vec<StoredLine> {
    let stored = |line: &Line| StoredLine {
        product_id: line.product_id,
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_cost: line.unit_cost,
        received: line.received,
        is_cancelled: line.is_cancelled,
    };
    order.lines.iter().map(stored).collect()
}

fn stored_receipts(order: &PurchaseOrder) -> Vec<StoredReceipt> {
    let stored = |receipt: &Receipt| StoredReceipt {
        receipt_id: receipt.receipt_id,
        lines: receipt.lines.clone(),
        received_by: receipt.received_by.clone(),
        received_at: receipt.received_at,
    };
    order.receipts.iter().map(stored).collect()
}

fn order_of(row: &Row<'_>) -> Result<PurchaseOrder, Error> {
    let lines: Vec<StoredLine> = row.json("lines")?;
    let receipts: Vec<StoredReceipt> = row.json("receipts")?;
    let line = |line: StoredLine| {
        let StoredLine { product_id, sku, name, quantity, unit_cost, received, is_cancelled } = line;
        Line { product_id, sku, name, quantity, unit_cost, received, is_cancelled }
    };
    let receipt = |receipt: StoredReceipt| {
        let StoredReceipt { receipt_id, lines, received_by, received_at } = receipt;
        Receipt { receipt_id, lines, received_by, received_at }
    };
    Ok(PurchaseOrder {
        purchase_order_id: row.get("purchase_order_id")?,
        supplier: Recipient { supplier_id: row.get("supplier_id")?, name: row.get("name")?, email: row.get("email")? },
        status: row.parse("status")?,
        lines: lines.into_iter().map(line).collect(),
        receipts: receipts.into_iter().map(receipt).collect(),
        placed_by: row.get("placed_by")?,
        expected_at: row.get("expected_at")?,
        overdue_at: row.get("overdue_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}
