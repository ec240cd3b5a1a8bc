//! Spans to a collector, by OTLP over HTTP.
//!
//! A thread of the SDK gathers spans and sends them. Nothing of the shop waits for it: a queue that is full drops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use kernel::{Clock, Ids};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor,
};
use service::Tracer;
use service::traces::{Export, FinishedSpan, SpanValue};

/// Spans that wait to be sent; what comes on top is dropped.
/// About a second of a busy shop, and at about 1 KiB each a few MiB.
const QUEUE: usize = 8192;

/// Spans that are sent at once: a request of about half a MiB, of which collectors take several.
const BATCH: usize = 512;

/// The longest wait of a span for others, so that a trace can be looked at soon.
const GATHER: Duration = Duration::from_secs(2);

/// The time that a collector may take for a batch; meanwhile the queue fills.
const EXPORT: Duration = Duration::from_secs(5);

/// The time that the end of the process waits for unsent spans: no longer than for one batch.
const FLUSH: Duration = Duration::from_secs(5);

/// The target of spans.
#[derive(Clone, Debug)]
pub struct Target {
    /// The collector's address, to which `v1/traces` is added.
    pub endpoint: String,
    /// The share of the traces that begin here which is kept: 0 to 1.
    pub share: f64,
    /// The name of this process there.
    pub service: String,
}

/// The way of spans to a collector, or none.
pub struct Traces {
    tracer: Tracer,
    sender: Option<Arc<Sender>>,
}

impl Traces {
    /// Nothing is traced.
    pub fn off() -> Self {
        Self { tracer: Tracer::default(), sender: None }
    }

    /// Starts the thread that sends. The collector need not be there.
    pub fn start(target: Target, clock: &Clock) -> anyhow::Result<Self> {
        let endpoint = format!("{}/v1/traces", target.endpoint.trim_end_matches('/'));
        let exporter =
            exporter(endpoint.clone()).with_context(|| format!("otlp_endpoint: {endpoint} can't be used"))?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let exporter =
            LoggingExporter { endpoint, exporter, waiting: waiting.clone(), is_unreachable: AtomicBool::new(false) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(GATHER);
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
        let resource = Resource::builder_empty()
            .with_service_name(target.service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        processor.set_resource(&resource.build());
        let scope = InstrumentationScope::builder("tradepost").with_version(env!("CARGO_PKG_VERSION")).build();
        let sender = Arc::new(Sender { processor, scope, waiting, dropped: AtomicU64::new(0) });
        let tracer = Tracer::new(sender.clone(), target.share, clock.clone(), Ids::new(clock.clone()));
        Ok(Self { tracer, sender: Some(sender) })
    }

    /// The tracer of the services.
    pub fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }

    /// Sends what is still to be sent, for a bounded time, and ends the thread.
    pub async fn stop(self) {
        let Some(sender) = self.sender else { return };
        let dropped = sender.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "spans were dropped, for the collector was slower than the shop");
        }
        let stopped = tokio::task::spawn_blocking(move || sender.processor.shutdown_with_timeout(FLUSH)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("the last spans were not sent: the collector took too long");
        }
    }
}

/// The exporter's client blocks, so it is made on a thread that no runtime owns.
fn exporter(endpoint: String) -> anyhow::Result<opentelemetry_otlp::SpanExporter> {
    let build = move || {
        opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(EXPORT)
            .build()
    };
    let built = std::thread::spawn(build).join();
    Ok(built.map_err(|_| anyhow::anyhow!("its client can't be made"))??)
}

/// Hands spans to the thread that sends them.
struct Sender {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    /// In the queue, which is counted here so that dropped spans can be reported.
    waiting: Arc<AtomicUsize>,
    dropped: AtomicU64,
}

impl Export for Sender {
    fn export(&self, span: FinishedSpan) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(
                    "spans are dropped, for the collector is slower than the shop; their number follows at the end"
                );
            }
            return;
        }
        self.processor.on_end(data(span, self.scope.clone()));
    }
}

fn data(span: FinishedSpan, scope: InstrumentationScope) -> SpanData {
    let start_time = SystemTime::from(span.start);
    let mut attributes = Vec::with_capacity(span.attributes.len() + 1);
    attributes.push(KeyValue::new("tradepost.service", span.service));
    attributes.extend(span.attributes.into_iter().map(|(key, value)| match value {
        SpanValue::Text(text) => KeyValue::new(key, text),
        SpanValue::Number(number) => KeyValue::new(key, number),
    }));
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(span.context.trace_id()),
            SpanId::from(span.context.span_id()),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: span.parent.is_some(),
        span_kind: match span.kind {
            service::traces::SpanKind::Server => SpanKind::Server,
            service::traces::SpanKind::Consumer => SpanKind::Consumer,
            service::traces::SpanKind::Internal => SpanKind::Internal,
        },
        name: span.name.into(),
        start_time,
        end_time: start_time + span.took,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

/// An exporter that logs once that the collector is unreachable, and once that it is reachable again.
#[derive(Debug)]
struct LoggingExporter {
    endpoint: String,
    exporter: opentelemetry_otlp::SpanExporter,
    waiting: Arc<AtomicUsize>,
    is_unreachable: AtomicBool,
}

impl SpanExporter for LoggingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        let result = self.exporter.export(batch).await;
        match (&result, self.is_unreachable.swap(result.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(endpoint = self.endpoint, %error, "spans can't be sent and are dropped until they can");
            }
            (Ok(()), true) => tracing::info!(endpoint = self.endpoint, "spans are sent again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use kernel::TraceParent;

    use super::*;

    fn span() -> FinishedSpan {
        FinishedSpan {
            context: TraceParent::new(1, 2, true),
            parent: None,
            name: "orders.on_stock_reserved".to_owned(),
            kind: service::traces::SpanKind::Consumer,
            service: "orders",
            start: Clock::system().now(),
            took: Duration::ZERO,
            attributes: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn a_collector_that_never_answers_fills_the_queue_and_no_more() {
        // Each test has a process of its own, or another one was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let target = Target { endpoint, share: 1.0, service: "tradepost".to_owned() };
        let traces = Traces::start(target, &Clock::system()).unwrap();
        let sender = traces.sender.unwrap();
        for _ in 0..3 * QUEUE {
            sender.export(span());
        }
        assert!(sender.waiting.load(Ordering::Relaxed) <= QUEUE);
        assert!(sender.dropped.load(Ordering::Relaxed) > 0, "what the queue can't hold is dropped");
    }
}
