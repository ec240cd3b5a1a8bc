//! A database that comes and goes under load: new orders are refused while it is down, nothing that was accepted is
//! lost, and all goes on by itself when it is back.

use std::time::Duration;

use serde_json::json;
use test_servers::Postgres;

use crate::extent::{orders, short_or_long};
use crate::one_process::{Heals, OneProcess};

/// Orders of each round.
const ORDERS: usize = 200;

/// Rounds of each kind of outage, in a short run and a long one.
const ROUNDS: (usize, usize) = (1, 3);

/// The time for which the server stays down, so that requests find it so.
const OUTAGE: Duration = Duration::from_secs(1);

/// Connections that a database still admits when its limit is reached: fewer than the services have.
const TOO_FEW: &str = "7";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_and_goes_leaves_balanced_books() {
    let mut server = Postgres::start();
    let url = server.create_database();
    let database = url.rsplit('/').next().expect("a URL ends with its database");
    let mut run = OneProcess::start(Some(&url), None).await;
    for _ in 0..short_or_long(ROUNDS.0, ROUNDS.1) {
        run.outage("killed", orders(ORDERS), Heals::ByItself, async |_| {
            server.kill();
            tokio::time::sleep(OUTAGE).await;
            server.restart();
        })
        .await;
        run.outage("connections ended", orders(ORDERS), Heals::ByItself, async |run| {
            for _ in 0..10 {
                server.terminate_connections();
                tokio::time::sleep(run.rng.duration(Duration::ZERO..OUTAGE / 10)).await;
            }
        })
        .await;
        run.outage("stopped", orders(ORDERS), Heals::ByItself, async |_| {
            server.stop();
            tokio::time::sleep(OUTAGE).await;
            server.restart();
        })
        .await;
        run.outage("few connections admitted", orders(ORDERS), Heals::ByItself, async |_| {
            let limit = |most: &str| {
                server.execute("postgres", &format!("alter database {database} connection limit {most}"));
            };
            limit(TOO_FEW);
            server.terminate_connections();
            tokio::time::sleep(OUTAGE).await;
            limit("-1");
        })
        .await;
    }
    run.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_its_database_says_so_and_recovers_by_itself() {
    let mut server = Postgres::start();
    let run = OneProcess::start(Some(&server.create_database()), None).await;
    server.stop();
    let body = json!({"sku": "x", "name": "X", "stock": 1, "price": {"amount": 1, "currency": "EUR"}});
    let (status, problem) = run.client.post("/v1/products", &body).await.expect("the process is alive");
    assert_eq!((status, problem["code"].as_str()), (503, Some("store_unavailable")), "{problem}");
    assert_eq!(run.client.status("/readyz").await, 503);
    assert_eq!(run.client.status("/healthz").await, 200, "it is alive, and must not be restarted");
    server.restart();
    run.until_good("/readyz").await;
    let (status, made) = run.client.post("/v1/products", &body).await.expect("the process is alive");
    assert_eq!(status, 201, "{made}");
    run.finish().await;
}
