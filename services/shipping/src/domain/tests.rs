use events::inventory::ReservedLine;
use events::{OrderLine, PaymentRefunded};
use kernel::{Currency, Money, SignedDuration, Uuid};
use proptest::prelude::*;

use super::*;

/// Units of the lines of the order of these tests. The first and the last are of one product.
const UNITS: [(u128, i64); 3] = [(1, 3), (2, 2), (1, 4)];

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn product(number: u128) -> ProductId {
    Uuid::from_u128(number).into()
}

fn order_id() -> OrderId {
    Uuid::from_u128(7).into()
}

fn id(number: u128) -> ShipmentId {
    Uuid::from_u128(number).into()
}

fn order(ship_to: Option<Address>) -> OrderPaid {
    let line = |(number, quantity): (u128, i64)| OrderLine {
        product_id: product(number),
        sku: number.to_string(),
        name: format!("Thing {number}"),
        quantity,
        unit_price: Money::new(100, Currency::EUR),
    };
    OrderPaid {
        order_id: order_id(),
        number: 1042,
        user_id: None,
        email: "ada@example.com".to_owned(),
        payment_id: Uuid::from_u128(8).into(),
        amount: Money::new(900, Currency::EUR),
        ship_to,
        lines: UNITS.map(line).to_vec(),
    }
}

fn address() -> Address {
    Address {
        name: "Ada Lovelace".to_owned(),
        street: "12 St James's Square".to_owned(),
        city: "London".to_owned(),
        postal_code: "SW1Y 4JH".to_owned(),
        state: None,
        country: "GB".to_owned(),
    }
}

fn request() -> CancellationRequested {
    CancellationRequested { order_id: order_id(), number: 1042, requested_by: "customer".to_owned() }
}

/// A refund with units that are to be sold again.
fn refund(number: u128, restock: &[(u128, i64)]) -> Refund {
    let line = |&(product_id, quantity): &(u128, i64)| ReservedLine { product_id: product(product_id), quantity };
    let refund_id = Uuid::from_u128(number).into();
    Refund { refund_id, order_id: order_id(), restock: restock.iter().map(line).collect() }
}

/// The shipments that lost units by a refund.
fn reduced(refund: &Refund, shipments: &[Shipment]) -> Vec<Reduced> {
    match withhold(refund, shipments, id(9), now()) {
        Withheld::From(reduced) => reduced,
        waiting => panic!("the payment is known: {waiting:?}"),
    }
}

fn shipment() -> Shipment {
    let Some(Paid::New(shipment)) = paid(&order(Some(address())), None, &[], id(1), now()) else {
        panic!("nothing is known of the order")
    };
    shipment
}

fn departure(lines: Option<&[(u128, i64)]>) -> Departure {
    let wanted = |lines: &[(u128, i64)]| lines.iter().map(|&(number, units)| (product(number), units)).collect();
    Departure {
        carrier: Some("DHL".to_owned()),
        tracking_number: Some("0034".to_owned()),
        lines: lines.map(wanted),
        by: "automation".to_owned(),
    }
}

fn units(lines: &[ShipmentLine]) -> Vec<(String, i64)> {
    lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect()
}

#[test]
fn a_part_leaves_and_the_rest_becomes_the_next_shipment() {
    let lines = [(1, 2), (2, 2), (1, 2)];
    let dispatched = shipment().dispatch(&departure(Some(&lines)), id(2), now()).unwrap();
    let rest = dispatched.rest.unwrap();
    assert_eq!(units(&dispatched.shipment.lines), [("1".into(), 3), ("2".into(), 2), ("1".into(), 1)]);
    assert_eq!(units(&rest.lines), [("1".into(), 3)]);
    assert_eq!((rest.shipment_id, rest.part, rest.status), (id(2), 2, Status::Pending));
    assert_eq!(dispatched.event.lines, dispatched.shipment.lines);

    let all = rest.dispatch(&departure(None), id(3), now()).unwrap();
    assert_eq!((all.rest, all.shipment.lines), (None, rest.lines));
    let named = shipment().dispatch(&departure(Some(&[(2, 2), (1, 7)])), id(2), now()).unwrap();
    assert_eq!((named.rest, named.shipment.lines), (None, shipment().lines));
}

#[test]
fn only_units_that_are_there_leave() {
    let refusal = |lines: &[(u128, i64)]| shipment().dispatch(&departure(Some(lines)), id(2), now()).unwrap_err();
    assert_eq!(refusal(&[(1, 1), (9, 1), (8, 99)]), CannotDispatch::NotInShipment(vec![1, 2]));
    let excess =
        |number: u128, asked, there| Excess { product_id: product(number), sku: number.to_string(), asked, there };
    assert_eq!(refusal(&[(1, 7), (2, 3)]), CannotDispatch::Exceeds(vec![excess(2, 3, 2)]));
    assert_eq!(refusal(&[(1, 4), (1, 4)]), CannotDispatch::Exceeds(vec![excess(1, 8, 7)]));
    assert_eq!(refusal(&[(2, i64::MAX), (2, i64::MAX)]), CannotDispatch::Exceeds(vec![excess(2, i64::MAX, 2)]));
}

#[test]
fn an_address_needs_a_carrier_and_a_collection_none() {
    let nothing = Departure { carrier: None, tracking_number: None, ..departure(None) };
    let refused = shipment().dispatch(&nothing, id(2), now());
    assert_eq!(refused, Err(CannotDispatch::Required(vec!["carrier", "tracking_number"])));
    let collected = Shipment { ship_to: None, ..shipment() };
    assert_eq!((shipment().method(), collected.method()), (Method::Delivery, Method::Collection));
    let event = collected.dispatch(&nothing, id(2), now()).unwrap().event;
    assert_eq!((event.carrier.as_str(), event.tracking_number.as_str()), ("", ""));
}

#[test]
fn an_order_has_so_many_shipments_and_no_more() {
    let last = Shipment { part: PARTS_MAX, ..shipment() };
    let refused = last.dispatch(&departure(Some(&[(1, 1)])), id(2), now());
    assert_eq!(refused, Err(CannotDispatch::TooManyShipments));
    assert!(last.dispatch(&departure(None), id(2), now()).is_ok());
}

#[test]
fn each_status_allows_what_follows_it() {
    let in_status = |status| Shipment { status, ..shipment() };
    let dispatch = |status| in_status(status).dispatch(&departure(None), id(2), now()).err();
    let deliver = |status| in_status(status).deliver("automation", now()).err();
    let table = [
        (Status::Pending, None, Some(CannotDeliver::NotDispatched)),
        (Status::Dispatched, Some(CannotDispatch::AlreadyDispatched), None),
        (Status::Delivered, Some(CannotDispatch::AlreadyDispatched), Some(CannotDeliver::AlreadyDelivered)),
        (Status::Stopped, Some(CannotDispatch::Stopped), Some(CannotDeliver::Stopped)),
    ];
    for (status, cannot_dispatch, cannot_deliver) in table {
        assert_eq!((dispatch(status), deliver(status)), (cannot_dispatch, cannot_deliver), "{status:?}");
    }
}

#[test]
fn a_cancellation_before_the_payment_stops_what_the_payment_makes() {
    let first = cancel(&request(), &[], id(1), now());
    assert_eq!((first.event.stopped.len(), first.event.left.len()), (0, 0));
    let unpaid = first.unpaid.unwrap();
    let again = cancel(&request(), std::slice::from_ref(&unpaid), id(2), now());
    assert_eq!((again.event, again.unpaid, again.stopped), (first.event, None, Vec::new()));

    let refunds = [refund(1, &[(2, 1)])];
    let Some(Paid::Known(known, None)) = paid(&order(Some(address())), Some(&unpaid), &refunds, id(3), now()) else {
        panic!("the order was cancelled before, and nothing is withheld from it")
    };
    assert_eq!((known.shipment_id, known.status), (id(1), Status::Stopped));
    assert_eq!(known.ship_to, Some(address()));
    assert_eq!(paid(&order(None), Some(&known), &[], id(4), now()), None);
    let after = cancel(&request(), std::slice::from_ref(&known), id(5), now());
    assert_eq!(after.event.stopped, [known.content()]);
}

#[test]
fn units_that_were_refunded_before_they_left_are_withheld() {
    let reduced = reduced(&refund(1, &[(1, 4), (2, 2)]), &[shipment()]).remove(0);
    let Reduced { shipment, event } = reduced;
    assert_eq!((units(&shipment.lines), shipment.status), (vec![("1".into(), 3)], Status::Pending));
    assert_eq!(units(&shipment.withheld), [("1".into(), 4), ("2".into(), 2)]);
    assert_eq!((event.shipment_id, &event.lines), (id(1), &shipment.withheld));
    let refusal = |lines| shipment.dispatch(&departure(Some(lines)), id(2), now()).unwrap_err();
    let excess = |number: u128, asked, there| {
        CannotDispatch::Exceeds(vec![Excess { product_id: product(number), sku: number.to_string(), asked, there }])
    };
    assert_eq!(refusal(&[(1, 4)]), excess(1, 4, 3));
    assert_eq!(refusal(&[(2, 1)]), excess(2, 1, 0), "all units of the product are withheld");
    assert_eq!(refusal(&[(3, 1)]), CannotDispatch::NotInShipment(vec![0]));
    let dispatched = shipment.dispatch(&departure(None), id(2), now()).unwrap();
    assert_eq!((units(&dispatched.event.lines), dispatched.rest), (vec![("1".into(), 3)], None));
}

#[test]
fn a_shipment_without_units_is_stopped_and_none_is_withheld_that_has_left() {
    let Dispatched { shipment: first, rest, .. } =
        shipment().dispatch(&departure(Some(&[(1, 5)])), id(2), now()).unwrap();
    let chain = [first, rest.unwrap()];
    let all = reduced(&refund(1, &[(1, 7), (2, 9)]), &chain);
    assert_eq!(all.len(), 1);
    let Reduced { shipment, event } = &all[0];
    assert_eq!((shipment.shipment_id, shipment.status, shipment.lines.len()), (id(2), Status::Stopped, 0));
    assert_eq!(units(&event.lines), [("2".into(), 2), ("1".into(), 2)], "of each product what waits");
    assert!(reduced(&refund(2, &[(1, 1)]), &[chain[0].clone(), shipment.clone()]).is_empty());
    assert_eq!(shipment.dispatch(&departure(None), id(3), now()), Err(CannotDispatch::Stopped));
    assert_eq!(paid(&order(None), Some(shipment), &[], id(4), now()), None, "it is no order whose payment is awaited");
}

#[test]
fn a_refund_before_the_payment_waits_for_it() {
    let refunds = [refund(1, &[(1, 4)]), refund(2, &[(1, 1), (2, 2)])];
    let Withheld::BeforeOrder(unpaid) = withhold(&refunds[0], &[], id(1), now()) else {
        panic!("nothing is known of the order")
    };
    assert_eq!((unpaid.number, unpaid.status, unpaid.lines.len()), (0, Status::Pending, 0));
    let Withheld::BeforePayment(unpaid) = withhold(&refunds[1], &[unpaid], id(2), now()) else {
        panic!("its payment is not known")
    };
    let paid_for = |first: &Shipment| match paid(&order(Some(address())), Some(first), &refunds, id(3), now()) {
        Some(Paid::Known(shipment, event)) => (shipment, event),
        other => panic!("the order has a shipment: {other:?}"),
    };
    let (known, event) = paid_for(&unpaid);
    assert_eq!((known.shipment_id, known.number, known.status), (id(1), 1042, Status::Pending));
    assert_eq!(units(&known.lines), [("1".into(), 2)]);
    assert_eq!(event.unwrap().lines, known.withheld);

    let answer = cancel(&request(), std::slice::from_ref(&unpaid), id(4), now());
    assert_eq!((answer.unpaid, answer.event.stopped.len(), answer.event.left.len()), (None, 0, 0));
    let stopped = &answer.stopped[0];
    assert_eq!((stopped.number, stopped.status), (1042, Status::Stopped));
    let (known, event) = paid_for(stopped);
    assert_eq!((known.status, known.lines.len(), event), (Status::Stopped, UNITS.len(), None));
}

#[test]
fn a_refund_without_units_withholds_nothing() {
    let event = PaymentRefunded {
        payment_id: Uuid::from_u128(8).into(),
        refund_id: Some(Uuid::from_u128(1).into()),
        order_id: order_id(),
        amount: Money::new(900, Currency::EUR),
        refunded_total: None,
        restock: Vec::new(),
        reason: None,
        of_cancellation: None,
    };
    assert_eq!(Refund::of(&event), None);
    let restock = refund(1, &[(1, 1)]).restock;
    assert_eq!(Refund::of(&PaymentRefunded { restock, ..event }), Some(refund(1, &[(1, 1)])));
}

#[test]
fn a_shipment_forgets_its_customer_and_keeps_the_country() {
    let user_id = Some(Uuid::from_u128(9).into());
    let forgotten = Shipment { user_id, ..shipment() }.without_customer();
    let to = forgotten.ship_to.unwrap();
    assert_eq!((to.country.as_str(), forgotten.user_id, forgotten.lines), ("GB", None, shipment().lines));
    let personal = [to.name, to.street, to.city, to.postal_code, to.state.unwrap_or_default()];
    assert!(personal.iter().all(String::is_empty));
}

#[test]
fn a_status_survives_its_name() {
    for &status in Status::ALL {
        assert_eq!(status.as_str().parse(), Ok(status));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Paid,
    Cancel,
    /// One of [`refunds`].
    Refund(usize),
    Dispatch(usize, Option<Vec<(u128, i64)>>),
    Deliver(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let part = prop::option::weighted(0.8, prop::collection::vec((1_u128..=3, 1_i64..4), 1..4));
    let step = prop_oneof![
        2 => Just(Step::Paid),
        1 => Just(Step::Cancel),
        2 => (0..refunds().len()).prop_map(Step::Refund),
        6 => (0_usize..4, part).prop_map(|(at, part)| Step::Dispatch(at, part)),
        3 => (0_usize..4).prop_map(Step::Deliver),
    ];
    prop::collection::vec(step, 0..30)
}

/// Refunds of the order of these tests. The last asks for more than there is.
fn refunds() -> [Refund; 3] {
    [refund(1, &[(1, 2)]), refund(2, &[(2, 1), (1, 1)]), refund(3, &[(1, 9), (2, 9)])]
}

/// An order's shipments, and all that was published about them.
#[derive(Default)]
struct Order {
    shipments: Vec<Shipment>,
    ids: u128,
    is_paid: bool,
    /// Those that are kept.
    refunds: Vec<Refund>,
    dispatched: Vec<ShipmentId>,
    /// Units that left.
    left: Vec<ShipmentLine>,
    /// The latest units that will not leave, by shipment.
    reduced: BTreeMap<ShipmentId, Vec<ShipmentLine>>,
    delivered: Vec<ShipmentId>,
    answers: Vec<ShipmentStopped>,
}

impl Order {
    fn take(&mut self, step: &Step) {
        self.ids += 1;
        let (id, now) = (id(self.ids), now() + SignedDuration::from_secs(1));
        match step {
            Step::Paid => {
                self.is_paid = true;
                match paid(&order(Some(address())), self.shipments.first(), &self.refunds, id, now) {
                    Some(Paid::New(shipment)) => self.shipments.push(shipment),
                    Some(Paid::Known(shipment, event)) => {
                        self.put(shipment);
                        self.reduced.extend(event.map(|event| (event.shipment_id, event.lines)));
                    }
                    None => {}
                }
            }
            Step::Refund(at) => {
                let refund = &refunds()[*at];
                if self.refunds.contains(refund) {
                    return;
                }
                self.refunds.push(refund.clone());
                match withhold(refund, &self.shipments, id, now) {
                    Withheld::From(all) => {
                        for Reduced { shipment, event } in all {
                            self.put(shipment);
                            self.reduced.insert(event.shipment_id, event.lines);
                        }
                    }
                    Withheld::BeforeOrder(shipment) => self.shipments.push(shipment),
                    Withheld::BeforePayment(shipment) => self.put(shipment),
                }
            }
            Step::Cancel => {
                let answer = cancel(&request(), &self.shipments, id, now);
                self.shipments.extend(answer.unpaid);
                answer.stopped.into_iter().for_each(|shipment| self.put(shipment));
                self.answers.push(answer.event);
            }
            Step::Dispatch(at, part) => {
                // Of one without a number nobody knows.
                let Some(shipment) = self.shipments.get(*at).filter(|it| it.number > 0) else { return };
                let Ok(dispatched) = shipment.dispatch(&departure(part.as_deref()), id, now) else { return };
                self.dispatched.push(dispatched.event.shipment_id);
                self.left.extend(dispatched.event.lines);
                self.put(dispatched.shipment);
                self.shipments.extend(dispatched.rest);
            }
            Step::Deliver(at) => {
                let Some(shipment) = self.shipments.get(*at) else { return };
                let Ok((delivered, event)) = shipment.deliver("automation", now) else { return };
                self.delivered.push(event.shipment_id);
                self.put(delivered);
            }
        }
    }

    /// Commits a transition.
    fn put(&mut self, after: Shipment) {
        let stored = self.shipments.iter_mut().find(|it| it.shipment_id == after.shipment_id).unwrap();
        assert_eq!(stored.version, after.version, "the commit is guarded by the version that was read");
        *stored = Shipment { version: after.version.next(), ..after };
    }

    fn in_status(&self, status: Status) -> usize {
        self.shipments.iter().filter(|shipment| shipment.status == status).count()
    }

    /// Shipments that a cancellation stopped, and not the loss of all their units.
    fn cancelled(&self) -> usize {
        let stopped = self.shipments.iter().filter(|it| it.status == Status::Stopped);
        stopped.filter(|it| !it.lines.is_empty() || it.withheld.is_empty()).count()
    }

    /// Units in shipments, and units that were withheld.
    fn units(&self) -> BTreeMap<ProductId, i64> {
        totals_of(self.shipments.iter().flat_map(|it| it.lines.iter().chain(&it.withheld)))
    }

    fn withheld(&self) -> BTreeMap<ProductId, i64> {
        totals_of(self.shipments.iter().flat_map(|it| &it.withheld))
    }
}

fn totals_of<'a>(lines: impl IntoIterator<Item = &'a ShipmentLine>) -> BTreeMap<ProductId, i64> {
    totals(lines.into_iter().map(|line| (line.product_id, line.quantity)))
}

fn ordered() -> BTreeMap<ProductId, i64> {
    totals(UNITS.map(|(number, units)| (product(number), units)))
}

proptest! {
    /// Whatever comes in whatever order, no unit both leaves and is sold again: what left and what was published as
    /// withheld are together no more than was ordered. And whatever is refunded, the rest can be sent to its end.
    #[test]
    fn no_unit_leaves_and_is_sold_again(steps in steps()) {
        let mut seen = Order::default();
        for step in steps.iter().chain([&Step::Paid]) {
            seen.take(step);
            let published = totals_of(seen.reduced.values().flatten());
            prop_assert_eq!(&published, &seen.withheld());
            let both = totals_of(seen.left.iter().chain(seen.reduced.values().flatten()));
            prop_assert!(both.iter().all(|(product_id, units)| *units <= ordered()[product_id]), "{both:?}");
        }
        for at in 0..seen.shipments.len() {
            seen.take(&Step::Dispatch(at, None));
            seen.take(&Step::Deliver(at));
        }
        prop_assert_eq!(seen.in_status(Status::Delivered) + seen.in_status(Status::Stopped), seen.shipments.len());
        if seen.cancelled() == 0 {
            prop_assert_eq!(totals_of(seen.left.iter().chain(seen.reduced.values().flatten())), ordered());
        }
    }

    /// Refunds, the payment and a cancellation may come in any order, and twice: before anything left the end is the same.
    #[test]
    fn a_refund_withholds_the_same_whenever_it_comes(
        is_cancelled: bool,
        steps in Just([Step::Paid, Step::Refund(0), Step::Refund(1), Step::Refund(0), Step::Paid].to_vec()).prop_shuffle(),
        at in 0_usize..6,
    ) {
        let mut steps = steps;
        if is_cancelled {
            steps.insert(at, Step::Cancel);
        }
        let mut seen = Order::default();
        for step in &steps {
            seen.take(step);
        }
        prop_assert_eq!(seen.units(), ordered());
        prop_assert_eq!((seen.shipments.len(), seen.shipments[0].number), (1, 1042));
        if is_cancelled {
            prop_assert_eq!(seen.in_status(Status::Stopped), 1);
        } else {
            prop_assert_eq!(seen.withheld(), totals([(product(1), 3), (product(2), 1)]));
            prop_assert_eq!(seen.in_status(Status::Pending), 1);
        }
    }

    /// Whatever comes in whatever order, no unit is lost or made, and each is in one shipment.
    #[test]
    fn units_are_conserved(steps in steps()) {
        let mut seen = Order::default();
        for step in steps {
            seen.take(&step);
            let expected = if seen.is_paid { ordered() } else { BTreeMap::new() };
            prop_assert_eq!(seen.units(), expected);
            prop_assert!(seen.in_status(Status::Pending) <= 1);
            let parts: Vec<i64> = seen.shipments.iter().map(|shipment| shipment.part).collect();
            prop_assert_eq!(parts, (1..).take(seen.shipments.len()).collect::<Vec<_>>());
        }
    }

    /// Each shipment leaves once and arrives once, and what arrived had left.
    #[test]
    fn each_step_of_a_shipment_is_published_once(steps in steps()) {
        let mut seen = Order::default();
        for step in steps {
            seen.take(&step);
            for shipment in &seen.shipments {
                let times = |ids: &[ShipmentId]| ids.iter().filter(|id| **id == shipment.shipment_id).count();
                let expected = match shipment.status {
                    Status::Pending | Status::Stopped => (0, 0),
                    Status::Dispatched => (1, 0),
                    Status::Delivered => (1, 1),
                };
                prop_assert_eq!((times(&seen.dispatched), times(&seen.delivered)), expected);
                prop_assert_eq!(shipment.dispatched_by.is_some(), expected.0 == 1);
                prop_assert_eq!(shipment.delivered_at.is_some(), expected.1 == 1);
            }
        }
    }

    /// An order is cancelled or shipped, never both, and the answer stays, however often it is asked for.
    #[test]
    fn a_cancellation_is_answered_once_and_for_all(steps in steps()) {
        let mut seen = Order::default();
        let mut units_left = 0;
        for step in steps {
            let asked_before = seen.answers.len();
            seen.take(&step);
            let has_left = !seen.dispatched.is_empty();
            prop_assert!(!(has_left && seen.cancelled() > 0));
            let Some(first) = seen.answers.first() else { continue };
            prop_assert_eq!(first.left.is_empty(), !has_left);
            let latest = seen.answers.last().unwrap();
            prop_assert_eq!(latest.left.is_empty(), !has_left);
            if has_left {
                prop_assert!(latest.stopped.is_empty());
            } else {
                prop_assert_eq!(seen.in_status(Status::Stopped), seen.shipments.len());
            }
            if seen.answers.len() > asked_before {
                let units = |contents: &[ShipmentContent]| -> i64 {
                    contents.iter().flat_map(|it| &it.lines).map(|line| line.quantity).sum()
                };
                let (stopped, left) = (units(&latest.stopped), units(&latest.left));
                prop_assert!(left >= units_left);
                units_left = left;
                let all = UNITS.iter().map(|(_, units)| units).sum::<i64>() - seen.withheld().values().sum::<i64>();
                prop_assert_eq!(stopped, if seen.is_paid && !has_left { all } else { 0 });
            }
        }
    }
}
