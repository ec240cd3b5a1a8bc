//! Asking a running server.

use std::time::Duration;

use console::is_loopback;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use server::config::{ClientSettings, Secret};

use super::failure::Exit;
use super::{Failure, problem};

/// Longer than any answer needs that will still come.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that is there takes connections at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream sends something at least every 15 seconds, if only that it lives.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Items of a page at most: the server's bound.
const PAGE: usize = 100;

/// Far more than the largest page of the largest things.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The code of a refusal by a server that does not know whether it carried the request out.
const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// Names the services that could not be asked for an answer of several.
const MISSING: &str = "x-tradepost-missing";

static ORDER_TOKEN: HeaderName = HeaderName::from_static("x-order-token");

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A connection to the server, with the right to ask what its credentials allow.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credentials: Option<(HeaderName, HeaderValue)>,
}

/// Some items of a list, and where it goes on.
#[derive(Debug)]
pub struct Listing {
    pub items: Vec<Value>,
    pub next: Option<String>,
    /// Services that did not answer: their items are missing.
    pub missing: Vec<String>,
}

/// An answer of the server.
struct Body {
    bytes: Vec<u8>,
    missing: Vec<String>,
}

impl Listing {
    /// As the server would answer it, and what it says in a header.
    pub fn to_json(&self) -> Value {
        let mut json = json!({"items": self.items, "next": self.next});
        if !self.missing.is_empty() {
            json["missing"] = json!(self.missing);
        }
        json
    }
}

impl Client {
    /// A client as admin, or as guest if there is no admin token.
    pub fn new(settings: ClientSettings) -> Result<Self, Failure> {
        let ClientSettings { url, admin_token } = settings;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("tradepost/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_MAX)
            .redirect(redirect::Policy::none());
        if url.scheme() == "http" {
            // Without TLS no certificates are needed, and a bare container has none to load.
            http = http.tls_certs_only([]);
        }
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Failure::failed(format!("no client can be made: {error}")))?;
        let bearer = |token: Secret| {
            let value = secret_header(&format!("Bearer {}", token.reveal()));
            (AUTHORIZATION, value.expect("the settings admit only tokens of visible ASCII"))
        };
        let credentials = admin_token.map(bearer);
        Ok(Self { http, base: url, credentials })
    }

    /// Fails early, and with what to do, where only the admin is let in.
    pub fn require_admin(&self) -> Result<(), Failure> {
        if self.is_admin() {
            return Ok(());
        }
        let help = "set TRADEPOST_ADMIN_TOKEN, or TRADEPOST_ADMIN_TOKEN_FILE to a file that holds it; \
                    `tradepost up` shows the token that it makes at its first start";
        Err(Failure::new(Exit::Configuration, "this needs the admin token, and none is set").with_help(help))
    }

    pub fn is_admin(&self) -> bool {
        matches!(&self.credentials, Some((name, _)) if *name == AUTHORIZATION)
    }

    /// The server's URL.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The header with the admin token, for requests that are not made here.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.credentials.as_ref().filter(|(name, _)| *name == AUTHORIZATION).map(|(_, value)| value)
    }

    /// The same client for whoever holds an order's token.
    pub fn with_order_token(&self, token: &str) -> Result<Self, Failure> {
        let value = secret_header(token).ok_or_else(|| problem::not_ours(&self.base))?;
        Ok(Self { credentials: Some((ORDER_TOKEN.clone(), value)), ..self.clone() })
    }

    /// The answer, as the fields that a command shows.
    pub fn view<T: DeserializeOwned>(&self, answer: &Value) -> Result<T, Failure> {
        T::deserialize(answer).map_err(|_| problem::not_ours(&self.base))
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.answer(self.request(Method::GET, path, query)).await
    }

    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, &[]);
        self.answer(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Sends what must not be carried out twice. Where nobody can say whether it was carried out, `help` is shown.
    pub async fn post_once(&self, path: &str, body: &Value, key: &HeaderValue, help: &str) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, &[]).header(&IDEMPOTENCY_KEY, key).json(body);
        let read = match request.timeout(ANSWER_TIMEOUT).send().await {
            Ok(response) => self.read(response).await,
            Err(error) if error.is_connect() => return Err(problem::unreachable(&self.base, &error)),
            Err(error) => Err(problem::unreachable(&self.base, &error)),
        };
        let Body { bytes, .. } = read.map_err(|failure| match failure.exit() {
            Exit::Unreachable => failure.with_help(help),
            _ if failure.code() == Some(OUTCOME_UNKNOWN) => failure.with_help(help),
            _ => failure,
        })?;
        self.parse(&bytes)
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.answer(self.request(Method::PATCH, path, &[]).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.answer(self.request(Method::DELETE, path, &[])).await
    }

    /// A list's first `limit` items, from as many pages as that takes.
    pub async fn list(&self, path: &str, query: &[(&str, &str)], limit: usize) -> Result<Listing, Failure> {
        let mut listing = self.page(path, query, limit, None).await?;
        while let Some(cursor) = listing.next.take_if(|_| listing.items.len() < limit) {
            let missing = limit - listing.items.len();
            let page = self.page(path, query, missing, Some(&cursor)).await?;
            // A page of nothing that promises more would be asked for without end.
            listing.next = page.next.filter(|_| !page.items.is_empty());
            listing.items.extend(page.items);
            listing.missing.extend(page.missing);
            listing.missing.sort_unstable();
            listing.missing.dedup();
        }
        Ok(listing)
    }

    /// A page of at most 100 items, read without a detour over [`Value`]: for lists of tens of thousands.
    pub async fn page_of<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        cursor: Option<&str>,
    ) -> Result<(Vec<T>, Option<String>), Failure> {
        #[derive(serde::Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            next: Option<String>,
        }
        let limit = PAGE.to_string();
        let mut query = query.to_vec();
        query.push(("limit", &limit));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let body = self.bytes(self.request(Method::GET, path, &query)).await?;
        if !body.missing.is_empty() {
            return Err(problem::missing_services(&body.missing));
        }
        let page: Page<T> = serde_json::from_slice(&body.bytes).map_err(|_| problem::not_ours(&self.base))?;
        Ok((page.items, page.next))
    }

    /// A server-sent stream, from now on.
    pub async fn stream(&self, path: &str) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path, &[]).header(ACCEPT, "text/event-stream").send();
        let response = request.await.map_err(|error| problem::unreachable(&self.base, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        self.read(response).await.and_then(|_| Err(problem::not_ours(&self.base)))
    }

    /// A page of a list: at most 100 items.
    pub async fn page(
        &self,
        path: &str,
        query: &[(&str, &str)],
        wanted: usize,
        cursor: Option<&str>,
    ) -> Result<Listing, Failure> {
        let limit = wanted.min(PAGE).to_string();
        let mut query = query.to_vec();
        query.push(("limit", &limit));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let body = self.bytes(self.request(Method::GET, path, &query)).await?;
        let mut page = self.parse(&body.bytes)?;
        let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
            return Err(problem::not_ours(&self.base));
        };
        let next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        Ok(Listing { items, next, missing: body.missing })
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.credentials {
            Some((name, value)) => request.header(name, value),
            None => request,
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let Body { bytes, .. } = self.bytes(request).await?;
        if bytes.is_empty() { Ok(Value::Null) } else { self.parse(&bytes) }
    }

    async fn bytes(&self, request: RequestBuilder) -> Result<Body, Failure> {
        let response = request.timeout(ANSWER_TIMEOUT).send().await;
        self.read(response.map_err(|error| problem::unreachable(&self.base, &error))?).await
    }

    async fn read(&self, mut response: Response) -> Result<Body, Failure> {
        let status = response.status();
        let missing = response.headers().get(MISSING).and_then(|names| names.to_str().ok()).unwrap_or_default();
        let missing = missing.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let retry_after = problem::retry_after(response.headers());
        let mut bytes = Vec::new();
        let broken = |error: reqwest::Error| problem::unreachable(&self.base, &error);
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(problem::not_ours(&self.base));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            Ok(Body { bytes, missing })
        } else {
            Err(problem::refusal(status, &bytes, retry_after))
        }
    }

    /// JSON that came from the server.
    pub fn parse(&self, json: &[u8]) -> Result<Value, Failure> {
        serde_json::from_slice(json).map_err(|_| problem::not_ours(&self.base))
    }
}

/// A header that is left out of logs; `None` for what no header can carry.
fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
