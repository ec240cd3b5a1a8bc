//! Units that were refunded before they left: whatever is learnt first, the order ends up the same.

use events::ShipmentReduced;

use super::*;

/// Units of the order of these tests, and the price of each.
const UNITS: i64 = 3;
const PRICE: i64 = 500;

/// The shipment from which units are withheld. Each unit that leaves does so in a shipment of its own.
const WAITING: u128 = 9;

pub(super) fn reduced(shipment_id: u128, units: i64) -> ShipmentReduced {
    let Shipment { shipment_id, lines, .. } = shipment(shipment_id, units, ShipmentStatus::Dispatched);
    ShipmentReduced { shipment_id, order_id: Uuid::from_u128(7).into(), lines }
}

/// Shipping sends and withholds no more units than were ordered.
pub(super) fn is_possible(decision: &Decision) -> bool {
    let order = &decision.order;
    let left = order.shipments.iter().flat_map(|shipment| &shipment.lines);
    let withheld = order.withheld.iter().flat_map(|withheld| &withheld.lines);
    left.chain(withheld).map(|line| line.quantity).sum::<i64>() <= order.units()
}

fn paid_order() -> Order {
    let placed = place(draft(vec![(1, UNITS)], Some("tok_ok")), &[product(1, PRICE)], &[], now()).unwrap();
    let reserved = stored(placed.stock_reserved(payment(1), now(), ttl()).unwrap());
    stored(reserved.payment_captured(payment(1), now()).unwrap())
}

fn after(order: Order, decision: Option<Decision>) -> Order {
    decision.map_or(order, stored)
}

#[test]
fn an_order_is_shipped_and_delivered_without_the_units_that_were_withheld() {
    let order = paid_order();
    let order = after(order.clone(), order.shipment_moved(shipment(1, 1, ShipmentStatus::Dispatched), now()));
    assert_eq!(order.status, Status::Paid);
    let moved = order.shipment_reduced(&reduced(WAITING, 2), now()).unwrap();
    assert!(
        matches!(&moved.event, Some(OrderEvent::Updated(news)) if news.status == "shipped" && news.reason.is_none())
    );
    let order = stored(moved);
    let moved = order.shipment_moved(shipment(1, 1, ShipmentStatus::Delivered), now()).unwrap();
    assert!(matches!(&moved.event, Some(OrderEvent::Updated(news)) if news.status == "delivered"));
    assert_eq!(moved.order.status, Status::Delivered);
}

#[test]
fn an_order_of_which_nothing_is_sent_is_refunded_and_never_said_to_have_arrived() {
    let back = refund(payment(1), 400);
    let order = paid_order();
    let withheld = stored(order.shipment_reduced(&reduced(WAITING, UNITS), now()).unwrap());
    assert_eq!(withheld.status, Status::Paid, "the refund is not known yet");
    let last_is_refund = withheld.payment_refunded(&back, now()).unwrap();
    let last_is_shipping = after(order.clone(), order.payment_refunded(&back, now()));
    let last_is_shipping = last_is_shipping.shipment_reduced(&reduced(WAITING, UNITS), now()).unwrap();
    for ended in [last_is_refund, last_is_shipping] {
        assert_eq!((ended.order.status, ended.has_moved), (Status::Refunded, true));
        let Some(OrderEvent::Updated(news)) = &ended.event else { panic!("the end is reported") };
        assert_eq!(news.reason.as_deref(), Some(events::orders::NOT_SENT));
        assert_eq!(stored(ended).cancel("customer", now()), Err(CannotCancel::TooLate(Status::Refunded)));
    }
}

#[test]
fn an_older_event_about_a_shipment_changes_nothing() {
    let order = stored(paid_order().shipment_reduced(&reduced(WAITING, 2), now()).unwrap());
    assert_eq!(order.shipment_reduced(&reduced(WAITING, 2), now()), None);
    assert_eq!(order.shipment_reduced(&reduced(WAITING, 1), now()), None);
    let more = order.shipment_reduced(&reduced(WAITING, 3), now()).unwrap();
    assert_eq!(more.order.withheld.len(), 1);
}

/// The outcome of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Left,
    Arrived,
    Withheld,
}

#[derive(Clone, Debug)]
enum Fact {
    Moved(u128, ShipmentStatus),
    Reduced(i64),
    /// The sum of what went back.
    Refunded(i64),
    /// Shipping has answered a cancellation.
    Stopped,
}

/// Everything that others report about an order.
#[derive(Clone, Debug)]
struct History {
    outcomes: Vec<Outcome>,
    refunded: i64,
    /// It was to be cancelled.
    is_asked: bool,
    facts: Vec<Fact>,
}

impl History {
    fn has_left(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Left | Outcome::Arrived))
    }

    /// The end that the facts have, in whatever order they are learnt.
    fn end(&self) -> Status {
        let has = |outcome| self.outcomes.contains(&outcome);
        let is_all_back = self.refunded == UNITS * PRICE;
        match () {
            () if self.is_asked && !self.has_left() => Status::Cancelled,
            () if self.outcomes.iter().all(|outcome| *outcome == Outcome::Withheld) => Status::Refunded,
            () if has(Outcome::Waits) => Status::Paid,
            () if has(Outcome::Left) => Status::Shipped,
            () if is_all_back => Status::Refunded,
            () => Status::Delivered,
        }
    }

    fn take(&self, order: &Order, fact: &Fact) -> Option<Decision> {
        match fact {
            Fact::Moved(id, status) => order.shipment_moved(shipment(*id, 1, *status), now()),
            Fact::Reduced(units) => order.shipment_reduced(&reduced(WAITING, *units), now()),
            Fact::Refunded(total) => order.payment_refunded(&refund(payment(1), *total), now()),
            Fact::Stopped => order.shipment_stopped(self.has_left(), now()),
        }
    }
}

fn history() -> impl Strategy<Value = History> {
    let outcome =
        prop_oneof![Just(Outcome::Waits), Just(Outcome::Left), Just(Outcome::Arrived), Just(Outcome::Withheld)];
    let outcomes = prop::collection::vec(outcome, usize::try_from(UNITS).unwrap());
    (outcomes, 0..=UNITS, any::<bool>()).prop_flat_map(|(outcomes, refunds, is_asked)| {
        let mut facts = Vec::new();
        for (id, outcome) in (1..).zip(&outcomes) {
            if matches!(outcome, Outcome::Left | Outcome::Arrived) {
                facts.push(Fact::Moved(id, ShipmentStatus::Dispatched));
            }
            if *outcome == Outcome::Arrived {
                facts.push(Fact::Moved(id, ShipmentStatus::Delivered));
            }
        }
        let withheld =
            (1..).zip(outcomes.iter().filter(|outcome| **outcome == Outcome::Withheld)).map(|(units, _)| units);
        facts.extend(withheld.map(Fact::Reduced));
        // Nothing is withheld without a refund.
        let refunds = refunds.max(i64::from(outcomes.contains(&Outcome::Withheld)));
        facts.extend((1..=refunds).map(|times| Fact::Refunded(times * PRICE)));
        facts.extend(is_asked.then_some(Fact::Stopped));
        let twice = [facts.clone(), facts].concat();
        let history = move |facts| History { outcomes: outcomes.clone(), refunded: refunds * PRICE, is_asked, facts };
        Just(twice).prop_shuffle().prop_map(history)
    })
}

/// True if this event has its customer mailed that the order arrived.
fn reports_arrival(event: &OrderEvent) -> bool {
    let OrderEvent::Updated(news) = event else { return false };
    let is_there = |status: &str| ["delivered", "refunded"].contains(&status);
    is_there(&news.status) && !is_there(&news.previous_status) && news.reason.as_deref() != Some("not_sent")
}

proptest! {
    /// News of shipping and payments comes in any order, and twice: the order ends where the facts have it, and its
    /// arrival is reported once, if it arrived.
    #[test]
    fn the_news_of_an_order_may_come_in_any_order(history in history()) {
        let mut order = paid_order();
        if history.is_asked {
            order = stored(order.cancel("customer", now()).unwrap().unwrap());
        }
        let mut arrivals = 0;
        for fact in &history.facts {
            let Some(decision) = history.take(&order, fact) else { continue };
            prop_assert!(may_follow(order.status, decision.order.status), "{:?} by {fact:?}", order.status);
            arrivals += decision.event.iter().filter(|event| reports_arrival(event)).count();
            order = stored(decision);
        }
        prop_assert_eq!(order.status, history.end());
        prop_assert_eq!(order.refunded, history.refunded);
        let withheld: i64 = order.withheld.iter().flat_map(|it| &it.lines).map(|line| line.quantity).sum();
        let expected = history.outcomes.iter().filter(|outcome| **outcome == Outcome::Withheld).count();
        prop_assert_eq!(withheld, i64::try_from(expected).unwrap());
        let has_arrived = history.outcomes.contains(&Outcome::Arrived);
        let is_there = matches!(order.status, Status::Delivered | Status::Refunded);
        prop_assert_eq!(arrivals, usize::from(has_arrived && is_there));
    }
}
