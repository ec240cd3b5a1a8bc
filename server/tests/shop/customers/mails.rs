//! Mails: so many an hour to one address, one for the end of an order, and those of an earlier version.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use axum::http::Method;
use kernel::{Cause, Clock, Ids, RequestCause, Shards, Uuid, Version};
use notifications::settings::MAIL_LIMIT;
use serde_json::json;
use service::setting::Values;
use storage::{Batch, Change, Db, Migrations, Options, params};
use testkit::{Customer, Setup, ShopLocation, TestShop, on_each_store, unlimited};

on_each_store! {
    nobody_gets_more_mails_than_the_hour_allows_and_confirmations_wait,
    each_paid_order_of_a_banned_customer_has_its_mail_in_time,
    a_mail_that_is_dropped_replaces_none,
    a_mail_that_could_not_be_sent_is_replaced_by_that_of_the_orders_end,
    mails_of_an_earlier_version_are_kept_and_new_kinds_are_written_beside_them,
}

async fn order_for(shop: &TestShop, product: &str, email: &str, token: &str) {
    let order = json!({"lines": [{"product_id": product, "quantity": 1}], "email": email, "payment": {"token": token}});
    shop.request(Method::POST, "/v1/orders").json(&order).send().await.expect(201);
    shop.settle().await;
}

/// `(template, status)` of each mail to somebody, the oldest first.
async fn mails(shop: &TestShop, email: &str) -> Vec<(String, String)> {
    let mails = shop.get("/v1/mail?limit=100").await.expect(200).items();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let to = mails.iter().rev().filter(|mail| mail["to"] == email);
    to.map(|mail| (text(&mail["template"]), text(&mail["status"]))).collect()
}

async fn nobody_gets_more_mails_than_the_hour_allows_and_confirmations_wait(place: ShopLocation) {
    let services = unlimited().with(&MAIL_LIMIT, "2");
    let shop = TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await;
    let product = shop.product("A", 100).await;
    for _ in 0..5 {
        order_for(&shop, &product, "victim@example.net", "tok_declined").await;
    }
    assert_eq!(mails(&shop, "victim@example.net").await.len(), 2, "what costs nothing to cause is dropped");
    order_for(&shop, &product, "ada@example.com", "tok_ok").await;
    assert_eq!(mails(&shop, "ada@example.com").await.len(), 1, "each address has its own hour");

    order_for(&shop, &product, "victim@example.net", "tok_ok").await;
    let held = |status: &str| ("confirmation".to_owned(), status.to_owned());
    assert_eq!(mails(&shop, "victim@example.net").await.last(), Some(&held("queued")));
    let metrics = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    for line in [
        "tradepost_mails_over_limit_total{template=\"payment_failed\",outcome=\"dropped\"} 3",
        "tradepost_mails_over_limit_total{template=\"confirmation\",outcome=\"held\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    shop.advance(Duration::from_mins(30)).await;
    assert_eq!(mails(&shop, "victim@example.net").await.last(), Some(&held("captured")));
}

/// The mail about the cancellation of a paid order is the only one that says that its money comes back.
async fn each_paid_order_of_a_banned_customer_has_its_mail_in_time(place: ShopLocation) {
    let services = unlimited().with(&MAIL_LIMIT, "2");
    let shop = TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await;
    let product = shop.product("A", 100).await;
    let ada = Customer::sign_up(&shop, "ada").await;
    // The welcome and the first confirmation are within the limit.
    for _ in 0..3 {
        let order = json!({"lines": [{"product_id": product, "quantity": 1}], "payment": {"token": "tok_ok"}});
        ada.asks(&shop, Method::POST, "/v1/orders").json(&order).send().await.expect(201);
        shop.settle().await;
    }
    shop.post(&format!("/v1/users/{}/ban", ada.user_id), &json!({"reason": "fraud"})).await.expect(202);
    shop.settle().await;
    let orders = shop.get("/v1/orders").await.expect(200).items();
    assert!(orders.iter().all(|order| order["status"] == "cancelled"), "{orders:?}");

    let of_template = async |template: &str| {
        let mails = mails(&shop, "ada@example.com").await;
        mails.into_iter().filter(|(name, _)| name == template).map(|(_, status)| status).collect::<Vec<_>>()
    };
    assert_eq!(of_template("cancelled").await, ["queued"; 3], "held until the hour has room");
    // What they confirm is no longer so.
    assert_eq!(of_template("confirmation").await, ["captured", "failed", "failed"]);
    // Behind the places of the two confirmations, one each half hour.
    shop.advance(Duration::from_mins(5 * 30)).await;
    assert_eq!(of_template("cancelled").await, ["captured"; 3]);
}

async fn a_mail_that_is_dropped_replaces_none(place: ShopLocation) {
    let services = unreachable_mail_server().with(&MAIL_LIMIT, "1");
    let shop = TestShop::start_on_with(place, Setup { services, ..Setup::default() }).await;
    let product = shop.product("A", 100).await;
    let (email, queued) = ("ada@example.com", |template: &str| (template.to_owned(), "queued".to_owned()));
    order_for(&shop, &product, email, "tok_soft").await;
    let order_id = shop.get("/v1/orders").await.expect(200).items()[0]["order_id"].as_str().unwrap().to_owned();
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(200);
    shop.settle().await;
    assert_eq!(mails(&shop, email).await, [queued("payment_failed")], "the mail about the end is beyond the limit");
}

/// Settings with a mail server that was there, and is not any more.
fn unreachable_mail_server() -> Values {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let services = server::shop::Shop::tradepost().described();
    let mut settings = services.iter().flat_map(|service| service.settings());
    let smtp_url = settings.find(|setting| setting.name() == "smtp_url").unwrap();
    unlimited().with(*smtp_url, &format!("smtp://{address}"))
}

async fn a_mail_that_could_not_be_sent_is_replaced_by_that_of_the_orders_end(place: ShopLocation) {
    let shop = TestShop::start_on_with(place, Setup { services: unreachable_mail_server(), ..Setup::default() }).await;
    let product = shop.product("A", 100).await;
    let (email, queued) = ("ada@example.com", |template: &str| (template.to_owned(), "queued".to_owned()));
    order_for(&shop, &product, email, "tok_soft").await;
    assert_eq!(mails(&shop, email).await, [queued("payment_failed")], "the order waits for another payment");

    let order_id = shop.get("/v1/orders").await.expect(200).items()[0]["order_id"].as_str().unwrap().to_owned();
    shop.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await.expect(200);
    shop.settle().await;
    let replaced = ("payment_failed".to_owned(), "failed".to_owned());
    assert_eq!(mails(&shop, email).await, [replaced.clone(), queued("cancelled")], "it waits no more");
    let first = &shop.get(&format!("/v1/mail?order_id={order_id}")).await.expect(200).items()[1];
    assert!(first["error"].as_str().unwrap().contains("replaced"), "{first}");
    shop.advance(Duration::from_mins(10)).await;
    assert_eq!(mails(&shop, email).await, [replaced, queued("cancelled")], "nothing tries to send it");
}

static MAIL_BEFORE: Change = Change::new(
    "MAIL_BEFORE",
    "insert into mails (mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html, status,
        attempts, created_at, version)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
);

/// Makes the store as the first version made it, with a mail about an account and one about an order.
async fn write_before(place: &ShopLocation) -> [Uuid; 2] {
    let services = server::shop::Shop::tradepost().described();
    let now = services.into_iter().find(|it| it.name() == "notifications").unwrap().migrations();
    let (clock, _) = Clock::mock("2025-12-31T12:00:00Z".parse().unwrap());
    let ids = Ids::new(clock.clone());
    std::fs::create_dir_all(place.data()).unwrap();
    place.without_tables();
    let db = Db::open(Options {
        service: "notifications",
        location: place.store(),
        migrations: Migrations { set: now.set, steps: &now.steps[..1] },
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        clock: clock.clone(),
        ids: ids.clone(),
    });
    let db = db.await.unwrap();
    let mails = [(ids.next(), None, "welcome"), (ids.next(), Some(ids.next::<Uuid>()), "confirmation")];
    for (mail_id, order_id, template) in mails {
        let topic: Uuid = order_id.unwrap_or_else(|| ids.next());
        let row = params![
            mail_id,
            "<1@shop.example>",
            topic,
            order_id,
            template,
            "ada@example.com",
            "s",
            "t",
            "h",
            "captured",
            0_i64,
            clock.now(),
        ];
        let cause = Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None });
        db.commit(Batch::new().change(&MAIL_BEFORE, Version::FIRST, row), cause).await.unwrap();
    }
    db.close().await;
    mails.map(|(mail_id, ..)| mail_id)
}

async fn mails_of_an_earlier_version_are_kept_and_new_kinds_are_written_beside_them(place: ShopLocation) {
    let before = write_before(&place).await;
    let shop = TestShop::start_on(place).await;
    let kept = |template: &str| (template.to_owned(), "captured".to_owned());
    assert_eq!(mails(&shop, "ada@example.com").await, [kept("welcome"), kept("confirmation")]);
    for mail_id in before {
        assert_eq!(shop.get(&format!("/v1/mail/{mail_id}")).await.expect(200).text("/text"), "t");
    }
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    shop.post("/v1/users", &account).await.expect(201);
    shop.post("/v1/users/password-reset", &json!({"email": "ada@example.com"})).await.expect(202);
    shop.settle().await;
    assert_eq!(mails(&shop, "ada@example.com").await[2..], [kept("welcome"), kept("password_reset")]);
}
