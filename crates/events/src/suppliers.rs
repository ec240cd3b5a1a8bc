//! Events of the suppliers service.

use crate::ProductId;
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};

kernel::id!(SupplierId, SupplierKind, "A company that delivers products to the shop.");
kernel::id!(PurchaseOrderId, PurchaseOrderKind, "Units of products that the shop orders from a supplier.");
kernel::id!(ReceiptId, ReceiptKind, "One delivery of a purchase order, or of a part of it.");

/// Units of a product that the shop orders from a supplier, or that came from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseOrderLine {
    /// The product.
    pub product_id: ProductId,
    /// Its stock keeping unit when it was ordered.
    pub sku: String,
    /// Its name when it was ordered.
    pub name: String,
    /// Units, at least one.
    pub quantity: i64,
    /// The cost of one unit.
    pub unit_cost: Money,
}

events! { "suppliers";
    /// A supplier is new, was changed or was deleted: `change` is `created`, `updated` or `deleted`.
    Background "suppliers.supplier_updated.v1" by supplier_id
    SupplierUpdated {
        supplier_id: SupplierId,
        name: String,
        email: String,
        change: String,
    }

    /// The shop orders from a supplier: because stock is low, or because an admin wants it.
    Background "suppliers.purchase_order_placed.v1" by supplier_id
    PurchaseOrderPlaced {
        purchase_order_id: PurchaseOrderId,
        supplier_id: SupplierId,
        supplier_name: String,
        supplier_email: String,
        lines: Vec<PurchaseOrderLine>,
        expected_at: Timestamp,
    }

    /// An open purchase order is another: `lines` are all that it has now, with what has come already.
    Background "suppliers.purchase_order_changed.v1" by supplier_id
    PurchaseOrderChanged {
        purchase_order_id: PurchaseOrderId,
        supplier_id: SupplierId,
        supplier_name: String,
        supplier_email: String,
        lines: Vec<PurchaseOrderLine>,
        expected_at: Timestamp,
    }

    /// A purchase order ended before all of it came: `lines` are the units that are not wanted any more.
    Background "suppliers.purchase_order_cancelled.v1" by supplier_id
    PurchaseOrderCancelled {
        purchase_order_id: PurchaseOrderId,
        supplier_id: SupplierId,
        supplier_name: String,
        supplier_email: String,
        lines: Vec<PurchaseOrderLine>,
    }

    /// Units of a purchase order came, and are to be sold: `lines` are those of this receipt.
    Background "suppliers.purchase_order_received.v1" by supplier_id
    PurchaseOrderReceived {
        purchase_order_id: PurchaseOrderId,
        supplier_id: SupplierId,
        supplier_email: String,
        receipt_id: ReceiptId,
        lines: Vec<PurchaseOrderLine>,
    }

    /// The lead time of a purchase order is over, and `lines` have not come.
    Background "suppliers.purchase_order_overdue.v1" by supplier_id
    PurchaseOrderOverdue {
        purchase_order_id: PurchaseOrderId,
        supplier_id: SupplierId,
        supplier_email: String,
        lines: Vec<PurchaseOrderLine>,
        expected_at: Timestamp,
    }
}
