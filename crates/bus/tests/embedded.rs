//! The embedded broker passes the suite, and the suite notices a broker that should not.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::{Clock, Ids, Lane};
use tradepost_bus::conformance::{self, Harness};
use tradepost_bus::{
    Broker, Destination, Embedded, Error, Guarantees, Health, Message, PublishResult, Publishing, Settlement,
    Subscribing, Topology,
};

#[derive(Default)]
struct InProcess(Mutex<Option<Arc<Embedded>>>);

impl Harness for InProcess {
    fn start(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        let broker = Arc::new(Embedded::new(topology));
        *self.0.lock().expect("no test panics with the lock") = Some(broker.clone());
        async { broker as Arc<dyn Broker> }.boxed()
    }

    fn restart(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        let before = self.0.lock().expect("no test panics with the lock").take();
        before.expect("what restarts was started").close();
        self.start(topology)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_passes_the_suite() {
    conformance::run(InProcess::default()).await;
}

#[tokio::test]
#[should_panic(expected = "the careless broker fails: attributes and body arrive as they were sent")]
async fn a_broker_that_encodes_bodies_again_fails_the_suite() {
    conformance::run(Careless).await;
}

#[tokio::test]
async fn a_closed_broker_knows_nothing_and_takes_nothing() {
    let broker = Embedded::new(Topology::new().consumer("inventory", [("orders.order_placed.v1", Lane::Background)]));
    let destination = Destination::new("inventory");
    let (delivered, waiting) = (broker.publish(&destination, placed()), broker.publish(&destination, placed()));
    let mut subscription = broker.subscribe("inventory", Lane::Background, 0).await.unwrap();
    let tags = subscription.next(1).await.unwrap().iter().map(|delivery| delivery.tag).collect::<Vec<_>>();

    broker.close();

    assert!(matches!(delivered.await, PublishResult::Unknown { .. }));
    assert!(matches!(waiting.await, PublishResult::Unknown { .. }));
    assert!(matches!(broker.publish(&destination, placed()).await, PublishResult::Unknown { .. }));
    assert!(matches!(subscription.next(1).await, Err(Error::Unavailable(_))));
    subscription.settle(&tags, Settlement::Done).await.unwrap();
    assert!(matches!(broker.subscribe("inventory", Lane::Background, 0).await, Err(Error::Unavailable(_))));
    assert!(matches!(broker.health(), Health::Degraded { .. }));
}

#[tokio::test]
async fn a_broker_that_is_dropped_ends_a_waiting_next() {
    let broker = Embedded::new(Topology::new().consumer("inventory", [("orders.order_placed.v1", Lane::Background)]));
    let mut subscription = broker.subscribe("inventory", Lane::Background, 0).await.unwrap();
    let mut next = subscription.next(1);
    assert!((&mut next).now_or_never().is_none());
    drop(broker);
    assert!(matches!(next.await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn what_came_first_is_delivered_first() {
    let broker = Embedded::new(Topology::new().consumer("inventory", [("orders.order_placed.v1", Lane::Background)]));
    let sent: Vec<Message> = (0..10).map(|_| placed()).collect();
    let publishes = sent.iter().map(|message| broker.publish(&Destination::new("inventory"), message.clone()));
    let _unconfirmed: Vec<_> = publishes.collect();
    let mut subscription = broker.subscribe("inventory", Lane::Background, 0).await.unwrap();
    let deliveries = subscription.next(sent.len()).await.unwrap();
    assert_eq!(deliveries.into_iter().map(|delivery| delivery.message).collect::<Vec<_>>(), sent);
}

#[tokio::test]
async fn deliveries_that_are_never_settled_fill_the_queue() {
    let broker = Embedded::new(Topology::new().consumer("inventory", [("orders.order_placed.v1", Lane::Background)]));
    let mut subscription = broker.subscribe("inventory", Lane::Background, 0).await.unwrap();
    let mut unsettled = 0;
    while broker.publish(&Destination::new("inventory"), placed()).now_or_never().is_none() {
        unsettled += subscription.next(1).await.unwrap().len();
        assert!(unsettled < 100_000, "a consumer that settles nothing is sent ever more");
    }
}

fn placed() -> Message {
    conformance::message("orders.order_placed.v1", Lane::Background, Ids::new(Clock::system()).next())
}

/// A broker that takes bodies for text.
struct Careless;

impl Harness for Careless {
    fn start(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        async { Arc::new(TextOnly(Embedded::new(topology))) as Arc<dyn Broker> }.boxed()
    }

    fn restart(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        self.start(topology)
    }
}

struct TextOnly(Embedded);

impl Broker for TextOnly {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        self.0.destinations(event_type)
    }

    fn all_destinations(&self) -> Vec<Destination> {
        self.0.all_destinations()
    }

    fn publish(&self, destination: &Destination, message: Message) -> Publishing {
        let body = String::from_utf8_lossy(&message.body).into_owned().into();
        self.0.publish(destination, Message { body, ..message })
    }

    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing {
        self.0.subscribe(consumer, lane, shard)
    }

    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>> {
        self.0.waiting(consumer)
    }

    fn health(&self) -> Health {
        self.0.health()
    }
}
