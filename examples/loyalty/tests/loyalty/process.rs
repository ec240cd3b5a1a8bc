//! The program as a child process, and requests to any.

use std::borrow::BorrowMut;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use testkit::ADMIN_TOKEN;

/// The time that the program may take to say a line, or a server to answer: far beyond what either ever takes.
const PATIENCE: Duration = Duration::from_mins(5);

/// A process that goes on, ended with the test.
pub struct Process {
    child: Child,
    said: Receiver<String>,
}

impl Process {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, said) = channel();
        let stderr = child.stderr.take().unwrap();
        // Reading never stops, for a full pipe would stop the process.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Self { child, said }
    }

    /// The rest of the next line that begins so.
    pub fn says(&self, beginning: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.said.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it never said {beginning:?}, but {before:#?}"));
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
            before.push(line);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program to its end: its status, and all that it said.
pub fn run(mut command: impl BorrowMut<Command>) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.borrow_mut().output().unwrap();
    (status.code(), [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat())
}

/// The status and the body of an answer to a request of the admin.
pub fn ask(method: &str, url: &str, body: &Value) -> (u16, Value) {
    ask_as(ADMIN_TOKEN, method, url, body)
}

/// The same with another token, or none.
pub fn ask_as(token: &str, method: &str, url: &str, body: &Value) -> (u16, Value) {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}
