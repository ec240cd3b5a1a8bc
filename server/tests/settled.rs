//! The question whether anything is in flight, with a broker that keeps messages: what left an outbox may be with an
//! instance that has not begun to handle it, and then neither the store nor the broker counts it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bus::{
    Adapter, AdapterError, Broker, Delivery, Destination, Embedded, EmbeddedAdapter, Error, Finding, Guarantees,
    Health, Message, PublishResult, Settlement, Subscribing, Subscription, Tag,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use kernel::Lane;
use server::config::BrokerSetting;
use server::shop::Shop;
use testkit::{Setup, TestShop};

/// The time between the moment in which an instance receives deliveries and the one in which it begins to handle them.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_settled_while_an_instance_has_deliveries_that_it_did_not_begin() {
    let shop = Shop::tradepost().broker(&KeepingAdapter);
    let broker = BrokerSetting::parse(&shop, "keeping").unwrap();
    let shop = TestShop::start_with(Setup { shop, broker, ..Setup::default() }).await;
    let product = shop.product("A", 10).await;
    shop.settle().await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
    assert_eq!(shop.mails(&order_id).await, ["confirmation"]);
    shop.stop().await;
}

/// The embedded broker, which says that a message is stored as soon as it has it.
struct Keeping(Embedded);

#[derive(Debug)]
struct KeepingAdapter;

/// Holds what it received for a while.
struct Slow {
    subscription: Box<dyn Subscription>,
    received: Vec<Delivery>,
}

fn guarantees() -> Guarantees {
    Guarantees { stored_means_settled: false, ..Embedded::GUARANTEES }
}

impl Broker for Keeping {
    fn name(&self) -> &'static str {
        "keeping"
    }

    fn guarantees(&self) -> Guarantees {
        guarantees()
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        self.0.destinations(event_type)
    }

    fn all_destinations(&self) -> Vec<Destination> {
        self.0.all_destinations()
    }

    fn publish(&self, destination: &Destination, message: Message) -> BoxFuture<'static, PublishResult> {
        drop(self.0.publish(destination, message));
        future::ready(PublishResult::Stored).boxed()
    }

    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing {
        let subscribing = self.0.subscribe(consumer, lane, shard);
        async { Ok(Box::new(Slow { subscription: subscribing.await?, received: Vec::new() }) as Box<dyn Subscription>) }
            .boxed()
    }

    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>> {
        self.0.waiting(consumer)
    }

    fn health(&self) -> Health {
        self.0.health()
    }
}

impl Subscription for Slow {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        async move {
            if self.received.is_empty() {
                self.received = self.subscription.next(max).await?;
            }
            tokio::time::sleep(PAUSE).await;
            Ok(mem::take(&mut self.received))
        }
        .boxed()
    }

    fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> BoxFuture<'_, Result<(), Error>> {
        self.subscription.settle(tags, settlement)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.subscription.close()
    }
}

impl Adapter for KeepingAdapter {
    fn name(&self) -> &'static str {
        "keeping"
    }

    fn guarantees(&self) -> Guarantees {
        guarantees()
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["keeping"]
    }

    fn example(&self) -> &'static str {
        "keeping"
    }

    fn connect(&self, _: &str, setup: bus::Setup) -> Result<Arc<dyn Broker>, AdapterError> {
        Ok(Arc::new(Keeping(Embedded::new(setup.topology))))
    }

    fn reach<'a>(
        &'a self,
        url: &'a str,
        patience: Duration,
        report: &'a mut (dyn FnMut(String) + Send),
    ) -> BoxFuture<'a, Result<(), AdapterError>> {
        EmbeddedAdapter.reach(url, patience, report)
    }

    fn declare<'a>(&'a self, url: &'a str, setup: bus::Setup) -> BoxFuture<'a, Result<Arc<dyn Broker>, AdapterError>> {
        future::ready(self.connect(url, setup)).boxed()
    }

    fn inspect<'a>(&'a self, url: &'a str, setup: bus::Setup) -> BoxFuture<'a, Vec<Finding>> {
        EmbeddedAdapter.inspect(url, setup)
    }
}
