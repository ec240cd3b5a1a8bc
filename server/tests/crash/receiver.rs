//! A receiver of webhooks on this machine that fails at times, and its books: which event came first, and how often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kernel::Timestamp;
use serde_json::Value;
use service::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Of so many events that come for the first time one is answered badly, while failures are left.
const FAILS_EVERY: usize = 5;

/// Events that are answered badly at the beginning of one of so many loads: each keeps those behind it waiting for
/// seconds, and the test with them.
const FAILURES: usize = 6;
const FAILS_IN: usize = 3;

/// The time for which an answer hangs.
const HANGS_FOR: Duration = Duration::from_millis(300);

/// The answer to a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    TakenLate,
    Refused,
    ClosesEarly,
}

/// An event as it came.
#[derive(Clone)]
pub struct Received {
    /// The message, which is the same in each delivery.
    text: String,
    pub message: Value,
    pub is_taken: bool,
}

/// All that came.
#[derive(Default)]
struct Books {
    events: HashMap<String, Received>,
    /// The newest event of each source and key.
    newest: HashMap<(String, String), String>,
    /// The newest sequence of what changed, of which a key may have several.
    sequences: HashMap<String, i64>,
    /// Deliveries of an event beyond its first.
    repeated: usize,
    loads: usize,
    failures_left: usize,
    /// Messages that are not what a receiver may rely on.
    findings: Vec<String>,
    /// Events that came before an earlier one of their key was taken.
    order_violations: Vec<String>,
}

/// An endpoint of the shop.
pub struct Endpoint {
    pub receiver: Receiver,
    /// The time since which the shop sends events to it.
    pub since: Timestamp,
}

pub struct Receiver {
    pub url: String,
    books: Arc<Mutex<Books>>,
    _tasks: Tasks,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("this machine has a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("a listener has an address"));
        let books: Arc<Mutex<Books>> = Arc::default();
        let (tasks, connections, of_connections) = (Tasks::new(), Tasks::new(), books.clone());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, of_connections.clone()));
            }
        });
        Self { url, books, _tasks: tasks }
    }

    /// Answers some of the next events badly when they come for the first time, at some of its calls.
    pub fn fails_at_times(&self) {
        let mut books = lock(&self.books);
        if books.loads.is_multiple_of(FAILS_IN) {
            books.failures_left = FAILURES;
        }
        books.loads += 1;
    }

    /// The events by their ids.
    pub fn events(&self) -> HashMap<String, Received> {
        lock(&self.books).events.clone()
    }

    /// Number of events, and of deliveries beyond the first of each.
    pub fn counts(&self) -> (usize, usize) {
        let books = lock(&self.books);
        (books.events.len(), books.repeated)
    }

    /// Messages that are not what a receiver may rely on.
    pub fn findings(&self) -> Vec<String> {
        lock(&self.books).findings.clone()
    }

    /// Events that came before an earlier one of their key was taken.
    pub fn order_violations(&self) -> Vec<String> {
        lock(&self.books).order_violations.clone()
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().expect("nobody panics with the books in hand")
}

impl Books {
    /// Books a message, and decides about its answer.
    fn receive(&mut self, id: &str, text: String) -> Answer {
        if let Some(known) = self.events.get_mut(id) {
            self.repeated += 1;
            if known.text != text {
                self.findings.push(format!("{id} came as {} and as {text}", known.text));
            }
            known.is_taken = true;
            return Answer::Taken;
        }
        let Ok(message) = serde_json::from_str::<Value>(&text) else {
            self.findings.push(format!("{id} is not JSON: {text}"));
            return Answer::Taken;
        };
        self.note_order(id, &message);
        let answer = self.choose();
        let is_taken = matches!(answer, Answer::Taken | Answer::TakenLate);
        self.events.insert(id.to_owned(), Received { text, message, is_taken });
        answer
    }

    /// Of a key an event comes once the one before was taken, and the changes of a thing come in their order.
    fn note_order(&mut self, id: &str, message: &Value) {
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let key = (text(&message["source"]), text(&message["subject"]));
        let before = self.newest.insert(key, id.to_owned()).map(|before| &self.events[&before]);
        if let Some(before) = before.filter(|before| !before.is_taken) {
            self.order_violations.push(format!("{message} came before {} was taken", before.message));
        }
        let of_purchase = &message["data"]["purchase_order_id"];
        let changed = text(if of_purchase.is_null() { &message["subject"] } else { of_purchase });
        let sequence = message["sequence"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        let before = self.sequences.insert(changed, sequence);
        if before.is_some_and(|before| before > sequence) {
            self.order_violations.push(format!("{message} came after the sequence {before:?}"));
        }
    }

    fn choose(&mut self) -> Answer {
        if self.failures_left == 0 || !self.events.len().is_multiple_of(FAILS_EVERY) {
            return Answer::Taken;
        }
        self.failures_left -= 1;
        [Answer::TakenLate, Answer::Refused, Answer::ClosesEarly][self.failures_left % 3]
    }
}

/// Answers the messages of a connection until it is closed.
async fn serve(mut stream: TcpStream, books: Arc<Mutex<Books>>) {
    let mut read = Vec::new();
    while let Some((id, text)) = message(&mut stream, &mut read).await {
        let answer = lock(&books).receive(&id, text);
        let response = match answer {
            Answer::Taken => "HTTP/1.1 204 Taken\r\n\r\n",
            Answer::TakenLate => {
                tokio::time::sleep(HANGS_FOR).await;
                "HTTP/1.1 204 Taken\r\n\r\n"
            }
            Answer::Refused => "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno",
            Answer::ClosesEarly => return,
        };
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The id and the body of the next message; `None` once the connection is closed.
async fn message(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, String)> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let header = |name: &str| {
                let mut headers = head.lines().filter_map(|line| line.split_once(": "));
                headers.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.trim().to_owned()).unwrap_or_default()
            };
            let (begin, length) = (end + 4, header("content-length").parse::<usize>().unwrap_or_default());
            if read.len() >= begin + length {
                let body = String::from_utf8_lossy(&read[begin..begin + length]).into_owned();
                read.drain(..begin + length);
                return Some((header("webhook-id"), body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(bytes) => read.extend_from_slice(&buffer[..bytes]),
        }
    }
}
