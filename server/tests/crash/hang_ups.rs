//! A client that hangs up at any point of a request leaves all or nothing.

use std::io::Write;
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;

use crate::books::ALIVE;
use crate::client::Client;
use crate::ends::FullBooks;
use crate::journal::{Draft, Journal, Placed};
use crate::process::Process;
use crate::rng::Rng;
use crate::shop::Shop;

/// Whole requests whose client doesn't wait for the answer.
const WHOLE_REQUESTS: usize = 300;

/// From before the request is read until after its answer is there.
const DELAYS: Range<Duration> = Duration::ZERO..Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::of_this_run();
    let (mut process, client) = Process::start(folder.path()).await;
    let mut shop = Shop::open(&client).await;
    shop.restock(&client).await;
    let journal = Journal::new();
    let address = client.url.strip_prefix("http://").unwrap();

    let length = request(&draft(0, &mut rng), &shop).len();
    for cut in 0..length {
        let draft = draft(cut, &mut rng);
        let request = request(&draft, &shop);
        // The drafts differ in length: the longest end before their last byte too.
        hang_up(address, &request[..cut.min(request.len() - 1)], Duration::ZERO);
        journal.record(draft, Placed::NotSent);
    }
    for n in 0..WHOLE_REQUESTS {
        let draft = draft(length + n, &mut rng);
        hang_up(address, &request(&draft, &shop), rng.duration(DELAYS));
        journal.record(draft, Placed::Unknown);
    }

    let books = FullBooks::at_rest(&client, &shop, &journal).await;
    let kept = books.books.orders.len();
    eprintln!("{length} requests cut off, {WHOLE_REQUESTS} left unanswered: {kept} orders");
    assert!(kept > 0, "no request got through: they were all cut off too early");
    let mut orders: Vec<String> = books.books.orders.into_iter().map(|order| order.order_id).collect();
    assert_eq!(sorted(&mut orders), sorted(&mut placements(&client).await), "an order is there if it was told");

    assert!(client.text("/readyz").await.expect(ALIVE).contains("\"ready\""));
    process.tell_to_stop();
    assert!(process.ended().await.status.success());
    assert_eq!(process.errors(), Vec::<String>::new());
}

fn draft(n: usize, rng: &mut Rng) -> Draft {
    Draft::random(format!("customer-{n}@example.com"), rng)
}

fn request(draft: &Draft, shop: &Shop) -> Vec<u8> {
    let body = draft.body(shop).to_string();
    let length = body.len();
    let head = "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Sends these bytes, waits, and closes the connection unread.
fn hang_up(address: &str, bytes: &[u8], delay: Duration) {
    let mut connection = TcpStream::connect(address).expect("the process listens");
    connection.set_nodelay(true).expect("a connection can be told not to wait");
    connection.write_all(bytes).expect("a request fits into the socket's buffer");
    std::thread::sleep(delay);
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
}

/// The orders that the events tell of.
async fn placements(client: &Client) -> Vec<String> {
    let events: Vec<Event> = client.all("/v1/events").await.expect(ALIVE);
    let placed = events.into_iter().filter(|event| event.event_type == "orders.order_placed.v1");
    placed.map(|event| event.subject).collect()
}

fn sorted(ids: &mut [String]) -> &[String] {
    ids.sort_unstable();
    ids
}
