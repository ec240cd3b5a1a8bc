//! The results that one client, or all of them, have seen.

use std::collections::BTreeMap;

use events::OrderId;
use tokio::time::Instant;

use super::Answered;
use crate::cli::bench::histogram::Histogram;

/// The results of the orders that were sent.
#[derive(Debug, Default)]
pub struct Tally {
    /// The id of each order.
    pub accepted: Vec<(u64, OrderId)>,
    /// Orders of which nobody knows whether they were accepted: the connection ended before the answer came.
    pub unknown: Vec<u64>,
    /// Number of each other result, such as `503 overloaded`.
    pub errors: BTreeMap<String, u64>,
    /// From when an order was due, or sent if there is no rate, to its 201.
    pub latency: Histogram,
    first_sent: Option<Instant>,
    last_accepted: Option<Instant>,
    under_way: Option<(u64, Instant)>,
    was_accepted: bool,
}

impl Tally {
    pub(super) fn sends(&mut self, n: u64, due: Instant) {
        self.under_way = Some((n, due));
        self.first_sent.get_or_insert(due);
    }

    /// True if the connection can be used again.
    pub(super) fn answered(&mut self, answered: Answered) -> bool {
        let Some((n, due)) = self.under_way.take() else { return false };
        self.was_accepted = matches!(answered, Answered::Accepted(_));
        match answered {
            Answered::Accepted(order_id) => {
                let now = Instant::now();
                self.latency.record(now - due);
                self.last_accepted = Some(now);
                self.accepted.push((n, order_id));
                return true;
            }
            Answered::Refused(how) => {
                self.count(how);
                return true;
            }
            Answered::NotSent => self.count("not sent: the connection was closed".to_owned()),
            Answered::Unknown => self.unknown.push(n),
        }
        false
    }

    pub(super) fn was_accepted(&self) -> bool {
        self.was_accepted
    }

    /// The life of an order that was accepted is over, or the step at which it was lost sight of.
    pub(super) fn lived(&mut self, life: Result<(), String>) {
        if let Err(step) = life {
            self.count(format!("an order accepted and not delivered: {step}"));
        }
    }

    pub(super) fn could_not_connect(&mut self) {
        self.count("no connection".to_owned());
    }

    /// Nothing more will come: what is still in flight stays unknown.
    pub(super) fn close(&mut self) {
        self.unknown.extend(self.under_way.take().map(|(n, _)| n));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.unknown.extend(other.unknown);
        for (how, count) in other.errors {
            *self.errors.entry(how).or_default() += count;
        }
        self.latency.merge(&other.latency);
        self.first_sent = [self.first_sent, other.first_sent].into_iter().flatten().min();
        self.last_accepted = self.last_accepted.max(other.last_accepted);
    }

    /// Orders accepted in a second, from the first that was sent to the last answer.
    pub fn accepted_per_s(&self) -> f64 {
        let span = self.last_accepted.zip(self.first_sent).map(|(last, first)| (last - first).as_secs_f64());
        span.filter(|span| *span > 0.0).map_or(0.0, |span| self.accepted.len() as f64 / span)
    }

    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    fn count(&mut self, how: String) {
        *self.errors.entry(how).or_default() += 1;
    }
}
