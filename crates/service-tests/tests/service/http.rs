//! The HTTP shell: the answer to a bad request states its defect, and no request ends the process.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use service::http::BODY_BYTES_MAX;
use tempfile::{TempDir, tempdir};

use crate::support::{ADMIN_TOKEN, House, Script, TestResponse, consumer, emitter, send};

#[tokio::test]
async fn a_bad_body_is_answered_with_what_is_wrong_with_it_and_changes_nothing() {
    let shop = Shop::start().await;
    let fact = |field: &str, value: Value| {
        let mut fact = json!({"subject": "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "name": "ada", "version": 1});
        fact[field] = value;
        json!({"facts": [fact]}).to_string().into_bytes()
    };
    let nested = |depth: usize| format!("{{\"facts\": [], \"remark\": {}}}", "[".repeat(depth)).into_bytes();
    let too_large = vec![b' '; BODY_BYTES_MAX + 1];
    // (body, status, code, field)
    let table: Vec<(Vec<u8>, u16, &str, Option<&str>)> = vec![
        (b"".to_vec(), 400, "malformed_body", None),
        (b"{".to_vec(), 400, "malformed_body", None),
        (b"{\"facts\": []} x".to_vec(), 400, "malformed_body", None),
        (b"{\"facts\": [], \"remark\": \"\xff\xfe\"}".to_vec(), 400, "malformed_body", None),
        (nested(10_000), 400, "malformed_body", None),
        (nested(100_000), 400, "malformed_body", None),
        (b"[]".to_vec(), 400, "malformed_body", Some("body")),
        (
            b"{\"facts\": [[\"019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d\", \"ada\", 1]]}".to_vec(),
            400,
            "malformed_body",
            Some("facts[0]"),
        ),
        (b"\"facts\"".to_vec(), 400, "malformed_body", Some("body")),
        (b"{\"facts\": 7}".to_vec(), 400, "malformed_body", Some("facts")),
        (b"{\"facts\": [], \"facts\": []}".to_vec(), 400, "malformed_body", Some("facts")),
        (fact("version", json!("one")), 400, "malformed_body", Some("facts[0].version")),
        (fact("version", json!(1.5)), 400, "malformed_body", Some("facts[0].version")),
        (fact("version", json!(u64::MAX)), 422, "invalid_body", Some("facts[0].version")),
        (fact("subject", json!("nobody")), 422, "invalid_body", Some("facts[0].subject")),
        (fact("colour", json!("red")), 422, "invalid_body", Some("facts[0].colour")),
        (b"{\"facts\": [{\"name\": \"a\", \"name\": \"b\"}]}".to_vec(), 400, "malformed_body", Some("facts[0].name")),
        (b"{\"facts\": [], \"more\": 1}".to_vec(), 422, "invalid_body", Some("more")),
        (b"{}".to_vec(), 422, "invalid_body", Some("facts")),
        (b"{\"facts\": [{\"name\": \"ada\", \"version\": 1}]}".to_vec(), 422, "invalid_body", Some("facts[0].subject")),
        (too_large, 413, "body_too_large", None),
    ];
    for (body, status, code, field) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = send(&shop.users, emit(Body::from(body))).await;
        assert_problem(&answer, status, code, &shown);
        assert_eq!(answer.json.pointer("/errors/0/field").and_then(Value::as_str), field, "{shown}: {}", answer.text);
    }
    assert_eq!(shop.house.operator("users").newest_position().await.unwrap(), 0);
    shop.house.stop().await;
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_cap_and_no_larger_however_it_is_sent() {
    let shop = Shop::start().await;
    let mut largest = b"{\"facts\": []}".to_vec();
    largest.resize(BODY_BYTES_MAX, b' ');
    let taken = send(&shop.users, emit(Body::from(largest))).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.text);

    // Without a length that says so beforehand.
    let chunks = (0..=BODY_BYTES_MAX / 1024).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let endless = Body::from_stream(futures_util::stream::iter(chunks));
    assert_problem(&send(&shop.users, emit(endless)).await, 413, "body_too_large", "chunks");
    shop.house.stop().await;
}

#[tokio::test]
async fn a_request_that_no_route_takes_is_refused() {
    let shop = Shop::start().await;
    let long_path = &format!("/{}", "x".repeat(8 * 1024));
    let get = |uri: &str| Request::get(uri).body(Body::empty()).unwrap();
    let typed = |kind: &str| Request::post("/v1/emit").header(header::CONTENT_TYPE, kind).body("{}".into()).unwrap();
    let untyped = Request::post("/v1/emit").body(Body::from("{}")).unwrap();
    // (router, request, status, code)
    let table = vec![
        (&shop.users, get("/v1/nothing"), 404, "not_found"),
        (&shop.users, get("/v1/emit/"), 404, "not_found"),
        (&shop.users, get("/v1/emit"), 405, "method_not_allowed"),
        (&shop.users, typed("text/plain"), 415, "unsupported_media_type"),
        (&shop.users, typed("application/json-patch"), 415, "unsupported_media_type"),
        (&shop.users, untyped, 415, "unsupported_media_type"),
        (&shop.users, get("/v1/secret"), 401, "unauthenticated"),
        (&shop.orders, get("/v1/effects?cursor=nonsense"), 400, "invalid_cursor"),
        (&shop.orders, get("/v1/effects?limit=0"), 400, "invalid_query"),
        (&shop.orders, get("/v1/effects?limti=5"), 400, "invalid_query"),
        (&shop.orders, get("/v1/effects?limit=5&limit=6"), 400, "invalid_query"),
        (&shop.users, get("/v1/secret?token=x"), 401, "unauthenticated"),
        (&shop.users, get(long_path), 414, "uri_too_long"),
        (&shop.orders, get("/v1/effects?limit=101"), 400, "invalid_query"),
        (&shop.orders, get("/v1/effects?limit=many"), 400, "invalid_query"),
    ];
    for (router, request, status, code) in table {
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = send(router, request).await;
        assert_problem(&answer, status, code, &shown);
        assert_eq!(status == 405, answer.headers.contains_key(header::ALLOW), "{shown}");
        assert_eq!(status == 401, answer.headers.contains_key(header::WWW_AUTHENTICATE), "{shown}");
    }
    shop.house.stop().await;
}

#[tokio::test]
async fn only_the_admin_token_opens_what_is_the_admins() {
    let shop = Shop::start().await;
    let secret = async |authorization: &str| {
        let request = Request::get("/v1/secret").header(header::AUTHORIZATION, authorization);
        send(&shop.users, request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!(secret(&format!("Bearer {ADMIN_TOKEN}")).await, 200);
    assert_eq!(secret(&format!("Bearer {ADMIN_TOKEN}x")).await, 401);
    assert_eq!(secret(&format!("Basic {ADMIN_TOKEN}")).await, 401);
    assert_eq!(secret("Bearer ").await, 401);
    shop.house.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_without_details_and_the_process_lives() {
    let shop = Shop::start().await;
    for _ in 0..3 {
        let answer = send(&shop.users, Request::post("/v1/panic").body(Body::empty()).unwrap()).await;
        assert_problem(&answer, 500, "internal", "POST /v1/panic");
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    assert_eq!(send(&shop.users, emit(Body::from("{\"facts\": []}"))).await.status, StatusCode::ACCEPTED);
    shop.house.stop().await;
}

#[tokio::test]
async fn a_request_whose_rows_keep_changing_is_busy_in_the_end() {
    let shop = Shop::start().await;
    let answer = send(&shop.users, Request::post("/v1/busy").body(Body::empty()).unwrap()).await;
    assert_problem(&answer, 503, "busy", "POST /v1/busy");
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(shop.script.calls("busy"), 16);
    shop.house.stop().await;
}

#[tokio::test]
async fn a_request_id_is_taken_over_if_it_is_plain_and_made_if_not() {
    let shop = Shop::start().await;
    let answered_under = async |sent: &str| {
        let request = Request::get("/v1/nothing").header("x-request-id", sent).body(Body::empty()).unwrap();
        let answer = send(&shop.users, request).await;
        let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(answer.json["request_id"], id);
        id
    };
    assert_eq!(answered_under("checkout-7_a.b:c").await, "checkout-7_a.b:c");
    for odd in ["", "two words", "<script>", &"x".repeat(129)] {
        let made = answered_under(odd).await;
        assert!(made.parse::<uuid::Uuid>().is_ok(), "{odd:?} was answered under {made:?}");
    }
    shop.house.stop().await;
}

#[tokio::test]
async fn the_address_of_the_shop_leads_a_browser_to_the_description_of_its_routes() {
    let shop = Shop::start().await;
    let answer = send(&shop.users, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.headers[header::LOCATION]), (307, &"/docs".parse().unwrap()));
    shop.house.stop().await;
}

#[tokio::test]
async fn health_says_that_the_process_drains_and_metrics_are_for_the_admin() {
    let shop = Shop::start().await;
    let get = async |uri: &str| send(&shop.users, Request::get(uri).body(Body::empty()).unwrap()).await;
    let ready = get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.json["status"]), (200, &json!("ready")));
    assert_problem(&get("/metrics").await, 401, "unauthenticated", "GET /metrics");
    let authorized = Request::get("/metrics").header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"));
    let metrics = send(&shop.users, authorized.body(Body::empty()).unwrap()).await;
    assert!(metrics.text.contains("tradepost_outbox_pending{service=\"users\",lane=\"background\"} 0"));

    shop.house.runtime.tasks.cancel();

    let draining = get("/readyz").await;
    assert_eq!((draining.status.as_u16(), &draining.json["status"]), (503, &json!("unavailable")));
    assert_eq!(get("/healthz").await.status, StatusCode::OK);
    shop.house.stop().await;
}

/// A service that emits what it is asked to, and one that lists its effects.
struct Shop {
    house: House,
    users: Router,
    orders: Router,
    script: Script,
    _folder: TempDir,
}

impl Shop {
    async fn start() -> Self {
        let folder = tempdir().unwrap();
        let script = Script::new();
        let house = House::start(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
        let (users, orders) = (house.router("users"), house.router("orders"));
        Self { house, users, orders, script, _folder: folder }
    }
}

fn emit(body: Body) -> Request<Body> {
    Request::post("/v1/emit").header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(body).unwrap()
}

#[track_caller]
fn assert_problem(answer: &TestResponse, status: u16, code: &str, request: &str) {
    assert_eq!(answer.status.as_u16(), status, "{request}: {}", answer.text);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{request}");
    assert_eq!(answer.json["code"], code, "{request}: {}", answer.text);
    assert_eq!(answer.json["status"], status, "{request}");
    assert_eq!(answer.json["request_id"], answer.headers["x-request-id"].to_str().unwrap(), "{request}");
    for field in ["type", "title", "detail"] {
        assert!(answer.json[field].as_str().is_some_and(|text| !text.is_empty()), "{request} has no {field}");
    }
}
