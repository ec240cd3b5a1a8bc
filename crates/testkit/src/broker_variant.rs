//! The embedded broker with a difference: what other brokers do, and what none should.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bus::{
    Adapter, AdapterError, Broker, Destination, Embedded, EmbeddedAdapter, Error, Finding, Guarantees, Health, Message,
    Publishing, Subscribing, Subscription,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use kernel::Lane;
use server::config::BrokerSetting;
use server::shop::Shop;

use crate::Setup;

/// The name of every variant, and the scheme of its URL.
const NAME: &str = "variant";

/// The differences of a broker from the embedded one.
pub trait BrokerVariant: Debug + Send + Sync + 'static {
    /// Its promises.
    fn guarantees(&self) -> Guarantees {
        Embedded::GUARANTEES
    }

    /// Sends a message.
    fn publish(&self, embedded: &Embedded, destination: &Destination, message: Message) -> Publishing {
        embedded.publish(destination, message)
    }

    /// A consumer's end.
    fn subscription(&self, embedded: Box<dyn Subscription>) -> Box<dyn Subscription> {
        embedded
    }
}

impl Setup {
    /// A shop on such a broker.
    pub fn on_broker(variant: impl BrokerVariant) -> Self {
        // A shop lists its brokers for as long as the process lives: the few bytes of a test's stay until then.
        let adapter: &'static VariantAdapter = Box::leak(Box::new(VariantAdapter(Arc::new(variant))));
        let shop = Shop::tradepost().broker(adapter);
        let broker = BrokerSetting::parse(&shop, NAME).expect("the shop has this broker");
        Self { shop, broker, ..Self::default() }
    }
}

struct VariantBroker {
    embedded: Embedded,
    variant: Arc<dyn BrokerVariant>,
}

#[derive(Debug)]
struct VariantAdapter(Arc<dyn BrokerVariant>);

impl Broker for VariantBroker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn guarantees(&self) -> Guarantees {
        self.variant.guarantees()
    }

    fn destinations(&self, event_type: &str) -> Vec<Destination> {
        self.embedded.destinations(event_type)
    }

    fn all_destinations(&self) -> Vec<Destination> {
        self.embedded.all_destinations()
    }

    fn publish(&self, destination: &Destination, message: Message) -> Publishing {
        self.variant.publish(&self.embedded, destination, message)
    }

    fn subscribe(&self, consumer: &str, lane: Lane, shard: u16) -> Subscribing {
        let (subscribing, variant) = (self.embedded.subscribe(consumer, lane, shard), self.variant.clone());
        async move { Ok(variant.subscription(subscribing.await?)) }.boxed()
    }

    fn waiting(&self, consumer: &str) -> BoxFuture<'static, Result<u64, Error>> {
        self.embedded.waiting(consumer)
    }

    fn health(&self) -> Health {
        self.embedded.health()
    }
}

impl Adapter for VariantAdapter {
    fn name(&self) -> &'static str {
        NAME
    }

    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }

    fn schemes(&self) -> &'static [&'static str] {
        &[NAME]
    }

    fn example(&self) -> &'static str {
        NAME
    }

    fn connect(&self, _: &str, setup: bus::Setup) -> Result<Arc<dyn Broker>, AdapterError> {
        Ok(Arc::new(VariantBroker { embedded: Embedded::new(setup.topology), variant: self.0.clone() }))
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
