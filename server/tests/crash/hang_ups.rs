//! A client that hangs up at any point of a request leaves all or nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;

use crate::books::ALIVE;
use crate::client::Client;
use crate::ends::FullBooks;
use crate::fleet::{Fleet, of_each};
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
    let (mut process, client) = Process::start(folder.path()).await;
    hang_up_on(client.url.strip_prefix("http://").unwrap(), &client).await;
    process.ask_to_stop();
    assert!(process.ended().await.status.success());
    assert_eq!(process.errors(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_on_a_service_of_its_own_leaves_all_or_nothing() {
    let mut fleet = Fleet::start(&of_each(1)).await;
    let orders = fleet.instances[fleet.of("orders")[0]].client();
    hang_up_on(orders.url.strip_prefix("http://").unwrap(), &fleet.client()).await;
    fleet.stop().await;
    assert_eq!(fleet.panics(), Vec::<String>::new());
}

/// Sends orders to an address, cut off and unanswered, and checks the books of the shop that `client` asks.
async fn hang_up_on(address: &str, client: &Client) {
    let mut rng = Rng::of_this_run();
    let mut shop = Shop::open(client).await;
    shop.restock(client).await;
    let journal = Journal::new();

    let length = request(&draft(0, &mut rng), &shop).len();
    for cut in 0..length {
        let draft = draft(cut, &mut rng);
        let request = request(&draft, &shop);
        // Drafts differ in length: the shorter ones are cut before their last byte.
        hang_up(address, &request[..cut.min(request.len() - 1)], Duration::ZERO);
        journal.record(draft, Placed::NotSent);
    }
    for n in 0..WHOLE_REQUESTS {
        let draft = draft(length + n, &mut rng);
        hang_up(address, &request(&draft, &shop), rng.duration(DELAYS));
        journal.record(draft, Placed::Unknown);
    }

    // The last requests may still be in flight: events that are read before the orders must be about some of these,
    // and each of these must have an event that is read after them.
    let emitted_before = placements(client).await;
    let books = FullBooks::settled(client, &shop, &journal).await;
    let emitted_after = placements(client).await;
    let orders: BTreeSet<String> = books.books.orders.into_iter().map(|order| order.order_id).collect();
    eprintln!("{length} requests cut off, {WHOLE_REQUESTS} left unanswered: {} orders", orders.len());
    assert!(!orders.is_empty(), "no request got through: they were all left too early");
    let lost: Vec<_> = emitted_before.difference(&orders).collect();
    assert!(lost.is_empty(), "emitted and not there: {lost:?}");
    let unannounced: Vec<_> = orders.difference(&emitted_after).collect();
    assert!(unannounced.is_empty(), "there and not emitted: {unannounced:?}");

    assert!(client.text("/readyz").await.expect(ALIVE).contains("\"ready\""));
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
    connection.set_nodelay(true).expect("a connection can be set not to wait");
    connection.write_all(bytes).expect("a request fits into the socket's buffer");
    std::thread::sleep(delay);
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
}

/// The orders that the events are about.
async fn placements(client: &Client) -> BTreeSet<String> {
    let events: Vec<Event> = client.all("/v1/events").await.expect(ALIVE);
    let placed = events.into_iter().filter(|event| event.event_type == "orders.order_placed.v1");
    placed.map(|event| event.subject).collect()
}
