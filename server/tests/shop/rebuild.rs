//! A projection is built anew from the archives; what is none is refused.

use std::collections::HashMap;
use std::path::Path;

use axum::Json;
use axum::extract::State;
use events::OrderPaid;
use kernel::{Clock, Ids, Shards};
use serde_json::{Value, json};
use server::app;
use server::config::{self, Environment};
use server::shop::Shop;
use service::http::routes;
use service::http::{Policy, Problem};
use service::storage::{self, Batch, Db, Location, Migration, Migrations, Options, Rebuild, params};
use service::{Committed, Ctx, Delivery, Failure, Service};
use testkit::{Setup, ShopLocation, TestShop, on_each_store};

on_each_store! {
    the_tables_of_a_projection_are_built_anew_and_what_happens_later_is_added,
}

const MIGRATIONS: Migrations = Migrations {
    set: "sales",
    steps: &[Migration {
        sqlite: "create table sales (order_id blob not null primary key, amount integer not null) strict;",
        postgres: "create table sales (order_id uuid not null primary key, amount bigint not null);",
    }],
};

storage::statements! {
    upsert ADD_SALE "insert into sales (order_id, amount) values ($1, $2) on conflict (order_id) do nothing";
    claim SPOIL "update sales set amount = $1 where amount > $1 returning amount";
    query TURNOVER "select count(*) as orders, cast(coalesce(sum(amount), 0) as bigint) as amount from sales";
}

/// The turnover, which follows from paid orders alone.
fn sales() -> Service {
    Service::new("sales", MIGRATIONS, STATEMENTS, ()).projection().routes(Policy::Admin, routes!(turnover)).on(add)
}

async fn add(ctx: Ctx, delivery: Delivery<OrderPaid>) -> Result<Committed, Failure> {
    let paid = &delivery.event;
    let batch = Batch::new().upsert(&ADD_SALE, params![paid.order_id, paid.amount.amount]);
    Ok(ctx.commit(batch, delivery.cause()).await?)
}

/// Number and sum of the paid orders.
#[utoipa::path(get, path = "/v1/sales", operation_id = "read_sales", tag = "sales", responses((status = 200)))]
async fn turnover(State(ctx): State<Ctx>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!(sum(&ctx.db).await?)))
}

async fn sum(db: &Db) -> Result<(i64, i64), storage::Error> {
    let rows = db.query(&TURNOVER, params![], |row| Ok((row.get("orders")?, row.get("amount")?))).await?;
    Ok(rows.into_iter().next().unwrap())
}

fn shop() -> Shop {
    Shop::tradepost().service(7999, |_| sales())
}

fn setup() -> Setup {
    Setup { shop: shop(), ..Setup::default() }
}

async fn the_tables_of_a_projection_are_built_anew_and_what_happens_later_is_added(place: ShopLocation) {
    let settings = config::load(&shop(), &place.flags(), None, &Environment::default()).unwrap().settings;
    let shop = TestShop::start_on_with(place, setup()).await;
    let product = shop.product("123", 50).await;
    for token in ["tok_ok", "tok_declined", "tok_ok"] {
        shop.order(&[(&product, 1)], Some(token)).await;
    }
    shop.settle().await;
    assert_eq!(turnover_of(&shop).await, json!([2, 2_000]));
    let refused = rebuild(&settings, "sales").await.unwrap_err().to_string();
    assert!(refused.contains("another Tradepost is using") || refused.contains("a process runs sales"), "{refused}");

    // Nobody waits until it is delivered, so it may be in the outbox, in the queue, or handled.
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    let meanwhile = async |store: Location, clock: Clock| {
        let open = async |location| Db::open(options(location, &clock)).await.unwrap();
        let spoiled = open(store.clone()).await;
        spoiled.claim(&SPOIL, params![1_i64], |row| row.get::<i64>("amount")).await.unwrap();
        assert_eq!(sum(&spoiled).await.unwrap().1, sum(&spoiled).await.unwrap().0, "each has an amount of 1");
        spoiled.close().await;
        // A rebuild that was killed leaves a part of the new store.
        let killed = Rebuild::begin(&store, "sales").await.unwrap();
        open(killed.location()).await.close().await;
        let rebuilt = rebuild(&settings, "sales").await.unwrap();
        assert!(rebuilt.events >= 2 && rebuilt.parked == 0, "{rebuilt:?}");
        assert!(!settings.data_dir.join("rebuild").exists());
    };
    let shop = shop.restart_after(setup(), meanwhile).await;
    shop.settle().await;
    assert_eq!(turnover_of(&shop).await, json!([3, 3_000]), "each order is counted once");
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    assert_eq!(turnover_of(&shop).await, json!([4, 4_000]));
    assert!(shop.get("/v1/dead-letters").await.expect(200).items().is_empty());
    shop.stop().await;
}

#[tokio::test]
async fn a_missing_store_of_a_projection_is_refused_with_the_command_that_builds_it() {
    let place = ShopLocation::folder();
    let settings = config::load(&shop(), &place.flags(), None, &Environment::default()).unwrap().settings;
    let shop = TestShop::start_on_with(place, setup()).await;
    let meanwhile = async |_, _| {
        std::fs::remove_file(settings.data_dir.join("sales.db")).unwrap();
        // Whatever else opens the folder refuses it.
        let refused =
            app::backup(&self::shop(), &settings.data_dir, &settings.location(), Path::new("/nowhere/at/all"));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`tradepost rebuild sales`"), "{refused}");
        rebuild(&settings, "sales").await.unwrap();
    };
    shop.restart_after(setup(), meanwhile).await.stop().await;
}

#[tokio::test]
async fn a_service_that_is_no_projection_is_refused_with_the_reason() {
    let place = ShopLocation::folder();
    let settings = config::load(&shop(), &place.flags(), None, &Environment::default()).unwrap().settings;
    for (service, reason) in [
        ("orders", "it emits events of its own, such as orders."),
        ("notifications", "it has timers, such as send_mail"),
        ("reviews", "there is no service reviews"),
    ] {
        let refused = rebuild(&settings, service).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{service}: {refused}");
    }
    assert!(!place.data().exists(), "a command that was refused made the folder");
}

async fn rebuild(settings: &config::Settings, service: &str) -> anyhow::Result<app::Rebuilt> {
    app::rebuild(&shop(), settings, service, drop).await
}

fn options(location: Location, clock: &Clock) -> Options {
    Options {
        service: "sales",
        location,
        migrations: MIGRATIONS,
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1_000,
        clock: clock.clone(),
        ids: Ids::new(clock.clone()),
    }
}

async fn turnover_of(shop: &TestShop) -> Value {
    shop.get("/v1/sales").await.expect(200).json()
}
