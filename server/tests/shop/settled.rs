//! The question whether anything is in flight, with a broker that keeps messages: what left an outbox may be with an
//! instance that has not begun to handle it, and then neither the store nor the broker counts it.

use std::mem;
use std::time::Duration;

use bus::{
    Broker, Delivery, Destination, Embedded, Error, Guarantees, Message, PublishResult, Publishing, Settlement,
    Subscription, Tag,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use testkit::{BrokerVariant, Setup, TestShop};

/// The time between the moment in which an instance receives deliveries and the one in which it begins to handle them.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_settled_while_an_instance_has_deliveries_that_it_did_not_begin() {
    let shop = TestShop::start_with(Setup::on_broker(Keeping)).await;
    let product = shop.product("A", 10).await;
    shop.settle().await;
    let order_id = shop.order(&[(&product, 1)], Some("tok_ok")).await.text("/order_id");
    shop.settle().await;
    assert_eq!(shop.order_now(&order_id).await.text("/status"), "paid");
    assert_eq!(shop.mails(&order_id).await, ["confirmation"]);
    shop.stop().await;
}

/// Says that a message is stored as soon as it has it.
#[derive(Debug)]
struct Keeping;

/// Holds what it received for a while.
struct Slow {
    subscription: Box<dyn Subscription>,
    received: Vec<Delivery>,
}

impl BrokerVariant for Keeping {
    fn guarantees(&self) -> Guarantees {
        Guarantees { stored_means_settled: false, ..Embedded::GUARANTEES }
    }

    fn publish(&self, embedded: &Embedded, destination: &Destination, message: Message) -> Publishing {
        drop(embedded.publish(destination, message));
        future::ready(PublishResult::Stored).boxed()
    }

    fn subscription(&self, subscription: Box<dyn Subscription>) -> Box<dyn Subscription> {
        Box::new(Slow { subscription, received: Vec::new() })
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
