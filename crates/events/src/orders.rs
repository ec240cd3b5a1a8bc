//! Events of the orders service.

use crate::{PaymentId, ProductId, RefundId, ShipmentId};
use kernel::{Money, Timestamp, UserId};
use serde::{Deserialize, Serialize};

kernel::id!(OrderId, OrderKind, "One order. People see its `number` beside it.");

/// The `reason` of an order that is refunded although nothing of it arrived: all its units were refunded before they left.
pub const NOT_SENT: &str = "not_sent";

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

/// A shipment of an order, as its customer is mailed about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentNews {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Empty if it is collected.
    pub carrier: String,
    /// Empty if it is collected.
    pub tracking_number: String,
    /// Units of each product, by name.
    pub lines: Vec<ShippedLine>,
}

/// Units of a product that were shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedLine {
    /// The product's name when it was ordered.
    pub name: String,
    /// Units, at least one.
    pub quantity: i64,
}

/// A refund of an order, as its customer is mailed about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundNews {
    /// The refund.
    pub refund_id: RefundId,
    /// The money that went back by it.
    pub amount: Money,
}

impl Address {
    /// The country alone, which books keep of a customer who is forgotten.
    #[must_use]
    pub fn only_country(&self) -> Self {
        Self {
            name: String::new(),
            street: String::new(),
            city: String::new(),
            postal_code: String::new(),
            state: None,
            country: self.country.clone(),
        }
    }
}

events! { "orders";
    /// An order was accepted. If there is too little stock it is rejected, unless its customer wants to `wait_for_stock`.
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
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<OrderLine>,
    }

    /// An order is paid: what was held for it is sold.
    Background "orders.order_paid.v1" by order_id
    OrderPaid {
        order_id: OrderId,
        number: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
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

    /// A paid order is to be cancelled: stop what has not left. `requested_by` is `customer`, an admin's account,
    /// `automation`, or `ban`. Asked again if no answer comes.
    Background "orders.cancellation_requested.v1" by order_id
    CancellationRequested {
        order_id: OrderId,
        number: i64,
        requested_by: String,
    }

    /// An order ended: by its customer or an admin, by time, or because its payment failed: `payment_id` is the one
    /// that ended it, and `error` the provider's reason. If it `was_paid`, its money goes back and so do its units.
    /// `cancelled_by` is `customer`, an admin's account, `automation`, or `ban`; it is left out if nobody wished it.
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancelled_by: Option<String>,
        lines: Vec<OrderLine>,
        #[serde(default)]
        was_paid: bool,
    }

    /// An order has forgotten its customer, who closed their account: what others keep of the person goes too.
    Background "orders.order_anonymized.v1" by order_id
    OrderAnonymized {
        order_id: OrderId,
        version: i64,
    }

    /// An order changed in a way that no other event of this service reports: it was rejected, it waits for stock, or has
    /// it and waits for a payment, a shipment of it left or all arrived, money went back, or it could not be cancelled any
    /// more. Its `reason` is `not_sent` if it is refunded
    /// and nothing of it was sent.
    Background "orders.order_updated.v1" by order_id
    OrderUpdated {
        order_id: OrderId,
        number: i64,
        email: String,
        previous_status: String,
        status: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shipment: Option<ShipmentNews>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund: Option<RefundNews>,
    }

    /// An order is in a status for longer than the status should last: once for each stay. The next event of the order that
    /// moves it to another status ends that.
    Background "orders.order_stuck.v1" by order_id
    OrderStuck {
        order_id: OrderId,
        number: i64,
        status: String,
        since: Timestamp,
    }
}
