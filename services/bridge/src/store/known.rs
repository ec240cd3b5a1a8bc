//! Products and orders as events describe them.

use std::collections::HashMap;

use events::{ExternalOrderPlaced, OrderId, ProductId};
use kernel::{Uuid, Version};
use serde::{Deserialize, Serialize};
use service::storage::{Batch, Db, Error, Row, Value, params};

use super::{
    INSERT_ORDER, ORDERS, PRODUCT_PAGE, PRODUCTS, PRODUCTS_BY_NAME, PRODUCTS_BY_SKU, PUT_PRODUCT, PUT_STOCK, SET_ORDER,
};

/// Products of a page.
const PAGE: i64 = 1_000;

/// Products that a façade shows at the most.
const SHOWN_MAX: usize = 10_000;

/// A product as the events of the catalogue and the inventory say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub category: String,
    /// Minor units.
    pub price: i64,
    pub currency: String,
    pub is_deleted: bool,
    pub version: i64,
    /// Units that can be ordered, and the version of that.
    pub stock: Option<(i64, i64)>,
}

/// An order as far as contracts have to name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub order_id: OrderId,
    pub number: Option<i64>,
    pub email: String,
    /// The contract from which it came, and `message` or `facade`. None of our own.
    pub origin: Option<(String, String)>,
    pub lines: Vec<OrderedUnits>,
    /// `taken` or `short`.
    pub settled: Option<String>,
    /// None of one that is not stored yet.
    pub version: Option<Version>,
}

/// Units of a product in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderedUnits {
    pub product_id: ProductId,
    pub quantity: i64,
}

impl Order {
    /// An order that was placed elsewhere, at its beginning.
    pub fn external(placed: &ExternalOrderPlaced) -> Self {
        let lines = placed.lines.iter();
        Self {
            order_id: placed.order_id,
            number: None,
            email: placed.email.clone().unwrap_or_default(),
            origin: Some((placed.contract.clone(), placed.via.clone())),
            lines: lines.map(|it| OrderedUnits { product_id: it.product_id, quantity: it.quantity }).collect(),
            settled: None,
            version: None,
        }
    }
}

/// Products by id.
pub(crate) async fn products(db: &Db, ids: Vec<ProductId>) -> Result<HashMap<ProductId, Product>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = db.query(&PRODUCTS, params![ids], product).await?;
    Ok(found.into_iter().map(|product| (product.product_id, product)).collect())
}

/// Ids of products that are for sale, by sku.
pub(crate) async fn by_sku(db: &Db, skus: Vec<String>) -> Result<HashMap<String, ProductId>, Error> {
    called(db, &PRODUCTS_BY_SKU, skus).await
}

/// Ids of products that are for sale, by name. Of several with one name it is one of them.
pub(crate) async fn by_name(db: &Db, names: Vec<String>) -> Result<HashMap<String, ProductId>, Error> {
    called(db, &PRODUCTS_BY_NAME, names).await
}

async fn called(
    db: &Db,
    statement: &'static service::storage::Query,
    names: Vec<String>,
) -> Result<HashMap<String, ProductId>, Error> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let pair = |row: &Row<'_>| Ok((row.get("called")?, row.get("product_id")?));
    Ok(db.query(statement, params![names], pair).await?.into_iter().collect())
}

/// All products that are for sale, the first of them where there are very many.
pub(crate) async fn for_sale(db: &Db) -> Result<Vec<Product>, Error> {
    let mut found: Vec<Product> = Vec::new();
    while found.len() < SHOWN_MAX {
        let after = found.last().map_or(ProductId::from(Uuid::nil()), |product| product.product_id);
        let page = db.query(&PRODUCT_PAGE, params![after, false, PAGE], product).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|rows| rows < PAGE);
        found.extend(page);
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// Takes over what the catalogue says.
pub(crate) fn put_product(product: &Product) -> Batch {
    let row = params![
        product.product_id,
        &product.sku,
        &product.name,
        &product.category,
        product.price,
        &product.currency,
        product.is_deleted,
        product.version,
    ];
    Batch::new().upsert(&PUT_PRODUCT, row)
}

/// Takes over what the inventory says.
pub(crate) fn put_stock(product_id: ProductId, available: i64, version: i64) -> Batch {
    Batch::new().upsert(&PUT_STOCK, params![product_id, available, version])
}

/// Orders by id.
pub(crate) async fn orders(db: &Db, ids: Vec<OrderId>) -> Result<HashMap<OrderId, Order>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = db.query(&ORDERS, params![ids], order).await?;
    Ok(found.into_iter().map(|order| (order.order_id, order)).collect())
}

/// Keeps an order, or what has changed of it.
pub(crate) fn put_order(order: &Order) -> Batch {
    match order.version {
        None => {
            let (contract, via) = order.origin.clone().unzip();
            let row = params![
                order.order_id,
                order.number,
                &order.email,
                contract,
                via,
                Value::json(&order.lines),
                order.settled.clone(),
                Version::FIRST,
            ];
            Batch::new().insert(&INSERT_ORDER, row)
        }
        Some(version) => {
            let row = params![order.order_id, order.number, &order.email, order.settled.clone()];
            Batch::new().change(&SET_ORDER, version, row)
        }
    }
}

fn product(row: &Row<'_>) -> Result<Product, Error> {
    let (available, version): (Option<i64>, Option<i64>) = (row.get("available")?, row.get("stock_version")?);
    Ok(Product {
        product_id: row.get("product_id")?,
        sku: row.get("sku")?,
        name: row.get("name")?,
        category: row.get("category")?,
        price: row.get("price")?,
        currency: row.get("currency")?,
        is_deleted: row.get("is_deleted")?,
        version: row.get("version")?,
        stock: available.zip(version),
    })
}

fn order(row: &Row<'_>) -> Result<Order, Error> {
    let (contract, via): (Option<String>, Option<String>) = (row.get("contract")?, row.get("via")?);
    Ok(Order {
        order_id: row.get("order_id")?,
        number: row.get("number")?,
        email: row.get("email")?,
        origin: contract.zip(via),
        lines: row.json("lines")?,
        settled: row.get("settled")?,
        version: Some(row.get("version")?),
    })
}
