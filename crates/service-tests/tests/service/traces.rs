//! Spans of reactions: whose parents they have, and that each attempt has one.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use kernel::{Clock, Ids, Uuid};
use service::traces::{Export, FinishedSpan, SpanValue};
use service::{Service, Settings, Tracer};
use tempfile::tempdir;

use crate::support::{House, RETRY_MAX, Script, Step, batch_consumer, consumer, emitter, until};

/// Keeps what it takes.
#[derive(Default)]
struct CollectedSpans(Mutex<Vec<FinishedSpan>>);

impl Export for CollectedSpans {
    fn export(&self, span: FinishedSpan) {
        self.0.lock().unwrap().push(span);
    }
}

impl CollectedSpans {
    /// Those of a name, in the order of their ends.
    fn named(&self, name: &str) -> Vec<FinishedSpan> {
        self.0.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }
}

async fn traced(folder: &Path, services: Vec<Service<Script>>) -> (House, Arc<CollectedSpans>) {
    let kept = Arc::new(CollectedSpans::default());
    let clock = Clock::system();
    let tracer = Tracer::new(kept.clone(), 1.0, clock.clone(), Ids::new(clock));
    (House::start_traced(folder, services, Settings::default(), tracer).await, kept)
}

fn text(span: &FinishedSpan, key: &str) -> String {
    let found = span.attributes.iter().find(|(name, _)| *name == key);
    match found {
        Some((_, SpanValue::Text(text))) => text.clone(),
        other => panic!("{key} is {other:?} in {span:?}"),
    }
}

#[tokio::test]
async fn each_delivery_of_a_set_has_a_span_under_what_emitted_its_event() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("first", &[Step::Wait]).first("bad", &[Step::Fail, Step::Fail]);
    let services = vec![emitter("users", &script), batch_consumer("orders", &script)];
    let (house, kept) = traced(folder.path(), services).await;
    house.emit("users", &[(house.runtime.ids.next(), "first", 1)]).await;
    until("the first is being handled", async || script.calls("first") == 1).await;
    // These gather meanwhile, and are one set; one of them makes it fail as a whole.
    for name in ["a", "b", "bad", "c"] {
        house.emit("users", &[(house.runtime.ids.next(), name, 1)]).await;
    }
    script.release(1);
    house.settle().await;
    house.advance(RETRY_MAX).await;
    house.stop().await;

    let requests = kept.named("POST /v1/emit");
    let emitted: HashSet<_> =
        requests.iter().map(|span| (span.context.trace_id(), Some(span.context.span_id()))).collect();
    assert_eq!(emitted.len(), 5, "each request is a trace of its own");
    let reactions = kept.named("orders.on_email_verification_requested");
    let done = reactions.iter().filter(|span| span.error.is_none());
    let parents: HashSet<_> = done.map(|span| (span.context.trace_id(), span.parent)).collect();
    assert_eq!(parents, emitted);
    assert_eq!(reactions.len(), 6, "one for each, and one for the attempt that failed");
}

#[tokio::test]
async fn each_attempt_has_a_span_beside_the_one_before() {
    let folder = tempdir().unwrap();
    let script = Script::new().first("ada", &[Step::Fail]);
    let (house, kept) = traced(folder.path(), vec![emitter("users", &script), consumer("orders", &script)]).await;
    let ada: Uuid = house.runtime.ids.next();
    house.emit("users", &[(ada, "ada", 1)]).await;
    house.settle().await;
    house.advance(RETRY_MAX).await;
    house.stop().await;

    let attempts = kept.named("orders.on_email_verification_requested");
    let emitted: Vec<(String, bool)> =
        attempts.iter().map(|span| (text(span, "tradepost.outcome"), span.error.is_some())).collect();
    assert_eq!(emitted, [("retried".to_owned(), true), ("done".to_owned(), false)]);
    assert_eq!(attempts[0].parent, attempts[1].parent);
    assert_ne!(attempts[0].context, attempts[1].context);
    assert_eq!(text(&attempts[1], "tradepost.event.key"), ada.to_string());
}
