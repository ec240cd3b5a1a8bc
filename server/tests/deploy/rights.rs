//! The rights of the users of each broker, on a broker: enough for what each service does, and not for what another's does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::conformance;
use bus::{
    Adapter, Broker, Destination, Error, Health, Message, PublishResult, Publishing, Settlement, Setup, Topology,
    Wanted,
};
use bus_rabbitmq::{Options, RabbitMq};
use kernel::{Clock, Ids, Lane, Shards};
use server::shop::Shop;
use service::AnyService;
use test_servers::{PATIENCE, Redis, Vhost};

use crate::files;

/// The time between two tries.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The users of RabbitMQ's permissions.tsv in a virtual host, under names that no other test has.
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
        ready(&broker).await;
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
    let mut of_rabbitmq = BTreeMap::new();
    for service in &services {
        of_rabbitmq.insert(service.name(), Arc::new(users.broker(service.name(), &topology).await));
    }
    let brokers = of_rabbitmq.iter().map(|(name, broker)| (*name, broker.clone() as Arc<dyn Broker>)).collect();
    for service in &services {
        let name = service.name();
        does_its_work(&**service, &brokers).await;
        soon(of_rabbitmq[name].restore()).await.unwrap();
        reads_nothing_of_others(name, &brokers).await;
        let broker = &brokers[name];
        let others =
            events::all().filter(|event| event.source != name && broker.destinations(event.event_type).len() == 1);
        for event in others {
            let message = message(event.event_type);
            expect_refused(event.event_type, || broker.publish(&Destination::new("events"), message.clone())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_each_user_of_redis_are_enough_for_its_service_and_read_nothing_of_anothers() {
    let server = Redis::start();
    let of = |user: &str| format!("redis://tradepost_{user}:secret@127.0.0.1:{}", server.port());
    for line in files::text("deploy/redis/permissions.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (user, rules) = line.split_once('\t').expect("a user and its rules");
        let mut command = vec!["ACL", "SETUSER", user, "reset", "on", ">secret"];
        command.extend(each_rule(rules));
        server.command(&command);
    }
    let shop = Shop::tradepost();
    let setup = || Setup { topology: shop.topology(), shards: Shards::new(2).unwrap(), ids: ids() };
    soon(bus_redis::Adapter.declare(&of("migrate"), setup())).await.unwrap();
    let findings = soon(bus_redis::Adapter.inspect(&of("migrate"), setup())).await;
    assert!(findings.iter().all(|finding| finding.remedy.is_none()), "{findings:?}");
    let services = shop.described();
    let connected = services
        .iter()
        .map(|service| (service.name(), bus_redis::Adapter.connect(&of(service.name()), setup()).unwrap()));
    let brokers: BTreeMap<&str, Arc<dyn Broker>> = connected.collect();
    for broker in brokers.values() {
        ready(&**broker).await;
    }
    for service in &services {
        does_its_work(&**service, &brokers).await;
        reads_nothing_of_others(service.name(), &brokers).await;
    }
}

/// The rules of a line, in which a selector in parentheses is one.
fn each_rule(rules: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), rules.trim());
    while !rest.is_empty() {
        let end = if rest.starts_with('(') { rest.find(')').map(|at| at + 1) } else { rest.find(' ') };
        let (rule, after) = rest.split_at(end.unwrap_or(rest.len()));
        found.push(rule);
        rest = after.trim_start();
    }
    found
}

/// A service receives what others send to it in each lane to which it reacts, and settles it.
async fn does_its_work(service: &dyn AnyService, brokers: &BTreeMap<&str, Arc<dyn Broker>>) {
    let name = service.name();
    let broker = &brokers[name];
    if let Some(on_demand) = service.on_demand() {
        let types = on_demand.types().iter().map(|event_type| (*event_type).to_owned()).collect();
        soon(broker.unbind(name, 1)).await.unwrap();
        soon(broker.bind(name, Wanted { generation: 2, types })).await.unwrap();
    }
    let mut lanes: BTreeMap<Lane, &str> = BTreeMap::new();
    lanes.extend(service.subscriptions().into_iter().map(|(event_type, lane)| (lane, event_type)));
    for (lane, event_type) in lanes {
        let live = message(event_type);
        let source = &brokers[live.envelope.source.as_str()];
        soon(async {
            while publish(&**source, &live).await != PublishResult::Stored {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await;
        let shards = broker.shards().all(lane).collect::<Vec<_>>();
        let mut subscription = bus::Gathered::new();
        soon(subscription.assign(&**broker, name, lane, shards))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut missing = vec![live.envelope.id];
        while !missing.is_empty() {
            let deliveries = soon(bus::Subscription::next(&mut subscription, 1)).await.unwrap();
            missing.retain(|id| deliveries.iter().all(|delivery| delivery.message.envelope.id != *id));
            let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
            soon(bus::Subscription::settle(&mut subscription, &tags, Settlement::Done)).await.unwrap();
        }
        // Before the next that reads it as another user.
        soon(subscription.close()).await;
    }
}

/// A service is refused what is for others.
async fn reads_nothing_of_others(name: &str, brokers: &BTreeMap<&str, Arc<dyn Broker>>) {
    let broker = &brokers[name];
    for other in brokers.keys().filter(|other| **other != name) {
        let refused = soon(async {
            loop {
                let subscribed = broker.subscribe(other, Lane::Background, 0).await;
                // Some brokers refuse it when it is read.
                let answered = match subscribed {
                    Ok(mut subscription) => subscription.next(1).await.map(drop),
                    Err(error) => Err(error),
                };
                // A channel that a refusal closes may still be closing.
                match answered {
                    Err(Error::Unavailable(_)) => tokio::time::sleep(LOOK_AGAIN).await,
                    answered => break answered,
                }
            }
        })
        .await;
        assert!(matches!(refused, Err(Error::Rejected(_))), "{name} reads what is for {other}: {refused:?}");
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

async fn ready(broker: &dyn Broker) {
    soon(async {
        while broker.health() != Health::Ready {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

async fn publish(broker: &dyn Broker, message: &Message) -> PublishResult {
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
