//! A receiver of webhooks on this machine, which answers as a test wants.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use service::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The answer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is taken.
    Taken,
    Status(u16),
    /// Nothing, and the connection stays.
    Hangs,
    Garbage,
    ClosesEarly,
    Redirects,
    /// 500, with 100 MB behind it.
    Large,
    /// Taken, after a second.
    Slow,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub timestamp: String,
    pub signatures: Vec<String>,
    pub text: String,
    pub body: Value,
    pub answer: Answer,
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    state: Arc<State>,
    _tasks: Tasks,
}

struct State {
    /// The answers to come; the last one is repeated.
    answers: Mutex<Vec<Answer>>,
    messages: Mutex<Vec<Message>>,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let state = Arc::new(State {
            answers: Mutex::new(vec![Answer::Taken]),
            messages: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
        });
        let (tasks, of_connections, spawner) = (Tasks::new(), state.clone(), Tasks::new());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawner.spawn(serve(stream, of_connections.clone()));
            }
        });
        Self { url, state, _tasks: tasks }
    }

    /// Answers so from now on, one after the other, the last one for ever.
    pub fn answers(&self, answers: &[Answer]) {
        *self.state.answers.lock().unwrap() = answers.to_vec();
    }

    /// True if only the last answer is left.
    pub fn has_answered_all(&self) -> bool {
        self.state.answers.lock().unwrap().len() == 1
    }

    /// All that came, in its order.
    pub fn messages(&self) -> Vec<Message> {
        self.state.messages.lock().unwrap().clone()
    }

    /// All that was taken, in its order.
    pub fn taken(&self) -> Vec<Message> {
        self.messages().into_iter().filter(|it| matches!(it.answer, Answer::Taken | Answer::Slow)).collect()
    }

    pub fn forget(&self) {
        self.state.messages.lock().unwrap().clear();
    }

    /// Messages that were in flight at once, at the most.
    pub fn in_flight_max(&self) -> usize {
        self.state.in_flight_max.load(Ordering::SeqCst)
    }

    /// Asserts that each message was taken once, and that those of one source, lane and key came in their order.
    #[track_caller]
    pub fn is_complete_and_in_order(&self) {
        let taken = self.taken();
        let ids: HashSet<&str> = taken.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids.len(), taken.len(), "a message was taken twice");
        let mut last: BTreeMap<(String, String), i64> = BTreeMap::new();
        for message in &taken {
            let text = |field: &str| message.body[field].as_str().unwrap().to_owned();
            let sequence: i64 = text("sequence").parse().unwrap();
            let before = last.insert((text("source"), text("subject")), sequence);
            assert!(before.is_none_or(|before| before <= sequence), "{} overtook {before:?}", message.text);
        }
    }
}

impl Message {
    /// True if one of its signatures is by this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.text);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        self.signatures.contains(&format!("v1,{}", STANDARD.encode(tag)))
    }

    pub fn event_type(&self) -> String {
        self.body["type"].as_str().unwrap().to_owned()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut read = Vec::new();
    loop {
        let Some((head, body)) = request(&mut stream, &mut read).await else { return };
        let now = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.in_flight_max.fetch_max(now, Ordering::SeqCst);
        let answer = {
            let mut answers = state.answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0] }
        };
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case(name)));
            line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        state.messages.lock().unwrap().push(Message {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signatures: header("webhook-signature").split(' ').map(str::to_owned).collect(),
            body: serde_json::from_str(&body).unwrap(),
            text: body,
            answer,
        });
        let goes_on = respond(&mut stream, answer).await;
        state.in_flight.fetch_sub(1, Ordering::SeqCst);
        if !goes_on {
            return;
        }
    }
}

/// Head and body of the next request.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, String)> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if let Some(at) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..at]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            let end = at + 4 + length.unwrap_or_default();
            if read.len() >= end {
                let body = String::from_utf8(read[at + 4..end].to_vec()).unwrap();
                read.drain(..end);
                return Some((head, body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(bytes) => read.extend_from_slice(&buffer[..bytes]),
        }
    }
}

/// Answers a message. False if its connection is to be closed.
async fn respond(stream: &mut TcpStream, answer: Answer) -> bool {
    let text = match answer {
        Answer::Taken => "HTTP/1.1 204 Taken\r\n\r\n".to_owned(),
        Answer::Status(status) => format!("HTTP/1.1 {status} No\r\ncontent-length: 2\r\n\r\nno"),
        Answer::Hangs => {
            // Until the client has enough.
            let _ = stream.read(&mut [0]).await;
            return false;
        }
        Answer::Garbage => "\u{0}\u{1}garbage\r\n\r\n".to_owned(),
        Answer::ClosesEarly => return false,
        Answer::Redirects => {
            "HTTP/1.1 302 There\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        Answer::Large => {
            let head = "HTTP/1.1 500 Large\r\ncontent-length: 100000000\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
            let part = vec![b'x'; 1 << 20];
            while stream.write_all(&part).await.is_ok() {}
            return false;
        }
        Answer::Slow => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            "HTTP/1.1 204 Taken\r\n\r\n".to_owned()
        }
    };
    stream.write_all(text.as_bytes()).await.is_ok() && answer != Answer::Garbage
}
