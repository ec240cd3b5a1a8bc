//! Events of the inventory.

use crate::{OrderId, ProductId};
use serde::{Deserialize, Serialize};

/// A product of which there was too little.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The product.
    pub product_id: ProductId,
    /// Units that the order asked for.
    pub requested: i64,
    /// Units that were there.
    pub available: i64,
}

/// Units of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedLine {
    /// The product.
    pub product_id: ProductId,
    /// Units, at least one.
    pub quantity: i64,
}

events! { "inventory";
    /// A product's stock changed: one event for each product and batch of changes, `reason` naming their kind.
    /// `available` = `on_hand` − `reserved`.
    Background "inventory.inventory_updated.v1" by product_id
    InventoryUpdated {
        product_id: ProductId,
        sku: String,
        on_hand: i64,
        reserved: i64,
        available: i64,
        reason: String,
        version: i64,
    }

    /// A product's available stock is at its threshold or below it: once for each shortage, which ends when more is
    /// available.
    Background "inventory.stock_low.v1" by product_id
    StockLow {
        product_id: ProductId,
        sku: String,
        name: String,
        available: i64,
        threshold: i64,
    }

    /// All lines of an order are held for it.
    Background "inventory.stock_reserved.v1" by order_id
    StockReserved {
        order_id: OrderId,
        lines: Vec<ReservedLine>,
    }

    /// An order asked for more than there is. If it `waits`, it has a place in the queue, and `StockReserved` follows when
    /// its units have come; else nothing is held for it. One that waited is rejected when a product is not for sale any more.
    Background "inventory.stock_rejected.v1" by order_id
    StockRejected {
        order_id: OrderId,
        shortages: Vec<Shortage>,
        #[serde(default)]
        waits: bool,
    }

    /// An order that was placed elsewhere is settled: its units left the stock, or nothing did because there was too little
    /// of what `shortages` name.
    Background "inventory.external_order_settled.v1" by order_id
    ExternalOrderSettled {
        order_id: OrderId,
        contract: String,
        lines: Vec<ReservedLine>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shortages: Vec<Shortage>,
    }
}
