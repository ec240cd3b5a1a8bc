use kernel::{Currency, Money, Uuid};
use proptest::prelude::*;

use super::*;

fn level(product: u128, on_hand: i64) -> Level {
    Level {
        product_id: Uuid::from_u128(product).into(),
        sku: product.to_string(),
        name: "Thing".to_owned(),
        on_hand,
        reserved: 0,
        waiting: 0,
        low_stock_threshold: 2,
        is_low: false,
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
    assert!(shelf.changed()[0].shortage.is_some());
    let mut shelf = Shelf::new(shelf.changed().into_iter().map(|changed| changed.level));
    shelf.reserve(&[line(1, 1)]).unwrap();
    assert!(shelf.changed()[0].shortage.is_none());
}

#[test]
fn a_product_that_begins_below_its_threshold_is_short() {
    let created = |initial_stock| ProductCreated {
        product_id: Uuid::from_u128(1).into(),
        sku: "1".to_owned(),
        name: "Thing".to_owned(),
        description: String::new(),
        category: None,
        price: Money::new(100, Currency::EUR),
        initial_stock,
        low_stock_threshold: 5,
        version: 1,
    };
    let (level, shortage) = Level::opened(&created(5));
    assert!(level.is_low && shortage.is_some_and(|low| (low.available, low.threshold) == (5, 5)));
    assert_eq!(Level::opened(&created(6)).1, None);
}

#[test]
fn units_that_came_are_on_hand_if_their_stock_is_open() {
    let mut shelf = Shelf::new([level(1, 5), Level { is_closed: true, ..level(2, 1) }]);
    assert!(shelf.receive(&[line(1, 3), line(1, 1), line(2, 2)]));
    let on_hand: Vec<i64> = shelf.changed().iter().map(|changed| changed.level.on_hand).collect();
    assert_eq!(on_hand, [9, 3]);
    assert!(!Shelf::new([level(1, 5)]).receive(&[line(1, 1), line(3, 1)]));
}

#[test]
fn an_order_of_elsewhere_takes_all_its_units_or_none_and_holds_nothing() {
    let mut shelf = Shelf::new([level(1, 5), Level { waiting: 2, ..level(2, 4) }]);
    let refused = shelf.take(&[line(1, 5), line(2, 3)]);
    let Err(CannotReserve::TooLittle(short)) = refused else { panic!("{refused:?}") };
    assert_eq!((short[0].requested, short[0].available), (3, 2), "orders that wait come first");
    assert!(shelf.changed().is_empty());
    shelf.take(&[line(1, 2), line(2, 2), line(1, 3)]).unwrap();
    let levels: Vec<_> = shelf.changed().iter().map(|it| (it.level.on_hand, it.level.reserved)).collect();
    assert_eq!(levels, [(0, 0), (2, 0)]);
    assert!(matches!(shelf.take(&[line(3, 1)]), Err(CannotReserve::Unknown(_))));
}

#[test]
fn a_mirrored_level_is_what_its_owner_says_but_not_below_what_is_held() {
    for (said, on_hand, is_low) in [(9, 9, false), (4, 4, true), (1, 3, true), (-2, 3, true)] {
        let mut shelf = Shelf::new([Level { reserved: 3, ..level(1, 7) }]);
        assert!(shelf.mirror(Uuid::from_u128(1).into(), said));
        let changed = shelf.changed().pop().unwrap();
        assert_eq!((changed.level.on_hand, changed.shortage.is_some()), (on_hand, is_low), "{said}");
    }
    let mut shelf = Shelf::new([level(1, 7)]);
    assert!(shelf.mirror(Uuid::from_u128(1).into(), 7) && shelf.changed().is_empty());
    assert!(!shelf.mirror(Uuid::from_u128(2).into(), 7));
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
    Return(usize, i64),
    CancelPaid(usize),
    Adjust(i64),
    Receive(i64),
    Take(i64),
    Mirror(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_i64..20).prop_map(Step::Place),
        (0_usize..8).prop_map(Step::Pay),
        (0_usize..8).prop_map(Step::Cancel),
        (0_usize..8, 1_i64..20).prop_map(|(at, units)| Step::Return(at, units)),
        (0_usize..8).prop_map(Step::CancelPaid),
        (-20_i64..20).prop_map(Step::Adjust),
        (1_i64..20).prop_map(Step::Receive),
        (1_i64..20).prop_map(Step::Take),
        (-5_i64..50).prop_map(Step::Mirror),
    ]
}

/// A change of the stock (`Ok`), or of the threshold (`Err`).
fn level_change() -> impl Strategy<Value = Result<i64, i64>> {
    prop_oneof![(-10_i64..10).prop_map(Ok), (0_i64..20).prop_map(Err)]
}

proptest! {
    /// Each shortage is emitted when it begins, by whatever it begins, and once.
    #[test]
    fn a_shortage_is_emitted_once(start in 0_i64..20, changes in prop::collection::vec(level_change(), 0..40)) {
        let (mut now, begun) = level(1, start).noticed();
        prop_assert_eq!(begun.is_some(), start <= 2);
        for (version, change) in (2..).zip(changes) {
            let before = now.clone();
            let shortage = match change {
                Ok(delta) => {
                    let mut shelf = Shelf::new([now.clone()]);
                    let adjusted = shelf.adjust(now.product_id, delta);
                    match shelf.changed().pop() {
                        Some(changed) if adjusted.is_ok() => {
                            now = changed.level;
                            changed.shortage
                        }
                        _ => None,
                    }
                }
                Err(low_stock_threshold) => {
                    let product = ProductUpdated {
                        product_id: now.product_id,
                        sku: now.sku.clone(),
                        name: now.name.clone(),
                        description: String::new(),
                        category: None,
                        price: Money::new(100, Currency::EUR),
                        low_stock_threshold,
                        changed: Vec::new(),
                        version,
                    };
                    let (after, shortage) = now.clone().renamed(&product).unwrap();
                    prop_assert_eq!(after.clone().renamed(&product), None, "an older change is not newer");
                    now = after;
                    shortage
                }
            };
            let is_short = |level: &Level| level.available() <= level.low_stock_threshold;
            prop_assert_eq!(shortage.is_some(), is_short(&now) && !is_short(&before));
            prop_assert_eq!(now.is_low, is_short(&now));
        }
    }

    /// Whatever happens in whatever order, units are neither made nor lost, and never below zero.
    #[test]
    fn units_are_conserved(start in 0_i64..50, steps in prop::collection::vec(step(), 0..60)) {
        let mut shelf = Shelf::new([level(1, start)]);
        let (mut held, mut sold, mut stocked) = (Vec::new(), Vec::<Reservation>::new(), start);
        for step in steps {
            match step {
                Step::Place(quantity) => if shelf.reserve(&[line(1, quantity)]).is_ok() {
                    held.push(quantity);
                },
                Step::Pay(at) if at < held.len() => {
                    let quantity = held.swap_remove(at);
                    shelf.sell(&[line(1, quantity)]);
                    sold.push(Reservation {
                        order_id: Uuid::from_u128(7).into(),
                        status: Status::Sold,
                        lines: vec![line(1, quantity)],
                        held: Vec::new(),
                        returned: Vec::new(),
                        version: Version::FIRST,
                    });
                }
                Step::Return(at, units) if at < sold.len() => {
                    let back = sold[at].returnable(&[line(1, units), line(2, 1)]);
                    shelf.put_back(&back);
                    sold[at] = sold[at].with_returned(&back);
                }
                Step::CancelPaid(at) if at < sold.len() => shelf.put_back(&sold.swap_remove(at).outstanding()),
                Step::Cancel(at) if at < held.len() => shelf.release(&[line(1, held.swap_remove(at))]),
                Step::Adjust(delta) => if shelf.adjust(Uuid::from_u128(1).into(), delta).is_ok() {
                    stocked += delta;
                },
                Step::Receive(units) => {
                    prop_assert!(shelf.receive(&[line(1, units)]));
                    stocked += units;
                }
                Step::Take(units) => if shelf.take(&[line(1, units)]).is_ok() {
                    stocked -= units;
                },
                Step::Mirror(on_hand) => {
                    let before = shelf.levels[&Uuid::from_u128(1).into()].on_hand;
                    prop_assert!(shelf.mirror(Uuid::from_u128(1).into(), on_hand));
                    stocked += on_hand.max(held.iter().sum()) - before;
                }
                Step::Pay(_) | Step::Cancel(_) | Step::Return(..) | Step::CancelPaid(_) => {}
            }
            let now = &shelf.levels[&Uuid::from_u128(1).into()];
            let out: i64 = sold.iter().flat_map(Reservation::outstanding).map(|line| line.quantity).sum();
            prop_assert_eq!(now.on_hand + out, stocked);
            prop_assert_eq!(now.reserved, held.iter().sum::<i64>());
            prop_assert!(now.available() >= 0);
        }
    }
}
