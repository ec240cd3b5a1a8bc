//! Orders of arrival.

use std::collections::BTreeSet;

use itertools::Itertools;

/// All orders in which so many facts can arrive if one of them, whichever, arrives twice.
pub(crate) fn arrivals(count: usize) -> BTreeSet<Vec<usize>> {
    (0..count).flat_map(|twice| (0..count).chain([twice]).permutations(count + 1)).collect()
}

#[test]
fn all_orders_are_there() {
    assert_eq!(
        arrivals(2),
        BTreeSet::from([[0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0]].map(Vec::from))
    );
    assert_eq!((arrivals(3).len(), arrivals(4).len()), (36, 240));
}
