//! Publish to many: each group sees each event, whether or not the others are there.
//!
//! `cargo run -p tradepost-redis-patterns --bin publish-to-many redis://127.0.0.1`

use std::io::Write;

use anyhow::{Context, Result};
use bus::{Broker, Gathered, Settlement, Subscription, Topology};
use kernel::Lane;
use redis_patterns::{connect, publish};

const SOLD: &str = "example.book_sold.v1";

/// Each has streams of its own, and goes on where it left off.
const GROUPS: [&str; 2] = ["mail", "statistics"];

const BOOKS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).context("which Redis? Give its URL, as in redis://127.0.0.1")?;
    let topology =
        GROUPS.into_iter().fold(Topology::new(), |all, group| all.consumer(group, [(SOLD, Lane::Background)]));
    let broker = connect(&url, topology).await?;
    for number in 1..=BOOKS {
        publish(&broker, SOLD, format!("book {number}")).await?;
    }
    for group in GROUPS {
        let mut seen = receive(&broker, group, BOOKS).await?;
        // Each has a key of its own, and only what has one key has an order.
        seen.sort();
        writeln!(std::io::stdout(), "{group} saw {}", seen.join(", "))?;
    }
    Ok(())
}

/// So many messages of a group, each settled.
async fn receive(broker: &dyn Broker, group: &str, count: usize) -> Result<Vec<String>> {
    let mut subscription = Gathered::new();
    subscription.assign(broker, group, Lane::Background, broker.shards().all(Lane::Background)).await?;
    let mut seen = Vec::new();
    while seen.len() < count {
        let deliveries = subscription.next(count - seen.len()).await?;
        seen.extend(deliveries.iter().map(|it| String::from_utf8_lossy(&it.message.body).into_owned()));
        // From here on the entries are gone: whoever must not lose one has stored its effect by now.
        let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
        subscription.settle(&tags, Settlement::Done).await?;
    }
    subscription.close().await;
    Ok(seen)
}
