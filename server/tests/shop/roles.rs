//! Rights to routes: every route of the API's description, tried by everybody.

use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Setup, TestResponse, TestShop};

/// A route as the description has it.
struct Route {
    method: Method,
    path: String,
    role: String,
    /// Its policy looks at tokens: on public routes a bad one counts as none.
    checks_tokens: bool,
}

impl Route {
    async fn call(&self, shop: &TestShop, token: Option<&str>) -> TestResponse {
        let call = shop.request(self.method.clone(), &self.path);
        match token {
            Some(token) => call.bearer(token).send().await,
            None => call.send().await,
        }
    }
}

async fn routes(shop: &TestShop) -> Vec<Route> {
    let document = shop.get("/openapi.json").await.expect(200).json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap_or_else(|| panic!("{method} {path} says no role"));
            let mut path = path.clone();
            while let (Some(open), Some(close)) = (path.find('{'), path.find('}')) {
                path.replace_range(open..=close, "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d");
            }
            let method = method.to_uppercase().parse().unwrap();
            let checks_tokens = !operation["responses"]["401"].is_null();
            routes.push(Route { method, path, role: role.to_owned(), checks_tokens });
        }
    }
    assert!(routes.len() >= 35, "the description has all routes: {}", routes.len());
    routes
}

/// Signs a customer up and in; answers with the tokens.
async fn customer(shop: &TestShop) -> TestResponse {
    let account = json!({"username": "ada", "email": "ada@example.com", "password": "correct horse battery"});
    shop.request(Method::POST, "/v1/users").json(&account).send().await.expect(201);
    shop.settle().await;
    let credentials = json!({"email": "ada@example.com", "password": "correct horse battery"});
    shop.request(Method::POST, "/v1/sessions").json(&credentials).send().await.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_it_says_and_nobody_else() {
    let shop = TestShop::start().await;
    let customer = customer(&shop).await.text("/access_token");
    for route in routes(&shop).await {
        // Who is let in is answered something else: nothing is there, or a body is missing.
        let (guest, of_customer): (&[u16], &[u16]) = match route.role.as_str() {
            "guest" => (&[], &[]),
            "own" => (&[401, 404, 415], &[]),
            "customer" => (&[401], &[]),
            "admin" | "admin_or_local" => (&[401], &[403]),
            other => panic!("{other} is a new role: say here whom it lets in"),
        };
        let mut tries = vec![("guest", None, guest), ("customer", Some(customer.as_str()), of_customer)];
        // An answer without an end.
        if !["/v1/events/tail", "/v1/flow/live"].contains(&route.path.as_str()) {
            tries.push(("admin", Some(ADMIN_TOKEN), &[]));
        }
        for (who, token, expected) in tries {
            let answer = route.call(&shop, token).await;
            let (status, what) = (answer.status.as_u16(), format!("{who}: {} {}", route.method, route.path));
            match expected {
                [] => assert!(!matches!(status, 401 | 403 | 500..), "{what} answered {status}"),
                _ => assert!(expected.contains(&status), "{what} answered {status}, not {expected:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_token_before_is_good_beside_the_one_of_now_until_it_is_removed() {
    const PREVIOUS: &str = "the-admin-token-before-this-one-0123456789";
    let setup = Setup { admin_token_previous: Some(PREVIOUS.to_owned()), ..Setup::default() };
    let shop = TestShop::start_with(setup).await;
    let asks = async |shop: &TestShop, token: &str| {
        shop.request(Method::GET, "/v1/mail").bearer(token).send().await.status.as_u16()
    };
    assert_eq!((asks(&shop, PREVIOUS).await, asks(&shop, ADMIN_TOKEN).await), (200, 200));
    assert_eq!(asks(&shop, "an-admin-token-that-never-was-0123456789").await, 401);
    let shop = shop.restart(Setup::default()).await;
    assert_eq!((asks(&shop, PREVIOUS).await, asks(&shop, ADMIN_TOKEN).await), (401, 200));
}

/// Tokens that are not good, each in another way. `good` is one that is.
fn bad_tokens(good: &str, refresh: &str, key: &Value) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let decoded = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let with = |field: &str, value: Value| {
        let mut changed = decoded(header);
        changed[field] = value;
        URL_SAFE_NO_PAD.encode(changed.to_string())
    };
    let signed = |header: Value, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(sign(message.as_bytes())))
    };
    let own_key = |kid: Option<String>| {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let mut header = json!({"typ": "at+jwt", "alg": "EdDSA"});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        signed(header, &|message| pair.sign(message).as_ref().to_vec())
    };
    let kid = key["kid"].as_str().unwrap().to_owned();
    let public = hmac::Key::new(hmac::HMAC_SHA256, &URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap());
    let by_public_key = signed(json!({"typ": "at+jwt", "alg": "HS256", "kid": kid}), &|message| {
        hmac::sign(&public, message).as_ref().to_vec()
    });
    let other_claims = URL_SAFE_NO_PAD.encode(decoded(claims).to_string().replace("access", "refresh"));
    vec![
        ("nothing", String::new()),
        ("a word", "wrong".to_owned()),
        ("a part of the admin token", ADMIN_TOKEN[1..].to_owned()),
        ("changed claims", format!("{header}.{other_claims}.{signature}")),
        ("alg none", format!("{}.{claims}.", with("alg", json!("none")))),
        ("alg none with the signature", format!("{}.{claims}.{signature}", with("alg", json!("none")))),
        ("HS256 by the public key", by_public_key),
        ("another key under this id", own_key(Some(kid))),
        ("an unknown key", own_key(Some("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".to_owned()))),
        ("no key", own_key(None)),
        ("jku", format!("{}.{claims}.{signature}", with("jku", json!("https://evil.example/keys")))),
        ("jwk", format!("{}.{claims}.{signature}", with("jwk", key.clone()))),
        ("x5u", format!("{}.{claims}.{signature}", with("x5u", json!("https://evil.example/cert")))),
        ("crit", format!("{}.{claims}.{signature}", with("crit", json!(["exp"])))),
        ("a refresh token", refresh.to_owned()),
        ("no base64", format!("{header}.{claims}.{}!", &signature[1..])),
        ("an extra segment", format!("{good}.{signature}")),
        ("4 KiB", format!("{good}{}", "A".repeat(4096 - good.len()))),
        ("200 KiB", "A".repeat(200 * 1024)),
    ]
}

/// The paths at which a token that is not good counts as none.
const PUBLIC: &[&str] = &[
    "/.well-known/jwks.json",
    "/asyncapi.json",
    "/docs",
    "/healthz",
    "/openapi.json",
    "/readyz",
    "/v1/currency",
    "/v1/products",
    "/v1/products/019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d",
    "/v1/sessions",
    "/v1/sessions/refresh",
    "/v1/users",
    "/v1/users/password-reset",
    "/v1/users/password-reset/confirm",
    "/v1/users/verification/confirm",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_is_401_on_every_route_that_is_not_public_whatever_is_wrong_with_it() {
    let shop = TestShop::start().await;
    let tokens = customer(&shop).await;
    let good = tokens.text("/access_token");
    let keys = shop.request(Method::GET, "/.well-known/jwks.json").send().await.expect(200).json();
    let bad = bad_tokens(&good, &tokens.text("/refresh_token"), &keys["keys"][0]);
    let mut expected = shop.request(Method::GET, "/v1/stock").send().await.expect(401).json();
    expected["request_id"] = Value::Null;
    let is_refused = async |route: &Route, name: &str, token: &str| {
        let answer = route.call(&shop, Some(token)).await;
        let mut body = answer.json();
        body["request_id"] = Value::Null;
        assert_eq!((answer.status.as_u16(), &body), (401, &expected), "{name}: {} {}", route.method, route.path);
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    };
    let (routes, public): (Vec<Route>, Vec<Route>) = routes(&shop).await.into_iter().partition(|it| it.checks_tokens);
    let public: Vec<&str> = public.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(public, PUBLIC, "a route that ignores tokens has nothing to protect");
    for route in &routes {
        for (name, token) in &bad {
            is_refused(route, name, token).await;
        }
    }
    shop.advance(Duration::from_secs(15 * 60 + 5)).await;
    for route in &routes {
        is_refused(route, "expired", &good).await;
    }
}
