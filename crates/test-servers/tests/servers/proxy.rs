//! The proxy, before a server that answers each byte with the same byte.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tradepost_test_servers::{Faults, Proxy, Traffic, What};

/// Long enough to show that nothing comes.
const SILENCE: Duration = Duration::from_millis(100);

struct Stage {
    proxy: Proxy,
    _echo: JoinSet<()>,
}

impl Stage {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let upstream = listener.local_addr().expect("a listener has an address");
        let mut echo = JoinSet::new();
        echo.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                clients.spawn(async move {
                    let (mut read, mut write) = client.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        Self { proxy: Proxy::start(upstream).await, _echo: echo }
    }

    async fn client(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.expect("the proxy listens")
    }
}

/// All that comes until the end, and how it ends.
async fn rest(client: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut got = Vec::new();
    let end = client.read_to_end(&mut got).await;
    (got, end.err().map(|error| error.kind()))
}

async fn echoed(client: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    client.write_all(text).await.expect("the connection is open");
    let mut got = vec![0; text.len()];
    client.read_exact(&mut got).await.expect("all comes back");
    got
}

#[tokio::test]
async fn bytes_pass_and_are_counted_until_both_sides_are_done() {
    let stage = Stage::set().await;
    let mut client = stage.client().await;
    assert_eq!(echoed(&mut client, b"hello").await, b"hello");
    assert_eq!(stage.proxy.traffic(), [Traffic { to_server: 5, to_client: 5, is_open: true }]);
    client.write_all(b"bye").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, (b"bye".to_vec(), None));
}

#[tokio::test]
async fn a_cut_at_each_byte_of_either_direction_lets_just_those_before_it_through() {
    let stage = Stage::set().await;
    for after in 0..=5 {
        for (faults, echoes) in
            [(Faults::to_server(after, What::Cut), None), (Faults::to_client(after, What::Cut), Some(after))]
        {
            let mut client = stage.client().await;
            assert_eq!(echoed(&mut client, b"before").await, b"before");
            stage.proxy.set(faults);
            // It may be cut off already.
            let _ = client.write_all(b"after").await;
            let (got, end) = rest(&mut client).await;
            assert_eq!(end, None, "a cut closes the connection cleanly");
            assert!(b"after".starts_with(&got));
            let carried = *stage.proxy.traffic().last().unwrap();
            match echoes {
                None => assert_eq!(carried.to_server, 6 + after),
                Some(echoes) => assert_eq!((got.len() as u64, carried.to_client), (echoes, 6 + echoes)),
            }
            stage.proxy.heal().await;
        }
    }
}

#[tokio::test]
async fn a_reset_is_seen_as_one() {
    let stage = Stage::set().await;
    let mut client = stage.client().await;
    assert_eq!(echoed(&mut client, b"before").await, b"before");
    stage.proxy.set(Faults::to_client(2, What::Reset));
    client.write_all(b"after").await.unwrap();
    assert_eq!(rest(&mut client).await.1, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn what_stalls_flows_on_when_it_heals() {
    let stage = Stage::set().await;
    let mut client = stage.client().await;
    stage.proxy.set(Faults::to_client(2, What::Stall));
    client.write_all(b"hello").await.unwrap();
    let mut got = [0; 5];
    client.read_exact(&mut got[..2]).await.unwrap();
    let more = tokio::time::timeout(SILENCE, client.read_exact(&mut got[2..])).await;
    assert!(more.is_err(), "it did not stall");
    stage.proxy.heal().await;
    client.read_exact(&mut got[2..]).await.unwrap();
    assert_eq!(&got, b"hello");
}

#[tokio::test]
async fn connections_are_refused_until_it_heals_and_open_ones_stay() {
    let stage = Stage::set().await;
    let mut client = stage.client().await;
    assert_eq!(echoed(&mut client, b"a").await, b"a");
    stage.proxy.refuse().await;
    let refused = TcpStream::connect(stage.proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(echoed(&mut client, b"b").await, b"b");
    stage.proxy.heal().await;
    assert_eq!(echoed(&mut stage.client().await, b"c").await, b"c");
}

#[tokio::test]
async fn a_queued_fault_meets_one_connection_only() {
    let stage = Stage::set().await;
    stage.proxy.queue(Faults::to_server(0, What::Cut));
    assert_eq!(rest(&mut stage.client().await).await, (Vec::new(), None));
    assert_eq!(echoed(&mut stage.client().await, b"hello").await, b"hello");
}

#[tokio::test]
async fn a_hit_meets_open_connections_only() {
    let stage = Stage::set().await;
    let mut open = stage.client().await;
    assert_eq!(echoed(&mut open, b"hello").await, b"hello");
    stage.proxy.hit(Faults::now(What::Cut));
    assert_eq!(rest(&mut open).await, (Vec::new(), None));
    assert_eq!(echoed(&mut stage.client().await, b"hello").await, b"hello");
}

#[tokio::test]
async fn a_delay_is_felt_in_both_directions() {
    let stage = Stage::set().await;
    let mut client = stage.client().await;
    stage.proxy.set(Faults { delay: Duration::from_millis(20), ..Faults::default() });
    let began = std::time::Instant::now();
    assert_eq!(echoed(&mut client, b"hello").await, b"hello");
    assert!(began.elapsed() >= Duration::from_millis(40));
}
