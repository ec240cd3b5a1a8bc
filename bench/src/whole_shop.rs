//! A whole shop in this process, with its customers, as they share the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kernel::Clock;
use serde_json::{Value, json};
use server::app::{App, Features, MissingStores, Options, Scope};
use server::config::BrokerSetting;
use server::shop::Shop;
use service::http::overload::Limits;
use service::setting::Values;
use service::storage::Location;
use service::{Settings, Tracer};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::servers::{On, Started};

/// Orders that are in flight at once.
const CUSTOMERS: usize = 64;

pub(crate) const TOKEN: &str = "an-admin-token-for-a-shop-that-is-deleted-after";

/// A shop in this process.
pub(crate) struct Running {
    app: App,
    _folder: TempDir,
    _servers: Option<Started>,
}

/// An answer, with its body as JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub value: Value,
}

impl Running {
    /// With the services' stores in a folder and the embedded broker.
    pub async fn embedded() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = Location::Folder(folder.path().to_owned());
        Self::start(folder, store, BrokerSetting::of_default(&Shop::tradepost()), None).await
    }

    /// On PostgreSQL and a broker.
    pub async fn on_servers(on: On) -> Result<Self> {
        let (store, broker, running) = Started::start(on)?;
        let broker = BrokerSetting::parse(&Shop::tradepost(), &broker).map_err(anyhow::Error::msg)?;
        Self::start(tempfile::tempdir()?, Location::Postgres(store.parse()?), broker, Some(running)).await
    }

    async fn start(folder: TempDir, store: Location, broker: BrokerSetting, servers: Option<Started>) -> Result<Self> {
        const MANY: &str = "1000000";
        let services = Values::default()
            .with(&users::settings::ATTEMPT_LIMIT, MANY)
            .with(&users::settings::ATTEMPT_LIMIT_ADDRESS, MANY)
            .with(&users::settings::ATTEMPT_LIMIT_ACCOUNT, MANY)
            // The receiver is on this machine.
            .with(&webhooks::settings::ALLOW_LOOPBACK, "true");
        let options = Options {
            features: Features::default(),
            shop: Shop::tradepost(),
            scope: Scope::Whole { data: folder.path().to_owned() },
            store,
            broker,
            settings: Settings { limits: Limits::NONE, ..Settings::default() },
            clock: Clock::system(),
            admin_token: Some(TOKEN.to_owned()),
            admin_token_previous: None,
            services,
            slow_charge: Duration::ZERO,
            tracer: Tracer::default(),
            peers: BTreeMap::new(),
            missing_stores: MissingStores::Refuse,
            report: drop,
        };
        Ok(Self { app: App::start(options).await?, _folder: folder, _servers: servers })
    }

    pub async fn stop(self) {
        self.app.stop().await;
    }

    pub async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: &Value) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = if body.is_null() {
            request.body(Body::empty())?
        } else {
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))?
        };
        let (status, bytes) = self.send(request).await?;
        Ok(Answer { status, value: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// The metrics of the process, as text.
    pub async fn metrics(&self) -> Result<String> {
        let request = Request::builder().uri("/metrics").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let (status, bytes) = self.send(request.body(Body::empty())?).await?;
        ensure!(status == StatusCode::OK, "/metrics answered {status}");
        Ok(String::from_utf8(bytes.into())?)
    }

    async fn send(&self, request: Request<Body>) -> Result<(StatusCode, Bytes)> {
        let response = self.app.router.clone().oneshot(request).await?;
        let status = response.status();
        Ok((status, axum::body::to_bytes(response.into_body(), usize::MAX).await?))
    }

    /// The text at this field of what was made.
    pub async fn make(&self, path: &str, token: Option<&str>, body: &Value, field: &str) -> Result<String> {
        let answer = self.ask(Method::POST, path, token, body).await?;
        ensure!(answer.status == StatusCode::CREATED, "{path}: {answer:?}");
        Ok(answer.value[field].as_str().with_context(|| format!("{path} answers no {field}"))?.to_owned())
    }

    pub async fn product(&self) -> Result<String> {
        let price = json!({"amount": 1_000, "currency": "EUR"});
        let product = json!({"sku": "MUG", "name": "Mug", "price": price, "stock": 1_000_000});
        self.make("/v1/products", Some(TOKEN), &product, "product_id").await
    }

    pub async fn settled(&self) -> Result<()> {
        let answer = self.ask(Method::GET, "/internal/settled?timeout=300s", Some(TOKEN), &Value::Null).await?;
        ensure!(answer.status == StatusCode::OK, "{answer:?}");
        Ok(())
    }

    /// Places orders as fast as they are accepted; answers with the last.
    pub async fn place(&self, product_id: &str, count: usize) -> Result<String> {
        let orders = (0..count).map(|number| async move {
            let email = format!("guest{number}@example.com");
            let lines = json!([{"product_id": product_id, "quantity": 1}]);
            let order = json!({"lines": lines, "email": email, "payment": {"token": "tok_ok"}});
            self.make("/v1/orders", None, &order, "order_id").await
        });
        let placed: Vec<String> = stream::iter(orders).buffered(CUSTOMERS).try_collect().await?;
        placed.into_iter().next_back().context("no order was placed")
    }
}
