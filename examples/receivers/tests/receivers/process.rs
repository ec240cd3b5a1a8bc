//! A receiver in a process of its own, and messages as the shop signs them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver as Lines, channel};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kernel::Clock;
use ring::hmac::{HMAC_SHA256, Key, sign};

/// The time that a program may take for a line or an answer: far longer than any takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key of the secret that receivers are started with, unless a test has another.
pub const KEY: &[u8] = b"a secret of twenty-four b";

/// An event as the shop sends it.
const BODY: &str = r#"{"specversion":"1.0","type":"orders.order_paid.v1","data":{"name":"Müller"}}"#;

/// A receiver in a process of its own, ended with the test.
pub struct Receiver {
    process: Child,
    address: String,
    printed: Lines<String>,
}

impl Receiver {
    pub fn start(command: Command) -> Self {
        Self::start_with(command, &format!("whsec_{}", BASE64_STANDARD.encode(KEY)), 0)
    }

    /// The same with a secret of the shop's, on a port.
    pub fn start_with(mut command: Command, secret: &str, port: u16) -> Self {
        command.arg(port.to_string()).env("WEBHOOK_SECRET", secret).env("PYTHONDONTWRITEBYTECODE", "1");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
        let (said, printed) = (lines(process.stderr.take().unwrap()), lines(process.stdout.take().unwrap()));
        let first = said.recv_timeout(PATIENCE).unwrap_or_default();
        let address = first.strip_prefix("listening on http://").unwrap_or_else(|| panic!("it said {first:?}"));
        Self { process, address: address.to_owned(), printed }
    }

    /// The next line that it prints.
    pub fn line(&self) -> String {
        self.printed.recv_timeout(PATIENCE).expect("it prints a line")
    }

    /// True if it has printed nothing more.
    pub fn is_silent(&self) -> bool {
        self.printed.try_recv().is_err()
    }

    /// The status of the answer.
    pub fn send(&self, message: &Message) -> u16 {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let Message { id, timestamp, signature, body } = message;
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {timestamp}\r\n\
             Webhook-Signature: {signature}\r\n\r\n{body}",
            self.address
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("it answered {answer:?}"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Lines<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        // Reading never stops, for a full pipe would stop the program.
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

/// A webhook as it is sent.
#[derive(Clone)]
pub struct Message {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: String,
}

impl Message {
    /// One that the shop signed so many seconds ago.
    pub fn signed(id: &str, seconds_ago: i64) -> Self {
        let sent_at = Clock::system().now().as_second() - seconds_ago;
        Self::signed_by(KEY, id, &sent_at.to_string(), BODY)
    }

    pub fn signed_by(key: &[u8], id: &str, timestamp: &str, body: &str) -> Self {
        let signed = format!("{id}.{timestamp}.{body}");
        let digest = BASE64_STANDARD.encode(sign(&Key::new(HMAC_SHA256, key), signed.as_bytes()));
        let signature = format!("v1,{digest}");
        Self { id: id.to_owned(), timestamp: timestamp.to_owned(), signature, body: body.to_owned() }
    }

    /// The same with another body, signed.
    pub fn of(self, body: &str) -> Self {
        Self::signed_by(KEY, &self.id, &self.timestamp, body)
    }

    pub fn with_signature(self, signature: impl FnOnce(&str) -> String) -> Self {
        Self { signature: signature(&self.signature), ..self }
    }
}

/// A program of these examples.
pub fn script(program: &str, file: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(here().join(file));
    command
}

/// The folder of these examples.
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
