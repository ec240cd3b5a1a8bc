use std::collections::BTreeSet;

use events::orders::{NOT_SENT, OrderLine};
use kernel::{Currency, Money, TimeZone, Uuid, Version};
use proptest::prelude::*;

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Calendar {
    Calendar::new(TimeZone::get(name).unwrap())
}

fn id<T: From<Uuid>>(n: u128) -> T {
    Uuid::from_u128(n).into()
}

fn euros(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

fn line(product: u128, quantity: i64, price: i64) -> OrderLine {
    OrderLine {
        product_id: id(product),
        sku: format!("sku-{product}"),
        name: "a product".to_owned(),
        quantity,
        unit_price: euros(price),
    }
}

fn placed(order: u128, lines: Vec<OrderLine>) -> Fact {
    let total = euros(lines.iter().map(|line| line.unit_price.amount * line.quantity).sum());
    Fact::Placed(OrderPlaced {
        order_id: id(order),
        number: 1,
        user_id: None,
        email: String::new(),
        ship_to: None,
        lines,
        total,
        wait_for_stock: false,
    })
}

fn paid(order: u128, lines: Vec<OrderLine>) -> Fact {
    let amount = euros(lines.iter().map(|line| line.unit_price.amount * line.quantity).sum());
    Fact::Paid(OrderPaid {
        order_id: id(order),
        number: 1,
        user_id: None,
        email: String::new(),
        payment_id: id(order),
        amount,
        ship_to: None,
        lines,
    })
}

fn updated(order: u128, previous: &str, status: &str, reason: Option<&str>) -> Fact {
    Fact::Updated(OrderUpdated {
        order_id: id(order),
        number: 1,
        email: String::new(),
        previous_status: previous.to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        shipment: None,
        refund: None,
    })
}

fn cancelled(order: u128) -> Fact {
    Fact::Cancelled(OrderCancelled {
        order_id: id(order),
        number: 1,
        email: String::new(),
        reason: String::new(),
        payment_id: None,
        error: None,
        cancelled_by: None,
        lines: Vec::new(),
        was_paid: false,
    })
}

fn refunded(order: u128, amount: i64) -> Fact {
    Fact::Refunded(PaymentRefunded {
        payment_id: id(order),
        refund_id: None,
        order_id: id(order),
        amount: euros(amount),
        refunded_total: None,
        restock: Vec::new(),
        reason: None,
        of_cancellation: None,
    })
}

fn reviewed(product: u128, rating: i64, previous_rating: Option<i64>) -> Fact {
    Fact::Reviewed(ProductReviewed {
        review_id: id(product),
        product_id: id(product),
        user_id: id(1),
        rating,
        previous_rating,
        comment: String::new(),
    })
}

fn removed(product: u128, rating: i64) -> Fact {
    let (review_id, product_id, user_id) = (id(product), id(product), id(1));
    Fact::ReviewRemoved(ProductReviewRemoved { review_id, product_id, user_id, rating, hidden_by: None })
}

fn named(product: u128, version: i64) -> Fact {
    Fact::Named(id(product), Name { sku: format!("sku-{version}"), name: "a product".to_owned(), version })
}

fn at(time: Timestamp, sequence: i64, bucket: i64, fact: Fact) -> Observed {
    let event_type = match &fact {
        Fact::Other => "users.user_registered.v1",
        Fact::Placed(_) => "orders.order_placed.v1",
        _ => "orders.order_updated.v1",
    };
    Observed { event_type: event_type.to_owned(), time, sequence, bucket, fact }
}

/// All that is kept: the sums of all batches, and the orders.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    sums: Sums,
    orders: HashMap<OrderId, Order>,
}

impl Kept {
    /// Reads, decides and commits a batch, as the store does it.
    fn take(&mut self, observed: &[Observed], calendar: &Calendar) {
        let asked: BTreeSet<OrderId> = orders_of(observed).into_iter().collect();
        let known = self.orders.iter().filter(|(order_id, _)| asked.contains(order_id));
        let known: HashMap<_, _> = known.map(|(order_id, order)| (*order_id, order.clone())).collect();
        let Changes { sums, orders } = fold(observed, &known, calendar);
        for (order_id, (before, mut after)) in orders {
            assert_eq!(before.as_ref(), self.orders.get(&order_id), "it is changed as it was read");
            after.version = Some(after.version.map_or(Version::FIRST, Version::next));
            self.orders.insert(order_id, after);
        }
        self.add(sums);
    }

    fn add(&mut self, sums: Sums) {
        for (key, added) in sums.days {
            let day = self.sums.days.entry(key).or_default();
            day.orders += added.orders;
            day.units += added.units;
            day.sales += added.sales;
            day.refunds += added.refunds;
            day.refunded += added.refunded;
        }
        for (key, added) in sums.product_days {
            let day = self.sums.product_days.entry(key).or_default();
            day.orders += added.orders;
            day.units += added.units;
            day.sales += added.sales;
        }
        for (key, added) in sums.ratings {
            let ratings = self.sums.ratings.entry(key).or_default();
            ratings.iter_mut().zip(added).for_each(|(rating, added)| *rating += added);
        }
        for (key, added) in sums.counts {
            *self.sums.counts.entry(key).or_default() += added;
        }
        for (key, added) in sums.minutes {
            match self.sums.minutes.get_mut(&key) {
                Some(counted) if counted.minute == added.minute => counted.events += added.events,
                Some(counted) if counted.minute > added.minute => {}
                _ => drop(self.sums.minutes.insert(key, added)),
            }
        }
        for (product_id, name) in sums.names {
            self.sums.name(product_id, &name);
        }
    }

    /// As it is read: without what adds up to nothing, and whatever the versions of rows are.
    fn settled(mut self) -> Self {
        self.sums.drop_zeros();
        self.orders.values_mut().for_each(|order| order.version = None);
        self
    }
}

/// The whole history in one batch.
fn in_one(observed: &[Observed], calendar: &Calendar) -> Kept {
    let mut kept = Kept::default();
    kept.take(observed, calendar);
    kept.settled()
}

fn count(kept: &Kept, measure: Measure, label: &str) -> i64 {
    let of_label = kept.sums.counts.iter().filter(|((of, name, _), _)| *of == measure && name == label);
    of_label.map(|(_, count)| count).sum()
}

#[test]
fn a_day_begins_at_midnight_of_its_zone() {
    let berlin = zone("Europe/Berlin");
    let day = |zone, text: &str| text_of_day(berlin.day(zone, time(text)));
    assert_eq!(day(Zone::Utc, "2026-01-31T23:30:00Z"), "2026-01-31");
    assert_eq!(day(Zone::Shop, "2026-01-31T23:30:00Z"), "2026-02-01");
    // Summer time began on 29 March at 01:00 UTC: midnight was at 23:00 UTC before it, and at 22:00 after it.
    assert_eq!(day(Zone::Shop, "2026-03-28T22:59:59Z"), "2026-03-28");
    assert_eq!(day(Zone::Shop, "2026-03-28T23:00:00Z"), "2026-03-29");
    assert_eq!(day(Zone::Shop, "2026-03-29T21:59:59Z"), "2026-03-29");
    assert_eq!(day(Zone::Shop, "2026-03-29T22:00:00Z"), "2026-03-30");
    assert_eq!(zone("America/New_York").day(Zone::Shop, time("1970-01-01T00:00:00Z")), -1);
}

#[test]
fn a_shop_in_utc_keeps_each_day_once() {
    let utc = zone("UTC");
    assert_eq!((utc.name(), utc.kept(), utc.kept_as(Zone::Shop)), ("UTC", &[Zone::Utc][..], Zone::Utc));
    let berlin = zone("europe/berlin");
    assert_eq!((berlin.name(), berlin.kept().len(), berlin.kept_as(Zone::Shop)), ("Europe/Berlin", 2, Zone::Shop));
}

#[test]
fn a_date_is_read_as_it_is_written() {
    for text in ["1970-01-01", "2024-02-29", "2026-12-31", "1969-12-31"] {
        assert_eq!(text_of_day(day_of_text(text).unwrap()), text);
    }
    for bad in ["", "2026-1-1", "2026-02-29", "20260101", "2026-01-01T00:00:00Z", "2026-13-01", "-026-01-01", "२०२६"]
    {
        assert_eq!(day_of_text(bad), None, "{bad}");
    }
}

#[test]
fn an_average_is_rounded_to_the_nearest() {
    assert_eq!(average(0, 0), None);
    assert_eq!([average(10, 4), average(9, 4), average(-10, 4), average(1, 3)], [Some(3), Some(2), Some(-3), Some(0)]);
    assert_eq!(average(i64::MAX, 1), Some(i64::MAX));
    assert_eq!((ratio(2, 10_000, 3), ratio(1, 100, 8)), (Some(6_667), Some(13)));
}

#[test]
fn a_sale_counts_on_the_day_of_its_payment_and_a_refund_on_its_own() {
    let berlin = zone("Europe/Berlin");
    let (sold, back) = (time("2026-01-31T23:30:00Z"), time("2026-02-02T10:00:00Z"));
    let lines = vec![line(1, 2, 500), line(2, 1, 250), line(1, 1, 500)];
    let kept = in_one(&[at(sold, 3, 0, paid(7, lines)), at(back, 9, 0, refunded(7, 600))], &berlin);
    let day = |zone, text: &str| kept.sums.days[&(zone, day_of_text(text).unwrap(), Currency::EUR, 0)];
    let sale = DaySums { orders: 1, units: 4, sales: 1_750, ..DaySums::default() };
    let refund = DaySums { refunds: 1, refunded: 600, ..DaySums::default() };
    assert_eq!((day(Zone::Utc, "2026-01-31"), day(Zone::Shop, "2026-02-01")), (sale, sale));
    assert_eq!((day(Zone::Utc, "2026-02-02"), day(Zone::Shop, "2026-02-02")), (refund, refund));
    let product = kept.sums.product_days[&(Zone::Utc, day_of_text("2026-01-31").unwrap(), id(1), Currency::EUR, 0)];
    assert_eq!(product, ProductSums { orders: 1, units: 3, sales: 1_500 }, "two lines of a product are of one order");
}

#[test]
fn an_order_has_the_status_of_its_newest_event_and_all_steps_that_it_reached() {
    let now = time("2026-01-01T12:00:00Z");
    let story = [
        (1, placed(1, Vec::new())),
        (2, updated(1, "placed", "reserved", None)),
        (3, paid(1, Vec::new())),
        (4, updated(1, "paid", "shipped", None)),
        (5, updated(1, "shipped", "refunded", None)),
        // The refund of what was refunded already is no step.
        (6, updated(1, "refunded", "refunded", None)),
    ];
    let story: Vec<Observed> = story.into_iter().map(|(sequence, fact)| at(now, sequence, 0, fact)).collect();
    let kept = in_one(&story, &zone("UTC"));
    assert_eq!(count(&kept, Measure::Status, "refunded"), 1);
    for (step, label) in Step::ALL.iter().map(|step| (step, step.as_str())) {
        assert_eq!(count(&kept, Measure::Step, label), 1, "{step:?}: it arrived, and then its money went back");
    }
    for status in ["placed", "reserved", "paid", "shipped"] {
        assert_eq!(count(&kept, Measure::Status, status), 0, "{status}");
    }
    let never_sent = in_one(&[at(now, 5, 0, updated(2, "paid", "refunded", Some(NOT_SENT)))], &zone("UTC"));
    assert_eq!(count(&never_sent, Measure::Step, "delivered"), 0);
    // An order that could not be cancelled any more, and one whose end was emitted again.
    let again = [(7, Fact::CancellationRequested(id(3))), (8, updated(3, "cancelling", "shipped", None))];
    let ended = [(4, cancelled(4)), (5, cancelled(4))];
    let all = again.into_iter().chain(ended).map(|(sequence, fact)| at(now, sequence, 0, fact));
    let kept = in_one(&all.collect::<Vec<_>>(), &zone("UTC"));
    assert_eq!((count(&kept, Measure::Status, "shipped"), count(&kept, Measure::Status, "cancelled")), (1, 1));
    assert_eq!(count(&kept, Measure::Status, "cancelling"), 0);
}

#[test]
fn a_minute_gives_its_row_to_the_one_two_days_later() {
    let first = time("2026-01-01T12:00:30Z");
    let later = time("2026-01-03T12:00:01Z");
    let kept = |times: &[Timestamp]| {
        let observed: Vec<Observed> = times.iter().map(|time| at(*time, 1, 0, Fact::Other)).collect();
        let mut kept = Kept::default();
        observed.chunks(2).for_each(|batch| kept.take(batch, &zone("UTC")));
        kept.sums.minutes.into_values().collect::<Vec<_>>()
    };
    let minute = |time: Timestamp, events| MinuteCount { minute: time.as_second() / 60, events };
    assert_eq!(kept(&[first, first, first]), [minute(first, 3)]);
    for order in [[first, first, later, later, first], [later, first, first, first, later]] {
        assert_eq!(kept(&order), [minute(later, 2)]);
    }
}

/// A life of an order, from what happens to it next: each choice that its status doesn't allow is left out.
fn life(order: u128, choices: &[u8], times: &[i64]) -> Vec<Observed> {
    let mut status = "placed";
    let lines = || vec![line(order % 3, 1 + i64::try_from(order).unwrap(), 199), line(9, 1, 1)];
    let mut facts = vec![placed(order, lines())];
    for choice in choices {
        let fact = match (status, choice % 8) {
            ("placed", 0) => updated(order, "placed", "rejected", None),
            ("placed", _) => updated(order, "placed", "reserved", None),
            ("reserved", 0) => cancelled(order),
            ("reserved", _) => paid(order, lines()),
            ("paid", 0) => Fact::CancellationRequested(id(order)),
            ("paid", 1) => updated(order, "paid", "refunded", Some(NOT_SENT)),
            ("paid", _) => updated(order, "paid", "shipped", None),
            ("cancelling", 0..4) => cancelled(order),
            ("cancelling", 4) => Fact::CancellationRequested(id(order)),
            ("cancelling", _) => updated(order, "cancelling", "shipped", None),
            ("shipped", 0) => updated(order, "shipped", "refunded", None),
            ("shipped", _) => updated(order, "shipped", "delivered", None),
            ("delivered", 0..3) => updated(order, "delivered", "refunded", None),
            ("delivered", 3) => updated(order, "delivered", "delivered", None),
            ("cancelled", 0) => cancelled(order),
            _ => continue,
        };
        status = match &fact {
            Fact::Paid(_) => "paid",
            Fact::CancellationRequested(_) => "cancelling",
            Fact::Cancelled(_) => "cancelled",
            Fact::Updated(updated) => ["rejected", "reserved", "shipped", "delivered", "refunded"]
                .into_iter()
                .find(|it| *it == updated.status)
                .unwrap(),
            _ => status,
        };
        facts.push(fact);
    }
    let began = time("2026-03-28T20:00:00Z").as_second();
    let bucket = i64::try_from(order % 2).unwrap();
    let times = times.iter().cycle();
    (1..)
        .zip(facts)
        .zip(times)
        .map(|((sequence, fact), minutes)| {
            at(Timestamp::from_second(began + minutes * 60).unwrap(), sequence, bucket, fact)
        })
        .collect()
}

/// Facts that are about no order's status.
fn others() -> impl Strategy<Value = Fact> {
    prop_oneof![
        (0..3_u128, 1..6_i64, prop::option::of(1..6_i64)).prop_map(|(it, stars, before)| reviewed(it, stars, before)),
        (0..3_u128, 1..6_i64).prop_map(|(it, stars)| removed(it, stars)),
        (0..3_u128, 1..500_i64).prop_map(|(order, amount)| refunded(order, amount)),
        (0..3_u128, 1..6_i64).prop_map(|(it, version)| named(it, version)),
        Just(Fact::Other),
    ]
}

/// The answers as they are written down in the most simple way, from the whole history.
fn check_against_the_history(kept: &Kept, history: &[Observed], calendar: &Calendar) {
    let mut newest: HashMap<OrderId, &Observed> = HashMap::new();
    for it in history {
        let Some(order_id) = it.fact.order_id() else { continue };
        let known = newest.entry(order_id).or_insert(it);
        if it.sequence > known.sequence {
            *known = it;
        }
    }
    let status_of = |it: &Observed| match &it.fact {
        Fact::Placed(_) => "placed".to_owned(),
        Fact::Paid(_) => "paid".to_owned(),
        Fact::CancellationRequested(_) => "cancelling".to_owned(),
        Fact::Cancelled(_) => "cancelled".to_owned(),
        Fact::Updated(updated) => updated.status.clone(),
        _ => unreachable!("it is about an order"),
    };
    for status in
        ["placed", "reserved", "paid", "cancelling", "cancelled", "shipped", "delivered", "refunded", "rejected"]
    {
        let orders = newest.values().filter(|it| status_of(it) == status).count();
        assert_eq!(count(kept, Measure::Status, status), i64::try_from(orders).unwrap(), "{status}");
    }
    for zone in [Zone::Utc, Zone::Shop] {
        let mut sold: BTreeMap<i64, (i64, i64, i64, i64)> = BTreeMap::new();
        for it in history {
            let day = sold.entry(calendar.day(zone, it.time)).or_default();
            match &it.fact {
                Fact::Paid(paid) => (day.0, day.1) = (day.0 + 1, day.1 + paid.amount.amount),
                Fact::Refunded(refund) => (day.2, day.3) = (day.2 + 1, day.3 + refund.amount.amount),
                _ => {}
            }
        }
        sold.retain(|_, sums| *sums != (0, 0, 0, 0));
        let mut found: BTreeMap<i64, (i64, i64, i64, i64)> = BTreeMap::new();
        for ((of, day, ..), sums) in kept.sums.days.iter().filter(|((of, ..), _)| *of == zone) {
            assert_eq!(*of, zone);
            let day = found.entry(*day).or_default();
            *day = (day.0 + sums.orders, day.1 + sums.sales, day.2 + sums.refunds, day.3 + sums.refunded);
        }
        assert_eq!(found, sold);
    }
    let of_type = |name: &str| i64::try_from(history.iter().filter(|it| it.event_type == name).count()).unwrap();
    for name in ["users.user_registered.v1", "orders.order_placed.v1", "orders.order_updated.v1"] {
        assert_eq!(count(kept, Measure::Type, name), of_type(name));
    }
}

proptest! {
    /// Whatever the order in which events of several orders arrive, however they are divided into batches, and however
    /// often they are delivered: all sums are those of the history.
    #[test]
    fn the_sums_are_those_of_the_history_in_whatever_order_it_arrives(
        lives in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..5),
        others in prop::collection::vec(others(), 0..8),
        minutes in prop::collection::vec(0..4_000_i64, 1..6),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        batch in 1..20_usize,
    ) {
        let berlin = zone("Europe/Berlin");
        let mut history: Vec<Observed> =
            (0..).zip(&lives).flat_map(|(order, choices)| life(order, choices, &minutes)).collect();
        history.extend((0..).zip(others).map(|(n, fact)| {
            let minute = minutes[n % minutes.len()];
            at(Timestamp::from_second(time("2026-03-28T20:00:00Z").as_second() + minute * 60).unwrap(), 1, 2, fact)
        }));
        let expected = in_one(&history, &berlin);
        check_against_the_history(&expected, &history, &berlin);

        // Each at least once, in any order; the inbox drops what was handled.
        let mut arriving: Vec<usize> = shuffle.iter().map(|index| index.index(history.len())).collect();
        arriving.extend(0..history.len());
        let mut handled = BTreeSet::new();
        let mut kept = Kept::default();
        for batch in arriving.chunks(batch) {
            let new: Vec<Observed> =
                batch.iter().filter(|index| handled.insert(**index)).map(|index| history[*index].clone()).collect();
            kept.take(&new, &berlin);
        }
        prop_assert_eq!(kept.settled(), expected);
    }
}
