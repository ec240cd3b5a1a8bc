use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::ready;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use service::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn settings(allows_loopback: bool) -> Settings {
    Settings { allows_loopback, timeout: Duration::from_millis(500) }
}

/// A server that answers each request with these bytes, and whether it closes the connection then.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: Tasks,
}

impl Server {
    async fn answering(answer: &'static [u8], closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (connections, requests, tasks) = (Arc::default(), Arc::default(), Tasks::new());
        let server = Self { url, connections, requests, _tasks: tasks.clone() };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        let spawner = tasks.clone();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                spawner.spawn(serve(stream, answer, closes, requests.clone()));
            }
        });
        server
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, answer: &'static [u8], closes: bool, requests: Arc<Mutex<Vec<String>>>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // The messages of these tests are so short that they come in one piece, the body perhaps in a second one.
        let mut request = String::new();
        while !request.ends_with("{\"a\":1}") {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(bytes) => request.push_str(&String::from_utf8_lossy(&buffer[..bytes])),
            }
        }
        requests.lock().unwrap().push(request);
        if stream.write_all(answer).await.is_err() || closes {
            return;
        }
    }
}

fn message(url: &str) -> Signed<'_> {
    Signed { url, id: "id-1".to_owned(), timestamp: 1_700_000_000, signature: "v1,abc", body: "{\"a\":1}".to_owned() }
}

async fn sent(answer: &'static [u8], closes: bool) -> Answer {
    let server = Server::answering(answer, closes).await;
    Sender::new(settings(true)).send(message(&server.url)).await
}

#[tokio::test]
async fn a_message_has_its_headers_and_connections_are_kept() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nx-request: 7\r\ncontent-length: 2\r\n\r\nok", false).await;
    let sender = Sender::new(settings(true));
    for _ in 0..3 {
        let answer = sender.send(message(&server.url)).await;
        assert_eq!((answer.status, answer.error, answer.body.as_deref()), (Some(200), None, Some("ok")));
        assert!(answer.headers.contains(&("x-request".to_owned(), "7".to_owned())));
    }
    assert_eq!(server.connections(), 1);
    let request = server.requests.lock().unwrap()[0].to_lowercase();
    for line in [
        "post /hook http/1.1",
        "content-type: application/cloudevents+json; charset=utf-8",
        "webhook-id: id-1",
        "webhook-timestamp: 1700000000",
        "webhook-signature: v1,abc",
    ] {
        assert!(request.contains(&format!("{line}\r\n")), "{line} in {request}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_2xx_is_a_failure_and_redirects_are_not_followed() {
    let empty = sent(b"HTTP/1.1 204 No Content\r\n\r\n", false).await;
    assert_eq!((empty.status, empty.error), (Some(204), None));
    let busy = sent(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", false).await;
    assert_eq!((busy.error.as_deref(), busy.body.as_deref()), (Some("answered 503"), Some("busy")));

    let target = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    let answer = format!("HTTP/1.1 307 Other\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url);
    let redirect = sent(answer.leak().as_bytes(), false).await;
    assert_eq!(redirect.error.as_deref(), Some("answered 307: redirects are not followed"));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_broken_or_absent_answer_is_a_failure_in_bounded_time() {
    let began = Instant::now();
    let garbage = sent(b"SSH-2.0-OpenSSH_9.6\r\n", true).await;
    assert_eq!(garbage.status, None);
    assert!(garbage.error.unwrap().starts_with("no answer: "));
    let nothing = sent(b"", true).await;
    assert!(nothing.error.unwrap().starts_with("no answer: "));
    let cut = sent(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", true).await;
    assert_eq!(cut.status, Some(200));
    assert!(cut.error.unwrap().starts_with("the answer broke off: "));
    let hangs = sent(b"", false).await;
    assert_eq!(hangs.error.as_deref(), Some("no answer within 500ms"));
    let endless = sent(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", false).await;
    assert_eq!(
        (endless.error.as_deref(), endless.body.as_deref()),
        (Some("the answer did not end in time"), Some("half"))
    );
    assert!(began.elapsed() < Duration::from_secs(5));

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = Sender::new(settings(true)).send(message(&format!("http://{closed}/"))).await;
    assert!(refused.error.unwrap().starts_with("no connection: "));
}

#[tokio::test]
async fn of_a_large_answer_the_beginning_is_read_and_its_connection_is_closed() {
    let body = "x".repeat(2 << 20);
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n{body}");
    let server = Server::answering(large.leak().as_bytes(), false).await;
    let sender = Sender::new(settings(true));
    for _ in 0..2 {
        let answer = sender.send(message(&server.url)).await;
        assert_eq!((answer.status, answer.error, answer.body.map(|it| it.len())), (Some(200), None, Some(4_096)));
        assert!(answer.duration < Duration::from_millis(400), "{:?}", answer.duration);
    }
    assert_eq!(server.connections(), 2, "a connection with the rest of an answer is not used again");
}

#[tokio::test]
async fn an_answer_is_stored_as_text_whatever_it_is() {
    let odd = sent(b"HTTP/1.1 200 OK\r\nx-odd: \xff\r\ncontent-length: 3\r\n\r\na\0\xff", false).await;
    assert_eq!(odd.body.as_deref(), Some("a\u{fffd}\u{fffd}"));
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x-h: v\r\n".repeat(90));
    assert_eq!(sent(many.leak().as_bytes(), false).await.headers.len(), HEADERS_MAX);
}

/// A sender whose names resolve to these, one lookup after the other.
fn resolving_to(answers: &'static [&'static [IpAddr]], allows_loopback: bool) -> Sender {
    let next = Arc::new(AtomicUsize::new(0));
    let lookup: Lookup = Arc::new(move |_| {
        let at = next.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        ready(Ok(answers[at].to_vec())).boxed()
    });
    Sender::with_lookup(settings(allows_loopback), lookup)
}

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_refused_at_its_registration() {
    let url = Url::parse("https://erp.example.com/").unwrap();
    assert_eq!(resolving_to(&[&[PUBLIC]], false).check(&url).await, Ok(()));
    for found in [&[&[PRIVATE][..]][..], &[&[PUBLIC, PRIVATE]], &[&[HOST]]] {
        assert_eq!(resolving_to(found.to_vec().leak(), false).check(&url).await, Err(Closed::NotPublic));
    }
    let nothing = resolving_to(&[&[]], false).check(&url).await;
    assert_eq!(nothing, Err(Closed::Unresolved("it has no addresses".to_owned())));
    let literal = Url::parse("http://169.254.169.254/latest/meta-data").unwrap();
    assert_eq!(Sender::new(settings(false)).check(&literal).await, Err(Closed::NotPublic));
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_later_is_refused_at_the_connection() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    let url = server.url.replace("127.0.0.1", "erp.example.com");
    let sender = resolving_to(&[&[PUBLIC], &[HOST]], false);
    assert_eq!(sender.check(&Url::parse(&url).unwrap()).await, Ok(()), "at its registration it is public");
    let answer = sender.send(message(&url)).await;
    let error = answer.error.unwrap();
    assert!(error.ends_with("erp.example.com is not a public address: nothing is sent there"), "{error}");
    let literal = sender.send(message(&server.url)).await.error.unwrap();
    assert!(literal.ends_with("is not a public address: nothing is sent there"), "{literal}");
    assert_eq!(server.connections(), 0);

    let answer = resolving_to(&[&[HOST]], true).send(message(&url)).await;
    assert_eq!(answer.error, None, "where it is allowed it is sent");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_failure() {
    let tls = format!("{}/../../crates/test-servers/tls", env!("CARGO_MANIFEST_DIR"));
    let chain = vec![CertificateDer::from_pem_file(format!("{tls}/server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(format!("{tls}/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, tasks) = (Arc::new(config), Tasks::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = stream.into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let handshake = tokio::task::spawn_blocking(move || connection.complete_io(&mut stream).is_ok());
            assert!(!handshake.await.unwrap(), "the client must not trust the certificate");
        }
    });
    let error = Sender::new(settings(true)).send(message(&url)).await.error.unwrap();
    assert!(error.starts_with("no connection: ") && error.contains("certificate"), "{error}");
}
