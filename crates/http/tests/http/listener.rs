//! The listener over real sockets: whatever a client does with its connection, others are served.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradepost_http::Network;
use tradepost_http::listener::{Bounds, serve};

use crate::support::{router, shell};

/// Longer than any test takes: what ends in one of these is a failure.
const LONG: Duration = Duration::from_mins(10);

/// Short enough to be waited for, long enough for a loaded machine to send a request in.
const SHORT: Duration = Duration::from_millis(200);

pub const PATIENT: Bounds = Bounds {
    connections: 64,
    connections_of_client: 64,
    head: LONG,
    body: LONG,
    idle: LONG,
    stalled: LONG,
    linger: Duration::from_secs(10),
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n";
const LAST_HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

pub struct Shop {
    pub address: SocketAddr,
    stop: CancellationToken,
    served: JoinSet<()>,
}

impl Shop {
    pub async fn start(bounds: Bounds) -> Self {
        Self::start_behind(bounds, &[]).await
    }

    async fn start_behind(bounds: Bounds, proxies: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxies: Vec<Network> = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        let shell = tradepost_http::Shell { trusted_proxies: Arc::from(proxies.clone()), ..shell() };
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let mut served = JoinSet::new();
        served.spawn(async move { serve(listener, router(&shell), bounds, &proxies, stopping).await });
        Self { address, stop, served }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        let served = tokio::time::timeout(Duration::from_mins(5), self.served.join_next()).await;
        served.expect("it drains").expect("it was spawned").unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// All that is answered to these bytes until the connection ends.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect().await;
        // The shop may refuse in the middle of it.
        let _ = socket.write_all(bytes.as_ref()).await;
        rest(&mut socket).await
    }
}

/// A connection from one of this machine's other addresses.
pub async fn connect_from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(address.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

/// One answer of a connection that stays open.
async fn answer(socket: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let length = socket.read(&mut answer).await.unwrap();
    String::from_utf8(answer[..length].to_vec()).unwrap()
}

#[track_caller]
fn assert_refused(answer: &str, status: u16, code: &str, shown: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    for header in ["content-type: application/problem+json", "x-request-id: ", "connection: close"] {
        assert!(head.contains(header), "{shown} has no {header}: {head}");
    }
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{shown}: {error} in {answer}"));
    assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_requests_leave_others_unharmed_however_many_they_are() {
    let shop = Shop::start(PATIENT).await;
    let mut slow = Vec::new();
    for _ in 0..500 {
        let mut socket = shop.connect().await;
        let _ = socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await;
        slow.push(socket);
    }
    for _ in 0..10 {
        assert!(shop.exchange(LAST_HEALTH).await.starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(rest(&mut slow[0]).await, "", "the one that waited the longest made room");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_the_connection_ends() {
    let shop = Shop::start(PATIENT).await;
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{more}\r\n");
    let long = |bytes: usize| "x".repeat(bytes);
    let post = |headers: &str| format!("POST /v1/send HTTP/1.1\r\nhost: shop\r\n{headers}\r\n0\r\n\r\n");
    let table = [
        ("not HTTP", "what is this\r\n\r\n".to_owned(), 400),
        ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(), 400),
        ("a broken header", get("/healthz", "no colon\r\n"), 400),
        ("a folded header", get("/healthz", "a: b\r\n c\r\n"), 400),
        ("a zero byte", get("/healthz", "a: b\0c\r\n"), 400),
        ("two lengths", post("content-length: 4\r\ncontent-length: 5\r\n"), 400),
        ("a length of nothing", post("content-length: -1\r\n"), 400),
        ("a far too long path", get(&format!("/{}", long(64 * 1024)), ""), 431),
        ("a million bytes of headers", get("/healthz", &format!("a: {}\r\n", long(1_000_000))), 431),
        ("many headers", get("/healthz", &"a: b\r\n".repeat(200)), 431),
    ];
    for (shown, request, status) in table {
        let answer = shop.exchange(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
    }
    let after_a_good_one = shop.exchange(format!("{HEALTH}what is this\r\n\r\n")).await;
    assert!(after_a_good_one.starts_with("HTTP/1.1 200 OK"), "{after_a_good_one}");
    assert!(after_a_good_one.contains("HTTP/1.1 400 "), "{after_a_good_one}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_rfc_9112_does_not_allow_is_refused_with_a_problem() {
    let shop = Shop::start(PATIENT).await;
    let last = "connection: close\r\n\r\n";
    for (shown, hosts) in [
        ("no Host", ""),
        ("two Hosts", "host: a\r\nhost: b\r\n"),
        ("a Host with a blank", "host: a b\r\n"),
        ("a Host with a path", "host: shop/x\r\n"),
    ] {
        let answer = shop.exchange(format!("GET /healthz HTTP/1.1\r\n{hosts}{last}")).await;
        assert_refused(&answer, 400, "malformed_request", shown);
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: shop\r\n{last}", "x".repeat(8 * 1024));
    assert_refused(&shop.exchange(long).await, 414, "uri_too_long", "a long path");
    assert!(shop.exchange("GET /healthz HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200 OK"));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_announces_that_it_is_too_large_is_refused_at_once() {
    let shop = Shop::start(PATIENT).await;
    for (path, expect) in [("/v1/send", "expect: 100-continue\r\n"), ("/v1/send", ""), ("/v1/nothing", "")] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n{expect}");
        let mut socket = shop.connect().await;
        socket.write_all(format!("{head}content-length: 1000000000\r\n\r\n").as_bytes()).await.unwrap();
        assert!(answer(&mut socket).await.starts_with("HTTP/1.1 413 "), "{path} {expect}");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_said_all_and_closed_its_side_gets_its_answer() {
    let shop = Shop::start(PATIENT).await;
    let body = "{\"sent\": []}";
    let head = "POST /v1/send HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n";
    let mut socket = shop.connect().await;
    let whole = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(whole.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    assert!(rest(&mut socket).await.starts_with("HTTP/1.1 202 Accepted"));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_beyond_its_share_of_connections_closes_its_own_and_no_one_elses() {
    let shop = Shop::start(Bounds { connections_of_client: 4, ..PATIENT }).await;
    let mut other = connect_from("127.0.0.2", shop.address).await;
    other.write_all(HEALTH.as_bytes()).await.unwrap();
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 200 OK"));
    let mut own = Vec::new();
    for _ in 0..20 {
        let mut socket = connect_from("127.0.0.3", shop.address).await;
        socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await.unwrap();
        own.push(socket);
    }
    let mut newest = own.pop().unwrap();
    newest.write_all(b"shop\r\n\r\n").await.unwrap();
    assert!(answer(&mut newest).await.starts_with("HTTP/1.1 200 OK"), "its newest is served");
    for socket in &mut own[..15] {
        // Closed with or without what it had sent being read.
        assert!(!matches!(socket.read(&mut [0; 64]).await, Ok(1..)), "its oldest made room");
    }
    other.write_all(HEALTH.as_bytes()).await.unwrap();
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 200 OK"), "the other is where it was");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_has_connections_for_many_clients() {
    let shop = Shop::start_behind(Bounds { connections_of_client: 1, ..PATIENT }, &["127.0.0.4"]).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(connect_from("127.0.0.4", shop.address).await);
    }
    for socket in &mut sockets {
        socket.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(answer(socket).await.starts_with("HTTP/1.1 200 OK"));
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_request_after_request_and_ends_when_it_was_idle_for_long() {
    let shop = Shop::start(Bounds { idle: SHORT, ..PATIENT }).await;
    let mut socket = shop.connect().await;
    for _ in 0..3 {
        socket.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(rest(&mut socket).await, "", "nothing is said to a client that said nothing");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_and_a_body_have_to_arrive_in_time() {
    let shop = Shop::start(Bounds { head: SHORT, body: SHORT, ..PATIENT }).await;
    assert_eq!(shop.exchange("GET /healthz HT").await, "", "half a head is no request that could be answered");
    let head = "POST /v1/send HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n";
    let half = format!("{head}content-length: 100\r\nconnection: close\r\n\r\n{{\"sent\"");
    assert_refused(&shop.exchange(half).await, 408, "request_timeout", "half a body");
    let endless = format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\n{{\r\n");
    assert_refused(&shop.exchange(endless).await, 408, "request_timeout", "a body without an end");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_none_of_its_answers_is_cut_off() {
    let shop = Shop::start(Bounds { stalled: SHORT, ..PATIENT }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut socket = socket.connect(shop.address).await.unwrap();
    let many = HEALTH.replace("/healthz", "/v1/shared").repeat(100);
    // Once both directions are full, only the end of the connection lets this go on.
    while socket.write_all(many.as_bytes()).await.is_ok() {}
    assert!(shop.exchange(LAST_HEALTH).await.starts_with("HTTP/1.1 200 OK"));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_answers_what_was_asked_and_closes_what_was_not() {
    let shop = Shop::start(PATIENT).await;
    let mut idle = shop.connect().await;
    idle.write_all(HEALTH.as_bytes()).await.unwrap();
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200 OK"));
    let mut open = shop.connect().await;
    let body = "{\"sent\": []}";
    let head = "POST /v1/send HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n";
    open.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
    assert!(answer(&mut open).await.starts_with("HTTP/1.1 100 Continue"), "the request is being answered");
    let mut half = shop.connect().await;
    half.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    // An answer on a later connection: by then the half has arrived.
    assert!(shop.exchange(LAST_HEALTH).await.starts_with("HTTP/1.1 200 OK"));
    shop.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut half).await, "");
    open.write_all(body.as_bytes()).await.unwrap();
    assert!(rest(&mut open).await.starts_with("HTTP/1.1 202 Accepted"));
    shop.stop().await;
}
