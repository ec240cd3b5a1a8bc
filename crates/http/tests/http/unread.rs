//! Answers that nobody reads.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::{PATIENT, Shop, connect_from};
use crate::support::LARGE_BYTES;

const OTHER: &str = "127.0.0.2";

/// Asks and reads no more than the status.
async fn ask(shop: &Shop, from: &str, path: &str) -> (TcpStream, u16) {
    let mut socket = connect_from(from, shop.address).await;
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n").as_bytes()).await.unwrap();
    let mut status = [0; 12];
    socket.read_exact(&mut status).await.unwrap();
    let status = str::from_utf8(&status[9..]).unwrap().parse().unwrap();
    (socket, status)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_can_make_the_process_keep_no_more_than_its_share_of_answers() {
    let shop = Shop::start(PATIENT).await;
    let (first, status) = ask(&shop, OTHER, "/v1/large").await;
    assert_eq!(status, 200);
    let (mut second, status) = ask(&shop, OTHER, "/v1/large").await;
    assert_eq!(status, 200);
    assert_eq!(ask(&shop, OTHER, "/v1/large").await.1, 429, "it has read neither of the first two");
    assert_eq!(ask(&shop, OTHER, "/v1/public").await.1, 200, "small answers are bounded by the connections");
    assert_eq!(ask(&shop, "127.0.0.1", "/v1/large").await.1, 200, "another client has its own share");

    // Each answer that is read, and each client that disconnects, makes room.
    let mut rest = vec![0; LARGE_BYTES];
    second.read_exact(&mut rest).await.unwrap();
    drop(first);
    let again = async { while ask(&shop, OTHER, "/v1/large").await.1 != 200 {} };
    tokio::time::timeout(Duration::from_mins(5), again).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_the_same_for_all_is_held_once_for_all() {
    let shop = Shop::start(PATIENT).await;
    let before = resident_bytes();
    let mut readers = Vec::new();
    for _ in 0..32 {
        let (reader, status) = ask(&shop, OTHER, "/v1/shared").await;
        assert_eq!(status, 200, "it takes nobody's room");
        readers.push(reader);
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 8 * LARGE_BYTES, "32 readers of one document cost {grown} bytes");
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1_024
}
