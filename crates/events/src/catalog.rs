//! Events of the catalogue.

use kernel::Money;

kernel::id!(ProductId, ProductKind, "Something that can be sold.");

events! { "catalog";
    /// Something new is for sale.
    Immediate "catalog.product_created.v1" by product_id
    ProductCreated {
        product_id: ProductId,
        sku: String,
        name: String,
        description: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category: Option<String>,
        price: Money,
        initial_stock: i64,
        low_stock_threshold: i64,
        version: i64,
    }

    /// A product's description, price or threshold changed. `changed` names the fields.
    Immediate "catalog.product_updated.v1" by product_id
    ProductUpdated {
        product_id: ProductId,
        sku: String,
        name: String,
        description: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category: Option<String>,
        price: Money,
        low_stock_threshold: i64,
        changed: Vec<String>,
        version: i64,
    }

    /// A product is no longer for sale. What was ordered before stays ordered.
    Immediate "catalog.product_deleted.v1" by product_id
    ProductDeleted {
        product_id: ProductId,
        sku: String,
        version: i64,
    }
}
