//! Refused events wait aside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bus::{Broker, Destination, Embedded, Error, Guarantees, Health, Message, PublishResult, Publishing, Subscribing};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use kernel::{Lane, Uuid};
use service::{Settings, Tracer};
use tempfile::tempdir;

use crate::support::{House, Script, batch_consumer, emitter, until};

/// Several times what a relay has in flight.
const REFUSED: usize = 4_000;

/// Of one request, for a service takes so many at once.
const EMITTED: usize = 500;

#[tokio::test]
async fn thousands_of_keys_that_the_broker_refuses_hold_back_no_other() {
    let (folder, script) = (tempdir().unwrap(), Script::new());
    let services = vec![emitter("users", &script), batch_consumer("orders", &script)];
    let refuses = Arc::new(AtomicBool::new(true));
    let choosy = |broker| Arc::new(Choosy { broker, refuses: refuses.clone() }) as Arc<dyn Broker>;
    let house = House::start_on(folder.path(), services, Settings::default(), Tracer::default(), choosy).await;

    let refused: Vec<(Uuid, &str, i64)> = (0..REFUSED).map(|_| (house.runtime.ids.next(), "refused", 1)).collect();
    for some in refused.chunks(EMITTED) {
        house.emit("users", some).await;
    }
    let ada: Uuid = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1)]).await;
    until("another key took effect", async || house.effects_on("orders", ada).await == ["ada"]).await;
    assert_eq!(script.calls("refused"), 0);

    refuses.store(false, Ordering::SeqCst);
    house.settle().await;
    assert_eq!(script.calls("refused"), REFUSED);
    house.stop().await;
}

/// Takes all messages but those of a name, as long as it refuses them.
struct Choosy {
    broker: Arc<Embedded>,
    refuses: Arc<AtomicBool>,
}

impl Broker for Choosy {
    fn name(&self) -> &'static str {
        self.broker.name()
    }

    fn guarantees(&self) -> Guarantees {
        self.broker.guarantees()
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        self.broker.destinations(event_type)
    }

    fn all_destinations(&self) -> Vec<Destination> {
        self.broker.all_destinations()
    }

    fn publish(&self, destination: &Destination, message: Message) -> Publishing {
        let is_meant = String::from_utf8_lossy(&message.body).contains("refused");
        if is_meant && self.refuses.load(Ordering::SeqCst) {
            return ready(PublishResult::Unroutable).boxed();
        }
        self.broker.publish(destination, message)
    }

    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing {
        self.broker.subscribe(consumer, lane, shard)
    }

    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>> {
        self.broker.waiting(consumer)
    }

    fn health(&self) -> Health {
        self.broker.health()
    }
}
