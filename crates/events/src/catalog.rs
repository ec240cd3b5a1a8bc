//! Events of the catalogue.

use kernel::{Money, UserId};

kernel::id!(ProductId, ProductKind, "Something that can be sold.");
kernel::id!(ReviewId, ReviewKind, "What a customer says about a product that was delivered to them.");

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

    /// A customer rated a product from 1 to 5. `previous_rating` is there if it was rated before and counted.
    Background "catalog.product_reviewed.v1" by product_id
    ProductReviewed {
        review_id: ReviewId,
        product_id: ProductId,
        user_id: UserId,
        rating: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_rating: Option<i64>,
        comment: String,
    }

    /// A review counts no longer: its customer removed it, or an admin, `hidden_by`, hid it.
    Background "catalog.product_review_removed.v1" by product_id
    ProductReviewRemoved {
        review_id: ReviewId,
        product_id: ProductId,
        user_id: UserId,
        rating: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hidden_by: Option<String>,
    }
}
