//! Suppliers, what they deliver, and the purchase orders that the shop places with them.
//!
//! A purchase order is placed → partially received → received, or cancelled. Of a shortage there is one, see
//! [`replenish`]; it ends by its receipts, by an admin, or because its products are no longer for sale.

mod product;
mod purchase_order;
mod replenishment;
mod supplier;

pub(crate) use product::{Known, Product};
pub(crate) use purchase_order::{
    CannotCancel, CannotChange, CannotPlace, CannotReceive, Delivered, Event, Excess, Happened, Line, Opened, Placed,
    PurchaseOrder, RECEIPTS_MAX, Receipt, Received, Recipient, Status, WantedLine, place,
};
pub(crate) use replenishment::{Replenished, Shortage, replenish};
pub(crate) use supplier::{
    HasOpenOrders, NewSupplier, Offer, OfferWrite, Supplier, SupplierChange, Unknown, WantedOffer, create, offer_writes,
};

/// Units of a line at the most.
pub(crate) const QUANTITY_MAX: i64 = 10_000_000;

/// Minor units of a cost at the most: a hundred lines of as many units still fit an `i64`.
pub(crate) const COST_MAX: i64 = 1_000_000_000;

#[cfg(test)]
mod tests;
