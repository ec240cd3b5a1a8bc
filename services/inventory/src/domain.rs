//! Where units are decided.

use std::collections::BTreeMap;

use events::Shortage;
use events::inventory::ReservedLine;
use kernel::{OrderId, ProductId, Version};

/// A product's stock as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub low_stock_threshold: i64,
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
}

/// What has become of an order's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Held,
    Sold,
    Released,
    Rejected,
}

kernel::named!(Status { Held = "held", Sold = "sold", Released = "released", Rejected = "rejected" });

/// What is, or was, held for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub order_id: OrderId,
    pub status: Status,
    pub lines: Vec<ReservedLine>,
    pub version: Version,
}

/// Why nothing is held for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotReserve {
    /// A product whose stock was never opened: its `ProductCreated` may still be on its way.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// With the version that was read: the change's guard.
    pub level: Level,
    /// What is available fell to the threshold or below it.
    pub ran_low: bool,
}

/// Some products' levels, on which a batch of orders is decided one after another.
#[derive(Debug)]
pub(crate) struct Shelf {
    levels: BTreeMap<ProductId, Level>,
    before: BTreeMap<ProductId, Level>,
}

impl Shelf {
    pub fn new(levels: impl IntoIterator<Item = Level>) -> Self {
        let levels: BTreeMap<_, _> = levels.into_iter().map(|level| (level.product_id, level)).collect();
        Self { before: levels.clone(), levels }
    }

    /// Holds all lines, or none.
    pub fn reserve(&mut self, lines: &[ReservedLine]) -> Result<(), CannotReserve> {
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
        if !short.is_empty() {
            return Err(CannotReserve::TooLittle(short));
        }
        for (product_id, quantity) in wanted {
            self.change(product_id, |level| level.reserved += quantity);
        }
        Ok(())
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

    /// Corrects what is on hand.
    pub fn adjust(&mut self, product_id: ProductId, delta: i64) -> Result<(), BelowZero> {
        let available = self.levels.get(&product_id).map_or(0, Level::available);
        if available.checked_add(delta).is_none_or(|left| left < 0) {
            return Err(BelowZero { available });
        }
        self.change(product_id, |level| level.on_hand = level.on_hand.saturating_add(delta));
        Ok(())
    }

    /// The levels that are not as they were read.
    pub fn changed(&self) -> Vec<Changed> {
        let pairs = self.levels.iter().filter_map(|(id, level)| Some((level, self.before.get(id)?)));
        pairs
            .filter(|(level, before)| level != before)
            .map(|(level, before)| Changed {
                level: level.clone(),
                ran_low: before.available() > before.low_stock_threshold
                    && level.available() <= level.low_stock_threshold,
            })
            .collect()
    }

    fn offered(&self, product_id: ProductId) -> i64 {
        self.levels.get(&product_id).filter(|level| !level.is_closed).map_or(0, Level::available)
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
mod tests {
    use kernel::Uuid;
    use proptest::prelude::*;

    use super::*;

    fn level(product: u128, on_hand: i64) -> Level {
        Level {
            product_id: Uuid::from_u128(product).into(),
            sku: product.to_string(),
            name: "Thing".to_owned(),
            on_hand,
            reserved: 0,
            low_stock_threshold: 2,
            is_closed: false,
            product_version: Version::FIRST,
            version: Version::FIRST,
        }
    }

    fn line(product: u128, quantity: i64) -> ReservedLine {
        ReservedLine { product_id: Uuid::from_u128(product).into(), quantity }
    }

    #[test]
    fn an_order_gets_all_its_lines_or_none() {
        let mut shelf = Shelf::new([level(1, 5), level(2, 1)]);
        let refused = shelf.reserve(&[line(1, 5), line(2, 2)]);
        assert!(matches!(refused, Err(CannotReserve::TooLittle(short)) if short.len() == 1 && short[0].available == 1));
        assert!(shelf.changed().is_empty());
    }

    #[test]
    fn a_product_named_twice_counts_twice() {
        let mut shelf = Shelf::new([level(1, 5)]);
        assert!(shelf.reserve(&[line(1, 3), line(1, 3)]).is_err());
        assert!(shelf.reserve(&[line(1, 2), line(1, 3)]).is_ok());
    }

    #[test]
    fn stock_runs_low_once() {
        let mut shelf = Shelf::new([level(1, 5)]);
        shelf.reserve(&[line(1, 3)]).unwrap();
        assert!(shelf.changed()[0].ran_low);
        let mut shelf = Shelf::new(shelf.changed().into_iter().map(|changed| changed.level));
        shelf.reserve(&[line(1, 1)]).unwrap();
        assert!(!shelf.changed()[0].ran_low);
    }

    #[test]
    fn a_closed_product_is_not_held_any_more() {
        let mut shelf = Shelf::new([Level { is_closed: true, ..level(1, 5) }]);
        assert!(matches!(shelf.reserve(&[line(1, 1)]), Err(CannotReserve::TooLittle(_))));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Place(i64),
        Pay(usize),
        Cancel(usize),
        Adjust(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1_i64..20).prop_map(Step::Place),
            (0_usize..8).prop_map(Step::Pay),
            (0_usize..8).prop_map(Step::Cancel),
            (-20_i64..20).prop_map(Step::Adjust),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order, units are neither made nor lost, and never below zero.
        #[test]
        fn units_are_conserved(start in 0_i64..50, steps in prop::collection::vec(step(), 0..60)) {
            let mut shelf = Shelf::new([level(1, start)]);
            let (mut held, mut sold, mut stocked) = (Vec::new(), 0, start);
            for step in steps {
                match step {
                    Step::Place(quantity) => if shelf.reserve(&[line(1, quantity)]).is_ok() {
                        held.push(quantity);
                    },
                    Step::Pay(at) if at < held.len() => {
                        let quantity = held.swap_remove(at);
                        shelf.sell(&[line(1, quantity)]);
                        sold += quantity;
                    }
                    Step::Cancel(at) if at < held.len() => shelf.release(&[line(1, held.swap_remove(at))]),
                    Step::Adjust(delta) => if shelf.adjust(Uuid::from_u128(1).into(), delta).is_ok() {
                        stocked += delta;
                    },
                    Step::Pay(_) | Step::Cancel(_) => {}
                }
                let now = &shelf.levels[&Uuid::from_u128(1).into()];
                prop_assert_eq!(now.on_hand + sold, stocked);
                prop_assert_eq!(now.reserved, held.iter().sum::<i64>());
                prop_assert!(now.available() >= 0);
            }
        }
    }
}
