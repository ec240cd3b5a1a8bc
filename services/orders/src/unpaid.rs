//! The bound on stock that is held without a payment, by e-mail address and by client address.
//!
//! It counts orders for which nothing is paid or being paid, and not those whose payment is in flight: when that is
//! declined, they wait for another token only within the bound. Orders of the admin are not refused.
//!
//! Requests of the same instant count one another: units that this process is about to hold count as held. Instances of
//! the service don't see what the others are about to hold, so each may admit as much again at the same instant.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use events::OrderId;
use service::http::Problem;
use service::storage::Error;

use crate::buyer::Buyer;
use crate::domain::Order;
use crate::{Ctx, store};

/// Units that this process is about to hold without a payment: as many entries as there are such requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending(Arc<Mutex<Units>>);

#[derive(Debug, Default)]
struct Units {
    of_email: HashMap<String, i64>,
    of_address: HashMap<String, i64>,
}

/// Units that count as held until this is dropped, which is after their order was committed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Admission {
    pending: Pending,
    email: String,
    address: Option<String>,
    units: i64,
    /// Units that others of this process were about to hold when it was added, by e-mail address and by client address.
    /// Whoever was added later counts this one. Whoever had ended by then is in the store, which is read afterwards.
    others: (i64, i64),
}

/// A bound beyond which an order would be.
struct Exceeded {
    held: i64,
    max: i64,
    owner: &'static str,
}

/// Orders whose payment was declined. The admission of those that wait for another lasts as long as this.
pub(crate) struct Declined {
    /// Those that may not wait, for their units would be beyond a bound.
    pub beyond: HashSet<OrderId>,
    waiting: Vec<Admission>,
}

/// Refuses an order that would hold `more` units without a payment, if there are too many then.
pub(crate) async fn admit(ctx: &Ctx, buyer: &Buyer, more: i64) -> Result<Admission, Problem> {
    let admission = ctx.state.pending.add(&buyer.email, buyer.placed_from.as_deref(), more);
    match admission.exceeded(ctx).await? {
        Some(bound) => Err(refused(&bound)),
        None => Ok(admission),
    }
}

/// Admits those of these orders that may wait for another payment. One without an address is the admin's, or from before
/// addresses were kept.
pub(crate) async fn admit_declined(ctx: &Ctx, orders: impl Iterator<Item = &Order>) -> Result<Declined, Error> {
    let mut declined = Declined { beyond: HashSet::new(), waiting: Vec::new() };
    for order in orders.filter(|order| order.placed_from.is_some()) {
        let admission = ctx.state.pending.add(&order.email, order.placed_from.as_deref(), order.units());
        if admission.exceeded(ctx).await?.is_some() {
            declined.beyond.insert(order.order_id);
        } else {
            declined.waiting.push(admission);
        }
    }
    Ok(declined)
}

impl Pending {
    fn add(&self, email: &str, address: Option<&str>, units: i64) -> Admission {
        let mut held = self.lock();
        let others = held.of(email, address);
        let (email, address) = (email.to_owned(), address.map(str::to_owned));
        let admission = Admission { pending: self.clone(), email, address, units, others };
        held.count(&admission, units);
        admission
    }

    fn lock(&self) -> MutexGuard<'_, Units> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Units {
    /// Units by e-mail address and by client address.
    fn of(&self, email: &str, address: Option<&str>) -> (i64, i64) {
        let held = |of: &HashMap<String, i64>, owner: &str| of.get(owner).copied().unwrap_or_default();
        (held(&self.of_email, email), address.map_or(0, |address| held(&self.of_address, address)))
    }

    fn count(&mut self, admission: &Admission, more: i64) {
        change(&mut self.of_email, &admission.email, more);
        if let Some(address) = &admission.address {
            change(&mut self.of_address, address, more);
        }
    }
}

fn change(units: &mut HashMap<String, i64>, owner: &str, more: i64) {
    let held = units.get(owner).copied().unwrap_or_default() + more;
    if held == 0 {
        units.remove(owner);
    } else {
        units.insert(owner.to_owned(), held);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.pending.lock().count(self, -self.units);
    }
}

impl Admission {
    async fn exceeded(&self, ctx: &Ctx) -> Result<Option<Exceeded>, Error> {
        // An order that is paid at once holds nothing unpaid, whatever else its customer has ordered.
        if self.units == 0 {
            return Ok(None);
        }
        let stored = store::unpaid_units(&ctx.db, &self.email, self.address.as_deref()).await?;
        let (of_email, of_address) = self.others;
        let bounds = [
            (stored.of_email + of_email, ctx.state.settings.unpaid_units_per_email, "this e-mail address"),
            (stored.of_address + of_address, ctx.state.settings.unpaid_units_per_address, "your network address"),
        ];
        let exceeded = bounds.into_iter().find(|(held, max, _)| held + self.units > *max);
        Ok(exceeded.map(|(held, max, owner)| Exceeded { held, max, owner }))
    }
}

fn refused(Exceeded { held, max, owner }: &Exceeded) -> Problem {
    let detail = format!(
        "orders of {owner} hold {held} unpaid units, and may hold {max}: \
         pay or cancel one of them, order less, or send a payment token along without `wait_for_stock`"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "unpaid_limit", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_are_about_to_be_held_count_for_whoever_comes_later_until_they_are_dropped() {
        let pending = Pending::default();
        let first = pending.add("ada@example.com", Some("192.0.2.7"), 60);
        let second = pending.add("eve@example.com", Some("192.0.2.7"), 50);
        drop(first);
        let third = pending.add("eve@example.com", Some("192.0.2.7"), 1);
        // The second still counts the first, whose commit its read of the store may have missed.
        assert_eq!((second.others, third.others), ((0, 60), (50, 50)));
        drop((second, third));
        let units = pending.lock();
        assert!(units.of_email.is_empty() && units.of_address.is_empty());
    }
}
