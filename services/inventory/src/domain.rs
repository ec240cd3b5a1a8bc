//! Decisions about units of stock.

mod queue;

pub(crate) use queue::{Queue, Served};

use std::collections::BTreeMap;

use events::inventory::ReservedLine;
use events::{OrderId, ProductCreated, ProductId, ProductUpdated, Shortage, StockLow};
use kernel::{Timestamp, Version};

kernel::id!(AdjustmentId, AdjustmentKind, "A correction of what is on hand.");

/// Units that are on hand at the most, by the word of somebody else: as many as a product of the catalogue begins with.
pub(crate) const MIRRORED_MAX: i64 = 1_000_000_000;

/// A product's stock as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub on_hand: i64,
    pub reserved: i64,
    /// Units that orders still wait for.
    pub waiting: i64,
    pub low_stock_threshold: i64,
    /// The available units are at the threshold or below it, and `StockLow` was emitted for it.
    pub is_low: bool,
    /// The product is no longer for sale: what is held may still be sold or released, nothing more is held.
    pub is_closed: bool,
    pub product_version: Version,
    pub version: Version,
}

impl Level {
    /// Units that are neither sold nor held.
    pub fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }

    /// The level with `is_low` as it is now, and the shortage if it has just begun.
    ///
    /// A shortage is a state, whatever brought it about: units that went, or a threshold that came. It is over once
    /// more than the threshold is available, and the next one is another. A product that is not for sale has none.
    pub fn noticed(self) -> (Self, Option<StockLow>) {
        let is_low = !self.is_closed && self.available() <= self.low_stock_threshold;
        let shortage = (is_low && !self.is_low).then(|| StockLow {
            product_id: self.product_id,
            sku: self.sku.clone(),
            name: self.name.clone(),
            available: self.available(),
            threshold: self.low_stock_threshold,
        });
        (Self { is_low, ..self }, shortage)
    }

    /// The stock of a new product.
    pub fn opened(product: &ProductCreated) -> (Self, Option<StockLow>) {
        let level = Self {
            product_id: product.product_id,
            sku: product.sku.clone(),
            name: product.name.clone(),
            on_hand: product.initial_stock,
            reserved: 0,
            waiting: 0,
            low_stock_threshold: product.low_stock_threshold,
            is_low: false,
            is_closed: false,
            product_version: Version::from_stored(product.version),
            version: Version::FIRST,
        };
        level.noticed()
    }

    /// The catalogue changed name, sku or threshold; `None` if something newer is known.
    pub fn renamed(self, product: &ProductUpdated) -> Option<(Self, Option<StockLow>)> {
        let product_version = Version::from_stored(product.version);
        if self.product_version >= product_version {
            return None;
        }
        let level = Self {
            sku: product.sku.clone(),
            name: product.name.clone(),
            low_stock_threshold: product.low_stock_threshold,
            product_version,
            ..self
        };
        Some(level.noticed())
    }
}

/// The state of an order's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Some units are held, and the order waits for the others.
    Waiting,
    Held,
    Sold,
    Released,
    Rejected,
}

kernel::named!(Status {
    Waiting = "waiting",
    Held = "held",
    Sold = "sold",
    Released = "released",
    Rejected = "rejected",
});

/// The units that are, or were, held for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub order_id: OrderId,
    pub status: Status,
    pub lines: Vec<ReservedLine>,
    /// Of an order that waits, or waited: the units that it got until then, each product once.
    pub held: Vec<ReservedLine>,
    /// Of what was sold: units that are on hand again, each product once.
    pub returned: Vec<ReservedLine>,
    pub version: Version,
}

/// A correction of what is on hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adjustment {
    pub adjustment_id: AdjustmentId,
    pub product_id: ProductId,
    pub delta: i64,
    pub reason: String,
    /// An admin's account, or `automation`.
    pub adjusted_by: String,
    pub created_at: Timestamp,
}

impl Reservation {
    /// The units of these that were sold and are not back yet. Of a product that is named too often, as many as there
    /// are.
    pub fn returnable(&self, lines: &[ReservedLine]) -> Vec<ReservedLine> {
        let mut out = totals(&self.lines);
        for line in &self.returned {
            out.entry(line.product_id).and_modify(|units| *units -= line.quantity);
        }
        let wanted = totals(lines).into_iter();
        let returnable = wanted.map(|(product_id, quantity)| ReservedLine {
            product_id,
            quantity: quantity.min(out.get(&product_id).copied().unwrap_or_default()),
        });
        returnable.filter(|line| line.quantity > 0).collect()
    }

    /// All units that were sold and are not back yet.
    pub fn outstanding(&self) -> Vec<ReservedLine> {
        self.returnable(&self.lines)
    }

    /// The same, with these units on hand again.
    pub fn with_returned(&self, lines: &[ReservedLine]) -> Self {
        let all: Vec<ReservedLine> = self.returned.iter().chain(lines).cloned().collect();
        let returned = totals(&all).into_iter().map(|(product_id, quantity)| ReservedLine { product_id, quantity });
        Self { returned: returned.collect(), ..self.clone() }
    }
}

/// The reason why nothing is held for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotReserve {
    /// A product whose stock was never opened: its `ProductCreated` may still be in flight.
    Unknown(Vec<Shortage>),
    /// There is too little.
    TooLittle(Vec<Shortage>),
}

/// An adjustment would leave less than is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BelowZero {
    pub available: i64,
}

/// A level that a batch of decisions changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changed {
    /// With the version that was read: the change's guard.
    pub level: Level,
    /// The shortage that began with it.
    pub shortage: Option<StockLow>,
    /// False if nothing but the number of units changed that orders wait for.
    pub has_moved: bool,
}

/// Some products' levels, on which a batch of orders is decided one after another.
#[derive(Debug)]
pub(crate) struct Shelf {
    levels: BTreeMap<ProductId, Level>,
    before: BTreeMap<ProductId, Level>,
    is_of_two_times: bool,
}

impl Shelf {
    pub fn new(levels: impl IntoIterator<Item = Level>) -> Self {
        let levels: BTreeMap<_, _> = levels.into_iter().map(|level| (level.product_id, level)).collect();
        Self { before: levels.clone(), levels, is_of_two_times: false }
    }

    /// Holds all lines, or none.
    pub fn reserve(&mut self, lines: &[ReservedLine]) -> Result<(), CannotReserve> {
        for (product_id, quantity) in self.all_offered(lines)? {
            self.change(product_id, |level| level.reserved += quantity);
        }
        Ok(())
    }

    /// Sells all lines at once, or none: nothing is held for an order that is settled elsewhere.
    pub fn take(&mut self, lines: &[ReservedLine]) -> Result<(), CannotReserve> {
        for (product_id, quantity) in self.all_offered(lines)? {
            self.change(product_id, |level| level.on_hand -= quantity);
        }
        Ok(())
    }

    /// Units of each product, if a new order may have them all.
    fn all_offered(&self, lines: &[ReservedLine]) -> Result<BTreeMap<ProductId, i64>, CannotReserve> {
        let wanted = totals(lines);
        let unknown: Vec<Shortage> = wanted
            .iter()
            .filter(|(id, _)| !self.levels.contains_key(id))
            .map(|(&product_id, &requested)| Shortage { product_id, requested, available: 0 })
            .collect();
        if !unknown.is_empty() {
            return Err(CannotReserve::Unknown(unknown));
        }
        let short: Vec<Shortage> = wanted
            .iter()
            .map(|(&product_id, &requested)| Shortage { product_id, requested, available: self.offered(product_id) })
            .filter(|shortage| shortage.available < shortage.requested)
            .collect();
        if short.is_empty() { Ok(wanted) } else { Err(CannotReserve::TooLittle(short)) }
    }

    /// Holds what there is of each line for an order that waits for the rest, and answers with what it holds. `None` if
    /// a product is not for sale any more: no units of it will come.
    pub fn wait(&mut self, lines: &[ReservedLine]) -> Option<Vec<ReservedLine>> {
        let wanted = totals(lines);
        let is_sold = |product_id| self.levels.get(product_id).is_some_and(|level| !level.is_closed);
        if !wanted.keys().all(is_sold) {
            return None;
        }
        let mut held = Vec::new();
        for (product_id, wanted) in wanted {
            let quantity = wanted.min(self.offered(product_id));
            self.change(product_id, |level| {
                level.reserved += quantity;
                level.waiting += wanted - quantity;
            });
            held.extend((quantity > 0).then_some(ReservedLine { product_id, quantity }));
        }
        Some(held)
    }

    /// Holds units for an order that waits for them.
    pub fn give(&mut self, product_id: ProductId, units: i64) {
        self.change(product_id, |level| {
            level.reserved += units;
            level.waiting -= units;
        });
    }

    /// An order does not wait any more: what it held is free.
    pub fn abandon(&mut self, waiting: &Reservation) {
        self.release(&waiting.held);
        for (product_id, units) in waiting.missing() {
            self.change(product_id, |level| level.waiting -= units);
        }
    }

    /// Units that orders which wait may have.
    pub fn free(&self, product_id: ProductId) -> i64 {
        self.levels.get(&product_id).filter(|level| !level.is_closed).map_or(0, Level::available)
    }

    /// Products of which there are units that orders wait for.
    pub fn unserved(&self) -> Vec<ProductId> {
        let awaited = self.levels.values().filter(|level| level.waiting > 0);
        awaited.map(|level| level.product_id).filter(|product_id| self.free(*product_id) > 0).collect()
    }

    /// Turns what is held into a sale.
    pub fn sell(&mut self, lines: &[ReservedLine]) {
        for (product_id, quantity) in totals(lines) {
            self.change(product_id, |level| {
                level.reserved -= quantity;
                level.on_hand -= quantity;
            });
        }
    }

    /// Gives back what is held.
    pub fn release(&mut self, lines: &[ReservedLine]) {
        for (product_id, quantity) in totals(lines) {
            self.change(product_id, |level| level.reserved -= quantity);
        }
    }

    /// Puts back units that were sold.
    pub fn put_back(&mut self, lines: &[ReservedLine]) {
        for (product_id, quantity) in totals(lines) {
            self.change(product_id, |level| level.on_hand += quantity);
        }
    }

    /// Adds units that a supplier delivered, also of a product that is not for sale any more: they are there. False if a
    /// product's stock was never opened; then nothing is added.
    pub fn receive(&mut self, lines: &[ReservedLine]) -> bool {
        let units = totals(lines);
        let is_known = units.keys().all(|product_id| self.levels.contains_key(product_id));
        for (product_id, quantity) in units.into_iter().filter(|_| is_known) {
            self.change(product_id, |level| level.on_hand = level.on_hand.saturating_add(quantity));
        }
        is_known
    }

    /// Corrects what is on hand.
    pub fn adjust(&mut self, product_id: ProductId, delta: i64) -> Result<(), BelowZero> {
        let available = self.levels.get(&product_id).map_or(0, Level::available);
        if available.checked_add(delta).is_none_or(|left| left < 0) {
            return Err(BelowZero { available });
        }
        self.change(product_id, |level| level.on_hand = level.on_hand.saturating_add(delta));
        Ok(())
    }

    /// Sets what is on hand to the word of whoever keeps this stock elsewhere, but not below what is held. False if the
    /// product's stock was never opened; then nothing is changed.
    pub fn mirror(&mut self, product_id: ProductId, on_hand: i64) -> bool {
        let is_known = self.levels.contains_key(&product_id);
        if is_known {
            self.change(product_id, |level| level.on_hand = on_hand.max(level.reserved));
        }
        is_known
    }

    /// True if more units were given to orders than were waited for: the levels were read at another time than the orders,
    /// and in between another instance changed both. What was decided must be decided again.
    pub fn is_of_two_times(&self) -> bool {
        self.is_of_two_times
    }

    /// The levels that are not as they were read.
    pub fn changed(&self) -> Vec<Changed> {
        let pairs = self.levels.iter().filter_map(|(id, level)| Some((level, self.before.get(id)?)));
        pairs
            .filter(|(level, before)| level != before)
            .map(|(level, before)| {
                let has_moved = (level.on_hand, level.reserved) != (before.on_hand, before.reserved);
                let (level, shortage) = level.clone().noticed();
                Changed { level, shortage, has_moved }
            })
            .collect()
    }

    /// Units that a new order may have: what no order waits for.
    fn offered(&self, product_id: ProductId) -> i64 {
        let waiting = self.levels.get(&product_id).map_or(0, |level| level.waiting);
        (self.free(product_id) - waiting).max(0)
    }

    fn change(&mut self, product_id: ProductId, change: impl FnOnce(&mut Level)) {
        let level = self.levels.get_mut(&product_id).expect("what is held was once on the shelf, and levels stay");
        change(level);
        assert!(
            0 <= level.reserved && level.reserved <= level.on_hand,
            "stock of {} would be {} held of {} on hand",
            level.sku,
            level.reserved,
            level.on_hand
        );
        self.is_of_two_times |= level.waiting < 0;
    }
}

/// Units of each product; an order may name a product more than once.
fn totals(lines: &[ReservedLine]) -> BTreeMap<ProductId, i64> {
    let mut totals = BTreeMap::new();
    for line in lines {
        let total: &mut i64 = totals.entry(line.product_id).or_default();
        *total = total.saturating_add(line.quantity);
    }
    totals
}

#[cfg(test)]
mod tests;
