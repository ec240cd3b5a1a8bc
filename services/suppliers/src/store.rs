//! Suppliers, their offers, products, and purchase orders in the database.
//!
//! Those of purchase orders are written and read in `purchase_orders`, by statements that stand here.

pub(crate) mod purchase_orders;

use events::{ProductId, SupplierId, SupplierUpdated};
use kernel::{Money, Timestamp, Version};
use service::TimerKind;
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{Known, Offer, OfferWrite, Product, Supplier, offer_writes};

/// Set when a purchase order is placed, until all of it came or its lead time is over.
pub(crate) const REPORT_OVERDUE: TimerKind = TimerKind::internal("report_overdue");

/// Set when a purchase order is placed with a supplier that delivers by itself.
pub(crate) const DELIVER: TimerKind = TimerKind::internal("deliver");

/// The columns of a supplier, for every read.
macro_rules! suppliers {
    ($rest:literal) => {
        concat!(
            "select supplier_id, name, email, lead_time_days, auto_replenish, created_at, updated_at, version
            from suppliers where deleted_at is null and ",
            $rest
        )
    };
}

/// The columns of an offer with its product, for every read.
macro_rules! offers {
    ($rest:literal) => {
        concat!(
            "select o.supplier_id, o.position, o.unit_cost_amount, o.unit_cost_currency, o.order_quantity,
                o.version as offer_version, p.product_id, p.sku, p.name, p.is_deleted, p.product_version, p.version
            from offers o join products p on p.product_id = o.product_id ",
            $rest
        )
    };
}

/// The columns of a purchase order with its supplier, for every read.
macro_rules! orders {
    ($rest:literal) => {
        concat!(
            "select o.purchase_order_id, o.supplier_id, s.name, s.email, o.status, o.lines, o.receipts, o.placed_by,
                o.expected_at, o.overdue_at, o.created_at, o.updated_at, o.version
            from purchase_orders o join suppliers s on s.supplier_id = o.supplier_id ",
            $rest
        )
    };
}

storage::statements! {
    lookup PRODUCTS "select product_id, sku, name, is_deleted, product_version, version
        from products where product_id = any($1)";
    insert INSERT_PRODUCT into products (product_id uuid, sku text, name text, is_deleted bool, product_version int,
        version int);
    change SET_PRODUCT "update products set sku = $2, name = $3, is_deleted = $4, product_version = $5,
        version = version + 1 where product_id = $1 and version = $6";
    change TOUCH_PRODUCT "update products set version = version + 1 where product_id = $1 and version = $2";

    lookup SUPPLIERS suppliers!("supplier_id = any($1)");
    query SUPPLIER_PAGE suppliers!("supplier_id < $1 order by supplier_id desc limit $2");
    query SUPPLIERS_OF_PRODUCT suppliers!("auto_replenish = $2
        and supplier_id in (select supplier_id from offers where product_id = $1)");
    insert INSERT_SUPPLIER into suppliers (supplier_id uuid, name text, email text, lead_time_days int,
        auto_replenish bool, created_at time, updated_at time, deleted_at time, version int);
    change SET_SUPPLIER "update suppliers set name = $2, email = $3, lead_time_days = $4, auto_replenish = $5,
        updated_at = $6, version = version + 1 where supplier_id = $1 and deleted_at is null and version = $7";
    change TOUCH_SUPPLIER "update suppliers set version = version + 1
        where supplier_id = $1 and deleted_at is null and version = $2";
    change DELETE_SUPPLIER "update suppliers set deleted_at = $2, version = version + 1
        where supplier_id = $1 and deleted_at is null and version = $3";

    lookup OFFERS_OF_SUPPLIERS offers!("where o.supplier_id = any($1) order by o.supplier_id, o.position");
    insert INSERT_OFFER into offers (supplier_id uuid, product_id uuid, position int, unit_cost_amount int,
        unit_cost_currency text, order_quantity int, version int);
    change SET_OFFER "update offers set position = $3, unit_cost_amount = $4, unit_cost_currency = $5,
        order_quantity = $6, version = version + 1 where supplier_id = $1 and product_id = $2 and version = $7";
    change DELETE_OFFER "delete from offers where supplier_id = $1 and product_id = $2 and version = $3";

    lookup ORDER orders!("where o.purchase_order_id = $1");
    query ORDER_PAGE orders!("where o.purchase_order_id < $1 order by o.purchase_order_id desc limit $2");
    query ORDER_PAGE_OF_STATUS orders!("where o.status = $1 and o.purchase_order_id < $2
        order by o.purchase_order_id desc limit $3");
    query ORDER_PAGE_OF_SUPPLIER orders!("where o.supplier_id = $1 and (o.status = $2 or $2 is null)
        and o.purchase_order_id < $3 order by o.purchase_order_id desc limit $4");
    lookup OPEN_ORDERS_OF_PRODUCT orders!("where o.purchase_order_id in
        (select purchase_order_id from open_lines where product_id = $1)");
    lookup OPEN_ORDER_OF_SUPPLIER "select purchase_order_id from purchase_orders
        where supplier_id = $1 and status in ('placed', 'partially_received') limit 1";
    insert INSERT_ORDER into purchase_orders (purchase_order_id uuid, supplier_id uuid, status text, lines json,
        receipts json, placed_by text, expected_at time, overdue_at time, created_at time, updated_at time,
        version int);
    change SET_ORDER "update purchase_orders set status = $2, lines = $3, receipts = $4, overdue_at = $5,
        updated_at = $6, version = version + 1 where purchase_order_id = $1 and version = $7";

    lookup OPEN_LINES "select product_id, place, purchase_order_id from open_lines where product_id = any($1)
        order by product_id, place";
    insert INSERT_OPEN_LINE into open_lines (product_id uuid, place int, purchase_order_id uuid, version int);
    change DELETE_OPEN_LINE "delete from open_lines
        where product_id = $1 and purchase_order_id = $2 and version = $3";
    lookup NEWEST_SHORTAGE "select shortage from replenishments where product_id = $1
        order by shortage desc limit 1";
    insert INSERT_REPLENISHMENT into replenishments (product_id uuid, shortage int, purchase_order_id uuid);
}

/// Some products, those that are no longer for sale among them.
pub(crate) async fn products(db: &Db, ids: Vec<ProductId>) -> Result<Vec<Product>, Error> {
    db.query(&PRODUCTS, params![ids], product_of).await
}

pub(crate) async fn product(db: &Db, product_id: ProductId) -> Result<Option<Product>, Error> {
    Ok(products(db, vec![product_id]).await?.into_iter().next())
}

/// Takes over what the catalogue says about a product.
pub(crate) fn set_product(known: &Known) -> Batch {
    let row = |product: &Product| {
        params![product.product_id, &product.sku, &product.name, product.is_deleted, product.product_version]
    };
    match known {
        Known::New(product) => Batch::new().insert(&INSERT_PRODUCT, with_version(row(product), product.version)),
        Known::Changed(product) => Batch::new().change(&SET_PRODUCT, product.version, row(product)),
        Known::Newer => Batch::new(),
    }
}

/// The supplier, unless it was deleted.
pub(crate) async fn supplier(db: &Db, supplier_id: SupplierId) -> Result<Option<Supplier>, Error> {
    let found = db.query(&SUPPLIERS, params![vec![supplier_id]], supplier_of).await?;
    Ok(with_offers(db, found).await?.into_iter().next())
}

/// Suppliers below an id, newest first.
pub(crate) async fn page(db: &Db, before: SupplierId, rows: i64) -> Result<Vec<Supplier>, Error> {
    let found = db.query(&SUPPLIER_PAGE, params![before, rows], supplier_of).await?;
    with_offers(db, found).await
}

/// The suppliers that deliver this product without being asked.
pub(crate) async fn replenishing(db: &Db, product_id: ProductId) -> Result<Vec<Supplier>, Error> {
    let found = db.query(&SUPPLIERS_OF_PRODUCT, params![product_id, true], supplier_of).await?;
    with_offers(db, found).await
}

async fn with_offers(db: &Db, suppliers: Vec<Supplier>) -> Result<Vec<Supplier>, Error> {
    let ids: Vec<SupplierId> = suppliers.iter().map(|supplier| supplier.supplier_id).collect();
    let offers = db.query(&OFFERS_OF_SUPPLIERS, params![ids], offer_of).await?;
    let of = |supplier: &Supplier| {
        let its = offers.iter().filter(|(supplier_id, _)| *supplier_id == supplier.supplier_id);
        its.map(|(_, offer)| offer.clone()).collect()
    };
    Ok(suppliers.into_iter().map(|supplier| Supplier { offers: of(&supplier), ..supplier }).collect())
}

/// A new supplier.
pub(crate) fn insert(supplier: &Supplier, event: &SupplierUpdated) -> Batch {
    let row = params![
        supplier.supplier_id,
        &supplier.name,
        &supplier.email,
        supplier.lead_time_days,
        supplier.auto_replenish,
        supplier.created_at,
        supplier.updated_at,
        None::<Timestamp>,
        supplier.version,
    ];
    let offers = set_offers(supplier, &[]);
    Batch::new().insert(&INSERT_SUPPLIER, row).and(offers).emit(supplier.version, event)
}

/// Writes a change of a supplier that was `before`.
pub(crate) fn update(supplier: &Supplier, before: &Supplier, event: &SupplierUpdated) -> Batch {
    let row = params![
        supplier.supplier_id,
        &supplier.name,
        &supplier.email,
        supplier.lead_time_days,
        supplier.auto_replenish,
        supplier.updated_at,
    ];
    let offers = set_offers(supplier, &before.offers);
    Batch::new().change(&SET_SUPPLIER, before.version, row).and(offers).emit(before.version.next(), event)
}

/// Writes the end of a supplier. Its row stays, for its purchase orders name it.
pub(crate) fn delete(supplier: &Supplier, event: &SupplierUpdated, now: Timestamp) -> Batch {
    let row = params![supplier.supplier_id, now];
    Batch::new().change(&DELETE_SUPPLIER, supplier.version, row).emit(supplier.version.next(), event)
}

fn set_offers(supplier: &Supplier, before: &[Offer]) -> Batch {
    let supplier_id = supplier.supplier_id;
    let row = |offer: &Offer| {
        params![
            supplier_id,
            offer.product.product_id,
            offer.position,
            offer.unit_cost.amount,
            offer.unit_cost.currency,
            offer.order_quantity,
        ]
    };
    offer_writes(before, &supplier.offers).into_iter().fold(Batch::new(), |batch, write| match write {
        OfferWrite::Insert(offer) => batch.insert(&INSERT_OFFER, with_version(row(offer), offer.version)),
        OfferWrite::Update(offer) => batch.change(&SET_OFFER, offer.version, row(offer)),
        OfferWrite::Delete(offer) => {
            batch.change(&DELETE_OFFER, offer.version, params![supplier_id, offer.product.product_id])
        }
    })
}

/// The values of a row that is new; a change of it has the version as its guard.
fn with_version(mut row: Vec<Value>, version: Version) -> Vec<Value> {
    row.push(version.into());
    row
}

fn product_of(row: &Row<'_>) -> Result<Product, Error> {
    Ok(Product {
        product_id: row.get("product_id")?,
        sku: row.get("sku")?,
        name: row.get("name")?,
        is_deleted: row.get("is_deleted")?,
        product_version: row.get("product_version")?,
        version: row.get("version")?,
    })
}

fn supplier_of(row: &Row<'_>) -> Result<Supplier, Error> {
    Ok(Supplier {
        supplier_id: row.get("supplier_id")?,
        name: row.get("name")?,
        email: row.get("email")?,
        lead_time_days: row.get("lead_time_days")?,
        auto_replenish: row.get("auto_replenish")?,
        offers: Vec::new(),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

fn offer_of(row: &Row<'_>) -> Result<(SupplierId, Offer), Error> {
    let offer = Offer {
        position: row.get("position")?,
        unit_cost: Money::new(row.get("unit_cost_amount")?, row.get("unit_cost_currency")?),
        order_quantity: row.get("order_quantity")?,
        version: row.get("offer_version")?,
        product: product_of(row)?,
    };
    Ok((row.get("supplier_id")?, offer))
}
