//! Orders that wait for units: of each product, the one that was placed first gets them first.

use std::collections::{BTreeMap, BTreeSet};

use events::inventory::ReservedLine;
use events::{OrderId, ProductId};

use super::{Reservation, Shelf, Status, totals};

/// Waiting orders as they were read, of each product the first ones.
///
/// The id of an order begins with its time, so the order of ids is that in which orders were placed.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    orders: BTreeMap<OrderId, Reservation>,
    before: BTreeMap<OrderId, Reservation>,
    /// The orders that want more of a product.
    wanting: BTreeMap<ProductId, BTreeSet<OrderId>>,
}

/// A waiting order that got units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// With the version that was read: the change's guard. It is `Held` once all its lines are whole.
    pub reservation: Reservation,
    /// Products of which it has all that it wants, and had not before.
    pub left: Vec<ProductId>,
}

impl Reservation {
    /// The units that a waiting order still wants, by product.
    pub fn missing(&self) -> BTreeMap<ProductId, i64> {
        let mut missing = totals(&self.lines);
        for line in &self.held {
            missing.entry(line.product_id).and_modify(|units| *units -= line.quantity);
        }
        missing.retain(|_, units| *units > 0);
        missing
    }

    /// The same, with these units held too.
    fn with_held(&self, product_id: ProductId, quantity: i64) -> Self {
        let all: Vec<ReservedLine> = self.held.iter().cloned().chain([ReservedLine { product_id, quantity }]).collect();
        let held = totals(&all).into_iter().map(|(product_id, quantity)| ReservedLine { product_id, quantity });
        Self { held: held.collect(), ..self.clone() }
    }
}

impl Queue {
    pub fn new(waiting: impl IntoIterator<Item = (ProductId, Reservation)>) -> Self {
        let mut queue = Self::default();
        for (product_id, reservation) in waiting {
            queue.wanting.entry(product_id).or_default().insert(reservation.order_id);
            queue.orders.insert(reservation.order_id, reservation);
        }
        queue.before = queue.orders.clone();
        queue
    }

    /// The same without an order that no longer waits.
    pub fn without(mut self, order_id: OrderId) -> Self {
        self.orders.remove(&order_id);
        self.before.remove(&order_id);
        for orders in self.wanting.values_mut() {
            orders.remove(&order_id);
        }
        self
    }

    /// True if orders that wait for this product were read.
    pub fn is_known(&self, product_id: ProductId) -> bool {
        self.wanting.contains_key(&product_id)
    }

    /// Gives the free units of each product to the orders that want it, the first one first.
    pub fn serve(&mut self, shelf: &mut Shelf) {
        for (&product_id, orders) in &self.wanting {
            for order_id in orders {
                let free = shelf.free(product_id);
                if free == 0 {
                    break;
                }
                let Some(order) = self.orders.get_mut(order_id) else { continue };
                let units = order.missing().get(&product_id).copied().unwrap_or_default().min(free);
                if units == 0 {
                    continue;
                }
                shelf.give(product_id, units);
                *order = order.with_held(product_id, units);
            }
        }
    }

    /// The orders that got units, in the order in which they were placed.
    pub fn served(&self) -> Vec<Served> {
        let pairs = self.before.iter().filter_map(|(id, before)| Some((before, self.orders.get(id)?)));
        let served = pairs.filter(|(before, now)| before.held != now.held).map(|(before, now)| {
            let (wanted, missing) = (before.missing(), now.missing());
            let status = if missing.is_empty() { Status::Held } else { Status::Waiting };
            let left = wanted.into_keys().filter(|product_id| !missing.contains_key(product_id)).collect();
            Served { reservation: Reservation { status, ..now.clone() }, left }
        });
        served.collect()
    }
}

#[cfg(test)]
mod tests;
