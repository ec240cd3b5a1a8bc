//! A collector that only remembers what it was sent.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

/// A span as it was sent.
#[derive(Clone, Debug)]
pub struct Received {
    /// `service.name` of the process that sent it.
    pub process: String,
    pub name: String,
    pub kind: SpanKind,
    pub trace_id: String,
    pub span_id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub is_error: bool,
    pub attributes: HashMap<String, String>,
}

impl Received {
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).unwrap_or_else(|| panic!("{key} is not in {self:?}"))
    }
}

/// It answers for as long as the test runs.
pub struct Collector {
    pub endpoint: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::default();
        let of_thread = Arc::clone(&received);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let received = Arc::clone(&of_thread);
                std::thread::spawn(move || answer(connection.unwrap(), &received));
            }
        });
        Self { endpoint, received }
    }

    /// All that was sent until now.
    pub fn spans(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Those of one trace.
    pub fn trace(&self, trace_id: &str) -> Vec<Received> {
        self.spans().into_iter().filter(|span| span.trace_id == trace_id).collect()
    }
}

/// Answers the requests of one connection until it is closed.
fn answer(mut connection: TcpStream, received: &Mutex<Vec<Received>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let line = line.trim_end().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap();
            }
            head.push(line);
        }
        assert_eq!(head[0], "post /v1/traces http/1.1");
        assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        received.lock().unwrap().extend(decode(&body));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if connection.write_all(answer).is_err() {
            return;
        }
    }
}

fn decode(body: &[u8]) -> Vec<Received> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let resource = texts(of_resource.resource.unwrap_or_default().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
            assert!(span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano);
            spans.push(Received {
                process: resource["service.name"].clone(),
                kind: span.kind(),
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                is_error: span.status.as_ref().is_some_and(|status| status.code != 0),
                attributes: texts(span.attributes),
                name: span.name,
            });
        }
    }
    spans
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn texts(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?} is neither a text nor a number"),
    };
    attributes.into_iter().map(|it| (it.key, text(it.value))).collect()
}
