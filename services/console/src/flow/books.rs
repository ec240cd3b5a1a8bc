//! Sums that two services keep of the same thing: units that are held for orders, and money.
//!
//! Each service learns of the others' decisions by events, so sums may differ while something is in flight. When nothing
//! is, they are equal, or something was lost, done twice, or is a dead letter.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use kernel::Clock;
use service::operator::{LookForActivity, ReadSums};

use super::snapshot::{Books, Check};
use crate::{Peer, PeerError};

/// The services that keep the sums.
const SERVICES: [&str; 3] = ["orders", "inventory", "payments"];

type Sums = HashMap<&'static str, HashMap<String, i64>>;

/// Compares the sums. `before` is the last answer, which holds where it can't be decided now. `None` if a service doesn't
/// answer, or the shop does without it.
pub(super) async fn compare(peers: &Arc<Vec<Peer>>, clock: &Clock, before: Option<&Books>) -> Option<Books> {
    let services: Vec<&Peer> = peers.iter().filter(|peer| SERVICES.contains(&peer.service())).collect();
    if services.len() < SERVICES.len() {
        return None;
    }
    let first = read(&services).await.ok()?;
    let mut is_settled = false;
    if differences(&first).iter().any(|it| it.by != 0) {
        let is_idle = pending(&services).await.ok()? == 0;
        is_settled = is_idle && read(&services).await.ok()? == first;
    }
    let checks: Vec<Check> = differences(&first).into_iter().map(|it| it.check(is_settled, before)).collect();
    Some(Books { balanced: checks.iter().all(|check| check.ok), checked_at: clock.now(), checks })
}

async fn read(services: &[&Peer]) -> Result<Sums, PeerError> {
    let asked =
        services.iter().map(|peer| async move { Ok::<_, PeerError>((peer.service(), peer.ask(ReadSums {}).await?)) });
    Ok(try_join_all(asked).await?.into_iter().collect())
}

/// Unfinished work of the services.
async fn pending(services: &[&Peer]) -> Result<u64, PeerError> {
    let looks = try_join_all(services.iter().map(|peer| peer.ask(LookForActivity {}))).await?;
    Ok(looks.iter().map(|activity| activity.pending).sum())
}

/// The difference of one sum at two services.
#[derive(Debug)]
struct Difference {
    name: &'static str,
    of: String,
    by: i64,
}

impl Difference {
    /// The check. A difference that something in flight may explain leaves the answer as it was.
    fn check(self, is_settled: bool, before: Option<&Books>) -> Check {
        let Self { name, of, by } = self;
        let was_ok =
            before.and_then(|books| books.checks.iter().find(|check| check.name == name)).is_none_or(|it| it.ok);
        let ok = by == 0 || (was_ok && !is_settled);
        let detail = match (by, ok) {
            (0, _) => of,
            (_, true) => format!("{of}: events are in flight"),
            (by, false) => format!("{of}: they differ by {}", by.abs()),
        };
        Check { name, ok, detail }
    }
}

fn differences(sums: &Sums) -> Vec<Difference> {
    let sum = |service: &str, name: &str| sums.get(service).and_then(|it| it.get(name)).copied().unwrap_or_default();
    let same = |name, what: &str, other: &str, key: &str| {
        let (theirs, ours) = (sum(other, key), sum("orders", key));
        Difference { name, of: format!("{what}: {theirs} at {other}, {ours} at orders"), by: theirs - ours }
    };
    let mut stock = same("stock", "units held for orders", "inventory", "units_reserved");
    if sum("inventory", "orders_waiting") > 0 && stock.by > 0 {
        // An order that waits holds what it has got so far, which orders doesn't know.
        stock.of.push_str(", more of orders that wait");
        stock.by = 0;
    }
    vec![
        stock,
        same("paid", "minor units paid", "payments", "paid"),
        same("refunded", "minor units given back", "payments", "refunded"),
    ]
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;

    use super::*;

    fn sums(of_orders: i64, of_inventory: i64, waiting: i64) -> Sums {
        let of = |pairs: &[(&str, i64)]| pairs.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect();
        HashMap::from([
            ("orders", of(&[("units_reserved", of_orders)])),
            ("inventory", of(&[("units_reserved", of_inventory), ("orders_waiting", waiting)])),
            ("payments", of(&[])),
        ])
    }

    fn checked(sums: &Sums, is_settled: bool, before: Option<&Books>) -> Books {
        let checks: Vec<Check> = differences(sums).into_iter().map(|it| it.check(is_settled, before)).collect();
        let balanced = checks.iter().all(|check| check.ok);
        Books { balanced, checked_at: Timestamp::UNIX_EPOCH, checks }
    }

    #[test]
    fn a_difference_counts_when_nothing_is_in_flight_and_until_it_is_gone() {
        assert!(checked(&sums(3, 3, 0), true, None).balanced);
        assert!(checked(&sums(3, 4, 0), false, None).balanced, "an event is in flight");
        let wrong = checked(&sums(3, 4, 0), true, None);
        assert!(!wrong.balanced);
        assert_eq!(wrong.checks[0].detail, "units held for orders: 4 at inventory, 3 at orders: they differ by 1");
        assert!(!checked(&sums(4, 5, 0), false, Some(&wrong)).balanced, "others are in flight now");
        assert!(checked(&sums(5, 5, 0), false, Some(&wrong)).balanced);
    }

    #[test]
    fn orders_that_wait_hold_units_beyond_those_of_reserved_orders() {
        assert!(checked(&sums(3, 5, 1), true, None).balanced);
        assert!(!checked(&sums(3, 2, 1), true, None).balanced);
    }
}
