//! The web pages in a real browser, with the data of a demo shop and an order whose event became a dead letter.

use std::os::unix::fs::symlink;
use std::process::Command;

use events::OrderPaid;
use kernel::{Clock, Currency, Money, Uuid};
use service::storage::Location;
use test_servers::packages::run;
use testkit::emit;

use super::{ADMIN_TOKEN, Shop, here, packages};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_works_in_a_browser() {
    let shop = with_a_dead_letter().await;
    let (packages, work) = (packages(), tempfile::tempdir().unwrap());
    symlink(packages.node_modules(), work.path().join("node_modules")).unwrap();
    let script = work.path().join("dashboard.test.mjs");
    std::fs::copy(here().join("dashboard/dashboard.test.mjs"), &script).unwrap();
    let mut node = Command::new("node");
    node.arg("--test").arg(&script).env("BASE_URL", shop.url()).env("SIGN_IN_TOKEN", ADMIN_TOKEN);
    let printed = tokio::task::spawn_blocking(move || run(&mut node)).await.unwrap();
    let printed = printed.unwrap_or_else(|error| panic!("{error}"));
    assert!(printed.contains("fail 0"), "{printed}");
}

/// A demo shop in which inventory could not handle that a rejected order was paid, for it never was.
async fn with_a_dead_letter() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::start_in(folder.path());
    let order_id = shop.rejected_order();
    drop(shop);
    let paid = OrderPaid {
        order_id: order_id.parse().unwrap(),
        number: 1,
        user_id: None,
        email: "<b>ada</b>@example.com".to_owned(),
        payment_id: Uuid::from_u128(1).into(),
        amount: Money::new(1_000, Currency::EUR),
        ship_to: None,
        lines: Vec::new(),
    };
    let data = Location::Folder(folder.path().join("tradepost-data"));
    emit(data, Clock::system(), &[paid], &["inventory"]).await;
    Shop::start_in(folder.path()).keeping(folder)
}
