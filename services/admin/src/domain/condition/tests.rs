use kernel::{Currency, Money, Uuid};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn shortage(version: i64, available: i64, threshold: i64) -> Fact {
    let (sku, name) = ("123".to_owned(), "Laptop".to_owned());
    Fact::StockLow(Shortage { version, sku, name, available, threshold, since: at(version) })
}

fn level(version: i64, available: i64) -> Fact {
    Fact::StockLevel(Level { version, available })
}

fn units(product: u128, quantity: i64) -> Units {
    Units { product_id: Uuid::from_u128(product).into(), name: format!("product {product}"), quantity }
}

fn received(version: i64, lines: Vec<Units>) -> Fact {
    let receipt_id = Uuid::from_u128(version.unsigned_abs().into()).into();
    Fact::Received(receipt_id, Receipt { version, lines })
}

fn overdue(version: i64, lines: Vec<Units>) -> Fact {
    let supplier = "orders@nordic.example".to_owned();
    Fact::OrderOverdue(Overdue { version, supplier, lines, expected_at: at(0) })
}

fn refund(number: u128, amount: i64, error: Option<&str>) -> Fact {
    let refund = Refund {
        order_id: Uuid::from_u128(1).into(),
        amount: Money::new(amount, Currency::EUR),
        error: error.map(str::to_owned),
        decided_at: at(0),
    };
    Fact::RefundDecided(Uuid::from_u128(number).into(), refund)
}

fn began(version: i64) -> Fact {
    Fact::Began(Switched { version, since: at(version), detail: format!("since {version}") })
}

fn after(kind: Kind, facts: &[Fact]) -> Condition {
    let mut condition = Condition::unknown(kind);
    for fact in facts {
        condition.learn(fact);
    }
    condition
}

fn detail(kind: Kind, facts: &[Fact]) -> Option<String> {
    after(kind, facts).finding().map(|finding| finding.detail)
}

#[test]
fn a_product_is_low_while_no_more_than_its_threshold_is_available() {
    let low = || shortage(5, 2, 3);
    let is_low = |facts: &[Fact]| after(Kind::LowStock, facts).finding().is_some();
    for (facts, expected) in [
        (vec![low()], true),
        (vec![low(), level(6, 1)], true),
        (vec![low(), level(6, 4)], false),
        (vec![low(), level(6, 4), level(7, 3), shortage(7, 3, 3)], true),
        // The older of two facts, whenever it arrives.
        (vec![low(), level(4, 9)], true),
        (vec![level(6, 4), low()], false),
        (vec![low(), level(6, 4), low()], false),
        (vec![low(), level(7, 4), level(6, 1)], false),
        (vec![low(), Fact::ProductDeleted], false),
        (vec![Fact::ProductDeleted, low()], false),
        (vec![low(), Fact::Threshold(2, 1)], false),
        (vec![low(), Fact::Threshold(3, 2), Fact::Threshold(2, 1)], true),
        (vec![level(6, 1)], false),
    ] {
        assert_eq!(is_low(&facts), expected, "{facts:?}");
    }
    let said = detail(Kind::LowStock, &[low(), level(6, 1)]);
    assert_eq!(said.as_deref(), Some("Laptop (123): 1 available, at or below the threshold of 3"));
}

#[test]
fn a_purchase_order_is_late_until_all_of_it_came_or_is_not_wanted() {
    let kind = Kind::PurchaseOrderOverdue;
    let ordered = || Fact::Ordered(1, vec![units(1, 20), units(2, 5)]);
    let first = || received(2, vec![units(1, 15), units(2, 5)]);
    let late = || overdue(3, vec![units(1, 5)]);
    assert_eq!(detail(kind, &[ordered(), first()]), None);
    let said = "5 × product 1 from orders@nordic.example, expected on 1970-01-01";
    assert_eq!(detail(kind, &[ordered(), first(), late()]).as_deref(), Some(said));
    assert_eq!(detail(kind, &[late(), first()]).as_deref(), Some(said), "what came before the report is in it");
    let partly = received(4, vec![units(1, 2)]);
    let said = "3 × product 1 from orders@nordic.example, expected on 1970-01-01";
    assert_eq!(detail(kind, &[ordered(), first(), late(), partly.clone(), partly.clone()]).as_deref(), Some(said));
    for end in [received(5, vec![units(1, 5)]), received(5, vec![units(1, 9)]), Fact::OrderCancelled] {
        assert_eq!(detail(kind, &[ordered(), first(), late(), end.clone()]), None, "{end:?}");
        assert_eq!(detail(kind, &[end.clone(), late(), first(), ordered()]), None, "{end:?}");
        assert_eq!(detail(kind, &[late(), end.clone()]), None, "of one that is forgotten here: {end:?}");
    }
    // Fewer are wanted, and all of them came.
    let changed = Fact::Ordered(6, vec![units(1, 15), units(2, 5)]);
    assert_eq!(detail(kind, &[ordered(), first(), late(), changed]), None);
}

#[test]
fn a_refund_that_failed_is_made_up_for_by_later_ones_that_give_back_as_much() {
    let kind = Kind::RefundFailed;
    let failed = || refund(5, 1_000, Some("the card is closed"));
    let said = "10.00 EUR of order 00000000-0000-0000-0000-000000000001 did not go back: the card is closed";
    for (others, is_open) in [
        (vec![], true),
        (vec![refund(4, 1_000, None)], true),
        (vec![refund(6, 999, None)], true),
        (vec![refund(6, 999, None), refund(7, 1, None)], false),
        (vec![refund(6, 1_000, None)], false),
        (vec![Fact::AllRefunded], false),
    ] {
        let expected = is_open.then_some(said);
        let (first, last) = ([vec![failed()], others.clone()].concat(), [others.clone(), vec![failed()]].concat());
        assert_eq!(detail(kind, &first).as_deref(), expected, "{others:?}");
        assert_eq!(detail(kind, &last).as_deref(), expected, "{others:?}");
    }
    assert_eq!(detail(kind, &[refund(5, 1_000, None)]), None);
}

#[test]
fn what_one_event_begins_another_ends() {
    let kind = Kind::OrderStuck;
    for (facts, expected) in [
        (vec![began(3)], Some("since 3")),
        (vec![began(3), Fact::Ended(4)], None),
        (vec![Fact::Ended(4), began(3)], None),
        (vec![began(3), Fact::Ended(2)], Some("since 3")),
        (vec![began(3), Fact::Ended(4), began(3)], None),
        (vec![began(3), Fact::Ended(4), began(5), Fact::Ended(4)], Some("since 5")),
    ] {
        assert_eq!(detail(kind, &facts).as_deref(), expected, "{facts:?}");
    }
}

#[test]
fn a_service_has_dead_letters_until_it_has_none() {
    let kind = Kind::DeadLetters;
    let asked = |count, seconds| {
        let newest = (count > 0).then(|| "orders.order_paid.v1".to_owned());
        Fact::DeadLetters { count, newest, asked_at: at(seconds) }
    };
    assert_eq!(after(kind, &[asked(0, 1)]).finding(), None);
    let one = after(kind, &[asked(0, 1), asked(1, 2)]).finding().unwrap();
    assert_eq!((one.since, one.detail.as_str()), (at(2), "1 dead letter, the newest of type orders.order_paid.v1"));
    let more = after(kind, &[asked(1, 2), asked(3, 3)]).finding().unwrap();
    assert_eq!((more.since, more.detail.as_str()), (at(2), "3 dead letters, the newest of type orders.order_paid.v1"));
    assert_eq!(after(kind, &[asked(1, 2), asked(0, 3)]).finding(), None);
    assert_eq!(after(kind, &[asked(1, 2), asked(0, 3), asked(1, 4)]).finding().unwrap().since, at(4));
}

#[test]
fn what_says_nothing_about_later_facts_is_not_kept() {
    let is_kept = |kind, fact: Fact| after(kind, &[fact]).is_kept();
    assert!(!is_kept(Kind::LowStock, level(6, 1)));
    assert!(!is_kept(Kind::OrderStuck, Fact::Ended(4)));
    assert!(is_kept(Kind::LowStock, shortage(5, 2, 3)) && is_kept(Kind::OrderStuck, began(3)));
    // Of another service, or of a refund that was asked for after one that fails later.
    assert!(is_kept(Kind::LowStock, Fact::ProductDeleted) && is_kept(Kind::LowStock, Fact::Threshold(2, 1)));
    assert!(is_kept(Kind::RefundFailed, refund(6, 1_000, None)));
}

/// Facts about a subject of some kind: each version, and each id, once.
fn facts() -> impl Strategy<Value = (Kind, Vec<Fact>)> {
    let versions = || prop::collection::btree_set(1_i64..40, 1..12);
    let low = versions().prop_flat_map(|versions| {
        let facts: Vec<_> = versions.into_iter().map(low_stock_fact).collect();
        (facts, any::<bool>()).prop_map(|(mut facts, is_deleted)| {
            facts.extend(is_deleted.then_some(Fact::ProductDeleted));
            (Kind::LowStock, facts)
        })
    });
    let purchase = versions().prop_flat_map(|versions| {
        let facts: Vec<_> = versions.into_iter().map(purchase_order_fact).collect();
        facts.prop_map(|facts| (Kind::PurchaseOrderOverdue, facts))
    });
    let refunds = versions().prop_flat_map(|ids| {
        let decided = |id: i64| {
            let id = id.unsigned_abs().into();
            (1_i64..5, any::<bool>()).prop_map(move |(amount, failed)| refund(id, amount, failed.then_some("no")))
        };
        let facts: Vec<_> = ids.into_iter().map(decided).collect();
        facts.prop_map(|facts| (Kind::RefundFailed, facts))
    });
    let switched = versions().prop_flat_map(|versions| {
        let fact = |version| prop_oneof![Just(began(version)), Just(Fact::Ended(version))];
        let facts: Vec<_> = versions.into_iter().map(fact).collect();
        facts.prop_map(|facts| (Kind::OrderStuck, facts))
    });
    prop_oneof![low, purchase, refunds, switched]
}

fn low_stock_fact(version: i64) -> impl Strategy<Value = Fact> {
    (0_i64..6, 0_u8..3).prop_map(move |(count, which)| match which {
        0 => shortage(version, count, 3),
        1 => level(version, count),
        _ => Fact::Threshold(version, count),
    })
}

fn purchase_order_fact(version: i64) -> impl Strategy<Value = Fact> {
    (1_i64..20, 1_u128..3, 0_u8..8).prop_map(move |(count, product, which)| match which {
        0 => Fact::OrderCancelled,
        1 | 2 => Fact::Ordered(version, vec![units(product, count)]),
        3 | 4 => overdue(version, vec![units(product, count)]),
        _ => received(version, vec![units(product, count)]),
    })
}

proptest! {
    #[test]
    fn facts_in_any_order_and_with_duplicates_end_in_the_same_condition(
        (kind, facts) in facts(),
        places in prop::collection::vec(any::<Index>(), 0..40),
        repeated in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let expected = after(kind, &facts);
        let mut arriving = facts.clone();
        for (place, index) in places.iter().zip(0..) {
            let other = index % arriving.len();
            arriving.swap(place.index(facts.len()), other);
        }
        for (which, place) in repeated.iter().zip(places.iter().rev()) {
            let duplicate = facts[which.index(facts.len())].clone();
            arriving.insert(place.index(arriving.len() + 1), duplicate);
        }
        let condition = after(kind, &arriving);
        prop_assert_eq!(condition.finding(), expected.finding());
        prop_assert_eq!(condition, expected);
    }

    #[test]
    fn a_subject_has_one_alert_at_a_time_which_says_what_is_found((kind, facts) in facts(), order in any::<prop::sample::Index>()) {
        use crate::domain::{Alert, Followed, follow};
        let mut condition = Condition::unknown(kind);
        let mut unresolved: Option<Alert> = None;
        let rotated = facts.iter().cycle().skip(order.index(facts.len())).take(facts.len() * 2);
        for (number, fact) in (1_u128..).zip(rotated) {
            condition.learn(fact);
            let finding = condition.finding();
            let raise = |finding: &Finding| Alert::raised(Uuid::from_u128(number).into(), kind, "a subject", finding);
            match follow(unresolved.as_ref(), finding.as_ref(), raise, at(0)) {
                Followed::Same => {}
                Followed::Raised(alert) => {
                    prop_assert!(unresolved.is_none());
                    unresolved = Some(alert);
                }
                Followed::Changed(alert) => unresolved = Some(alert),
                Followed::Resolved(_) => unresolved = None,
            }
            let said = unresolved.as_ref().map(|alert| (alert.since, alert.detail.as_str()));
            prop_assert_eq!(said, finding.as_ref().map(|finding| (finding.since, finding.detail.as_str())));
        }
    }
}
