//! Catching consumers up before the services run.

use bus::Setup;
use service::AnyService;
use service::catch_up::{self, Beside, Consumer, RecordedBefore};
use service::storage::Db;

use super::broker;
use crate::config::BrokerSetting;

/// The event types to which each service reacted in the last version whose stores did not record their subscriptions on
/// the embedded broker. A store of that version has been delivered all of them, and nothing of any other.
const RECORDED_BEFORE: RecordedBefore = &[
    ("users", &["users.signing_key_published.v1"]),
    ("catalog", &["users.signing_key_published.v1", "inventory.inventory_updated.v1"]),
    (
        "inventory",
        &[
            "users.signing_key_published.v1",
            "catalog.product_created.v1",
            "catalog.product_updated.v1",
            "catalog.product_deleted.v1",
            "orders.order_placed.v1",
            "orders.order_paid.v1",
            "orders.order_cancelled.v1",
        ],
    ),
    (
        "orders",
        &[
            "users.signing_key_published.v1",
            "users.user_registered.v1",
            "users.user_profile_updated.v1",
            "catalog.product_created.v1",
            "catalog.product_updated.v1",
            "catalog.product_deleted.v1",
            "inventory.stock_reserved.v1",
            "inventory.stock_rejected.v1",
            "payments.payment_captured.v1",
            "payments.payment_failed.v1",
            "payments.payment_refunded.v1",
        ],
    ),
    ("payments", &["users.signing_key_published.v1", "orders.payment_requested.v1", "orders.order_cancelled.v1"]),
    (
        "notifications",
        &[
            "users.signing_key_published.v1",
            "users.user_registered.v1",
            "orders.order_paid.v1",
            "orders.order_updated.v1",
            "orders.order_cancelled.v1",
            "payments.payment_failed.v1",
        ],
    ),
];

/// Copies what consumers are missing from the archives of all services, of which `neighbours` are run by other programs;
/// answers with how many events that were. The live destinations must exist.
pub(super) async fn catch_up(
    broker: &BrokerSetting,
    services: &[Box<dyn AnyService>],
    stores: &[Db],
    neighbours: &[Db],
    report: &mut (impl FnMut(String) + Send),
) -> anyhow::Result<u64> {
    // On a broker of one process, the open stores give whatever is committed from now on a pointer to each consumer.
    let beside = if broker.is_shared() { Beside::Others } else { Beside::Nobody };
    let consumers = consumers(services, stores);
    catch_up::begin(&consumers).await?;
    Ok(catch_up::catch_up_all(&consumers, neighbours, beside, report).await?)
}

/// The work of `migrate`, before the services of a whole shop start. If no consumer is missing history, a broker that is
/// down is not waited for, since consumers declare what they need once it is back.
pub(super) async fn before_start(
    broker: &BrokerSetting,
    setup: Setup,
    services: &[Box<dyn AnyService>],
    stores: &[Db],
    mut report: fn(String),
) -> anyhow::Result<()> {
    let is_missing = catch_up::begin(&consumers(services, stores)).await?;
    if broker.is_shared() && (is_missing || broker::is_reachable(broker).await) {
        let declared = broker::declare(broker, setup, &mut report).await?;
        broker::narrow(&*declared, services, stores).await?;
    }
    catch_up(broker, services, stores, &[], &mut report).await.map(drop)
}

fn consumers(services: &[Box<dyn AnyService>], stores: &[Db]) -> Vec<Consumer> {
    let both = services.iter().zip(stores);
    both.map(|(service, store)| catch_up::consumer(&**service, store.clone(), RECORDED_BEFORE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_reacted_to_is_known_today() {
        let types = RECORDED_BEFORE.iter().flat_map(|(_, types)| types.iter());
        types.for_each(|event_type| assert!(events::find(event_type).is_some(), "{event_type}"));
    }
}
