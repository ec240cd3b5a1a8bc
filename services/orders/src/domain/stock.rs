//! The units of an order: held for it, waited for, or not to be had.

use std::collections::BTreeSet;

use events::orders::OrderUpdated;
use events::{PaymentId, StockRejected};
use kernel::{SignedDuration, Timestamp};

use super::{Decision, Due, Order, OrderEvent, Status, expires_at};

/// The reason of an order for which there was too little stock.
pub(super) const OUT_OF_STOCK: &str = "out_of_stock";

/// The inventory's answer to an order for which there is too little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejection<'a> {
    pub event: &'a StockRejected,
    /// The time for which an order waits for stock.
    pub ttl: SignedDuration,
}

impl Order {
    /// The stock is held: ask for the money, if there is a token, and wait for it as long as the reservation lasts.
    pub fn stock_reserved(&self, payment_id: PaymentId, now: Timestamp, ttl: SignedDuration) -> Option<Decision> {
        match self.status {
            Status::Placed | Status::Backordered => {
                let reserved = Self { status: Status::Reserved, ..self.clone() };
                let mut decision = match self.payment_token.clone() {
                    Some(token) => reserved.ask_for_payment(payment_id, token),
                    // Its customer has not looked for some time, and is mailed that it must be paid now.
                    None if self.status == Status::Backordered => {
                        let event = OrderEvent::Updated(reserved.updated(self.status));
                        Decision { event: Some(event), ..Decision::of(reserved) }
                    }
                    None => Decision::of(reserved),
                };
                decision.expiry = Due::At(expires_at(now, ttl));
                Some(decision.after(self, now))
            }
            // Held for an order that ended meanwhile: emitting the end again makes the inventory release it.
            Status::Cancelled => Some(self.cancelled_again(now)),
            Status::Reserved
            | Status::Paid
            | Status::Cancelling
            | Status::Shipped
            | Status::Delivered
            | Status::Rejected
            | Status::Refunded => None,
        }
    }

    /// There is too little stock: the order waits for it, or is rejected.
    pub fn stock_rejected(&self, rejection: Rejection<'_>, now: Timestamp) -> Option<Decision> {
        let StockRejected { shortages, waits, .. } = rejection.event;
        match (self.status, waits) {
            (Status::Placed, true) => {
                let products: BTreeSet<_> = shortages.iter().map(|shortage| shortage.product_id).collect();
                let waits_for = products.into_iter().collect();
                let order = Self { status: Status::Backordered, waits_for, ..self.clone() };
                let event = OrderEvent::Updated(order.updated(self.status));
                let expiry = Due::At(expires_at(now, rejection.ttl));
                Some(Decision { event: Some(event), expiry, ..Decision::of(order) }.after(self, now))
            }
            (Status::Placed | Status::Backordered, false) => {
                let reason = Some(OUT_OF_STOCK.to_owned());
                let order =
                    Self { status: Status::Rejected, reason: reason.clone(), payment_token: None, ..self.clone() };
                let event = OrderEvent::Updated(OrderUpdated { reason, ..order.updated(self.status) });
                Some(Decision { event: Some(event), expiry: Due::Clear, ..Decision::of(order) }.after(self, now))
            }
            // It has a place in the queue and ended meanwhile: emitting the end again makes the inventory free the place.
            (Status::Cancelled, true) => Some(self.cancelled_again(now)),
            _ => None,
        }
    }
}
