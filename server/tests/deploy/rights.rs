//! The rights of the broker's users, on a broker: enough for what each service does, and not for what another's does.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::conformance;
use bus::{Broker, Destination, Error, Health, Message, PublishResult, Publishing, Settlement, Topology, Wanted};
use bus_rabbitmq::{Options, RabbitMq};
use kernel::{Clock, Ids, Lane, Shards};
use server::shop::Shop;
use test_servers::{PATIENCE, Vhost};

use crate::files;

/// The time between two tries.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The users of permissions.tsv in a virtual host, under names that no other test has.
struct Users {
    vhost: Vhost,
}

impl Users {
    fn create() -> Self {
        let vhost = Vhost::create();
        let name = vhost.name();
        for line in files::text("deploy/rabbitmq/permissions.tsv").lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [user, configure, write, read, publishes, binds] = columns[..] else { panic!("{line}") };
            let (user, binary) = (format!("{name}-{user}"), |text: &str| format!("<<\"{text}\">>"));
            let (user, test) = (binary(&user), binary("test"));
            let [configure, write, read, publishes, binds] = [configure, write, read, publishes, binds].map(binary);
            let vhost_name = binary(name);
            vhost.eval(&format!(
                "ok = rabbit_auth_backend_internal:add_user({user}, <<\"secret\">>, {test}), \
                 ok = rabbit_auth_backend_internal:set_permissions({user}, {vhost_name}, {configure}, {write}, {read}, {test})"
            ));
            if publishes != binary("-") {
                vhost.eval(&format!(
                    "ok = rabbit_auth_backend_internal:set_topic_permissions({user}, {vhost_name}, \
                         <<\"tradepost.events\">>, {publishes}, {binds}, {test})"
                ));
            }
        }
        Self { vhost }
    }

    /// The rights of a process that connects as this user.
    async fn broker(&self, user: &str, topology: &Topology) -> RabbitMq {
        let url = self.vhost.url();
        let (_, at) = url.split_once('@').unwrap();
        let url = format!("amqp://{}-tradepost_{user}:secret@{at}", self.vhost.name());
        let shards = Shards::new(2).unwrap();
        // What a refusal breaks is opened again at once.
        let options = Options { reconnect_max: LOOK_AGAIN, ..Options::new(topology.clone(), shards, ids()) };
        let broker = RabbitMq::new(&url, options).unwrap();
        soon(broker.until(|health| *health == Health::Ready)).await;
        broker
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let prefix = self.vhost.name();
        self.vhost.eval(&format!(
            "[rabbit_auth_backend_internal:delete_user(U, <<\"test\">>) || L <- rabbit_auth_backend_internal:list_users(), \
                 U <- [proplists:get_value(user, L)], lists:prefix(\"{prefix}-\", binary_to_list(U))]"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_each_user_are_enough_for_its_service_and_not_for_anothers() {
    let users = Users::create();
    let shop = Shop::tradepost();
    let (services, topology) = (shop.described(), shop.topology());
    let migrate = users.broker("migrate", &topology).await;
    soon(migrate.declare()).await.unwrap();
    let mut brokers = BTreeMap::new();
    for service in &services {
        brokers.insert(service.name(), users.broker(service.name(), &topology).await);
    }
    for service in &services {
        let name = service.name();
        let broker = &brokers[name];
        if let Some(on_demand) = service.on_demand() {
            let types = on_demand.types().iter().map(|event_type| (*event_type).to_owned()).collect();
            soon(broker.unbind(name, 1)).await.unwrap();
            soon(broker.bind(name, Wanted { generation: 2, types })).await.unwrap();
        }
        // In each lane to which it reacts.
        let mut lanes: BTreeMap<Lane, &str> = BTreeMap::new();
        lanes.extend(service.subscriptions().into_iter().map(|(event_type, lane)| (lane, event_type)));
        for (lane, event_type) in lanes {
            let live = message(event_type);
            let source = &brokers[live.envelope.source.as_str()];
            soon(async {
                while publish(source, &live).await != PublishResult::Stored {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            })
            .await;
            let shards = broker.shards().all(lane).collect::<Vec<_>>();
            let mut subscription = bus::Gathered::new();
            soon(subscription.assign(broker, name, lane, shards))
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut missing = vec![live.envelope.id];
            while !missing.is_empty() {
                let deliveries = soon(bus::Subscription::next(&mut subscription, 1)).await.unwrap();
                missing.retain(|id| deliveries.iter().all(|delivery| delivery.message.envelope.id != *id));
                let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
                soon(bus::Subscription::settle(&mut subscription, &tags, Settlement::Done)).await.unwrap();
            }
        }
        soon(broker.restore()).await.unwrap();
        for other in services.iter().filter(|other| other.name() != name) {
            let other = other.name();
            let refused = soon(async {
                loop {
                    // A channel that a refusal closes may still be closing.
                    match broker.subscribe(other, Lane::Background, 0).await.map(drop) {
                        Err(Error::Unavailable(_)) => tokio::time::sleep(LOOK_AGAIN).await,
                        answered => break answered,
                    }
                }
            })
            .await;
            assert!(matches!(refused, Err(Error::Rejected(_))), "{name} reads what is for {other}: {refused:?}");
        }
        let others =
            events::all().filter(|event| event.source != name && broker.destinations(event.event_type).len() == 1);
        for event in others {
            let message = message(event.event_type);
            expect_refused(event.event_type, || broker.publish(&Destination::new("events"), message.clone())).await;
        }
    }
}

/// Publishes until it is refused for the right that is missing: what was refused before breaks the channel, and what
/// comes while it is opened again is refused for that.
async fn expect_refused(topic: &str, publish: impl Fn() -> Publishing) {
    let tries = async {
        loop {
            match publish().await {
                PublishResult::Refused { detail } | PublishResult::Unknown { detail } if detail.contains(topic) => {
                    return;
                }
                PublishResult::Refused { .. } | PublishResult::Unknown { .. } => tokio::time::sleep(LOOK_AGAIN).await,
                other => panic!("{topic} may be written: {other:?}"),
            }
        }
    };
    soon(tries).await;
}

async fn publish(broker: &RabbitMq, message: &Message) -> PublishResult {
    soon(broker.publish(&Destination::new("events"), message.clone())).await
}

fn message(event_type: &str) -> Message {
    let event = events::find(event_type).expect("an event of the catalogue");
    conformance::message(event_type, event.lane, ids().next())
}

fn ids() -> Ids {
    Ids::new(Clock::system())
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes far less than the patience of tests")
}
