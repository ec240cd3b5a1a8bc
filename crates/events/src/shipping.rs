//! Events of the shipping service.

use crate::{OrderId, ProductId};
use kernel::UserId;
use serde::{Deserialize, Serialize};

kernel::id!(ShipmentId, ShipmentKind, "A part of an order, or all of it, that leaves together.");

/// Units of a product in a shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentLine {
    /// The product.
    pub product_id: ProductId,
    /// Its stock keeping unit.
    pub sku: String,
    /// Its name when it was ordered.
    pub name: String,
    /// Units, at least one.
    pub quantity: i64,
}

/// A shipment and lines of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentContent {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Units of it: those in it, or those that were withheld from it.
    pub lines: Vec<ShipmentLine>,
}

events! { "shipping";
    /// A shipment left. Of one that its customer collects, `carrier` and `tracking_number` are empty.
    Background "shipping.shipment_dispatched.v1" by order_id
    ShipmentDispatched {
        shipment_id: ShipmentId,
        order_id: OrderId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        carrier: String,
        tracking_number: String,
        lines: Vec<ShipmentLine>,
    }

    /// A shipment arrived.
    Background "shipping.shipment_delivered.v1" by order_id
    ShipmentDelivered {
        shipment_id: ShipmentId,
        order_id: OrderId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        carrier: String,
        tracking_number: String,
        lines: Vec<ShipmentLine>,
    }

    /// The answer to a cancellation of a paid order. If nothing had left, all of it is `stopped`; else nothing is, and
    /// `left` says what had left.
    Background "shipping.shipment_stopped.v1" by order_id
    ShipmentStopped {
        order_id: OrderId,
        stopped: Vec<ShipmentContent>,
        left: Vec<ShipmentContent>,
    }

    /// Units of a shipment will not leave, because they were refunded before it did and are sold again. `lines` are all
    /// that were withheld from it so far.
    Background "shipping.shipment_reduced.v1" by order_id
    ShipmentReduced {
        shipment_id: ShipmentId,
        order_id: OrderId,
        lines: Vec<ShipmentLine>,
    }
}
