use kernel::{Uuid, Version};
use proptest::prelude::*;

use super::*;
use crate::domain::{CannotReserve, Level};

/// Orders of a product that are read at once: few, so that the timer goes on with others.
const PAGE: usize = 2;

const PRODUCTS: u128 = 3;

fn product(n: u128) -> ProductId {
    Uuid::from_u128(n).into()
}

fn order(n: u128) -> OrderId {
    Uuid::from_u128(n).into()
}

fn line(product_id: ProductId, quantity: i64) -> ReservedLine {
    ReservedLine { product_id, quantity }
}

fn level(product_id: ProductId, on_hand: i64) -> Level {
    Level {
        product_id,
        sku: "123".to_owned(),
        name: "Thing".to_owned(),
        on_hand,
        reserved: 0,
        waiting: 0,
        low_stock_threshold: 0,
        is_low: false,
        is_closed: false,
        product_version: Version::FIRST,
        version: Version::FIRST,
    }
}

/// Stock and orders as the reactions of the service keep them.
#[derive(Clone, Debug)]
struct House {
    levels: BTreeMap<ProductId, Level>,
    orders: BTreeMap<OrderId, Reservation>,
}

impl House {
    fn with(units: &[i64]) -> Self {
        let levels = (1..).zip(units).map(|(n, units)| (product(n), level(product(n), *units)));
        Self { levels: levels.collect(), orders: BTreeMap::new() }
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(self.levels.values().cloned())
    }

    fn keep(&mut self, shelf: &Shelf) {
        assert!(!shelf.is_of_two_times(), "more units were given than were waited for");
        for changed in shelf.changed() {
            self.levels.insert(changed.level.product_id, changed.level);
        }
    }

    fn first_waiting(&self, product_id: ProductId) -> Vec<Reservation> {
        let waiting = self.orders.values().filter(|order| order.status == Status::Waiting);
        waiting.filter(|order| order.missing().contains_key(&product_id)).take(PAGE).cloned().collect()
    }

    fn place(&mut self, order_id: OrderId, lines: Vec<ReservedLine>, waits: bool) {
        if self.orders.contains_key(&order_id) {
            return;
        }
        let mut shelf = self.shelf();
        let (status, held) = match shelf.reserve(&lines) {
            Ok(()) => (Status::Held, Vec::new()),
            Err(CannotReserve::Unknown(_)) => panic!("all products are known"),
            Err(CannotReserve::TooLittle(_)) => {
                let held = if waits { shelf.wait(&lines) } else { None };
                held.map_or((Status::Rejected, Vec::new()), |held| (Status::Waiting, held))
            }
        };
        let reservation = Reservation { order_id, status, lines, held, returned: Vec::new(), version: Version::FIRST };
        self.orders.insert(order_id, reservation);
        self.keep(&shelf);
    }

    /// The timer that goes on where a commit ended.
    fn go_on(&mut self) {
        while !self.shelf().unserved().is_empty() {
            self.serve(self.shelf(), &[]);
        }
    }

    fn serve(&mut self, mut shelf: Shelf, ended: &[OrderId]) {
        let waiting = shelf
            .unserved()
            .into_iter()
            .flat_map(|id| self.first_waiting(id).into_iter().map(move |order| (id, order)));
        let mut queue = ended.iter().fold(Queue::new(waiting), |queue, order_id| queue.without(*order_id));
        queue.serve(&mut shelf);
        for served in queue.served() {
            self.orders.insert(served.reservation.order_id, served.reservation);
        }
        self.keep(&shelf);
    }

    fn end(&mut self, order_id: OrderId, status: Status) {
        let Some(reservation) = self.orders.get(&order_id).cloned() else {
            let (lines, held, returned, version) = (Vec::new(), Vec::new(), Vec::new(), Version::FIRST);
            self.orders.insert(order_id, Reservation { order_id, status, lines, held, returned, version });
            return;
        };
        let mut shelf = self.shelf();
        match reservation.status {
            Status::Waiting => shelf.abandon(&reservation),
            Status::Held => shelf.release(&reservation.lines),
            Status::Sold | Status::Released | Status::Rejected => return,
        }
        self.serve(shelf, &[order_id]);
        self.orders.insert(order_id, Reservation { status, ..reservation });
        self.go_on();
    }

    fn close(&mut self, product_id: ProductId) {
        self.levels.entry(product_id).and_modify(|level| level.is_closed = true);
        while let Some(waiting) = self.first_waiting(product_id).first() {
            self.end(waiting.order_id, Status::Rejected);
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Place(id, lines, waits) => {
                let lines = lines.iter().map(|(n, units)| line(product(*n), *units)).collect();
                self.place(order(*id), lines, *waits);
            }
            Step::Cancel(id) => self.end(order(*id), Status::Released),
            Step::Adjust(n, delta) => {
                let mut shelf = self.shelf();
                if shelf.adjust(product(*n), *delta).is_ok() {
                    self.serve(shelf, &[]);
                    self.go_on();
                }
            }
            Step::Close(n) => self.close(product(*n)),
        }
    }

    /// Units of a product that an order holds.
    fn held(&self, order_id: OrderId, product_id: ProductId) -> i64 {
        let Some(order) = self.orders.get(&order_id) else { return 0 };
        let lines = match order.status {
            Status::Held => &order.lines,
            Status::Waiting => &order.held,
            Status::Sold | Status::Released | Status::Rejected => return 0,
        };
        totals(lines).get(&product_id).copied().unwrap_or_default()
    }

    fn misses(&self, order_id: OrderId, product_id: ProductId) -> i64 {
        let waiting = self.orders.get(&order_id).filter(|order| order.status == Status::Waiting);
        waiting.and_then(|order| order.missing().get(&product_id).copied()).unwrap_or_default()
    }

    /// The sums of the level are those of the orders, and no unit is free that an order waits for.
    fn check(&self) {
        for (product_id, level) in &self.levels {
            let held: i64 = self.orders.keys().map(|id| self.held(*id, *product_id)).sum();
            let missing: i64 = self.orders.keys().map(|id| self.misses(*id, *product_id)).sum();
            assert_eq!((level.reserved, level.waiting), (held, missing), "{level:?}");
            assert!(level.reserved <= level.on_hand);
            assert!(level.waiting == 0 || level.available() == 0, "{level:?}");
            assert!(level.waiting == 0 || !level.is_closed, "{level:?}");
        }
        for order in self.orders.values().filter(|order| order.status == Status::Waiting) {
            assert!(!order.missing().is_empty(), "whole, and waits: {order:?}");
        }
    }

    /// No order got units of a product that an earlier one still waits for.
    fn check_turns(&self, before: &Self) {
        for product_id in self.levels.keys() {
            let is_left_out = |id: &OrderId| before.misses(*id, *product_id) > 0 && self.misses(*id, *product_id) > 0;
            let Some(first) = self.orders.keys().copied().find(is_left_out) else { continue };
            for id in self.orders.keys().filter(|id| **id > first) {
                assert!(self.held(*id, *product_id) <= before.held(*id, *product_id), "{id} before {first}");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Place(u128, Vec<(u128, i64)>, bool),
    Cancel(u128),
    Adjust(u128, i64),
    Close(u128),
}

fn step() -> impl Strategy<Value = Step> {
    let lines =
        prop::collection::btree_map(1..=PRODUCTS, 1_i64..6, 1..=3).prop_map(|lines| lines.into_iter().collect());
    prop_oneof![
        6 => (0_u128..30, lines, prop::bool::weighted(0.7)).prop_map(|(id, lines, waits)| Step::Place(id, lines, waits)),
        3 => (0_u128..30).prop_map(Step::Cancel),
        4 => (1..=PRODUCTS, -3_i64..8).prop_map(|(n, delta)| Step::Adjust(n, delta)),
        1 => (1..=PRODUCTS).prop_map(Step::Close),
    ]
}

#[test]
fn orders_that_were_read_later_than_their_level_show_that() {
    let before = Level { on_hand: 5, waiting: 1, ..level(product(1), 0) };
    let waiting = |number: u128| Reservation {
        order_id: order(number),
        status: Status::Waiting,
        lines: vec![line(product(1), 1)],
        held: Vec::new(),
        returned: Vec::new(),
        version: Version::FIRST,
    };
    let (mut shelf, mut queue) = (Shelf::new([before]), Queue::new([1, 2].map(|number| (product(1), waiting(number)))));
    queue.serve(&mut shelf);
    assert!(shelf.is_of_two_times());
}

proptest! {
    /// Whatever happens in whatever order, twice or crossed: no unit is held twice, turns are kept, and whoever waits is
    /// served once enough has come.
    #[test]
    fn orders_are_served_in_turn(
        units in prop::collection::vec(0_i64..10, usize::try_from(PRODUCTS).unwrap()),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut house = House::with(&units);
        for step in &steps {
            let before = house.clone();
            house.take(step);
            house.check();
            house.check_turns(&before);
            let again = house.clone();
            if !matches!(step, Step::Adjust(..)) {
                house.take(step);
                prop_assert_eq!(&house.levels, &again.levels, "a step that is taken again changes nothing");
            }
        }
        for n in 1..=PRODUCTS {
            house.take(&Step::Adjust(n, 1_000));
            house.check();
        }
        prop_assert!(house.orders.values().all(|order| order.status != Status::Waiting));
    }
}

#[test]
fn three_orders_are_served_by_one_unit_at_a_time() {
    let mut house = House::with(&[0, 5]);
    for id in [3, 1, 2] {
        house.place(order(id), vec![line(product(1), 1), line(product(2), 1)], true);
    }
    house.place(order(9), vec![line(product(1), 1)], false);
    assert_eq!(house.orders[&order(9)].status, Status::Rejected);
    for served in [1, 2, 3] {
        house.take(&Step::Adjust(1, 1));
        let held = house.orders.values().filter(|order| order.status == Status::Held).map(|order| order.order_id);
        assert_eq!(held.collect::<Vec<_>>(), (1..=served).map(order).collect::<Vec<_>>());
    }
}

#[test]
fn what_an_order_held_goes_to_the_next_when_it_ends() {
    let mut house = House::with(&[2, 0]);
    house.place(order(1), vec![line(product(1), 2), line(product(2), 1)], true);
    house.place(order(2), vec![line(product(1), 2)], true);
    assert_eq!((house.held(order(1), product(1)), house.held(order(2), product(1))), (2, 0));
    house.close(product(2));
    assert_eq!(house.orders[&order(1)].status, Status::Rejected);
    assert_eq!(house.orders[&order(2)].status, Status::Held);
}
