//! Asking a process as admin.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use test_servers::PATIENCE;

use crate::fleet::Routes;

pub const ADMIN_TOKEN: &str = "an-admin-token-for-tests-only-0123456789";

/// The process died before it answered.
#[derive(Debug)]
pub struct Unanswered;

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    pub url: String,
    /// With several processes: the services of each, and the one whose turn it is.
    routes: Option<(Routes, Arc<AtomicUsize>)>,
}

#[derive(Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl Client {
    pub fn new(url: &str) -> Self {
        // Another client of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build();
        let http = http.expect("a client without TLS needs nothing from outside");
        Self { http, url: url.to_owned(), routes: None }
    }

    /// A client of several processes, as through a reverse proxy.
    pub fn of_many(routes: Routes) -> Self {
        Self { routes: Some((routes, Arc::default())), ..Self::new("") }
    }

    fn at(&self, path: &str) -> String {
        match &self.routes {
            Some((routes, turn)) => routes.url(path, turn.fetch_add(1, Ordering::Relaxed)) + path,
            None => format!("{}{path}", self.url),
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Unanswered> {
        let request = self.http.post(self.at(path)).bearer_auth(ADMIN_TOKEN).json(body);
        let response = request.send().await.map_err(|_| Unanswered)?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.map_err(|_| Unanswered)?))
    }

    /// Status and body of a `GET`.
    pub async fn ask(&self, path: &str) -> Result<(u16, Value), Unanswered> {
        let response = self.http.get(self.at(path)).bearer_auth(ADMIN_TOKEN).send().await.map_err(|_| Unanswered)?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.map_err(|_| Unanswered)?))
    }

    /// The answer, from a process that must be alive.
    pub async fn create(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body).await.expect("the process is alive");
        assert_eq!(status, 201, "POST {path} answered {answer}");
        answer
    }

    /// Status and body, whatever they are, from a process that must be alive.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let request = self.http.get(self.at(path)).bearer_auth(ADMIN_TOKEN);
        let response = request.send().await.expect("the process is alive");
        (response.status().as_u16(), response.text().await.expect("an answer is complete"))
    }

    /// Asks until the answer has this status.
    pub async fn until(&self, status: u16, path: &str) {
        while self.status(path).await != status {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The status alone.
    pub async fn status(&self, path: &str) -> u16 {
        self.get(path).await.0
    }

    /// The text of a 200.
    pub async fn text(&self, path: &str) -> Result<String, Unanswered> {
        let request = self.http.get(self.at(path)).bearer_auth(ADMIN_TOKEN);
        let response = request.send().await.map_err(|_| Unanswered)?;
        let status = response.status();
        let text = response.text().await.map_err(|_| Unanswered)?;
        assert!(status.is_success(), "GET {path} answered {status}: {text}");
        Ok(text)
    }

    /// The first items of a list: of most lists the newest.
    pub async fn first<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Unanswered> {
        Ok(self.page(path, "").await?.items)
    }

    /// All items of a list.
    pub async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Unanswered> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.page(path, &cursor).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    /// A page of a list, by the cursor of the one before as a parameter.
    pub async fn page<T: DeserializeOwned>(&self, path: &str, cursor: &str) -> Result<Page<T>, Unanswered> {
        let text = self.text(&format!("{path}?limit=100{cursor}")).await?;
        let page = serde_json::from_str(&text);
        Ok(page.unwrap_or_else(|error| panic!("GET {path} answered what is no such list: {error} in {text}")))
    }

    /// Waits until nothing is pending anywhere.
    pub async fn settle(&self) {
        let settled = tokio::time::timeout(PATIENCE, self.until(200, "/internal/settled?timeout=20s"));
        assert!(settled.await.is_ok(), "work is still in progress after {PATIENCE:?}");
    }
}
