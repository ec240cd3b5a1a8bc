//! Any sequence of decisions keeps the ratings equal to what the reviews say.

use std::collections::BTreeMap;

use kernel::Uuid;
use proptest::prelude::*;

use super::*;
use crate::domain::rating::Rating;

const CUSTOMERS: u128 = 4;
const PRODUCTS: u128 = 2;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn product(n: u128) -> ProductId {
    Uuid::from_u128(n).into()
}

fn content(stars: i64, comment: &str) -> Content {
    Content { stars: Stars::new(stars).unwrap(), comment: comment.to_owned() }
}

fn by(admin: &str) -> Hidden {
    Hidden { by: admin.to_owned(), reason: "off topic".to_owned() }
}

fn delivery(user: u128, product_of: u128) -> Delivered {
    let (user_id, product_id) = (Uuid::from_u128(user).into(), product(product_of));
    Delivered { user_id, product_id, is_barred: false, version: Version::FIRST }
}

fn first() -> Decision<ProductReviewed> {
    create(Uuid::from_u128(9).into(), delivery(1, 1), &content(4, "good"), Rated::never(product(1)), now())
}

/// Action of a customer, or of an admin about their review.
#[derive(Clone, Copy, Debug)]
enum Act {
    Write(i64, bool),
    Remove,
    RemoveAsAdmin,
    Hide,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..=5_i64, any::<bool>()).prop_map(|(stars, comments)| Act::Write(stars, comments)),
        1 => Just(Act::Remove),
        1 => Just(Act::RemoveAsAdmin),
        1 => Just(Act::Hide),
    ]
}

/// The tables, and what a reader of the events alone knows.
#[derive(Default)]
struct World {
    reviews: BTreeMap<(u128, u128), Review>,
    barred: BTreeSet<(u128, u128)>,
    rated: BTreeMap<u128, Rated>,
    followed: BTreeMap<u128, [i64; 5]>,
    ids: u128,
}

impl World {
    fn rated(&self, of: u128) -> Rated {
        self.rated.get(&of).copied().unwrap_or(Rated::never(product(of)))
    }

    /// As the store does: the new counts, under the next version.
    fn store(&mut self, of: u128, rated: Rated) {
        self.rated.insert(of, Rated { version: Some(rated.made()), ..rated });
    }

    fn follow(&mut self, of: u128, minus: Option<i64>, plus: Option<i64>) {
        let counts = self.followed.entry(of).or_default();
        for (stars, by) in [(minus, -1), (plus, 1)] {
            if let Some(stars) = stars {
                counts[usize::try_from(stars).unwrap() - 1] += by;
            }
        }
    }

    fn act(&mut self, user: u128, of: u128, act: Act) {
        let (key, rated) = ((user, of), self.rated(of));
        let existing = self.reviews.get(&key).cloned();
        match (act, existing) {
            (Act::Write(stars, comments), None) => {
                let delivered = Delivered { is_barred: self.barred.contains(&key), ..delivery(user, of) };
                let eligible =
                    Eligibility { product_is_deleted: false, delivered: Some(delivered), has_reviewed: false };
                let Ok(delivered) = eligible.check() else { return };
                self.ids += 1;
                let made = create(
                    Uuid::from_u128(self.ids).into(),
                    delivered,
                    &content(stars, if comments { "a" } else { "" }),
                    rated,
                    now(),
                );
                self.reviewed(key, made);
            }
            (Act::Write(stars, comments), Some(review)) => {
                let content = content(stars, if comments { "b" } else { "" });
                if let Ok(Some(made)) = change(&review, false, &content, rated, now()) {
                    self.reviewed(key, made);
                }
            }
            (Act::Hide, Some(review)) => {
                let Some(made) = hide(&review, by("automation"), rated, now()) else { return };
                self.follow(of, Some(made.event.rating), None);
                self.store(of, made.rated);
                self.reviews.insert(key, made.review);
            }
            (Act::Remove | Act::RemoveAsAdmin, Some(review)) => {
                let by_admin = matches!(act, Act::RemoveAsAdmin).then(|| "automation".to_owned());
                let Removal { counted, bars } = remove(&review, by_admin, rated);
                if let Some((rated, event)) = counted {
                    self.follow(of, Some(event.rating), None);
                    self.store(of, rated);
                }
                if bars {
                    self.barred.insert(key);
                }
                self.reviews.remove(&key);
            }
            (_, None) => {}
        }
    }

    fn reviewed(&mut self, key: (u128, u128), made: Decision<ProductReviewed>) {
        self.follow(key.1, made.event.previous_rating, Some(made.event.rating));
        self.store(key.1, made.rated);
        self.reviews.insert(key, made.review);
    }

    /// Counted anew from the reviews.
    fn recounted(&self, of: u128) -> Rating {
        let mut counts = [0; 5];
        let shown = self.reviews.iter().filter(|((_, product), review)| *product == of && review.hidden.is_none());
        for (_, review) in shown {
            counts[usize::try_from(review.stars.get()).unwrap() - 1] += 1;
        }
        Rating(counts)
    }
}

proptest! {
    #[test]
    fn a_rating_is_what_the_reviews_that_count_say_after_any_sequence(
        acts in prop::collection::vec((0..CUSTOMERS, 0..PRODUCTS, act()), 0..60),
    ) {
        let mut world = World::default();
        for (user, of, act) in acts {
            let before = world.rated(of);
            world.act(user, of, act);
            for of in 0..PRODUCTS {
                let (rated, recounted) = (world.rated(of), world.recounted(of));
                prop_assert_eq!(rated.rating, recounted);
                let shown: Vec<i64> = world.reviews.iter()
                    .filter(|((_, product), review)| *product == of && review.hidden.is_none())
                    .map(|(_, review)| review.stars.get())
                    .collect();
                prop_assert_eq!(rated.rating.count(), i64::try_from(shown.len()).unwrap());
                prop_assert_eq!(rated.rating.sum(), shown.iter().sum::<i64>());
                // Whoever follows the events alone arrives at the same numbers.
                prop_assert_eq!(Rating(world.followed.get(&of).copied().unwrap_or_default()), recounted);
            }
            let after = world.rated(of);
            if after.rating != before.rating {
                prop_assert_eq!(after.version, Some(before.made()), "each change makes one version");
            }
        }
    }

    #[test]
    fn shipments_count_once_in_whatever_order_and_however_often_they_arrive(
        order in Just((0..6_usize).chain(0..6).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let shipment = |nth: usize| ShipmentDelivered {
            shipment_id: Uuid::from_u128(nth as u128).into(),
            order_id: Uuid::from_u128(1).into(),
            user_id: (!nth.is_multiple_of(3)).then(|| Uuid::from_u128(nth as u128 % 3).into()),
            carrier: String::new(),
            tracking_number: String::new(),
            lines: vec![events::shipping::ShipmentLine {
                product_id: product(nth as u128 / 2),
                sku: String::new(),
                name: String::new(),
                quantity: 1,
            }],
        };
        let shipments: Vec<_> = order.into_iter().map(shipment).collect();
        let pairs: BTreeSet<(UserId, ProductId)> = [(1, 0), (2, 1), (1, 2), (2, 2)]
            .map(|(user, of)| (Uuid::from_u128(user).into(), product(of)))
            .into();
        prop_assert_eq!(delivered(&shipments), pairs);
    }
}

#[test]
fn a_review_needs_a_delivery_and_a_product_and_is_the_only_one() {
    let good = Eligibility { product_is_deleted: false, delivered: Some(delivery(1, 1)), has_reviewed: false };
    let barred = Delivered { is_barred: true, ..delivery(1, 1) };
    let table = [
        (good, Ok(delivery(1, 1))),
        (Eligibility { product_is_deleted: true, ..good }, Err(Refusal::ProductDeleted)),
        (Eligibility { delivered: None, ..good }, Err(Refusal::NotDelivered)),
        (Eligibility { has_reviewed: true, ..good }, Err(Refusal::AlreadyReviewed)),
        (Eligibility { delivered: Some(barred), ..good }, Err(Refusal::ReviewHidden)),
    ];
    for (eligibility, expected) in table {
        assert_eq!(eligibility.check(), expected, "{eligibility:?}");
    }
}

#[test]
fn a_change_names_the_rating_before_and_one_without_a_difference_is_none() {
    let made = first();
    assert_eq!(made.event.previous_rating, None);
    let changed = change(&made.review, false, &content(2, "good"), made.rated, now()).unwrap().unwrap();
    assert_eq!((changed.event.rating, changed.event.previous_rating), (2, Some(4)));
    assert_eq!(changed.rated.rating, Rating([0, 1, 0, 0, 0]));
    assert_eq!(change(&made.review, false, &content(4, "good"), made.rated, now()), Ok(None));
    assert_eq!(change(&made.review, true, &content(2, ""), made.rated, now()), Err(Refusal::ProductDeleted));
}

#[test]
fn a_hidden_review_counts_no_longer_and_is_neither_changed_nor_hidden_again() {
    let made = first();
    let hidden = hide(&made.review, by("ada"), made.rated, now()).unwrap();
    assert_eq!((hidden.rated.rating, hidden.event.hidden_by.as_deref()), (Rating::default(), Some("ada")));
    assert_eq!(hide(&hidden.review, by("eve"), hidden.rated, now()), None);
    let refused = change(&hidden.review, false, &content(5, ""), hidden.rated, now());
    assert_eq!(refused, Err(Refusal::ReviewHidden));
}

#[test]
fn a_removed_review_counts_no_longer_and_who_removes_a_hidden_one_of_their_own_writes_no_other() {
    let made = first();
    let removal = remove(&made.review, None, made.rated);
    let (rated, event) = removal.counted.unwrap();
    assert_eq!((rated.rating, event.hidden_by, removal.bars), (Rating::default(), None, false));
    let (_, event) = remove(&made.review, Some("ada".to_owned()), made.rated).counted.unwrap();
    assert_eq!(event.hidden_by.as_deref(), Some("ada"));
    let hidden = hide(&made.review, by("ada"), made.rated, now()).unwrap();
    assert_eq!(remove(&hidden.review, None, hidden.rated), Removal { counted: None, bars: true });
    let by_admin = remove(&hidden.review, Some("ada".to_owned()), hidden.rated);
    assert_eq!(by_admin, Removal { counted: None, bars: false });
}
