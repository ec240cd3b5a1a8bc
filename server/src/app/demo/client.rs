//! Asking the routes of this process.

use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

/// The time that the services may take until nothing is in flight.
const SETTLE: &str = "/internal/settled?timeout=10s";

/// Longer than any answer needs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Far more than a page of a list.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The routes, and whoever asks them.
#[derive(Clone)]
pub(super) struct Client {
    router: Router,
    token: String,
}

/// An answer of any status.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Answer {
    /// The reason why the demo can't go on.
    pub fn refused(&self, path: &str) -> anyhow::Error {
        anyhow!("the demo can't be made: {path} answered {}: {}", self.status, self.body)
    }
}

impl Client {
    /// As the one who has this token.
    pub fn new(router: Router, token: String) -> Self {
        Self { router, token }
    }

    /// The same routes for another.
    pub fn with_token(&self, token: &str) -> Self {
        Self { router: self.router.clone(), token: token.to_owned() }
    }

    /// The answer, whatever its status. With a key, the request is carried out at most once.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))?;
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.router.clone().oneshot(request)).await;
        let response = answered.with_context(|| format!("{path} did not answer"))??;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// The answer to a read.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.ask(Method::GET, path, None, None).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(answer.refused(path)) }
    }

    /// The first item of a list, if it has one.
    pub async fn first(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let mut answer = self.get(path).await?;
        Ok(answer["items"].get_mut(0).map(Value::take))
    }

    /// Waits until nothing is in flight; in a shop that is busy, for a while.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.ask(Method::GET, SETTLE, None, None).await?;
        Ok(())
    }
}
