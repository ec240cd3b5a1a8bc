//! Events of the orders service.

use crate::{PaymentId, ProductId};
use kernel::{Money, UserId};
use serde::{Deserialize, Serialize};

kernel::id!(OrderId, OrderKind, "One order. People see its `number` beside it.");

/// One line of an order, at the price of the moment it was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// Its stock keeping unit.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Units, at least one.
    pub quantity: i64,
    /// Price of one unit.
    pub unit_price: Money,
}

/// The address to which an order is shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Of the person or company.
    pub name: String,
    /// With the house number.
    pub street: String,
    /// Town or city.
    pub city: String,
    /// As the country writes it; empty where there is none.
    pub postal_code: String,
    /// State, province or prefecture, where addresses have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Name or ISO 3166 code.
    pub country: String,
}

events! { "orders";
    /// An order was accepted.
    Background "orders.order_placed.v1" by order_id
    OrderPlaced {
        order_id: OrderId,
        number: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        email: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ship_to: Option<Address>,
        lines: Vec<OrderLine>,
        total: Money,
        #[serde(default)]
        wait_for_stock: bool,
    }

    /// An order's stock is held, and its customer gave a payment token: charge it.
    /// The token is for one use, and redacted wherever events are shown.
    Background "orders.payment_requested.v1" by order_id
    PaymentRequested {
        payment_id: PaymentId,
        order_id: OrderId,
        number: i64,
        email: String,
        amount: Money,
        token: String,
    }

    /// An order is paid: what was held for it is sold.
    Background "orders.order_paid.v1" by order_id
    OrderPaid {
        order_id: OrderId,
        number: i64,
        email: String,
        payment_id: PaymentId,
        amount: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ship_to: Option<Address>,
        lines: Vec<OrderLine>,
    }

    /// A payment of an order was declined, and the order waits for another token as long as its stock is held.
    Background "orders.payment_declined.v1" by order_id
    PaymentDeclined {
        order_id: OrderId,
        number: i64,
        email: String,
        payment_id: PaymentId,
        error: String,
    }

    /// An order ended unpaid: by its customer, by time, or because its payment failed: `payment_id` is the one that
    /// ended it, and `error` the provider's reason.
    /// Emitted again when a late reservation or capture reaches a cancelled order.
    Background "orders.order_cancelled.v1" by order_id
    OrderCancelled {
        order_id: OrderId,
        number: i64,
        email: String,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_id: Option<PaymentId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        lines: Vec<OrderLine>,
    }

    /// An order has forgotten its customer, who closed their account: what others keep of the person goes too.
    Background "orders.order_anonymized.v1" by order_id
    OrderAnonymized {
        order_id: OrderId,
        version: i64,
    }

    /// An order changed in a way that no other event reports, such as being rejected.
    Background "orders.order_updated.v1" by order_id
    OrderUpdated {
        order_id: OrderId,
        number: i64,
        email: String,
        previous_status: String,
        status: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
}
