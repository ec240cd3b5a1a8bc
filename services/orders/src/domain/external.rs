//! An order that was placed elsewhere, and is settled there: recorded, and paid or rejected by the inventory's word alone.

use std::collections::HashSet;

use events::{ExternalOrderPlaced, ExternalOrderSettled, OrderLine, OrderUpdated, ProductId};
use kernel::{Currency, Money, Timestamp, UserId, email};

use super::stock::OUT_OF_STOCK;
use super::{CannotPlace, Decision, Order, OrderEvent, Product, Status, total};

/// The place where an order was placed that is not this shop's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External {
    /// The contract by which it came.
    pub contract: String,
    /// Its id there, if it was said.
    pub foreign_id: Option<String>,
}

/// Everything that an order of elsewhere is recorded with, beside its event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded<'a> {
    /// The products of its lines that are known here, also those that are not for sale any more.
    pub products: &'a [Product],
    /// The accounts that were closed: an order of theirs is nobody's from the start.
    pub closed: &'a HashSet<UserId>,
    /// The shop's.
    pub currency: Currency,
    /// Lines of unknown products are recorded with what is known: the id of the product for its name.
    pub is_last_attempt: bool,
}

/// The reason why an order of elsewhere can't be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotRecord {
    /// A product that is not known here yet.
    ProductUnknown(ProductId),
    /// No lines, or a line of less than one unit.
    NoUnits,
    /// A price below zero.
    NegativePrice(Money),
    /// A line is priced in another currency than the shop's.
    OtherCurrency(Currency),
    /// The total is beyond what money can count.
    TotalTooLarge,
    /// The text is no e-mail address.
    NotAnAddress,
}

/// The order as it is recorded, still without a number and without a token that opens it.
pub(crate) fn record(placed: &ExternalOrderPlaced, with: Recorded<'_>, now: Timestamp) -> Result<Order, CannotRecord> {
    if placed.lines.is_empty() || placed.lines.iter().any(|line| line.quantity < 1) {
        return Err(CannotRecord::NoUnits);
    }
    let user_id = placed.user_id.filter(|user_id| !with.closed.contains(user_id));
    let is_forgotten = user_id != placed.user_id;
    let address = placed.email.clone().filter(|_| !is_forgotten).unwrap_or_default();
    if !address.is_empty() && email::ascii(&address).is_none() {
        return Err(CannotRecord::NotAnAddress);
    }
    let lines = lines(placed, with)?;
    let total = total(&lines, with.currency).map_err(|refusal| match refusal {
        CannotPlace::CurrenciesDiffer => CannotRecord::OtherCurrency(other_currency(&lines, with.currency)),
        _ => CannotRecord::TotalTooLarge,
    })?;
    Ok(Order {
        user_id,
        email: address,
        external: Some(External { contract: placed.contract.clone(), foreign_id: placed.foreign_id.clone() }),
        ..Order::begun(placed.order_id, lines, total, now)
    })
}

/// The lines, at the prices that were said, else at those of now.
fn lines(placed: &ExternalOrderPlaced, with: Recorded<'_>) -> Result<Vec<OrderLine>, CannotRecord> {
    let lines = placed.lines.iter().map(|line| {
        let known = with.products.iter().find(|product| product.product_id == line.product_id);
        if known.is_none() && !with.is_last_attempt {
            return Err(CannotRecord::ProductUnknown(line.product_id));
        }
        let price = line.unit_price.or_else(|| known.map(|product| product.price));
        let unit_price = price.unwrap_or(Money::new(0, with.currency));
        if unit_price.amount < 0 {
            return Err(CannotRecord::NegativePrice(unit_price));
        }
        let sku = known.map_or_else(|| line.product_id.to_string(), |product| product.sku.clone());
        // The copy of a product that is not for sale any more has no name.
        let name = known.map(|product| product.name.clone()).filter(|name| !name.is_empty());
        Ok(OrderLine {
            product_id: line.product_id,
            name: name.unwrap_or_else(|| sku.clone()),
            sku,
            quantity: line.quantity,
            unit_price,
        })
    });
    lines.collect()
}

fn other_currency(lines: &[OrderLine], currency: Currency) -> Currency {
    let mut priced = lines.iter().map(|line| line.unit_price.currency);
    priced.find(|priced| *priced != currency).unwrap_or(currency)
}

impl Order {
    /// The inventory's answer to an order that was placed elsewhere. `None` if it is settled already, or is this shop's.
    ///
    /// Its event names no address: whoever took the order writes to its customer, and the mail about a rejection says
    /// that nothing is to be paid, which this shop can't know.
    pub fn external_settled(&self, settled: &ExternalOrderSettled, now: Timestamp) -> Option<Decision> {
        if self.external.is_none() || self.status != Status::Placed {
            return None;
        }
        let is_short = !settled.shortages.is_empty();
        let reason = is_short.then(|| OUT_OF_STOCK.to_owned());
        let status = if is_short { Status::Rejected } else { Status::Paid };
        let order = Self { status, reason: reason.clone(), ..self.clone() };
        let updated = OrderUpdated { email: String::new(), reason, ..order.updated(self.status) };
        Some(Decision { event: Some(OrderEvent::Updated(updated)), ..Decision::of(order) }.after(self, now))
    }
}
