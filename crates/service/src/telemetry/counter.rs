//! Counters that a service declares in its folder.

use prometheus_client::metrics::counter::Counter as Total;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// A counter with `N` labels. Cheap to clone; clones share what they count.
#[derive(Clone, Debug)]
pub struct Counter<const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    totals: Family<Vec<(&'static str, &'static str)>, Total>,
}

/// Adds a counter to the metrics of the process.
pub(crate) type Register = Box<dyn FnOnce(&mut Registry) + Send>;

impl<const N: usize> Counter<N> {
    /// A counter that is shown as `tradepost_<name>_total`.
    pub fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self { name, help, labels, totals: Family::default() }
    }

    /// One more under these values of its labels.
    pub fn count(&self, values: [&'static str; N]) {
        self.count_many(values, 1);
    }

    /// Several more under these values of its labels.
    pub fn count_many(&self, values: [&'static str; N], more: u64) {
        self.totals.get_or_create(&self.labels.into_iter().zip(values).collect()).inc_by(more);
    }

    pub(crate) fn register(&self) -> Register {
        let Self { name, help, totals, .. } = self.clone();
        let name = format!("tradepost_{name}");
        Box::new(move |registry| {
            if N == 0 {
                // A rise from nothing is no rise to Prometheus.
                registry.register(name, help, totals.get_or_create(&Vec::new()).clone());
            } else {
                registry.register(name, help, totals);
            }
        })
    }
}
