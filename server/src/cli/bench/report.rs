//! The report of a run: an object for programs, tables for people.

use std::path::PathBuf;
use std::time::Duration;

use kernel::Timestamp;
use serde_json::{Value, json};

use super::books::Books;
use super::histogram::Histogram;
use super::load::Tally;
use super::plan::Plan;
use super::shop::{Found, Order};
use crate::cli::table::{Column, Table, fields};
use crate::cli::{Failure, Output};

/// The disk's rate before the load and after it.
#[derive(Clone, Debug)]
pub struct Flushes {
    pub before: f64,
    pub after: f64,
    pub folder: PathBuf,
}

/// A run and what came of it.
pub struct Report<'a> {
    pub books: Books,
    plan: &'a Plan,
    tally: &'a Tally,
    flushes: Flushes,
    is_settled: bool,
    confirm: Histogram,
    life: Histogram,
    completed: usize,
    rejected: usize,
    cancelled: usize,
    confirmed_in: Option<Duration>,
    final_in: Option<Duration>,
    decided_in: Option<Duration>,
}

impl<'a> Report<'a> {
    pub fn of(
        plan: &'a Plan,
        tally: &'a Tally,
        found: &Found,
        is_settled: bool,
        flushes: Flushes,
        books: Books,
    ) -> Self {
        let orders: Vec<&Order> = found.orders.iter().filter(|order| plan.by_email(&order.email).is_some()).collect();
        let of = |status: &'static str| orders.iter().filter(move |order| order.status == status);
        let mut confirm = Histogram::default();
        of("paid").for_each(|order| confirm.record(between(order.created_at, order.updated_at)));
        let mut life = Histogram::default();
        of("delivered").for_each(|order| life.record(between(order.created_at, order.updated_at)));
        // One clock stamps all of these, so no difference between machines' clocks is in the spans.
        let first = orders.iter().map(|order| order.created_at).min();
        let until = |last: Option<Timestamp>| first.zip(last).map(|(first, last)| between(first, last));
        let is_own = |subject| orders.iter().any(|order| kernel::Uuid::from(order.order_id) == subject);
        // Decisions are many only where a run was alone in its shop; the newest that is its own is near the front.
        let mut decisions: Vec<_> = found.decisions.iter().collect();
        decisions.sort_unstable_by_key(|decision| std::cmp::Reverse(decision.time));
        let last_decided = decisions.iter().find(|decision| is_own(decision.subject)).map(|decision| decision.time);
        Self {
            completed: orders.iter().filter(|order| order.is_kept()).count(),
            rejected: of("rejected").count(),
            cancelled: of("cancelled").count(),
            confirmed_in: until(of("paid").map(|order| order.updated_at).max()),
            final_in: until(orders.iter().map(|order| order.updated_at).max()),
            decided_in: until(last_decided),
            books,
            plan,
            tally,
            flushes,
            is_settled,
            confirm,
            life,
        }
    }

    fn completed_per_s(&self) -> f64 {
        per_s(self.confirm.count(), self.confirmed_in)
    }

    fn delivered_per_s(&self) -> f64 {
        per_s(self.life.count(), self.final_in)
    }

    /// The object of `--json`.
    fn to_json(&self) -> Value {
        let mut object = json!({
            "accepted_per_s": rounded(self.tally.accepted_per_s()),
            "completed_per_s": rounded(self.completed_per_s()),
            "accept_ms": percentiles(&self.tally.latency),
            "confirm_ms": percentiles(&self.confirm),
            "accepted": self.tally.accepted.len(),
            "completed": self.completed,
            "rejected": self.rejected,
            "cancelled": self.cancelled,
            "errors": self.tally.errors_total(),
            "errors_by_kind": self.tally.errors,
            "unknown": self.tally.unknown.len(),
            "settled": self.is_settled,
            "final_in_ms": millis(self.final_in),
            "flushes_per_s": {"before": rounded(self.flushes.before), "after": rounded(self.flushes.after)},
            "probed": self.flushes.folder,
            "run": self.plan.run,
            "books": self.books,
        });
        if self.plan.is_hot {
            object["decided_in_ms"] = millis(self.decided_in);
        }
        if self.plan.is_life {
            object["delivered"] = json!(self.life.count());
            object["delivered_per_s"] = json!(rounded(self.delivered_per_s()));
            object["life_ms"] = percentiles(&self.life);
        }
        object
    }

    pub fn print(&self, out: &mut Output) -> Result<(), Failure> {
        if out.is_json() {
            return out.document(&self.to_json());
        }
        let seconds = |span: Option<Duration>| span.map(|span| format!("{:.2} s", span.as_secs_f64()));
        let some = |count: usize| (count > 0).then(|| count.to_string());
        let (flushes, is_life) = (&self.flushes, self.plan.is_life);
        out.text(fields([
            ("accepted", Some(format!("{}, {:.0}/s", self.tally.accepted.len(), self.tally.accepted_per_s()))),
            ("confirmed", (!is_life).then(|| format!("{}, {:.0}/s", self.confirm.count(), self.completed_per_s()))),
            ("delivered", is_life.then(|| format!("{}, {:.0}/s", self.life.count(), self.delivered_per_s()))),
            ("rejected", some(self.rejected)),
            ("cancelled", some(self.cancelled)),
            ("unknown", some(self.tally.unknown.len())),
            ("errors", some(usize::try_from(self.tally.errors_total()).unwrap_or(usize::MAX))),
            ("all decided in", seconds(self.decided_in)),
            ("all final in", seconds(self.final_in)),
            ("flushes", Some(format!("{:.0}/s before, {:.0}/s after", flushes.before, flushes.after))),
            ("probed", Some(flushes.folder.display().to_string())),
        ]))?;
        out.text("")?;
        out.table(&self.times())?;
        out.text("")?;
        out.table(&self.checks())
    }

    fn times(&self) -> Table {
        let right = ["P50", "P95", "P99", "MAX"].map(Column::Right);
        let mut table = Table::new([&[Column::Left("TIME IN MS")], &right[..]].concat());
        let second = if self.plan.is_life { ("life", &self.life) } else { ("confirm", &self.confirm) };
        for (name, histogram) in [("accept", &self.tally.latency), second] {
            let shown = |span: Option<Duration>| span.map_or_else(|| "-".to_owned(), |it| format!("{:.1}", in_ms(it)));
            let [p50, p95, p99] = [50, 95, 99].map(|percent| shown(histogram.percentile(percent)));
            table.row([name.to_owned(), p50, p95, p99, shown(histogram.max())]);
        }
        table
    }

    fn checks(&self) -> Table {
        let mut table =
            Table::new([Column::Left("BOOKS"), Column::Left(""), Column::Left("EXPECTED"), Column::Left("FOUND")]);
        for check in &self.books.checks {
            let verdict = if check.ok { "ok" } else { "WRONG" };
            table.row([check.name.to_owned(), verdict.to_owned(), check.expected.clone(), check.found.clone()]);
        }
        table
    }
}

fn per_s(count: u64, span: Option<Duration>) -> f64 {
    let span = span.map(|span| span.as_secs_f64()).filter(|span| *span > 0.0);
    span.map_or(0.0, |span| count as f64 / span)
}

/// A span that a clock which was set back would make negative counts as none.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

fn percentiles(histogram: &Histogram) -> Value {
    let [p50, p95, p99] = [50, 95, 99].map(|percent| millis(histogram.percentile(percent)));
    json!({"p50": p50, "p95": p95, "p99": p99, "max": millis(histogram.max())})
}

/// Milliseconds to the microsecond, null if there is no value.
fn millis(span: Option<Duration>) -> Value {
    span.map_or(Value::Null, |span| json!(in_ms(span)))
}

fn in_ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1_000.0
}

/// To one decimal: more would pretend to be known.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
