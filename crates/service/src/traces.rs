//! Traces: one request and all that follows from it, as spans whose parents are what caused them.
//!
//! A span is begun with the trace context that came in, and what is committed meanwhile carries the span's own.
//! Context travels in the rows of events and timers, so a trace goes on after a crash and in other processes.
//!
//! Without an [`Export`] nothing is begun: context that came in is handed on as it is, and nothing is made or measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Clock, Ids, Timestamp, TraceParent};

/// Takes finished spans. It is called where work is done, so it must neither wait nor fail.
pub trait Export: Send + Sync {
    /// Takes one.
    fn export(&self, span: FinishedSpan);
}

/// Something that was done for a trace.
#[derive(Clone, Debug)]
pub struct FinishedSpan {
    /// Its trace, and its own id.
    pub context: TraceParent,
    /// The span from which it followed; the first of a trace has none.
    pub parent: Option<u64>,
    /// The work, as in `inventory.on_order_placed`.
    pub name: String,
    /// Its kind.
    pub kind: SpanKind,
    /// The service that did it.
    pub service: &'static str,
    /// The time at which it began.
    pub start: Timestamp,
    /// Its duration.
    pub took: Duration,
    /// Further attributes.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// The error, if any.
    pub error: Option<String>,
}

/// The kind of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A request.
    Server,
    /// An event.
    Consumer,
    /// A timer.
    Internal,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for SpanValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Begins and ends spans, or does nothing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<On>>);

struct On {
    export: Arc<dyn Export>,
    share: f64,
    clock: Clock,
    ids: Ids,
}

/// Says whether it is on, and no more.
impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").field("is_on", &self.is_on()).finish()
    }
}

/// A span in progress, and the context that follows from it. Dropped without an end, it was never there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// The context that its events and timers carry: its own context, or if it is not kept, what came in.
    pub carried: Option<TraceParent>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    context: TraceParent,
    parent: Option<u64>,
    start: Timestamp,
    began: Instant,
}

/// The data of a span at its end.
pub(crate) struct End {
    pub name: String,
    pub kind: SpanKind,
    pub service: &'static str,
    pub attributes: Vec<(&'static str, SpanValue)>,
    pub error: Option<String>,
}

impl Tracer {
    /// Keeps what belongs to traces that were begun as sampled elsewhere, and `share` of those that begin here.
    pub fn new(export: Arc<dyn Export>, share: f64, clock: Clock, ids: Ids) -> Self {
        Self(Some(Arc::new(On { export, share, clock, ids })))
    }

    /// True if anybody takes spans.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins what follows from `parent`, or a new trace if there is none.
    pub(crate) fn begin(&self, parent: Option<TraceParent>) -> Span {
        let Some(on) = &self.0 else { return Span { carried: parent, open: None } };
        let context = match parent {
            Some(parent) if parent.is_sampled() => parent.child(on.ids.span_id()),
            Some(_) => return Span { carried: parent, open: None },
            None => on.new_trace(),
        };
        let open = context.is_sampled().then(|| Open {
            context,
            parent: parent.map(TraceParent::span_id),
            start: on.clock.now(),
            began: Instant::now(),
        });
        Span { carried: Some(context), open }
    }

    /// Ends it. What is known of it is asked for only if it is kept.
    pub(crate) fn end(&self, span: Span, known: impl FnOnce() -> End) {
        let (Some(on), Some(open)) = (&self.0, span.open) else { return };
        let End { name, kind, service, attributes, error } = known();
        on.export.export(FinishedSpan {
            context: open.context,
            parent: open.parent,
            name,
            kind,
            service,
            start: open.start,
            took: open.began.elapsed(),
            attributes,
            error,
        });
    }
}

impl On {
    /// The decision to keep it follows from the random id itself.
    fn new_trace(&self) -> TraceParent {
        let trace_id = self.ids.trace_id();
        let low = u64::try_from(trace_id & u128::from(u64::MAX)).expect("the lower half of the bits");
        // As many bits as a float holds, so that the draw is below one.
        let drawn = (low >> 11) as f64 / (1_u64 << 53) as f64;
        TraceParent::new(trace_id, self.ids.span_id(), drawn < self.share)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct CollectedSpans(Mutex<Vec<FinishedSpan>>);

    impl Export for CollectedSpans {
        fn export(&self, span: FinishedSpan) {
            self.0.lock().unwrap().push(span);
        }
    }

    fn tracer(share: f64) -> (Tracer, Arc<CollectedSpans>) {
        let kept = Arc::new(CollectedSpans::default());
        let clock = Clock::system();
        (Tracer::new(kept.clone(), share, clock.clone(), Ids::new(clock)), kept)
    }

    fn end() -> End {
        End { name: String::new(), kind: SpanKind::Internal, service: "a", attributes: Vec::new(), error: None }
    }

    #[test]
    fn without_export_context_is_handed_on_as_it_is() {
        let off = Tracer::default();
        let came = Some(TraceParent::new(1, 2, true));
        assert_eq!(off.begin(came).carried, came);
        assert_eq!(off.begin(None).carried, None);
        off.end(off.begin(came), || panic!("nobody wants to know"));
    }

    #[test]
    fn what_follows_carries_the_span_from_which_it_follows() {
        let (tracer, kept) = tracer(0.0);
        let came = TraceParent::new(1, 2, true);
        let span = tracer.begin(Some(came));
        tracer.end(span, end);
        let carried = span.carried.unwrap();
        let finished = kept.0.lock().unwrap().pop().unwrap();
        assert_eq!((finished.context, finished.parent), (carried, Some(2)));
        assert_eq!(carried.trace_id(), 1);
        assert_ne!(carried.span_id(), 2);
    }

    #[test]
    fn what_is_not_sampled_leaves_nothing_and_stays_so() {
        let (tracer, kept) = tracer(1.0);
        let came = Some(TraceParent::new(1, 2, false));
        let span = tracer.begin(came);
        tracer.end(span, end);
        assert_eq!(span.carried, came);
        assert!(kept.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_new_trace_is_kept_by_its_share_and_what_follows_knows() {
        for (share, is_kept) in [(0.0, false), (1.0, true)] {
            let (tracer, kept) = tracer(share);
            let span = tracer.begin(None);
            tracer.end(span, end);
            assert_eq!(span.carried.unwrap().is_sampled(), is_kept);
            assert_eq!(kept.0.lock().unwrap().len(), usize::from(is_kept));
        }
        let (tracer, _) = tracer(0.5);
        let kept = (0..1_000).filter(|_| tracer.begin(None).carried.unwrap().is_sampled()).count();
        assert!((300..700).contains(&kept), "{kept} of 1,000 is not about a half");
    }
}
