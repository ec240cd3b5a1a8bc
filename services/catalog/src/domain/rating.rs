//! The rating of a product: exact counts of what its reviews gave, from which the mean is computed in integers.

use events::ProductId;
use kernel::Version;

/// The rating that one review gives: 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stars(i64);

impl Stars {
    pub const LEAST: i64 = 1;
    pub const MOST: i64 = 5;

    pub fn new(rating: i64) -> Option<Self> {
        (Self::LEAST..=Self::MOST).contains(&rating).then_some(Self(rating))
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

/// Numbers of reviews that gave 1, 2, 3, 4 and 5, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rating(pub [i64; 5]);

impl Rating {
    pub fn count(self) -> i64 {
        self.0.iter().sum()
    }

    pub fn sum(self) -> i64 {
        (Stars::LEAST..).zip(self.0).map(|(stars, count)| stars * count).sum()
    }

    /// The mean in hundredths, rounded half up; none if there is no review.
    pub fn mean_hundredths(self) -> Option<i64> {
        let (count, sum) = (self.count(), self.sum());
        (count > 0).then(|| (2 * 100 * sum + count) / (2 * count))
    }

    /// The rating once a review that gave `previous` gives `now`. None: it did not count, or does no longer.
    #[must_use]
    fn replace(self, previous: Option<Stars>, now: Option<Stars>) -> Self {
        let given = |stars: i64, by: Option<Stars>| i64::from(by == Some(Stars(stars)));
        let mut stars = Stars::LEAST - 1;
        Self(self.0.map(|count| {
            stars += 1;
            count - given(stars, previous) + given(stars, now)
        }))
    }
}

/// The rating of a product as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rated {
    pub product_id: ProductId,
    pub rating: Rating,
    /// The version that was read; none if no review has ever counted.
    pub version: Option<Version>,
}

impl Rated {
    /// A product that nobody has reviewed.
    pub fn never(product_id: ProductId) -> Self {
        Self { product_id, rating: Rating::default(), version: None }
    }

    /// The version that the next change makes.
    pub fn made(&self) -> Version {
        self.version.map_or(Version::FIRST, Version::next)
    }

    /// After one review, which gave `previous`, gives `now`; the version stays the one that was read.
    #[must_use]
    pub(super) fn replace(self, previous: Option<Stars>, now: Option<Stars>) -> Self {
        Self { rating: self.rating.replace(previous, now), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mean_is_rounded_half_up_to_hundredths() {
        let table = [
            ([0, 0, 0, 0, 0], None),
            ([1, 0, 0, 0, 0], Some(100)),
            ([0, 0, 0, 0, 7], Some(500)),
            ([0, 0, 0, 1, 1], Some(450)),
            ([0, 0, 0, 2, 1], Some(433)),
            ([0, 0, 0, 1, 2], Some(467)),
            // 1.125 and 1.375: exactly between two hundredths.
            ([7, 1, 0, 0, 0], Some(113)),
            ([5, 3, 0, 0, 0], Some(138)),
            ([0, 0, 0, 1, 199], Some(500)),
            ([0, 0, 0, 2, 199], Some(499)),
        ];
        for (counts, mean) in table {
            assert_eq!(Rating(counts).mean_hundredths(), mean, "{counts:?}");
        }
    }

    #[test]
    fn a_rating_is_between_1_and_5() {
        let good: Vec<i64> = (-1..8).filter(|rating| Stars::new(*rating).is_some()).collect();
        assert_eq!(good, [1, 2, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn a_mean_is_within_half_a_hundredth_of_the_quotient(counts in prop::array::uniform5(0..1_000_000_i64)) {
            let rating = Rating(counts);
            if let Some(mean) = rating.mean_hundredths() {
                let off = 2 * (mean * rating.count() - 100 * rating.sum());
                prop_assert!(-rating.count() < off && off <= rating.count(), "{mean}");
            } else {
                prop_assert_eq!(rating.count(), 0);
            }
        }
    }
}
