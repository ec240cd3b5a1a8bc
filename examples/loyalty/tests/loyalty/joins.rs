//! The program joins a shop that has been selling, with processes and servers as in production.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use server::shop::Shop;
use test_servers::{Options, Postgres};
use testkit::{SHARDS, settings_at};

use crate::guide::text_of_the_guide;
use crate::process::{Process, ask, ask_as, run};
use crate::running_shop::{RunningShop, Servers, settle};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_joins_a_shop_counts_what_was_paid_before_and_after() {
    let servers = Servers::start();
    let shop = RunningShop::start(&servers).await;
    let (product, (ada, token)) = (shop.product("123"), shop.customer("ada"));
    let old = shop.order(&token, &product, 3);
    shop.order(&token, &product, 1);
    shop.settle();
    let versions = "select string_agg(version::text, ' ' order by name) from orders.migrations";
    let tables = servers.database.execute(versions);

    let (code, said) = run(servers.loyalty(&shop.url, &["serve", "loyalty", "--port", "0"]));
    assert!(code == Some(3) && said.contains("is not subscribed to"), "{code:?}: {said}");
    let (code, said) = run(servers.loyalty(&shop.url, &["up", "--port", "0"]));
    assert!(code == Some(2) && said.contains("runs only loyalty of it"), "{code:?}: {said}");
    let (code, said) = run(servers.loyalty(&shop.url, &["migrate"]));
    assert!(code == Some(0) && said.contains("schemas  loyalty\nqueues   of loyalty\nbacklog"), "{code:?}: {said}");
    let (_, said) = run(servers.loyalty(&shop.url, &["doctor"]));
    assert!(said.contains("up to date: loyalty\n") && said.contains("those of 1 consumers are present"), "{said}");
    // What was paid between the two waits in the queues.
    shop.order(&token, &product, 2);

    let serve = || Process::spawn(servers.loyalty(&shop.url, &["serve", "loyalty", "console", "--port", "0"]));
    let process = serve();
    let url = process.says("ready ");
    settle(&url);
    let points = |url: &str| ask_as(&token, "GET", &format!("{url}/v1/loyalty/{ada}"), &Value::Null);
    assert_eq!(points(&url).1["points"], 60, "what was paid before it ran counts");

    shop.refund(&old, 1_000);
    shop.order(&token, &product, 5);
    settle(&url);
    assert_eq!(points(&url).1["points"], 100, "50 more, and 10 of the first 30 are taken back");
    let (_, story) = ask("GET", &format!("{url}/v1/orders/{old}/events"), &Value::Null);
    assert!(story.to_string().contains("\"consumer\":\"loyalty\""), "its console shows its own deliveries: {story}");

    // Killed and started anew, it has missed nothing.
    drop(process);
    shop.order(&token, &product, 1);
    let (code, said) = run(servers.loyalty(&shop.url, &["migrate"]));
    assert!(code == Some(0) && !said.contains("backlog"), "there is nothing more to copy: {said}");
    let (code, said) = run(servers.loyalty(&shop.url, &["rebuild", "loyalty"]));
    assert_eq!(code, Some(0), "{said}");
    let process = serve();
    let url = process.says("ready ");
    settle(&url);
    assert_eq!(points(&url).1["points"], 110);

    shop.ban(&ada);
    settle(&url);
    assert_eq!(points(&url).0, 403, "a ban reaches it like every service");
    let (_, all) = ask("GET", &format!("{url}/v1/loyalty"), &Value::Null);
    assert_eq!(all["items"][0]["points"], 0, "it cancels the orders, and the points go back with the money");
    assert_eq!(servers.database.execute(versions), tables, "the neighbours' tables are as they were");
    drop(process);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_not_there_or_is_divided_in_another_way_is_not_joined() {
    let servers = Servers::start();
    let migrate = || run(servers.loyalty("http://127.0.0.1:1", &["migrate"]));
    let (code, said) = migrate();
    assert!(code == Some(3) && said.contains("schema users, can't be used: it is not there"), "{code:?}: {said}");
    server::app::migrate(&Shop::tradepost(), &servers.settings(), |_| {}).await.unwrap();
    let mut other = servers.loyalty("http://127.0.0.1:1", &["migrate"]);
    other.env("TRADEPOST_SHARDS", "3");
    let (code, said) = run(other);
    assert!(code == Some(3) && said.contains(&format!("set `shards` to {SHARDS}")), "{code:?}: {said}");
    let schemas = "select count(*) from pg_namespace where nspname = 'loyalty'";
    assert_eq!(servers.database.execute(schemas), "0", "a refusal leaves all as it was");
    assert_eq!(migrate().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_guide_gives_are_enough() {
    let postgres = Options::default().start().unwrap();
    postgres.execute("postgres", "create database tradepost");
    postgres.execute("postgres", "create role boss superuser login password 'boss'");
    let folder = tempfile::tempdir().unwrap();
    give_the_shop_its_rights(&postgres, folder.path());
    let servers = Servers::start();
    let migrating = fs::read_to_string(folder.path().join("store_migrate")).unwrap();
    let settings = settings_at(&Shop::tradepost(), &migrating, &servers.vhost.url());
    server::app::migrate(&Shop::tradepost(), &settings, |_| {}).await.unwrap();

    let guide = text_of_the_guide("A consumer outside");
    let (_, sql) = guide.split_once("```sql\n").unwrap();
    postgres.execute("tradepost", sql.split_once("```").unwrap().0);
    let with = |store: &str, arguments: &[&str]| {
        let mut command = servers.loyalty("http://127.0.0.1:1", arguments);
        command.env("TRADEPOST_STORE", store);
        command
    };
    let (code, said) = run(with(&migrating, &["migrate"]));
    assert_eq!(code, Some(0), "{said}");
    let own = format!("postgres://tradepost_loyalty:secret@127.0.0.1:{}/tradepost", postgres.port());
    Process::spawn(with(&own, &["serve", "loyalty", "--port", "0"])).says("ready ");
    let (code, said) = run(with(&own, &["migrate"]));
    assert!(code == Some(3) && said.contains("tradepost_loyalty may not read it"), "{code:?}: {said}");
}

/// Runs the scripts that make the roles of a shop.
fn give_the_shop_its_rights(postgres: &Postgres, secrets: &Path) {
    let (port, at) = (postgres.port().to_string(), format!("127.0.0.1:{}/tradepost", postgres.port()));
    let as_boss = [("PGHOST", "127.0.0.1"), ("PGPORT", &port), ("PGUSER", "boss"), ("PGPASSWORD", "boss")];
    let hosts = [("POSTGRES", &*at), ("RABBITMQ", &*at)];
    for (script, variables) in [("secrets.sh", &hosts[..]), ("postgres/roles.sh", &as_boss[..])] {
        let mut command = Command::new("bash");
        command.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(script));
        let (code, said) = run(command.env("SECRETS", secrets).envs(variables.iter().copied()));
        assert_eq!(code, Some(0), "{script}: {said}");
    }
}
