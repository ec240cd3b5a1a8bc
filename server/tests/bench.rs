//! `tradepost bench orders` against a shop that keeps its books, and against one that cooks them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{ADMIN_TOKEN, TestShop};

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Serves on a free port for as long as the test's runtime lives.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::runtime::Handle::current().spawn(async { axum::serve(listener, service).await });
    url
}

async fn bench(url: &str, arguments: &[&str]) -> Ran {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
    command.args(["bench", "orders"]).args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    command.env_clear().env("TRADEPOST_URL", url).env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the probe left something behind");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn names(checks: &Value, ok: bool) -> Vec<&str> {
    let checks = checks.as_array().unwrap().iter().filter(|check| check["ok"] == ok);
    checks.map(|check| check["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_measured_and_its_books_balance_beside_what_others_order() {
    let shop = TestShop::start().await;
    let others = shop.product("123", 10).await;
    shop.order(&[(&others, 1)], None).await;
    let url = serve(shop.router()).await;

    let small = ["--json", "--orders", "120", "--products", "4", "--decline", "5%", "--clients", "8", "--keyed"];
    let ran = bench(&url, &small).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let counts = ["accepted", "completed", "rejected", "cancelled", "errors", "unknown"].map(|name| &report[name]);
    assert_eq!(counts, [120, 114, 0, 6, 0, 0]);
    assert_eq!(names(&report["books"]["checks"], false), [""; 0]);
    let checks = ["orders", "states", "outcomes", "shipments", "units", "charges", "mails", "dead_letters"];
    assert_eq!(
        (names(&report["books"]["checks"], true), &report["books"]["balanced"]),
        (checks.to_vec(), &json!(true))
    );
    for measured in ["/accepted_per_s", "/accept_ms/p99", "/confirm_ms/max", "/flushes_per_s/after"] {
        assert!(report.pointer(measured).is_some_and(Value::is_number), "{measured} is not in {report}");
    }
    assert_eq!(shop.stock(&others).await, (10, 1), "what others ordered is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_product_goes_to_exactly_as_many_as_there_are_units() {
    let shop = TestShop::start().await;
    let url = serve(shop.router()).await;
    let ran = bench(&url, &["--hot", "--orders", "60", "--stock", "7", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!([&report["completed"], &report["rejected"]], [7, 53]);
    assert!(report["decided_in_ms"].is_number(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_followed_to_their_delivery() {
    let shop = TestShop::start().await;
    let url = serve(shop.router()).await;
    let ran = bench(&url, &["--life", "--orders", "12", "--products", "3", "--clients", "4", "--json"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!([&report["delivered"], &report["completed"], &report["errors"]], [12, 12, 0]);
    assert!(report["life_ms"]["p99"].is_number(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_cooks_its_books_is_found_out() {
    let shop = TestShop::start().await;
    // One of the mails is kept from the reader, as if it had never been written.
    let cooked = shop.router().layer(from_fn(async |request: Request, next: Next| {
        let is_mail = request.uri().path() == "/v1/mail";
        let response = next.run(request).await;
        if !is_mail {
            return response;
        }
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let mut page: Value = serde_json::from_slice(&body).unwrap();
        page["items"].as_array_mut().unwrap().pop();
        Response::new(Body::from(page.to_string()))
    }));
    let ran = bench(&serve(cooked).await, &["--orders", "20", "--products", "2"]).await;
    assert_eq!(ran.code, Some(8), "{ran:?}");
    assert!(ran.stdout.contains("WRONG"), "{}", ran.stdout);
    let expected =
        "error: the books don't balance\n  mails: expected 20 mails, one for each order that ended, found 19";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    assert!(!ran.stderr.contains("charges"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_looked_for_and_no_error_of_the_books() {
    let shop = TestShop::start().await;
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    // Every tenth order is placed, and its answer breaks off.
    let lossy = shop.router().layer(from_fn(move |request: Request, next: Next| {
        let is_order = request.uri().path() == "/v1/orders" && request.method() == "POST";
        let breaks = is_order && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 10 == 9;
        async move {
            let response = next.run(request).await;
            if !breaks {
                return response;
            }
            let cut = futures_util::stream::once(async { Err::<String, _>(std::io::Error::other("cut off")) });
            response.map(|_| Body::from_stream(cut))
        }
    }));
    let ran = bench(&serve(lossy).await, &["--orders", "40", "--products", "2", "--clients", "2", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!([&report["accepted"], &report["unknown"], &report["errors"]], [36, 4, 0]);
    assert_eq!(report["completed"], 40, "those whose answer was lost were placed: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_can_not_be_measured_is_an_error_with_a_remedy() {
    for (arguments, taught) in [
        (&["--decline", "5"][..], "as in 5% or 2.5%"),
        (&["--duration", "10"], "as in 200ms, 30s"),
        (&["--rate", "0"], "1..=1000000"),
        (&["--clients", "5000"], "1..=1000"),
        (&["--hot", "--products", "2"], "cannot be used with"),
        (&["--orders", "5", "--duration", "5s"], "cannot be used with"),
    ] {
        let ran = bench("http://127.0.0.1:1", arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(taught), "{arguments:?}: {}", ran.stderr);
    }
    let ran = bench("http://127.0.0.1:1", &[]).await;
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let ran = bench("https://127.0.0.1:1", &[]).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("the server itself"), "{ran:?}");

    let shop = TestShop::start().await;
    let ran = bench(&serve(shop.router()).await, &["--probe-dir", "nowhere/at/all", "--orders", "5"]).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("--probe-dir names a folder"), "{ran:?}");
    assert_eq!(shop.get("/v1/orders").await.items().len(), 0, "nothing was ordered before it was refused");
}
