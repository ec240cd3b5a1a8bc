//! A service in another process, over HTTP.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::Request;
use axum::response::IntoResponse;
use reqwest::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use reqwest::{Body, Client, Response, Url, redirect};
use serde::Deserialize;
use service::operator::{Question, path};

use super::PeerError;

/// A process that is there takes connections at once.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Longer than reading a page takes, short enough for a person who waits for what the others say.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Connections are kept for less long than a service keeps them, so that no question meets one that is closing.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Far more than a thousand events of the usual kind; what is larger is refused before it fills the memory.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Headers that are about one connection, and those that a client writes itself.
static OF_ONE_CONNECTION: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// The address of a service, as in `http://127.0.0.1:7085`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// A text that is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address as in http://127.0.0.1:7081")]
pub struct NotHttp;

impl FromStr for Address {
    type Err = NotHttp;

    fn from_str(text: &str) -> Result<Self, NotHttp> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // A password would be shown wherever the address is; a query or fragment means that another one was meant.
        let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
        url.filter(plain).filter(|url| url.fragment().is_none()).map(Self).ok_or(NotHttp)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// True if it names this machine. Loopback never goes through a proxy, whatever the environment says: nobody means
/// that.
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()),
        None => false,
    }
}

/// The innermost reason of a failed request: what is around it repeats the address.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    reason.to_string()
}

/// The headers without those of one connection.
fn of_a_message(mut headers: HeaderMap) -> HeaderMap {
    for name in &OF_ONE_CONNECTION {
        headers.remove(name);
    }
    headers
}

impl Address {
    fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{}", self.0.path().trim_end_matches('/'), path));
        url
    }
}

/// A service that is asked over HTTP.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub service: &'static str,
    pub within: Duration,
    pub address: Address,
    /// Or the reason why there is none, which is the answer to every question.
    http: Result<Client, String>,
    authorization: Option<HeaderValue>,
}

/// The part of a refusal that says what is wrong.
#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl Remote {
    pub fn new(service: &'static str, address: Address, admin_token: &str) -> Self {
        let mut http = Client::builder()
            .user_agent(concat!("tradepost/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_MAX)
            .redirect(redirect::Policy::none());
        if address.0.scheme() == "http" {
            // Without TLS no certificates are needed, and a bare container has none to load.
            http = http.tls_certs_only([]);
        }
        if is_loopback(&address.0) {
            http = http.no_proxy();
        }
        let authorization = HeaderValue::from_str(&format!("Bearer {admin_token}")).ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let http = http.build().map_err(|error| innermost(&error));
        Self { service, within: ANSWER_WITHIN, address, http, authorization }
    }

    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, PeerError> {
        let within = question.may_wait() + self.within;
        let http = self.http.as_ref().map_err(|error| self.not_answering(format!("can't be asked: {error}")))?;
        let mut request = http.post(self.address.at(&path::<Q>(self.service))).timeout(within).json(question);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = self.read(response).await?;
        if status.is_success() {
            let is_other = |_| self.not_answering("answers something that this version of Tradepost doesn't know");
            return serde_json::from_slice(&body).map_err(is_other);
        }
        let reason = match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { detail }) => format!("answers {}: {detail}", status.as_u16()),
            Err(_) => format!("answers {}", status.as_u16()),
        };
        Err(self.not_answering(reason))
    }

    /// Sends a request on as it is, and answers with what comes back, piece by piece.
    pub async fn forward(&self, request: Request) -> Result<axum::response::Response, PeerError> {
        let http = self.http.as_ref().map_err(|error| self.not_answering(format!("can't be asked: {error}")))?;
        let (parts, body) = request.into_parts();
        let mut url = self.address.at(parts.uri.path());
        url.set_query(parts.uri.query());
        let headers = of_a_message(parts.headers);
        let sent = http.request(parts.method, url).headers(headers).body(Body::wrap_stream(body.into_data_stream()));
        let answered = sent.send().await.map_err(|error| self.unreachable(&error))?;
        let (status, headers) = (answered.status(), of_a_message(answered.headers().clone()));
        let body = axum::body::Body::from_stream(answered.bytes_stream());
        Ok((status, headers, body).into_response())
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, PeerError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.not_answering(format!("answers more than {} MiB", ANSWER_BYTES_MAX / 1024 / 1024)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> PeerError {
        let reason = if error.is_timeout() { "it didn't answer in time".to_owned() } else { innermost(error) };
        self.not_answering(format!("can't be reached: {reason}"))
    }

    fn not_answering(&self, reason: impl Into<String>) -> PeerError {
        PeerError::Unreachable { service: self.service, address: self.address.to_string(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_or_https_without_secrets() {
        let asked = |text: &str| text.parse::<Address>().map(|address| address.at("/internal/x").to_string());
        assert_eq!(asked("http://127.0.0.1:7081").as_deref(), Ok("http://127.0.0.1:7081/internal/x"));
        assert_eq!(asked("https://shop.example/x/").as_deref(), Ok("https://shop.example/x/internal/x"));
        for bad in
            ["", "127.0.0.1:7081", "ftp://host", "http://", "http://u:p@host", "http://host/?a=b", "http://host/#a"]
        {
            assert_eq!(asked(bad), Err(NotHttp), "{bad}");
        }
    }
}
