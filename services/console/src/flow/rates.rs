//! Rates and latencies of deliveries, from the counts that processes give from time to time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kernel::Uuid;
use service::operator::Flow;
use service::telemetry::{Process, Tally};
use tokio::time::Instant;

/// The time between two counts that are kept.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// The time over which rates are taken: short enough to follow what happens, long enough to be read.
pub(super) const RATE_OVER: Duration = Duration::from_secs(5);

/// The time over which latencies are taken: a shop with little to do has some deliveries in it too.
pub(super) const LATENCY_OVER: Duration = Duration::from_secs(30);

/// A process that has not answered for so long is not counted among the instances of its service.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(10);

type Counts = HashMap<(&'static str, Uuid), HashMap<String, Tally>>;

/// The counts of all processes, now and in the last half minute.
#[derive(Default)]
pub(super) struct Rates {
    processes: HashMap<(&'static str, Uuid), (Process, Instant)>,
    now: Counts,
    past: VecDeque<(Instant, Counts)>,
}

/// The deliveries of one type at one consumer.
#[derive(Clone, Debug, Default)]
pub(super) struct OfType {
    /// Effects a second.
    pub(super) per_second: f64,
    /// Failed attempts a second.
    pub(super) failed_per_second: f64,
    /// The deliveries of [`LATENCY_OVER`].
    pub(super) recent: Tally,
    /// All deliveries since the processes began.
    pub(super) all: Tally,
}

impl Rates {
    /// Takes what an instance of a service counts.
    pub(super) fn learn(&mut self, service: &'static str, flow: Flow, now: Instant) {
        let key = (service, flow.process.id);
        // Counts from before it was first seen say nothing about this moment, unless it has just begun.
        if !self.now.contains_key(&key)
            && let Some((_, oldest)) = self.past.front_mut()
        {
            oldest.insert(key, flow.types.clone());
        }
        self.now.insert(key, flow.types);
        self.processes.insert(key, (flow.process, now));
    }

    /// Keeps the counts of this moment, and forgets what is older than any window.
    pub(super) fn keep(&mut self, now: Instant) {
        if self.past.back().is_none_or(|(at, _)| now.duration_since(*at) >= KEEP_EVERY) {
            self.past.push_back((now, self.now.clone()));
        }
        while self.past.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= LATENCY_OVER) {
            self.past.pop_front();
        }
        let gone: Vec<_> =
            self.processes.iter().filter(|(_, (_, at))| now.duration_since(*at) > LATENCY_OVER * 2).collect();
        let gone: Vec<_> = gone.into_iter().map(|(key, _)| *key).collect();
        for key in gone {
            self.processes.remove(&key);
            self.now.remove(&key);
        }
    }

    /// The instances of a service that answered lately.
    pub(super) fn instances(&self, service: &str, now: Instant) -> Vec<Process> {
        let of_service = self.processes.iter().filter(|((of, _), _)| *of == service);
        let alive = of_service.filter(|(_, (_, at))| now.duration_since(*at) <= GONE_AFTER);
        let mut found: Vec<Process> = alive.map(|(_, (process, _))| process.clone()).collect();
        found.sort_unstable_by_key(|process| (process.started_at, process.id));
        found
    }

    /// The deliveries of a service by event type.
    pub(super) fn of(&self, service: &str, now: Instant) -> HashMap<String, OfType> {
        let mut types: HashMap<String, OfType> = HashMap::new();
        let (rate_from, latency_from) = (self.before(now, RATE_OVER), self.before(now, LATENCY_OVER));
        for (key, counts) in self.now.iter().filter(|((of, _), _)| *of == service) {
            for (event_type, tally) in counts {
                let of_type = types.entry(event_type.clone()).or_default();
                of_type.all.add(tally);
                if let Some((at, counts)) = rate_from {
                    let seconds = now.duration_since(*at).as_secs_f64().max(KEEP_EVERY.as_secs_f64());
                    let added = since(tally, counts, *key, event_type);
                    of_type.per_second += added.done as f64 / seconds;
                    of_type.failed_per_second += (added.retried + added.parked) as f64 / seconds;
                }
                if let Some((_, counts)) = latency_from {
                    of_type.recent.add(&since(tally, counts, *key, event_type));
                }
            }
        }
        types
    }

    /// The newest counts that are so old, or the oldest that there are.
    fn before(&self, now: Instant, over: Duration) -> Option<&(Instant, Counts)> {
        let old = self.past.iter().rev().find(|(at, _)| now.duration_since(*at) >= over);
        old.or_else(|| self.past.front())
    }
}

fn since(tally: &Tally, earlier: &Counts, key: (&'static str, Uuid), event_type: &str) -> Tally {
    match earlier.get(&key).and_then(|counts| counts.get(event_type)) {
        Some(earlier) => tally.since(earlier),
        None => tally.clone(),
    }
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;

    use super::*;

    const TYPE: &str = "orders.order_placed.v1";

    fn counted(process: u128, done: u64) -> Flow {
        let process = Process {
            id: Uuid::from_u128(process),
            version: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
            memory_bytes: None,
        };
        let mut latencies = vec![0; 33];
        latencies[3] = done;
        let tally = Tally { done, latencies, ..Tally::default() };
        Flow { process, types: HashMap::from([(TYPE.to_owned(), tally)]), degraded: None }
    }

    #[test]
    fn a_rate_is_of_the_last_seconds_and_of_all_instances() {
        let (mut rates, began) = (Rates::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        for second in 0..=20 {
            rates.learn("inventory", counted(1, 1_000 + 10 * second), at(second));
            // A second instance joins, and answers in turn with the first.
            if second >= 10 {
                rates.learn("inventory", counted(2, 5 * (second - 10)), at(second));
            }
            rates.keep(at(second));
        }
        let of_type = &rates.of("inventory", at(20))[TYPE];
        assert!((of_type.per_second - 15.0).abs() < 0.01, "{of_type:?}");
        assert_eq!(of_type.all.done, 1_200 + 50);
        assert_eq!(of_type.recent.done, 200 + 50, "what the first had counted before is not of these seconds");
        assert_eq!(of_type.recent.quantile_ms(0.99), Some(0.75));
        assert_eq!(rates.instances("inventory", at(20)).len(), 2);
        assert_eq!(rates.instances("inventory", at(40)).len(), 0);
        assert!(rates.of("payments", at(20)).is_empty());
    }
}
