//! Events of the bridge: what services that are not Tradepost's own said, by a contract.
//!
//! The bridge has found out which of our products, orders and users they mean; `foreign_id` is what they call it.

use crate::{OrderId, ProductId};
use kernel::{Money, UserId};
use serde::{Deserialize, Serialize};

/// The `via` of what arrived as a message.
pub const MESSAGE: &str = "message";

/// The `via` of what was asked for at a façade of the bridge.
pub const FACADE: &str = "facade";

/// Units of a product in an order that was placed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalLine {
    /// The product.
    pub product_id: ProductId,
    /// Units, at least one.
    pub quantity: i64,
    /// The price of one unit, if it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
}

events! { "bridge";
    /// An order was placed elsewhere, and is settled there: nobody pays for it here. Its units are to leave the stock.
    Background "bridge.external_order_placed.v1" by order_id
    ExternalOrderPlaced {
        order_id: OrderId,
        contract: String,
        via: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        foreign_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        lines: Vec<ExternalLine>,
    }

    /// A product that is kept elsewhere is new, was changed or was deleted. What is not said stays as it is; `stock` is the
    /// units on hand.
    Background "bridge.external_product_changed.v1" by product_id
    ExternalProductChanged {
        product_id: ProductId,
        contract: String,
        via: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        foreign_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sku: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stock: Option<i64>,
        #[serde(default)]
        is_deleted: bool,
    }

    /// The stock of a product that is kept elsewhere: `on_hand` are the units there are now.
    Background "bridge.external_stock_changed.v1" by product_id
    ExternalStockChanged {
        product_id: ProductId,
        contract: String,
        via: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        foreign_id: Option<String>,
        on_hand: i64,
    }

    /// An account that is kept elsewhere is new or was changed. What is not said stays as it is.
    Background "bridge.external_user_changed.v1" by user_id
    ExternalUserChanged {
        user_id: UserId,
        contract: String,
        via: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        foreign_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
    }
}
