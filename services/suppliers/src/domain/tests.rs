//! Whatever happens in whatever order: one purchase order for one shortage, and no unit is made or lost.

use std::collections::BTreeMap;

use events::{ProductId, PurchaseOrderId, SupplierId};
use kernel::{Currency, Money, SignedDuration, Timestamp, Uuid, Version};
use proptest::prelude::*;

use super::*;

const THRESHOLD: i64 = 5;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn product(number: u128) -> Product {
    Product {
        product_id: Uuid::from_u128(number).into(),
        sku: number.to_string(),
        name: "Thing".to_owned(),
        is_deleted: false,
        product_version: Version::FIRST,
        version: Version::FIRST,
    }
}

fn offer(number: u128, cost: i64, order_quantity: i64) -> Offer {
    Offer {
        product: product(number),
        position: 0,
        unit_cost: Money::new(cost, Currency::EUR),
        order_quantity,
        version: Version::FIRST,
    }
}

fn supplier(number: u128, offers: Vec<Offer>) -> Supplier {
    Supplier {
        supplier_id: Uuid::from_u128(number).into(),
        name: "Nordic".to_owned(),
        email: "orders@nordic.example".to_owned(),
        lead_time_days: 7,
        auto_replenish: true,
        offers,
        created_at: now(),
        updated_at: now(),
        version: Version::FIRST,
    }
}

fn wanted(number: u128, quantity: i64) -> WantedLine {
    WantedLine { product_id: Uuid::from_u128(number).into(), quantity: Some(quantity), unit_cost: None }
}

fn order_of(lines: &[(u128, i64)]) -> PurchaseOrder {
    let offers = lines.iter().map(|(number, _)| offer(*number, 100, 20)).collect();
    let wanted: Vec<WantedLine> = lines.iter().map(|(number, quantity)| wanted(*number, *quantity)).collect();
    place(&supplier(1, offers), &wanted, &[], "automation", Uuid::from_u128(9).into(), now()).unwrap().order
}

fn delivery(lines: Option<&[(u128, i64)]>, over: bool) -> Delivered {
    let lines =
        lines.map(|lines| lines.iter().map(|(number, units)| (Uuid::from_u128(*number).into(), *units)).collect());
    Delivered { lines, over, by: "automation".to_owned() }
}

fn receive(order: &PurchaseOrder, lines: Option<&[(u128, i64)]>, over: bool) -> Result<Happened, CannotReceive> {
    order.receive(&delivery(lines, over), &[], Uuid::from_u128(3).into(), now())
}

fn shortage(number: u128, at: i64, available: i64) -> Shortage {
    let product_id = Uuid::from_u128(number).into();
    Shortage { product_id, at: Version::from_stored(at), available, threshold: THRESHOLD }
}

fn ordered(shortage: &Shortage, suppliers: &[Supplier]) -> Option<(SupplierId, i64)> {
    match replenish(shortage, None, &[], suppliers, Uuid::from_u128(9).into(), now()) {
        Replenished::Ordered(placed) => Some((placed.order.supplier.supplier_id, placed.order.lines[0].quantity)),
        Replenished::Nothing | Replenished::Covered(_) => None,
    }
}

#[test]
fn a_shortage_is_ordered_from_the_cheapest_then_the_fastest_supplier() {
    let cheap = supplier(1, vec![offer(7, 90, 20)]);
    let fast = Supplier { lead_time_days: 1, ..supplier(2, vec![offer(7, 90, 20)]) };
    let dear = Supplier { lead_time_days: 1, ..supplier(3, vec![offer(7, 95, 20)]) };
    let by_hand = Supplier { auto_replenish: false, ..supplier(4, vec![offer(7, 1, 20)]) };
    let low = shortage(7, 2, 5);
    assert_eq!(ordered(&low, &[dear.clone(), cheap.clone(), by_hand.clone()]), Some((cheap.supplier_id, 20)));
    assert_eq!(ordered(&low, &[dear, cheap, fast.clone(), by_hand.clone()]), Some((fast.supplier_id, 20)));
    assert_eq!(ordered(&low, &[by_hand, supplier(5, vec![offer(8, 1, 1)])]), None);
}

#[test]
fn so_many_units_are_ordered_as_end_the_shortage() {
    for (available, order_quantity, quantity) in [(5, 20, 20), (0, 20, 20), (0, 4, 8), (5, 1, 1), (0, 1, 6), (0, 6, 6)]
    {
        let low = shortage(7, 2, available);
        let suppliers = [supplier(1, vec![offer(7, 100, order_quantity)])];
        assert_eq!(ordered(&low, &suppliers).map(|(_, units)| units), Some(quantity), "{available}, {order_quantity}");
    }
}

#[test]
fn a_deleted_product_is_neither_ordered_nor_received() {
    let deleted = Offer { product: Product { is_deleted: true, ..product(7) }, ..offer(7, 100, 20) };
    let of_deleted = supplier(1, vec![deleted]);
    assert_eq!(ordered(&shortage(7, 2, 0), std::slice::from_ref(&of_deleted)), None);
    let placed = place(&of_deleted, &[wanted(7, 1)], &[], "automation", Uuid::from_u128(9).into(), now());
    assert_eq!(placed, Err(CannotPlace(vec![0])));

    let order = order_of(&[(7, 20), (8, 5)]);
    let changed = order.without_product(Uuid::from_u128(7).into(), now()).unwrap();
    assert_eq!((changed.order.status, changed.closed.len()), (Status::Placed, 1));
    assert!(matches!(&changed.event, Event::Changed(event) if event.lines.len() == 1 && event.lines[0].sku == "8"));
    let refused = receive(&changed.order, Some(&[(7, 1)]), true);
    assert_eq!(refused.unwrap_err(), CannotReceive::ProductDeleted(vec!["7".to_owned()]));
    assert_eq!(changed.order.without_product(Uuid::from_u128(7).into(), now()), None);

    let ended = changed.order.without_product(Uuid::from_u128(8).into(), now()).unwrap();
    assert_eq!(ended.order.status, Status::Cancelled);
    assert!(matches!(&ended.event, Event::Cancelled(event) if event.lines[0].quantity == 5));
    assert_eq!(receive(&ended.order, None, true).unwrap_err(), CannotReceive::Cancelled);

    // Of one that came in full nothing is to come; more of it is refused all the same.
    let received = receive(&order_of(&[(7, 20)]), None, false).unwrap().order;
    let of_deleted =
        received.receive(&delivery(Some(&[(7, 1)]), true), &[Uuid::from_u128(7).into()], Uuid::nil().into(), now());
    assert_eq!(of_deleted.unwrap_err(), CannotReceive::ProductDeleted(vec!["7".to_owned()]));
}

#[test]
fn more_than_was_ordered_comes_only_if_it_is_said() {
    let order = order_of(&[(7, 20), (8, 5)]);
    let part = receive(&order, Some(&[(7, 8)]), false).unwrap();
    assert_eq!((part.order.status, part.closed.len()), (Status::PartiallyReceived, 0));
    let refused = receive(&part.order, Some(&[(7, 12), (7, 1)]), false).unwrap_err();
    assert!(matches!(&refused, CannotReceive::Exceeds(excess) if excess.len() == 1
        && (excess[0].received, excess[0].outstanding) == (13, 12)));
    let over = receive(&part.order, Some(&[(7, 13)]), true).unwrap();
    assert_eq!((over.order.lines[0].received, over.order.status), (21, Status::PartiallyReceived));
    assert_eq!(over.closed, [Uuid::from_u128(7).into()]);
    let all = receive(&over.order, None, false).unwrap();
    assert!(matches!(&all.event, Event::Received(event) if event.lines.len() == 1 && event.lines[0].quantity == 5));
    assert_eq!((all.order.status, all.order.receipts.len()), (Status::Received, 3));
    assert_eq!(receive(&all.order, None, true).unwrap_err(), CannotReceive::AlreadyReceived);
    assert!(matches!(receive(&all.order, Some(&[(8, 1)]), false), Err(CannotReceive::Exceeds(_))));
    assert_eq!(receive(&all.order, Some(&[(8, 1)]), true).unwrap().order.status, Status::Received);
    assert_eq!(receive(&order, Some(&[(7, 1), (6, 1)]), true).unwrap_err(), CannotReceive::NotInOrder(vec![1]));
    let full = PurchaseOrder { receipts: vec![all.order.receipts[0].clone(); RECEIPTS_MAX], ..order };
    assert_eq!(receive(&full, None, false).unwrap_err(), CannotReceive::TooManyReceipts);
}

#[test]
fn an_order_is_changed_as_far_as_nothing_has_come() {
    let order = receive(&order_of(&[(7, 20), (8, 5)]), Some(&[(7, 8)]), false).unwrap().order;
    let supplier = supplier(1, vec![offer(7, 100, 20), offer(8, 100, 20), offer(9, 300, 4)]);
    let change = |lines: &[WantedLine]| order.change(lines, &supplier, &[], now());
    let changed = change(&[wanted(7, 8), wanted(9, 4)]).unwrap().unwrap();
    assert_eq!(changed.closed, [Uuid::from_u128(7).into(), Uuid::from_u128(8).into()]);
    assert_eq!(changed.opened.iter().map(|line| line.product_id).collect::<Vec<_>>(), [Uuid::from_u128(9).into()]);
    assert_eq!(changed.order.status, Status::PartiallyReceived);
    assert!(matches!(&changed.event, Event::Changed(event) if event.lines.iter().map(|line| line.quantity).eq([8, 4])));
    let enough = change(&[wanted(7, 8)]).unwrap().unwrap();
    assert_eq!(enough.order.status, Status::Received);
    assert_eq!(change(&[wanted(7, 20), wanted(8, 5)]), Ok(None));
    assert!(
        matches!(change(&[wanted(7, 7), wanted(8, 5)]), Err(CannotChange::BelowReceived(it)) if it[0].received == 8)
    );
    assert!(matches!(change(&[wanted(8, 5)]), Err(CannotChange::BelowReceived(it)) if it.len() == 1));
    assert_eq!(change(&[wanted(7, 20), wanted(6, 1)]), Err(CannotChange::NotOfSupplier(vec![1])));
    let ended = order.cancel(now()).unwrap();
    assert!(
        matches!(&ended.event, Event::Cancelled(event) if event.lines.iter().map(|line| line.quantity).eq([12, 5]))
    );
    assert_eq!(ended.order.change(&[wanted(7, 9)], &supplier, &[], now()), Err(CannotChange::Cancelled));
    assert_eq!(ended.order.cancel(now()).unwrap_err(), CannotCancel::AlreadyCancelled);
    assert_eq!(enough.order.cancel(now()).unwrap_err(), CannotCancel::AlreadyReceived);
}

#[test]
fn an_order_is_overdue_once() {
    let order = order_of(&[(7, 20)]);
    let after = |days: i64| now() + SignedDuration::from_hours(24 * days);
    assert_eq!(order.overdue(after(6)), None);
    let overdue = order.overdue(after(7)).unwrap();
    assert!(matches!(&overdue.event, Event::Overdue(event) if event.lines[0].quantity == 20));
    assert_eq!(overdue.order.overdue(after(8)), None);
    assert_eq!(receive(&order, None, false).unwrap().order.overdue(after(8)), None);
}

#[test]
fn a_change_of_a_list_writes_what_differs() {
    let before = [offer(7, 100, 20), offer(8, 100, 20)];
    let after = [Offer { position: 0, ..offer(8, 120, 20) }, Offer { position: 1, ..offer(9, 100, 20) }];
    let expected = [OfferWrite::Delete(&before[0]), OfferWrite::Update(&after[0]), OfferWrite::Insert(&after[1])];
    assert_eq!(offer_writes(&before, &after), expected);
    assert_eq!(offer_writes(&before, &before), []);
}

#[test]
fn a_supplier_delivers_by_itself_only_at_the_address_that_nobody_has() {
    for (email, simulated) in [
        ("orders@simulated.example", true),
        ("orders@SIMULATED.example", true),
        ("orders@not-simulated.example", false),
        ("simulated.example@example.com", false),
    ] {
        let (supplier_id, name) = (Uuid::from_u128(1).into(), "Instant Wholesale".to_owned());
        assert_eq!(Recipient { supplier_id, name, email: email.to_owned() }.is_simulated(), simulated, "{email}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Sell(i64),
    /// A sale is taken back.
    CancelSale(usize),
    Adjust(i64),
    /// A shortage is delivered, by its number among those that began: any of them, as often as it pleases.
    StockLow(usize),
    PlaceByHand(i64),
    /// A receipt of a purchase order, with `over`.
    Receive(usize, i64, bool),
    ReceiveAll(usize),
    /// A receipt is delivered to the inventory again.
    RedeliverReceipt(usize),
    Change(usize, i64),
    Cancel(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_i64..8).prop_map(Step::Sell),
        1 => (0_usize..8).prop_map(Step::CancelSale),
        1 => (-6_i64..20).prop_map(Step::Adjust),
        4 => (0_usize..6).prop_map(Step::StockLow),
        1 => (1_i64..20).prop_map(Step::PlaceByHand),
        2 => (0_usize..6, 1_i64..25, any::<bool>()).prop_map(|(at, units, over)| Step::Receive(at, units, over)),
        2 => (0_usize..6).prop_map(Step::ReceiveAll),
        1 => (0_usize..6).prop_map(Step::RedeliverReceipt),
        1 => (0_usize..6, 1_i64..40).prop_map(|(at, units)| Step::Change(at, units)),
        1 => (0_usize..6).prop_map(Step::Cancel),
    ]
}

/// A shop with one product, whose tables are kept as the store keeps them.
struct World {
    supplier: Supplier,
    on_hand: i64,
    is_low: bool,
    level: i64,
    sales: Vec<i64>,
    /// Those that began, in their order.
    shortages: Vec<Shortage>,
    orders: Vec<PurchaseOrder>,
    /// Key and order: as in the table, a key is there once.
    open_lines: BTreeMap<(ProductId, i64), PurchaseOrderId>,
    /// The same.
    replenishments: BTreeMap<(ProductId, Version), PurchaseOrderId>,
    receipts: Vec<(Uuid, i64)>,
    stocked: BTreeMap<Uuid, i64>,
    ids: u128,
}

impl World {
    fn new(on_hand: i64) -> Self {
        let mut world = Self {
            supplier: supplier(1, vec![offer(7, 100, 4)]),
            on_hand: 0,
            is_low: false,
            level: 0,
            sales: Vec::new(),
            shortages: Vec::new(),
            orders: Vec::new(),
            open_lines: BTreeMap::new(),
            replenishments: BTreeMap::new(),
            receipts: Vec::new(),
            stocked: BTreeMap::new(),
            ids: 100,
        };
        world.level_changes(on_hand);
        world
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// As the inventory does it: a shortage begins once, and again only after it was over.
    fn level_changes(&mut self, delta: i64) {
        self.on_hand += delta;
        self.level += 1;
        let is_low = self.on_hand <= THRESHOLD;
        if is_low && !self.is_low {
            self.shortages.push(shortage(7, self.level, self.on_hand));
        }
        self.is_low = is_low;
    }

    fn open(&self) -> Vec<Opened> {
        let opened = |(&(product_id, place), &purchase_order_id): (&(ProductId, i64), &PurchaseOrderId)| Opened {
            product_id,
            place,
            purchase_order_id,
        };
        self.open_lines.iter().map(opened).collect()
    }

    fn write_open(&mut self, opened: &[Opened]) {
        for line in opened {
            let taken = self.open_lines.insert((line.product_id, line.place), line.purchase_order_id);
            assert_eq!(taken, None, "the key of an open line is there already");
        }
    }

    fn write(&mut self, at: usize, happened: Happened) {
        for product_id in &happened.closed {
            let purchase_order_id = happened.order.purchase_order_id;
            let rows = self.open_lines.len();
            self.open_lines.retain(|(product, _), order| (product, *order) != (product_id, purchase_order_id));
            assert_eq!(self.open_lines.len() + 1, rows, "a line that is closed was open");
        }
        self.write_open(&happened.opened);
        if let Event::Received(event) = &happened.event {
            let units = event.lines.iter().map(|line| line.quantity).sum();
            self.receipts.push((event.receipt_id.into(), units));
            self.stock(self.receipts.len() - 1);
        }
        self.orders[at] = happened.order;
    }

    /// A refusal writes nothing.
    fn write_if(&mut self, at: usize, happened: Option<Happened>) {
        if let Some(happened) = happened {
            self.write(at, happened);
        }
    }

    /// As the inventory does it: once for each receipt.
    fn stock(&mut self, at: usize) {
        let Some(&(receipt_id, units)) = self.receipts.get(at) else { return };
        if self.stocked.insert(receipt_id, units).is_none() {
            self.level_changes(units);
        }
    }

    fn stock_low(&mut self, at: usize) {
        let Some(&shortage) = self.shortages.get(at) else { return };
        let newest = self.replenishments.keys().map(|(_, at)| *at).max();
        let suppliers = [self.supplier.clone()];
        let id = self.id().into();
        let covered = match replenish(&shortage, newest, &self.open(), &suppliers, id, now()) {
            Replenished::Nothing => return,
            Replenished::Covered(purchase_order_id) => purchase_order_id,
            Replenished::Ordered(placed) => {
                assert!(placed.opened.iter().all(|line| line.place == 0), "replenishment takes the first place only");
                self.write_open(&placed.opened);
                self.orders.push(placed.order);
                id
            }
        };
        let before = self.replenishments.insert((shortage.product_id, shortage.at), covered);
        assert_eq!(before, None, "a shortage has one order");
    }

    fn take(&mut self, step: Step) {
        let order = |at: usize, world: &Self| world.orders.get(at).cloned();
        match step {
            Step::Sell(units) if units <= self.on_hand => {
                self.sales.push(units);
                self.level_changes(-units);
            }
            Step::CancelSale(at) if at < self.sales.len() => {
                let units = self.sales.swap_remove(at);
                self.level_changes(units);
            }
            Step::StockLow(at) => self.stock_low(at),
            Step::PlaceByHand(units) => {
                let id = self.id().into();
                let placed = place(&self.supplier, &[wanted(7, units)], &self.open(), "automation", id, now()).unwrap();
                self.write_open(&placed.opened);
                self.orders.push(placed.order);
            }
            Step::Receive(at, units, over) => {
                let (id, lines) = (self.id().into(), delivery(Some(&[(7, units)]), over));
                let received = order(at, self).and_then(|order| order.receive(&lines, &[], id, now()).ok());
                self.write_if(at, received);
            }
            Step::ReceiveAll(at) => {
                let (id, all) = (self.id().into(), delivery(None, false));
                let received = order(at, self).and_then(|order| order.receive(&all, &[], id, now()).ok());
                self.write_if(at, received);
            }
            Step::RedeliverReceipt(at) => self.stock(at),
            Step::Change(at, units) => {
                let (lines, open) = ([wanted(7, units)], self.open());
                let changed = order(at, self).and_then(|order| order.change(&lines, &self.supplier, &open, now()).ok());
                self.write_if(at, changed.flatten());
            }
            Step::Cancel(at) => {
                let cancelled = order(at, self).and_then(|order| order.cancel(now()).ok());
                self.write_if(at, cancelled);
            }
            Step::Sell(_) | Step::CancelSale(_) | Step::Adjust(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn one_shortage_has_one_order_and_units_are_conserved(
        start in 0_i64..20,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut world = World::new(start);
        let mut adjusted = start;
        for step in steps {
            match step {
                Step::Adjust(delta) if world.on_hand + delta >= 0 => {
                    adjusted += delta;
                    world.level_changes(delta);
                }
                step => world.take(step),
            }
            let by_itself: Vec<&PurchaseOrder> =
                world.orders.iter().filter(|order| order.placed_by == "replenishment").collect();
            prop_assert!(by_itself.iter().filter(|order| order.is_open()).count() <= 1, "one is open at most");
            prop_assert!(by_itself.len() <= world.shortages.len(), "no shortage has two");
            for order in &by_itself {
                let covers = world.replenishments.values().filter(|id| **id == order.purchase_order_id).count();
                prop_assert!(covers >= 1, "an order that was placed by itself is of a shortage");
            }
            let open = world.orders.iter().filter(|order| order.is_open()).count();
            prop_assert_eq!(world.open_lines.len(), open, "each open order has its open line");
            // Units stocked + received − sold (what was returned is not sold any more) = on hand.
            let received: i64 = world.orders.iter().flat_map(|order| &order.lines).map(|line| line.received).sum();
            prop_assert_eq!(adjusted + received - world.sales.iter().sum::<i64>(), world.on_hand);
            for order in &world.orders {
                let came: i64 = order.receipts.iter().flat_map(|receipt| &receipt.lines).map(|(_, units)| units).sum();
                prop_assert_eq!(came, order.lines.iter().map(|line| line.received).sum::<i64>());
                prop_assert_eq!(order.is_open(), order.lines.iter().any(|line| line.outstanding() > 0)
                    && order.status != Status::Cancelled);
            }
        }
    }
}
