//! The suite that every broker must pass, as sentences: [`run`] it against a [`Harness`].
//!
//! Each case gets a fresh broker and a minute. What only some brokers promise is asked of those that say so in their
//! [`Guarantees`]. Messages have the types and lanes of real events, for adapters route by them.

mod arrival;
mod flow;
mod on_demand;
mod relay;
mod report;
mod settlement;
mod stage;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::{Broker, Guarantees, Topology};
use report::Status;
use stage::{Stage, Verdict};

pub use report::{Report, compared};
pub use stage::message;

/// After this a case counts as stuck: far more than the slowest needs on a busy machine.
const CASE_MAX: Duration = Duration::from_mins(5);

/// Makes brokers for the suite. It may panic: then the case that asked has failed.
pub trait Harness: Send + Sync + 'static {
    /// A broker for these consumers that has nothing of an earlier one.
    fn start(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>>;

    /// Ends the broker that was started last as a crash would, and starts one with what that had on disk.
    fn restart(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>>;

    /// Declares what these consumers need beside what the broker that was started last has, and answers with a broker
    /// for them. It is asked for in [`run_on_demand`] alone.
    fn redeclare(&self, topology: Topology) -> BoxFuture<'_, Arc<dyn Broker>> {
        self.start(topology)
    }
}

/// Runs all cases one after the other and prints the table of what the broker can do.
///
/// # Panics
///
/// If a case fails, with the names of all that did.
pub async fn run(harness: impl Harness) -> Report {
    run_cases(Arc::new(harness), CASES, stage::topology).await
}

/// Runs the cases of a broker that delivers types on demand only while they are wanted, as [`run`] does.
///
/// # Panics
///
/// If a case fails, with the names of all that did.
pub async fn run_on_demand(harness: impl Harness) -> Report {
    run_cases(Arc::new(harness), &[on_demand::CASES], on_demand::topology).await
}

async fn run_cases(harness: Arc<dyn Harness>, cases: &[&[Case]], topology: fn() -> Topology) -> Report {
    let broker = harness.start(Topology::new()).await;
    let mut report = Report::new(broker.name(), broker.guarantees());
    drop(broker);
    for case in cases.iter().copied().flatten() {
        report.add(case.name, examine(case, &harness, topology).await);
    }
    eprint!("{report}");
    let failed = report.failed();
    assert!(failed.is_empty(), "the {} broker fails: {}", report.broker(), failed.join("; "));
    report
}

struct Case {
    name: &'static str,
    applies: fn(Guarantees) -> bool,
    run: fn(Stage) -> BoxFuture<'static, Verdict>,
}

impl Case {
    const fn new(name: &'static str, run: fn(Stage) -> BoxFuture<'static, Verdict>) -> Self {
        Self { name, applies: |_| true, run }
    }

    const fn only_if(self, applies: fn(Guarantees) -> bool) -> Self {
        Self { applies, ..self }
    }
}

const CASES: &[&[Case]] = &[arrival::CASES, settlement::CASES, flow::CASES];

async fn examine(case: &Case, harness: &Arc<dyn Harness>, topology: fn() -> Topology) -> Status {
    let examined = async {
        let stage = Stage::new(harness.clone(), topology).await;
        if !(case.applies)(stage.broker.guarantees()) {
            return Status::NotPromised;
        }
        (case.run)(stage).await.map_or_else(|violation| Status::Failed(violation.to_string()), |()| Status::Passed)
    };
    match tokio::time::timeout(CASE_MAX, AssertUnwindSafe(examined).catch_unwind()).await {
        Ok(Ok(status)) => status,
        Ok(Err(_)) => Status::Failed("panicked".to_owned()),
        Err(_) => Status::Failed(format!("stuck for {CASE_MAX:?}")),
    }
}
