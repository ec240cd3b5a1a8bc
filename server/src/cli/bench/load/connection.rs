//! One kept-alive connection over which orders go, one after another.

use events::OrderId;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::cli::Failure;
use crate::cli::client::Client;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The text before the id in an answer: the id is its first field.
const BEFORE_ID: &[u8] = b"{\"order_id\":\"";

/// Characters of an id.
const ID_LENGTH: usize = 36;

/// The target of orders, and the rights to place them.
#[derive(Clone, Debug)]
pub struct Target {
    host: String,
    port: u16,
    /// The path before that of a route.
    prefix: String,
    uri: Uri,
    headers: HeaderMap,
}

/// A connection's two halves: requests are sent by the one while the other is driven.
pub type Halves = (SendRequest<Full<Bytes>>, Connection<TokioIo<TcpStream>, Full<Bytes>>);

/// The result of an order that was sent.
pub enum Answered {
    Accepted(OrderId),
    /// With what the server answered instead: its status, and the problem's code if it names one.
    Refused(String),
    /// It broke before the request was sent.
    NotSent,
    /// It broke afterwards: the order may have been accepted.
    Unknown,
}

impl Target {
    /// The place that the client talks to.
    pub fn of(client: &Client) -> Result<Self, Failure> {
        let url = client.base();
        let host = url.host_str().filter(|_| url.scheme() == "http").ok_or_else(|| {
            Failure::failed("the load goes over plain HTTP").with_help(
                "name the server itself with --url http://…, not the proxy in front: its TLS would be measured too",
            )
        })?;
        let port = url.port_or_known_default().unwrap_or(80);
        let not_a_uri = |_| Failure::failed(format!("{url} can't be asked for orders"));
        let prefix = url.path().trim_end_matches('/').to_owned();
        let uri = format!("{prefix}/v1/orders").parse().map_err(not_a_uri)?;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host_header(url)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(client.authorization().map(|value| (AUTHORIZATION, value.clone())));
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, prefix, uri, headers })
    }

    pub async fn connect(&self) -> Option<Halves> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.ok()?;
        stream.set_nodelay(true).ok()?;
        handshake(TokioIo::new(stream)).await.ok()
    }

    fn request(&self, body: Bytes, key: Option<&str>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(key) = key.and_then(|key| HeaderValue::from_str(key).ok()) {
            request.headers_mut().insert(IDEMPOTENCY_KEY.clone(), key);
        }
        request
    }

    /// Sends one order and reads what is answered.
    pub async fn place(&self, sender: &mut SendRequest<Full<Bytes>>, body: Bytes, key: Option<&str>) -> Answered {
        match sender.send_request(self.request(body, key)).await {
            Ok(response) => read(response).await.unwrap_or(Answered::Unknown),
            Err(error) if error.is_canceled() => Answered::NotSent,
            Err(_) => Answered::Unknown,
        }
    }
}

impl Target {
    /// Sends another request and reads its answer; `None` if the connection broke.
    pub async fn ask(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Option<(StatusCode, Bytes)> {
        let mut request = self.request(body, None);
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.prefix).parse().ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        Some((status, response.into_body().collect().await.ok()?.to_bytes()))
    }
}

fn host_header(url: &Url) -> Result<HeaderValue, Failure> {
    let host = url.host_str().unwrap_or_default();
    let text = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&text).map_err(|_| Failure::failed(format!("{text} can't be a Host header")))
}

async fn read(response: Response<Incoming>) -> Result<Answered, hyper::Error> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status != StatusCode::CREATED {
        return Ok(Answered::Refused(refusal(status.as_u16(), &body)));
    }
    // An order that was accepted under an id that can't be read will be looked for.
    Ok(order_id(&body).map_or(Answered::Unknown, Answered::Accepted))
}

/// Only the id is read, for the machine that answers has better things to do than to share its cores with a parser.
fn order_id(body: &[u8]) -> Option<OrderId> {
    #[derive(Deserialize)]
    struct Placed {
        order_id: OrderId,
    }
    let quick = body.strip_prefix(BEFORE_ID).and_then(|rest| rest.get(..ID_LENGTH));
    let quick = quick.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
    quick.or_else(|| serde_json::from_slice(body).ok().map(|placed: Placed| placed.order_id))
}

fn refusal(status: u16, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => format!("{status} {}", problem.code),
        Err(_) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        let id = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
        for body in
            [format!(r#"{{"order_id":"{id}","number":1}}"#), format!(r#"{{ "number": 1, "order_id": "{id}" }}"#)]
        {
            assert_eq!(order_id(body.as_bytes()), Some(id.parse().unwrap()), "{body}");
        }
        for body in ["", "{\"order_id\":\"", "{\"order_id\":\"019360a4\"}", "[]"] {
            assert_eq!(order_id(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_refusal_is_counted_by_its_code() {
        assert_eq!(refusal(503, br#"{"code":"overloaded","detail":"later"}"#), "503 overloaded");
        assert_eq!(refusal(502, b"<html>"), "502");
    }
}
